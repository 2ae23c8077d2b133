//! What must never be seen: canaries in every secret, every failure forced, everything logged, and none of them anywhere.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::harness::{
    ALERT, CALLER_SECRET, CLIENT_ID, DEFENDER_SECRET, Fault, INCIDENT, NO_CACHE, Route, TENANT_ID, Times, USER, World,
    changed, fast_forward, new_sandbox,
};
use crate::log::Log;
use crate::rsa_keys::REGISTERED;

const TOKEN: &str = "CANARY-token-7f3a+/=%&é is no header";
const PLAIN_TOKEN: &str = "CANARY-token-7f3a.b_c~d";
const CLIENT_SECRET: &str = "CANARY-client~secret-8Q+/=%&7f3a";
const CALLER_KEY: &str = "CANARY-caller-key-7f3a+/=";

/// A secret as it is, and in the forms in which it could slip out.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let inner = |text: String| text[2..text.len() - 4].to_owned();
    vec![
        secret.to_owned(),
        percent,
        inner(STANDARD.encode(secret)),
        inner(STANDARD_NO_PAD.encode(format!("x{secret}"))),
        inner(URL_SAFE_NO_PAD.encode(format!("xy{secret}"))),
        json!(secret).to_string().trim_matches('"').to_owned(),
        secret.escape_debug().to_string(),
    ]
}

#[track_caller]
fn assert_silent(text: &str) {
    assert!(!text.contains("CANARY"), "{text}");
    let lines = REGISTERED.private_key_pem.lines().filter(|line| !line.starts_with('-'));
    let secrets =
        [TOKEN, PLAIN_TOKEN, CLIENT_SECRET, CALLER_KEY].into_iter().flat_map(forms).chain(lines.map(str::to_owned));
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
}

async fn guarded(secret: &Value, changes: &[(&str, &str)]) -> World {
    let sandbox = new_sandbox().await;
    let text = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
    sandbox.put_secret(DEFENDER_SECRET, &text);
    sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": {"soar": [CALLER_KEY]}}).to_string());
    sandbox.set_client_secret(CLIENT_SECRET);
    World::around(sandbox, changes).await
}

async fn ask(world: &World, body: Value) -> Response {
    let ask = Request::post("/v1/enrich", body.to_string()).anonymous().with("x-api-key", CALLER_KEY);
    fast_forward(world.send(ask)).await.0
}

fn secrets() -> Vec<Value> {
    let app = json!({"tenant_id": TENANT_ID, "client_id": CLIENT_ID});
    let with = |more: Value| changed(app.clone(), more);
    vec![
        json!(PLAIN_TOKEN),
        json!(TOKEN),
        json!({"access_token": PLAIN_TOKEN, "expires_at": "2020-01-01T00:00:00Z"}),
        json!({"access_token": [TOKEN]}),
        json!({"tokens": {"defender": PLAIN_TOKEN, "xdr": TOKEN}}),
        json!({"tokens": {"xdr": PLAIN_TOKEN}}),
        with(json!({"client_secret": CLIENT_SECRET})),
        with(json!({"client_secret": format!("{CLIENT_SECRET}-wrong")})),
        with(json!({"client_secret": [CLIENT_SECRET]})),
        with(json!({"certificate_pem": REGISTERED.certificate_pem, "private_key_pem": REGISTERED.private_key_pem})),
        with(json!({"certificate_pem": REGISTERED.private_key_pem, "private_key_pem": REGISTERED.private_key_pem})),
        with(
            json!({"certificate_pem": REGISTERED.certificate_pem, "private_key_pem": REGISTERED.private_key_pem.replace("MII", "MIX")}),
        ),
        with(json!({"federated": true, "client_secret_before": CLIENT_SECRET})),
    ]
}

/// Everything that can go wrong between us and a token's use.
fn faults() -> Vec<(Route, Fault)> {
    let told = format!("{{\"error\":\"{TOKEN}\",\"error_description\":\"{CLIENT_SECRET}\",\"error_codes\":[7000215]}}");
    let echoed = json!({"error": {"code": CLIENT_SECRET, "message": PLAIN_TOKEN}}).to_string();
    let mut faults = Vec::new();
    for route in [Route::Secret, Route::Token, Route::WebIdentity, Route::Alert] {
        faults.extend([
            (route, Fault::status(400).with_body(told.clone())),
            (route, Fault::status(401).with_body(echoed.clone())),
            (route, Fault::status(403).with_body(echoed.clone())),
            (route, Fault::status(404).with_body(echoed.clone())),
            (route, Fault::status(500).with_body(told.clone())),
            (route, Fault::body(told.clone())),
            (route, Fault::reset()),
            (route, Fault::body(PLAIN_TOKEN).with_header("x-echo", CLIENT_SECRET)),
            (
                route,
                Fault::status(302).with_header("location", &format!("https://{PLAIN_TOKEN}.example/?t={PLAIN_TOKEN}")),
            ),
        ]);
    }
    faults.push((Route::Token, Fault::body(json!({"access_token": TOKEN, "expires_in": 60}).to_string())));
    faults
}

#[tokio::test]
async fn no_secret_is_ever_logged_or_answered() {
    for json in [true, false] {
        let (log, _guard) = Log::start(json);
        let mut bodies = String::new();
        for (number, secret) in secrets().iter().enumerate() {
            let world = guarded(secret, &[NO_CACHE]).await;
            bodies += &ask(&world, json!({"alert_id": ALERT})).await.text();
            bodies += &ask(&world, json!({"incident_id": INCIDENT})).await.text();
            // Each form meets some of the faults; the client secret, which gets furthest, all of them.
            for (route, fault) in faults().into_iter().skip(number % 5).step_by(if number == 6 { 1 } else { 5 }) {
                let world = World::around(world.sandbox.clone(), &[]).await;
                world.sandbox.fail(
                    route,
                    Times::Always,
                    if route == Route::Secret { fault.only_for(DEFENDER_SECRET) } else { fault },
                );
                bodies += &ask(&world, json!({"alert_id": ALERT})).await.text();
                world.sandbox.mend();
            }
        }
        let text = log.text();
        assert!(text.lines().count() > 60, "{text}");
        assert_silent(&text);
        for id in [TENANT_ID, CLIENT_ID, DEFENDER_SECRET, "arn:aws"] {
            assert!(!text.contains(id), "{id} in {text}");
        }
        assert_silent(&bodies);
    }
}

#[tokio::test]
async fn no_callers_key_is_ever_logged_or_answered() {
    let (log, _guard) = Log::start(true);
    let world = guarded(&json!(PLAIN_TOKEN), &[]).await;
    let mut bodies = String::new();
    for (name, value) in [
        ("x-api-key", CALLER_KEY.to_owned()),
        ("x-api-key", format!("{CALLER_KEY}x")),
        ("authorization", format!("Bearer {CALLER_KEY}")),
        ("authorization", format!("Basic {}", STANDARD.encode(format!("soar:{CALLER_KEY}")))),
        ("authorization", format!("Digest {CALLER_KEY}")),
        ("cookie", CALLER_KEY.to_owned()),
        ("x-request-id", CALLER_KEY.to_owned()),
        ("traceparent", CALLER_KEY.to_owned()),
    ] {
        bodies += &world.send(Request::get("/v1/enrich?alert_id=x").anonymous().with(name, value)).await.text();
    }
    world.sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": CALLER_KEY}).to_string());
    let broken = World::around(world.sandbox.clone(), &[]).await;
    bodies += &ask(&broken, json!({"alert_id": ALERT})).await.text();
    assert_silent(&log.text());
    assert_silent(&bodies);
    assert!(log.requests().iter().any(|line| line["caller"] == "soar"), "{}", log.text());
}

#[tokio::test]
async fn each_request_has_one_log_line_without_subjects() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    world.post(json!({"user": USER})).await.answer();
    world.post(json!({"user": USER})).await.answer();
    world.post(json!({"alert_id": "../x"})).await.problem(422, "invalid_id");
    world.send(Request::get("/v1/enrich?user=nobody").anonymous()).await.problem(401, "unauthorized");
    world.batch(json!({"user": USER, "incident_id": "1"})).await.answer();
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(60)));
    let slow = World::around(world.sandbox.clone(), &[]).await;
    fast_forward(slow.alert(ALERT)).await.0.problem(504, "upstream_timeout");
    let lines = log.requests();
    let told = |member: &str| lines.iter().map(|line| line[member].clone()).collect::<Vec<_>>();
    assert_eq!(told("status"), [200, 200, 422, 401, 200, 504]);
    assert_eq!(
        told("code"),
        [json!(null), json!(null), json!("invalid_id"), json!("unauthorized"), json!(null), json!("upstream_timeout")]
    );
    assert_eq!(
        told("caller"),
        [json!("demo"), json!("demo"), json!("demo"), json!(null), json!("demo"), json!("demo")]
    );
    assert_eq!(told("kind")[..2], [json!("user"), json!("user")]);
    assert_eq!(told("cache")[..2], [json!("miss"), json!("hit")]);
    assert_eq!(told("upstream_calls")[1..4], [0, 0, 0]);
    assert_eq!(told("route"), ["enrich", "enrich", "enrich", "enrich", "batch", "enrich"]);
    assert_eq!(told("format"), ["json"; 6]);
    assert_eq!(told("backend")[..3], [json!("defender"), json!("defender"), json!(null)]);
    for line in &lines {
        for member in ["request_id", "duration_ms", "upstream_calls", "cold_start"] {
            assert!(!line[member].is_null(), "{member}: {line}");
        }
    }
    assert!(!log.text().to_lowercase().contains("dana"), "{}", log.text());
}

#[tokio::test]
async fn the_line_names_the_route_and_the_format_of_the_answer() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    world.get(&[("user", USER), ("format", "text")]).await;
    world.send(Request::get("/defender/v1/enrich?user=nobody&format=ecs")).await;
    world.send(Request::get("/healthz")).await;
    world.send(Request::get("/v1/openapi.json")).await;
    world.send(Request::get("/v1/nothing")).await;
    let lines = log.requests();
    let members = |member: &str| lines.iter().map(|line| line[member].clone()).collect::<Vec<_>>();
    assert_eq!(members("route"), [json!("enrich"), json!("enrich"), json!("healthz"), json!("openapi"), json!(null)]);
    assert_eq!(members("format"), ["text", "ecs", "json", "json", "json"]);
}

#[tokio::test]
async fn no_input_breaks_a_log_line() {
    let (log, _guard) = Log::start(true);
    let world = World::start().await;
    for value in ["bob\n{\"level\":\"ERROR\"}", "\u{1b}[2J", "a\r\nb", "a\u{2028}b"] {
        world.post(json!({"user": value})).await.problem(422, "invalid_id");
        world.send(Request::get("/healthz").with("x-request-id", value.replace(char::is_control, " "))).await;
        world.post(json!({"user": "x", value: 1})).await.answer();
    }
    assert_eq!(log.requests().len(), 12);
    assert!(!log.text().contains('\u{1b}') && !log.text().contains("ERROR"), "{}", log.text());
}
