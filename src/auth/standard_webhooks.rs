//! Standard Webhooks 1.0.0 with symmetric keys: verifies incoming requests, and signs outgoing ones.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use super::caller_secret::MemberForm;
use super::secrets::{SecretList, SecretMaker, Secrets};
use super::signature::{self, SignatureError, SignedRequest};
use crate::domain::timestamp::Timestamp;

/// The secrets of senders.
pub(crate) static SECRETS: SecretList = SecretList {
    member: "standard_webhook_secrets",
    sender: "standard_webhooks",
    form: MemberForm::NamedLists,
    made_by: SecretMaker::Sender,
    decode: |text| secret_bytes(text).ok_or("holds a secret that is not whsec_ and base64 of 24 to 64 bytes"),
};

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
pub(super) struct Delivery {
    /// The name of the signer.
    pub(super) caller: Arc<str>,
    /// The `webhook-id`, the same in every delivery.
    pub(super) id: String,
}

/// Whether a request carries a signature of this kind.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    [SIGNATURE_HEADER, SVIX_HEADERS[2]].into_iter().any(|name| headers.contains_key(name))
}

/// Verifies the signature, and returns the signer. [`SignatureError::NoSignature`] means that another kind of proof
/// may apply.
pub(super) fn verify(secrets: &Secrets, request: &SignedRequest<'_>) -> Result<Delivery, SignatureError> {
    let SignedRequest { headers, body, received_at, .. } = *request;
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
    signature::check_timestamp(timestamp, received_at)?;
    let caller = secrets.signer(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body], &tags)?;
    Ok(Delivery { caller, id: id.to_owned() })
}

/// Whether an id is valid. With a full stop in an id, one signature would be valid for two messages.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains('.')
}

/// The secret that signs outgoing requests.
#[derive(Clone)]
pub(crate) struct WebhookSecret(hmac::Key);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSecret {
    /// Parses `whsec_` followed by base64 of 24 to 64 bytes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        secret_bytes(text).map(|secret| Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// Returns the headers that sign a body. `id` contains no full stop, and stays the same in every attempt.
    pub(crate) fn headers(&self, id: &str, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
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
fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::{flipped, flipped_text, headers, request, secrets};
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const WEBHOOK_ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const SENT_AT: &str = "1649367553";
    const RECEIVED_AT: &str = "2022-04-07T21:39:13Z";
    const V1: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    fn verified(list: &[(&'static str, &str)], body: &[u8], received_at: &str) -> Result<Delivery, SignatureError> {
        let secret = secret_bytes(SECRET).expect("a secret");
        verify(&secrets(&[b"another", &secret]), &request(&headers(list), body, received_at))
    }

    fn in_time(id: &str, timestamp: &str, signature: &str, body: &[u8]) -> Result<Delivery, SignatureError> {
        let list = [(ID_HEADER, id), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)];
        verified(&list, body, RECEIVED_AT)
    }

    /// Source: the tests of <https://github.com/standard-webhooks/standard-webhooks>, `libraries/rust`.
    #[test]
    fn only_the_signature_of_the_published_example_is_accepted() {
        let right = in_time(WEBHOOK_ID, SENT_AT, V1, BODY);
        assert_eq!(right, Ok(Delivery { caller: "holder-1".into(), id: WEBHOOK_ID.to_owned() }));
        for body in flipped(BODY) {
            assert_eq!(in_time(WEBHOOK_ID, SENT_AT, V1, &body), Err(SignatureError::Wrong));
        }
        for id in flipped_text(WEBHOOK_ID) {
            assert!(in_time(&id, SENT_AT, V1, BODY).is_err(), "{id}");
        }
        for timestamp in flipped_text(SENT_AT) {
            assert!(in_time(WEBHOOK_ID, &timestamp, V1, BODY).is_err(), "{timestamp}");
        }
        for signature in flipped_text(V1) {
            assert!(in_time(WEBHOOK_ID, SENT_AT, &signature, BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn one_valid_signature_among_several_is_enough() {
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let asymmetric = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        for list in [format!("{wrong} {V1}"), format!("{V1} {wrong}"), format!("v2,x {asymmetric} v1, {V1}")] {
            assert!(in_time(WEBHOOK_ID, SENT_AT, &list, BODY).is_ok(), "{list}");
        }
        assert_eq!(in_time(WEBHOOK_ID, SENT_AT, wrong, BODY), Err(SignatureError::Wrong));
        for list in [asymmetric, "v1,", "v0,x", "", &V1.replace("v1", "v0")] {
            assert_eq!(in_time(WEBHOOK_ID, SENT_AT, list, BODY), Err(SignatureError::Malformed), "{list}");
        }
    }

    #[test]
    fn headers_of_one_set_are_required_and_the_sets_are_not_mixed() {
        let [id, timestamp, signature] = [(ID_HEADER, WEBHOOK_ID), (TIMESTAMP_HEADER, SENT_AT), (SIGNATURE_HEADER, V1)];
        let svix = [(SVIX_HEADERS[0], WEBHOOK_ID), (SVIX_HEADERS[1], SENT_AT), (SVIX_HEADERS[2], V1)];
        assert_eq!(verified(&svix, BODY, RECEIVED_AT).expect("verified").id, WEBHOOK_ID);
        assert!(is_signed(&headers(&svix)) && !is_signed(&headers(&svix[..2])));
        for (list, refusal) in [
            (vec![], SignatureError::NoSignature),
            (vec![id, timestamp], SignatureError::NoSignature),
            (vec![id, signature], SignatureError::Malformed),
            (vec![timestamp, signature], SignatureError::Malformed),
            (vec![id, id, timestamp, signature], SignatureError::Malformed),
            (vec![svix[0], svix[1], signature], SignatureError::Malformed),
            (vec![id, timestamp, svix[2]], SignatureError::Malformed),
            (vec![("webhook-id", "msg.1"), timestamp, signature], SignatureError::Malformed),
            (vec![("webhook-id", ""), timestamp, signature], SignatureError::Malformed),
            (vec![("webhook-id", &"m".repeat(257)), timestamp, signature], SignatureError::Malformed),
        ] {
            assert_eq!(verified(&list, BODY, RECEIVED_AT), Err(refusal), "{list:?}");
        }
        let late = verified(&[id, timestamp, signature], BODY, "2022-04-07T21:44:14Z");
        assert_eq!(late, Err(SignatureError::Stale));
    }

    #[test]
    fn own_signature_equals_the_published_one() {
        let secret = WebhookSecret::parse(SECRET).expect("a secret");
        let signed = secret.headers(WEBHOOK_ID, Timestamp::parse(RECEIVED_AT).expect("a time"), BODY);
        let published = [(ID_HEADER, WEBHOOK_ID), (TIMESTAMP_HEADER, SENT_AT), (SIGNATURE_HEADER, V1)];
        assert_eq!(signed, published.map(|(name, value)| (name, value.to_owned())));
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
