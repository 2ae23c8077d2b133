//! Standard Webhooks in place of a key.

use defender_enrich::sandbox::Route;
use serde_json::json;

use super::{now, post, webhook_headers, with_all};
use crate::harness::{ALERT, MACHINE, World};
use crate::log::Log;

#[tokio::test]
async fn a_signed_body_opens_where_a_key_does() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    for target in ["/v1/enrich", "/"] {
        world.send(with_all(post(target, &body), webhook_headers("msg_1", now(), &body))).await.answer();
    }
    let batch = json!({"requests": [{"machine": MACHINE}]}).to_string();
    let heard = world.send(with_all(post("/v1/enrich/batch", &batch), webhook_headers("msg_2", now(), &batch))).await;
    assert_eq!(heard.answer()["counts"]["ok"], 1);
    assert!(log.requests().iter().all(|line| line["caller"] == "demo"), "{}", log.text());
}

#[tokio::test]
async fn another_body_another_time_and_another_id_are_refused() {
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    let other = json!({"machine": MACHINE}).to_string();
    let [id, timestamp, signature] = webhook_headers("msg_1", now(), &body);
    for headers in [
        webhook_headers("msg_1", now(), &other),
        webhook_headers("msg_1", now() - 301, &body),
        webhook_headers("msg_1", now() + 301, &body),
        [("webhook-id", "msg_2".to_owned()), timestamp.clone(), signature.clone()],
        [id.clone(), timestamp.clone(), ("webhook-signature", "v1,".to_owned())],
        [id, timestamp, ("x-other", signature.1)],
    ] {
        world.send(with_all(post("/v1/enrich", &body), headers)).await.problem(401, "unauthorized");
    }
    assert_eq!(world.calls(Route::Alert), 0);
}

#[tokio::test]
async fn a_key_decides_where_one_is_presented_and_iam_takes_no_signature() {
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    let signed = || with_all(post("/v1/enrich", &body), webhook_headers("msg_1", now(), &body));
    world.send(signed().with("x-api-key", "wrong")).await.problem(401, "unauthorized");
    let iam = World::with(&[("ENRICH_AUTH", "iam")]).await;
    iam.send(signed()).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_proven_body_meets_the_same_rules_as_any_other() {
    let world = World::start().await;
    for (body, status, code) in [("{", 400, "invalid_json"), ("", 400, "invalid_json"), ("{}", 422, "invalid_request")]
    {
        let ask = with_all(post("/v1/enrich", body), webhook_headers("msg_1", now(), body));
        world.send(ask).await.problem(status, code);
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(66_000));
    world
        .send(with_all(post("/v1/enrich", &large), webhook_headers("msg_1", now(), &large)))
        .await
        .problem(413, "payload_too_large");
}
