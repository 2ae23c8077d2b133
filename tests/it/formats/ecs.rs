//! Documents of the Elastic Common Schema: the right fields, of the right types, and nothing lost.

use defender_sandbox::{Fault, Route, Times, showcase};
use serde_json::{Value, json};

use crate::harness::{ALERT, DESK_042, INCIDENT, MACHINE, QUIET_MACHINE, World, alert_with, field};

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Texts,
    Date,
    Long,
    Ip,
    Ips,
}

use Type::{Date, Ip, Ips, Long, Text, Texts};

/// The fields that may be filled, with their types in ECS 8.17.0; lists where the schema says that they are.
///
/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>.
const FIELDS: &[(&str, Type)] = &[
    ("@timestamp", Date),
    ("message", Text),
    ("ecs.version", Text),
    ("event.kind", Text),
    ("event.category", Texts),
    ("event.type", Texts),
    ("event.id", Text),
    ("event.action", Text),
    ("event.provider", Text),
    ("event.severity", Long),
    ("event.created", Date),
    ("event.start", Date),
    ("event.end", Date),
    ("event.duration", Long),
    ("event.url", Text),
    ("rule.id", Text),
    ("rule.name", Text),
    ("rule.category", Text),
    ("rule.description", Text),
    ("threat.framework", Text),
    ("threat.tactic.id", Texts),
    ("threat.tactic.name", Texts),
    ("threat.tactic.reference", Texts),
    ("threat.technique.id", Texts),
    ("threat.technique.reference", Texts),
    ("threat.technique.subtechnique.id", Texts),
    ("threat.technique.subtechnique.reference", Texts),
    ("host.id", Text),
    ("host.name", Text),
    ("host.hostname", Text),
    ("user.id", Text),
    ("user.name", Text),
    ("user.domain", Text),
    ("user.email", Text),
    ("file.name", Text),
    ("file.directory", Text),
    ("file.path", Text),
    ("file.hash.md5", Text),
    ("file.hash.sha1", Text),
    ("file.hash.sha256", Text),
    ("process.pid", Long),
    ("process.name", Text),
    ("process.executable", Text),
    ("process.command_line", Text),
    ("process.start", Date),
    ("process.hash.sha1", Text),
    ("process.hash.sha256", Text),
    ("process.user.id", Text),
    ("process.user.name", Text),
    ("process.parent.pid", Long),
    ("process.parent.name", Text),
    ("process.parent.executable", Text),
    ("process.parent.start", Date),
    ("registry.hive", Text),
    ("registry.key", Text),
    ("registry.path", Text),
    ("registry.value", Text),
    ("registry.data.strings", Texts),
    ("registry.data.type", Text),
    ("url.original", Text),
    ("url.full", Text),
    ("url.scheme", Text),
    ("url.domain", Text),
    ("url.port", Long),
    ("url.path", Text),
    ("url.query", Text),
    ("url.fragment", Text),
    ("email.from.address", Texts),
    ("email.to.address", Texts),
    ("email.sender.address", Text),
    ("email.subject", Text),
    ("email.message_id", Text),
    ("email.local_id", Text),
    ("email.delivery_timestamp", Date),
    ("dns.question.name", Text),
    ("source.ip", Ip),
    ("destination.ip", Ip),
    ("observer.vendor", Text),
    ("observer.product", Text),
    ("observer.name", Text),
    ("organization.id", Text),
    ("cloud.provider", Text),
    ("cloud.account.id", Text),
    ("related.hosts", Texts),
    ("related.user", Texts),
    ("related.ip", Ips),
    ("related.hash", Texts),
];

fn is_a(value: &Value, kind: Type) -> bool {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let ip = |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
    let all = |fits: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
    match kind {
        Text => text(value),
        Texts => all(&text),
        Date => value.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()),
        Long => value.is_i64(),
        Ip => ip(value),
        Ips => all(&ip),
    }
}

/// Panics unless every field is one of the schema's, of its type, and nothing is null or empty but what is Microsoft's.
#[track_caller]
fn assert_is_ecs(document: &Value) {
    check("", document);
    for required in ["/@timestamp", "/ecs/version", "/event/kind", "/event/category", "/event/type"] {
        assert!(document.pointer(required).is_some(), "{required}: {document:#}");
    }
}

#[track_caller]
fn check(path: &str, value: &Value) {
    if path.starts_with("microsoft.") {
        return assert_is_filled(path, value);
    }
    if let Some((_, kind)) = FIELDS.iter().find(|(known, _)| *known == path) {
        assert!(is_a(value, *kind), "{path} is no {kind:?}: {value}");
        return assert_is_filled(path, value);
    }
    let Value::Object(members) = value else { panic!("{path} is no field") };
    assert!(!members.is_empty(), "{path}");
    for (name, inner) in members {
        check(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, inner);
    }
}

#[track_caller]
fn assert_is_filled(path: &str, value: &Value) {
    match value {
        _ if path.rsplit('.').next() == Some("extra") => {}
        Value::Null => panic!("{path} is null"),
        Value::Array(list) => {
            assert!(!list.is_empty(), "{path}");
            for inner in list {
                assert_is_filled(path, inner);
            }
        }
        Value::Object(members) => {
            assert!(!members.is_empty(), "{path}");
            for (name, inner) in members {
                assert_is_filled(&format!("{path}.{name}"), inner);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn documents(world: &World, field: &str, value: &str) -> Vec<Value> {
    let heard = world.get(&[(field, value), ("format", "ecs")]).await;
    assert_eq!(heard.header("content-type"), "application/json");
    let Value::Array(list) = heard.answer() else { panic!("no list") };
    list.iter().for_each(assert_is_ecs);
    list
}

async fn document_of(changes: Value) -> Value {
    let world = World::start().await;
    world.sandbox.put_alert(alert_with("da1_1", changes)).unwrap();
    documents(&world, "alert_id", "da1_1").await.remove(0)
}

#[tokio::test]
async fn there_is_a_document_for_each_listed_alert_in_its_place() {
    let world = World::start().await;
    for subject in showcase() {
        let answer = world.get(&[(field(subject.kind), subject.value)]).await.answer();
        let documents = documents(&world, field(subject.kind), subject.value).await;
        let ids: Vec<_> = documents.iter().map(|document| document["event"]["id"].as_str().unwrap()).collect();
        assert_eq!(ids, crate::client::ids(&answer), "{subject:?}");
        for (document, alert) in documents.iter().zip(answer["alerts"].as_array().unwrap()) {
            let own = &document["microsoft"]["defender"];
            assert_eq!(
                (&own["severity"], &own["status"], &own["verdict"]),
                (&alert["severity"], &alert["status"], &alert["verdict"])
            );
            assert_eq!(document["event"]["severity"], alert["severity_id"]);
            assert_eq!(own.get("extra").unwrap_or(&json!({})), &alert["extra"]);
            let evidence = alert["evidence"].as_array().unwrap().len();
            assert_eq!(own["evidence"].as_array().map_or(0, Vec::len), evidence);
        }
    }
    let two = world.get(&[("machine", MACHINE), ("format", "ecs"), ("limit", "2")]).await.answer();
    assert_eq!(two.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_found_is_an_empty_list() {
    let world = World::start().await;
    assert!(documents(&world, "machine", QUIET_MACHINE).await.is_empty());
    let allowed = world.get(&[("alert_id", "da1_1"), ("format", "ecs"), ("not_found", "200")]).await;
    assert_eq!(allowed.text(), "[]");
}

#[tokio::test]
async fn an_alert_fills_the_fields_of_the_schema() {
    let world = World::start().await;
    let document = documents(&world, "alert_id", ALERT).await.remove(0);
    for (pointer, right) in [
        ("/@timestamp", json!("2026-11-17T10:40:12.613Z")),
        ("/ecs/version", json!("8.17.0")),
        ("/event/category", json!(["intrusion_detection", "malware", "host", "process", "file"])),
        ("/event/type", json!(["info"])),
        ("/event/duration", json!(45_357_000_000_u64)),
        ("/event/severity", json!(4)),
        ("/threat/tactic/id", json!(["TA0006"])),
        ("/threat/tactic/name", json!(["Credential Access"])),
        ("/threat/technique/id", json!(["T1003", "T1059", "T1547"])),
        ("/threat/technique/subtechnique/id", json!(["T1003.001", "T1059.001", "T1547.001"])),
        ("/threat/technique/subtechnique/reference/0", json!("https://attack.mitre.org/techniques/T1003/001/")),
        ("/host/id", json!(DESK_042)),
        ("/user/email", json!("dana.reyes@contoso.com")),
        ("/file/path", json!(r"C:\ProgramData\SvcHelper\svchelper.exe")),
        ("/process/pid", json!(12_076)),
        ("/process/parent/name", json!("powershell.exe")),
        ("/registry/path", json!(r"HKCU\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\SvcHelper")),
        ("/registry/data/type", json!("REG_SZ")),
        ("/url/domain", json!("cdn.svc-updates.example")),
        ("/related/ip", json!(["203.0.113.45"])),
        ("/microsoft/defender/incident", json!({"id": INCIDENT})),
        ("/microsoft/defender/devices/0/group", json!("Workstations")),
        ("/microsoft/defender/evidence/2/name", json!("powershell.exe")),
    ] {
        assert_eq!(document.pointer(pointer), Some(&right), "{pointer}");
    }
    assert_eq!(document.get("source"), None, "Defender does not say which way the address was");
}

#[tokio::test]
async fn the_incident_that_was_asked_for_stands_in_each_document() {
    let world = World::start().await;
    let documents = documents(&world, "incident_id", INCIDENT).await;
    assert!(documents.len() > 3);
    for document in &documents {
        let incident = &document["microsoft"]["defender"]["incident"];
        assert_eq!((&incident["id"], &incident["status"]), (&json!(INCIDENT), &json!("in_progress")));
        assert_eq!(incident["tags"], json!(["Finance", "Crown jewels"]));
    }
    let mail = documents.iter().find(|document| document.get("email").is_some()).expect("a mail");
    assert!(mail["email"]["from"]["address"].is_array() && mail["email"]["subject"].is_string(), "{mail:#}");
}

#[tokio::test]
async fn what_does_not_fit_a_fields_type_stays_in_the_vendors_name_space() {
    let document = document_of(json!({
        "severity": "Catastrophic", "category": "null", "mitreTechniques": ["T1059.001", "T1059", "T9", ""],
        "firstEventTime": "2026-11-03T08:14:30Z", "lastEventTime": "2026-11-03T08:14:00Z", "lastUpdateTime": null,
        "alertCreationTime": "0001-01-01T00:00:00Z",
        "evidence": [
            {"entityType": "Ip", "ipAddress": "not an address"},
            {"entityType": "Ip", "ipAddress": "192.0.2.7:443"},
            {"entityType": "Ip", "ipAddress": "2001:DB8::7"},
            {"entityType": "Ip", "ipAddress": null},
            {"entityType": "Url", "url": "mailto:a@b.example"},
            {"entityType": "Never Met", "glow": {"dim": null, "list": []}},
        ],
    }))
    .await;
    assert_eq!(document["@timestamp"], "2026-11-03T08:14:00.000Z", "the last that was seen");
    assert_eq!(document["event"].get("severity"), None);
    assert_eq!(document["event"].get("duration"), None);
    assert_eq!(document["event"].get("action"), None);
    assert_eq!(document["threat"]["technique"]["id"], json!(["T1059", "T9"]));
    assert_eq!(document["threat"].get("tactic"), None);
    assert_eq!(document["related"]["ip"], json!(["2001:db8::7"]));
    assert_eq!(document["url"], json!({"original": "mailto:a@b.example"}));
    let own = &document["microsoft"]["defender"];
    assert_eq!((&own["severity"], &own["warnings"]), (&json!("other"), &json!(["unknown_value"])));
    assert_eq!(own["evidence"][1]["address"], "192.0.2.7:443");
    assert_eq!(own["evidence"][5], json!({"type": "never_met", "extra": {"glow": {"dim": null, "list": []}}}));
}

#[tokio::test]
async fn a_related_user_is_not_mixed_with_another() {
    let user = |name: &str, sid: &str| json!({"entityType": "User", "accountName": name, "domainName": "CONTOSO", "userSid": sid});
    let evidence = json!([user("omar.haddad", "S-1-5-21-7-1"), user("Dana.Reyes", "S-1-5-21-7-2")]);
    let related = json!({"userName": "dana.reyes", "domainName": "CONTOSO"});
    let document = document_of(json!({"relatedUser": related, "evidence": evidence})).await;
    assert_eq!(document["user"], json!({"name": "dana.reyes", "domain": "CONTOSO", "id": "S-1-5-21-7-2"}));
    let other = json!({"userName": "mira.lindqvist", "domainName": "CONTOSO"});
    let document = document_of(json!({"relatedUser": other, "evidence": evidence})).await;
    assert_eq!(document["user"], json!({"name": "mira.lindqvist", "domain": "CONTOSO"}));
    let document = document_of(json!({"evidence": evidence})).await;
    assert_eq!(document["user"], json!({"name": "omar.haddad", "domain": "CONTOSO", "id": "S-1-5-21-7-1"}));
    assert_eq!(document["related"]["user"], json!(["omar.haddad", "S-1-5-21-7-1", "Dana.Reyes", "S-1-5-21-7-2"]));
}

#[tokio::test]
async fn what_was_stopped_is_denied() {
    let file = |status: &str| json!({"entityType": "File", "fileName": "a.exe", "filePath": "/tmp", "detectionStatus": status});
    for (statuses, types) in [
        (["Blocked", "Prevented"], json!(["info", "denied"])),
        (["Blocked", "Detected"], json!(["info"])),
        (["", ""], json!(["info"])),
    ] {
        let document = document_of(json!({"evidence": statuses.map(file)})).await;
        assert_eq!(document["event"]["type"], types, "{statuses:?}");
        assert_eq!(document["file"], json!({"name": "a.exe", "directory": "/tmp", "path": "/tmp/a.exe"}));
    }
}

#[tokio::test]
async fn an_address_without_a_scheme_names_its_host() {
    for (url, right) in [
        ("down.example/x?y", json!({"original": "down.example/x?y", "domain": "down.example"})),
        ("file:///tmp/x", json!({"original": "file:///tmp/x"})),
        (
            "https://a.example:8443/b?c=d#e",
            json!({
                "original": "https://a.example:8443/b?c=d#e", "full": "https://a.example:8443/b?c=d#e", "scheme": "https",
                "domain": "a.example", "port": 8443, "path": "/b", "query": "c=d", "fragment": "e",
            }),
        ),
    ] {
        let document = document_of(json!({"evidence": [{"entityType": "Url", "url": url}]})).await;
        assert_eq!(document["url"], right);
    }
}

#[tokio::test]
async fn of_an_answer_that_is_too_large_each_document_says_that_there_are_fewer() {
    let world = World::start().await;
    let long = "\"quoted\" \\ ".repeat(1600);
    let alerts: Vec<_> =
        (0..300).map(|number| alert_with(&format!("da{number:018}_1"), json!({"description": long}))).collect();
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::body(json!({"value": alerts}).to_string()));
    let heard = world.post(json!({"machine": DESK_042, "format": "ecs", "limit": 500})).await;
    let documents = heard.answer();
    let documents = documents.as_array().unwrap();
    assert!(!documents.is_empty() && documents.len() < 300 && heard.body.len() < 5_000_000);
    for document in documents {
        assert_eq!(document["microsoft"]["defender"]["warnings"], json!(["answer_capped"]));
    }
}
