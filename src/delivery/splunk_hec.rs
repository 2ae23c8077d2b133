//! Splunk's HTTP Event Collector: builds events, and reads the collector's response.
//!
//! Source: <https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector>.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::timestamp::Timestamp;
use crate::formats::{BodyKind, Format};

/// The `source` of our events in Splunk's indexes.
const EVENT_SOURCE: &str = "defender-enrich";
/// The source type of a problem among several subjects.
const PROBLEM_SOURCE_TYPE: &str = "defender_enrich:problem";

/// The collector's envelope of an event.
#[derive(Serialize)]
struct Envelope<'a> {
    /// Seconds since 1970, with a fraction. Without it the collector uses its own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a RawValue>,
    source: &'static str,
    sourcetype: &'a str,
    event: &'a RawValue,
}

/// The source type of a format; `None` if the format has no events.
fn source_type(format: Format) -> Option<String> {
    format.event_type().map(|event_type| format!("defender_enrich:{event_type}"))
}

/// Builds concatenated events from a body: one per line or element, else one. The
/// result is empty if there are none.
pub(super) fn events(format: Format, body: &[u8], at: Timestamp) -> Vec<u8> {
    let mut output = Vec::with_capacity(body.len() + 128);
    if let Some(sourcetype) = source_type(format) {
        push(&mut output, &sourcetype, values(format, body), at);
    }
    output
}

/// Builds concatenated events from answers and problems.
pub(super) fn events_of_several(format: Format, items: &[Result<Vec<u8>, Vec<u8>>], at: Timestamp) -> Vec<u8> {
    let mut output = Vec::new();
    for item in items {
        match item {
            Ok(body) => output.extend(events(format, body, at)),
            Err(problem) => push(&mut output, PROBLEM_SOURCE_TYPE, values(Format::Json, problem), at),
        }
    }
    output
}

fn push(output: &mut Vec<u8>, sourcetype: &str, events: Vec<&RawValue>, at: Timestamp) {
    let milliseconds = at.unix_milliseconds();
    let seconds = format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    let time = RawValue::from_string(seconds).ok();
    for event in events {
        let event = Envelope { time: time.as_deref(), source: EVENT_SOURCE, sourcetype, event };
        // Serialization cannot fail: the envelope holds strings, a number, and a body that is valid JSON.
        output.extend(serde_json::to_vec(&event).unwrap_or_default());
    }
}

fn values(format: Format, body: &[u8]) -> Vec<&RawValue> {
    if format.body_kind() == BodyKind::JsonArray {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        serde_json::Deserializer::from_slice(body).into_iter().map_while(Result::ok).collect()
    }
}

/// Whether the collector accepted the events, which it confirms with `"code":0`.
pub(super) fn is_accepted(answer: &[u8]) -> bool {
    let reply: Option<Value> = serde_json::from_slice(answer).ok();
    reply.and_then(|reply| reply.get("code").map(|code| code == 0)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(format: Format, body: &str) -> Vec<Value> {
        let at = Timestamp::parse("2026-11-03T08:15:42.036Z").expect("a time");
        let events = events(format, body.as_bytes(), at);
        serde_json::Deserializer::from_slice(&events).into_iter().map(|event| event.expect("JSON")).collect()
    }

    fn event(kind: &str, event: &Value) -> Value {
        json!({"time": 1_793_693_742.036, "source": "defender-enrich", "sourcetype": kind, "event": event})
    }

    #[test]
    fn single_answer_is_one_event() {
        let body = r#"{"kind":"alert","n":12345678901234567890123}"#;
        let at = Timestamp::parse("2026-11-03T08:15:42.036Z").expect("a time");
        let text = String::from_utf8(events(Format::Json, body.as_bytes(), at)).expect("text");
        let head = r#"{"time":1793693742.036,"source":"defender-enrich","sourcetype":"defender_enrich:json","event":"#;
        assert_eq!(text, format!("{head}{body}}}"));
        let bundle = json!({"events": [], "count": 0});
        assert_eq!(sent(Format::Ocsf, &bundle.to_string()), [event("defender_enrich:ocsf", &bundle)]);
    }

    #[test]
    fn formats_with_several_documents_yield_one_event_each() {
        let (one, two) = (json!({"a": 1}), json!({"a": 2}));
        let ocsf = [event("defender_enrich:ocsf", &one), event("defender_enrich:ocsf", &two)];
        assert_eq!(sent(Format::OcsfNdjson, "{\"a\":1}\n{\"a\":2}\n"), ocsf);
        let ecs = [event("defender_enrich:ecs", &one), event("defender_enrich:ecs", &two)];
        assert_eq!(sent(Format::Ecs, r#"[{"a":1},{"a":2}]"#), ecs);
        for (format, none) in [(Format::OcsfNdjson, ""), (Format::Ecs, "[]"), (Format::Text, "text")] {
            assert!(sent(format, none).is_empty(), "{none}");
        }
    }

    #[test]
    fn each_subject_is_an_event_and_problems_have_their_own_source_type() {
        let at = Timestamp::parse("2026-11-03T08:15:42.036Z").expect("a time");
        let items = [Ok(br#"[{"a":1},{"a":2}]"#.to_vec()), Err(br#"{"status":404}"#.to_vec()), Ok(b"[]".to_vec())];
        let output = events_of_several(Format::Ecs, &items, at);
        let events: Vec<Value> =
            serde_json::Deserializer::from_slice(&output).into_iter().map(|event| event.expect("JSON")).collect();
        let right = [
            event("defender_enrich:ecs", &json!({"a": 1})),
            event("defender_enrich:ecs", &json!({"a": 2})),
            event("defender_enrich:problem", &json!({"status": 404})),
        ];
        assert_eq!(events, right);
    }

    #[test]
    fn only_code_0_means_accepted() {
        assert!(is_accepted(br#"{"text":"Success","code":0}"#));
        assert!(is_accepted(br#"{"text":"Success","code":0,"ackId":7}"#));
        for answer in [r#"{"text":"Server is busy","code":9}"#, "", "ok", "{}", "<html>", r#"{"code":"0"}"#, "[0]"] {
            assert!(!is_accepted(answer.as_bytes()), "{answer}");
        }
    }
}
