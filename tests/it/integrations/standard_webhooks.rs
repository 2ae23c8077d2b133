//! Standard Webhooks in place of a key.

use std::time::Duration;

use serde_json::{Value, json};

use super::{now, post, webhook_headers};
use crate::client::{Request, Response};
use crate::harness::{
    ALERT, CALLER_SECRET, Fault, MACHINE, NO_CACHE, Route, Times, USER, World, callers_with, fast_forward,
};
use crate::log::Log;
use crate::receiver::Receiver;

#[tokio::test]
async fn a_signature_is_accepted_in_place_of_a_key() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    for (target, id) in [("/v1/enrich", "msg_1"), ("/", "msg_2")] {
        world.send(post(target, &body).with_all(webhook_headers(id, now(), &body))).await.answer();
    }
    let batch = json!({"requests": [{"machine": MACHINE}]}).to_string();
    let response = world.send(post("/v1/enrich/batch", &batch).with_all(webhook_headers("msg_3", now(), &batch))).await;
    assert_eq!(response.answer()["counts"]["ok"], 1);
    let svix = webhook_headers("msg_4", now(), &body).map(|(name, value)| (name.replacen("webhook", "svix", 1), value));
    let ask = svix.into_iter().fold(post("/v1/enrich", &body), |ask, (name, value)| ask.with(&name, value));
    world.send(ask).await.answer();
    assert!(log.requests().iter().all(|line| line["caller"] == "demo"), "{}", log.text());
}

#[tokio::test]
async fn a_key_decides_where_one_is_presented_and_iam_takes_no_signature() {
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    let signed = || post("/v1/enrich", &body).with_all(webhook_headers("msg_1", now(), &body));
    world.send(signed().with("x-api-key", "wrong")).await.problem(401, "unauthorized");
    let iam = World::with(&[("ENRICH_AUTH", "iam")]).await;
    iam.send(signed()).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_signed_body_follows_the_same_rules_as_any_other() {
    let world = World::start().await;
    for (body, status, code) in [("{", 400, "invalid_json"), ("", 400, "invalid_json"), ("{}", 422, "invalid_request")]
    {
        let ask = post("/v1/enrich", body).with_all(webhook_headers("msg_1", now(), body));
        world.send(ask).await.problem(status, code);
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(66_000));
    world
        .send(post("/v1/enrich", &large).with_all(webhook_headers("msg_1", now(), &large)))
        .await
        .problem(413, "payload_too_large");
}

pub(crate) fn signed(target: &str, id: &str, body: &Value) -> Request {
    let body = body.to_string();
    post(target, &body).with_all(webhook_headers(id, now(), &body))
}

#[tokio::test]
async fn a_signature_covers_neither_another_method_nor_options_in_the_query() {
    let world = World::start().await;
    for target in [format!("/v1/enrich?alert_id={ALERT}"), format!("/v1/enrich?user={USER}&include=raw")] {
        for method in ["GET", "HEAD"] {
            let ask = Request::new(method, &target).anonymous().with_all(webhook_headers("msg_1", now(), ""));
            assert_eq!(world.send(ask).await.status, 401, "{method} {target}");
        }
    }
    let body = json!({"alert_id": ALERT});
    for query in ["include=raw", "limit=500", "notify=soc", "format=text", "machine=desk-042"] {
        for route in ["/v1/enrich", "/", "/v1/enrich/batch"] {
            let response = world.send(signed(&format!("{route}?{query}"), "msg_1", &body)).await;
            response.problem(422, "invalid_request");
        }
    }
    assert_eq!(world.defender_calls(), 0);
    world.send(signed("/v1/enrich?source=siem&limit=", "msg_1", &body)).await.answer();
}

#[tokio::test]
async fn a_repeated_delivery_gets_the_same_answer_and_posts_nothing() {
    let receiver = Receiver::start(&[]).await;
    let soc = json!({"soc": {"kind": "slack", "url": receiver.url("/soc")}});
    let off = [("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true"), NO_CACHE, ("CACHE_STALE_S", "0")];
    let world = World::with_secret(CALLER_SECRET, &callers_with(json!({"destinations": soc})), &off).await;
    let send = async |id: &str, body: &Value| world.send(signed("/v1/enrich", id, body)).await;
    let repeated = |response: &Response| response.header("x-repeated") == "true";
    let body = json!({"alert_id": ALERT, "notify": "soc"});
    let first = send("msg_1", &body).await;
    let again = send("msg_1", &body).await;
    assert_eq!((again.answer(), repeated(&first), repeated(&again)), (first.answer(), false, true));
    assert_eq!(again.header("x-notified"), first.header("x-notified"));
    assert_eq!((world.calls(Route::Alert), receiver.posts().len()), (1, 1));
    assert!(!repeated(&send("msg_2", &body).await));
    assert_eq!((world.calls(Route::Alert), receiver.posts().len()), (2, 2));

    let other = send("msg_2", &json!({"machine": MACHINE})).await;
    assert_eq!((other.answer()["kind"].as_str(), repeated(&other)), (Some("machine"), false), "another question");

    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    send("msg_3", &body).await.problem(503, "upstream_unavailable");
    let batch = json!({"requests": [{"alert_id": ALERT}, {"machine": MACHINE}]});
    assert_eq!(world.send(signed("/v1/enrich/batch", "msg_4", &batch)).await.answer()["counts"]["failed"], 1);
    world.sandbox.mend();
    assert!(!repeated(&send("msg_3", &body).await));
    let batch = world.send(signed("/v1/enrich/batch", "msg_4", &batch)).await;
    assert_eq!((&batch.answer()["counts"]["ok"], repeated(&batch)), (&json!(2), false));
}

#[tokio::test]
async fn concurrent_equal_deliveries_are_processed_once() {
    let world = World::with(&[NO_CACHE, ("CACHE_STALE_S", "0")]).await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(2)));
    let body = json!({"alert_id": ALERT});
    let crowd = futures_util::future::join_all((0..8).map(|_| world.send(signed("/v1/enrich", "msg_1", &body))));
    let (response, waited) = fast_forward(crowd).await;
    assert!(waited >= Duration::from_secs(2), "none of them waits for the others: {waited:?}");
    assert!(response.iter().all(|one| one.answer() == response[0].answer()));
    assert_eq!(response.iter().filter(|response| response.header("x-repeated").is_empty()).count(), 1);
    assert_eq!(world.calls(Route::Alert), 1);
}
