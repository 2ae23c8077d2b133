//! Microsoft's quota, kept on our side: nobody runs into it, and who is refused is told when to come again.

use std::time::Duration;

use defender_sandbox::Route;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{World, dense_alert, pass};

fn id(number: u32) -> String {
    format!("da{number:018}_1")
}

/// Asks for different alerts, all at once: who was answered, and after how many seconds the others may come again.
async fn crowd(world: &World, numbers: std::ops::Range<u32>) -> (Vec<u32>, Vec<(u32, u64)>) {
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    let asked = numbers.clone().map(|number| async move { world.hand_in("alert_id", &json!(id(number))).await });
    for (number, heard) in numbers.zip(join_all(asked).await) {
        if heard.status == 200 {
            answered.push(number);
        } else {
            heard.problem(429, "throttled");
            refused.push((number, heard.retry_after()));
        }
    }
    (answered, refused)
}

async fn with_alerts(changes: &[(&str, &str)]) -> World {
    let world = World::with(changes).await;
    for number in 0..200 {
        world.sandbox.put_alert(dense_alert(&id(number))).unwrap();
    }
    world
}

#[tokio::test]
async fn two_hundred_at_once_get_an_answer_or_a_time_that_holds() {
    let world = with_alerts(&[]).await;
    let (answered, refused) = crowd(&world, 0..200).await;
    assert_eq!((answered.len(), refused.len()), (100, 100));
    assert_eq!(world.calls(Route::Alert), 100, "what is over the quota is not sent");
    let longest = refused.iter().map(|(_, seconds)| *seconds).max().unwrap();
    assert!((55..=61).contains(&longest), "{longest}");
    pass(Duration::from_secs(longest)).await;
    for (number, _) in refused {
        world.hand_in("alert_id", &json!(id(number))).await.answer();
    }
    assert_eq!(world.calls(Route::Alert), 200, "nobody was refused by the API, or was tried again");
}

#[tokio::test]
async fn incidents_have_half_a_minutes_quota_of_their_own() {
    let world = World::start().await;
    for number in 1..=60 {
        world.sandbox.put_incident(json!({"incidentId": number, "alerts": []})).unwrap();
    }
    let asked = (1..=60).map(|number| {
        let world = &world;
        async move { world.hand_in("incident_id", &json!(number)).await.status }
    });
    let statuses = join_all(asked).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 50);
    assert_eq!((statuses.iter().filter(|status| **status == 429).count(), world.calls(Route::Incident)), (10, 50));
}

#[tokio::test]
async fn a_share_of_the_quota_is_a_setting() {
    let world = with_alerts(&[("QUOTA_PER_MINUTE", "10"), ("QUOTA_PER_HOUR", "15")]).await;
    assert_eq!(crowd(&world, 0..20).await.0.len(), 10);
    pass(Duration::from_secs(61)).await;
    let (answered, refused) = crowd(&world, 10..30).await;
    assert_eq!(answered.len(), 5, "the hour's");
    assert!(refused.iter().all(|(_, seconds)| *seconds > 3000), "{refused:?}");
    assert_eq!(world.calls(Route::Alert), 15);
}

#[tokio::test]
async fn limits_that_are_shared_are_divided() {
    let world = with_alerts(&[("QUOTA_SHARE", "7")]).await;
    let incidents = crowd_of_incidents(&world, 20).await;
    assert_eq!(incidents, 7);
    assert_eq!(crowd(&world, 0..20).await.0.len(), 7, "14 of all kinds");
    let world = with_alerts(&[("QUOTA_SHARE", "7"), ("QUOTA_PER_MINUTE", "9")]).await;
    assert_eq!(crowd(&world, 0..20).await.0.len(), 9, "what was agreed is not divided");
}

/// Asks for so many incidents that nobody knows: how many calls were made.
async fn crowd_of_incidents(world: &World, count: u32) -> usize {
    let asked = (1..=count).map(|number| async move { world.hand_in("incident_id", &json!(900_000 + number)).await });
    join_all(asked).await;
    world.calls(Route::Incident)
}

#[tokio::test]
async fn what_is_remembered_or_refused_costs_no_quota() {
    let world = with_alerts(&[("QUOTA_PER_MINUTE", "2")]).await;
    for _ in 0..20 {
        world.hand_in("alert_id", &json!(id(0))).await.answer();
        world.hand_in("alert_id", &json!("../x")).await.problem(422, "invalid_id");
    }
    world.hand_in("alert_id", &json!(id(1))).await.answer();
    world.hand_in("alert_id", &json!(id(2))).await.problem(429, "throttled");
    world.hand_in("alert_id", &json!(id(0))).await.answer();
}

#[tokio::test]
async fn the_apis_own_quota_is_told_when_others_have_spent_it() {
    let world = with_alerts(&[]).await;
    world.sandbox.set_quota(3, 1500);
    let mut told = 0;
    for number in 0..6 {
        let heard = world.hand_in("alert_id", &json!(id(number))).await;
        if heard.status == 429 {
            assert!((1..=60).contains(&heard.retry_after()));
            told += 1;
        }
    }
    assert_eq!((told, world.calls(Route::Alert)), (3, 4), "after one 429 the door is shut");
}
