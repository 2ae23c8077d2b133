//! PagerDuty: V3 webhooks. PagerDuty reads only the status of a response, and redelivers for two days what it considers
//! failed. Every event with a valid signature is therefore accepted.
//!
//! Sources: <https://developer.pagerduty.com/docs/verifying-webhook-signatures>,
//! <https://developer.pagerduty.com/docs/webhooks-overview>.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::extracted::ExtractedSubjects;
use super::scan::{named_by_field, scan};
use super::{Description, Exchange, Integration, PayloadError, Record, Records};
use crate::auth::MemberForm;
use crate::auth::secrets::{SecretList, SecretMaker, Secrets};
use crate::auth::signature::{self, SignatureError, SignedRequest};
use crate::config::SplunkFields;
use crate::domain::subject::Question;

pub(super) static INTEGRATION: Integration = Integration {
    name: "PagerDuty",
    path: "/v1/hooks/pagerduty",
    description: Description {
        id: "hookPagerDuty",
        texts: [
            "A V3 webhook of PagerDuty",
            "Proven by X-PagerDuty-Signature. The subjects stand in the incident's texts. A repeated event costs nothing.",
        ],
        media_type: "application/json",
        response: ["An answer or a problem for each subject.", "Batch"],
    },
    // PagerDuty waits 5 seconds.
    reply_timeout: Duration::from_millis(4500),
    secrets: SecretList {
        member: "pagerduty_secrets",
        sender: "pagerduty",
        form: MemberForm::List,
        made_by: SecretMaker::Sender,
        decode: |text| Ok(text.into()),
    },
    verify,
    challenge: &["Signature realm=\"defender-enrich\""],
    requirement: "This address is for PagerDuty: X-PagerDuty-Signature has to be made with one of pagerduty_secrets of \
                  the caller secret, over an event whose occurred_at is at most 24 hours off.",
    is_probe: |_| false,
    exchange: Exchange::Records(Records {
        parse,
        secret_parameter: None,
        has_delivery_ids: true,
        status: StatusCode::ACCEPTED,
    }),
};

/// The longest id that is kept for deduplication. PagerDuty's ids are UUIDs, which are shorter.
const MAX_ID_BYTES: usize = 128;

/// How far `occurred_at` may be from our clock. A redelivered event keeps the time at which it occurred.
const TOLERANCE_S: u64 = 24 * 60 * 60;

/// The body of a webhook.
#[derive(Deserialize)]
struct Webhook {
    event: Event,
}

/// An event. An incident has members of many types, so they are searched as JSON.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    id: Value,
    #[serde(rename = "event_type")]
    kind: Option<String>,
    #[serde(default)]
    occurred_at: Value,
    #[serde(default)]
    data: Value,
}

/// Verifies `X-PagerDuty-Signature: v1=…,v1=…` over the body, and that the event is recent, by its own `occurred_at`:
/// the signature covers no other time.
fn verify(secrets: &Secrets, request: &SignedRequest<'_>) -> Result<Arc<str>, SignatureError> {
    let SignedRequest { headers, body, received_at, .. } = *request;
    let presented = signature::header(headers, "x-pagerduty-signature")?.ok_or(SignatureError::NoSignature)?;
    let tags = signature::tags(presented.split(','), "v1=", signature::from_hex)?;
    let signer = secrets.signer(&[body], &tags)?;
    let webhook: Option<Webhook> = serde_json::from_slice(body).ok();
    let occurred_at = webhook.as_ref().and_then(|webhook| webhook.event.occurred_at.as_str());
    signature::check_body_time(occurred_at, TOLERANCE_S, received_at)?;
    Ok(signer)
}

/// Reads an event. Its own id, which is signed, and `X-Webhook-Id`, which is not, identify the delivery together.
fn parse(body: &[u8], headers: &HeaderMap, _: &SplunkFields) -> Result<Record, PayloadError> {
    let no_event = PayloadError::new("This is no event of a PagerDuty V3 webhook.");
    let Webhook { event } = serde_json::from_slice(body).map_err(|_| no_event)?;
    let kind = event.kind.ok_or(no_event)?;
    let data = event.data.as_object().cloned().unwrap_or_default();
    let subjects = if kind.starts_with("incident.") { subjects(&data) } else { ExtractedSubjects::default() };
    let header = signature::header(headers, "x-webhook-id").ok().flatten();
    let header = header.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    let ids: Vec<_> = [event.id.as_str(), header].into_iter().flatten().collect();
    Ok(Record { subjects, delivery_id: (!ids.is_empty()).then(|| ids.join(" ")) })
}

/// Extracts the subjects that an incident's title, details, note and custom fields name, in this order.
fn subjects(incident: &Map<String, Value>) -> ExtractedSubjects {
    let mut subjects = ExtractedSubjects::default();
    // Notes and changes of fields refer to their incident.
    let referred = || incident.get("incident").and_then(|incident| incident.get("summary"));
    let title = incident.get("title").or_else(referred).and_then(Value::as_str);
    scan(title.unwrap_or_default(), &mut subjects);
    for name in ["description", "body", "details", "urgency_details", "content", "message"] {
        scan_all("", incident.get(name).unwrap_or(&Value::Null), &mut subjects);
    }
    let fields = incident.get("custom_fields").and_then(Value::as_array);
    for field in fields.into_iter().flatten() {
        let name = field.get("display_name").or_else(|| field.get("name")).and_then(Value::as_str);
        scan_field(name.unwrap_or_default(), field.get("value").unwrap_or(&Value::Null), &mut subjects);
    }
    subjects
}

/// Scans a custom field. If the field's name implies a kind, a text that is not a valid subject is reported.
fn scan_field(name: &str, value: &Value, subjects: &mut ExtractedSubjects) {
    scan_all(name, value, subjects);
    let Some(named) = named_by_field(name) else { return };
    let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for text in texts.iter().filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()) {
        if let Err(error) = Question::from_field(named, text) {
            subjects.add_field("/event/data/custom_fields".to_owned(), named, text, Err(error));
        }
    }
}

/// Scans every text in a value, together with its member name.
fn scan_all(name: &str, value: &Value, subjects: &mut ExtractedSubjects) {
    match value {
        Value::String(text) if name.is_empty() => scan(text, subjects),
        Value::String(text) => scan(&format!("{name}: {text}"), subjects),
        Value::Number(number) => scan(&format!("{name}: {number}"), subjects),
        Value::Array(values) => values.iter().for_each(|value| scan_all(name, value, subjects)),
        Value::Object(members) => members.iter().for_each(|(name, value)| scan_all(name, value, subjects)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::extracted::tests::{subject_ids, unusable};
    use super::*;
    use crate::auth::signature::tests::{flipped, flipped_text, headers, request, secrets};

    const BODY: &[u8] = br#"{"event":{"event_type":"pagey.ping","occurred_at":"2026-11-03T08:15:42.036Z","data":{"message":"Hello","type":"ping"}}}"#;
    /// Computed with Python's `hmac`, independently of the code under test; the secret is `invented-secret`.
    const SIGNATURE: &str = "v1=f1f582d850a8ff34311e47ecc3790f032899731073acae36f154a559afc6d3c2";
    const SECRET: &[u8] = b"invented-secret";

    fn verified(signature: &str, body: &[u8], received_at: &str) -> Result<(), SignatureError> {
        let headers = headers(&[("x-pagerduty-signature", signature)]);
        verify(&secrets(&[b"another", SECRET]), &request(&headers, body, received_at)).map(drop)
    }

    fn in_time(signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        verified(signature, body, "2026-11-03T08:16:00Z")
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
            assert_eq!(verified(SIGNATURE, BODY, time), outcome, "{time}");
        }
        for occurred_at in
            ["", r#","occurred_at":null"#, r#","occurred_at":"yesterday""#, r#","occurred_at":1762158942"#]
        {
            let body = format!(r#"{{"event":{{"event_type":"pagey.ping"{occurred_at}}}}}"#);
            assert_eq!(in_time(&signed(body.as_bytes()), body.as_bytes()), Err(SignatureError::Untimed), "{body}");
        }
    }

    #[test]
    fn only_the_signature_over_the_body_is_accepted() {
        assert_eq!(in_time(SIGNATURE, BODY), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(in_time(SIGNATURE, &body), Err(SignatureError::Wrong));
        }
        for signature in flipped_text(SIGNATURE) {
            assert!(in_time(&signature, BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn one_valid_signature_among_several_is_enough() {
        let wrong = format!("v1={}", "0".repeat(64));
        for list in [format!("{wrong},{SIGNATURE}"), format!("{SIGNATURE}, {wrong}"), format!("v0=x,{SIGNATURE}")] {
            assert_eq!(in_time(&list, BODY), Ok(()), "{list}");
        }
        assert_eq!(in_time(&wrong, BODY), Err(SignatureError::Wrong));
        for list in ["", "v1=", "v2=x", &SIGNATURE.replace("v1", "v0")] {
            assert_eq!(in_time(list, BODY), Err(SignatureError::Malformed), "{list}");
        }
    }

    #[test]
    fn a_delivery_is_identified_by_its_header_and_its_event() {
        let delivery = |event: &str, list: &[(&'static str, &str)]| {
            let body = format!(r#"{{"event":{{"event_type":"pagey.ping"{event}}}}}"#);
            let record = parse(body.as_bytes(), &headers(list), &SplunkFields::default()).expect("an event");
            record.delivery_id
        };
        let own = ("x-webhook-id", "b6f1c9d2-3e4a-4b5c-8d6e-7f8091a2b3c4");
        assert_eq!(delivery(r#","id":"01BRB6""#, &[own]), Some(format!("01BRB6 {}", own.1)));
        assert_eq!(delivery(r#","id":"01BRB6""#, &[]).as_deref(), Some("01BRB6"));
        assert_eq!(delivery("", &[own]).as_deref(), Some(own.1));
        for list in [vec![], vec![("x-webhook-id", "")], vec![("x-webhook-id", &"x".repeat(129))], vec![own, own]] {
            assert_eq!(delivery("", &list), None);
        }
    }

    fn subjects_of(event_type: &str, data: &Value) -> ExtractedSubjects {
        let body = json!({"event": {"id": "01BRB6ZP4M6T8ZG4X6BP63ZB9O", "event_type": event_type, "data": data}});
        parse(body.to_string().as_bytes(), &HeaderMap::new(), &SplunkFields::default()).expect("an event").subjects
    }

    #[test]
    fn subjects_of_an_incident_are_extracted() {
        let triggered = subjects_of(
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
        let sha256 = format!("file {}", "ab".repeat(32));
        assert_eq!(
            subject_ids(&triggered),
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
        let subjects = subjects_of("incident.triggered", &json!({"title": "", "custom_fields": fields}));
        assert_eq!(subject_ids(&subjects), ["machine desk-042"]);
        assert_eq!(
            unusable(&subjects),
            [format!("/event/data/custom_fields={md5}"), "/event/data/custom_fields=N/A".to_owned()]
        );
    }

    #[test]
    fn notes_and_field_changes_use_the_title_of_their_incident() {
        let incident = json!({"id": "PGR0VU2", "summary": "host desk-042 is infected", "type": "incident_reference"});
        let note = json!({"incident": incident, "id": "P2LA89X", "content": "it was dana@contoso.com", "type": "incident_note"});
        let note = subjects_of("incident.annotated", &note);
        assert_eq!(subject_ids(&note), ["machine desk-042", "user dana"]);
        let fields = json!({
            "incident": incident,
            "custom_fields": [{"id": "PT1", "name": "user", "value": "lee"}],
            "changed_custom_fields": [{"id": "PT1", "name": "user", "value": "lee"}],
            "type": "incident_field_values",
        });
        let fields = subjects_of("incident.custom_field_values.updated", &fields);
        assert_eq!(subject_ids(&fields), ["machine desk-042", "user lee"]);
    }

    #[test]
    fn other_events_have_no_subjects_and_other_bodies_are_rejected() {
        let ping = parse(BODY, &HeaderMap::new(), &SplunkFields::default()).expect("an event");
        assert!(ping.subjects.is_empty());
        let service = json!({"summary": "host desk-042", "title": "host desk-042"});
        assert!(subjects_of("service.updated", &service).is_empty());
        for body in
            ["", "[]", "{}", r#"{"event":[]}"#, r#"{"event":{}}"#, r#"{"event":{"event_type":7}}"#, "{\"messages\":[]}"]
        {
            assert!(parse(body.as_bytes(), &HeaderMap::new(), &SplunkFields::default()).is_err(), "{body}");
        }
    }
}
