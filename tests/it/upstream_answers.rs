//! Answers that come, but are not what was asked for: told as such, never remembered, never too much for the memory.

use defender_sandbox::{Encoding, Fault, Route, Times};
use serde_json::{Value, json};

use crate::client::{ids, warnings};
use crate::harness::{ALERT, DESK_042, FILE, INCIDENT, MACHINE, NO_QUOTA, World, dense_alert};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_body_that_is_no_document_is_malformed_and_not_remembered() {
    let world = World::with(NO_QUOTA).await;
    let deep = format!("{{\"id\":\"{ALERT}\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b" ".to_vec(),
        b"<!DOCTYPE html><title>Sign in</title>".to_vec(),
        b"null".to_vec(),
        b"7".to_vec(),
        b"\"text\"".to_vec(),
        b"[]".to_vec(),
        b"{".to_vec(),
        b"{} {}".to_vec(),
        b"{\"id\":NaN}".to_vec(),
        b"{\"id\":\"\xff\xfe\"}".to_vec(),
        "\u{feff}{}".into(),
        b"{}".to_vec(),
        b"{\"id\":null}".to_vec(),
        b"{\"error\":{\"code\":\"Busy\"}}".to_vec(),
    ];
    for body in bodies {
        world.sandbox.forget();
        let shown = String::from_utf8_lossy(&body).into_owned();
        world.sandbox.fail(Route::Alert, Times::Once, Fault::body(body).with_content_type("text/html"));
        let heard = world.alert(ALERT).await;
        assert_eq!(heard.problem(502, "upstream_malformed")["status"], 502, "{shown}");
        assert_eq!(world.calls(Route::Alert), 1, "{shown}");
    }
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(deep));
    let heard = world.alert(ALERT).await;
    assert!(heard.status == 502 || heard.answer()["alerts"][0]["extra"].get("x").is_none());
    world.sandbox.forget();
    assert_eq!(world.alert(ALERT).await.answer()["found"], true);
}

#[tokio::test]
async fn a_list_that_is_none_is_not_taken_for_no_alerts() {
    let world = World::with(NO_QUOTA).await;
    for body in [
        json!({}),
        json!({"value": null}),
        json!({"value": {}}),
        json!({"value": "none"}),
        json!({"value": [7]}),
        json!({"value": [null]}),
        json!({"value": [["a"]]}),
        json!([dense_alert(ALERT)]),
        json!({"Value": []}),
    ] {
        world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::body(body.to_string()));
        let heard = world.post(json!({"machine": DESK_042})).await;
        assert_eq!(heard.problem(502, "upstream_malformed")["status"], 502, "{body}");
    }
    for (route, subject) in [
        (Route::Machines, json!({"machine": MACHINE})),
        (Route::File, json!({"file_hash": FILE})),
        (Route::Incident, json!({"incident_id": INCIDENT})),
    ] {
        world.sandbox.fail(route, Times::Once, Fault::body("[]"));
        world.post(subject.clone()).await.problem(502, "upstream_malformed");
        world.post(subject).await.answer();
    }
}

#[tokio::test]
async fn an_answer_about_another_subject_is_marked_and_not_remembered() {
    let world = World::start().await;
    let other = dense_alert("da639305030987220239_1364969609").to_string();
    world.sandbox.fail(Route::Alert, Times::Once, Fault::body(other));
    let marked = world.alert(ALERT).await.answer();
    assert_eq!(warnings(&marked), ["another_subject"]);
    let right = world.alert(ALERT).await.answer();
    assert_eq!((ids(&right), warnings(&right)), (vec![ALERT], vec![]));
    world.sandbox.fail(
        Route::Incident,
        Times::Once,
        Fault::body(json!({"incidentId": 3085, "alerts": []}).to_string()),
    );
    assert_eq!(warnings(&world.incident(INCIDENT).await.answer()), ["another_subject"]);
    let right = world.incident(INCIDENT).await.answer();
    assert_eq!((&right["incident"]["id"], warnings(&right)), (&json!(INCIDENT), vec![]));
    let file = json!({"sha1": "a".repeat(40), "sha256": "b".repeat(64)});
    world.sandbox.fail(Route::File, Times::Once, Fault::body(file.to_string()));
    world.post(json!({"file_hash": FILE})).await.problem(502, "upstream_malformed");
    assert_eq!(world.calls(Route::FileAlerts), 0);
    world.post(json!({"file_hash": FILE})).await.answer();
}

#[tokio::test]
async fn more_than_sixteen_mebibytes_are_not_read() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "120000")]).await;
    let large = vec![b' '; 17 * MIB];
    for fault in [
        Fault::body(large.clone()),
        Fault { truncate: Some(0.01), ..Fault::body(large.clone()) },
        Fault { encoding: Some(Encoding::Gzip), ..Fault::body(large) },
    ] {
        world.sandbox.fail(Route::Alert, Times::Once, fault);
        world.alert(ALERT).await.problem(502, "upstream_too_large");
    }
    assert_eq!(world.calls(Route::Alert), 3, "what is too large is not asked for again");
}

#[tokio::test]
async fn a_compressed_answer_reads_like_any_other() {
    let world = World::with(&[("CACHE_TTL_S", "0")]).await;
    let plain = world.alert(ALERT).await.answer()["alerts"].clone();
    for encoding in [Encoding::Gzip, Encoding::Deflate] {
        world.sandbox.fail(Route::Alert, Times::Once, Fault::encoding(encoding));
        assert_eq!(world.alert(ALERT).await.answer()["alerts"], plain, "{encoding:?}");
    }
    for seen in world.seen(Route::Alert) {
        assert!(seen.header("accept-encoding").unwrap().contains("gzip"));
    }
    let lie = Fault::body("this is not compressed").with_header("Content-Encoding", "gzip");
    world.sandbox.fail(Route::Alert, Times::Once, lie);
    world.alert(ALERT).await.problem(502, "upstream_malformed");
}

#[tokio::test]
async fn a_huge_honest_answer_is_capped_and_marked() {
    let world = World::start().await;
    let filler = "x".repeat(20_000);
    let alerts: Vec<Value> = (0..500)
        .map(|number| crate::harness::alert_with(&format!("da{number:018}_1"), json!({"description": filler})))
        .collect();
    world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::body(json!({"value": alerts}).to_string()));
    let heard = world.post(json!({"machine": DESK_042, "limit": 500, "include": "raw"})).await;
    let answer = heard.answer();
    assert!(heard.body.len() < 5_000_000, "{}", heard.body.len());
    assert_eq!((&answer["counts"]["alerts"], &answer["truncated"]), (&json!(500), &json!(true)));
    assert!(answer.get("raw").is_none());
    assert_eq!(warnings(&answer), ["answer_capped", "answer_capped"]);
    let listed = answer["alerts"].as_array().unwrap().len();
    assert!((100..500).contains(&listed), "{listed}");
}

#[tokio::test]
async fn what_defender_says_in_an_error_reaches_nobody() {
    let world = World::start().await;
    let body = json!({"error": {"code": "Busy", "message": "CANARY tenant 25278a73 is over quota"}}).to_string();
    for (status, code, told) in [
        (400, "upstream_error", 502),
        (403, "upstream_forbidden", 502),
        (429, "throttled", 429),
        (503, "upstream_unavailable", 503),
    ] {
        let world = World::around(world.sandbox.clone(), &[]).await;
        let fault = Fault::status(status).with_body(body.clone()).with_header("Retry-After", "60");
        world.sandbox.fail(Route::Alert, Times::Once, fault);
        let heard = world.alert(ALERT).await;
        heard.problem(told, code);
        assert!(!heard.text().contains("CANARY") && !heard.text().contains("25278a73"), "{}", heard.text());
    }
}
