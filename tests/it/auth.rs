//! Who may call: keys of the caller secret, and what a wrong one costs.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use defender_sandbox::{CALLER_SECRET, DEMO_KEY, Fault, Route, Times};
use futures_util::future::join_all;
use serde_json::json;

use crate::client::{Ask, Heard};
use crate::harness::{ALERT, World, hasten, new_sandbox, pass, settings};

fn ask() -> Ask {
    Ask::post("/v1/enrich", json!({"alert_id": ALERT}).to_string()).anonymous()
}

fn basic(user: &str, key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{key}")))
}

#[track_caller]
fn assert_refused(heard: &Heard) {
    heard.problem(401, "unauthorized");
    assert!(!heard.header("www-authenticate").is_empty(), "{heard:?}");
    assert!(!heard.text().contains(DEMO_KEY));
}

#[tokio::test]
async fn a_key_opens_in_each_of_its_three_places() {
    let world = World::start().await;
    for (name, value) in [
        ("x-api-key", DEMO_KEY.to_owned()),
        ("authorization", format!("Bearer {DEMO_KEY}")),
        ("authorization", format!("bearer {DEMO_KEY}")),
        ("authorization", basic("anyone", DEMO_KEY)),
        ("authorization", basic("", DEMO_KEY)),
    ] {
        world.send(ask().with(name, &value)).await.answer();
    }
    assert_eq!((world.reads(CALLER_SECRET), world.calls(Route::Alert)), (1, 1));
}

#[tokio::test]
async fn a_refusal_offers_bearer_and_basic_in_a_line_each() {
    let world = World::start().await;
    let heard = world.send(ask()).await;
    heard.problem(401, "unauthorized");
    let lines: Vec<_> = heard.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(lines, ["Bearer realm=\"defender-enrich\"", "Basic realm=\"defender-enrich\""]);
}

#[tokio::test]
async fn anything_else_is_refused_and_costs_no_call() {
    let world = World::start().await;
    assert_refused(&world.send(ask()).await);
    for (name, value) in [
        ("x-api-key", String::new()),
        ("x-api-key", "demo-keyx".to_owned()),
        ("x-api-key", "demo-ke".to_owned()),
        ("x-api-key", "DEMO-KEY".to_owned()),
        ("x-api-key", "demo".to_owned()),
        ("x-api-key", "k".repeat(8000)),
        ("authorization", "Bearer".to_owned()),
        ("authorization", "Bearer ".to_owned()),
        ("authorization", DEMO_KEY.to_owned()),
        ("authorization", format!("Digest {DEMO_KEY}")),
        ("authorization", "Basic %%%".to_owned()),
        ("authorization", basic(DEMO_KEY, "x")),
        ("cookie", format!("x-api-key={DEMO_KEY}")),
    ] {
        assert_refused(&world.send(ask().with(name, &value)).await);
    }
    assert_refused(&world.send(ask().with("x-api-key", b"\xff\xfe")).await);
    assert_refused(
        &world
            .send(Ask::get(&format!("/v1/enrich?alert_id={ALERT}&api_key={DEMO_KEY}&x-api-key={DEMO_KEY}")).anonymous())
            .await,
    );
    assert_refused(&world.send(Ask::post("/v1/enrich/batch", "{}").anonymous()).await);
    assert_eq!((world.defender_calls(), world.calls(Route::Token)), (0, 0));
}

#[tokio::test]
async fn a_wrong_key_is_told_before_anything_is_read_of_the_body() {
    let world = World::start().await;
    assert_refused(&world.send(Ask::post("/v1/enrich", "{").with("x-api-key", "wrong").without("x-api-key")).await);
    assert_refused(&world.send(ask().with("x-api-key", "wrong").with("content-type", "text/plain")).await);
}

#[tokio::test]
async fn several_callers_have_several_keys() {
    let sandbox = new_sandbox().await;
    sandbox
        .put_secret(CALLER_SECRET, &json!({"api_keys": {"splunk": ["now", "before"], "jira": ["other"]}}).to_string());
    let world = World::around(sandbox, &[]).await;
    for key in ["now", "before", "other"] {
        world.send(ask().with("x-api-key", key)).await.answer();
    }
    assert_refused(&world.send(ask().with("x-api-key", DEMO_KEY)).await);
    assert_refused(&world.send(ask().with("x-api-key", "splunk")).await);
}

#[tokio::test]
async fn a_new_key_is_known_when_the_secrets_time_is_over() {
    let world = World::with(&[("SECRET_TTL_S", "60")]).await;
    world.send(ask().with("x-api-key", DEMO_KEY)).await.answer();
    world.sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": {"demo": ["after"]}}).to_string());
    assert_refused(&world.send(ask().with("x-api-key", "after")).await);
    pass(Duration::from_secs(61)).await;
    world.send(ask().with("x-api-key", "after")).await.answer();
    assert_refused(&world.send(ask().with("x-api-key", DEMO_KEY)).await);
    assert_eq!(world.reads(CALLER_SECRET), 2);
}

#[tokio::test]
async fn a_storm_of_wrong_keys_costs_no_reads() {
    let world = World::start().await;
    for _ in 0..4 {
        let storm = (0..50).map(|number| world.send(ask().with("x-api-key", format!("wrong-{number}"))));
        assert!(join_all(storm).await.iter().all(|heard| heard.status == 401));
    }
    assert_eq!((world.reads(CALLER_SECRET), world.sandbox.seen().len()), (1, 1));
}

#[tokio::test]
async fn without_a_key_that_is_known_nothing_opens() {
    for secret in
        [json!({}), json!({"api_keys": {}}), json!({"api_keys": {"demo": []}}), json!({"api_keys": {"demo": [""]}})]
    {
        let sandbox = new_sandbox().await;
        sandbox.put_secret(CALLER_SECRET, &secret.to_string());
        let world = World::around(sandbox, &[]).await;
        assert_refused(&world.send(ask().with("x-api-key", DEMO_KEY)).await);
        assert_refused(&world.send(ask().with("x-api-key", "")).await);
    }
    let world = World::with(&[("CALLER_SECRET_ID", "")]).await;
    assert_refused(&world.send(ask().with("x-api-key", DEMO_KEY)).await);
    assert_eq!(world.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn a_caller_secret_that_makes_no_sense_is_the_operators_problem() {
    let sandbox = new_sandbox().await;
    sandbox.put_secret(CALLER_SECRET, "{\"api_keys\":[\"canary\"]}");
    let world = World::around(sandbox, &[]).await;
    let heard = world.send(ask().with("x-api-key", "canary")).await;
    heard.problem(503, "misconfigured");
    assert!(!heard.text().contains("canary"));
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn known_keys_outlive_an_outage_of_their_secret() {
    let world = World::with(&[("SECRET_TTL_S", "60")]).await;
    world.send(ask().with("x-api-key", DEMO_KEY)).await.answer();
    world.sandbox.fail(Route::Secret, Times::Always, Fault::status(500).only_for(CALLER_SECRET));
    pass(Duration::from_secs(61)).await;
    world.send(ask().with("x-api-key", DEMO_KEY)).await.answer();
    assert_refused(&world.send(ask().with("x-api-key", "wrong")).await);
}

#[tokio::test]
async fn keys_that_were_never_read_are_a_503_before_the_deadline() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "700")]).await;
    world.sandbox.fail(Route::Secret, Times::Always, Fault::delay(Duration::from_secs(60)).only_for(CALLER_SECRET));
    let (heard, waited) = hasten(world.send(ask().with("x-api-key", DEMO_KEY))).await;
    heard.problem(503, "secret_unavailable");
    assert!(waited < Duration::from_millis(900), "{waited:?}");
    world.sandbox.mend();
    pass(Duration::from_secs(6)).await;
    world.send(ask().with("x-api-key", DEMO_KEY)).await.answer();
}

#[tokio::test]
async fn with_none_everybody_may_call_but_only_where_that_is_meant() {
    let world = World::with(&[("ENRICH_AUTH", "none")]).await;
    world.send(ask()).await.answer();
    assert_eq!(world.reads(CALLER_SECRET), 0);
    let changes = [("ENRICH_AUTH", "none")];
    assert!(settings(&world.sandbox, &changes).require_callers().is_err());
    let changes = [("ENRICH_AUTH", "none"), ("ENRICH_ALLOW_ANONYMOUS", "true")];
    assert!(settings(&world.sandbox, &changes).require_callers().is_ok());
    assert!(settings(&world.sandbox, &[]).require_callers().is_ok());
}

#[tokio::test]
async fn with_iam_no_header_stands_in_for_the_front_door() {
    let world = World::with(&[("ENRICH_AUTH", "iam")]).await;
    assert_refused(&world.send(ask().with("x-api-key", DEMO_KEY)).await);
    let spoofed = ask()
        .with("authorization", "AWS4-HMAC-SHA256 Credential=a/20260302/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=0")
        .with("x-amzn-requestcontext", "{\"authorizer\":{\"iam\":{\"userArn\":\"arn:aws:iam::123456789012:role/soar\"}}}")
        .with("x-amzn-iam-user-arn", "arn:aws:iam::123456789012:role/soar");
    assert_refused(&world.send(spoofed).await);
    assert_eq!(world.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn health_and_the_document_need_no_key() {
    let world = World::start().await;
    assert_eq!(world.send(Ask::get("/healthz").anonymous()).await.json(), json!({"status": "ok"}));
    assert_eq!(world.send(Ask::get("/v1/openapi.json").anonymous()).await.answer()["openapi"], "3.1.0");
    assert_eq!(world.sandbox.seen().len(), 0);
}
