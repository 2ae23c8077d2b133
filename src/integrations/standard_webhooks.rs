//! Standard Webhooks 1.0.0 with symmetric keys: verifies incoming requests, and signs outgoing ones.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use super::signature::{self, SignatureError, SigningKeys};
use crate::domain::timestamp::Timestamp;

const ID_HEADER: &str = "webhook-id";
const TIMESTAMP_HEADER: &str = "webhook-timestamp";
const SIGNATURE_HEADER: &str = "webhook-signature";
/// The header names of Svix, on whose service the standard is based.
///
/// Source: <https://docs.svix.com/receiving/verifying-payloads/how-manual>.
const SVIX_HEADERS: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];
/// The longest id that is kept for deduplication. Known senders use shorter ids.
const MAX_ID_BYTES: usize = 256;

/// An authenticated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The name of the signer.
    pub caller: Arc<str>,
    /// The `webhook-id`, the same in every delivery.
    pub id: String,
}

/// Whether a request carries a signature of this kind.
pub fn is_signed(headers: &HeaderMap) -> bool {
    [SIGNATURE_HEADER, SVIX_HEADERS[2]].into_iter().any(|name| headers.contains_key(name))
}

/// Verifies the signature, and returns the signer. [`SignatureError::NoSignature`] means that another kind of proof
/// may apply.
pub fn verify(
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Delivery, SignatureError> {
    // All three names come from the same set: the signature does not cover the id of the other set.
    let [id, timestamp, signature] = if headers.contains_key(SIGNATURE_HEADER) {
        [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER]
    } else {
        SVIX_HEADERS
    };
    let presented = signature::header(headers, signature)?.ok_or(SignatureError::NoSignature)?;
    let id = signature::header(headers, id)?.filter(|id| is_id(id)).ok_or(SignatureError::Malformed)?;
    let timestamp = signature::header(headers, timestamp)?.ok_or(SignatureError::Malformed)?;
    let tags = signature::tags(presented.split(' '), "v1,", signature::from_base64)?;
    signature::check_fresh(timestamp, now)?;
    let caller = keys.signer(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body], &tags)?;
    Ok(Delivery { caller, id: id.to_owned() })
}

/// Whether an id is valid. With a full stop in an id, one signature would be valid for two messages.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains('.')
}

/// The secret that signs outgoing requests.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSecret {
    /// Parses `whsec_` followed by base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        secret_bytes(text).map(|secret| Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// Returns the headers that sign a body. `id` contains no full stop, and stays the same in every attempt.
    pub fn headers(&self, id: &str, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
        let timestamp = at.unix_seconds().to_string();
        let tag = signature::sign(&self.0, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        [
            (ID_HEADER, id.to_owned()),
            (TIMESTAMP_HEADER, timestamp),
            (SIGNATURE_HEADER, format!("v1,{}", STANDARD.encode(tag))),
        ]
    }
}

/// Decodes a secret from its written form.
pub(super) fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::{flipped, flipped_text, headers, keys};
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const WEBHOOK_ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const SENT_AT: &str = "1649367553";
    const V1: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    fn delivery(id: &str, timestamp: &str, signature: &str, body: &[u8], now: i64) -> Result<Delivery, SignatureError> {
        let headers = headers(&[(ID_HEADER, id), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)]);
        let secret = secret_bytes(SECRET).expect("a secret");
        verify(&keys(&[b"another", &secret]), &headers, body, Timestamp::from_unix_seconds(now))
    }

    fn at_its_time(id: &str, timestamp: &str, signature: &str, body: &[u8]) -> Result<Delivery, SignatureError> {
        delivery(id, timestamp, signature, body, 1_649_367_553)
    }

    /// Source: the tests of <https://github.com/standard-webhooks/standard-webhooks>, `libraries/rust`.
    #[test]
    fn only_the_signature_of_the_published_example_is_accepted() {
        let right = at_its_time(WEBHOOK_ID, SENT_AT, V1, BODY);
        assert_eq!(right, Ok(Delivery { caller: "holder-1".into(), id: WEBHOOK_ID.to_owned() }));
        for body in flipped(BODY) {
            assert_eq!(at_its_time(WEBHOOK_ID, SENT_AT, V1, &body), Err(SignatureError::Wrong));
        }
        for id in flipped_text(WEBHOOK_ID) {
            assert!(at_its_time(&id, SENT_AT, V1, BODY).is_err(), "{id}");
        }
        for timestamp in flipped_text(SENT_AT) {
            assert!(at_its_time(WEBHOOK_ID, &timestamp, V1, BODY).is_err(), "{timestamp}");
        }
        for signature in flipped_text(V1) {
            assert!(at_its_time(WEBHOOK_ID, SENT_AT, &signature, BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn one_valid_signature_among_several_is_enough() {
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let asymmetric = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        for list in [format!("{wrong} {V1}"), format!("{V1} {wrong}"), format!("v2,x {asymmetric} v1, {V1}")] {
            assert!(at_its_time(WEBHOOK_ID, SENT_AT, &list, BODY).is_ok(), "{list}");
        }
        assert_eq!(at_its_time(WEBHOOK_ID, SENT_AT, wrong, BODY), Err(SignatureError::Wrong));
        let flood = format!("{}{V1}", format!("{wrong} ").repeat(16));
        for list in [asymmetric, "v1,", "v0,x", "", &V1.replace("v1", "v0"), &flood] {
            assert_eq!(at_its_time(WEBHOOK_ID, SENT_AT, list, BODY), Err(SignatureError::Malformed), "{list}");
        }
    }

    #[test]
    fn svix_headers_are_accepted_but_not_mixed_with_standard_ones() {
        let now = Timestamp::from_unix_seconds(1_649_367_553);
        let secret = secret_bytes(SECRET).expect("a secret");
        let proven = |list: &[(&'static str, &str)]| verify(&keys(&[&secret]), &headers(list), BODY, now);
        let svix = [(SVIX_HEADERS[0], WEBHOOK_ID), (SVIX_HEADERS[1], SENT_AT), (SVIX_HEADERS[2], V1)];
        assert_eq!(proven(&svix).expect("proven").id, WEBHOOK_ID);
        assert!(is_signed(&headers(&svix)) && !is_signed(&headers(&svix[..2])));
        assert_eq!(proven(&[svix[0], svix[1], (SIGNATURE_HEADER, V1)]), Err(SignatureError::Malformed));
        assert_eq!(
            proven(&[(ID_HEADER, WEBHOOK_ID), (TIMESTAMP_HEADER, SENT_AT), svix[2]]),
            Err(SignatureError::Malformed)
        );
    }

    #[test]
    fn missing_headers_and_old_timestamps_are_rejected() {
        let (id, timestamp, signature) = ((ID_HEADER, WEBHOOK_ID), (TIMESTAMP_HEADER, SENT_AT), (SIGNATURE_HEADER, V1));
        for (list, refusal) in [
            (vec![], SignatureError::NoSignature),
            (vec![id, timestamp], SignatureError::NoSignature),
            (vec![id, signature], SignatureError::Malformed),
            (vec![timestamp, signature], SignatureError::Malformed),
            (vec![id, id, timestamp, signature], SignatureError::Malformed),
            (vec![id, timestamp, signature, signature], SignatureError::Malformed),
        ] {
            let now = Timestamp::from_unix_seconds(1_649_367_553);
            assert_eq!(verify(&keys(&[b"x"]), &headers(&list), BODY, now), Err(refusal), "{list:?}");
        }
        assert_eq!(delivery(WEBHOOK_ID, SENT_AT, V1, BODY, 1_649_367_553 + 301), Err(SignatureError::Stale));
        assert_eq!(delivery(WEBHOOK_ID, SENT_AT, V1, BODY, 1_649_367_553 - 301), Err(SignatureError::Stale));
        for id in ["msg.1", "", &"m".repeat(257)] {
            assert_eq!(at_its_time(id, SENT_AT, V1, BODY), Err(SignatureError::Malformed), "{id}");
        }
    }

    #[test]
    fn own_signature_equals_the_published_one() {
        let secret = WebhookSecret::parse(SECRET).expect("a secret");
        let signed = secret.headers(WEBHOOK_ID, Timestamp::from_unix_seconds(1_649_367_553), BODY);
        assert_eq!(
            signed,
            [
                (ID_HEADER, WEBHOOK_ID.to_owned()),
                (TIMESTAMP_HEADER, SENT_AT.to_owned()),
                (SIGNATURE_HEADER, V1.to_owned())
            ]
        );
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
    }

    #[test]
    fn secret_has_24_to_64_bytes() {
        for bytes in [24, 64] {
            assert!(WebhookSecret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; bytes]))).is_some());
        }
        for text in ["", "whsec_", "whsec_%%%", &SECRET[6..], &format!("whsec_{}", STANDARD.encode([7; 23]))] {
            assert!(WebhookSecret::parse(text).is_none(), "{text}");
        }
    }
}
