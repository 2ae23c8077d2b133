//! `format=ecs`: every document is valid, and nothing is lost.

use defender_sandbox::{Fault, Route, Times, showcase};
use serde_json::{Value, json};

use super::schemas::assert_is_ecs;
use crate::harness::{ALERT, DESK_042, INCIDENT, MACHINE, QUIET_MACHINE, World, alert_with, field};

async fn documents(world: &World, field: &str, value: &str) -> Vec<Value> {
    let response = world.get(&[(field, value), ("format", "ecs")]).await;
    assert_eq!(response.header("content-type"), "application/json");
    let Value::Array(list) = response.answer() else { panic!("no list") };
    list.iter().for_each(assert_is_ecs);
    list
}

async fn document_of(changes: Value) -> Value {
    let world = World::start().await;
    world.sandbox.put_alert(alert_with("da1_1", changes)).unwrap();
    documents(&world, "alert_id", "da1_1").await.remove(0)
}

#[tokio::test]
async fn each_listed_alert_has_a_document_in_the_same_order() {
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
async fn subject_that_is_not_found_gives_an_empty_list() {
    let world = World::start().await;
    assert!(documents(&world, "machine", QUIET_MACHINE).await.is_empty());
    let allowed = world.get(&[("alert_id", "da1_1"), ("format", "ecs"), ("not_found", "200")]).await;
    assert_eq!(allowed.text(), "[]");
}

#[tokio::test]
async fn alert_fills_the_fields_of_the_schema() {
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
async fn requested_incident_is_in_each_document() {
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
async fn values_of_another_type_than_the_field_stay_in_the_vendor_fields() {
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
async fn related_user_is_not_mixed_with_another() {
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
async fn blocked_alert_is_denied() {
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
async fn url_without_a_scheme_fills_only_the_domain() {
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
async fn each_document_of_a_shortened_answer_has_a_warning() {
    let world = World::start().await;
    let long = "\"quoted\" \\ ".repeat(1600);
    let alerts: Vec<_> =
        (0..300).map(|number| alert_with(&format!("da{number:018}_1"), json!({"description": long}))).collect();
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::body(json!({"value": alerts}).to_string()));
    let response = world.post(json!({"machine": DESK_042, "format": "ecs", "limit": 500})).await;
    let documents = response.answer();
    let documents = documents.as_array().unwrap();
    assert!(!documents.is_empty() && documents.len() < 300 && response.body.len() < 5_000_000);
    for document in documents {
        assert_eq!(document["microsoft"]["defender"]["warnings"], json!(["answer_capped"]));
    }
}
