//! The secret cache and the token cache: what a renewal costs, who shares a failure, what revokes a key, and that a
//! dropped request costs nobody anything.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use defender_enrich::lookup::Deadline;
use futures_util::future::{join, join_all, poll_fn};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::client::{Request, Response};
use crate::harness::{
    ALERT, CALLER_SECRET, DEFENDER_AUDIENCE, DEFENDER_SECRET, Fault, INCIDENT, NO_CACHE, Route, Times, USER, World,
    XDR_AUDIENCE, advance, dense_alert, fast_forward, new_sandbox, until,
};
use crate::log::Log;

const HANGING: Duration = Duration::from_secs(60);
/// Within the second half of the life of a token, and before its end.
const NEARLY_OVER: Duration = Duration::from_secs(3400);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A request without the network, which can be dropped where it waits.
fn request(world: &World, body: &Value, deadline: Option<Duration>) -> impl Future<Output = Response> + use<> {
    let mut request = Request::post("/v1/enrich", body.to_string()).into_http();
    if let Some(span) = deadline {
        request.extensions_mut().insert(Deadline::after(span));
    }
    let router = world.service.router();
    async move { Response::read(router.oneshot(request).await.unwrap_or_else(|never| match never {})).await }
}

/// Polls a future so often, and drops it; its outcome where it came before.
async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(|cx| {
        if count == polls {
            return Poll::Ready(None);
        }
        count += 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Alerts that differ, all at once.
async fn crowd(world: &World, size: usize) -> Vec<u16> {
    let ids = (0..size).map(|number| format!("da{number:018}_1"));
    join_all(ids.map(|id| async move { world.alert(&id).await.status })).await
}

async fn with_crowd(changes: &[(&str, &str)], size: usize) -> World {
    let sandbox = new_sandbox().await;
    for number in 0..size {
        sandbox.put_alert(dense_alert(&format!("da{number:018}_1"))).expect("an alert");
    }
    World::around(sandbox, changes).await
}

// ---------------------------------------------------------------- tokens

#[tokio::test]
async fn a_renewal_that_hangs_costs_concurrent_requests_a_third_of_their_time_once() {
    let world = with_crowd(&[NO_CACHE, ("ENRICH_TIMEOUT_MS", "6000")], 25).await;
    world.alert(ALERT).await.answer();
    advance(NEARLY_OVER).await;
    world.sandbox.fail(Route::Token, Times::Always, Fault::delay(HANGING));
    let (statuses, waited) = fast_forward(crowd(&world, 25)).await;
    assert_eq!(statuses, [200; 25]);
    assert!(waited < Duration::from_millis(2200), "{waited:?}");
    assert_eq!(world.calls(Route::Token), 2);
    advance(seconds(20)).await;
    assert_eq!(crowd(&world, 25).await, [200; 25]);
    assert_eq!(world.calls(Route::Token), 2, "it is not tried again yet");
}

#[tokio::test]
async fn a_failed_renewal_is_tried_again_after_thirty_seconds() {
    let world = World::with(&[NO_CACHE]).await;
    world.alert(ALERT).await.answer();
    advance(NEARLY_OVER).await;
    world.sandbox.fail(Route::Token, Times::Always, Fault::status(400));
    let (log, _listening) = Log::start(true);
    for _ in 0..5 {
        world.alert(ALERT).await.answer();
    }
    assert_eq!(world.calls(Route::Token), 2);
    assert_eq!(log.text().matches("a token is not renewed").count(), 1, "{}", log.text());
    world.sandbox.mend();
    advance(seconds(29)).await;
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Token), 2);
    advance(seconds(2)).await;
    world.alert(ALERT).await.answer();
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Token), 3);
}

#[tokio::test]
async fn concurrent_requests_share_the_refusal_of_their_credential() {
    let world = with_crowd(&[NO_CACHE], 25).await;
    world.alert(ALERT).await.answer();
    world.sandbox.set_client_secret("another");
    world.sandbox.revoke_tokens();
    world.sandbox.forget();
    assert_eq!(crowd(&world, 25).await, [502; 25]);
    for _ in 0..5 {
        world.alert(ALERT).await.problem(502, "upstream_auth");
    }
    assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (1, 1));
    world.sandbox.put_secret(DEFENDER_SECRET, &world.sandbox.client_credential().to_string());
    advance(seconds(6)).await;
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn while_entra_throttles_it_gets_at_most_one_call_a_second() {
    for fault in [
        Fault::status(429),
        Fault::status(503),
        Fault::status(400).with_body(json!({"error": "temporarily_unavailable"}).to_string()),
    ] {
        let world = with_crowd(&[NO_CACHE], 25).await;
        world.sandbox.fail(Route::Token, Times::Always, fault.with_header("retry-after", "30"));
        let (statuses, _) = fast_forward(crowd(&world, 25)).await;
        assert!(statuses.iter().all(|status| matches!(status, 429 | 503)), "{statuses:?}");
        advance(seconds(10)).await;
        for (response, _) in [fast_forward(world.alert(ALERT)).await, fast_forward(world.incident(INCIDENT)).await] {
            assert!(matches!(response.status, 429 | 503), "{}", response.text());
            assert!((1..=30).contains(&response.retry_after()), "{}", response.retry_after());
        }
        // The crowd, and one that asked whether it is over.
        assert!(world.calls(Route::Token) <= 3, "{}", world.calls(Route::Token));
        world.sandbox.mend();
        advance(seconds(31)).await;
        world.alert(ALERT).await.answer();
    }
}

#[tokio::test]
async fn a_live_token_is_used_while_entra_throttles() {
    let world = World::with(&[NO_CACHE]).await;
    world.alert(ALERT).await.answer();
    world.sandbox.fail(Route::Token, Times::Once, Fault::status(429).with_header("retry-after", "600"));
    world.incident(INCIDENT).await.problem(429, "throttled");
    advance(NEARLY_OVER).await;
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn a_temporary_error_of_entra_is_tried_again_and_refuses_nothing() {
    let busy = Fault::status(400).with_body(json!({"error": "temporarily_unavailable"}).to_string());
    let world = World::with(&[NO_CACHE]).await;
    world.sandbox.fail(Route::Token, Times::Exactly(2), busy.clone());
    world.alert(ALERT).await.answer();
    assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (3, 1));
    world.sandbox.fail(Route::Token, Times::Always, busy);
    world.incident(INCIDENT).await.problem(503, "upstream_unavailable");
    assert_eq!(world.reads(DEFENDER_SECRET), 1);
    world.sandbox.mend();
    for body in ["", "<html>", "{}", "{\"access_token\":\"a b\",\"expires_in\":3599}"] {
        world.sandbox.fail(Route::Token, Times::Once, Fault::body(body));
        world.incident(INCIDENT).await.problem(502, "upstream_malformed");
    }
    world.incident(INCIDENT).await.answer();
}

#[tokio::test]
async fn a_waiter_has_its_own_deadline_and_not_the_starters() {
    let world = World::with(&[NO_CACHE]).await;
    world.sandbox.fail(Route::Token, Times::Always, Fault::delay(seconds(2)));
    let hasty = request(&world, &json!({"user": USER}), Some(seconds(1)));
    let patient = request(&world, &json!({"alert_id": ALERT}), Some(seconds(10)));
    let ((hasty, patient), _) = fast_forward(join(hasty, patient)).await;
    assert_eq!((hasty.status, patient.status), (504, 200));
}

// ---------------------------------------------------------------- revocation and outages of the caller secret

/// An error of Secrets Manager about the caller secret.
fn aws_error(code: &str) -> Fault {
    let body = json!({"__type": code, "Message": "canary"}).to_string();
    Fault::status(400).with_body(body).with_header("x-amzn-errortype", code).only_for(CALLER_SECRET)
}

#[tokio::test]
async fn a_definite_answer_of_secrets_manager_revokes_all_keys_at_the_next_read() {
    let faults = ["ResourceNotFoundException", "InvalidRequestException", "AccessDeniedException", "DecryptionFailure"];
    let binary = Fault::body(json!({"Name": CALLER_SECRET, "SecretBinary": "e30="}).to_string());
    let faults = faults.map(aws_error).into_iter().chain([binary.only_for(CALLER_SECRET)]);
    for fault in faults {
        let world = World::with(&[NO_CACHE, ("SECRET_TTL_S", "60")]).await;
        world.alert(ALERT).await.answer();
        world.sandbox.fail(Route::Secret, Times::Always, fault.clone());
        for _ in 0..3 {
            advance(seconds(61)).await;
            let response = world.alert(ALERT).await;
            response.problem(503, "secret_unavailable");
            assert!(!response.text().contains("canary"));
        }
        world.sandbox.mend();
        advance(seconds(6)).await;
        world.alert(ALERT).await.answer();
    }
}

#[tokio::test]
async fn a_secret_without_keys_revokes_all_keys_at_the_next_read() {
    for (text, status) in [
        ("", 503),
        ("[]", 503),
        ("{\"api_keys\":", 503),
        ("{\"api_keys\":[\"demo-key\"]}", 503),
        ("{}", 401),
        ("{\"api_keys\":null}", 401),
        ("{\"api_keys\":{\"demo\":[]}}", 401),
    ] {
        let world = World::with(&[NO_CACHE, ("SECRET_TTL_S", "60")]).await;
        world.alert(ALERT).await.answer();
        world.sandbox.put_secret(CALLER_SECRET, text);
        for _ in 0..3 {
            advance(seconds(61)).await;
            assert_eq!(world.alert(ALERT).await.status, status, "{text}");
        }
    }
}

#[tokio::test]
async fn known_keys_outlive_an_outage_for_an_hour_and_no_longer() {
    let throttled = Fault::status(400).with_header("x-amzn-errortype", "ThrottlingException");
    for fault in [Fault::status(500), Fault::reset(), throttled.with_body("{\"__type\":\"ThrottlingException\"}")] {
        let world = World::with(&[NO_CACHE, ("SECRET_TTL_S", "60")]).await;
        world.alert(ALERT).await.answer();
        world.sandbox.fail(Route::Secret, Times::Always, fault.only_for(CALLER_SECRET));
        advance(seconds(61)).await;
        world.alert(ALERT).await.answer();
        advance(seconds(3500)).await;
        world.alert(ALERT).await.answer();
        advance(seconds(200)).await;
        world.alert(ALERT).await.problem(503, "secret_unavailable");
        world.sandbox.mend();
        advance(seconds(31)).await;
        world.alert(ALERT).await.answer();
    }
}

#[tokio::test]
async fn a_failure_during_warm_up_costs_no_request() {
    for fault in [Fault::status(500), aws_error("AccessDeniedException")] {
        for secret in [CALLER_SECRET, DEFENDER_SECRET] {
            let world = World::start().await;
            world.sandbox.fail(Route::Secret, Times::Always, fault.clone().only_for(secret));
            world.service.warm_up().await;
            world.sandbox.mend();
            world.alert(ALERT).await.answer();
        }
    }
}

#[tokio::test]
async fn concurrent_requests_without_a_secret_cost_one_read() {
    for secret in [CALLER_SECRET, DEFENDER_SECRET] {
        let world = with_crowd(&[NO_CACHE], 25).await;
        let denied = Fault { only: Some(secret.to_owned()), ..aws_error("AccessDeniedException") };
        world.sandbox.fail(Route::Secret, Times::Always, denied);
        assert_eq!(crowd(&world, 25).await, [503; 25]);
        assert_eq!(crowd(&world, 25).await, [503; 25]);
        assert_eq!(world.reads(secret), 1);
    }
}

// ---------------------------------------------------------------- requests that are dropped

/// States of the two caches in which a request has to wait.
#[derive(Clone, Copy, Debug)]
enum CacheState {
    NothingIsKnown,
    SecretsAreDue,
    SecretsAreDueAndAwsHangs,
    TheTokenIsNearlyOver,
    TheTokenIsRefused,
}

impl CacheState {
    const ALL: [Self; 5] = [
        Self::NothingIsKnown,
        Self::SecretsAreDue,
        Self::SecretsAreDueAndAwsHangs,
        Self::TheTokenIsNearlyOver,
        Self::TheTokenIsRefused,
    ];

    async fn world(self) -> World {
        // While AWS hangs, each secret may take a third of this; the SDK itself tries again after two seconds.
        let world = World::with(&[NO_CACHE, ("SECRET_TTL_S", "60"), ("ENRICH_TIMEOUT_MS", "2400")]).await;
        match self {
            Self::NothingIsKnown => return world,
            Self::SecretsAreDue | Self::SecretsAreDueAndAwsHangs => {
                world.alert(ALERT).await.answer();
                advance(seconds(61)).await;
            }
            Self::TheTokenIsNearlyOver => {
                world.alert(ALERT).await.answer();
                advance(NEARLY_OVER).await;
            }
            Self::TheTokenIsRefused => {
                world.alert(ALERT).await.answer();
                world.sandbox.revoke_tokens();
            }
        }
        world
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_during_a_fetch_costs_no_other() {
    for state in CacheState::ALL {
        for polls in 1.. {
            let world = state.world().await;
            if matches!(state, CacheState::SecretsAreDueAndAwsHangs) {
                world.sandbox.fail(Route::Secret, Times::Always, Fault::delay(HANGING));
            }
            world.sandbox.forget();
            let left = polled(request(&world, &json!({"alert_id": ALERT}), None), polls).await;
            let (stayed, _) = fast_forward(world.alert(ALERT)).await;
            assert_eq!(stayed.status, 200, "{state:?}, dropped after {polls} polls: {}", stayed.text());
            let costs = (world.calls(Route::Token), world.reads(CALLER_SECRET), world.reads(DEFENDER_SECRET));
            assert!(costs.0 <= 1 && costs.1 <= 1 && costs.2 <= 1, "{state:?}, {polls} polls: {costs:?}");
            if left.is_some() {
                assert!(polls > 1, "{state:?}: it never waited");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_was_fetched_for_a_dropped_request_is_kept() {
    let world = World::with(&[NO_CACHE]).await;
    let delay = Fault::delay(seconds(1));
    let subject = json!({"alert_id": ALERT});
    for (route, key) in
        [(Route::Secret, CALLER_SECRET), (Route::Secret, DEFENDER_SECRET), (Route::Token, DEFENDER_AUDIENCE)]
    {
        world.sandbox.fail(route, Times::Once, delay.clone().only_for(key));
        let is_asked = until(|| world.seen(route).iter().any(|seen| seen.key == key));
        // What was fetched before comes in the meantime.
        let left = async {
            tokio::select! {
                () = is_asked => {}
                response = request(&world, &subject, None) => panic!("{key}: {response:?}"),
            }
        };
        fast_forward(left).await;
    }
    fast_forward(world.alert(ALERT)).await.0.answer();
    let costs = (world.calls(Route::Token), world.reads(CALLER_SECRET), world.reads(DEFENDER_SECRET));
    assert_eq!(costs, (1, 1, 1));
    // The other API has a token of its own.
    world.incident(INCIDENT).await.answer();
    let scopes: Vec<_> = world.seen(Route::Token).into_iter().map(|seen| seen.key).collect();
    assert_eq!(scopes, [DEFENDER_AUDIENCE, XDR_AUDIENCE]);
}
