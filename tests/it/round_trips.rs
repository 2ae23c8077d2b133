//! What waits for what, counted on the stand-ins: each wait is a round trip over the network.

use std::time::Duration;

use serde_json::json;

use crate::harness::{ALERT, Fault, INCIDENT, NO_CACHE, Route, Service, Times, USER, World, fast_forward, until};

const HANGING: Duration = Duration::from_secs(60);

/// A service of each backend, and the connections that its start opens: to Entra, to both older APIs, to Graph.
const BACKENDS: [(&str, [usize; 4]); 3] = [("defender", [2, 1, 1, 0]), ("graph", [1, 0, 0, 2]), ("auto", [3, 1, 1, 2])];

fn connections(world: &World) -> [usize; 4] {
    [Service::Login, Service::Defender, Service::Xdr, Service::Graph].map(|service| world.sandbox.connections(service))
}

/// Starts a service whose secrets take a second, and returns when its warm-up has ended and `opened` connections are there.
async fn started(backend: &str, opened: [usize; 4]) -> World {
    let world = World::with(&[("DEFENDER_BACKEND", backend), NO_CACHE]).await;
    world.sandbox.fail(Route::Secret, Times::Always, Fault::delay(Duration::from_secs(1)));
    fast_forward(world.service.warm_up()).await;
    world.sandbox.mend();
    until(|| connections(&world) == opened).await;
    // The service has its turn with what the sandbox has accepted.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world
}

#[tokio::test]
async fn a_start_opens_connections_to_microsoft_while_it_waits_for_secrets_manager() {
    for (backend, opened) in BACKENDS {
        let world = World::with(&[("DEFENDER_BACKEND", backend)]).await;
        world.sandbox.fail(Route::Secret, Times::Always, Fault::delay(HANGING));
        let service = world.service.clone();
        let start = tokio::spawn(async move { service.warm_up().await });
        until(|| connections(&world) == opened && world.calls(Route::Secret) == 2).await;
        assert!(world.sandbox.seen().iter().all(|seen| seen.service == Service::SecretsManager), "{backend}");
        start.abort();
    }
}

#[tokio::test]
async fn a_start_whose_secrets_come_immediately_opens_no_connection_that_it_does_not_use() {
    let world = World::with(&[("DEFENDER_BACKEND", "defender")]).await;
    let ((), waited) = fast_forward(world.service.warm_up()).await;
    assert_eq!((waited, connections(&world)), (Duration::ZERO, [2, 0, 0, 0]));
}

#[tokio::test]
async fn a_start_requests_all_tokens_at_the_same_time() {
    for (backend, [tokens, ..]) in BACKENDS {
        let world = World::with(&[("DEFENDER_BACKEND", backend)]).await;
        world.sandbox.fail(Route::Token, Times::Always, Fault::delay(HANGING));
        let service = world.service.clone();
        let start = tokio::spawn(async move { service.warm_up().await });
        until(|| world.calls(Route::Token) == tokens).await;
        start.abort();
    }
}

#[tokio::test]
async fn the_first_lookups_find_open_connections() {
    for (backend, opened) in BACKENDS {
        let world = started(backend, opened).await;
        world.alert(ALERT).await.answer();
        world.incident(INCIDENT).await.answer();
        assert_eq!(connections(&world), opened, "{backend}");
    }
}

#[tokio::test]
async fn a_list_of_graph_opens_no_connection_either() {
    let (backend, opened) = BACKENDS[1];
    let world = started(backend, opened).await;
    for _ in 0..2 {
        world.post(json!({"user": USER})).await.answer();
    }
    assert_eq!(connections(&world), opened);
}

#[tokio::test]
async fn an_early_connection_that_breaks_fails_no_request() {
    let (backend, opened) = BACKENDS[0];
    let world = started(backend, opened).await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::reset());
    world.alert(ALERT).await.answer();
    assert_eq!(connections(&world), [2, 2, 1, 0]);
}
