//! What is not there, how much of what is there is shown, and lists that come in pages.

use serde_json::{Value, json};

use crate::client::{ids, warnings};
use crate::harness::{
    ALERT, DESK_042, FILE_SHA1, Fault, MACHINE, NO_CACHE, Route, Service, Times, USER, World, dense_alert, new_sandbox,
};

const UNKNOWN_DEVICE: &str = "00000000000000000000000000000000000000aa";

#[tokio::test]
async fn an_unknown_subject_is_404_or_on_request_200() {
    let world = World::start().await;
    for (field, value) in [
        ("alert_id", "da000000000000000000_1"),
        ("machine", UNKNOWN_DEVICE),
        ("machine", "desk-404.contoso.com"),
        ("incident_id", "404"),
    ] {
        let problem = world.post(json!({field: value})).await.problem(404, "not_found");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        let answer = world.post(json!({field: value, "not_found": 200})).await.answer();
        assert_eq!(
            (&answer["found"], &answer["alerts"], &answer["incident"]),
            (&json!(false), &json!([]), &Value::Null)
        );
        assert_eq!(answer["counts"]["alerts"], 0);
        assert!(answer["summary"].as_str().unwrap().ends_with("is not known to Defender."), "{answer}");
        assert_eq!(world.get(&[(field, value), ("not_found", "200")]).await.status, 200);
    }
}

#[tokio::test]
async fn an_unknown_user_or_file_gets_an_answer_with_a_warning() {
    let world = World::start().await;
    for (field, value) in [("user", "nobody"), ("file_hash", UNKNOWN_DEVICE), ("file_hash", &"ab".repeat(32))] {
        let answer = world.post(json!({field: value})).await.answer();
        assert_eq!((&answer["found"], warnings(&answer)), (&json!(false), vec!["unknown_or_no_alerts"]), "{value}");
        assert!(answer["summary"].as_str().unwrap().starts_with("No alerts for "), "{answer}");
    }
    assert_eq!(world.calls(Route::FileAlerts), 1, "an unknown SHA-256 has no alerts to ask for");
}

#[tokio::test]
async fn the_limit_shortens_the_list_and_never_the_counts() {
    let world = World::start().await;
    let whole = world.post(json!({"machine": MACHINE})).await.answer();
    assert_eq!(whole["truncated"], false);
    let short = world.post(json!({"machine": MACHINE, "limit": 2})).await.answer();
    assert_eq!(ids(&short), ids(&whole)[..2]);
    assert_eq!((&short["truncated"], &short["counts"]), (&json!(true), &whole["counts"]));
    assert_eq!((&short["entities"], &short["techniques"]), (&whole["entities"], &whole["techniques"]));
    assert_eq!(ids(&world.get(&[("machine", MACHINE), ("limit", "3")]).await.answer()).len(), 3);
    for limit in [json!(0), json!(501), json!(-1), json!("many"), json!(1.5)] {
        let problem = world.post(json!({"machine": MACHINE, "limit": limit})).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/limit");
    }
    assert_eq!(world.calls(Route::MachineAlerts), 1);
}

#[tokio::test]
async fn a_long_list_is_shown_in_part_and_counted_in_full() {
    let world = World::start().await;
    for number in 0..60 {
        world.put_alert(&format!("da{number:018}_1"), json!({"machineId": UNKNOWN_DEVICE}));
    }
    world.sandbox.put_machine(json!({"id": UNKNOWN_DEVICE, "computerDnsName": "desk-060.contoso.com"})).unwrap();
    let answer = world.post(json!({"machine": UNKNOWN_DEVICE})).await.answer();
    assert_eq!((ids(&answer).len(), &answer["counts"]["alerts"]), (50, &json!(60)));
    assert_eq!(answer["truncated"], true);
}

#[tokio::test]
async fn a_capped_list_of_entities_has_a_warning() {
    let world = World::start().await;
    let addresses: Vec<_> =
        (0..120).map(|number| json!({"entityType": "Ip", "ipAddress": format!("198.51.100.{number}")})).collect();
    world.put_alert("da639000000000000001_1", json!({"evidence": addresses}));
    let answer = world.alert("da639000000000000001_1").await.answer();
    assert_eq!(answer["entities"]["ips"].as_array().unwrap().len(), 100);
    assert_eq!((warnings(&answer), &answer["truncated"]), (vec!["entities_capped"], &json!(true)));
    assert_eq!(answer["alerts"][0]["evidence"].as_array().unwrap().len(), 120);
}

#[tokio::test]
async fn raw_is_what_defender_sent_byte_for_byte() {
    let world = World::start().await;
    world.sandbox.put_alert(dense_alert("da639000000000000002_1")).unwrap();
    let sent = r#"{ "id" : "da639000000000000002_1",  "odd":12345678901234567890123.50, "severity":"Low" }"#;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(sent));
    let response = world.post(json!({"alert_id": "da639000000000000002_1", "include": ["raw"]})).await;
    response.answer();
    assert!(response.text().contains(&format!("\"raw\":{sent}")), "{}", response.text());
    let without = world.alert("da639000000000000002_1").await.answer();
    assert!(without.get("raw").is_none());
    world.post(json!({"alert_id": ALERT, "include": "everything"})).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let world = World::start().await;
    let whole = world.post(json!({"machine": DESK_042})).await.answer();
    let world = World::start().await;
    world.sandbox.set_page_size(Some(2));
    let response = world.post(json!({"machine": DESK_042, "include": "raw"})).await;
    let paged = response.answer();
    assert_eq!((ids(&paged), &paged["counts"]), (ids(&whole), &whole["counts"]));
    assert_eq!(warnings(&paged), Vec::<&str>::new());
    assert_eq!(paged["raw"].as_array().unwrap().len(), 3);
    let queries: Vec<_> = world.seen(Route::MachineAlerts).into_iter().map(|seen| seen.query).collect();
    assert_eq!(queries, ["", "%24skip=2", "%24skip=4"]);
}

#[tokio::test]
async fn a_link_to_another_place_is_not_followed() {
    let elsewhere = new_sandbox().await;
    let world = World::with(&[NO_CACHE]).await;
    world.sandbox.set_page_size(Some(2));
    let other = elsewhere.origin(Service::Defender).to_owned();
    let own = world.sandbox.origin(Service::Defender).to_owned();
    let xdr = world.sandbox.origin(Service::Xdr).to_owned();
    for link in [
        format!("{other}/api/machines/{DESK_042}/alerts?$skip=2"),
        format!("{xdr}/api/incidents/3107"),
        format!("{}@{}/api/alerts", own, other.trim_start_matches("http://")),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("{own}/elsewhere"),
        "file:///etc/passwd".to_owned(),
        "//example.com/api/x".to_owned(),
        "not a link".to_owned(),
    ] {
        world.sandbox.set_next_link(Some(&link));
        world.sandbox.forget();
        let answer = world.post(json!({"machine": DESK_042})).await.answer();
        assert_eq!((warnings(&answer), ids(&answer).len()), (vec!["partial"], 2), "{link}");
        assert_eq!(world.defender_calls(), 1, "{link}");
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn a_page_that_leads_to_one_before_ends_the_list_with_a_warning() {
    for (link, count) in [("", 1), ("?$skip=1", 2)] {
        let world = World::start().await;
        world.sandbox.set_page_size(Some(1));
        let again = format!("{}/api/files/{FILE_SHA1}/alerts{link}", world.sandbox.origin(Service::Defender));
        world.sandbox.set_next_link(Some(&again));
        let answer = world.post(json!({"file_hash": FILE_SHA1})).await.answer();
        assert!(warnings(&answer).contains(&"partial"), "{answer}");
        assert_eq!(answer["counts"]["alerts"], count, "the same alert again is one alert: {link}");
        assert_eq!(world.calls(Route::FileAlerts), 2, "{link}");
    }
}

#[tokio::test]
async fn an_empty_page_with_a_foreign_link_does_not_mean_no_alerts() {
    let world = World::start().await;
    let empty = json!({"value": [], "@odata.nextLink": "https://evil.example/x"}).to_string();
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(empty));
    world.post(json!({"user": USER})).await.problem(502, "upstream_malformed");
}

#[tokio::test]
async fn a_link_that_is_not_text_leaves_its_page() {
    for link in [json!(5), json!({}), json!(["x"]), json!("")] {
        let world = World::start().await;
        let page = json!({"value": [dense_alert("da1_1")], "@odata.nextLink": link}).to_string();
        world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(page));
        let answer = world.post(json!({"user": USER})).await.answer();
        assert_eq!(answer["counts"]["alerts"], 1, "{link}: {answer}");
        assert!(warnings(&answer).contains(&"partial"), "{link}: {answer}");
        assert_eq!(world.calls(Route::UserAlerts), 1, "{link}");
    }
}

#[tokio::test]
async fn an_empty_page_before_one_that_fails_does_not_mean_no_alerts() {
    let world = World::start().await;
    let link = format!("{}/api/users/dana/alerts?$skip=1", world.sandbox.origin(Service::Defender));
    let empty = json!({"value": [], "@odata.nextLink": link}).to_string();
    for (status, told, code) in [
        (503, 503, "upstream_unavailable"),
        (403, 502, "upstream_forbidden"),
        (404, 502, "upstream_malformed"),
        (410, 502, "upstream_malformed"),
    ] {
        world.sandbox.mend();
        world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(empty.clone()));
        world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(status));
        world.post(json!({"user": "dana"})).await.problem(told, code);
    }
    world.sandbox.mend();
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(empty));
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::status(200).with_body(json!({"value": []}).to_string()));
    assert_eq!(world.post(json!({"user": "dana"})).await.answer()["found"], false, "the next page has none either");
}

#[tokio::test]
async fn evidence_that_was_not_sent_does_not_mean_none() {
    let world = World::start().await;
    let (silent, talking) = (UNKNOWN_DEVICE.to_owned(), "b".repeat(40));
    let evidence = json!([{"entityType": "Ip", "ipAddress": "192.0.2.9"}]);
    for (id, machine, evidence) in
        [("da639000000000000003_1", &silent, json!([])), ("da639000000000000003_2", &talking, evidence.clone())]
    {
        world.put_alert(id, json!({"machineId": machine, "evidence": evidence}));
        world.sandbox.put_machine(json!({"id": machine, "computerDnsName": "desk-061.contoso.com"})).unwrap();
    }
    let loaded = |answer: &Value| {
        (answer["alerts"][0]["evidence_loaded"].clone(), answer["alerts"][0]["evidence"].as_array().unwrap().len())
    };
    let by_id = world.alert("da639000000000000003_1").await.answer();
    assert_eq!(loaded(&by_id), (json!(true), 0), "by id an empty list means none");
    for machine in [&silent, &talking] {
        let listed = world.post(json!({"machine": machine})).await.answer();
        assert_eq!(loaded(&listed), (json!(false), 0), "a list leaves evidence out");
    }
    world.sandbox.set_list_evidence(true);
    let world = World::around(world.sandbox.clone(), &[]).await;
    let listed = world.post(json!({"machine": talking})).await.answer();
    assert_eq!(loaded(&listed), (json!(true), 1));
}
