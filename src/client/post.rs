//! Failures of POST requests to hosts other than Microsoft, and whether each is retried. Destinations and late answers
//! follow the same policy.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::error::retry_after;
use super::retry::Retry;
use crate::domain::timestamp::Timestamp;

/// The failure of a POST request. The URL can be a secret, so no variant contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PostFailure {
    /// A status other than those below: never retried.
    #[error("it was refused with status {status}")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// 429 or 503: the receiver took nothing. Retried.
    #[error("it was put off with status {status}")]
    Busy {
        /// The status.
        status: StatusCode,
        /// The time to wait before the next attempt, if it is known.
        retry_after: Option<Duration>,
    },
    /// Another 5xx: a gateway may have forwarded the post before it failed. Retried only if the receiver detects
    /// duplicates.
    #[error("it failed with status {status}")]
    Failing {
        /// The status.
        status: StatusCode,
    },
    /// No connection, so nothing was sent: retried.
    #[error("no connection")]
    Unreachable,
    /// The connection broke, and the receiver may have the post: retried only if the receiver detects duplicates.
    #[error("the connection broke")]
    Broken,
    /// No answer in time, and the receiver may have the post: retried only if the receiver detects duplicates.
    #[error("no answer in time")]
    Silent,
}

impl PostFailure {
    /// The failure that a status stands for, or `None` if the receiver took the post.
    ///
    /// Sources: <https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks>,
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status.as_u16() {
            200..=299 => None,
            429 | 503 => Some(Self::Busy { status, retry_after: retry_after(headers, Timestamp::now()) }),
            500..=599 => Some(Self::Failing { status }),
            _ => Some(Self::Refused { status }),
        }
    }

    /// The failure that an error below HTTP stands for. reqwest's own text contains the URL, so it is not used.
    pub(crate) fn of_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Silent
        } else {
            Self::Broken
        }
    }

    /// Whether and how the post may be retried, depending on whether the receiver detects duplicates.
    pub(crate) fn retry(self, detects_duplicates: bool) -> Retry {
        match self {
            Self::Busy { retry_after, .. } => Retry::after(retry_after),
            Self::Unreachable => Retry::Backoff,
            Self::Failing { .. } | Self::Broken | Self::Silent if detects_duplicates => Retry::Backoff,
            Self::Failing { .. } | Self::Broken | Self::Silent | Self::Refused { .. } => Retry::Never,
        }
    }

    /// The status of the response, if there was one.
    pub(crate) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Refused { status } | Self::Busy { status, .. } | Self::Failing { status } => Some(status),
            Self::Unreachable | Self::Broken | Self::Silent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_post_that_may_have_arrived_is_retried_only_if_the_receiver_detects_duplicates() {
        let wait = Duration::from_secs(7);
        let none = HeaderMap::new();
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        let of = |status: StatusCode, headers| PostFailure::of_status(status, headers).expect("a failure");
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            for detects in [false, true] {
                assert_eq!(of(status, &headers).retry(detects), Retry::After(wait), "{status}");
                assert_eq!(of(status, &none).retry(detects), Retry::Backoff, "{status}");
            }
        }
        let failing = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT];
        let lost =
            failing.map(|status| of(status, &headers)).into_iter().chain([PostFailure::Broken, PostFailure::Silent]);
        for failure in lost {
            assert_eq!(
                [false, true].map(|detects| failure.retry(detects)),
                [Retry::Never, Retry::Backoff],
                "{failure}"
            );
        }
        for status in [StatusCode::NOT_FOUND, StatusCode::GONE, StatusCode::FOUND] {
            assert_eq!([false, true].map(|detects| of(status, &headers).retry(detects)), [Retry::Never; 2], "{status}");
        }
        assert_eq!([false, true].map(|detects| PostFailure::Unreachable.retry(detects)), [Retry::Backoff; 2]);
        assert_eq!(PostFailure::of_status(StatusCode::NO_CONTENT, &headers), None);
    }
}
