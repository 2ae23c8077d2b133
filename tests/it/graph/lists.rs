//! Lists: one query, then batches.

use std::time::Duration;

use defender_sandbox::company::showcase;
use defender_sandbox::{Fault, GRAPH_AUDIENCE, Route, Sandbox, Service, Times};
use serde_json::json;

use super::support::{ask, ask_graph, asked, many_alerts, service};
use crate::harness::hasten;

#[tokio::test]
async fn a_list_is_one_query_and_batches_of_twenty_with_one_token() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    many_alerts(&sandbox, 43);
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let count = answer.alert_ids().len();
    assert!(count > 43 && answer.warnings() == ["hunting_window"], "{count}, {:?}", answer.warnings());
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 1);
    assert_eq!(asked(&sandbox, Route::GraphBatch).len(), count.div_ceil(20));
    let items = asked(&sandbox, Route::GraphBatchItem);
    assert_eq!(items.len(), count);
    assert!(items.iter().all(|item| item.header("prefer") == Some("include-unknown-enum-members")));
    let tokens: Vec<_> = asked(&sandbox, Route::Token).into_iter().map(|token| token.key).collect();
    assert_eq!(tokens, [GRAPH_AUDIENCE]);
    assert!(!sandbox.seen().iter().any(|seen| matches!(seen.service, Service::Defender | Service::Xdr)));
}

#[tokio::test]
async fn the_newest_two_hundred_are_completed_and_more_are_told() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.set_graph_quota(1000, 1000);
    many_alerts(&sandbox, 230);
    let service = service(&sandbox, "graph", &[("QUOTA_PER_MINUTE", "1000"), ("QUOTA_PER_HOUR", "10000")]);
    let answer = ask(&service, json!({"machine": showcase::MACHINE, "limit": 500})).await;
    assert_eq!(answer.body["counts"]["alerts"], 200);
    assert!(answer.warnings().contains(&"partial"));
}

#[tokio::test]
async fn a_list_spends_a_third_of_the_minute_on_its_newest_alerts() {
    for (settings, most) in [
        (&[][..], 50),
        (&[("QUOTA_SHARE", "3")], 16),
        (&[("QUOTA_PER_MINUTE", "90")], 30),
        (&[("QUOTA_SHARE", "3"), ("QUOTA_PER_MINUTE", "90")], 30),
    ] {
        let sandbox = Sandbox::start().await.expect("a sandbox");
        many_alerts(&sandbox, 130);
        let service = service(&sandbox, "graph", settings);
        let answer = ask(&service, json!({"machine": showcase::MACHINE, "limit": 5})).await;
        assert_eq!((answer.status, &answer.body["counts"]["alerts"]), (200, &json!(137)), "{}", answer.body);
        assert!(answer.warnings().contains(&"partial"), "{:?}", answer.warnings());
        assert_eq!(asked(&sandbox, Route::GraphBatchItem).len(), most, "{settings:?}");
    }
}

#[tokio::test]
async fn a_list_that_spends_its_third_can_still_try_again() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    many_alerts(&sandbox, 130);
    sandbox.fail(Route::GraphBatchItem, Times::Exactly(3), Fault::status(503));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    let warnings = answer.body["warnings"].to_string();
    assert_eq!(answer.status, 200);
    assert!(warnings.contains("90 alerts were not completed") && !warnings.contains("fails"), "{warnings}");
    let items = asked(&sandbox, Route::GraphBatchItem);
    let different: std::collections::HashSet<_> = items.iter().map(|item| &item.key).collect();
    assert_eq!((items.len(), different.len()), (50, 47));
}

#[tokio::test]
async fn a_list_goes_on_with_nothing_new_where_graph_wants_no_call() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    many_alerts(&sandbox, 130);
    sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(429).with_header("Retry-After", "60"));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!((answer.status, &answer.body["counts"]["alerts"]), (200, &json!(137)));
    assert!(answer.body["warnings"].to_string().contains("Graph throttles, or fails: 1 alerts"));
    assert_eq!(asked(&sandbox, Route::GraphBatchItem).len(), 40);
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
        let sandbox = Sandbox::start().await.expect("a sandbox");
        many_alerts(&sandbox, 23);
        // The second batch is well.
        sandbox.fail(Route::GraphBatch, Times::Once, fault.clone());
        sandbox.fail(Route::GraphBatch, Times::Once, Fault::default());
        sandbox.fail(Route::GraphBatch, Times::Always, fault.clone());
        let service = service(&sandbox, "graph", &[]);
        let (answer, _) = hasten(ask(&service, json!({"machine": showcase::MACHINE, "limit": 500}))).await;
        assert_eq!((answer.status, answer.alert_ids().len()), (200, 30), "{fault:?}: {}", answer.body);
        assert!(answer.warnings().contains(&"partial"), "{fault:?}");
        let alerts = answer.body["alerts"].as_array().expect("alerts");
        let whole = alerts.iter().filter(|alert| alert["evidence_loaded"] == true).count();
        assert!((10..=20).contains(&whole), "{fault:?}: {whole}");
        assert!(asked(&sandbox, Route::GraphBatch).len() <= 4, "{fault:?}: three attempts of the one that fails");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_leaves_what_came() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    many_alerts(&sandbox, 23);
    sandbox.fail(Route::GraphBatch, Times::Once, Fault::status(403));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!((answer.status, answer.alert_ids().len()), (200, 30), "{}", answer.body);
    assert!(answer.warnings().contains(&"partial"));
}

#[tokio::test]
async fn an_item_that_is_locked_or_late_is_not_remembered_as_what_graph_keeps_back() {
    for status in [408, 409, 423] {
        let sandbox = Sandbox::start().await.expect("a sandbox");
        let service = service(&sandbox, "graph", &[]);
        sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(status).only_for(showcase::ALERT));
        let answer = ask(&service, json!({"machine": showcase::MACHINE})).await;
        let warnings = answer.body["warnings"].to_string();
        assert!(warnings.contains("Graph throttles, or fails: 1 alerts"), "{status}: {warnings}");
        let again = ask(&service, json!({"machine": showcase::MACHINE})).await;
        assert_eq!((again.status, again.warnings()), (200, vec!["hunting_window"]), "{status}");
    }
}

#[tokio::test]
async fn a_bad_moment_of_a_batch_is_hidden() {
    for fault in [Fault::status(500), Fault::status(503), Fault::reset()] {
        let sandbox = Sandbox::start().await.expect("a sandbox");
        sandbox.fail(Route::GraphBatch, Times::Once, fault.clone());
        let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
        assert_eq!((answer.status, answer.warnings()), (200, vec!["hunting_window"]), "{fault:?}");
        assert_eq!(asked(&sandbox, Route::GraphBatch).len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_query_has_all_the_time_and_is_not_sent_again() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.fail(Route::Hunting, Times::Once, Fault::delay(Duration::from_secs(8)));
    let service = service(&sandbox, "graph", &[]);
    let (answer, _) = hasten(ask(&service, json!({"machine": showcase::MACHINE}))).await;
    assert_eq!((answer.status, asked(&sandbox, Route::Hunting).len()), (200, 1), "{}", answer.body);
    sandbox.fail(Route::Hunting, Times::Once, Fault::delay(Duration::from_secs(30)));
    sandbox.forget();
    let (answer, _) = hasten(ask(&service, json!({"user": showcase::USER}))).await;
    assert_eq!((answer.status, &answer.body["code"]), (504, &json!("upstream_timeout")), "{}", answer.body);
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 1);
}

#[tokio::test]
async fn a_query_that_may_have_run_is_not_sent_again() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for fault in [Fault::status(502), Fault::status(504), Fault::reset(), Fault::truncate(0.5), Fault::truncate(0.0)] {
        sandbox.forget();
        sandbox.fail(Route::Hunting, Times::Once, fault.clone());
        let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("upstream_unavailable")), "{fault:?}");
        assert_eq!(asked(&sandbox, Route::Hunting).len(), 1, "{fault:?}");
    }
    for fault in [Fault::status(503), Fault::status(429), Fault::status(401)] {
        sandbox.forget();
        sandbox.fail(Route::Hunting, Times::Once, fault.clone());
        assert_eq!(ask_graph(&sandbox, "machine", showcase::MACHINE).await.status, 200, "{fault:?}");
        assert_eq!(asked(&sandbox, Route::Hunting).len(), 2, "nothing was done about it: {fault:?}");
    }
}

#[tokio::test]
async fn an_item_that_is_throttled_is_asked_for_again() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let throttled = Fault::status(429).with_header("rEtry-after", "0.3").only_for(showcase::ALERT);
    sandbox.fail(Route::GraphBatchItem, Times::Once, throttled.clone());
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!(answer.warnings(), ["hunting_window"]);
    let count = answer.alert_ids().len();
    assert_eq!(asked(&sandbox, Route::GraphBatchItem).len(), count + 1, "only the one is asked for again");

    sandbox.fail(Route::GraphBatchItem, Times::Always, throttled);
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!((answer.status, answer.alert_ids().len()), (200, count));
    assert!(answer.warnings().contains(&"partial"));
}

#[tokio::test]
async fn a_500_of_an_item_is_tried_once_more_whenever_it_comes() {
    for (failures, tries, right) in [(&[503, 500][..], 3, 0), (&[500, 503], 3, 0), (&[500, 500], 2, 1)] {
        let sandbox = Sandbox::start().await.expect("a sandbox");
        for status in failures {
            sandbox.fail(Route::GraphBatchItem, Times::Once, Fault::status(*status).only_for(showcase::ALERT));
        }
        let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
        let thin = answer.warnings().iter().filter(|code| **code == "partial").count();
        let of_it = asked(&sandbox, Route::GraphBatchItem).iter().filter(|item| item.key == showcase::ALERT).count();
        assert_eq!((answer.status, of_it, thin), (200, tries, right), "{failures:?}");
    }
}

#[tokio::test]
async fn what_only_hunting_sees_is_built_from_its_row() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404).only_for(showcase::ALERT));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert!(answer.warnings().contains(&"partial"));
    let alerts = answer.body["alerts"].as_array().expect("alerts");
    let thin = alerts.iter().find(|alert| alert["id"] == showcase::ALERT).expect("the alert");
    assert_eq!(thin["title"], "Credentials read from the memory of LSASS");
    assert_eq!(
        (&thin["severity"], &thin["status"], &thin["verdict"]),
        (&json!("high"), &json!("unknown"), &json!("undetermined"))
    );
    assert_eq!(thin["techniques"], json!(["T1003.001", "T1059.001", "T1547.001"]));
    assert_eq!((&thin["evidence"], &thin["evidence_loaded"]), (&json!([]), &json!(false)));
    assert_eq!(thin["device"]["name"], showcase::MACHINE);
}

#[tokio::test]
async fn rows_that_name_no_alert_are_never_no_alerts() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(r#"{"results":[{"Title":"x"},{}]}"#));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert_eq!((answer.status, &answer.body["code"]), (502, &json!("upstream_malformed")));
    sandbox.mend();
    let row = json!({"results": [{"AlertId": showcase::ALERT}, {"Title": "x"}]}).to_string();
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(row));
    let answer = ask_graph(&sandbox, "user", showcase::USER).await;
    assert_eq!((answer.status, answer.alert_ids()), (200, vec![showcase::ALERT]));
    assert!(answer.warnings().contains(&"partial"), "{:?}", answer.warnings());
}

#[tokio::test]
async fn an_item_about_another_alert_is_not_taken_for_this() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let other = json!({"id": "da1_1", "title": "Another", "severity": "high"}).to_string();
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(other).only_for(showcase::ALERT));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert!(answer.warnings().contains(&"partial"));
    assert!(answer.alert_ids().contains(&showcase::ALERT));
    assert!(!answer.body.to_string().contains("Another"), "{}", answer.body);
}

#[tokio::test]
async fn more_than_enough_is_not_read() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    many_alerts(&sandbox, 100);
    let large = json!({"id": "da1_1", "description": "x".repeat(600 << 10)}).to_string();
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(large));
    sandbox.set_graph_quota(1000, 1000);
    let service = service(&sandbox, "graph", &[("QUOTA_PER_MINUTE", "1000"), ("ENRICH_TIMEOUT_MS", "120000")]);
    let answer = ask(&service, json!({"machine": showcase::MACHINE, "limit": 500})).await;
    assert_eq!((answer.status, answer.alert_ids().len()), (200, 107));
    let warnings = answer.body["warnings"].to_string();
    assert!(warnings.contains("Enough was read: 47 alerts"), "{warnings}");
}

#[tokio::test]
async fn an_alert_that_would_take_far_more_memory_than_its_length_is_shown_as_hunting_tells() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let items = vec!["{}"; 200 << 10].join(",");
    let large = format!(r#"{{"id":"{}","evidence":[{items}]}}"#, showcase::ALERT);
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::body(large).only_for(showcase::ALERT));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    assert!(answer.alert_ids().contains(&showcase::ALERT));
    let warnings = answer.body["warnings"].to_string();
    assert!(warnings.contains("Enough was read: 1 alerts"), "{warnings}");
    assert!(!warnings.contains("Not given out"), "{warnings}");
}

#[tokio::test]
async fn our_own_quota_makes_an_answer_partial_and_then_refuses() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let service = service(&sandbox, "graph", &[("QUOTA_PER_MINUTE", "3"), ("CACHE_TTL_S", "0")]);
    let answer = ask(&service, json!({"machine": showcase::MACHINE})).await;
    assert_eq!(answer.status, 200);
    assert!(answer.warnings().contains(&"partial"));
    assert_eq!(asked(&sandbox, Route::GraphBatchItem).len(), 1, "a third of the minute");
    for _ in 0..2 {
        ask(&service, json!({"machine": showcase::QUIET_MACHINE})).await;
    }
    let answer = ask(&service, json!({"machine": showcase::QUIET_MACHINE})).await;
    assert_eq!((answer.status, &answer.body["code"]), (429, &json!("throttled")));
}

#[tokio::test]
async fn a_name_is_said_to_be_the_device_that_its_alerts_are_about() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for name in [showcase::MACHINE, "DESK-042"] {
        let answer = ask_graph(&sandbox, "machine", name).await;
        let id = answer.body["id"].as_str().expect("an id").to_owned();
        assert_eq!(id.len(), 40, "{name}");
        assert_eq!(answer.body["resolution"], json!([{"step": "machine_name_to_id", "from": name, "to": id}]));
        assert!(answer.body["url"].as_str().is_some_and(|url| url.contains(&id)));
    }
    let nobody = ask_graph(&sandbox, "machine", "no-such-host").await;
    assert_eq!(
        (nobody.status, &nobody.body["found"], &nobody.body["id"]),
        (200, &json!(false), &json!("no-such-host"))
    );
    assert_eq!(
        (&nobody.body["url"], nobody.warnings()),
        (&json!(null), vec!["unknown_or_no_alerts", "hunting_window"])
    );
}

#[tokio::test]
async fn of_two_devices_of_a_name_the_one_of_the_newest_alert_is_taken() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let answer = ask_graph(&sandbox, "machine", showcase::REIMAGED_MACHINE).await;
    assert!(answer.warnings().contains(&"several_devices_match"), "{:?}", answer.warnings());
    let id = answer.body["id"].clone();
    let alerts = answer.body["alerts"].as_array().expect("alerts");
    assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert["device"]["id"] == id));
}

#[tokio::test]
async fn every_way_to_name_an_account_or_a_file_stands_in_the_query() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let (sid, directory_id) = sandbox.company(|company| {
        let user =
            company.users.iter().find(|user| user.principal_name.as_deref() == Some(showcase::USER)).expect("Dana");
        (user.sid.clone(), user.directory_id.clone().expect("an object id"))
    });
    let by_upn = ask_graph(&sandbox, "user", showcase::USER).await;
    assert_eq!(by_upn.body["id"], showcase::USER);
    for name in [sid.as_str(), &directory_id, "CONTOSO\\dana.reyes"] {
        let answer = ask_graph(&sandbox, "user", name).await;
        assert_eq!(answer.alert_ids(), by_upn.alert_ids(), "{name}");
    }
    assert!(ask_graph(&sandbox, "user", "dana.reyes").await.alert_ids().len() > by_upn.alert_ids().len());
    let (sha256, sha1) = (
        ask_graph(&sandbox, "file_hash", showcase::FILE).await,
        ask_graph(&sandbox, "file_hash", showcase::FILE_SHA1).await,
    );
    assert_eq!(sha256.alert_ids(), sha1.alert_ids());
    assert_eq!((&sha256.body["id"], &sha1.body["id"]), (&json!(showcase::FILE), &json!(showcase::FILE_SHA1)));
    assert!(asked(&sandbox, Route::Machines).is_empty() && asked(&sandbox, Route::File).is_empty());
}

#[tokio::test]
async fn raw_is_the_list_of_alert_bodies() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let service = service(&sandbox, "graph", &[]);
    let answer = ask(&service, json!({"machine": showcase::MACHINE, "include": "raw", "limit": 500})).await;
    let raw = answer.body["raw"].as_array().expect("a list");
    assert_eq!(raw.len(), answer.alert_ids().len());
    assert!(raw.iter().all(|body| body["evidence"].is_array()));
}

#[tokio::test]
async fn what_fails_when_it_is_asked_for_again_leaves_the_rest_whole() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let throttled = Fault::status(429).with_header("Retry-After", "1").only_for(showcase::ALERT);
    sandbox.fail(Route::GraphBatchItem, Times::Always, throttled);
    // The first batch is answered; the one that asks for the throttled item again hangs.
    sandbox.fail(Route::GraphBatch, Times::Once, Fault::default());
    sandbox.fail(Route::GraphBatch, Times::Always, Fault::delay(Duration::from_secs(30)));
    let service = service(&sandbox, "graph", &[("ENRICH_TIMEOUT_MS", "10000")]);
    let (answer, _) = hasten(ask(&service, json!({"machine": showcase::MACHINE}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.warnings().contains(&"partial"));
    let alerts = answer.body["alerts"].as_array().expect("alerts");
    let thin: Vec<_> =
        alerts.iter().filter(|alert| alert["evidence_loaded"] == false).map(|alert| &alert["id"]).collect();
    assert_eq!(thin, [showcase::ALERT]);
}
