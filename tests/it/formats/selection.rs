//! How callers select a format, alone and in a batch, and what does not depend on the format.

use defender_enrich::formats::Format;
use serde_json::{Value, json};

use crate::client::{Ask, timeless, timeless_text};
use crate::harness::{ALERT, MACHINE, World};

const NAMES: &str = "json, ocsf, ocsf_ndjson, ecs, slack, teams, markdown, text";

fn request_in(format: &str) -> Ask {
    Ask::get(&format!("/v1/enrich?alert_id={ALERT}&format={format}"))
}

#[tokio::test]
async fn every_format_is_selected_by_name_and_has_its_media_type() {
    let world = World::start().await;
    for (format, media_type) in [
        ("json", "application/json"),
        ("ocsf", "application/json"),
        ("ocsf_ndjson", "application/x-ndjson"),
        ("ecs", "application/json"),
        ("slack", "application/json"),
        ("teams", "application/json"),
        ("markdown", "text/markdown; charset=utf-8"),
        ("text", "text/plain; charset=utf-8"),
    ] {
        let by_query = world.send(request_in(format)).await;
        assert_eq!((by_query.status, by_query.header("content-type")), (200, media_type), "{format}");
        let by_body = world.post(json!({"alert_id": ALERT, "format": format})).await;
        assert_eq!((by_body.status, by_body.header("content-type")), (200, media_type), "{format}");
        let beside = json!({"alert_id": ALERT}).to_string();
        let beside = world.send(Ask::post(&format!("/?format={format}"), beside)).await;
        assert_eq!((beside.status, beside.header("content-type")), (200, media_type), "{format}");
        if format != "json" {
            let text = timeless_text(&by_query.text());
            assert!(!text.is_empty(), "{format}");
            assert_eq!(
                (timeless_text(&by_body.text()), timeless_text(&beside.text())),
                (text.clone(), text),
                "{format}"
            );
        }
    }
    assert_eq!(Format::ALL.map(Format::as_str).join(", "), NAMES);
}

#[tokio::test]
async fn error_about_an_unknown_format_lists_the_formats() {
    let world = World::start().await;
    for format in [json!("yaml"), json!("JSON"), json!(" ecs"), json!(1), json!(["ecs"]), json!({})] {
        let problem = world.post(json!({"alert_id": ALERT, "format": format})).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/format");
        assert!(problem["detail"].as_str().unwrap().contains(NAMES), "{problem}");
    }
    let problem = world.send(request_in("yaml").with("accept", "text/plain")).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "?format");
    for max_chars in [json!(499), json!(30_001), json!("many"), json!(-1), json!(1.5)] {
        let body = json!({"alert_id": ALERT, "format": "markdown", "max_chars": max_chars});
        let problem = world.post(body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/max_chars");
    }
    assert_eq!(world.defender_calls(), 0);
    for max_chars in [json!(500), json!("30000"), Value::Null] {
        let response = world.post(json!({"alert_id": ALERT, "format": "markdown", "max_chars": max_chars})).await;
        assert_eq!(response.status, 200, "{max_chars}");
    }
}

#[tokio::test]
async fn accept_selects_the_format_if_the_request_names_none() {
    let world = World::start().await;
    let ask = |accept: &str| Ask::get(&format!("/v1/enrich?alert_id={ALERT}")).with("accept", accept);
    for (accept, media_type) in [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("image/png", "application/json"),
        ("nonsense", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/markdown;q=0.9, text/plain;q=0.1", "text/markdown; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
    ] {
        let response = world.send(ask(accept)).await;
        assert_eq!((response.status, response.header("content-type")), (200, media_type), "{accept}");
        let posted = Ask::post("/v1/enrich", json!({"alert_id": ALERT}).to_string()).with("accept", accept);
        assert_eq!(world.send(posted).await.header("content-type"), media_type, "{accept}");
        let named = world.send(request_in("ecs").with("accept", accept)).await;
        assert!(named.answer().is_array(), "{accept}");
    }
    let several = ask("text/html").with("accept", "text/markdown");
    assert_eq!(world.send(several).await.header("content-type"), "text/markdown; charset=utf-8");
    let json = world.send(ask("text/plain, application/json")).await.answer();
    let plain = world.get(&[("alert_id", ALERT)]).await.answer();
    assert_eq!(timeless(json), timeless(plain));
}

#[tokio::test]
async fn error_is_a_problem_in_every_format() {
    let world = World::start().await;
    for format in Format::ALL.map(Format::as_str) {
        let ask = Ask::get(&format!("/v1/enrich?alert_id=da1_1&format={format}")).with("accept", "text/plain");
        let response = world.send(ask).await;
        response.problem(404, "not_found");
        assert_eq!(response.header("content-type"), "application/problem+json");
        let allowed = Ask::get(&format!("/v1/enrich?alert_id=da1_1&not_found=200&format={format}"));
        assert_eq!(world.send(allowed).await.status, 200, "{format}");
    }
}

#[tokio::test]
async fn batch_items_can_have_different_formats() {
    let world = World::start().await;
    let items = json!([
        {"alert_id": ALERT, "format": "ecs"},
        {"alert_id": ALERT},
        {"machine": MACHINE, "format": "json"},
        {"alert_id": ALERT, "format": "ocsf_ndjson"},
        {"alert_id": ALERT, "format": "markdown"},
        {"alert_id": ALERT, "format": "yaml"},
        {"alert_id": "da1_1", "format": "text"},
        {"alert_id": ALERT, "format": "ocsf"},
        {"machine": MACHINE, "format": "slack"},
        {"machine": MACHINE, "format": "teams"},
    ]);
    let body = json!({"requests": items}).to_string();
    let response = world.send(Ask::post("/v1/enrich/batch?format=text", body).with("accept", "text/markdown")).await;
    assert_eq!(response.header("content-type"), "application/json");
    let answer = response.answer();
    let result = |at: usize| &answer["results"][at];
    assert_eq!(result(0)["enrichment"], world.send(request_in("ecs")).await.answer());
    for (at, format) in [(1, "text"), (3, "ocsf_ndjson"), (4, "markdown")] {
        let in_batch = result(at)["enrichment"].as_str().expect("a text");
        assert!(!in_batch.is_empty(), "{format}");
        assert_eq!(timeless_text(in_batch), timeless_text(&world.send(request_in(format)).await.text()), "{format}");
    }
    assert_eq!(result(2)["enrichment"]["kind"], "machine");
    let wrong = &result(5)["problem"];
    assert_eq!((&wrong["status"], &wrong["errors"][0]["pointer"]), (&json!(422), &json!("/requests/5/format")));
    assert_eq!(result(6)["problem"]["code"], "not_found");
    assert_eq!(result(7)["enrichment"]["class_uid"], 2004);
    assert!(result(8)["enrichment"]["blocks"].is_array() && result(9)["enrichment"]["attachments"].is_array());
    assert_eq!(answer["counts"], json!({"requests": 10, "ok": 8, "failed": 2}));

    let spread = world.batch(json!({"alert_id": ALERT, "machine": MACHINE, "format": "ecs"})).await.answer();
    assert!(spread["results"].as_array().unwrap().iter().all(|item| item["enrichment"].is_array()), "{spread}");
}

#[tokio::test]
async fn raw_is_ignored_by_formats_without_a_member_for_it() {
    let world = World::start().await;
    let plain = world.send(request_in("ecs")).await;
    let raw = world.send(Ask::get(&format!("/v1/enrich?alert_id={ALERT}&format=ecs&include=raw"))).await;
    assert_eq!(raw.body, plain.body);
    let json = world.post(json!({"alert_id": ALERT, "include": "raw", "format": "json"})).await.answer();
    assert_eq!(json["raw"]["id"], ALERT);
}
