//! The errors of a call to Microsoft, by meaning, and the statuses and waits that they are read from: the same for both
//! older APIs and for Graph.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/common-errors>,
//! <https://learn.microsoft.com/defender-xdr/api-error-codes>.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::retry::Retry;
use crate::domain::timestamp::Timestamp;

/// The shortest wait that is accepted from `Retry-After`: zero would mean an immediate retry.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is accepted from `Retry-After`: the quota's longest window is an hour.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// How far a call got before it failed as unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The call was not sent, or it was rejected: no work has begun.
    NotProcessed,
    /// A gateway accepted it but got no valid answer: the service behind it may be working on the call.
    Gateway,
    /// The connection broke: the next attempt uses a new one immediately. The service may be working on the call.
    BrokenConnection,
}

/// The failure of a call to Microsoft. Each variant says whether the call is retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// 429, or our own quota: retried only if the wait fits into the deadline.
    #[error("throttled")]
    Throttled {
        /// The time to wait before the next attempt, if it is known.
        retry_after: Option<Duration>,
    },
    /// 502, 503, 504, or a connection that was refused, reset or closed early: retried.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// The time to wait before the next attempt, if it is known.
        retry_after: Option<Duration>,
        /// What happened, in our words.
        reason: &'static str,
        /// How far the call got.
        reached: Reached,
    },
    /// The host name has no address: retried, because a resolver can be wrong for a moment.
    #[error("the host has no address")]
    NoAddress,
    /// 500: retried once.
    #[error("internal server error")]
    ServerError,
    /// No answer in time: retried while time is left.
    #[error("no answer in time")]
    TimedOut,
    /// 401: not retried here. The owner of the credential renews it.
    #[error("the token was refused")]
    Unauthorized,
    /// 403 with the API's own error envelope: never retried.
    #[error("the token lacks a permission")]
    Forbidden,
    /// 404 with the API's own error envelope: the entity does not exist.
    #[error("not found")]
    NotFound,
    /// Any other status: never retried.
    #[error("refused with status {status}")]
    Rejected {
        /// The status.
        status: u16,
    },
    /// 400 from advanced hunting because it does not find a table: the tenant or the app may not see the table. Never
    /// retried.
    #[error("a table that cannot be seen")]
    TableNotVisible,
    /// The body does not have the documented form: never retried.
    #[error("malformed answer: {reason}")]
    Malformed {
        /// What is wrong with it, in our words.
        reason: &'static str,
    },
    /// The body exceeds a size limit: never retried.
    #[error("the answer is too large")]
    TooLarge,
}

impl ClientError {
    /// `Unavailable` without a wait, for a call that was not sent.
    pub(crate) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::NotProcessed }
    }

    /// `Unavailable` for a connection that broke after the call was sent.
    pub(super) fn broken_connection(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::BrokenConnection }
    }

    /// A body that does not have the documented form.
    pub(crate) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason }
    }

    /// The wait before the next attempt, if the error carries one.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::NoAddress
            | Self::ServerError
            | Self::TimedOut
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge => None,
        }
    }

    /// The same error with another wait, for a caller who receives a cached error later.
    pub(crate) fn after(self, wait: Duration) -> Self {
        match self {
            Self::Throttled { .. } => Self::Throttled { retry_after: Some(wait) },
            Self::Unavailable { reason, reached, .. } => Self::Unavailable { retry_after: Some(wait), reason, reached },
            error => error,
        }
    }

    /// Whether and how the call may be retried.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { reached: Reached::BrokenConnection, .. } => Retry::Reconnect,
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => Retry::after(*retry_after),
            Self::NoAddress => Retry::Backoff,
            Self::TimedOut => Retry::NewConnection,
            Self::ServerError => Retry::Once,
            Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge => Retry::Never,
        }
    }
}

/// The error that a status other than 2xx stands for.
pub(crate) fn error_from_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ClientError {
    match status.as_u16() {
        401 => ClientError::Unauthorized,
        403 if error_code(body).is_some() => ClientError::Forbidden,
        404 if error_code(body).is_some() => ClientError::NotFound,
        429 => ClientError::Throttled { retry_after: retry_after(headers, Timestamp::now()) },
        500 => ClientError::ServerError,
        502..=504 => ClientError::Unavailable {
            retry_after: retry_after(headers, Timestamp::now()),
            reason: "the service says that it is unavailable",
            reached: if status == StatusCode::SERVICE_UNAVAILABLE { Reached::NotProcessed } else { Reached::Gateway },
        },
        status => ClientError::Rejected { status },
    }
}

/// The code in the error envelope `{"error":{"code":…}}`, or `None` for any other body, such as the error page of a
/// proxy.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: String,
    }
    serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.error.code)
}

/// The wait in `Retry-After`, given in seconds (with or without a fraction) or as an HTTP date. It is clamped to the
/// limits above, also where the number of seconds is too large for a `Duration`.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let wait = if let Some(seconds) = text.parse::<f64>().ok().filter(|_| is_number) {
        Duration::try_from_secs_f64(seconds).unwrap_or(MAX_WAIT)
    } else {
        let at = Timestamp::from(httpdate::parse_http_date(text).ok()?);
        Duration::from_millis(u64::try_from(at.unix_milliseconds() - now.unix_milliseconds()).unwrap_or(0))
    };
    Some(wait.clamp(MIN_WAIT, MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(text).expect("a header"))]);
        retry_after(&headers, Timestamp::from_unix_seconds(1_767_225_600))
    }

    #[test]
    fn a_wait_is_read_from_seconds_and_dates() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("2.128"), Some(Duration::from_secs_f64(2.128)));
        assert_eq!(wait("Thu, 01 Jan 2026 00:00:20 GMT"), Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_wait_is_clamped_to_its_limits() {
        assert_eq!(wait("0"), Some(MIN_WAIT));
        assert_eq!(wait("Wed, 31 Dec 2025 00:00:00 GMT"), Some(MIN_WAIT));
        assert_eq!(wait("999999999"), Some(MAX_WAIT));
        assert_eq!(wait("99999999999999999999"), Some(MAX_WAIT));
        assert_eq!(wait(&"9".repeat(400)), Some(MAX_WAIT));
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT"), Some(MAX_WAIT));
        for nonsense in ["soon", "-5", "NaN", "inf", "1e400", "", "."] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn not_found_and_forbidden_require_the_apis_error_envelope() {
        let headers = HeaderMap::new();
        let own = br#"{"error":{"code":"ResourceNotFound","message":"x"}}"#;
        assert_eq!(error_from_status(StatusCode::NOT_FOUND, &headers, own), ClientError::NotFound);
        assert_eq!(error_from_status(StatusCode::FORBIDDEN, &headers, own), ClientError::Forbidden);
        for other in [&b""[..], b"<html>", b"{}", b"[]"] {
            assert_eq!(
                error_from_status(StatusCode::NOT_FOUND, &headers, other),
                ClientError::Rejected { status: 404 }
            );
            assert_eq!(
                error_from_status(StatusCode::FORBIDDEN, &headers, other),
                ClientError::Rejected { status: 403 }
            );
        }
    }
}
