//! Several subjects in one request: each in its place, none at the cost of another.

use std::time::Duration;

use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use crate::client::{Ask, timeless, warnings};
use crate::harness::{
    ALERT, DESK_042, FILE, FILE_SHA1, INCIDENT, MACHINE, MERGED_INCIDENT, USER, World, dense_alert, hasten,
};
use crate::log::Log;

fn results(answer: &Value) -> &Vec<Value> {
    answer["results"].as_array().expect("results")
}

fn statuses(answer: &Value) -> Vec<u64> {
    results(answer).iter().map(|item| item["status"].as_u64().expect("a status")).collect()
}

#[tokio::test]
async fn every_subject_gets_the_answer_that_it_would_have_got_alone() {
    let world = World::start().await;
    let subjects = [
        json!({"machine": MACHINE}),
        json!({"user": USER, "limit": 2}),
        json!({"file_hash": FILE}),
        json!({"incident_id": 3098}),
        json!({"alert_id": ALERT}),
        json!({"value": USER}),
        json!({"machine": "desk-404.contoso.com"}),
        json!({"file_hash": "x"}),
        json!({"alert_id": "da1_1", "not_found": 200}),
    ];
    let answer = world.batch(json!({"requests": subjects})).await.answer();
    assert_eq!(statuses(&answer), [200, 200, 200, 200, 200, 200, 404, 422, 200]);
    assert_eq!(answer["counts"], json!({"requests": 9, "ok": 7, "failed": 2}));
    for (item, subject) in results(&answer).iter().zip(&subjects) {
        let alone = timeless(world.post(subject.clone()).await.json());
        let together = timeless(item.get("enrichment").or(item.get("problem")).unwrap().clone());
        if item["status"] == 422 {
            assert_eq!((&together["code"], &together["detail"]), (&alone["code"], &alone["detail"]));
            assert_eq!(together["errors"][0]["pointer"], "/requests/7/file_hash");
        } else {
            assert_eq!(together, alone, "{subject}");
        }
    }
}

#[tokio::test]
async fn one_object_may_name_several_subjects_in_its_own_order() {
    let world = World::start().await;
    let body = format!(
        r#"{{"user":"{USER}","machine":"{MACHINE}","file_hash":"","alert_id":"{ALERT}","source":"siem","limit":1}}"#
    );
    let answer = world.send(Ask::post("/v1/enrich/batch", body)).await.answer();
    let kinds: Vec<_> = results(&answer).iter().map(|item| &item["enrichment"]["kind"]).collect();
    assert_eq!(kinds, ["user", "machine", "alert"]);
    for item in results(&answer) {
        assert!(warnings(&item["enrichment"]).contains(&"unknown_field"), "{item}");
        assert_eq!(item["enrichment"]["alerts"].as_array().unwrap().len(), 1);
    }
    let one = world.batch(json!({"machine": MACHINE})).await.answer();
    assert_eq!(statuses(&one), [200]);
    let mixed = world.batch(json!({"alert_id": ALERT, "file_hash": "nonsense"})).await.answer();
    assert_eq!(statuses(&mixed), [200, 422]);
}

#[tokio::test]
async fn a_subject_beside_the_list_or_in_the_query_is_ambiguous_and_not_dropped() {
    let world = World::start().await;
    let body = json!({"requests": [{"alert_id": ALERT}], "machine": MACHINE});
    let problem = world.batch(body).await.problem(422, "ambiguous_request");
    assert_eq!(problem["errors"][0]["pointer"], "/machine");
    for route in ["/v1/enrich", "/", "/v1/enrich/batch"] {
        let ask = Ask::post(&format!("{route}?machine={MACHINE}"), json!({"alert_id": ALERT}).to_string());
        let problem = world.send(ask).await.problem(422, "ambiguous_request");
        assert_eq!(problem["errors"][0]["pointer"], "?machine");
        world.send(Ask::post(&format!("{route}?machine={MACHINE}"), "")).await.problem(400, "invalid_json");
    }
    assert_eq!(world.defender_calls(), 0);
    world.batch(json!({"requests": [{"alert_id": ALERT}], "machine": null, "user": ""})).await.answer();
}

#[tokio::test]
async fn the_log_tells_how_the_items_went() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(403));
    let requests = json!([{"alert_id": ALERT}, {"user": USER}, {"alert_id": "da1_1"}, {"alert_id": "da1_2"}]);
    world.batch(json!({"requests": requests})).await.answer();
    world.batch(json!({"requests": [{"alert_id": ALERT}]})).await.answer();
    world.batch(json!({"requests": []})).await.problem(422, "invalid_request");
    let lines = log.requests();
    let told = |at: usize| (lines[at]["ok"].clone(), lines[at]["failed"].clone(), lines[at].get("codes").cloned());
    assert_eq!(told(0), (json!(1), json!(3), Some(json!("upstream_forbidden not_found"))));
    assert_eq!(told(1), (json!(1), json!(0), None));
    assert_eq!((told(2), &lines[2]["code"]), ((Value::Null, Value::Null, None), &json!("invalid_request")));
}

#[tokio::test]
async fn equal_subjects_cost_one_call_also_when_they_turn_out_to_be_equal() {
    for ttl in ["60", "0"] {
        let world = World::with(&[("CACHE_TTL_S", ttl)]).await;
        let answer = world.batch(json!({"requests": [
            {"machine": MACHINE}, {"machine": DESK_042}, {"machine": MACHINE.to_uppercase()}, {"machine": DESK_042.to_uppercase()},
            {"file_hash": FILE}, {"file_hash": FILE_SHA1}, {"user": USER}, {"user": "dana.reyes"}, {"user": "CONTOSO\\DANA.REYES"},
            {"alert_id": ALERT}, {"value": ALERT}, {"incident_id": INCIDENT}, {"incident_id": MERGED_INCIDENT},
        ]})).await.answer();
        assert!(statuses(&answer).iter().all(|status| *status == 200), "{answer}");
        let calls = [
            Route::Machines,
            Route::MachineAlerts,
            Route::File,
            Route::FileAlerts,
            Route::UserAlerts,
            Route::Alert,
            Route::Incident,
        ]
        .map(|route| world.calls(route));
        assert_eq!(calls, [1, 1, 1, 1, 1, 1, 3], "CACHE_TTL_S={ttl}");
    }
}

#[tokio::test]
async fn one_failure_is_one_items() {
    let world = World::start().await;
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(500));
    world.sandbox.fail(Route::FileAlerts, Times::Always, Fault::body("<html>"));
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(403));
    let answer = world.batch(json!({"requests": [
        {"user": USER}, {"alert_id": ALERT}, {"file_hash": FILE}, {"machine": MACHINE}, {"incident_id": INCIDENT}, {}, "text", 7, null,
        {"alert_id": "a", "user": "b"}, {"alert_id": "a", "alert_id ": "b"}, {"limit": 0, "user": "x"},
    ]})).await.answer();
    assert_eq!(statuses(&answer), [502, 200, 502, 502, 200, 422, 422, 422, 422, 422, 404, 422]);
    let codes: Vec<_> = results(&answer).iter().map(|item| item["problem"]["code"].as_str().unwrap_or("")).collect();
    assert_eq!(codes[..5], ["upstream_error", "", "upstream_malformed", "upstream_forbidden", ""]);
    assert_eq!(answer["counts"], json!({"requests": 12, "ok": 2, "failed": 10}));
    let inputs: Vec<_> = results(&answer).iter().map(|item| item["input"].as_str()).collect();
    let (none, file, machine) = ([None; 5], Some(FILE), Some(MACHINE));
    assert_eq!(inputs[..5], [Some(USER), None, file, machine, None], "an answer holds its own input");
    assert_eq!((&inputs[5..10], &inputs[10..]), (&none[..], &[Some("a"), Some("x")][..]));
}

#[tokio::test]
async fn a_batch_has_at_most_25_subjects() {
    let world = World::start().await;
    let subjects = |count: usize| {
        let subject = |number| {
            world.sandbox.put_alert(dense_alert(&format!("da{number:018}_1"))).unwrap();
            json!({"alert_id": format!("da{number:018}_1")})
        };
        json!({"requests": (0..count).map(subject).collect::<Vec<_>>()})
    };
    world.batch(subjects(26)).await.problem(422, "too_many_requests_in_batch");
    assert_eq!(world.defender_calls(), 0);
    let answer = world.batch(subjects(25)).await.answer();
    let order: Vec<_> =
        results(&answer).iter().map(|item| item["enrichment"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, (0..25).map(|number| format!("da{number:018}_1")).collect::<Vec<_>>());
    assert_eq!(world.calls(Route::Alert), 25);
}

#[tokio::test]
async fn an_envelope_that_is_none_is_422() {
    let world = World::start().await;
    for body in [
        json!({}),
        json!({"requests": []}),
        json!({"requests": {}}),
        json!({"requests": "x"}),
        json!({"requests": null}),
        json!([]),
        json!({"x": 1}),
        json!({"requests": [{}], "limit": 0}),
    ] {
        world.batch(body.clone()).await.problem(422, "invalid_request");
    }
    world.send(Ask::post("/v1/enrich/batch", "")).await.problem(400, "invalid_json");
    world.send(Ask::get("/v1/enrich/batch")).await.problem(405, "method_not_allowed");
    let surrogate = r#"{"requests":[{"user":"\ud800"},{"alert_id":"da1_1"}]}"#;
    let answer = world.send(Ask::post("/v1/enrich/batch", surrogate)).await.answer();
    assert_eq!(statuses(&answer), [400, 404]);
}

#[tokio::test]
async fn options_around_the_items_are_their_defaults() {
    let world = World::start().await;
    let body = json!({"requests": [{"machine": MACHINE}, {"machine": MACHINE, "limit": 3}, {"alert_id": "da1_1"}, {"alert_id": "da1_1", "not_found": 404}]});
    let heard = world.send(Ask::post("/v1/enrich/batch?limit=2&not_found=200", body.to_string())).await;
    let answer = heard.answer();
    let listed = |at: usize| results(&answer)[at]["enrichment"]["alerts"].as_array().unwrap().len();
    assert_eq!((listed(0), listed(1)), (2, 3));
    assert_eq!(statuses(&answer), [200, 200, 200, 404]);
}

#[tokio::test]
async fn what_the_deadline_cuts_off_is_told_and_the_rest_is_delivered() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "6000")]).await;
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::delay(Duration::from_secs(60)));
    let mut subjects: Vec<_> = (0..9).map(|number| json!({"user": format!("user-{number}")})).collect();
    subjects.insert(0, json!({"alert_id": ALERT}));
    subjects.insert(5, json!({"incident_id": INCIDENT}));
    let (heard, waited) = hasten(world.batch(json!({"requests": subjects}))).await;
    let answer = heard.answer();
    assert!(waited < Duration::from_millis(6200), "{waited:?}");
    assert_eq!(statuses(&answer), [200, 504, 504, 504, 504, 200, 504, 504, 504, 504, 504]);
    assert_eq!(results(&answer)[1]["problem"]["code"], "upstream_timeout");
}
