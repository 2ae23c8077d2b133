//! Hooks that have to be answered before Defender has answered: what is to be posted follows.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{incident, pagerduty, post, splunk};
use crate::client::{Request, Response};
use crate::harness::{ALERT, CALLER_SECRET, Fault, Route, Times, USER, World, advance, callers_with, until};
use crate::log::Log;
use crate::receiver::Receiver;

/// A service with a chat behind the receiver.
async fn world(receiver: &Receiver, changes: &[(&str, &str)]) -> Arc<World> {
    let destinations = json!({
        "soc": {"kind": "slack", "url": receiver.url("/soc")}, "siem": {"kind": "webhook", "url": receiver.url("/siem")}
    });
    let own = [("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true"), ("ENRICH_TIMEOUT_MS", "30000")];
    let callers = callers_with(json!({"destinations": destinations}));
    Arc::new(World::with_secret(CALLER_SECRET, &callers, &[&own, changes].concat()).await)
}

/// Sends a request, and lets so much time pass when Defender has been asked so often.
async fn after_patience(world: &Arc<World>, ask: Request, calls: usize, patience: Duration) -> Response {
    let sent = tokio::spawn({
        let world = world.clone();
        async move { world.send(ask).await }
    });
    until(|| world.defender_calls() >= calls).await;
    advance(patience).await;
    sent.await.expect("an answer")
}

fn event(id: &str) -> Request {
    pagerduty(&incident(id, &format!("alert {ALERT}"))).at("/v1/hooks/pagerduty?notify=soc")
}

#[track_caller]
fn assert_pending(response: &Response, status: u16) -> Value {
    assert_eq!(response.status, status, "{}", response.text());
    let answer = response.json();
    assert_eq!(answer["notified"]["outcome"], "pending", "{answer}");
    assert!(response.header("x-notified").ends_with("=pending"));
    answer
}

const PAGERDUTYS_PATIENCE: Duration = Duration::from_millis(4600);
const SPLUNKS_PATIENCE: Duration = Duration::from_millis(9600);

#[tokio::test]
async fn a_slow_lookup_is_posted_after_the_answer_and_a_redelivery_joins_it() {
    let (log, _guard) = Log::start(true);
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(12)));
    let first = after_patience(&world, event("1"), 1, PAGERDUTYS_PATIENCE).await;
    let answer = assert_pending(&first, 202);
    assert_eq!(answer["counts"], json!({"requests": 1, "ok": 0, "failed": 0, "pending": 1}));
    assert_eq!(answer["results"], json!([{"status": 202, "input": ALERT}]));
    assert!(receiver.posts().is_empty());

    let again = tokio::spawn({
        let world = world.clone();
        async move { world.send(event("1")).await }
    });
    advance(Duration::from_secs(8)).await;
    world.service.background_tasks().idle().await;
    let again = again.await.expect("an answer");
    assert_eq!((again.status, again.header("x-repeated")), (202, "true"));
    let message = receiver.only().json();
    assert!(message["blocks"].is_array(), "{message}");
    let done = world.send(event("1")).await;
    assert_eq!((done.status, done.header("x-repeated")), (202, "true"));
    assert_eq!(done.json()["counts"], json!({"requests": 1, "ok": 1, "failed": 0}));
    assert_eq!(done.json()["notified"]["outcome"], "delivered");
    assert_eq!((world.calls(Route::Alert), receiver.posts().len()), (1, 1));
    assert_eq!(log.requests()[0]["pending"], 1);
    let end = log.text().lines().find(|line| line.contains("ended after its answer")).expect("a line").to_owned();
    assert!(end.contains("\"ok\":1") && end.contains("\"failed\":0"), "{end}");
}

#[tokio::test]
async fn fast_items_are_answered_and_slow_ones_posted_with_them() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::delay(Duration::from_secs(12)));
    let row = json!({"result": {"alert_id": ALERT, "user": USER}}).to_string();
    let ask = post(&format!("{}&notify=siem", splunk()), &row);
    let answer = assert_pending(&after_patience(&world, ask, 2, SPLUNKS_PATIENCE).await, 200);
    assert_eq!(answer["counts"], json!({"requests": 2, "ok": 1, "failed": 0, "pending": 1}));
    assert_eq!(answer["results"][0]["enrichment"]["notified"]["outcome"], "pending");
    advance(Duration::from_secs(4)).await;
    world.service.background_tasks().idle().await;
    assert_eq!(receiver.only().json()["counts"], json!({"requests": 2, "ok": 2, "failed": 0}));
}

#[tokio::test]
async fn a_failure_after_the_answer_is_not_posted_and_the_next_delivery_works() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(100)));
    assert_pending(&after_patience(&world, event("1"), 1, PAGERDUTYS_PATIENCE).await, 202);
    advance(Duration::from_secs(30)).await;
    world.service.background_tasks().idle().await;
    assert!(receiver.posts().is_empty());
    world.sandbox.mend();
    let again = world.send(event("1")).await;
    assert_eq!((again.status, again.header("x-repeated")), (202, ""));
    assert_eq!(again.json()["notified"]["outcome"], "delivered");
    receiver.only();
}

#[tokio::test]
async fn nothing_is_pending_where_nothing_outlives_an_answer() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(12)));
    let response = after_patience(&world, event("1"), 1, PAGERDUTYS_PATIENCE).await;
    let answer = response.json();
    assert_eq!((response.status, &answer["results"][0]["status"]), (202, &json!(504)), "{answer}");
    assert_eq!(answer["notified"]["outcome"], "nothing_to_send");
}

#[tokio::test]
async fn a_hook_without_a_destination_leaves_no_work_behind() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(12)));
    let ask = pagerduty(&incident("1", &format!("alert {ALERT}")));
    let response = after_patience(&world, ask, 1, PAGERDUTYS_PATIENCE).await;
    assert_eq!(response.json()["counts"], json!({"requests": 1, "ok": 0, "failed": 1}));
    world.service.background_tasks().idle().await;
}
