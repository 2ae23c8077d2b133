//! Hooks that have to be answered before Defender has answered: what is to be posted follows.

use std::sync::Arc;
use std::time::Duration;

use defender_sandbox::{CALLER_SECRET, Fault, Route, Times, demo_callers};
use serde_json::{Value, json};

use super::{incident, pagerduty, post, splunk};
use crate::client::{Ask, Heard};
use crate::harness::{ALERT, USER, World, new_sandbox, pass};
use crate::log::Log;
use crate::receiver::Receiver;

/// A service with a chat behind the receiver.
async fn world(receiver: &Receiver, changes: &[(&str, &str)]) -> Arc<World> {
    let sandbox = new_sandbox().await;
    let mut callers = demo_callers();
    callers["destinations"] = json!({
        "soc": {"kind": "slack", "url": receiver.url("/soc")}, "siem": {"kind": "webhook", "url": receiver.url("/siem")}
    });
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    let own = [("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true"), ("ENRICH_TIMEOUT_MS", "30000")];
    Arc::new(World::around(sandbox, &[&own, changes].concat()).await)
}

/// Waits for what other tasks of this runtime bring about.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Sends a request, and lets so much time pass when Defender has been asked so often.
async fn after_patience(world: &Arc<World>, ask: Ask, calls: usize, patience: Duration) -> Heard {
    let sent = tokio::spawn({
        let world = world.clone();
        async move { world.send(ask).await }
    });
    until(|| world.defender_calls() >= calls).await;
    pass(patience).await;
    sent.await.expect("an answer")
}

fn event(id: &str) -> Ask {
    pagerduty(&incident(id, &format!("alert {ALERT}"))).at("/v1/hooks/pagerduty?notify=soc")
}

#[track_caller]
fn assert_pending(heard: &Heard, status: u16) -> Value {
    assert_eq!(heard.status, status, "{}", heard.text());
    let answer = heard.json();
    assert_eq!(answer["notified"]["outcome"], "pending", "{answer}");
    assert!(heard.header("x-notified").ends_with("=pending"));
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
    pass(Duration::from_secs(8)).await;
    world.service.background_tasks().idle().await;
    let again = again.await.expect("an answer");
    assert_eq!((again.status, again.header("x-repeated")), (202, "true"));
    let message: Value = serde_json::from_slice(&receiver.only().body).expect("JSON");
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
async fn what_is_quick_is_answered_and_what_is_slow_is_posted_with_it() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::delay(Duration::from_secs(12)));
    let row = json!({"result": {"alert_id": ALERT, "user": USER}}).to_string();
    let ask = post(&format!("{}&notify=siem", splunk()), &row);
    let answer = assert_pending(&after_patience(&world, ask, 2, SPLUNKS_PATIENCE).await, 200);
    assert_eq!(answer["counts"], json!({"requests": 2, "ok": 1, "failed": 0, "pending": 1}));
    assert_eq!(answer["results"][0]["enrichment"]["notified"]["outcome"], "pending");
    pass(Duration::from_secs(4)).await;
    world.service.background_tasks().idle().await;
    let posted: Value = serde_json::from_slice(&receiver.only().body).expect("JSON");
    assert_eq!(posted["counts"], json!({"requests": 2, "ok": 2, "failed": 0}));
}

#[tokio::test]
async fn what_fails_after_the_answer_is_posted_nowhere_and_done_again() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(100)));
    assert_pending(&after_patience(&world, event("1"), 1, PAGERDUTYS_PATIENCE).await, 202);
    pass(Duration::from_secs(30)).await;
    world.service.background_tasks().idle().await;
    assert!(receiver.posts().is_empty());
    world.sandbox.mend();
    let again = world.send(event("1")).await;
    assert_eq!((again.status, again.header("x-repeated")), (202, ""));
    assert_eq!(again.json()["notified"]["outcome"], "delivered");
    receiver.only();
}

#[tokio::test]
async fn where_nothing_outlives_an_answer_nothing_is_said_to_be_pending() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(12)));
    let heard = after_patience(&world, event("1"), 1, PAGERDUTYS_PATIENCE).await;
    let answer = heard.json();
    assert_eq!((heard.status, &answer["results"][0]["status"]), (202, &json!(504)), "{answer}");
    assert_eq!(answer["notified"]["outcome"], "nothing_to_send");
}

#[tokio::test]
async fn a_hook_that_names_nobody_else_is_answered_without_work_afterwards() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&receiver, &[]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(12)));
    let ask = pagerduty(&incident("1", &format!("alert {ALERT}")));
    let heard = after_patience(&world, ask, 1, PAGERDUTYS_PATIENCE).await;
    assert_eq!(heard.json()["counts"], json!({"requests": 1, "ok": 0, "failed": 1}));
    world.service.background_tasks().idle().await;
}
