//! What one request may hold: the items of a batch share it, and what a body is made into counts as well as its bytes.

use std::iter;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::warnings;
use crate::harness::{
    DESK_042, Encoding, FILE, FILE_SHA1, Fault, MACHINE, PATIENT, Route, Times, USER, World, alert_with, dense_alert,
    fast_forward,
};

const MIB: usize = 1 << 20;

/// A list of alerts of a hundred kibibytes each, of about this length.
fn list(length: usize) -> String {
    let alert = |number| alert_with(&format!("da{number:018}_1"), json!({"description": "x".repeat(100 << 10)}));
    let alerts: Vec<Value> = (0..length / (100 << 10)).map(alert).collect();
    json!({"value": alerts}).to_string()
}

fn users(count: usize) -> Value {
    (0..count).map(|number| json!({"user": format!("user{number}"), "limit": 1})).collect()
}

fn outcomes(answer: &Value) -> Vec<(u64, Option<&str>)> {
    let outcome = |item| {
        let item: &Value = item;
        (item["status"].as_u64().expect("a status"), item["problem"]["code"].as_str())
    };
    answer["results"].as_array().expect("results").iter().map(outcome).collect()
}

#[tokio::test]
async fn large_answers_of_a_batch_have_their_turn_one_after_the_other() {
    for changes in [&[&[("CACHE_TTL_S", "0")], PATIENT].concat()[..], PATIENT] {
        let world = World::with(changes).await;
        world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(list(4 * MIB)));
        let answer = world.batch(json!({"requests": users(16)})).await.answer();
        assert_eq!(outcomes(&answer), [(200, None); 16], "64 MiB in all: more than may be held at a time");
    }
}

#[tokio::test]
async fn equal_subjects_cost_one_call_also_where_their_answers_are_large() {
    for ttl in ["60", "0"] {
        let world = World::with(&[&[("CACHE_TTL_S", ttl)], PATIENT].concat()).await;
        for route in [Route::UserAlerts, Route::MachineAlerts, Route::FileAlerts] {
            world.sandbox.fail(route, Times::Always, Fault::body(list(4 * MIB)));
        }
        let mut requests = vec![
            json!({"machine": DESK_042}),
            json!({"file_hash": FILE_SHA1}),
            json!({"user": USER}),
            json!({"user": "dana.reyes"}),
            json!({"user": "CONTOSO\\DANA.REYES"}),
        ];
        requests.extend(users(10).as_array().expect("a list").iter().cloned());
        requests.extend([json!({"machine": MACHINE}), json!({"file_hash": FILE}), json!({"user": USER})]);
        let count = requests.len();
        let answer = world.batch(json!({"requests": requests, "limit": 1})).await.answer();
        assert_eq!(outcomes(&answer), vec![(200, None); count]);
        let calls = [Route::MachineAlerts, Route::FileAlerts, Route::UserAlerts].map(|route| world.calls(route));
        assert_eq!(calls, [1, 1, 11], "CACHE_TTL_S={ttl}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_resolved_keeps_no_other_item_from_its_answer() {
    let world = World::with(&[("CACHE_TTL_S", "0"), ("ENRICH_TIMEOUT_MS", "20000")]).await;
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(list(MIB)));
    world.sandbox.fail(Route::Machines, Times::Always, Fault::delay(Duration::from_secs(60)));
    let requests = json!([{"machine": MACHINE}, {"user": "user1"}]);
    let (response, _) = fast_forward(world.batch(json!({"requests": requests, "limit": 1}))).await;
    assert_eq!(outcomes(&response.answer()), [(504, Some("upstream_timeout")), (200, None)]);
}

#[tokio::test]
async fn a_body_of_unannounced_length_counts_as_well() {
    let world = World::with(PATIENT).await;
    let compressed = Fault::encoding(Encoding::Gzip).with_body(list(6 * MIB));
    world.sandbox.fail(Route::UserAlerts, Times::Always, compressed);
    let answer = world.batch(json!({"requests": users(10)})).await.answer();
    assert_eq!(outcomes(&answer), [(200, None); 10]);
    world.sandbox.mend();
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::encoding(Encoding::Gzip).with_body(list(17 * MIB)));
    world.post(json!({"user": "user20"})).await.problem(502, "upstream_too_large");
}

#[tokio::test]
async fn large_answers_that_are_wanted_whole_and_too_long_together_get_their_shares() {
    let world = World::with(PATIENT).await;
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(list(2 * MIB)));
    let requests: Vec<Value> = (0..5).map(|number| json!({"user": format!("user{number}"), "limit": 500})).collect();
    let response = world.batch(json!({"requests": requests})).await;
    let answer = response.answer();
    assert!(response.body.len() < 5_000_000, "{}", response.body.len());
    assert_eq!(outcomes(&answer), [(200, None); 5]);
    for item in answer["results"].as_array().expect("results") {
        assert_eq!(warnings(&item["enrichment"]), ["answer_capped"]);
        assert_eq!(item["enrichment"]["counts"]["alerts"], 20);
    }
}

#[tokio::test]
async fn what_would_be_made_of_a_body_counts() {
    let world = World::with(PATIENT).await;
    let repeated = |text: &str| iter::repeat_n(text, MIB / text.len()).collect::<Vec<_>>().join(",");
    let members = (0..MIB / 10).map(|number| format!(r#""m{number}":1,"#)).collect::<Vec<_>>().concat();
    let in_an_alert = |member: String| format!(r#"{{"value":[{{{member}"id":"da1_1"}}]}}"#);
    for body in [
        format!(r#"{{"value":[{}]}}"#, repeated("{}")),
        in_an_alert(format!(r#""evidence":[{}],"#, repeated("{}"))),
        in_an_alert(format!(r#""evidence":[{}],"#, repeated("1"))),
        in_an_alert(members),
    ] {
        let start = body.get(..40).unwrap_or_default().to_owned();
        world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::body(body));
        let problem = world.post(json!({"machine": DESK_042})).await.problem(502, "upstream_too_large");
        assert_eq!(problem["status"], 502, "{start}");
    }
    let items = dense_alert("da1_1");
    let alerts: Vec<Value> = iter::repeat_n(items, 1000).collect();
    world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::body(json!({"value": alerts}).to_string()));
    world.post(json!({"machine": DESK_042})).await.answer();
}

#[tokio::test]
async fn what_is_too_large_costs_no_other_item_its_answer() {
    let world = World::with(PATIENT).await;
    for (user, body) in
        [("user1", format!(r#"{{"value":[{}]}}"#, vec!["{}"; MIB / 3].join(","))), ("user3", " ".repeat(17 * MIB))]
    {
        world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::body(body).only_for(user));
    }
    let answer = world.batch(json!({"requests": users(6)})).await.answer();
    let (ok, too_large) = ((200, None), (502, Some("upstream_too_large")));
    assert_eq!(outcomes(&answer), [ok, too_large, ok, too_large, ok, ok]);
}

#[tokio::test]
async fn a_list_ends_with_the_page_that_is_too_much() {
    let world = World::with(PATIENT).await;
    let settings = world.sandbox.settings();
    world.sandbox.set_page_size(Some(1));
    let (_, origin) = settings.iter().find(|(name, _)| *name == "DEFENDER_API_URL").expect("an address");
    let next = format!("{}/api/machines/{DESK_042}/alerts", origin.trim_end_matches('/'));
    let mut page: Value = serde_json::from_str(&list(15 * MIB)).expect("JSON");
    for skipped in 1..=3 {
        page["@odata.nextLink"] = format!("{next}?$skip={skipped}").into();
        world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::body(page.to_string()));
    }
    let answer = world.post(json!({"machine": DESK_042, "limit": 1})).await.answer();
    assert!(warnings(&answer).contains(&"partial"), "{:?}", warnings(&answer));
    assert_eq!(world.calls(Route::MachineAlerts), 3, "{}", answer["warnings"]);
}
