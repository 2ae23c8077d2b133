//! V3 webhooks of PagerDuty.

use std::time::{Duration, Instant};

use defender_enrich::sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use super::{incident, pagerduty};
use crate::client::{Ask, Heard};
use crate::harness::{ALERT, MACHINE, World};

#[track_caller]
fn taken(heard: &Heard) -> Value {
    assert_eq!(heard.status, 202, "{}", heard.text());
    heard.json()
}

fn title() -> String {
    format!("Defender: Mimikatz on host {MACHINE} ({ALERT})")
}

#[tokio::test]
async fn the_subjects_of_an_incident_are_looked_up_once_however_often_it_is_delivered() {
    let world = World::with(&[("CACHE_TTL_S", "0"), ("CACHE_STALE_S", "0")]).await;
    let event = incident("01BRB6ZP4M6T8ZG4X6BP63ZB9O", &title());
    let with_id = |ask: Ask| ask.with("x-webhook-id", "b6f1c9d2-3e4a-4b5c-8d6e-7f8091a2b3c4");
    let first = taken(&world.send(with_id(pagerduty(&event))).await);
    assert_eq!(first["counts"], json!({"requests": 2, "ok": 2, "failed": 0}));
    let calls = world.sandbox.seen().len();
    for _ in 0..3 {
        let again = taken(&world.send(with_id(pagerduty(&event))).await);
        assert_eq!(again["counts"]["requests"], 0);
    }
    assert_eq!(world.sandbox.seen().len(), calls);
    // Another event of the same incident is another matter.
    let other = taken(&world.send(pagerduty(&incident("01BRB6ZP4M6T8ZG4X6BP63ZB9P", &title()))).await);
    assert_eq!(other["counts"]["ok"], 2);
}

#[tokio::test]
async fn an_event_without_an_id_is_told_by_its_delivery() {
    let world = World::start().await;
    let mut event = incident("x", &title());
    event["event"].as_object_mut().expect("an event").remove("id");
    let deliver = async |id: &str| {
        taken(&world.send(pagerduty(&event).with("x-webhook-id", id)).await)["counts"]["requests"].clone()
    };
    assert_eq!(deliver("1").await, 2);
    assert_eq!(deliver("1").await, 0);
    assert_eq!(deliver("2").await, 2);
}

#[tokio::test]
async fn a_ping_and_an_event_without_subjects_are_taken_and_cost_nothing() {
    let world = World::start().await;
    let ping = json!({"event": {"event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}});
    for event in [ping, incident("1", "the build is red")] {
        assert_eq!(taken(&world.send(pagerduty(&event)).await)["counts"]["requests"], 0);
    }
    assert_eq!(world.defender_calls(), 0);
    world.send(pagerduty(&json!({"messages": []}))).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn an_event_is_taken_in_time_however_slow_defender_is() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(9)));
    let begin = Instant::now();
    let answer = taken(&world.send(pagerduty(&incident("1", &format!("alert {ALERT}")))).await);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(answer["results"][0]["status"], 504, "{answer}");
}

#[tokio::test]
async fn the_largest_body_that_pagerduty_sends_is_read_and_a_larger_one_is_not() {
    let world = World::start().await;
    let mut event = incident("1", &title());
    event["event"]["data"]["padding"] = json!("x".repeat(55_000));
    assert_eq!(taken(&world.send(pagerduty(&event)).await)["counts"]["ok"], 2);
    event["event"]["data"]["padding"] = json!("x".repeat(66_000));
    world.send(pagerduty(&event)).await.problem(413, "payload_too_large");
}
