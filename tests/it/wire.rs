//! What has been seen of Microsoft's bodies: every oddity is read, and nothing of it is lost.

use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use crate::client::{ids, warnings};
use crate::harness::{DESK_042, World, alert_with, dense_alert};

const ID: &str = "da637472900382838869_1364969609";

/// The only alert of an answer, and the codes of its warnings.
async fn normalized(world: &World, changes: Value) -> (Value, Value) {
    world.sandbox.put_alert(alert_with(ID, changes)).unwrap();
    let answer = world.alert(ID).await.answer();
    (answer["alerts"][0].clone(), answer)
}

async fn forgetful() -> World {
    World::with(&[("CACHE_TTL_S", "0")]).await
}

#[tokio::test]
async fn times_have_from_none_to_seven_digits_and_are_cut_to_milliseconds() {
    let world = forgetful().await;
    for (sent, read) in [
        ("2026-11-03T08:15:42Z", "2026-11-03T08:15:42.000Z"),
        ("2026-11-03T08:15:42.2Z", "2026-11-03T08:15:42.200Z"),
        ("2026-11-03T08:15:42.19Z", "2026-11-03T08:15:42.190Z"),
        ("2026-11-03T08:15:42.036Z", "2026-11-03T08:15:42.036Z"),
        ("2026-11-03T08:15:42.0369Z", "2026-11-03T08:15:42.036Z"),
        ("2026-11-03T08:15:42.05231Z", "2026-11-03T08:15:42.052Z"),
        ("2026-11-03T08:15:42.052999Z", "2026-11-03T08:15:42.052Z"),
        ("2026-11-03T08:15:42.9999999Z", "2026-11-03T08:15:42.999Z"),
        ("2026-11-03T08:15:42.6133333", "2026-11-03T08:15:42.613Z"),
        ("2026-11-03T10:15:42.5+02:00", "2026-11-03T08:15:42.500Z"),
    ] {
        let (alert, answer) = normalized(&world, json!({"lastEventTime": sent})).await;
        assert_eq!((&alert["last_seen"], &answer["last_seen"]), (&json!(read), &json!(read)), "{sent}");
        assert_eq!(warnings(&answer), Vec::<&str>::new(), "{sent}");
    }
    let (alert, answer) = normalized(&world, json!({"lastEventTime": "0001-01-01T00:00:00Z"})).await;
    assert_eq!((&alert["last_seen"], warnings(&answer)), (&Value::Null, vec![]));
    let (alert, answer) = normalized(&world, json!({"lastEventTime": "yesterday"})).await;
    assert_eq!((&alert["last_seen"], &alert["extra"]["lastEventTime"]), (&Value::Null, &json!("yesterday")));
    assert_eq!(warnings(&answer), ["unknown_value"]);
}

#[tokio::test]
async fn ids_of_every_family_are_asked_for_as_they_are() {
    let world = forgetful().await;
    let long = "a".repeat(128);
    for id in [
        "da637308392288907382_-880718168",
        "636688558380765161_2136280442",
        "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1",
        "ar638180599315648136_73827727",
        "caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC",
        "fa0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",
        &long,
    ] {
        world.sandbox.put_alert(alert_with(id, json!({}))).unwrap();
        let answer = world.alert(id).await.answer();
        assert_eq!(ids(&answer), [id]);
        assert_eq!(world.seen(Route::Alert).last().unwrap().path, format!("/api/alerts/{id}"));
    }
}

#[tokio::test]
async fn dense_nulls_and_absent_members_read_the_same() {
    let world = forgetful().await;
    let (dense, _) = normalized(&world, json!({})).await;
    world.sandbox.put_alert(json!({
        "id": ID, "severity": "Low", "status": "New", "detectionSource": "WindowsDefenderAtp", "category": "Execution",
        "title": "Something ran", "description": "It should not have.", "machineId": DESK_042,
        "computerDnsName": "desk-042.contoso.com", "evidence": [], "domains": [],
        "alertCreationTime": "2026-11-03T08:15:42.036Z", "firstEventTime": "2026-11-03T08:14:00Z",
        "lastEventTime": "2026-11-03T08:14:30Z", "lastUpdateTime": "2026-11-03T08:20:00.7Z"
    })).unwrap();
    assert_eq!(world.alert(ID).await.answer()["alerts"][0], dense);
    assert_eq!(
        (&dense["assigned_to"], &dense["techniques"], &dense["comments"]),
        (&Value::Null, &json!([]), &json!([]))
    );
    world.sandbox.put_alert(json!({"id": ID})).unwrap();
    let bare = world.alert(ID).await.answer();
    assert_eq!(
        (&bare["severity"], &bare["status"], &bare["found"]),
        (&json!("unknown"), &json!("unknown"), &json!(true))
    );
    assert_eq!((warnings(&bare), &bare["alerts"][0]["device"]), (vec![], &Value::Null));
}

#[tokio::test]
async fn evidence_may_be_a_single_object_and_numbers_may_be_strings() {
    let world = forgetful().await;
    let process = json!({"entityType": "Process", "processId": "4096", "fileName": "a.exe", "parentProcessId": 812});
    let (alert, answer) = normalized(&world, json!({
        "evidence": process, "incidentId": "924565", "investigationId": 7, "mitreTechniques": "T1059.001",
        "comments": {"comment": "Seen.", "createdBy": "mira.lindqvist@contoso.com", "createTime": "2026-11-03T09:00:00Z"}
    })).await;
    assert_eq!((&alert["incident_id"], &alert["investigation_id"]), (&json!("924565"), &json!("7")));
    let item = &alert["evidence"][0];
    assert_eq!((&item["pid"], &item["parent"]["pid"], &item["name"]), (&json!(4096), &json!(812), &json!("a.exe")));
    assert_eq!(alert["techniques"], json!(["T1059.001"]));
    assert_eq!(alert["comments"][0]["created_at"], "2026-11-03T09:00:00.000Z");
    assert_eq!(warnings(&answer), Vec::<&str>::new());
}

#[tokio::test]
async fn every_type_of_evidence_has_the_members_of_its_type() {
    let world = forgetful().await;
    let (alert, answer) = normalized(&world, json!({"evidence": [
        {"entityType": "File", "fileName": "a.exe", "filePath": "C:\\A", "sha1": "1a", "sha256": null, "detectionStatus": "Prevented",
         "remediationStatus": "NotRemediated", "verdict": "NoThreatsFound", "evidenceCreationTime": "2026-11-03T08:15:42.5Z"},
        {"entityType": "User", "accountName": "dana.reyes", "domainName": "CONTOSO", "userSid": "S-1-5-21-1", "aadUserId": "x", "userPrincipalName": "dana.reyes@contoso.com"},
        {"entityType": "Ip", "ipAddress": null},
        {"entityType": "Url", "url": "https://cdn.example/a?b=c"},
        {"entityType": "Registry", "registryHive": "HKEY_LOCAL_MACHINE", "registryKey": "SOFTWARE\\A", "registryValueName": "n", "registryValue": "v", "registryValueType": "String"},
        {"entityType": "MailBox", "mailboxAddress": "dana.reyes@contoso.com", "mailboxDisplayName": "Dana"},
        {"entityType": "MailMessage", "sender": "a@contoso.example", "recipient": "dana.reyes@contoso.com", "subject": "Invoice", "deliveryAction": "Delivered"},
        {"entityType": "QuantumState", "spin": "up", "depth": 3, "nothing": null}
    ]})).await;
    let evidence = alert["evidence"].as_array().unwrap();
    assert_eq!(evidence[0]["path"], "C:\\A");
    assert_eq!(
        (&evidence[0]["detection_status"], &evidence[0]["remediation_status"], &evidence[0]["verdict"]),
        (&json!("prevented"), &json!("not_remediated"), &json!("no_threats_found"))
    );
    assert_eq!(
        (&evidence[0]["observed_at"], &evidence[0]["sha256"]),
        (&json!("2026-11-03T08:15:42.500Z"), &Value::Null)
    );
    assert_eq!(evidence[1]["upn"], "dana.reyes@contoso.com");
    assert_eq!((&evidence[2]["type"], &evidence[2]["address"]), (&json!("ip"), &Value::Null));
    assert_eq!((&evidence[4]["value_name"], &evidence[4]["value_type"]), (&json!("n"), &json!("String")));
    assert_eq!((&evidence[5]["type"], &evidence[5]["display_name"]), (&json!("mailbox"), &json!("Dana")));
    assert_eq!((&evidence[6]["type"], &evidence[6]["delivery_action"]), (&json!("mail_message"), &json!("Delivered")));
    assert_eq!(
        (&evidence[7]["type"], &evidence[7]["extra"]),
        (&json!("quantum_state"), &json!({"spin": "up", "depth": 3}))
    );
    assert!(evidence[..7].iter().all(|item| item.get("extra").is_none()), "{alert:#}");
    for (list, expected) in
        [("users", 1), ("files", 1), ("urls", 1), ("registry", 1), ("mailboxes", 1), ("mails", 1), ("other", 1)]
    {
        assert_eq!(answer["entities"][list].as_array().unwrap().len(), expected, "{list}: {answer:#}");
    }
}

#[tokio::test]
async fn words_that_nobody_knows_are_kept_and_told() {
    let world = forgetful().await;
    let (alert, answer) = normalized(&world, json!({
        "severity": "Catastrophic", "status": "Reopened", "classification": "Sideways", "determination": "Odd", "category": "Newfangled",
        "investigationState": "Dreaming"
    })).await;
    assert_eq!((&alert["severity"], &alert["severity_id"]), (&json!("other"), &json!(99)));
    assert_eq!((&alert["status"], &alert["verdict"]), (&json!("other"), &json!("other")));
    assert_eq!((&alert["classification"], &alert["determination"]), (&json!("Sideways"), &json!("Odd")));
    assert_eq!((&alert["category"], &alert["investigation_state"]), (&json!("Newfangled"), &json!("Dreaming")));
    let told = answer["warnings"].as_array().unwrap();
    assert_eq!(told.len(), 3, "{told:?}");
    for word in ["Catastrophic", "Reopened", "Sideways"] {
        assert!(told.iter().any(|warning| warning["code"] == "unknown_value" && warning["detail"].as_str().unwrap().contains(word)), "{word}: {told:?}");
    }
}

#[tokio::test]
async fn known_words_are_normalized() {
    let world = forgetful().await;
    for (sent, severity, id) in [
        ("UnSpecified", "unknown", 0),
        ("Informational", "informational", 1),
        ("Low", "low", 2),
        ("Medium", "medium", 3),
        ("High", "high", 4),
        ("Critical", "critical", 5),
    ] {
        let (alert, _) = normalized(&world, json!({"severity": sent})).await;
        assert_eq!((&alert["severity"], &alert["severity_id"]), (&json!(severity), &json!(id)));
    }
    for (classification, determination, verdict) in [
        (json!("TruePositive"), json!("Malware"), "true_positive"),
        (json!("FalsePositive"), json!("Clean"), "false_positive"),
        (json!("InformationalExpectedActivity"), json!("LineOfBusinessApplication"), "benign"),
        (json!("Informational, expected activity"), json!(null), "benign"),
        (json!("InformationalExpectedActivity"), json!("SecurityTesting"), "test"),
        (json!("BenignPositive"), json!(null), "benign"),
        (json!("Unknown"), json!("NotAvailable"), "undetermined"),
        (json!(null), json!(null), "undetermined"),
    ] {
        let (alert, answer) =
            normalized(&world, json!({"classification": classification, "determination": determination})).await;
        assert_eq!(
            (&alert["verdict"], &answer["verdict"]),
            (&json!(verdict), &json!(verdict)),
            "{classification} {determination}"
        );
        assert_eq!(warnings(&answer), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn the_text_null_is_no_category_and_a_family_stands_in_for_a_name() {
    let world = forgetful().await;
    let (alert, answer) = normalized(&world, json!({"category": "null", "threatFamilyName": "Grelmoor"})).await;
    assert_eq!((&alert["category"], &answer["categories"]), (&json!("null"), &json!([])));
    assert_eq!(answer["threats"], json!(["Grelmoor"]));
}

#[tokio::test]
async fn members_without_a_home_are_kept_digit_for_digit() {
    let world = forgetful().await;
    let body = format!(
        r#"{{"id":"{ID}","severity":"Low","score":1234567890123456789012345678901234567890,"ratio":1.10,"domains":[],"nested":{{"b":[1,{{"a":null}}],"html":"&copy; <b>"}},"zero":"\u200b","tags":["x"]}}"#
    );
    world.sandbox.put_alert(dense_alert(ID)).unwrap();
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(body));
    let heard = world.alert(ID).await;
    let answer = heard.answer();
    for verbatim in [
        r#""score":1234567890123456789012345678901234567890"#,
        r#""ratio":1.10"#,
        r#""domains":[]"#,
        r#""nested":{"b":[1,{"a":null}],"html":"&copy; <b>"}"#,
        r#""zero":"\u200b""#,
    ] {
        assert!(heard.text().contains(verbatim), "{verbatim}: {}", heard.text());
    }
    assert_eq!(answer["alerts"][0]["extra"]["tags"], json!(["x"]));
}

#[tokio::test]
async fn members_of_another_type_are_kept_and_told() {
    let world = forgetful().await;
    let (alert, answer) = normalized(
        &world,
        json!({
            "title": {"en": "Something"}, "mitreTechniques": {"id": "T1"}, "loggedOnUsers": "nobody", "severity": 7
        }),
    )
    .await;
    assert_eq!((&alert["title"], &alert["extra"]["title"]), (&Value::Null, &json!({"en": "Something"})));
    assert_eq!((&alert["techniques"], &alert["extra"]["mitreTechniques"]), (&json!([]), &json!({"id": "T1"})));
    assert_eq!(alert["extra"]["loggedOnUsers"], "nobody");
    assert_eq!(alert["severity"], "other");
    assert!(
        warnings(&answer).iter().all(|code| *code == "unknown_value") && warnings(&answer).len() >= 4,
        "{answer:#}"
    );
}

#[tokio::test]
async fn comments_and_words_of_another_type_are_kept_whole() {
    let world = forgetful().await;
    let comments = json!([{"comment": {"html": "<b>"}, "createdBy": "mira", "createdTime": "yesterday"}]);
    let users = json!([{"accountName": ["dana"], "domainName": "CONTOSO"}]);
    let evidence = json!([{"entityType": "File", "sha1": "1a", "detectionStatus": {"code": 7}, "verdict": 1.5}]);
    let changes = json!({"comments": comments, "loggedOnUsers": users, "evidence": evidence});
    let (alert, answer) = normalized(&world, changes).await;
    assert_eq!((&alert["extra"]["comments"], &alert["extra"]["loggedOnUsers"]), (&comments, &users));
    assert_eq!(alert["comments"][0], json!({"text": null, "author": "mira", "created_at": null}));
    assert_eq!(alert["evidence"][0]["extra"], json!({"detectionStatus": {"code": 7}, "verdict": 1.5}));
    assert!(warnings(&answer).len() >= 4, "{answer:#}");
}

#[tokio::test]
async fn empty_texts_are_absent() {
    let world = forgetful().await;
    let empty = json!({"accountName": "", "sha1": "", "fileName": "", "ipAddress": "", "url": "", "registryKey": "", "verdict": ""});
    let evidence: Vec<_> = ["User", "File", "Process", "Ip", "Url", "Registry", "MailBox", "Never Met"]
        .iter()
        .map(|kind| {
            let mut item = empty.clone();
            item["entityType"] = json!(kind);
            item
        })
        .collect();
    let (alert, answer) = normalized(&world, json!({
        "evidence": evidence, "mitreTechniques": ["", "T1105"], "category": "", "threatName": "", "assignedTo": "", "description": "",
        "relatedUser": {"userName": "", "domainName": ""}, "loggedOnUsers": [{"accountName": "", "domainName": ""}]
    })).await;
    assert_eq!(
        (&alert["techniques"], &alert["categories"], &alert["category"]),
        (&json!(["T1105"]), &json!([]), &Value::Null)
    );
    assert_eq!(
        (&alert["description"], &alert["user"], &alert["logged_on_users"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    for (list, entities) in answer["entities"].as_object().unwrap().iter().filter(|(list, _)| *list != "devices") {
        assert_eq!(*entities, json!([]), "{list}");
    }
    assert_eq!(warnings(&answer), Vec::<&str>::new());
}

#[tokio::test]
async fn one_id_twice_is_one_alert_or_two_and_a_warning() {
    let world = forgetful().await;
    let list = |second: Value| json!({"value": [alert_with(ID, json!({})), alert_with(ID, second)]}).to_string();
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(list(json!({}))));
    let equal = world.post(json!({"user": "dana.reyes"})).await.answer();
    assert_eq!((&equal["counts"]["alerts"], warnings(&equal)), (&json!(1), vec![]));
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(list(json!({"severity": "High"}))));
    let different = world.post(json!({"user": "dana.reyes"})).await.answer();
    assert_eq!((ids(&different), warnings(&different)), (vec![ID, ID], vec!["duplicate_alert_id"]));
}

#[tokio::test]
async fn attackers_text_stays_text() {
    let world = forgetful().await;
    let title = "\u{202e}exe.fdp\u{202c}\r\n\u{1b}[2J <script>alert(1)</script> @here";
    let (alert, answer) = normalized(&world, json!({"title": title, "computerDnsName": "a\u{0}b\u{2028}c"})).await;
    assert_eq!(alert["title"], title);
    let summary = answer["summary"].as_str().unwrap();
    assert!(
        !summary.chars().any(|letter| letter.is_control() || "\u{202e}\u{202c}\u{2028}".contains(letter)),
        "{summary:?}"
    );
}

#[tokio::test]
async fn evidence_of_another_type_is_not_lost() {
    let world = forgetful().await;
    let mixed = json!(["C:\\a.exe", {"entityType": "Ip", "ipAddress": "192.0.2.9"}]);
    for (evidence, left_over) in [(json!("none"), json!("none")), (json!(7), json!(7)), (mixed, json!(["C:\\a.exe"]))] {
        let (alert, answer) = normalized(&world, json!({"evidence": evidence})).await;
        assert!(warnings(&answer).contains(&"unknown_value"), "{evidence}: {answer:#}");
        assert_eq!(alert["extra"]["evidence"], left_over);
    }
}

#[tokio::test]
async fn evidence_that_is_absent_was_not_loaded_and_null_by_id_is_none() {
    let world = forgetful().await;
    let (null, _) = normalized(&world, json!({"evidence": null})).await;
    world.sandbox.put_alert(json!({"id": ID})).unwrap();
    let absent = world.alert(ID).await.answer()["alerts"][0].clone();
    for (alert, loaded) in [(absent, false), (null, true)] {
        assert_eq!((&alert["evidence"], &alert["evidence_loaded"]), (&json!([]), &json!(loaded)));
    }
}
