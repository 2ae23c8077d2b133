//! Which answers are cached, for how long, and what that saves.

use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::client::timeless;
use crate::harness::{
    ALERT, CALLER_SECRET, DEFENDER_SECRET, FILE, Fault, INCIDENT, MACHINE, NO_CACHE, Route, Times, World,
    advance_wall_clock, dense_alert, fast_forward,
};

fn cache(answer: &Value) -> (&str, u64) {
    (answer["source"]["cache"].as_str().unwrap(), answer["source"]["age_s"].as_u64().unwrap())
}

#[tokio::test]
async fn concurrent_equal_questions_cost_one_call() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(2)));
    // Connections are dear to the operating system: most of the crowd comes without one.
    let near = 350;
    let near = join_all((0..near).map(|_| world.ask("alert_id", ALERT)));
    let far = join_all((0..150).map(|_| world.alert(ALERT)));
    let ((far, near), _) = fast_forward(join(far, near)).await;
    let crowd = [far, near].concat();
    assert_eq!(crowd.len(), 500);
    let first = timeless(crowd[0].answer());
    for response in &crowd {
        assert_eq!(timeless(response.answer()), first);
    }
    assert_eq!((world.calls(Route::Alert), world.calls(Route::Token)), (1, 1));
    assert_eq!((world.reads(CALLER_SECRET), world.reads(DEFENDER_SECRET)), (1, 1));
}

#[tokio::test]
async fn a_cached_answer_says_so() {
    let world = World::with(&[("CACHE_TTL_S", "3")]).await;
    let fresh = world.alert(ALERT).await.answer();
    assert_eq!(cache(&fresh), ("miss", 0));
    advance_wall_clock(1);
    let hit = world.alert(ALERT).await.answer();
    assert_eq!(cache(&hit), ("hit", 1));
    assert_eq!(hit["source"]["retrieved_at"], fresh["source"]["retrieved_at"]);
    assert_eq!(timeless(hit), timeless(fresh));
    assert_eq!(world.calls(Route::Alert), 1);
    advance_wall_clock(2);
    assert_eq!(cache(&world.alert(ALERT).await.answer()).0, "miss");
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn an_empty_answer_expires_sooner() {
    let world = World::with(&[("CACHE_TTL_S", "4")]).await;
    for _ in 0..2 {
        world.alert("da000000000000000000_1").await.problem(404, "not_found");
        world.post(json!({"user": "nobody"})).await.answer();
    }
    assert_eq!((world.calls(Route::Alert), world.calls(Route::UserAlerts)), (1, 1));
    advance_wall_clock(1);
    world.put_alert("da000000000000000000_1", json!({}));
    world.alert("da000000000000000000_1").await.answer();
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn during_an_outage_an_old_answer_is_returned_for_a_while() {
    let world = World::with(&[("CACHE_TTL_S", "1"), ("CACHE_STALE_S", "10")]).await;
    let subjects = [
        json!({"alert_id": ALERT}),
        json!({"incident_id": INCIDENT}),
        json!({"machine": MACHINE}),
        json!({"file_hash": FILE}),
    ];
    let mut before = Vec::new();
    for subject in &subjects {
        before.push(timeless(world.post(subject.clone()).await.answer()));
    }
    advance_wall_clock(1);
    for (route, fault) in [
        (Route::Alert, Fault::status(503)),
        (Route::Incident, Fault::status(500)),
        (Route::MachineAlerts, Fault::reset()),
        (Route::FileAlerts, Fault::status(429).with_header("Retry-After", "60")),
    ] {
        world.sandbox.fail(route, Times::Always, fault);
    }
    for (subject, before) in subjects.iter().zip(before) {
        let stale = world.post(subject.clone()).await.answer();
        assert_eq!(cache(&stale).0, "stale", "{subject}");
        assert!(cache(&stale).1 >= 1);
        assert_eq!(timeless(stale), before);
    }
    world.alert("da000000000000000000_2").await.problem(429, "throttled");
    advance_wall_clock(10);
    world.incident(INCIDENT).await.problem(502, "upstream_error");
    world.sandbox.mend();
    assert_eq!(cache(&world.incident(INCIDENT).await.answer()).0, "miss");
}

#[tokio::test]
async fn an_old_answer_hides_nothing_but_an_outage() {
    let world = World::with(&[("CACHE_TTL_S", "1")]).await;
    world.alert(ALERT).await.answer();
    advance_wall_clock(1);
    for (fault, status, code) in [
        (Fault::status(403), 502, "upstream_forbidden"),
        (Fault::body("<html>"), 502, "upstream_malformed"),
        (Fault::status(404), 404, "not_found"),
    ] {
        world.sandbox.fail(Route::Alert, Times::Once, fault);
        world.alert(ALERT).await.problem(status, code);
    }
}

#[tokio::test]
async fn a_lifetime_of_zero_switches_the_cache_off() {
    let world = World::with(&[NO_CACHE]).await;
    for _ in 0..3 {
        for subject in [json!({"machine": MACHINE}), json!({"file_hash": FILE})] {
            assert_eq!(cache(&world.post(subject).await.answer()), ("miss", 0));
        }
    }
    let calls = [Route::Machines, Route::MachineAlerts, Route::File, Route::FileAlerts].map(|route| world.calls(route));
    assert_eq!(calls, [3, 3, 3, 3]);
    world.sandbox.fail(Route::FileAlerts, Times::Always, Fault::status(503));
    world.post(json!({"file_hash": FILE})).await.problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn one_cached_answer_serves_requests_with_and_without_the_raw_body() {
    let world = World::start().await;
    let batch = json!({"requests": [{"alert_id": ALERT}, {"alert_id": ALERT, "include": "raw"}, {"machine": MACHINE}]});
    let response = world.batch(batch).await.answer();
    let raw = |at: usize| response["results"][at]["enrichment"]["raw"].is_object();
    assert_eq!([raw(0), raw(1), raw(2)], [false, true, false], "{response}");
    assert_eq!(world.calls(Route::Alert), 1);
    let whole = world.post(json!({"machine": MACHINE, "include": "raw"})).await.answer();
    assert!(whole["raw"]["value"].is_array());
    assert_eq!((cache(&whole).0, world.calls(Route::MachineAlerts)), ("hit", 1));
}

#[tokio::test]
async fn hexadecimal_ids_are_equal_in_any_case() {
    let world = World::start().await;
    let upper = ALERT.to_uppercase();
    let response = world.batch(json!({"requests": [{"alert_id": ALERT}, {"alert_id": upper}]})).await.answer();
    assert_eq!((&response["counts"]["ok"], world.calls(Route::Alert)), (&json!(2), 1), "{response}");
    let world = World::start().await;
    let told = dense_alert(&upper).to_string();
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(told));
    assert_eq!(world.alert(ALERT).await.answer()["warnings"], json!([]), "it is about what was asked for");
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 1, "and is remembered");
    let world = World::start().await;
    let unknown = r#"{"error":{"code":"ResourceNotFound","message":"x"}}"#;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(404).with_body(unknown));
    world.alert(&upper).await.problem(404, "not_found");
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 2, "what is unknown in one case may be known in another");
}
