//! What a status and its headers mean: the same for both older APIs and for Graph.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/common-errors>,
//! <https://learn.microsoft.com/defender-xdr/api-error-codes>.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::error::{ClientError, Reached};
use crate::domain::timestamp::Timestamp;

/// A wait that Microsoft asks for is taken between these: nobody means zero, nobody waits longer than the quota's hour.
const MIN_WAIT: Duration = Duration::from_secs(1);
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
            reached: if status == StatusCode::SERVICE_UNAVAILABLE { Reached::Nobody } else { Reached::Gateway },
        },
        status => ClientError::Rejected { status },
    }
}

/// The code of the error envelope `{"error":{"code":…}}`; `None` if the body is none: a proxy's page, a wrong route.
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

/// `Retry-After` in seconds, with or without a fraction, or as an HTTP date. More seconds than a number holds are many.
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
    fn a_wait_stays_within_reason() {
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
    fn only_the_apis_own_404_is_a_missing_entity_and_its_own_403_a_missing_permission() {
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
