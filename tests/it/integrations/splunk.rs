//! Splunk's webhook alert action.

use serde_json::{Value, json};

use super::{post, splunk};
use crate::client::Request;
use crate::harness::{DESK_042, FILE_SHA1, MACHINE, World};
use crate::log::Log;

fn action(row: &Value) -> String {
    json!({
        "sid": "scheduler__admin_search__RMD5_at_1762158900_132", "search_name": "Malware on an endpoint",
        "app": "search", "owner": "admin",
        "results_link": "https://splunk.contoso.com:8000/app/search/@go?sid=1", "result": row
    })
    .to_string()
}

fn ask(row: &Value) -> Request {
    post(&splunk(), &action(row))
}

fn kinds(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().expect("results");
    results.iter().map(|item| item["enrichment"]["kind"].as_str().unwrap_or("problem")).collect()
}

#[tokio::test]
async fn the_fields_of_a_row_are_looked_up_as_a_batch() {
    let world = World::with(&[("SPLUNK_FIELDS", "machine=ComputerName")]).await;
    let mapped = world.send(ask(&json!({"ComputerName": MACHINE, "user": "dana.reyes"}))).await.answer();
    assert_eq!(kinds(&mapped), ["machine"], "a mapping of the operator replaces the known fields");
    let world = World::start().await;
    let row = json!({"dest": MACHINE, "user": ["CONTOSO\\dana.reyes", "undefined", "unknown"], "file_hash": FILE_SHA1, "host": "forwarder-01"});
    let answer = world.send(ask(&row)).await.answer();
    assert_eq!(kinds(&answer), ["machine", "user", "problem", "file"]);
    assert_eq!(answer["results"][0]["enrichment"]["id"], DESK_042);
    assert_eq!(answer["counts"], json!({"requests": 4, "ok": 3, "failed": 1}));
}

#[tokio::test]
async fn an_invalid_field_is_a_problem_among_the_items_and_named() {
    let world = World::start().await;
    let row = json!({"dest": MACHINE, "user": "a/b?c", "file_hash": "d".repeat(32), "src_user": "N/A", "dvc": ""});
    let answer = world.send(ask(&row)).await.answer();
    let told: Vec<_> = answer["results"].as_array().expect("results")[1..]
        .iter()
        .map(|item| [&item["input"], &item["problem"]["code"], &item["problem"]["errors"][0]["pointer"]])
        .collect();
    let right = [
        [json!("a/b?c"), json!("invalid_id"), json!("/result/user")],
        [json!("N/A"), json!("invalid_id"), json!("/result/src_user")],
        [json!("d".repeat(32)), json!("unsupported_hash"), json!("/result/file_hash")],
    ];
    assert_eq!(told, right.iter().map(<[Value; 3]>::each_ref).collect::<Vec<_>>());
    let alone = world.send(ask(&json!({"file_hash": "d".repeat(32)}))).await.answer();
    assert_eq!(alone["counts"], json!({"requests": 1, "ok": 0, "failed": 1}));
}

#[tokio::test]
async fn a_subject_in_the_query_is_ambiguous() {
    let world = World::start().await;
    let ask = post(&format!("{}&machine={MACHINE}", splunk()), &action(&json!({"user": "dana.reyes"})));
    let problem = world.send(ask).await.problem(422, "ambiguous_request");
    assert_eq!(problem["errors"][0]["pointer"], "?machine");
}

#[tokio::test]
async fn more_subjects_than_a_batch_holds_are_reported() {
    let world = World::start().await;
    let users: Vec<_> = (0..30).map(|number| format!("user-{number}")).collect();
    let answer = world.send(ask(&json!({"user": users}))).await.answer();
    assert_eq!(answer["counts"]["requests"], 26);
    let last = &answer["results"][25]["problem"];
    assert_eq!((&last["code"], &last["status"]), (&json!("too_many_requests_in_batch"), &json!(422)));
    assert!(last["detail"].as_str().is_some_and(|detail| detail.starts_with("5 more subjects were found")), "{last}");
}

#[tokio::test]
async fn a_row_without_subjects_and_another_body_are_rejected() {
    let world = World::start().await;
    let none = world.send(ask(&json!({"count": "8"}))).await.problem(422, "invalid_request");
    assert!(none["detail"].as_str().is_some_and(|detail| detail.contains("SPLUNK_FIELDS")), "{none}");
    world.send(post(&splunk(), "[]")).await.problem(422, "invalid_request");
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn the_token_is_neither_logged_nor_answered() {
    for json in [true, false] {
        let (log, _guard) = Log::start(json);
        let world = World::start().await;
        let mut told = String::new();
        for target in [
            splunk(),
            format!("{}&limit=3&CANARY=1", splunk()),
            format!("{}&limit=x", splunk()),
            "/v1/hooks/splunk?token=CANARY-wrong".to_owned(),
            "/v1/hooks/splunk?token=CANARY&token=CANARY".to_owned(),
            "/v1/hooks/splunk/CANARY?token=CANARY".to_owned(),
            "/v1/enrich?token=CANARY".to_owned(),
            "/healthz?token=CANARY".to_owned(),
        ] {
            told += &world.send(post(&target, &action(&json!({"user": "dana.reyes"})))).await.text();
        }
        world.send(Request::get(&splunk()).anonymous()).await.problem(405, "method_not_allowed");
        for secret in ["token=", "demo-splunk-token", "CANARY"] {
            assert!(!log.text().contains(secret), "{}", log.text());
        }
        assert!(!told.contains("demo-splunk-token") && !told.contains("CANARY-wrong"), "{told}");
        if json {
            assert_eq!(log.requests()[0]["caller"], "demo");
        }
    }
}
