//! Microsoft's quota, kept on our side: nobody runs into it, and who is refused is told when to come again.

use std::time::Duration;

use futures_util::future::join_all;

use crate::harness::{Route, World, advance, dense_alert};

fn id(number: u32) -> String {
    format!("da{number:018}_1")
}

/// Asks for different alerts, all at once: who was answered, and after how many seconds the others may come again.
async fn crowd(world: &World, numbers: std::ops::Range<u32>) -> (Vec<u32>, Vec<(u32, u64)>) {
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    let asked = numbers.clone().map(|number| async move { world.ask("alert_id", id(number)).await });
    for (number, response) in numbers.zip(join_all(asked).await) {
        if response.status == 200 {
            answered.push(number);
        } else {
            response.problem(429, "throttled");
            refused.push((number, response.retry_after()));
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
async fn of_two_hundred_concurrent_requests_each_gets_an_answer_or_a_wait_that_holds() {
    let world = with_alerts(&[]).await;
    let (answered, refused) = crowd(&world, 0..200).await;
    assert_eq!((answered.len(), refused.len()), (100, 100));
    assert_eq!(world.calls(Route::Alert), 100, "what is over the quota is not sent");
    let longest = refused.iter().map(|(_, seconds)| *seconds).max().unwrap();
    assert!(longest <= 61, "{longest}");
    advance(Duration::from_secs(longest)).await;
    for (number, _) in refused {
        world.ask("alert_id", id(number)).await.answer();
    }
    assert_eq!(world.calls(Route::Alert), 200, "nobody was refused by the API, or was tried again");
}

#[tokio::test]
async fn every_quota_setting_limits_the_calls() {
    for (changes, alerts, incidents) in [
        (&[][..], 100, 50),
        (&[("QUOTA_PER_MINUTE", "10"), ("QUOTA_PER_HOUR", "1500")], 10, 10),
        (&[("QUOTA_PER_MINUTE", "100"), ("QUOTA_PER_HOUR", "15")], 15, 15),
        (&[("QUOTA_SHARE", "7")], 14, 7),
        (&[("QUOTA_SHARE", "7"), ("QUOTA_PER_MINUTE", "9")], 9, 9),
    ] {
        let world = with_alerts(changes).await;
        assert_eq!(crowd(&world, 0..110).await.0.len(), alerts, "{changes:?}");
        let world = World::with(changes).await;
        join_all((1..=60).map(|number| world.ask("incident_id", 900_000 + number))).await;
        assert_eq!(world.calls(Route::Incident), incidents, "{changes:?}");
    }
}

#[tokio::test]
async fn a_cached_answer_or_a_refusal_costs_no_quota() {
    let world = with_alerts(&[("QUOTA_PER_MINUTE", "2")]).await;
    for _ in 0..20 {
        world.ask("alert_id", id(0)).await.answer();
        world.ask("alert_id", "../x").await.problem(422, "invalid_id");
    }
    world.ask("alert_id", id(1)).await.answer();
    world.ask("alert_id", id(2)).await.problem(429, "throttled");
    world.ask("alert_id", id(0)).await.answer();
}

#[tokio::test]
async fn a_429_of_the_api_is_reported_with_its_wait() {
    let world = with_alerts(&[]).await;
    world.sandbox.set_quota(3, 1500);
    let mut told = 0;
    for number in 0..6 {
        let response = world.ask("alert_id", id(number)).await;
        if response.status == 429 {
            assert!((1..=60).contains(&response.retry_after()));
            told += 1;
        }
    }
    assert_eq!((told, world.calls(Route::Alert)), (3, 4), "after one 429 nothing more is sent");
}
