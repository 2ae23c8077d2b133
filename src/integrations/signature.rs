//! What all signed hooks share: bounded headers, HMAC-SHA256 over raw bytes with a constant-time comparison, and a
//! time window against replay. Header names belong to the senders' files.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

use crate::domain::timestamp::Timestamp;

/// The maximum number of signatures in one request. Senders use two or three during a rotation.
const MAX_SIGNATURES: usize = 16;
/// Sixteen signatures of any sender fit into this.
const MAX_HEADER_BYTES: usize = 4096;
/// How far a timestamp may be from our clock, either way. Slack and Standard Webhooks recommend this value.
pub(super) const TOLERANCE_S: u64 = 5 * 60;

/// Why a request is not authenticated. No variant reveals anything about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
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
    /// No secret of this hook produces this signature or equals this token.
    #[error("the proof of the sender is wrong")]
    Wrong,
    /// The hook has no secrets, so it is disabled.
    #[error("the caller secret has no secrets for this hook")]
    NotConfigured,
}

/// An HMAC-SHA256 value.
pub(super) type Tag = [u8; 32];

/// The secrets of one hook, by holder. Several may be valid at a time.
#[derive(Clone, Default)]
pub struct SigningKeys(Vec<(Arc<str>, hmac::Key)>);

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl SigningKeys {
    pub(super) fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = (Arc<str>, S)>) -> Self {
        let keys = secrets.into_iter().map(|(name, secret)| (name, hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref())));
        Self(keys.collect())
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holders' names, without duplicates.
    pub(super) fn holders(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// Returns the holder whose key signed the message, which is given in parts. It compares every key with every
    /// signature, so that the time does not depend on the match.
    pub(super) fn signer(&self, message: &[&[u8]], presented: &[Tag]) -> Result<Arc<str>, SignatureError> {
        if self.0.is_empty() {
            return Err(SignatureError::NotConfigured);
        }
        let mut signer = None;
        for (name, key) in &self.0 {
            // One HMAC for each key, however many signatures the request presents.
            let expected = sign(key, message);
            let fits = presented.iter().fold(Choice::from(0), |fits, tag| fits | expected.as_ref().ct_eq(tag));
            if bool::from(fits) {
                signer = Some(name);
            }
        }
        signer.cloned().ok_or(SignatureError::Wrong)
    }
}

/// Computes the HMAC of a message, which is given in parts.
pub(super) fn sign(key: &hmac::Key, message: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(part);
    }
    context.sign()
}

/// Returns the only value of a header.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.len() > MAX_HEADER_BYTES {
        return Err(SignatureError::Malformed);
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| SignatureError::Malformed)
}

/// Decodes the signatures of this version in a list. Undecodable ones are skipped, as they match no key.
pub(super) fn tags<'a>(
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

/// Checks that a timestamp, in seconds since 1970, is recent.
pub(super) fn check_fresh(timestamp: &str, now: Timestamp) -> Result<(), SignatureError> {
    let digits = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(SignatureError::Malformed)?;
    if now.unix_seconds().abs_diff(signed_at) > TOLERANCE_S { Err(SignatureError::Stale) } else { Ok(()) }
}

/// Checks that the time inside a signed body is within `tolerance_s` seconds of now.
pub(super) fn check_time(time: Option<&str>, tolerance_s: u64, now: Timestamp) -> Result<(), SignatureError> {
    let at = time.and_then(Timestamp::parse).ok_or(SignatureError::Untimed)?;
    if now.unix_seconds().abs_diff(at.unix_seconds()) > tolerance_s { Err(SignatureError::Stale) } else { Ok(()) }
}

/// Decodes 64 hexadecimal digits in lower case, which is what every sender writes.
pub(super) fn from_hex(text: &str) -> Option<Tag> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, remainder) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| remainder.is_empty())?.try_into().ok()
}

/// Decodes base64 with padding.
pub(super) fn from_base64(text: &str) -> Option<Tag> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use http::HeaderValue;

    use super::*;

    pub(crate) fn keys(secrets: &[&[u8]]) -> SigningKeys {
        SigningKeys::new(
            secrets.iter().enumerate().map(|(at, secret)| (format!("holder-{at}").into(), secret.to_vec())),
        )
    }

    pub(crate) fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
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

    /// Source: <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>, "Testing".
    #[test]
    fn github_example_signature_is_reproduced() {
        let keys = keys(&[b"It's a Secret to Everybody"]);
        let tag = from_hex("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17").expect("a tag");
        assert!(keys.signer(&[b"Hello, ", b"World!"], &[tag]).is_ok());
        for message in flipped(b"Hello, World!") {
            assert_eq!(keys.signer(&[&message], &[tag]), Err(SignatureError::Wrong));
        }
        for other in flipped(&tag) {
            let other = Tag::try_from(other).expect("32 bytes");
            assert_eq!(keys.signer(&[b"Hello, World!"], &[other]), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn any_secret_may_match_any_presented_signature() {
        let two = keys(&[b"now", b"before"]);
        let tag = |secret: &[u8]| -> Tag {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            sign(&key, &[b"body"]).as_ref().try_into().expect("32 bytes")
        };
        let signer = |tags: &[Tag]| two.signer(&[b"body"], tags).map(|name| name.to_string());
        assert_eq!(signer(&[tag(b"now")]).as_deref(), Ok("holder-0"));
        assert_eq!(signer(&[tag(b"other"), tag(b"before")]).as_deref(), Ok("holder-1"));
        assert_eq!(signer(&[tag(b"other")]), Err(SignatureError::Wrong));
        assert_eq!(signer(&[]), Err(SignatureError::Wrong));
        assert_eq!(SigningKeys::default().signer(&[b"body"], &[tag(b"")]), Err(SignatureError::NotConfigured));
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
            ("NaN", Err(SignatureError::Malformed)),
            ("17000000000000000000", Err(SignatureError::Malformed)),
        ] {
            assert_eq!(check_fresh(timestamp, now), fresh, "{timestamp}");
        }
    }

    #[test]
    fn time_inside_a_body_has_its_own_tolerance() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        for (time, outcome) in [
            (Some("2023-11-14T22:13:20Z"), Ok(())),
            (Some("2023-11-14T22:13:20.1234567Z"), Ok(())),
            (Some("2023-11-14T23:18:20+01:00"), Ok(())),
            (Some("2023-11-14T22:08:20Z"), Ok(())),
            (Some("2023-11-14T22:08:19Z"), Err(SignatureError::Stale)),
            (Some("2023-11-14T22:18:21Z"), Err(SignatureError::Stale)),
            (Some("2020-01-01T00:00:00Z"), Err(SignatureError::Stale)),
            (Some("now"), Err(SignatureError::Untimed)),
            (Some(""), Err(SignatureError::Untimed)),
            (None, Err(SignatureError::Untimed)),
        ] {
            assert_eq!(check_time(time, TOLERANCE_S, now), outcome, "{time:?}");
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
        let list = |times: usize| vec![one.as_str(); times];
        let read = |times| tags(list(times).into_iter(), "v1=", from_hex).map(|tags| tags.len());
        assert_eq!(
            (read(0), read(16), read(17)),
            (Err(SignatureError::Malformed), Ok(16), Err(SignatureError::Malformed))
        );
        assert_eq!(tags(["v0=00", &one, "v1="].into_iter(), "v1=", from_hex).map(|tags| tags.len()), Ok(1));
    }

    #[test]
    fn only_64_lower_case_hex_digits_are_a_tag() {
        assert_eq!(from_hex(&"0f".repeat(32)), Some([0x0F; 32]));
        for text in ["", "0f", &"0F".repeat(32), &"0f".repeat(33), &"0f".repeat(31), &"+f".repeat(32), &"0".repeat(63)]
        {
            assert_eq!(from_hex(text), None, "{text}");
        }
        assert_eq!(from_base64(&STANDARD.encode([7; 31])), None);
        assert_eq!(from_base64(&STANDARD.encode([7; 32])), Some([7; 32]));
    }
}
