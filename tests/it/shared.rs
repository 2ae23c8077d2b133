//! What the processes of a deployment share through a table in DynamoDB.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::Response;
use crate::harness::{
    ALERT, CLIENT_ID, Fault, MACHINE, NO_CACHE, Route, TENANT_ID, Times, USER, World, dense_alert, fast_forward,
};
use crate::integrations::{incident, pagerduty, signed};
use crate::log::Log;

/// Four processes share the table, so a process without it has a quarter of the quota.
const TABLE: &[(&str, &str)] =
    &[("STATE_TABLE", "sandbox-state"), ("QUOTA_SHARE", "4"), NO_CACHE, ("CACHE_STALE_S", "0")];

/// Two processes, and alerts that nobody has asked for yet.
async fn two_processes(changes: &[(&str, &str)]) -> [World; 2] {
    let settings = [TABLE, changes].concat();
    let one = World::with(&settings).await;
    for number in 0..200 {
        one.sandbox.put_alert(dense_alert(&id(number))).expect("an alert");
    }
    let two = World::around(one.sandbox.clone(), &settings).await;
    [one, two]
}

fn id(number: usize) -> String {
    format!("da{number:018}_1")
}

/// How many of these alerts are answered. The others are refused for quota.
async fn answered(world: &World, numbers: std::ops::Range<usize>) -> usize {
    let (responses, _) = fast_forward(join_all(numbers.map(|number| world.ask("alert_id", id(number))))).await;
    let refused = responses.iter().filter(|response| response.status == 429);
    responses.len() - refused.inspect(|response| _ = response.problem(429, "throttled")).count()
}

fn quotas(log: &Log) -> Vec<Value> {
    let mut quotas: Vec<_> = log.requests().iter().map(|line| line["quota"].clone()).collect();
    quotas.dedup();
    quotas
}

#[tokio::test]
async fn processes_share_one_quota_and_without_the_table_each_has_its_share() {
    let [one, two] = two_processes(&[]).await;
    let (log, listening) = Log::start(true);
    assert_eq!([answered(&one, 0..60).await, answered(&two, 60..120).await], [60, 40]);
    assert_eq!((one.calls(Route::Alert), quotas(&log)), (100, vec![json!("shared")]));
    drop(listening);

    let [one, two] = two_processes(&[]).await;
    assert_eq!([answered(&one, 0..1).await, answered(&two, 0..10).await], [1, 10]);
    one.sandbox.set_table(false);
    let (log, _listening) = Log::start(true);
    assert_eq!([answered(&one, 0..40).await, answered(&two, 40..80).await], [24, 15], "the calls before count");
    assert_eq!(quotas(&log), [json!("local")]);
}

#[tokio::test]
async fn limits_of_the_operator_are_those_of_all_processes() {
    let [one, two] = two_processes(&[("QUOTA_PER_MINUTE", "40")]).await;
    assert_eq!([answered(&one, 0..30).await, answered(&two, 30..60).await], [30, 10]);
    let [one, _] = two_processes(&[("QUOTA_PER_MINUTE", "40")]).await;
    one.sandbox.set_table(false);
    assert_eq!(answered(&one, 0..60).await, 10);
}

#[tokio::test]
async fn a_429_of_microsoft_closes_the_api_for_every_process() {
    let [one, two] = two_processes(&[]).await;
    one.sandbox.fail(Route::Alert, Times::Always, Fault::status(429).with_header("retry-after", "30"));
    assert_eq!(answered(&one, 0..1).await, 0);
    one.sandbox.mend();
    assert_eq!([answered(&two, 0..3).await, one.calls(Route::Alert)], [0, 1]);
    let (incident, _) = fast_forward(two.incident("42")).await;
    assert_ne!(incident.status, 429, "it is another API");
}

#[tokio::test]
async fn a_list_is_one_write_for_the_query_and_one_for_all_of_its_alerts() {
    let [one, _] = two_processes(&[("DEFENDER_BACKEND", "graph")]).await;
    let (list, _) = fast_forward(one.ask("user", USER)).await;
    assert!(list.answer()["alerts"].as_array().is_some_and(|alerts| alerts.len() > 1), "{}", list.text());
    assert_eq!(one.calls(Route::Table), 2);
}

#[tokio::test]
async fn the_table_holds_no_name() {
    let [one, two] = two_processes(&[]).await;
    let (answers, _) = fast_forward(join_all([one.ask("machine", MACHINE), two.ask("user", USER)])).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    fast_forward(one.send(pagerduty(&incident("delivery-canary", ALERT)))).await;
    let items = one.sandbox.items();
    assert!(items.len() >= 2, "{items:?}");
    let text = json!(items).to_string();
    for name in [TENANT_ID, CLIENT_ID, MACHINE, USER, ALERT, "canary"] {
        assert!(!text.contains(name), "{name}");
    }
    for item in items {
        let names: Vec<_> = item.as_object().expect("an item").keys().map(String::as_str).collect();
        assert!(names == ["expires_at", "pk"] || names == ["expires_at", "ledger", "pk"], "{names:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_another_process_answered_is_acknowledged_without_a_body() {
    let [one, two] = two_processes(&[]).await;
    let event = incident("01BRB6ZP4M6T8ZG4X6BP63ZB9O", ALERT);
    let question = json!({"alert_id": ALERT});
    let from_pagerduty = || pagerduty(&event).with("x-webhook-id", "b6f1c9d2-3e4a-4b5c-8d6e-7f8091a2b3c4");
    let from_a_webhook = || signed("/v1/enrich", "msg_1", &question);
    let send = async |world: &World, request| fast_forward(world.send(request)).await.0;
    let repeated = |response: &Response| (response.header("x-repeated") == "true", response.text().is_empty());

    one.sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    send(&one, from_pagerduty()).await;
    one.sandbox.mend();
    assert_eq!(repeated(&send(&one, from_pagerduty()).await), (false, false), "it had failed");
    assert_eq!(repeated(&send(&one, from_a_webhook()).await), (false, false));
    let calls = one.calls(Route::Alert);
    for _ in 0..2 {
        for request in [from_pagerduty(), from_a_webhook()] {
            let again = send(&two, request).await;
            assert_eq!((again.status, repeated(&again)), (200, (true, true)));
        }
    }
    assert_eq!(repeated(&send(&one, from_pagerduty()).await), (true, false), "its answer is in memory");
    assert_eq!(one.calls(Route::Alert), calls);

    one.sandbox.set_table(false);
    let three = World::around(one.sandbox.clone(), TABLE).await;
    assert_eq!(repeated(&send(&three, from_pagerduty()).await), (false, false), "it cannot be known");
    assert_eq!(repeated(&send(&three, from_pagerduty()).await), (true, false));
}
