//! Splunk: the webhook alert action, with the first row of a search result.
//!
//! Source: <https://help.splunk.com/splunk-enterprise/alert-and-respond/alerting-manual/10.0/configure-alert-actions/use-a-webhook-alert-action>.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::extracted::ExtractedSubjects;
use super::{Description, Exchange, Integration, PayloadError, Record, Records};
use crate::auth::MemberForm;
use crate::auth::secrets::{SecretList, SecretMaker, Secrets};
use crate::auth::signature::{SignatureError, SignedRequest};
use crate::config::SplunkFields;
use crate::domain::subject::field_names::{FieldMeaning, in_one_spelling};
use crate::domain::subject::spelling::trimmed;
use crate::domain::subject::{FileHash, Kind, Question, SubjectError};

pub(super) static INTEGRATION: Integration = Integration {
    name: "Splunk",
    path: "/v1/hooks/splunk",
    description: Description {
        id: "hookSplunk",
        texts: [
            "Splunk's webhook alert action",
            "Proven by the query parameter token. The subjects stand in result, by CIM names or by SPLUNK_FIELDS.",
        ],
        media_type: "application/json",
        response: ["An answer or a problem for each subject.", "Batch"],
    },
    // Splunk waits 10 seconds.
    reply_timeout: Duration::from_millis(9500),
    secrets: SecretList {
        member: "splunk_tokens",
        sender: "splunk",
        form: MemberForm::NamedLists,
        made_by: SecretMaker::Operator,
        decode: |text| Ok(text.into()),
    },
    verify,
    challenge: &["Token realm=\"defender-enrich\""],
    requirement: "This address is for Splunk: the query parameter token has to be one of splunk_tokens of the caller \
                  secret.",
    is_probe: |_| false,
    exchange: Exchange::Records(Records {
        parse,
        secret_parameter: Some(TOKEN),
        has_delivery_ids: false,
        status: StatusCode::OK,
    }),
};

/// The query parameter with the token.
const TOKEN: &str = "token";
/// Tokens are shorter.
const MAX_TOKEN_BYTES: usize = 1024;

/// Verifies the token in the query string: the action cannot send headers.
fn verify(tokens: &Secrets, request: &SignedRequest<'_>) -> Result<Arc<str>, SignatureError> {
    let mut presented = form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == TOKEN);
    let (_, token) = presented.next().filter(|(_, token)| !token.is_empty()).ok_or(SignatureError::NoSignature)?;
    if presented.next().is_some() || token.len() > MAX_TOKEN_BYTES {
        return Err(SignatureError::Malformed);
    }
    tokens.owner(token.as_bytes())
}

/// Reads the row. A row that names no subject is an error, as the search has to be changed.
fn parse(body: &[u8], _: &HeaderMap, fields: &SplunkFields) -> Result<Record, PayloadError> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let mut body = body.ok_or(PayloadError::new("This is no body of a Splunk webhook alert action."))?;
    let row = match body.remove("result") {
        Some(Value::Object(row)) => row,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(PayloadError::new("result has to be an object: the first row of the search.")),
    };
    let subjects = subjects(&row, fields);
    if subjects.is_empty() {
        let detail =
            "result names no subject: rename a field of the search to dest, user or file_hash, or set SPLUNK_FIELDS.";
        return Err(PayloadError { pointer: Some("/result"), detail });
    }
    Ok(Record { subjects, delivery_id: None })
}

/// Extracts the subjects and unusable texts of these fields, in the order of the fields. Empty fields are ignored.
fn subjects(row: &Map<String, Value>, fields: &SplunkFields) -> ExtractedSubjects {
    let mut by_name: HashMap<String, Vec<(&str, &Value)>> = HashMap::new();
    for (name, value) in row {
        by_name.entry(in_one_spelling(name)).or_default().push((name, value));
    }
    let mut subjects = ExtractedSubjects::default();
    let mut names_a_machine = false;
    for (named, name) in fields.primary() {
        let is_filled = take(&by_name, *named, name, &mut subjects);
        names_a_machine |= is_filled && named.kind() == Some(Kind::Machine);
    }
    for (named, name) in fields.fallback() {
        names_a_machine = names_a_machine || take(&by_name, *named, name, &mut subjects);
    }
    subjects
}

/// Adds the content of a field, in any spelling of its name. Returns whether the field has content.
fn take(
    row: &HashMap<String, Vec<(&str, &Value)>>,
    named: FieldMeaning,
    name: &str,
    subjects: &mut ExtractedSubjects,
) -> bool {
    let mut is_filled = false;
    for (member, value) in row.get(&in_one_spelling(name)).into_iter().flatten() {
        for text in texts(value) {
            let text = trimmed(&text);
            // Splunk's data models fill empty fields with `unknown`.
            if !text.is_empty() && !text.eq_ignore_ascii_case("unknown") {
                is_filled = true;
                subjects.add_field(format!("/result/{member}"), named, text, question(named, text));
            }
        }
    }
    is_filled
}

/// The values of a field: one value, a list, or one per line.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::Array(values) => values.iter().filter(|value| !value.is_array()).flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Object(_) => Vec::new(),
    }
}

fn question(named: FieldMeaning, text: &str) -> Result<Question, SubjectError> {
    let text = if named == FieldMeaning::Kind(Kind::File) { digest(text) } else { text };
    Question::from_field(named, text)
}

/// Returns the best digest of a field that holds several of one file: `MD5=…,SHA1=…,SHA256=…`, as Sysmon writes them.
/// If none is supported, returns the one with the most specific error, else the whole text.
fn digest(text: &str) -> &str {
    let digests =
        text.split([',', ';', ' ']).map(|piece| piece.rsplit_once(['=', ':']).map_or(piece, |(_, digits)| digits));
    let ranked = digests.filter_map(|digits| {
        let rank = match FileHash::parse(digits) {
            // Defender's file lookup takes the SHA-1 directly.
            Ok(FileHash::Sha1(_)) => 0,
            Ok(FileHash::Sha256(_)) => 1,
            Err(SubjectError::UnsupportedHash(_)) => 2,
            Err(SubjectError::Invalid(_)) => return None,
        };
        Some((rank, digits))
    });
    ranked.min_by_key(|(rank, _)| *rank).map_or(text, |(_, digits)| digits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::extracted::tests::{subject_ids, unusable};
    use super::*;
    use crate::auth::signature::tests::{request, secrets};

    fn extracted(row: &Value, fields: &SplunkFields) -> ExtractedSubjects {
        subjects(row.as_object().expect("a row"), fields)
    }

    fn ids(row: &Value, fields: &SplunkFields) -> Vec<String> {
        subject_ids(&extracted(row, fields))
    }

    #[test]
    fn fields_of_the_common_information_model_are_read() {
        let sha1 = "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d";
        let sha256 = "ab".repeat(32);
        let row = json!({
            "_time": "1762158942",
            "Dest": "desk-042.contoso.com",
            "dvc": "DESK-042.CONTOSO.COM",
            "host": "forwarder-01",
            "src": "192.0.2.7",
            "query": "evil.example",
            "src_host": ["desk-042.contoso.com", "desk-043", "2001:db8::7"],
            "user": "CONTOSO\\dana",
            "src_user": "unknown",
            "dest_user": "-",
            "file_hash": format!("MD5={},SHA256={sha256},SHA1={sha1}", "d".repeat(32)),
            "process_hash": sha256,
            "sha1": "N/A",
            "sha256": "unknown",
            "alert_id": "da637472900382838869_1364969609",
            "incident_id": 924_565,
            "count": "8",
        });
        let right = [
            "alert da637472900382838869_1364969609".to_owned(),
            "incident 924565".to_owned(),
            "machine desk-042.contoso.com".to_owned(),
            "machine desk-043".to_owned(),
            "ip 2001:db8::7".to_owned(),
            "user dana".to_owned(),
            format!("file {sha1}"),
            format!("file {sha256}"),
            "ip 192.0.2.7".to_owned(),
            "machine evil.example".to_owned(),
        ];
        assert_eq!(ids(&row, &SplunkFields::default()), right);
        assert_eq!(unusable(&extracted(&row, &SplunkFields::default())), ["/result/dest_user=-", "/result/sha1=N/A"]);
    }

    #[test]
    fn invalid_fields_are_reported_and_empty_ones_ignored() {
        let md5 = "d".repeat(32);
        let row = json!({
            "dest": "desk-042", "dvc": "", "user": "a/b?c", "src_user": null, "dest_user": "  ",
            "file_hash": md5, "process_hash": format!("MD5={md5},IMPHASH={md5}"), "sha256": "none", "incident_id": "soon",
        });
        let subjects = extracted(&row, &SplunkFields::default());
        assert_eq!(subject_ids(&subjects), ["machine desk-042"]);
        let rest = [
            "/result/incident_id=soon",
            "/result/user=a/b?c",
            &format!("/result/file_hash={md5}"),
            "/result/sha256=none",
            "/result/process_hash=",
        ];
        let messages = unusable(&subjects);
        assert!(
            messages.iter().zip(rest).all(|(messages, right)| messages.starts_with(right))
                && messages.len() == rest.len(),
            "{messages:?}"
        );
        let errors: Vec<_> =
            subjects.items().iter().filter_map(|item| item.as_ref().err()).map(|item| &item.error).collect();
        assert!(
            matches!((errors[2], errors[4]), (SubjectError::UnsupportedHash(_), SubjectError::UnsupportedHash(_))),
            "{errors:?}"
        );
    }

    #[test]
    fn fields_of_microsofts_add_on_and_of_hunting_are_read() {
        let sha256 = "ab".repeat(32);
        for (row, right) in [
            (
                json!({"alertId": "da1_1", "incidentId": 77, "host": "forwarder-01"}),
                vec!["alert da1_1", "incident 77", "machine forwarder-01"],
            ),
            (
                json!({"computerDnsName": "desk-042.contoso.com", "host": "forwarder-01"}),
                vec!["machine desk-042.contoso.com"],
            ),
            (
                json!({"DeviceName": "desk-042", "AccountUpn": "dana@contoso.com", "SHA256": sha256}),
                vec!["machine desk-042", "user dana", &format!("file {sha256}")],
            ),
            (
                json!({"Computer": "desk-042", "Hashes": format!("MD5={},SHA256={sha256}", "d".repeat(32))}),
                vec!["machine desk-042", &format!("file {sha256}")],
            ),
            (
                json!({"userPrincipalName": "jane_fabrikam.example#EXT#@contoso.com"}),
                vec!["user jane_fabrikam.example#EXT#"],
            ),
            (json!({"dest": "DESK-042$", "src_user": "NT AUTHORITY\\SYSTEM"}), vec!["machine DESK-042", "user SYSTEM"]),
            (json!({"dest": "192.0.2.7", "host": "forwarder-01"}), vec!["ip 192.0.2.7"]),
            (
                json!({"dest_ip": "192.0.2.7", "url": "https://evil.example/x"}),
                vec!["ip 192.0.2.7", "domain evil.example"],
            ),
        ] {
            assert_eq!(ids(&row, &SplunkFields::default()), right, "{row}");
        }
    }

    #[test]
    fn sending_host_is_used_only_when_no_other_machine_is_named() {
        let fields = SplunkFields::default();
        assert_eq!(ids(&json!({"host": "desk-042", "dest": "unknown"}), &fields), ["machine desk-042"]);
        assert_eq!(ids(&json!({"host": "indexer-01", "orig_host": "desk-042"}), &fields), ["machine desk-042"]);
        assert_eq!(ids(&json!({"host": "indexer-01", "dvc": "desk-042"}), &fields), ["machine desk-042"]);
    }

    #[test]
    fn a_field_may_hold_several_values() {
        let fields = SplunkFields::default();
        for row in [
            json!({"user": ["dana", "lee", "dana", "-", "", null, 7, ["x"], {"x": 1}]}),
            json!({"user": "dana\nlee\n \n7"}),
        ] {
            assert_eq!(ids(&row, &fields), ["user dana", "user lee", "user 7"], "{row}");
        }
        let many: Vec<_> = (1..=40).map(|at| format!("desk-{at}")).collect();
        assert_eq!(ids(&json!({"dest": many}), &fields).len(), 25);
    }

    #[test]
    fn custom_mapping_replaces_the_default_fields() {
        let fields = SplunkFields::parse("machine=ComputerName,host; user=Account Name").expect("fields");
        let row = json!({"computername": "desk-042", "host": "desk-043", "dest": "desk-044", "Account Name": "dana"});
        assert_eq!(ids(&row, &fields), ["machine desk-042", "machine desk-043", "user dana"]);
    }

    #[test]
    fn row_without_subjects_is_empty_and_other_bodies_are_rejected() {
        for row in [json!({}), json!({"dest": "", "user": null, "host": "unknown", "count": "8"})] {
            assert!(extracted(&row, &SplunkFields::default()).is_empty(), "{row}");
        }
        for body in ["", "[]", "7", "{", r#"{"result":[]}"#, r#"{"result":"x"}"#, "\u{feff}{}"] {
            assert!(parse(body.as_bytes(), &HeaderMap::new(), &SplunkFields::default()).is_err(), "{body}");
        }
    }

    #[test]
    fn token_in_the_query_identifies_the_caller() {
        let verified = |query| {
            let headers = HeaderMap::new();
            let request = SignedRequest { query, ..request(&headers, b"", "2026-11-03T08:16:00Z") };
            verify(&secrets(&[b"now", b"be+fore"]), &request)
        };
        for query in ["token=now", "a=b&token=be%2Bfore", "token=be%2bfore&notify=soc"] {
            assert!(verified(query).is_ok(), "{query}");
        }
        for (query, refusal) in [
            ("", SignatureError::NoSignature),
            ("token=", SignatureError::NoSignature),
            ("Token=now", SignatureError::NoSignature),
            ("token=now&token=now", SignatureError::Malformed),
            ("token=no", SignatureError::Wrong),
            ("token=nowx", SignatureError::Wrong),
            ("token=be+fore", SignatureError::Wrong),
            (&format!("token={}", "x".repeat(1025)), SignatureError::Malformed),
        ] {
            assert_eq!(verified(query), Err(refusal), "{query}");
        }
    }
}
