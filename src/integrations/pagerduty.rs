//! PagerDuty: the signature of a V3 webhook, and the subjects in an incident's texts.
//!
//! Sources: <https://developer.pagerduty.com/docs/verifying-webhook-signatures>,
//! <https://developer.pagerduty.com/docs/webhooks-overview>.

use std::sync::Arc;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::PayloadError;
use super::found::ExtractedSubjects;
use super::scan::{named_by_field, scan};
use super::signature::{self, SignatureError, SigningKeys};
use crate::domain::subject::Question;
use crate::domain::timestamp::Timestamp;

/// The longest id that is kept for deduplication. PagerDuty's ids are UUIDs, which are shorter.
const MAX_ID_BYTES: usize = 128;

/// How far `occurred_at` may be from our clock. A redelivered event keeps the time at which it occurred.
const TOLERANCE_S: u64 = 24 * 60 * 60;

/// Verifies that PagerDuty signed this body, by `X-PagerDuty-Signature: v1=…,v1=…`, and that the event is recent, by
/// its own `occurred_at`: the signature covers no other time.
pub fn verify(
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Arc<str>, SignatureError> {
    let presented = signature::header(headers, "x-pagerduty-signature")?.ok_or(SignatureError::NoSignature)?;
    let tags = signature::tags(presented.split(','), "v1=", signature::from_hex)?;
    let signer = keys.signer(&[body], &tags)?;
    signature::check_time(occurred_at(body).as_deref(), TOLERANCE_S, now)?;
    Ok(signer)
}

/// Reads the `occurred_at` of an event.
fn occurred_at(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Timed {
        event: Event,
    }
    #[derive(Deserialize)]
    struct Event {
        occurred_at: Option<String>,
    }
    serde_json::from_slice::<Timed>(body).ok()?.event.occurred_at
}

/// Returns `X-Webhook-Id`, which is the same in every delivery of a webhook. It is not signed; [`Event::id`] is.
pub fn webhook_id(headers: &HeaderMap) -> Option<&str> {
    let id = signature::header(headers, "x-webhook-id").ok()?;
    id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))
}

/// A PagerDuty event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's id, the same in every delivery.
    pub id: Option<String>,
    /// The event's type, such as `incident.triggered`.
    pub event_type: String,
    data: Map<String, Value>,
}

impl Event {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, PayloadError> {
        let no_event = PayloadError("This is no event of a PagerDuty V3 webhook.");
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| no_event)?;
        let event = body.get("event").and_then(Value::as_object).ok_or(no_event)?;
        let text = |name| event.get(name).and_then(Value::as_str).map(str::to_owned);
        let data = event.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self { id: text("id"), event_type: text("event_type").ok_or(no_event)?, data })
    }

    /// Whether this is the test event that PagerDuty sends when a webhook is set up.
    pub fn is_ping(&self) -> bool {
        self.event_type == "pagey.ping"
    }

    /// The title of the event's incident.
    pub fn title(&self) -> Option<&str> {
        let referred = || self.data.get("incident").and_then(|incident| incident.get("summary"));
        self.data.get("title").or_else(referred).and_then(Value::as_str)
    }

    /// Extracts the subjects that the incident's title, details, note and custom fields name, in this order. Only
    /// events about incidents have subjects.
    pub fn subjects(&self) -> ExtractedSubjects {
        let mut found = ExtractedSubjects::default();
        if self.event_type.starts_with("incident.") {
            scan(self.title().unwrap_or_default(), &mut found);
            for name in ["description", "body", "details", "urgency_details", "content", "message"] {
                scan_all("", self.data.get(name).unwrap_or(&Value::Null), &mut found);
            }
            let fields = self.data.get("custom_fields").and_then(Value::as_array);
            for field in fields.into_iter().flatten() {
                let name = field.get("display_name").or_else(|| field.get("name")).and_then(Value::as_str);
                scan_field(name.unwrap_or_default(), field.get("value").unwrap_or(&Value::Null), &mut found);
            }
        }
        found
    }
}

/// Scans a custom field. If the field's name implies a kind, a text that is not a valid subject is reported.
fn scan_field(name: &str, value: &Value, found: &mut ExtractedSubjects) {
    scan_all(name, value, found);
    let Some(named) = named_by_field(name) else { return };
    let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for text in texts.iter().filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()) {
        if let Err(error) = Question::from_field(named, text) {
            found.add_field(name, named, text, Err(error));
        }
    }
}

/// Scans every text in a value, together with its member name.
fn scan_all(name: &str, value: &Value, found: &mut ExtractedSubjects) {
    match value {
        Value::String(text) if name.is_empty() => scan(text, found),
        Value::String(text) => scan(&format!("{name}: {text}"), found),
        Value::Number(number) => scan(&format!("{name}: {number}"), found),
        Value::Array(values) => values.iter().for_each(|value| scan_all(name, value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| scan_all(name, value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::found::tests::{subject_ids, unusable};
    use super::super::signature::tests::{flipped, flipped_text, headers, keys};
    use super::*;

    const BODY: &[u8] = br#"{"event":{"event_type":"pagey.ping","occurred_at":"2026-11-03T08:15:42.036Z","data":{"message":"Hello","type":"ping"}}}"#;
    /// Computed with Python's `hmac`, independently of the code under test; the secret is `invented-secret`.
    const SIGNATURE: &str = "v1=f1f582d850a8ff34311e47ecc3790f032899731073acae36f154a559afc6d3c2";
    const SECRET: &[u8] = b"invented-secret";

    fn proven_at(time: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        let headers = headers(&[("x-pagerduty-signature", signature)]);
        verify(&keys(&[b"another", SECRET]), &headers, body, Timestamp::parse(time).expect("a time")).map(drop)
    }

    fn proven(signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        proven_at("2026-11-03T08:16:00Z", signature, body)
    }

    /// The header that PagerDuty sends with a body.
    fn signed(body: &[u8]) -> String {
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET), body);
        format!("v1={}", hex::encode(tag))
    }

    #[test]
    fn event_is_valid_for_a_day_by_its_own_time() {
        for (time, outcome) in [
            ("2026-11-02T08:15:42Z", Ok(())),
            ("2026-11-04T08:15:42Z", Ok(())),
            ("2026-11-04T08:15:43Z", Err(SignatureError::Stale)),
            ("2026-11-02T08:15:41Z", Err(SignatureError::Stale)),
            ("2027-03-03T08:15:42Z", Err(SignatureError::Stale)),
        ] {
            assert_eq!(proven_at(time, SIGNATURE, BODY), outcome, "{time}");
        }
        for occurred_at in
            ["", r#","occurred_at":null"#, r#","occurred_at":"yesterday""#, r#","occurred_at":1762158942"#]
        {
            let body = format!(r#"{{"event":{{"event_type":"pagey.ping"{occurred_at}}}}}"#);
            assert_eq!(proven(&signed(body.as_bytes()), body.as_bytes()), Err(SignatureError::Untimed), "{body}");
        }
    }

    #[test]
    fn only_the_signature_over_the_body_is_accepted() {
        assert_eq!(proven(SIGNATURE, BODY), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(proven(SIGNATURE, &body), Err(SignatureError::Wrong));
        }
        for signature in flipped_text(SIGNATURE) {
            assert!(proven(&signature, BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn one_valid_signature_among_several_is_enough() {
        let wrong = format!("v1={}", "0".repeat(64));
        for list in [format!("{wrong},{SIGNATURE}"), format!("{SIGNATURE}, {wrong}"), format!("v0=x,{SIGNATURE}")] {
            assert_eq!(proven(&list, BODY), Ok(()), "{list}");
        }
        assert_eq!(proven(&wrong, BODY), Err(SignatureError::Wrong));
        let flood = format!("{}{SIGNATURE}", format!("{wrong},").repeat(16));
        for list in ["", "v1=", "v2=x", &SIGNATURE.replace("v1", "v0"), &flood] {
            assert_eq!(proven(list, BODY), Err(SignatureError::Malformed), "{list}");
        }
        let now = Timestamp::parse("2026-11-03T08:16:00Z").expect("a time");
        assert_eq!(verify(&keys(&[SECRET]), &headers(&[]), BODY, now), Err(SignatureError::NoSignature));
    }

    #[test]
    fn delivery_is_identified_by_its_id() {
        let id = "b6f1c9d2-3e4a-4b5c-8d6e-7f8091a2b3c4";
        assert_eq!(webhook_id(&headers(&[("x-webhook-id", id)])), Some(id));
        let long = "x".repeat(129);
        for list in [vec![], vec![("x-webhook-id", "")], vec![("x-webhook-id", long.as_str())]] {
            assert_eq!(webhook_id(&headers(&list)), None);
        }
        assert_eq!(webhook_id(&headers(&[("x-webhook-id", id), ("x-webhook-id", id)])), None);
    }

    fn event(event_type: &str, data: &Value) -> Event {
        let body = json!({"event": {
            "id": "01BRB6ZP4M6T8ZG4X6BP63ZB9O",
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2026-11-03T08:15:42.036Z",
            "agent": {"id": "PLH1HKV", "type": "user_reference", "html_url": "https://contoso.pagerduty.com/users/PLH1HKV"},
            "client": null,
            "data": data,
        }});
        Event::parse(body.to_string().as_bytes()).expect("an event")
    }

    #[test]
    fn subjects_of_an_incident_are_extracted() {
        let triggered = event(
            "incident.triggered",
            &json!({
                "id": "PGR0VU2",
                "type": "incident",
                "self": "https://api.pagerduty.com/incidents/PGR0VU2",
                "html_url": "https://contoso.pagerduty.com/incidents/PGR0VU2",
                "number": 924_565,
                "status": "triggered",
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
                "created_at": "2026-11-03T08:15:42Z",
                "title": "Defender: Mimikatz on host desk-042.contoso.com (da637472900382838869_1364969609)",
                "service": {"id": "PF9KMXH", "summary": "SOC host web-07", "type": "service_reference"},
                "assignees": [{"id": "PTUXL6G", "summary": "oncall@contoso.com", "type": "user_reference"}],
                "urgency": "high",
                "priority": {"id": "PSO75BM", "summary": "P1", "type": "priority_reference"},
                "body": {"type": "incident_body", "details": {
                    "links": ["https://security.microsoft.com/incidents/77"], "user": "CONTOSO\\dana", "count": 3
                }},
                "custom_fields": [
                    {"id": "PT1", "name": "device_name", "display_name": "Device name", "type": "field_value",
                     "data_type": "string", "field_type": "single_value", "value": "web-prod"},
                    {"id": "PT2", "name": "sha256", "value": ["ab".repeat(32), null]},
                    {"id": "PT3", "name": "impact", "value": "high"},
                ],
                "resolve_reason": null,
            }),
        );
        assert!(!triggered.is_ping());
        assert_eq!(triggered.id.as_deref(), Some("01BRB6ZP4M6T8ZG4X6BP63ZB9O"));
        let sha256 = format!("file {}", "ab".repeat(32));
        assert_eq!(
            subject_ids(&triggered.subjects()),
            [
                "machine desk-042.contoso.com",
                "alert da637472900382838869_1364969609",
                "incident 77",
                "user dana",
                "machine web-prod",
                &sha256,
            ]
        );
    }

    #[test]
    fn invalid_custom_field_of_a_known_kind_is_reported() {
        let md5 = "d".repeat(32);
        let fields = json!([
            {"name": "sha256", "value": md5},
            {"name": "device_name", "display_name": "Device name", "value": ["desk-042", "N/A", ""]},
            {"name": "user", "value": null},
            {"name": "impact", "value": "N/A"},
        ]);
        let found = event("incident.triggered", &json!({"title": "", "custom_fields": fields})).subjects();
        assert_eq!(subject_ids(&found), ["machine desk-042"]);
        assert_eq!(unusable(&found), [format!("sha256={md5}"), "Device name=N/A".to_owned()]);
    }

    #[test]
    fn notes_and_field_changes_use_the_title_of_their_incident() {
        let incident = json!({"id": "PGR0VU2", "summary": "host desk-042 is infected", "type": "incident_reference"});
        let note = json!({"incident": incident, "id": "P2LA89X", "content": "it was dana@contoso.com", "type": "incident_note"});
        let note = event("incident.annotated", &note);
        assert_eq!(note.title(), Some("host desk-042 is infected"));
        assert_eq!(subject_ids(&note.subjects()), ["machine desk-042", "user dana"]);
        let fields = json!({
            "incident": incident,
            "custom_fields": [{"id": "PT1", "name": "user", "value": "lee"}],
            "changed_custom_fields": [{"id": "PT1", "name": "user", "value": "lee"}],
            "type": "incident_field_values",
        });
        let fields = event("incident.custom_field_values.updated", &fields);
        assert_eq!(subject_ids(&fields.subjects()), ["machine desk-042", "user lee"]);
    }

    #[test]
    fn other_events_have_no_subjects_and_other_bodies_are_rejected() {
        let ping = Event::parse(BODY).expect("an event");
        assert!(ping.is_ping() && ping.subjects().is_empty());
        let service = event("service.updated", &json!({"summary": "host desk-042", "title": "host desk-042"}));
        assert!(service.subjects().is_empty());
        for body in
            ["", "[]", "{}", r#"{"event":[]}"#, r#"{"event":{}}"#, r#"{"event":{"event_type":7}}"#, "{\"messages\":[]}"]
        {
            assert!(Event::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
