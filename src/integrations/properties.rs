//! Property tests: no input panics, and no unsigned request is accepted.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;

use super::command::Command;
use super::{ALL, Exchange, ExtractedSubjects, markup, scan};
use crate::auth::CallerSecret;
use crate::auth::signature::SignedRequest;
use crate::auth::signature::tests::secrets;
use crate::config::SplunkFields;
use crate::domain::timestamp::Timestamp;

const NAMES: [&str; 8] = [
    "x-slack-signature",
    "x-slack-request-timestamp",
    "authorization",
    "x-pagerduty-signature",
    "x-webhook-id",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

fn header_values() -> impl Strategy<Value = HeaderMap> {
    let value = prop_oneof![
        "[ -~]{0,80}",
        "v[01][=,][0-9a-fA-F]{64}",
        "(v1,[A-Za-z0-9+/]{43}= ?){0,20}",
        "HMAC [A-Za-z0-9+/]{43}=",
        "[0-9]{0,20}",
        "\\PC{0,20}",
    ];
    vec((0..NAMES.len(), value), 0..12).prop_map(|list| {
        let mut headers = HeaderMap::new();
        for (at, value) in list {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(HeaderName::from_static(NAMES[at]), value);
            }
        }
        headers
    })
}

fn chat_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        "(alert|machine|user|file|incident|ip|domain|url|host|value|share|help|please)[ :=]?",
        "[<>&;|`\"'“”‘’ \n]{1,4}",
        "<(at|a href=\"|/at|https://|mailto:|@U|br/)",
        "&(amp|lt|#[0-9]{1,9}|#x[0-9a-f]{1,9});",
        "https://security\\.microsoft\\.com/(alerts|incidents)/[a-z0-9_]{1,9}",
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let name = prop_oneof!["(event|data|title|body|result|custom_fields|name|value|dest|user|event_type)", "\\PC{0,6}"];
    let leaf =
        prop_oneof![Just(serde_json::Value::Null), any::<i64>().prop_map(Into::into), chat_text().prop_map(Into::into)];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            vec((name.clone(), inner), 0..6).prop_map(|list| serde_json::Value::Object(list.into_iter().collect())),
        ]
    })
}

/// Reads a body as each integration does, and returns the largest number of subjects.
fn read(body: &[u8]) -> usize {
    let subjects = ALL.map(|integration| match &integration.exchange {
        Exchange::Chat(chat) => {
            let _ = (integration.is_probe)(body);
            let _ = (chat.parse)(body);
            0
        }
        Exchange::Records(records) => (records.parse)(body, &HeaderMap::new(), &SplunkFields::default())
            .map_or(0, |record| record.subjects.items().len()),
    });
    subjects.into_iter().max().unwrap_or_default()
}

proptest! {
    #[test]
    fn unsigned_requests_are_rejected(headers in header_values(), body in vec(any::<u8>(), 0..200), query in "\\PC{0,60}") {
        let received_at = Timestamp::from_unix_seconds(1_762_158_942);
        for integration in ALL {
            let request = SignedRequest { headers: &headers, query: &query, body: &body, received_at };
            prop_assert!((integration.verify)(&secrets(&[b"invented", b"secrets"]), &request).is_err());
        }
    }

    #[test]
    fn no_body_panics(body in vec(any::<u8>(), 0..300)) {
        read(&body);
    }

    #[test]
    fn no_document_panics_or_yields_more_than_25_subjects(body in json()) {
        let event = serde_json::json!({"event": {"event_type": "incident.triggered", "data": body}});
        for document in [&body, &event] {
            prop_assert!(read(document.to_string().as_bytes()) <= 25);
        }
        for integration in ALL {
            let _ = integration.secrets.read(&CallerSecret::of(&serde_json::json!({ integration.secrets.member: body })));
        }
    }

    #[test]
    fn no_text_panics_and_every_id_is_one_path_segment(text in chat_text()) {
        for plain in [text.clone(), markup::from_slack(&text), markup::from_teams(&text)] {
            if let Command::Ask { question, .. } = Command::parse(&plain, "/defender", "\n") {
                let id = question.subject.id().to_uppercase().replace("#EXT#", "");
                prop_assert!(!question.subject.id().is_empty() && !id.contains(['/', '\\', '?', '#', '%']), "{id:?}");
            }
        }
        let mut subjects = ExtractedSubjects::default();
        scan::scan(&text, &mut subjects);
        let _ = SplunkFields::parse(&text);
    }
}
