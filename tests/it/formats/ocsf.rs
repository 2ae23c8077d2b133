//! `format=ocsf` and `format=ocsf_ndjson`, through both backends.

use defender_sandbox::company::showcase::{Subject, showcase};
use serde_json::{Value, json};

use super::schemas::assert_is_ocsf;
use crate::client::{Ask, Heard};
use crate::harness::{ALERT, INCIDENT, MACHINE, NO_QUOTA, World, alert_with, field};

const BACKENDS: [&str; 2] = ["defender", "graph"];

async fn world(backend: &str) -> World {
    World::with(&[NO_QUOTA, &[("DEFENDER_BACKEND", backend), ("CACHE_TTL_S", "0")]].concat()).await
}

async fn answer_to(world: &World, question: Value) -> Heard {
    let response = Ask::post("/v1/enrich", question.to_string()).send_to(world.address).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

async fn ocsf(world: &World, field: &str, value: &str) -> Value {
    let response = answer_to(world, json!({field: value, "format": "ocsf"})).await;
    assert_eq!(response.header("content-type"), "application/json");
    response.json()
}

async fn lines(world: &World, field: &str, value: &str) -> Vec<Value> {
    let response = answer_to(world, json!({field: value, "format": "ocsf_ndjson"})).await;
    assert_eq!(response.header("content-type"), "application/x-ndjson");
    let text = response.text();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The finding of an alert with these changes.
async fn finding(changes: Value) -> Value {
    let world = world("defender").await;
    world.sandbox.put_alert(alert_with("da1_1", changes)).unwrap();
    let event = ocsf(&world, "alert_id", "da1_1").await;
    assert_is_ocsf(&event);
    event
}

#[tokio::test]
async fn every_subject_of_the_demonstration_is_valid_through_both_backends() {
    for backend in BACKENDS {
        let world = world(backend).await;
        for Subject { kind, value, .. } in showcase() {
            let document = ocsf(&world, field(kind), value).await;
            let stream = lines(&world, field(kind), value).await;
            for event in &stream {
                assert_is_ocsf(event);
            }
            match *kind {
                "alert" | "incident" => {
                    let class = if *kind == "alert" { 2004 } else { 2005 };
                    assert_eq!(document["class_uid"], class, "{backend} {value}");
                    assert_eq!(stream, [document], "{backend} {value}");
                }
                _ => {
                    assert_eq!(document["events"], json!(stream), "{backend} {value}");
                    assert_eq!(document["count"], stream.len());
                    let times = || stream.iter().filter_map(|event| event["time"].as_i64());
                    assert_eq!(document["start_time"].as_i64(), times().min());
                    assert_eq!(document["end_time"].as_i64(), times().max());
                }
            }
        }
    }
}

#[tokio::test]
async fn equal_states_give_equal_bytes() {
    for backend in BACKENDS {
        let world = world(backend).await;
        for (field, value) in [("alert_id", ALERT), ("incident_id", INCIDENT), ("machine", MACHINE)] {
            let question = json!({field: value, "format": "ocsf"});
            let (one, other) = (answer_to(&world, question.clone()).await, answer_to(&world, question).await);
            assert_eq!(one.body, other.body, "{backend} {value}");
        }
    }
}

#[tokio::test]
async fn events_agree_with_the_answer_itself() {
    for backend in BACKENDS {
        let world = world(backend).await;
        let answer = world.post(json!({"machine": MACHINE})).await.answer();
        let bundle = ocsf(&world, "machine", MACHINE).await;
        let (alerts, events) = (answer["alerts"].as_array().unwrap(), bundle["events"].as_array().unwrap());
        assert_eq!(alerts.len(), events.len());
        for (alert, event) in alerts.iter().zip(events) {
            assert_eq!(event["finding_info"]["uid"], alert["id"]);
            assert_eq!(event["severity_id"], alert["severity_id"]);
            assert_eq!(event["message"], alert["title"]);
            assert_eq!(event["finding_info"]["src_url"], alert["url"]);
            assert_eq!(event["evidences"].as_array().map_or(0, Vec::len), alert["evidence"].as_array().unwrap().len());
        }
        let answer = world.incident(INCIDENT).await.answer();
        let event = ocsf(&world, "incident_id", INCIDENT).await;
        assert_eq!(event["severity_id"], answer["severity_id"]);
        assert_eq!(event["unmapped"]["counts"]["open"], answer["counts"]["open"]);
        let findings = event["finding_info_list"].as_array().unwrap();
        assert_eq!(findings.len(), answer["alerts"].as_array().unwrap().len());
    }
}

#[tokio::test]
async fn subject_that_is_not_found_gives_no_event() {
    let world = world("defender").await;
    for (field, value) in [("alert_id", "da000000000000000000_1"), ("incident_id", "404"), ("user", "nobody")] {
        for (format, right) in [("ocsf", r#"{"events":[],"count":0}"#), ("ocsf_ndjson", "")] {
            let response = answer_to(&world, json!({field: value, "not_found": 200, "format": format})).await;
            assert_eq!(response.text(), right, "{format} {value}");
        }
    }
}

#[tokio::test]
async fn each_event_has_the_upstream_body_of_its_alert() {
    for backend in BACKENDS {
        let world = world(backend).await;
        let with_raw = |field: &str, value: &str| json!({field: value, "format": "ocsf_ndjson", "include": "raw"});
        for (field, value) in [("alert_id", ALERT), ("machine", MACHINE), ("incident_id", INCIDENT)] {
            let response = answer_to(&world, with_raw(field, value)).await;
            for event in response.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                assert_is_ocsf(&event);
                let text = event["raw_data"].as_str().unwrap_or_else(|| panic!("{backend} {value}: no raw_data"));
                assert_eq!(event["raw_data_size"], text.len());
                assert_eq!(event["raw_data_hash"]["value"].as_str().map(str::len), Some(64));
                let sent: Value = serde_json::from_str(text).unwrap();
                let id = [&sent["id"], &sent["incidentId"]].into_iter().find(|id| !id.is_null()).unwrap();
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                assert_eq!(event["metadata"]["original_event_uid"], id, "{backend} {value}");
            }
        }
    }
}

#[tokio::test]
async fn unassigned_incident_has_an_assignee_too() {
    let world = world("defender").await;
    for (assigned, status, right) in
        [(json!(null), "Active", (1, "Unassigned")), (json!("soc@contoso.com"), "Active", (2, "soc@contoso.com"))]
    {
        let record = json!({
            "incidentId": 77, "incidentName": "Quiet", "createdTime": "2026-11-03T08:16:21Z", "assignedTo": assigned,
            "status": status, "severity": "Medium", "alerts": []
        });
        world.sandbox.put_incident(record).unwrap();
        let event = ocsf(&world, "incident_id", "77").await;
        assert_is_ocsf(&event);
        assert_eq!((&event["status_id"], &event["assignee"]["name"]), (&json!(right.0), &json!(right.1)));
        assert_eq!(event["finding_info_list"][0]["uid"], "77");
        assert_eq!(event["metadata"]["profiles"], json!(["incident"]));
    }
}

#[tokio::test]
async fn unknown_words_are_captions_of_99() {
    let event =
        finding(json!({"severity": "Catastrophic", "status": "Escalated", "classification": "Contested"})).await;
    for (word, right) in [("severity", "Catastrophic"), ("status", "Escalated"), ("verdict", "Contested")] {
        assert_eq!((&event[format!("{word}_id")], &event[word]), (&json!(99), &json!(right)));
    }
}

#[tokio::test]
async fn unmapped_members_are_kept_unless_they_are_empty() {
    let event = finding(json!({
        "investigationId": 77, "investigationState": "Queued", "classification": "TruePositive", "determination": "Malware",
        "comments": [{"comment": "older", "createdTime": "2026-11-03T08:00:00Z"}, {"comment": "newer", "createdTime": "2026-11-03T09:00:00Z"}],
        "future": {"a": null, "b": [], "c": {"d": 1.50}},
        "evidence": [{"entityType": "Hologram", "shimmer": 3, "dim": null, "glow": []}]
    }))
    .await;
    let unmapped = &event["unmapped"];
    assert_eq!((&unmapped["investigation_id"], &unmapped["investigation_state"]), (&json!("77"), &json!("Queued")));
    assert_eq!((&unmapped["determination"], &event["comment"]), (&json!("Malware"), &json!("newer")));
    assert_eq!(unmapped["comments"].as_array().map(Vec::len), Some(2));
    assert_eq!(unmapped["extra"]["future"], json!({"c": {"d": 1.50}}));
    assert_eq!(event["evidences"][0]["name"], "hologram");
    assert_eq!(event["evidences"][0]["data"], json!({"type": "hologram", "extra": {"shimmer": 3}}));
}

#[tokio::test]
async fn evidence_becomes_typed_objects() {
    let event = finding(json!({
        "evidence": [
            {"entityType": "Process", "processId": 7, "fileName": "a.exe", "filePath": r"C:\Temp", "sha1": "ab",
             "processCommandLine": "a.exe -x", "parentProcessId": 1, "parentProcessFileName": "b.exe"},
            {"entityType": "Process", "processId": 99_999_999_999_i64, "fileName": "c.exe", "processCommandLine": "c.exe"},
            {"entityType": "User", "accountName": "dana", "domainName": "CONTOSO", "userSid": "S-1-5-21-1"},
            {"entityType": "Ip", "ipAddress": "192.0.2.7"},
            {"entityType": "Ip", "ipAddress": "somewhere"},
            {"entityType": "Registry", "registryHive": "HKEY_USERS", "registryKey": "Run", "registryValue": "x"},
            {"entityType": "MailMessage", "sender": "a@mail.example", "recipient": "nobody", "subject": "Hello"},
            {"entityType": "Registry", "registryHive": "HKEY_USERS", "registryKey": "Run", "registryValueName": "Start",
             "registryValue": "x"}
        ]
    }))
    .await;
    let at = |pointer: &str| event.pointer(&format!("/evidences/{pointer}")).cloned().unwrap_or_default();
    assert_eq!(at("0/process/file/path"), r"C:\Temp\a.exe");
    assert_eq!(at("0/process/parent_process/file/name"), "b.exe");
    assert_eq!((at("1/process"), at("1/file/name")), (Value::Null, json!("c.exe")));
    assert_eq!((at("1/data/pid"), at("1/data/command_line")), (json!(99_999_999_999_i64), json!("c.exe")));
    assert_eq!((at("2/user/uid"), at("3/src_endpoint/ip")), (json!("S-1-5-21-1"), json!("192.0.2.7")));
    assert_eq!((at("4/src_endpoint"), at("4/data/address")), (Value::Null, json!("somewhere")));
    assert_eq!(
        (at("5/reg_key/path"), at("5/reg_value"), at("5/data/value")),
        (json!(r"HKEY_USERS\Run"), Value::Null, json!("x"))
    );
    assert_eq!(
        (at("6/email/from"), at("6/email/to"), at("6/data/recipient")),
        (json!("a@mail.example"), Value::Null, json!("nobody"))
    );
    assert_eq!(at("7/reg_value"), json!({"name": "Start", "path": r"HKEY_USERS\Run", "data": "x"}));
}

#[tokio::test]
async fn dismissed_or_closed_finding_is_no_alert() {
    for (changes, right) in [
        (json!({}), true),
        (json!({"classification": "TruePositive"}), true),
        (json!({"status": "Resolved"}), false),
        (json!({"classification": "FalsePositive"}), false),
        (json!({"classification": "InformationalExpectedActivity", "determination": "SecurityTesting"}), false),
    ] {
        assert_eq!(finding(changes.clone()).await["is_alert"], right, "{changes}");
    }
}
