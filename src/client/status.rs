//! The meaning of HTTP statuses and `Retry-After`, the same for both older APIs and for Graph.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/common-errors>,
//! <https://learn.microsoft.com/defender-xdr/api-error-codes>.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::error::{ClientError, Reached};
use crate::domain::timestamp::Timestamp;

/// The shortest wait that is accepted from `Retry-After`: zero would mean an immediate retry.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is accepted from `Retry-After`: the quota's longest window is an hour.
const MAX_WAIT: Duration = Duration::from_secs(3600);

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
