//! Calls that fail on the way: what is tried again, how often, and what the caller is told.

use std::time::{Duration, SystemTime};

use defender_sandbox::{DEFENDER_AUDIENCE, DEFENDER_SECRET, Fault, Route, Service, Times, XDR_AUDIENCE};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::{ALERT, DESK_042, FILE, INCIDENT, MACHINE, NO_QUOTA, World, hasten, new_sandbox, pass};

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_succeeds() {
    let world = World::start().await;
    world.alert("da000000000000000000_1").await.problem(404, "not_found");
    world.sandbox.revoke_tokens();
    world.sandbox.forget();
    world.alert(ALERT).await.answer();
    let good_for: Vec<_> =
        world.seen(Route::Alert).iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(good_for, ["unknown", DEFENDER_AUDIENCE]);
    assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (1, 1));
}

#[tokio::test]
async fn a_token_that_stays_refused_is_the_operators_problem() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(401));
    world.alert(ALERT).await.problem(502, "upstream_auth");
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn a_missing_permission_is_named_and_not_asked_for_again() {
    let sandbox = new_sandbox().await;
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Ip.Read.All"]);
    sandbox.set_roles(XDR_AUDIENCE, &["AdvancedHunting.Read.All"]);
    let world = World::around(sandbox, &[]).await;
    for (body, permission, route) in [
        (json!({"alert_id": ALERT}), "Alert.Read.All", Route::Alert),
        (json!({"machine": DESK_042}), "Alert.Read.All", Route::MachineAlerts),
        (json!({"machine": MACHINE}), "Machine.Read.All", Route::Machines),
        (json!({"user": "dana.reyes"}), "Alert.Read.All", Route::UserAlerts),
        (json!({"file_hash": FILE}), "File.Read.All", Route::File),
        (json!({"incident_id": INCIDENT}), "Incident.Read.All", Route::Incident),
    ] {
        let problem = world.post(body).await.problem(502, "upstream_forbidden");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(permission) && !detail.contains("Ip.Read.All"), "{detail}");
        assert_eq!(world.calls(route), 1, "{permission}");
    }
}

#[tokio::test]
async fn a_404_is_an_unknown_entity_only_in_defenders_own_words() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(404));
    world.alert(ALERT).await.problem(404, "not_found");
    let world = World::start().await;
    for body in ["", "<html>no such page</html>", "{}", "{\"message\":\"no\"}"] {
        world.sandbox.fail(Route::Alert, Times::Once, Fault::status(404).with_body(body));
        world.sandbox.forget();
        world.alert(ALERT).await.problem(502, "upstream_error");
        assert_eq!(world.calls(Route::Alert), 1);
    }
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn a_429_with_seconds_closes_the_door_for_everybody_until_then() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", "30"));
    let heard = world.alert(ALERT).await;
    heard.problem(429, "throttled");
    assert_eq!(heard.retry_after(), 30);
    assert_eq!(world.calls(Route::Alert), 1, "a wait past the deadline is not waited");
    let next = world.post(json!({"user": "dana.reyes"})).await;
    next.problem(429, "throttled");
    assert!((29..=30).contains(&next.retry_after()), "{}", next.retry_after());
    assert_eq!(world.calls(Route::UserAlerts), 0);
    world.incident(INCIDENT).await.answer();
    pass(Duration::from_secs(30)).await;
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn a_429_with_a_short_wait_is_waited() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", "5"));
    let start = Instant::now();
    let (heard, _) = hasten(world.alert(ALERT)).await;
    heard.answer();
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn a_429_with_a_date_says_how_long_that_is() {
    let world = World::start().await;
    let at = SystemTime::from(jiff::Timestamp::now()) + Duration::from_secs(120);
    let date = httpdate::fmt_http_date(at);
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", &date));
    let heard = world.alert(ALERT).await;
    heard.problem(429, "throttled");
    assert!((118..=120).contains(&heard.retry_after()), "{}", heard.retry_after());
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn a_429_that_says_nothing_is_tried_again_a_little() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Exactly(2), Fault::status(429));
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 3);
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(429));
    let heard = world.post(json!({"user": "dana.reyes"})).await;
    heard.problem(429, "throttled");
    assert_eq!((heard.retry_after(), world.calls(Route::UserAlerts)), (60, 3));
}

#[tokio::test]
async fn a_500_is_tried_once_more() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(500));
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 2);
    world.sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(500));
    world.post(json!({"user": "dana.reyes"})).await.problem(502, "upstream_error");
    assert_eq!(world.calls(Route::UserAlerts), 2);
}

#[tokio::test]
async fn a_500_after_another_failure_is_tried_once_more_as_well() {
    for (failures, calls) in [(&[503, 500][..], 3), (&[401, 500], 3), (&[500, 503], 3), (&[500, 500], 2)] {
        let world = World::start().await;
        for status in failures {
            world.sandbox.fail(Route::Alert, Times::Once, Fault::status(*status));
        }
        let heard = world.alert(ALERT).await;
        assert_eq!(heard.status, if calls == 3 { 200 } else { 502 }, "{failures:?}");
        assert_eq!(world.calls(Route::Alert), calls, "{failures:?}");
    }
}

#[tokio::test]
async fn a_wait_that_leaves_no_time_for_a_call_is_not_waited() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "1100")]).await;
    for (status, code) in [(503, "upstream_unavailable"), (429, "throttled")] {
        world.sandbox.forget();
        world.sandbox.fail(Route::Alert, Times::Always, Fault::status(status).with_header("Retry-After", "1"));
        let (heard, waited) = hasten(world.alert(ALERT)).await;
        heard.problem(status, code);
        assert_eq!((heard.retry_after(), world.calls(Route::Alert)), (1, 1));
        assert!(waited < Duration::from_millis(500), "{status}: {waited:?}");
        world.sandbox.mend();
    }
}

#[tokio::test]
async fn an_outage_is_tried_three_times_and_told_as_one() {
    for status in [502, 503, 504] {
        let world = World::start().await;
        world.sandbox.fail(Route::Alert, Times::Exactly(2), Fault::status(status));
        world.alert(ALERT).await.answer();
        world.sandbox.fail(
            Route::UserAlerts,
            Times::Always,
            Fault::status(status).with_body("<html>Bad gateway</html>"),
        );
        let heard = world.post(json!({"user": "dana.reyes"})).await;
        heard.problem(503, "upstream_unavailable");
        assert!(heard.retry_after() >= 1);
        assert_eq!((world.calls(Route::Alert), world.calls(Route::UserAlerts)), (3, 3), "{status}");
    }
}

#[tokio::test]
async fn an_outage_that_names_its_end_is_told_with_it() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(503).with_header("Retry-After", "120"));
    let heard = world.alert(ALERT).await;
    heard.problem(503, "upstream_unavailable");
    assert_eq!((heard.retry_after(), world.calls(Route::Alert)), (120, 1));
}

#[tokio::test]
async fn an_error_is_told_by_its_status_whatever_becomes_of_its_body() {
    let hangs = |status| Fault { drip: Some(Duration::from_secs(60)), ..Fault::status(status) };
    let drips = |status| Fault { drip: Some(Duration::from_millis(400)), ..Fault::status(status) };
    let breaks = |status| Fault { truncate: Some(0.5), ..Fault::status(status) };
    for (status, code) in [(429, "throttled"), (503, "upstream_unavailable")] {
        for fault in [hangs(status), drips(status), breaks(status)] {
            let world = World::start().await;
            world.sandbox.fail(Route::Alert, Times::Always, fault.clone().with_header("Retry-After", "120"));
            let (heard, waited) = hasten(world.alert(ALERT)).await;
            heard.problem(status, code);
            assert_eq!((heard.retry_after(), world.calls(Route::Alert)), (120, 1), "{fault:?}");
            assert!(waited < Duration::from_secs(2), "{fault:?}: {waited:?}");
        }
    }
    for status in [401, 500, 502] {
        for fault in [hangs(status), breaks(status)] {
            let world = World::start().await;
            world.sandbox.fail(Route::Alert, Times::Once, fault.clone());
            let (heard, waited) = hasten(world.alert(ALERT)).await;
            heard.answer();
            assert_eq!(world.calls(Route::Alert), 2, "{fault:?}");
            assert!(waited < Duration::from_secs(2), "{fault:?}: {waited:?}");
        }
    }
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, hangs(410));
    hasten(world.alert(ALERT)).await.0.problem(502, "upstream_error");
}

#[tokio::test]
async fn a_404_whose_body_does_not_come_is_neither_unknown_nor_a_wrong_route() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "2000")]).await;
    let fault = Fault { drip: Some(Duration::from_secs(60)), ..Fault::status(404) };
    world.sandbox.fail(Route::Alert, Times::Always, fault);
    hasten(world.alert(ALERT)).await.0.problem(504, "upstream_timeout");
    world.sandbox.mend();
    let fault = Fault { truncate: Some(0.5), ..Fault::status(404) };
    world.sandbox.fail(Route::Alert, Times::Always, fault);
    world.alert(ALERT).await.problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn any_other_refusal_is_told_and_not_tried_again() {
    let world = World::with(NO_QUOTA).await;
    for status in [400, 405, 409, 410, 418, 451, 501, 505] {
        world.sandbox.fail(Route::Alert, Times::Once, Fault::status(status));
        world.sandbox.forget();
        let problem = world.alert(ALERT).await.problem(502, "upstream_error");
        assert!(problem["detail"].as_str().unwrap().contains(&status.to_string()));
        assert_eq!(world.calls(Route::Alert), 1, "{status}");
    }
}

#[tokio::test]
async fn a_broken_connection_costs_nothing_but_another() {
    for fault in [Fault::reset(), Fault::truncate(0.5), Fault::truncate(0.0)] {
        let world = World::start().await;
        world.sandbox.fail(Route::Alert, Times::Once, fault.clone());
        world.alert(ALERT).await.answer();
        assert_eq!(world.calls(Route::Alert), 2, "{fault:?}");
        world.sandbox.fail(Route::UserAlerts, Times::Always, fault.clone());
        world.post(json!({"user": "dana.reyes"})).await.problem(503, "upstream_unavailable");
        assert_eq!(world.calls(Route::UserAlerts), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let world = World::with(&[("DEFENDER_API_URL", "http://127.0.0.1:9")]).await;
    let (heard, waited) = hasten(world.alert(ALERT)).await;
    heard.problem(503, "upstream_unavailable");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    world.incident(INCIDENT).await.answer();
}

#[tokio::test]
async fn a_silent_try_leaves_time_for_another() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(60)));
    hasten(world.alert(ALERT)).await.0.answer();
    assert_eq!(world.calls(Route::Alert), 2);
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::drip(Duration::from_secs(10)));
    hasten(world.post(json!({"user": "dana.reyes"}))).await.0.answer();
    assert_eq!(world.calls(Route::UserAlerts), 2);
}

#[tokio::test]
async fn a_slow_but_steady_answer_that_fits_the_deadline_arrives() {
    let world = World::start().await;
    // Some fifty pieces: longer than any try may stay silent, and well before the deadline.
    world.sandbox.fail(Route::Alert, Times::Always, Fault::drip(Duration::from_millis(150)));
    let (heard, waited) = hasten(world.alert(ALERT)).await;
    heard.answer();
    assert!(waited > Duration::from_secs(6), "{waited:?}");
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn there_are_three_tries_in_all_also_with_another_token() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Exactly(2), Fault::status(503));
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(401));
    world.alert(ALERT).await.problem(503, "upstream_unavailable");
    assert_eq!((world.calls(Route::Alert), world.calls(Route::Token)), (3, 2));
    world.alert(ALERT).await.answer();
    assert_eq!((world.calls(Route::Alert), world.calls(Route::Token)), (4, 2), "the other token is there");

    let world = World::start().await;
    for status in [503, 401] {
        world.sandbox.fail(Route::Alert, Times::Once, Fault::status(status));
    }
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Alert), 3);

    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(401));
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    world.alert(ALERT).await.problem(503, "upstream_unavailable");
    assert_eq!(world.calls(Route::Alert), 3);
}

#[tokio::test]
async fn a_403_that_is_not_defenders_own_names_no_permission() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(403).with_body("<html>Blocked</html>"));
    world.alert(ALERT).await.problem(502, "upstream_error");
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "700")]).await;
    for (route, body, fault) in [
        (Route::Alert, json!({"alert_id": ALERT}), Fault::delay(Duration::from_secs(60))),
        (Route::UserAlerts, json!({"user": "dana.reyes"}), Fault::drip(Duration::from_secs(5))),
        (Route::Token, json!({"incident_id": INCIDENT}), Fault::delay(Duration::from_secs(60))),
    ] {
        world.sandbox.fail(route, Times::Always, fault);
        let (heard, waited) = hasten(world.post(body)).await;
        heard.problem(504, "upstream_timeout");
        assert!(waited < Duration::from_millis(900), "{route:?}: {waited:?}");
        assert!((1..=3).contains(&world.calls(route)) || route == Route::Token, "{route:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::start().await;
    for status in [301, 302, 303, 307, 308] {
        for target in
            [world.sandbox.origin(Service::Xdr).to_owned() + "/api/incidents/3107", "/api/machines".to_owned()]
        {
            world.sandbox.forget();
            world.sandbox.fail(Route::Alert, Times::Once, Fault::status(status).with_header("Location", &target));
            world.alert(ALERT).await.problem(502, "upstream_error");
            assert_eq!((world.defender_calls(), world.calls(Route::Alert)), (1, 1), "{status} {target}");
        }
    }
}
