//! What is remembered, for how long, and what it saves.

use std::time::Duration;

use defender_sandbox::{CALLER_SECRET, DEFENDER_SECRET, Fault, Route, Times};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::client::timeless;
use crate::harness::{ALERT, FILE, INCIDENT, MACHINE, World, age, hasten};

fn cache(answer: &Value) -> (&str, u64) {
    (answer["source"]["cache"].as_str().unwrap(), answer["source"]["age_s"].as_u64().unwrap())
}

#[tokio::test]
async fn equal_questions_at_once_are_one_call() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(2)));
    // Connections are dear to the operating system: most of the crowd comes without one.
    let (id, near) = (json!(ALERT), 350);
    let near = join_all((0..near).map(|_| world.hand_in("alert_id", &id)));
    let far = join_all((0..150).map(|_| world.alert(ALERT)));
    let ((far, near), _) = hasten(join(far, near)).await;
    let crowd = [far, near].concat();
    assert_eq!(crowd.len(), 500);
    let first = timeless(crowd[0].answer());
    for heard in &crowd {
        assert_eq!(timeless(heard.answer()), first);
    }
    assert_eq!((world.calls(Route::Alert), world.calls(Route::Token)), (1, 1));
    assert_eq!((world.reads(CALLER_SECRET), world.reads(DEFENDER_SECRET)), (1, 1));
}

#[tokio::test]
async fn equal_questions_at_once_share_a_failure_and_it_is_forgotten() {
    let world = World::start().await;
    world.sandbox.fail(
        Route::Alert,
        Times::Exactly(2),
        Fault { delay: Some(Duration::from_secs(2)), ..Fault::status(500) },
    );
    for heard in hasten(join_all((0..50).map(|_| world.alert(ALERT)))).await.0 {
        heard.problem(502, "upstream_error");
    }
    assert_eq!(world.calls(Route::Alert), 2);
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn an_answer_is_remembered_and_says_so() {
    let world = World::with(&[("CACHE_TTL_S", "3")]).await;
    let fresh = world.alert(ALERT).await.answer();
    assert_eq!(cache(&fresh), ("miss", 0));
    age(1);
    let hit = world.alert(ALERT).await.answer();
    assert_eq!(cache(&hit), ("hit", 1));
    assert_eq!(hit["source"]["retrieved_at"], fresh["source"]["retrieved_at"]);
    assert_eq!(timeless(hit), timeless(fresh));
    assert_eq!(world.calls(Route::Alert), 1);
    age(2);
    assert_eq!(cache(&world.alert(ALERT).await.answer()).0, "miss");
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn what_was_not_found_is_forgotten_sooner() {
    let world = World::with(&[("CACHE_TTL_S", "4")]).await;
    for _ in 0..2 {
        world.alert("da000000000000000000_1").await.problem(404, "not_found");
        world.post(json!({"user": "nobody"})).await.answer();
    }
    assert_eq!((world.calls(Route::Alert), world.calls(Route::UserAlerts)), (1, 1));
    age(1);
    world.sandbox.put_alert(crate::harness::dense_alert("da000000000000000000_1")).unwrap();
    world.alert("da000000000000000000_1").await.answer();
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn when_defender_throttles_or_is_down_an_old_answer_is_better_than_none() {
    let world = World::with(&[("CACHE_TTL_S", "1")]).await;
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
    age(1);
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
    world.sandbox.mend();
    assert_eq!(cache(&world.incident(INCIDENT).await.answer()).0, "miss");
}

#[tokio::test]
async fn an_old_answer_does_not_hide_what_is_no_outage() {
    let world = World::with(&[("CACHE_TTL_S", "1")]).await;
    world.alert(ALERT).await.answer();
    age(1);
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
async fn an_answer_that_is_too_old_is_not_served() {
    let world = World::with(&[("CACHE_TTL_S", "1"), ("CACHE_STALE_S", "1")]).await;
    world.alert(ALERT).await.answer();
    age(1);
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    world.alert(ALERT).await.problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn with_a_ttl_of_zero_nothing_is_remembered() {
    let world = World::with(&[("CACHE_TTL_S", "0")]).await;
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
async fn an_answer_serves_who_wants_the_raw_body_and_who_does_not() {
    let world = World::start().await;
    let batch = json!({"requests": [{"alert_id": ALERT}, {"alert_id": ALERT, "include": "raw"}, {"machine": MACHINE}]});
    let heard = world.batch(batch).await.answer();
    let raw = |at: usize| heard["results"][at]["enrichment"]["raw"].is_object();
    assert_eq!([raw(0), raw(1), raw(2)], [false, true, false], "{heard}");
    assert_eq!(world.calls(Route::Alert), 1);
    let whole = world.post(json!({"machine": MACHINE, "include": "raw"})).await.answer();
    assert!(whole["raw"]["value"].is_array());
    assert_eq!((cache(&whole).0, world.calls(Route::MachineAlerts)), ("hit", 1));
}

#[tokio::test]
async fn an_id_that_was_not_found_in_another_case_is_asked_again() {
    let world = World::start().await;
    world.sandbox.fail(
        Route::Alert,
        Times::Once,
        Fault::status(404).with_body(r#"{"error":{"code":"ResourceNotFound","message":"x"}}"#),
    );
    world.post(json!({"alert_id": ALERT.to_uppercase()})).await.problem(404, "not_found");
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn ids_of_hexadecimal_digits_are_the_same_in_any_case() {
    let world = World::start().await;
    let upper = ALERT.to_uppercase();
    let heard = world.batch(json!({"requests": [{"alert_id": ALERT}, {"alert_id": upper}]})).await.answer();
    assert_eq!((&heard["counts"]["ok"], world.calls(Route::Alert)), (&json!(2), 1), "{heard}");
    let world = World::start().await;
    let told = crate::harness::dense_alert(&upper).to_string();
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(told));
    assert_eq!(world.alert(ALERT).await.answer()["warnings"], json!([]), "it is about what was asked for");
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 1, "and is remembered");
}
