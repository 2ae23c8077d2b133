//! What every signed hook shares: headers within bounds, HMAC-SHA256 over raw bytes compared in constant time, and the
//! window against replay. Knows no sender's headers.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

use crate::domain::timestamp::Timestamp;

/// Signatures that one request may present: senders use two or three, while secrets change.
const MAX_SIGNATURES: usize = 16;
/// Sixteen signatures of any sender have room in this.
const MAX_HEADER_BYTES: usize = 4096;
/// How far a timestamp may be from our clock, either way: what Slack and Standard Webhooks advise.
pub(super) const TOLERANCE_S: u64 = 5 * 60;

/// Why a request is not believed. None of these says anything about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It carries no signature or token.
    #[error("the request carries no proof of its sender")]
    NoSignature,
    /// What carries the proof is there twice, too long, incomplete, or of another form.
    #[error("the proof of the sender is malformed")]
    Malformed,
    /// It was made too long ago, or too far in the future.
    #[error("the time that the sender has signed is too far off")]
    Stale,
    /// Its sender signs a time inside the body, and there is none.
    #[error("the signed body holds no time")]
    Untimed,
    /// The signature covers only the body of a POST, and this is none.
    #[error("the signature covers only the body of a POST")]
    NotAPost,
    /// No secret of this hook makes this signature, or is this token.
    #[error("the proof of the sender is wrong")]
    Wrong,
    /// This hook has no secrets: it is closed.
    #[error("the caller secret has no secrets for this hook")]
    NotConfigured,
}

/// An HMAC-SHA256.
pub(super) type Tag = [u8; 32];

/// The secrets of one hook, by the names of their holders; several may be valid at a time.
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

    /// Whether no secret is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the holders, each once.
    pub(super) fn holders(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// Whose key signed the message, given in parts. Looks at every key and signature, whichever fits.
    pub(super) fn signer(&self, message: &[&[u8]], presented: &[Tag]) -> Result<Arc<str>, SignatureError> {
        if self.0.is_empty() {
            return Err(SignatureError::NotConfigured);
        }
        let mut signer = None;
        for (name, key) in &self.0 {
            // Signed once a key, however many signatures a stranger presents.
            let right = sign(key, message);
            let fits = presented.iter().fold(Choice::from(0), |fits, tag| fits | right.as_ref().ct_eq(tag));
            if bool::from(fits) {
                signer = Some(name);
            }
        }
        signer.cloned().ok_or(SignatureError::Wrong)
    }
}

/// The HMAC of a message, given in parts.
pub(super) fn sign(key: &hmac::Key, message: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(part);
    }
    context.sign()
}

/// The one value of a header.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.len() > MAX_HEADER_BYTES {
        return Err(SignatureError::Malformed);
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| SignatureError::Malformed)
}

/// Reads the signatures of a list that have this version; what cannot be read fits nothing.
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

/// Whether a timestamp, in seconds since 1970, is near enough.
pub(super) fn check_fresh(timestamp: &str, now: Timestamp) -> Result<(), SignatureError> {
    let digits = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(SignatureError::Malformed)?;
    if now.unix_seconds().abs_diff(signed_at) > TOLERANCE_S { Err(SignatureError::Stale) } else { Ok(()) }
}

/// Whether the time inside a signed body is near enough: `tolerance_s` seconds either way.
pub(super) fn check_time(time: Option<&str>, tolerance_s: u64, now: Timestamp) -> Result<(), SignatureError> {
    let at = time.and_then(Timestamp::parse).ok_or(SignatureError::Untimed)?;
    if now.unix_seconds().abs_diff(at.unix_seconds()) > tolerance_s { Err(SignatureError::Stale) } else { Ok(()) }
}

/// 64 digits, in lower case as every sender writes them.
pub(super) fn from_hex(text: &str) -> Option<Tag> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| odd.is_empty())?.try_into().ok()
}

/// Base64 with padding.
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

    /// Every text of bytes that differs from this one in a single bit.
    pub(crate) fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..bytes.len() * 8).map(|bit| {
            let mut other = bytes.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            other
        })
    }

    /// The same for what stands in a header: changes that no header can hold are left out.
    pub(crate) fn flipped_text(text: &str) -> impl Iterator<Item = String> {
        flipped(text.as_bytes())
            .filter(|bytes| bytes.iter().all(|byte| (0x20..0x7F).contains(byte)))
            .filter_map(|bytes| String::from_utf8(bytes).ok())
    }

    /// Source: <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>, "Testing".
    #[test]
    fn the_published_signature_of_github_is_made_and_no_other() {
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
    fn any_secret_and_any_presented_signature_will_do() {
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
    fn the_window_is_five_minutes_both_ways() {
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
    fn the_time_inside_a_body_is_held_to_its_own_window() {
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
    fn headers_and_lists_have_bounds() {
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
    fn only_64_digits_in_lower_case_are_a_tag() {
        assert_eq!(from_hex(&"0f".repeat(32)), Some([0x0F; 32]));
        for text in ["", "0f", &"0F".repeat(32), &"0f".repeat(33), &"0f".repeat(31), &"+f".repeat(32), &"0".repeat(63)]
        {
            assert_eq!(from_hex(text), None, "{text}");
        }
        assert_eq!(from_base64(&STANDARD.encode([7; 31])), None);
        assert_eq!(from_base64(&STANDARD.encode([7; 32])), Some([7; 32]));
    }
}
