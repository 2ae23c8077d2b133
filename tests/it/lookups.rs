//! The five lookups, against the demo company.

use defender_sandbox::{DEFENDER_AUDIENCE, Route, Service, XDR_AUDIENCE, showcase};
use serde_json::{Value, json};

use crate::client::{Ask, ids, steps, timeless, warnings};
use crate::harness::{
    ALERT, DESK_042, FALSE_ALARM, FILE, FILE_SHA1, INCIDENT, MACHINE, MERGED_INCIDENT, PHONE, QUIET_MACHINE,
    REIMAGED_MACHINE, USER, World, field,
};

#[tokio::test]
async fn an_alert_tells_all_that_defender_knows_of_it() {
    let world = World::start().await;
    let answer = world.alert(ALERT).await.answer();
    assert_eq!(answer["kind"], "alert");
    assert_eq!((&answer["input"], &answer["id"]), (&json!(ALERT), &json!(ALERT)));
    assert_eq!(answer["found"], true);
    assert_eq!((&answer["severity"], &answer["severity_id"]), (&json!("high"), &json!(4)));
    assert_eq!((&answer["status"], &answer["verdict"]), (&json!("new"), &json!("undetermined")));
    assert_eq!(answer["techniques"], json!(["T1003.001", "T1059.001", "T1547.001"]));
    assert_eq!(answer["threats"], json!(["Trojan:Win32/Grelmoor.A"]));
    assert_eq!(answer["first_seen"], "2026-11-17T09:31:02.700Z");
    assert_eq!(answer["last_seen"], "2026-11-17T09:31:48.057Z");
    assert_eq!(
        answer["summary"],
        "High alert, new: Credentials read from the memory of LSASS on desk-042.contoso.com, user CONTOSO\\dana.reyes"
    );
    let alert = &answer["alerts"][0];
    assert_eq!(alert["incident_id"], INCIDENT);
    assert_eq!(alert["device"], json!({"id": DESK_042, "name": MACHINE, "group": "Workstations"}));
    assert_eq!(alert["user"], "CONTOSO\\dana.reyes");
    assert_eq!(alert["evidence_loaded"], true);
    let types: Vec<_> = alert["evidence"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["user", "process", "process", "file", "ip", "url", "registry"]);
    assert_eq!(answer["entities"]["ips"], json!([{"address": "203.0.113.45"}]));
    assert!(alert["url"].as_str().unwrap().starts_with(&format!("https://security.microsoft.com/alerts/{ALERT}?tid=")));
    assert_eq!(answer["source"]["api"], "GET /api/alerts/{id}");
    assert!(answer.get("raw").is_none());

    let seen = &world.seen(Route::Alert)[0];
    assert_eq!((seen.method.as_str(), seen.query.as_str()), ("GET", ""));
    assert_eq!(seen.path, format!("/api/alerts/{ALERT}"));
    assert_eq!(seen.header("authorization"), Some(DEFENDER_AUDIENCE));
    assert_eq!(world.defender_calls(), 1);
}

#[tokio::test]
async fn a_machine_is_found_by_name_and_its_alerts_come_in_order() {
    let world = World::start().await;
    let answer = world.post(json!({"machine": MACHINE})).await.answer();
    assert_eq!(answer["id"], DESK_042);
    assert_eq!(answer["resolution"], json!([{"step": "machine_name_to_id", "from": MACHINE, "to": DESK_042}]));
    assert_eq!(
        ids(&answer),
        [
            ALERT,
            "da639305031725000000_-880718168",
            "da639305030987220239_1364969609",
            "da0c7e089d-5ff6-4e04-8000-17f4e35fa783_1",
            "da639293943020000000_19",
            "da639305035200000000_73827727",
        ]
    );
    assert_eq!(answer["counts"]["alerts"], 6);
    assert_eq!((&answer["counts"]["open"], &answer["counts"]["resolved"]), (&json!(4), &json!(2)));
    assert_eq!(answer["counts"]["by_severity"]["critical"], 0);
    assert_eq!(answer["counts"]["by_severity"]["medium"], 2);
    assert_eq!((&answer["severity"], &answer["severity_open"]), (&json!("high"), &json!("high")));
    assert_eq!((&answer["status"], &answer["verdict"]), (&json!("open"), &json!("true_positive")));
    assert_eq!(answer["url"], format!("https://security.microsoft.com/machines/{DESK_042}"));
    assert_eq!(
        answer["summary"],
        "Machine desk-042.contoso.com: 6 alerts, 4 open, highest high: Credentials read from the memory of LSASS"
    );
    let seen = world.sandbox.seen();
    let apis: Vec<_> = seen.iter().filter(|seen| seen.service == Service::Defender).collect();
    assert_eq!(
        apis.iter().map(|seen| seen.route).collect::<Vec<_>>(),
        [Some(Route::Machines), Some(Route::MachineAlerts)]
    );
    assert_eq!(
        apis[0].query,
        "%24filter=computerDnsName+eq+%27desk-042.contoso.com%27+or+computerDnsName+eq+%27desk-042%27"
    );
    assert_eq!((apis[1].key.as_str(), apis[1].query.as_str()), (DESK_042, ""));
}

#[tokio::test]
async fn a_machine_by_its_id_needs_one_call() {
    let world = World::start().await;
    let answer = world.post(json!({"machine": DESK_042.to_uppercase()})).await.answer();
    assert_eq!((&answer["id"], &answer["input"]), (&json!(DESK_042), &json!(DESK_042.to_uppercase())));
    assert_eq!(answer["resolution"], json!([]));
    assert_eq!(world.defender_calls(), 1);
    assert_eq!(world.seen(Route::MachineAlerts)[0].key, DESK_042);
}

#[tokio::test]
async fn short_names_and_free_text_names_lead_to_their_device() {
    let world = World::start().await;
    let short = world.post(json!({"machine": "DESK-042"})).await.answer();
    assert_eq!((&short["id"], steps(&short)), (&json!(DESK_042), vec!["machine_name_to_id"]));
    let phone = world.post(json!({"machine": PHONE})).await.answer();
    assert_eq!((&phone["found"], &phone["counts"]["alerts"]), (&json!(true), &json!(1)));
    let queries: Vec<_> = world.seen(Route::Machines).into_iter().map(|seen| seen.query).collect();
    assert_eq!(
        queries[0],
        "%24filter=computerDnsName+eq+%27DESK-042%27+or+startswith%28computerDnsName%2C%27DESK-042.%27%29"
    );
}

#[tokio::test]
async fn of_a_re_imaged_machine_the_active_record_is_taken_and_the_other_named() {
    let world = World::start().await;
    let answer = world.post(json!({"machine": REIMAGED_MACHINE})).await.answer();
    assert_eq!(answer["id"], "afcd787ac138d17c2cd036e5c010bbdc097faf0d");
    assert_eq!(warnings(&answer), ["several_devices_match"]);
    let detail = answer["warnings"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("58cc65a021ae75d859bbca5870c5d0eab728b1c3"), "{detail}");
}

#[tokio::test]
async fn a_machine_without_alerts_is_known_and_quiet() {
    let world = World::start().await;
    let answer = world.post(json!({"machine": QUIET_MACHINE})).await.answer();
    assert_eq!(
        (&answer["found"], &answer["status"], &answer["verdict"]),
        (&json!(false), &json!("none"), &json!("none"))
    );
    assert_eq!((&answer["alerts"], &answer["severity_open"]), (&json!([]), &Value::Null));
    assert_eq!(answer["summary"], "No alerts for machine desk-099.contoso.com.");
}

#[tokio::test]
async fn a_user_is_asked_for_by_the_bare_name_and_namesakes_are_told() {
    let world = World::start().await;
    for (input, step) in [(USER, "upn_to_account_name"), ("CONTOSO\\dana.reyes", "domain_to_account_name")] {
        let answer = world.post(json!({"user": input})).await.answer();
        assert_eq!((&answer["input"], &answer["id"]), (&json!(input), &json!("dana.reyes")));
        assert_eq!(answer["resolution"], json!([{"step": step, "from": input, "to": "dana.reyes"}]));
        assert_eq!(warnings(&answer), ["namesake_in_another_domain"], "{input}");
        assert!(answer["warnings"][0]["detail"].as_str().unwrap().contains("FABRIKAM"));
        assert_eq!(answer["counts"]["alerts"], 9);
        assert_eq!(answer["url"], Value::Null);
    }
    let bare = world.post(json!({"user": "dana.reyes"})).await.answer();
    assert_eq!((warnings(&bare), steps(&bare)), (vec![], vec![]));
    let asked: Vec<_> = world.seen(Route::UserAlerts).into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked, ["/api/users/dana.reyes/alerts"]);
}

#[tokio::test]
async fn a_file_is_found_by_either_hash() {
    let world = World::start().await;
    let answer = world.post(json!({"file_hash": FILE.to_uppercase()})).await.answer();
    assert_eq!(answer["id"], FILE_SHA1);
    assert_eq!(answer["resolution"], json!([{"step": "sha256_to_sha1", "from": FILE, "to": FILE_SHA1}]));
    assert_eq!(answer["counts"]["alerts"], 5);
    let devices = answer["entities"]["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2, "{devices:?}");
    let by_sha1 = world.post(json!({"file_hash": FILE_SHA1})).await.answer();
    assert_eq!((ids(&by_sha1), steps(&by_sha1)), (ids(&answer), vec![]));
    assert_eq!((world.calls(Route::File), world.calls(Route::FileAlerts)), (1, 1));
    assert_eq!(world.seen(Route::File)[0].path, format!("/api/files/{FILE}"));
}

#[tokio::test]
async fn an_incident_tells_its_own_words_and_its_alerts() {
    let world = World::start().await;
    let answer = world.post(json!({"incident_id": 3107})).await.answer();
    assert_eq!((&answer["input"], &answer["id"]), (&json!("3107"), &json!("3107")));
    assert_eq!(
        (&answer["severity"], &answer["status"], &answer["verdict"]),
        (&json!("high"), &json!("in_progress"), &json!("true_positive"))
    );
    let incident = &answer["incident"];
    assert_eq!((&incident["id"], &incident["classification"]), (&json!("3107"), &json!("TruePositive")));
    assert_eq!((incident["comments"].as_array().unwrap().len(), &incident["redirected_from"]), (2, &json!([])));
    let products: Vec<_> = answer["alerts"].as_array().unwrap().iter().map(|alert| &alert["service_source"]).collect();
    assert!(
        products.contains(&&json!("MicrosoftDefenderForEndpoint"))
            && products.iter().any(|product| **product != "MicrosoftDefenderForEndpoint")
    );
    let seen = &world.seen(Route::Incident)[0];
    assert_eq!((seen.service, seen.path.as_str()), (Service::Xdr, "/api/incidents/3107"));
    assert_eq!(seen.header("authorization"), Some(XDR_AUDIENCE));

    let closed = world.incident(FALSE_ALARM).await.answer();
    assert_eq!((&closed["status"], &closed["verdict"]), (&json!("resolved"), &json!("false_positive")));
    assert_eq!(closed["severity_open"], Value::Null);
}

#[tokio::test]
async fn get_and_post_and_the_alias_give_the_same() {
    let world = World::start().await;
    for subject in showcase() {
        let field = field(subject.kind);
        let body = json!({field: subject.value});
        let posted = timeless(world.post(body.clone()).await.answer());
        assert_eq!(timeless(world.get(&[(field, subject.value)]).await.answer()), posted, "{subject:?}");
        let alias = world.send(Ask::post("/", body.to_string())).await;
        assert_eq!(timeless(alias.answer()), posted, "{subject:?}");
        assert_eq!(posted["found"], true, "{subject:?}");
    }
}

#[tokio::test]
async fn camel_case_and_empty_fields_are_taken_as_meant() {
    let world = World::start().await;
    let body = json!({"alertId": ALERT, "machine": "", "user": null, "notFound": 200});
    assert_eq!(world.post(body).await.answer()["id"], ALERT);
    assert_eq!(world.post(json!({"incidentId": MERGED_INCIDENT})).await.answer()["id"], INCIDENT);
    assert_eq!(world.post(json!({"fileHash": FILE_SHA1})).await.answer()["id"], FILE_SHA1);
    let unknown = world.post(json!({"alert_id": ALERT, "severity": "high", "x": [1]})).await.answer();
    assert_eq!(warnings(&unknown), ["unknown_field", "unknown_field"]);
}

#[tokio::test]
async fn the_kind_of_a_value_is_worked_out() {
    let world = World::start().await;
    let portal = format!(
        "https://security.microsoft.com/incident2/{INCIDENT}/overview?tid=25278a73-d7c4-4cd4-8f81-1ef8d4e85815"
    );
    for (value, kind, expected) in [
        (json!(ALERT), "alert", vec!["detected_kind"]),
        (json!(MACHINE), "machine", vec!["detected_kind", "machine_name_to_id"]),
        (json!(USER), "user", vec!["detected_kind", "upn_to_account_name"]),
        (json!(FILE), "file", vec!["detected_kind", "sha256_to_sha1"]),
        (json!(3107), "incident", vec!["detected_kind"]),
        (json!(portal), "incident", vec!["portal_link"]),
    ] {
        let answer = world.post(json!({"value": value})).await.answer();
        assert_eq!((&answer["kind"], steps(&answer)), (&json!(kind), expected), "{value}");
        assert_eq!(answer["found"], true, "{value}");
    }
    for (value, kind, expected) in [
        ("desk-042", "machine", vec!["detected_kind", "machine_name_to_id"]),
        ("desk-042[.]contoso[.]com.", "machine", vec!["detected_kind", "machine_name_to_id"]),
        ("AzureAD\\dana.reyes@contoso.com", "user", vec!["detected_kind", "upn_to_account_name"]),
    ] {
        let answer = world.post(json!({"value": value})).await.answer();
        assert_eq!((&answer["kind"], steps(&answer)), (&json!(kind), expected), "{value}");
    }
    for value in ["${host}", "https://security.microsoft.com/settings", "999.1.1.1", "http://desk-042/"] {
        world.post(json!({"value": value})).await.problem(422, "invalid_id");
    }
}
