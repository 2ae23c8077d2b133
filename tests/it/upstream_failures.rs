//! Calls that fail on the way: what is tried again, how often, and what the caller is told.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::harness::{
    ALERT, DEFENDER_AUDIENCE, DEFENDER_SECRET, DESK_042, FILE, Fault, INCIDENT, MACHINE, Route, Service, Times, World,
    XDR_AUDIENCE, advance, fast_forward, new_sandbox,
};

/// Faults of consecutive calls; the last one lasts where it is repeated.
struct Case {
    faults: Vec<Fault>,
    lasts: bool,
    /// `None` for an answer, or the status and code of the problem.
    problem: Option<(u16, &'static str)>,
    calls: usize,
    retry_after: Option<u64>,
}

/// These faults, then an answer.
fn recovers(faults: &[Fault]) -> Case {
    Case { faults: faults.to_vec(), lasts: false, problem: None, calls: faults.len() + 1, retry_after: None }
}

/// A fault that never ends.
fn lasts(fault: Fault, problem: (u16, &'static str), calls: usize) -> Case {
    Case { faults: vec![fault], lasts: true, problem: Some(problem), calls, retry_after: None }
}

/// Faults that end the request before they end.
fn fails(faults: &[Fault], problem: (u16, &'static str)) -> Case {
    Case { problem: Some(problem), calls: faults.len(), ..recovers(faults) }
}

fn status(status: u16) -> Fault {
    Fault::status(status)
}

const UNAVAILABLE: (u16, &str) = (503, "upstream_unavailable");
const ERROR: (u16, &str) = (502, "upstream_error");

fn cases() -> Vec<Case> {
    let mut cases = vec![
        recovers(&[status(401)]),
        lasts(status(401), (502, "upstream_auth"), 2),
        recovers(&[status(500)]),
        lasts(status(500), ERROR, 2),
        Case { retry_after: Some(60), ..lasts(status(429), (429, "throttled"), 3) },
        recovers(&[status(429), status(429)]),
        // A 500 is tried once more also after another failure, and there are three attempts in all.
        recovers(&[status(503), status(500)]),
        recovers(&[status(401), status(500)]),
        recovers(&[status(500), status(503)]),
        recovers(&[status(503), status(401)]),
        fails(&[status(503), status(503), status(401)], UNAVAILABLE),
        fails(&[status(401), status(503), status(503)], UNAVAILABLE),
        // A 404 is an unknown alert only in Defender's own words, and so is a 403 a missing permission.
        fails(&[status(404)], (404, "not_found")),
        fails(&[status(403).with_body("<html>Blocked</html>")], ERROR),
    ];
    for body in ["", "<html>no such page</html>", "{}", "{\"message\":\"no\"}"] {
        cases.push(fails(&[status(404).with_body(body)], ERROR));
    }
    for code in [400, 405, 409, 410, 418, 451, 501, 505] {
        cases.push(fails(&[status(code)], ERROR));
    }
    for code in [502, 503, 504] {
        cases.push(recovers(&[status(code), status(code)]));
        cases.push(lasts(status(code).with_body("<html>Bad gateway</html>"), UNAVAILABLE, 3));
    }
    for broken in [Fault::reset(), Fault::truncate(0.5), Fault::truncate(0.0)] {
        cases.push(recovers(std::slice::from_ref(&broken)));
        cases.push(lasts(broken, UNAVAILABLE, 3));
    }
    // The status of an error counts whatever becomes of its body.
    let hangs = |code| Fault { drip: Some(Duration::from_secs(60)), ..status(code) };
    let drips = |code| Fault { drip: Some(Duration::from_millis(400)), ..status(code) };
    let breaks = |code| Fault { truncate: Some(0.5), ..status(code) };
    for problem in [(429, "throttled"), UNAVAILABLE] {
        for fault in [status(problem.0), hangs(problem.0), drips(problem.0), breaks(problem.0)] {
            let fault = fault.with_header("Retry-After", "120");
            cases.push(Case { retry_after: Some(120), ..lasts(fault, problem, 1) });
        }
    }
    for code in [401, 500, 502] {
        cases.extend([recovers(&[hangs(code)]), recovers(&[breaks(code)])]);
    }
    cases.push(fails(&[hangs(410)], ERROR));
    // A 404 means one or the other by its body.
    cases.push(lasts(breaks(404), UNAVAILABLE, 3));
    cases
}

#[tokio::test]
async fn every_failure_is_repeated_as_often_as_makes_sense_and_reported() {
    for case in cases() {
        let world = World::start().await;
        for fault in &case.faults {
            let times = if case.lasts { Times::Always } else { Times::Once };
            world.sandbox.fail(Route::Alert, times, fault.clone());
        }
        let (response, waited) = fast_forward(world.alert(ALERT)).await;
        let body = response.json();
        match case.problem {
            None => assert_eq!(response.status, 200, "{:?}: {body}", case.faults),
            Some((status, code)) => {
                let problem = (response.status, body["code"].as_str());
                assert_eq!(problem, (status, Some(code)), "{:?}: {body}", case.faults);
            }
        }
        assert_eq!(world.calls(Route::Alert), case.calls, "{:?}", case.faults);
        assert!(waited < Duration::from_secs(2), "{:?}: {waited:?}", case.faults);
        if let Some(seconds) = case.retry_after {
            assert_eq!(response.retry_after(), seconds, "{:?}", case.faults);
        }
        if body["code"] == "upstream_error" && case.faults[0].body.is_none() && case.calls == 1 {
            let status = case.faults[0].status.expect("a status").to_string();
            assert!(body["detail"].as_str().unwrap().contains(&status), "{body}");
        }
    }
}

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
async fn after_a_429_the_api_is_not_called_until_the_named_time() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", "30"));
    let response = world.alert(ALERT).await;
    response.problem(429, "throttled");
    assert_eq!(response.retry_after(), 30);
    assert_eq!(world.calls(Route::Alert), 1, "a wait beyond the deadline is not begun");
    let next = world.post(json!({"user": "dana.reyes"})).await;
    next.problem(429, "throttled");
    assert!((1..=30).contains(&next.retry_after()), "{}", next.retry_after());
    assert_eq!(world.calls(Route::UserAlerts), 0);
    world.incident(INCIDENT).await.answer();
    advance(Duration::from_secs(30)).await;
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn a_429_with_a_short_wait_is_waited() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", "5"));
    let start = Instant::now();
    let (response, _) = fast_forward(world.alert(ALERT)).await;
    response.answer();
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(world.calls(Route::Alert), 2);
}

#[tokio::test]
async fn a_wait_that_leaves_no_time_for_a_call_is_not_waited() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "1100")]).await;
    for (status, code) in [(503, "upstream_unavailable"), (429, "throttled")] {
        world.sandbox.forget();
        world.sandbox.fail(Route::Alert, Times::Always, Fault::status(status).with_header("Retry-After", "1"));
        let (response, waited) = fast_forward(world.alert(ALERT)).await;
        response.problem(status, code);
        assert_eq!((response.retry_after(), world.calls(Route::Alert)), (1, 1));
        assert!(waited < Duration::from_millis(500), "{status}: {waited:?}");
        world.sandbox.mend();
    }
}

#[tokio::test]
async fn a_refused_connection_is_an_outage() {
    let world = World::with(&[("DEFENDER_API_URL", "http://127.0.0.1:9")]).await;
    let (response, waited) = fast_forward(world.alert(ALERT)).await;
    response.problem(503, "upstream_unavailable");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    world.incident(INCIDENT).await.answer();
}

#[tokio::test]
async fn a_silent_attempt_leaves_time_for_another() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(60)));
    fast_forward(world.alert(ALERT)).await.0.answer();
    assert_eq!(world.calls(Route::Alert), 2);
    world.sandbox.fail(Route::UserAlerts, Times::Once, Fault::drip(Duration::from_secs(10)));
    fast_forward(world.post(json!({"user": "dana.reyes"}))).await.0.answer();
    assert_eq!(world.calls(Route::UserAlerts), 2);
}

#[tokio::test]
async fn a_slow_but_steady_answer_that_fits_the_deadline_arrives() {
    let world = World::start().await;
    // Some fifty pieces: longer than any try may stay silent, and well before the deadline.
    world.sandbox.fail(Route::Alert, Times::Always, Fault::drip(Duration::from_millis(150)));
    let (response, waited) = fast_forward(world.alert(ALERT)).await;
    response.answer();
    assert!(waited > Duration::from_secs(6), "{waited:?}");
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "700")]).await;
    for (route, body, fault) in [
        (Route::Alert, json!({"alert_id": ALERT}), Fault::delay(Duration::from_secs(60))),
        (
            Route::MachineAlerts,
            json!({"machine": DESK_042}),
            Fault { drip: Some(Duration::from_secs(60)), ..Fault::status(404) },
        ),
        (Route::UserAlerts, json!({"user": "dana.reyes"}), Fault::drip(Duration::from_secs(5))),
        (Route::Token, json!({"incident_id": INCIDENT}), Fault::delay(Duration::from_secs(60))),
    ] {
        world.sandbox.fail(route, Times::Always, fault);
        let (response, waited) = fast_forward(world.post(body)).await;
        response.problem(504, "upstream_timeout");
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
