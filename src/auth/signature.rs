//! The primitives of signed requests: bounded headers, HMAC-SHA256 over raw bytes, and a time window against replay.
//! Header names belong to the senders' files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use crate::domain::timestamp::Timestamp;

/// The maximum number of signatures in one request. Senders use two or three during a rotation.
const MAX_SIGNATURES: usize = 16;
/// Sixteen signatures of any sender fit into this.
const MAX_HEADER_BYTES: usize = 4096;
/// How far a timestamp may be from our clock, either way. Slack and Standard Webhooks recommend this value.
pub(crate) const TOLERANCE_S: u64 = 5 * 60;

/// A request, as far as its sender proves itself by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) received_at: Timestamp,
}

/// Why a request is not authenticated. No variant reveals anything about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// The request carries no signature or token.
    #[error("the request carries no proof of its sender")]
    NoSignature,
    /// The header or parameter is duplicated, too long, incomplete, or of another form.
    #[error("the proof of the sender is malformed")]
    Malformed,
    /// The signed time is too far in the past or in the future.
    #[error("the time that the sender has signed is too far off")]
    Stale,
    /// The sender signs a time inside the body, and this body has none.
    #[error("the signed body holds no time")]
    Untimed,
    /// The signature covers only the body of a POST, and this is another method.
    #[error("the signature covers only the body of a POST")]
    NotAPost,
    /// No secret produces this signature or equals this token.
    #[error("the proof of the sender is wrong")]
    Wrong,
    /// The sender has no secrets in the caller secret, so none of its requests is accepted.
    #[error("the caller secret has no secrets for this hook")]
    NotConfigured,
}

/// An HMAC-SHA256 value.
pub(crate) type Tag = [u8; 32];

/// Computes the HMAC of a message, which is given in parts.
pub(crate) fn sign(key: &hmac::Key, message: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(part);
    }
    context.sign()
}

/// Returns the only value of a header.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.len() > MAX_HEADER_BYTES {
        return Err(SignatureError::Malformed);
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| SignatureError::Malformed)
}

/// Decodes the signatures of this version in a list. Undecodable ones are skipped, as they match no key.
pub(crate) fn tags<'a>(
    list: impl Iterator<Item = &'a str>,
    version: &str,
    decode: fn(&str) -> Option<Tag>,
) -> Result<Vec<Tag>, SignatureError> {
    let mut tags = Vec::new();
    for (at, signature) in list.enumerate() {
        if at == MAX_SIGNATURES {
            return Err(SignatureError::Malformed);
        }
        tags.extend(signature.trim().strip_prefix(version).and_then(decode));
    }
    if tags.is_empty() { Err(SignatureError::Malformed) } else { Ok(tags) }
}

/// Checks that a timestamp header, in seconds since 1970, is recent.
pub(crate) fn check_timestamp(timestamp: &str, now: Timestamp) -> Result<(), SignatureError> {
    let digits = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(SignatureError::Malformed)?;
    check_recent(signed_at, TOLERANCE_S, now)
}

/// Checks that the time inside a signed body is within `tolerance_s` seconds of now.
pub(crate) fn check_body_time(time: Option<&str>, tolerance_s: u64, now: Timestamp) -> Result<(), SignatureError> {
    let signed_at = time.and_then(Timestamp::parse).ok_or(SignatureError::Untimed)?;
    check_recent(signed_at.unix_seconds(), tolerance_s, now)
}

fn check_recent(signed_at: i64, tolerance_s: u64, now: Timestamp) -> Result<(), SignatureError> {
    if now.unix_seconds().abs_diff(signed_at) > tolerance_s { Err(SignatureError::Stale) } else { Ok(()) }
}

/// Decodes 64 hexadecimal digits in lower case, which is what every sender writes.
pub(crate) fn from_hex(text: &str) -> Option<Tag> {
    let is_lower = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    hex::decode(text).ok().filter(|_| is_lower)?.try_into().ok()
}

/// Decodes base64 with padding.
pub(crate) fn from_base64(text: &str) -> Option<Tag> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use http::HeaderValue;

    use super::super::secrets::Secrets;
    use super::*;

    pub(crate) fn secrets(list: &[&[u8]]) -> Secrets {
        let named = list.iter().enumerate();
        Secrets(named.map(|(at, secret)| (format!("holder-{at}").into(), secret.to_vec())).collect())
    }

    pub(crate) fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    /// A request without a query.
    pub(crate) fn request<'a>(headers: &'a HeaderMap, body: &'a [u8], received_at: &str) -> SignedRequest<'a> {
        SignedRequest { headers, query: "", body, received_at: Timestamp::parse(received_at).expect("a time") }
    }

    /// Returns every variant of these bytes in which one bit is flipped.
    pub(crate) fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..bytes.len() * 8).map(|bit| {
            let mut other = bytes.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            other
        })
    }

    /// The same for header values. Variants that no header can hold are left out.
    pub(crate) fn flipped_text(text: &str) -> impl Iterator<Item = String> {
        flipped(text.as_bytes())
            .filter(|bytes| bytes.iter().all(|byte| (0x20..0x7F).contains(byte)))
            .filter_map(|bytes| String::from_utf8(bytes).ok())
    }

    #[test]
    fn timestamps_may_be_five_minutes_off_either_way() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        for (timestamp, fresh) in [
            ("1700000000", Ok(())),
            ("1699999700", Ok(())),
            ("1700000300", Ok(())),
            ("1699999699", Err(SignatureError::Stale)),
            ("1700000301", Err(SignatureError::Stale)),
            ("0", Err(SignatureError::Stale)),
            ("999999999999", Err(SignatureError::Stale)),
            ("", Err(SignatureError::Malformed)),
            ("-1700000000", Err(SignatureError::Malformed)),
            ("+1700000000", Err(SignatureError::Malformed)),
            ("1.7e9", Err(SignatureError::Malformed)),
            ("17000000000000000000", Err(SignatureError::Malformed)),
        ] {
            assert_eq!(check_timestamp(timestamp, now), fresh, "{timestamp}");
        }
        for (time, outcome) in [
            (Some("2023-11-14T22:13:20.1234567Z"), Ok(())),
            (Some("2023-11-14T23:18:20+01:00"), Ok(())),
            (Some("2023-11-14T22:08:19Z"), Err(SignatureError::Stale)),
            (Some("2023-11-14T22:18:21Z"), Err(SignatureError::Stale)),
            (Some("now"), Err(SignatureError::Untimed)),
            (None, Err(SignatureError::Untimed)),
        ] {
            assert_eq!(check_body_time(time, TOLERANCE_S, now), outcome, "{time:?}");
        }
    }

    #[test]
    fn headers_and_lists_are_bounded() {
        assert_eq!(header(&headers(&[]), "a"), Ok(None));
        assert_eq!(header(&headers(&[("a", " x ")]), "a"), Ok(Some("x")));
        assert_eq!(header(&headers(&[("a", "x"), ("a", "x")]), "a"), Err(SignatureError::Malformed));
        assert_eq!(header(&headers(&[("a", &"x".repeat(4097))]), "a"), Err(SignatureError::Malformed));
        assert_eq!(header(&headers(&[("a", "é")]), "a"), Err(SignatureError::Malformed));

        let one = format!("v1={}", "0".repeat(64));
        let read = |list: &[&str]| tags(list.iter().copied(), "v1=", from_hex).map(|tags| tags.len());
        assert_eq!(read(&[]), Err(SignatureError::Malformed));
        assert_eq!(read(&[one.as_str(); 16]), Ok(16));
        assert_eq!(read(&[one.as_str(); 17]), Err(SignatureError::Malformed));
        assert_eq!(read(&["v0=00", &one, "v1="]), Ok(1));
    }

    #[test]
    fn only_64_lower_case_hex_digits_are_a_tag() {
        assert_eq!(from_hex(&"0f".repeat(32)), Some([0x0F; 32]));
        for text in ["", "0f", &"0F".repeat(32), &"0f".repeat(33), &"0f".repeat(31), &"+f".repeat(32), &"0".repeat(63)]
        {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
