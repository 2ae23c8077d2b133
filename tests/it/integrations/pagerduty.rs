//! V3 webhooks of PagerDuty.

use std::time::Duration;

use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use super::{incident, pagerduty, stamp};
use crate::client::{Ask, Heard};
use crate::harness::{ALERT, MACHINE, World, hasten, pass};

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
        let again = world.send(with_id(pagerduty(&event))).await;
        assert_eq!((taken(&again), again.header("x-repeated")), (first.clone(), "true"));
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
    let is_repeated = async |id: &str| {
        let heard = world.send(pagerduty(&event).with("x-webhook-id", id)).await;
        assert_eq!(taken(&heard)["counts"]["requests"], 2);
        heard.header("x-repeated") == "true"
    };
    assert!(!is_repeated("1").await);
    assert!(is_repeated("1").await);
    assert!(!is_repeated("2").await);
}

#[tokio::test]
async fn a_ping_and_an_event_without_subjects_are_taken_and_cost_nothing() {
    let world = World::start().await;
    let ping = json!({"event": {
        "event_type": "pagey.ping", "occurred_at": stamp(0), "data": {"message": "Hello", "type": "ping"}
    }});
    for event in [ping, incident("1", "the build is red")] {
        assert_eq!(taken(&world.send(pagerduty(&event)).await)["counts"]["requests"], 0);
    }
    assert_eq!(world.defender_calls(), 0);
    let none = json!({"event": {"occurred_at": stamp(0)}});
    world.send(pagerduty(&none)).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn an_event_of_another_day_is_refused_however_well_it_is_signed() {
    let world = World::start().await;
    let mut event = incident("1", &title());
    for (occurred_at, status) in [
        (json!(stamp(-23 * 3600)), 202),
        (json!(stamp(-25 * 3600)), 401),
        (json!(stamp(25 * 3600)), 401),
        (json!("2020-01-01T00:00:00Z"), 401),
        (json!(null), 401),
    ] {
        event["event"]["occurred_at"] = occurred_at;
        let calls = world.defender_calls();
        let heard = world.send(pagerduty(&event)).await;
        assert_eq!(heard.status, status, "{event}");
        assert_eq!(world.defender_calls() > calls, status == 202, "{event}");
    }
}

#[tokio::test]
async fn a_custom_field_that_cannot_be_asked_is_a_problem_among_the_others() {
    let world = World::start().await;
    let mut event = incident("1", &title());
    event["event"]["data"]["custom_fields"] = json!([{"name": "sha256", "value": "d".repeat(32)}]);
    let answer = taken(&world.send(pagerduty(&event)).await);
    assert_eq!(answer["counts"], json!({"requests": 3, "ok": 2, "failed": 1}));
    let item = &answer["results"][2];
    assert_eq!((&item["problem"]["code"], &item["input"]), (&json!("unsupported_hash"), &json!("d".repeat(32))));
}

#[tokio::test]
async fn an_event_that_failed_is_dealt_with_when_it_comes_again() {
    let world = World::with(&[("CACHE_TTL_S", "0"), ("CACHE_STALE_S", "0")]).await;
    let event = incident("1", &format!("alert {ALERT}"));
    for fault in [Fault::status(503), Fault::status(429).with_header("retry-after", "1"), Fault::status(403)] {
        world.sandbox.fail(Route::Alert, Times::Always, fault);
        assert_eq!(taken(&world.send(pagerduty(&event)).await)["counts"]["failed"], 1);
        world.sandbox.mend();
        pass(Duration::from_secs(2)).await;
    }
    let refused = pagerduty(&event).at("/v1/hooks/pagerduty?notify=nobody");
    world.send(refused).await.problem(422, "invalid_request");
    let done = world.send(pagerduty(&event)).await;
    assert_eq!((&taken(&done)["counts"]["ok"], done.header("x-repeated")), (&json!(1), ""));
    let calls = world.defender_calls();
    assert_eq!(world.send(pagerduty(&event)).await.header("x-repeated"), "true");
    // What Defender does not know is an answer, and not a failure.
    let unknown = incident("2", "alert da637472900382838869_1");
    assert_eq!(taken(&world.send(pagerduty(&unknown)).await)["results"][0]["status"], 404);
    assert_eq!(world.send(pagerduty(&unknown)).await.header("x-repeated"), "true");
    assert_eq!(world.defender_calls(), calls + 1);
}

#[tokio::test]
async fn an_event_is_taken_in_time_however_slow_defender_is() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(9)));
    let (heard, waited) = hasten(world.send(pagerduty(&incident("1", &format!("alert {ALERT}"))))).await;
    let answer = taken(&heard);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
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
