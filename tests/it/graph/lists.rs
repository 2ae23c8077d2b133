//! Lists: one query, then batches.

use std::time::Duration;

use serde_json::json;

use super::{ask_graph, many_alerts, service};
use crate::client::{ids, warnings};
use crate::harness::{
    ALERT, FILE, FILE_SHA1, Fault, GRAPH_AUDIENCE, MACHINE, NO_CACHE, PATIENT, QUIET_MACHINE, REIMAGED_MACHINE, Route,
    Service, Times, USER, fast_forward, new_sandbox, seen,
};

#[tokio::test]
async fn a_list_is_one_query_and_batches_of_twenty_with_one_token() {
    let sandbox = new_sandbox().await;
    many_alerts(&sandbox, 43);
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    let count = ids(&answer).len();
    assert!(count > 43 && warnings(&answer) == ["hunting_window"], "{count}, {:?}", warnings(&answer));
    assert_eq!(seen(&sandbox, Route::Hunting).len(), 1);
    assert_eq!(seen(&sandbox, Route::GraphBatch).len(), count.div_ceil(20));
    let items = seen(&sandbox, Route::GraphBatchItem);
    assert_eq!(items.len(), count);
    assert!(items.iter().all(|item| item.header("prefer") == Some("include-unknown-enum-members")));
    let tokens: Vec<_> = seen(&sandbox, Route::Token).into_iter().map(|token| token.key).collect();
    assert_eq!(tokens, [GRAPH_AUDIENCE]);
    assert!(!sandbox.seen().iter().any(|seen| matches!(seen.service, Service::Defender | Service::Xdr)));
}

#[tokio::test]
async fn the_newest_two_hundred_are_completed_and_more_are_told() {
    let sandbox = new_sandbox().await;
    sandbox.set_graph_quota(1000, 1000);
    many_alerts(&sandbox, 230);
    let service = service(&sandbox, "graph", PATIENT).await;
    let answer = service.post(json!({"machine": MACHINE, "limit": 500})).await.answer();
    assert_eq!(answer["counts"]["alerts"], 200);
    assert!(warnings(&answer).contains(&"partial"));
}

#[tokio::test]
async fn a_list_spends_a_third_of_the_minute_on_its_newest_alerts() {
    for (settings, most) in [
        (&[][..], 50),
        (&[("QUOTA_SHARE", "3")], 16),
        (&[("QUOTA_PER_MINUTE", "90")], 30),
        (&[("QUOTA_SHARE", "3"), ("QUOTA_PER_MINUTE", "90")], 30),
    ] {
        let sandbox = new_sandbox().await;
        many_alerts(&sandbox, 130);
        let service = service(&sandbox, "graph", settings).await;
        let answer = service.post(json!({"machine": MACHINE, "limit": 5})).await.answer();
        assert_eq!(answer["counts"]["alerts"], 137, "{answer}");
        assert!(warnings(&answer).contains(&"partial"), "{:?}", warnings(&answer));
        assert_eq!(seen(&sandbox, Route::GraphBatchItem).len(), most, "{settings:?}");
    }
}

#[tokio::test]
async fn a_list_that_spends_its_third_can_still_try_again() {
    let sandbox = new_sandbox().await;
    many_alerts(&sandbox, 130);
    sandbox.fail(Route::GraphBatchItem, Times::Exactly(3), Fault::status(503));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("90 alerts were not completed") && !warnings.contains("fails"), "{warnings}");
    let items = seen(&sandbox, Route::GraphBatchItem);
    let different: std::collections::HashSet<_> = items.iter().map(|item| &item.key).collect();
    assert_eq!((items.len(), different.len()), (50, 47));
}

#[tokio::test]
async fn a_list_goes_on_with_nothing_new_where_graph_wants_no_call() {
    let sandbox = new_sandbox().await;
    many_alerts(&sandbox, 130);
    sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(429).with_header("Retry-After", "60"));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert_eq!(answer["counts"]["alerts"], 137);
    assert!(answer["warnings"].to_string().contains("Graph throttles, or fails: 1 alerts"));
    assert_eq!(seen(&sandbox, Route::GraphBatchItem).len(), 40);
}

#[tokio::test]
async fn a_batch_that_fails_leaves_its_rows() {
    for fault in [
        Fault::status(500),
        Fault::status(503),
        Fault::status(400),
        Fault::reset(),
        Fault::delay(Duration::from_secs(30)),
        Fault::body("<html>"),
        Fault::body(r#"{"responses":[]}"#),
    ] {
        let sandbox = new_sandbox().await;
        many_alerts(&sandbox, 23);
        // The second batch is well.
        sandbox.fail(Route::GraphBatch, Times::Once, fault.clone());
        sandbox.fail(Route::GraphBatch, Times::Once, Fault::default());
        sandbox.fail(Route::GraphBatch, Times::Always, fault.clone());
        let service = service(&sandbox, "graph", &[]).await;
        let answer = fast_forward(service.post(json!({"machine": MACHINE, "limit": 500}))).await.0.answer();
        assert_eq!(ids(&answer).len(), 30, "{fault:?}: {answer}");
        assert!(warnings(&answer).contains(&"partial"), "{fault:?}");
        let alerts = answer["alerts"].as_array().expect("alerts");
        let whole = alerts.iter().filter(|alert| alert["evidence_loaded"] == true).count();
        assert!((10..=20).contains(&whole), "{fault:?}: {whole}");
        assert!(seen(&sandbox, Route::GraphBatch).len() <= 4, "{fault:?}: three attempts of the one that fails");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_leaves_what_came() {
    let sandbox = new_sandbox().await;
    many_alerts(&sandbox, 23);
    sandbox.fail(Route::GraphBatch, Times::Once, Fault::status(403));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert_eq!(ids(&answer).len(), 30, "{answer}");
    assert!(warnings(&answer).contains(&"partial"));
}

#[tokio::test]
async fn an_item_that_is_locked_or_late_is_not_remembered_as_what_graph_keeps_back() {
    for status in [408, 409, 423] {
        let sandbox = new_sandbox().await;
        let service = service(&sandbox, "graph", &[]).await;
        sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(status).only_for(ALERT));
        let answer = service.post(json!({"machine": MACHINE})).await.answer();
        let text = answer["warnings"].to_string();
        assert!(text.contains("Graph throttles, or fails: 1 alerts"), "{status}: {text}");
        let again = service.post(json!({"machine": MACHINE})).await.answer();
        assert_eq!(warnings(&again), vec!["hunting_window"], "{status}");
    }
}

#[tokio::test]
async fn a_bad_moment_of_a_batch_is_hidden() {
    for fault in [Fault::status(500), Fault::status(503), Fault::reset()] {
        let sandbox = new_sandbox().await;
        sandbox.fail(Route::GraphBatch, Times::Once, fault.clone());
        let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
        assert_eq!(warnings(&answer), vec!["hunting_window"], "{fault:?}");
        assert_eq!(seen(&sandbox, Route::GraphBatch).len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_query_has_all_the_time_and_is_not_sent_again() {
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Hunting, Times::Once, Fault::delay(Duration::from_secs(8)));
    let service = service(&sandbox, "graph", &[]).await;
    let answer = fast_forward(service.post(json!({"machine": MACHINE}))).await.0.answer();
    assert_eq!(seen(&sandbox, Route::Hunting).len(), 1, "{answer}");
    sandbox.fail(Route::Hunting, Times::Once, Fault::delay(Duration::from_secs(30)));
    sandbox.forget();
    fast_forward(service.post(json!({"user": USER}))).await.0.problem(504, "upstream_timeout");
    assert_eq!(seen(&sandbox, Route::Hunting).len(), 1);
}

#[tokio::test]
async fn a_query_that_may_have_run_is_not_sent_again() {
    let sandbox = new_sandbox().await;
    for fault in [Fault::status(502), Fault::status(504), Fault::reset(), Fault::truncate(0.5), Fault::truncate(0.0)] {
        sandbox.forget();
        sandbox.fail(Route::Hunting, Times::Once, fault.clone());
        ask_graph(&sandbox, "machine", MACHINE).await.problem(503, "upstream_unavailable");
        assert_eq!(seen(&sandbox, Route::Hunting).len(), 1, "{fault:?}");
    }
    for fault in [Fault::status(503), Fault::status(429), Fault::status(401)] {
        sandbox.forget();
        sandbox.fail(Route::Hunting, Times::Once, fault.clone());
        assert_eq!(ask_graph(&sandbox, "machine", MACHINE).await.status, 200, "{fault:?}");
        assert_eq!(seen(&sandbox, Route::Hunting).len(), 2, "nothing was done about it: {fault:?}");
    }
}

#[tokio::test]
async fn an_item_that_is_throttled_is_asked_for_again() {
    let sandbox = new_sandbox().await;
    let throttled = Fault::status(429).with_header("rEtry-after", "0.3").only_for(ALERT);
    sandbox.fail(Route::GraphBatchItem, Times::Once, throttled.clone());
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert_eq!(warnings(&answer), ["hunting_window"]);
    let count = ids(&answer).len();
    assert_eq!(seen(&sandbox, Route::GraphBatchItem).len(), count + 1, "only the one is asked for again");

    sandbox.fail(Route::GraphBatchItem, Times::Always, throttled);
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert_eq!(ids(&answer).len(), count);
    assert!(warnings(&answer).contains(&"partial"));
}

#[tokio::test]
async fn a_500_of_an_item_is_tried_once_more_whenever_it_comes() {
    for (failures, tries, right) in [(&[503, 500][..], 3, 0), (&[500, 503], 3, 0), (&[500, 500], 2, 1)] {
        let sandbox = new_sandbox().await;
        for status in failures {
            sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(*status).only_for(ALERT));
        }
        let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
        let thin = warnings(&answer).iter().filter(|code| **code == "partial").count();
        let of_it = seen(&sandbox, Route::GraphBatchItem).iter().filter(|item| item.key == ALERT).count();
        assert_eq!((of_it, thin), (tries, right), "{failures:?}");
    }
}

#[tokio::test]
async fn what_only_hunting_sees_is_built_from_its_row() {
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404).only_for(ALERT));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert!(warnings(&answer).contains(&"partial"));
    let alerts = answer["alerts"].as_array().expect("alerts");
    let thin = alerts.iter().find(|alert| alert["id"] == ALERT).expect("the alert");
    assert_eq!(thin["title"], "Credentials read from the memory of LSASS");
    assert_eq!(
        (&thin["severity"], &thin["status"], &thin["verdict"]),
        (&json!("high"), &json!("unknown"), &json!("undetermined"))
    );
    assert_eq!(thin["techniques"], json!(["T1003.001", "T1059.001", "T1547.001"]));
    assert_eq!((&thin["evidence"], &thin["evidence_loaded"]), (&json!([]), &json!(false)));
    assert_eq!(thin["device"]["name"], MACHINE);
}

#[tokio::test]
async fn rows_that_name_no_alert_are_never_no_alerts() {
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(r#"{"results":[{"Title":"x"},{}]}"#));
    ask_graph(&sandbox, "machine", MACHINE).await.problem(502, "upstream_malformed");
    sandbox.mend();
    let row = json!({"results": [{"AlertId": ALERT}, {"Title": "x"}]}).to_string();
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(row));
    let answer = ask_graph(&sandbox, "user", USER).await.answer();
    assert_eq!(ids(&answer), vec![ALERT]);
    assert!(warnings(&answer).contains(&"partial"), "{:?}", warnings(&answer));
}

#[tokio::test]
async fn an_item_about_another_alert_is_not_taken_for_this() {
    let sandbox = new_sandbox().await;
    let other = json!({"id": "da1_1", "title": "Another", "severity": "high"}).to_string();
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(other).only_for(ALERT));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert!(warnings(&answer).contains(&"partial"));
    assert!(ids(&answer).contains(&ALERT));
    assert!(!answer.to_string().contains("Another"), "{answer}");
}

#[tokio::test]
async fn more_than_enough_is_not_read() {
    let sandbox = new_sandbox().await;
    many_alerts(&sandbox, 100);
    let large = json!({"id": "da1_1", "description": "x".repeat(600 << 10)}).to_string();
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(large));
    sandbox.set_graph_quota(1000, 1000);
    let service = service(&sandbox, "graph", &[("QUOTA_PER_MINUTE", "1000"), ("ENRICH_TIMEOUT_MS", "120000")]).await;
    let answer = service.post(json!({"machine": MACHINE, "limit": 500})).await.answer();
    assert_eq!(ids(&answer).len(), 107);
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("Enough was read: 47 alerts"), "{warnings}");
}

#[tokio::test]
async fn an_alert_that_would_take_far_more_memory_than_its_length_is_shown_as_hunting_tells() {
    let sandbox = new_sandbox().await;
    let items = vec!["{}"; 200 << 10].join(",");
    let large = format!(r#"{{"id":"{ALERT}","evidence":[{items}]}}"#);
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(large).only_for(ALERT));
    let answer = ask_graph(&sandbox, "machine", MACHINE).await.answer();
    assert!(ids(&answer).contains(&ALERT));
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("Enough was read: 1 alerts"), "{warnings}");
    assert!(!warnings.contains("Not given out"), "{warnings}");
}

#[tokio::test]
async fn our_own_quota_makes_an_answer_partial_and_then_refuses() {
    let sandbox = new_sandbox().await;
    let service = service(&sandbox, "graph", &[("QUOTA_PER_MINUTE", "3"), NO_CACHE]).await;
    let answer = service.post(json!({"machine": MACHINE})).await.answer();
    assert!(warnings(&answer).contains(&"partial"));
    assert_eq!(seen(&sandbox, Route::GraphBatchItem).len(), 1, "a third of the minute");
    for _ in 0..2 {
        service.post(json!({"machine": QUIET_MACHINE})).await;
    }
    service.post(json!({"machine": QUIET_MACHINE})).await.problem(429, "throttled");
}

#[tokio::test]
async fn a_name_is_said_to_be_the_device_that_its_alerts_are_about() {
    let sandbox = new_sandbox().await;
    for name in [MACHINE, "DESK-042"] {
        let answer = ask_graph(&sandbox, "machine", name).await.answer();
        let id = answer["id"].as_str().expect("an id").to_owned();
        assert_eq!(id.len(), 40, "{name}");
        assert_eq!(answer["resolution"], json!([{"step": "machine_name_to_id", "from": name, "to": id}]));
        assert!(answer["url"].as_str().is_some_and(|url| url.contains(&id)));
    }
    let nobody = ask_graph(&sandbox, "machine", "no-such-host").await.answer();
    assert_eq!((&nobody["found"], &nobody["id"]), (&json!(false), &json!("no-such-host")));
    assert_eq!((&nobody["url"], warnings(&nobody)), (&json!(null), vec!["unknown_or_no_alerts", "hunting_window"]));
}

#[tokio::test]
async fn of_two_devices_of_a_name_the_one_of_the_newest_alert_is_taken() {
    let sandbox = new_sandbox().await;
    let answer = ask_graph(&sandbox, "machine", REIMAGED_MACHINE).await.answer();
    assert!(warnings(&answer).contains(&"several_devices_match"), "{:?}", warnings(&answer));
    let id = answer["id"].clone();
    let alerts = answer["alerts"].as_array().expect("alerts");
    assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert["device"]["id"] == id));
}

#[tokio::test]
async fn every_way_to_name_an_account_or_a_file_stands_in_the_query() {
    let sandbox = new_sandbox().await;
    let (sid, directory_id) = sandbox.company(|company| {
        let user = company.users.iter().find(|user| user.principal_name.as_deref() == Some(USER)).expect("Dana");
        (user.sid.clone(), user.directory_id.clone().expect("an object id"))
    });
    let by_upn = ask_graph(&sandbox, "user", USER).await.answer();
    assert_eq!(by_upn["id"], USER);
    for name in [sid.as_str(), &directory_id, "CONTOSO\\dana.reyes"] {
        let answer = ask_graph(&sandbox, "user", name).await.answer();
        assert_eq!(ids(&answer), ids(&by_upn), "{name}");
    }
    let by_name = ask_graph(&sandbox, "user", "dana.reyes").await.answer();
    assert!(ids(&by_name).len() > ids(&by_upn).len());
    let (sha256, sha1) = (
        ask_graph(&sandbox, "file_hash", FILE).await.answer(),
        ask_graph(&sandbox, "file_hash", FILE_SHA1).await.answer(),
    );
    assert_eq!(ids(&sha256), ids(&sha1));
    assert_eq!((&sha256["id"], &sha1["id"]), (&json!(FILE), &json!(FILE_SHA1)));
    assert!(seen(&sandbox, Route::Machines).is_empty() && seen(&sandbox, Route::File).is_empty());
}

#[tokio::test]
async fn raw_is_the_list_of_alert_bodies() {
    let sandbox = new_sandbox().await;
    let service = service(&sandbox, "graph", &[]).await;
    let answer = service.post(json!({"machine": MACHINE, "include": "raw", "limit": 500})).await.answer();
    let raw = answer["raw"].as_array().expect("a list");
    assert_eq!(raw.len(), ids(&answer).len());
    assert!(raw.iter().all(|body| body["evidence"].is_array()));
}

#[tokio::test]
async fn what_fails_when_it_is_asked_for_again_leaves_the_rest_whole() {
    let sandbox = new_sandbox().await;
    let throttled = Fault::status(429).with_header("Retry-After", "1").only_for(ALERT);
    sandbox.fail(Route::GraphBatchItem, Times::Always, throttled);
    // The first batch is answered; the one that asks for the throttled item again hangs.
    sandbox.fail(Route::GraphBatch, Times::Once, Fault::default());
    sandbox.fail(Route::GraphBatch, Times::Always, Fault::delay(Duration::from_secs(30)));
    let service = service(&sandbox, "graph", &[("ENRICH_TIMEOUT_MS", "10000")]).await;
    let answer = fast_forward(service.post(json!({"machine": MACHINE}))).await.0.answer();
    assert!(warnings(&answer).contains(&"partial"));
    let alerts = answer["alerts"].as_array().expect("alerts");
    let thin: Vec<_> =
        alerts.iter().filter(|alert| alert["evidence_loaded"] == false).map(|alert| &alert["id"]).collect();
    assert_eq!(thin, [ALERT]);
}
