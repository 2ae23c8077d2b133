//! Posts to others than Microsoft: how one fails, and what that means for the next attempt. One policy for destinations
//! and for late answers.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::retry::Retry;
use super::status::retry_after;
use crate::domain::timestamp::Timestamp;

/// A post that was not delivered. The address can be a secret: it is in none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PostFailure {
    /// Another status than those below: never tried again.
    #[error("it was refused with status {status}")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// 429 or 503: nothing was taken. Tried again.
    #[error("it was put off with status {status}")]
    Busy {
        /// The status.
        status: StatusCode,
        /// When to come again, where that was told.
        retry_after: Option<Duration>,
    },
    /// Another 5xx: what answers may have passed the post on before it failed. Tried again only where the receiver can tell
    /// a repetition.
    #[error("it failed with status {status}")]
    Failing {
        /// The status.
        status: StatusCode,
    },
    /// No connection, so that nothing was sent: tried again.
    #[error("no connection")]
    Unreachable,
    /// The receiver may have the post: tried again only where it can tell a repetition.
    #[error("the connection broke")]
    Broken,
    /// The same.
    #[error("no answer in time")]
    Silent,
}

impl PostFailure {
    /// What a status stands for; `None`: the post is taken.
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

    /// What went wrong below HTTP. reqwest's own text holds the URL: it is not used.
    pub(crate) fn of_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unreachable
        } else if error.is_timeout() {
            Self::Silent
        } else {
            Self::Broken
        }
    }

    /// What it means for the next attempt, by whether the receiver can tell that it has a post already.
    pub(crate) fn retry(self, tells_repetitions: bool) -> Retry {
        match self {
            Self::Busy { retry_after, .. } => Retry::after(retry_after),
            Self::Unreachable => Retry::Backoff,
            Self::Failing { .. } | Self::Broken | Self::Silent if tells_repetitions => Retry::Backoff,
            Self::Failing { .. } | Self::Broken | Self::Silent | Self::Refused { .. } => Retry::Never,
        }
    }

    /// The status that was answered, if one was.
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
    fn what_a_receiver_may_have_is_sent_again_only_to_one_that_can_tell() {
        let wait = Duration::from_secs(7);
        let none = HeaderMap::new();
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        let of = |status: StatusCode, headers| PostFailure::of_status(status, headers).expect("a failure");
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            for tells in [false, true] {
                assert_eq!(of(status, &headers).retry(tells), Retry::After(wait), "{status}");
                assert_eq!(of(status, &none).retry(tells), Retry::Backoff, "{status}");
            }
        }
        let failing = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT];
        let lost =
            failing.map(|status| of(status, &headers)).into_iter().chain([PostFailure::Broken, PostFailure::Silent]);
        for failure in lost {
            assert_eq!([false, true].map(|tells| failure.retry(tells)), [Retry::Never, Retry::Backoff], "{failure}");
        }
        for status in [StatusCode::NOT_FOUND, StatusCode::GONE, StatusCode::FOUND] {
            assert_eq!([false, true].map(|tells| of(status, &headers).retry(tells)), [Retry::Never; 2], "{status}");
        }
        assert_eq!([false, true].map(|tells| PostFailure::Unreachable.retry(tells)), [Retry::Backoff; 2]);
        assert_eq!(PostFailure::of_status(StatusCode::NO_CONTENT, &headers), None);
    }
}
