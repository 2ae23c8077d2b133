//! Lambda's events: through every entry point a request gets the same answer, in the form of that entry point.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use defender_enrich::lambda::{self, Event};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::Context;
use serde_json::{Value, json};

use crate::client::{Request, Response, timeless, timeless_text, warnings};
use crate::harness::{ALERT, DESK_042, Fault, PATIENT, Route, Times, World, alert_with, fast_forward};
use crate::shapes::assert_promised;

/// An event of `events/`.
pub(crate) fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The events of HTTP requests, by their file's name.
fn events() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "not_http.json" && !name.starts_with("hook_"));
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    names
}

/// An invocation with ten seconds to go.
pub(crate) fn context() -> Context {
    ending_in(Duration::from_secs(900))
}

fn ending_in(span: Duration) -> Context {
    let mut context = Context::default();
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap();
    context.deadline = now + u64::try_from(span.as_millis()).unwrap();
    context.request_id = "4d8cb2a0-4f0a-4b5e-9a53-8a7a6d1c9f00".to_owned();
    context
}

/// The reply to an event, as Lambda gets it.
pub(crate) async fn reply(world: &World, event: &Value, context: &Context) -> Value {
    let event = Event::read(event.to_string().as_bytes()).expect("an event of an entry point");
    serde_json::to_value(lambda::answer(world.service.router(), event, context).await).expect("JSON")
}

/// What the caller receives, and the reply.
async fn through(world: &World, event: &Value, context: &Context) -> (Response, Value) {
    let reply = reply(world, event, context).await;
    let mut headers = HeaderMap::new();
    for (name, value) in ["headers", "multiValueHeaders"].iter().filter_map(|part| reply[part].as_object()).flatten() {
        let value = value.as_str().or(value[0].as_str()).expect("a value");
        headers.insert(HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    // The entry point counts what it sends; a count of ours could only be wrong.
    assert!(!headers.contains_key("content-length"), "{headers:?}");
    let status = u16::try_from(reply["statusCode"].as_u64().unwrap()).unwrap();
    assert_ne!(reply["isBase64Encoded"], true);
    let response = Response { status, headers, body: reply["body"].as_str().unwrap().as_bytes().to_vec() };
    assert_promised(event_path(&reply).unwrap_or("/v1/enrich"), &response);
    (response, reply)
}

/// What the caller receives, with ten seconds to go.
async fn answered(world: &World, event: &Value) -> Response {
    through(world, event, &context()).await.0
}

fn event_path(reply: &Value) -> Option<&'static str> {
    reply["body"].as_str()?.contains("\"results\":").then_some("/v1/enrich/batch")
}

/// The same event with other members, by JSON pointer.
fn changed(mut event: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"))[name] = value.clone();
    }
    event
}

#[tokio::test]
async fn every_event_is_answered_as_the_same_request_is_without_lambda() {
    let world = World::start().await;
    let signed = World::around(world.sandbox.clone(), &[("ENRICH_AUTH", "iam")]).await;
    for name in events() {
        let event = event(&name);
        let response = answered(if name.contains("iam") { &signed } else { &world }, &event).await;
        if name == "bad_base64.json" {
            response.problem(400, "invalid_json");
            continue;
        }
        let body = event["body"].as_str().map(|body| match event["isBase64Encoded"].as_bool() {
            Some(true) => STANDARD.decode(body).unwrap(),
            _ => body.as_bytes().to_vec(),
        });
        let path = event["rawPath"].as_str().or(event["path"].as_str()).unwrap();
        let ask = match body {
            Some(body) => Request::post(path, body),
            None => Request::get(&format!("{path}?{}", event["rawQueryString"].as_str().unwrap())),
        };
        let direct = world.send(ask).await;
        assert_eq!(timeless(response.answer()), timeless(direct.answer()), "{name}");
        let found = if path.ends_with("batch") {
            response.json()["counts"]["failed"] == 0
        } else {
            response.json()["found"] == true
        };
        assert!(found, "{name}: {}", response.text());
    }
}

#[tokio::test]
async fn a_head_request_gets_the_headers_of_a_get_and_an_empty_body() {
    let world = World::start().await;
    let queries = events().into_iter().filter(|name| event(name)["body"].is_null());
    let mut asked = 0;
    for name in queries {
        let event = event(&name);
        let method =
            if event.pointer("/requestContext/http").is_some() { "/requestContext/http/method" } else { "/httpMethod" };
        let [get, head] = ["GET", "HEAD"].map(|word| changed(event.clone(), &[(method, json!(word))]));
        let (got, _) = through(&world, &get, &context()).await;
        let reply = reply(&world, &head, &context()).await;
        assert_eq!((&reply["statusCode"], &reply["body"]), (&json!(got.status), &json!("")), "{name}: {reply}");
        assert_eq!(reply["headers"]["content-length"], Value::Null, "{name}: {reply}");
        asked += 1;
    }
    assert!(asked > 0);
}

#[tokio::test]
async fn a_body_in_any_format_is_the_same_bytes_through_every_entry_point() {
    let world = World::start().await;
    for format in ["ecs", "ocsf_ndjson", "markdown", "text"] {
        let direct = world.post(json!({"alert_id": ALERT, "format": format})).await;
        for name in events().into_iter().filter(|name| name.ends_with("-alert.json")) {
            let body = json!({"alert_id": ALERT, "format": format}).to_string();
            let response = answered(&world, &changed(event(&name), &[("/body", json!(body))])).await;
            assert_eq!((response.status, response.header("vary")), (200, "Accept"), "{name}");
            assert_eq!(response.header("content-type"), direct.header("content-type"), "{name} {format}");
            assert!(!response.body.is_empty(), "{name} {format}");
            assert_eq!(timeless_text(&response.text()), timeless_text(&direct.text()), "{name} {format}");
        }
    }
    let named =
        changed(event("http_api_v2-alert.json"), &[("/headers/accept", json!("text/html, text/markdown;q=0.5"))]);
    let response = answered(&world, &named).await;
    assert_eq!(response.header("content-type"), "text/markdown; charset=utf-8");
}

#[tokio::test]
async fn problems_are_the_same_through_every_entry_point() {
    let world = World::start().await;
    for (name, status, code, changes) in [
        ("http_api_v2-alert.json", 422, "invalid_id", vec![("/body", json!("{\"alert_id\":\"../x\"}"))]),
        ("rest_api-alert.json", 422, "invalid_id", vec![("/body", json!("{\"alert_id\":\"../x\"}"))]),
        ("alb-alert.json", 422, "invalid_id", vec![("/body", json!("{\"alert_id\":\"../x\"}"))]),
        ("http_api_v2-alert.json", 404, "unknown_route", vec![("/rawPath", json!("/v1/a b\u{0}%zz"))]),
        ("alb-alert.json", 404, "unknown_route", vec![("/path", json!("/v1/a b\u{0}%zz"))]),
        ("http_api_v2-alert.json", 405, "method_not_allowed", vec![("/requestContext/http/method", json!("DELETE"))]),
        ("http_api_v2-alert.json", 401, "unauthorized", vec![("/headers/x-api-key", json!("wrong"))]),
        ("alb-alert.json", 401, "unauthorized", vec![("/headers/x-api-key", json!("wrong"))]),
        ("http_api_v2-alert.json", 413, "payload_too_large", vec![("/body", json!(" ".repeat(70_000)))]),
        ("http_api_v2-alert.json", 400, "invalid_json", vec![("/body", Value::Null)]),
        ("http_api_v2-alert.json", 415, "unsupported_media_type", vec![("/headers/content-type", json!("text/plain"))]),
    ] {
        let response = answered(&world, &changed(event(name), &changes)).await;
        response.problem(status, code);
    }
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn an_unknown_caller_is_offered_both_schemes_in_a_header_each_where_the_entry_point_can_send_several() {
    let world = World::start().await;
    let (bearer, basic) = ("Bearer realm=\"defender-enrich\"", "Basic realm=\"defender-enrich\"");
    for name in events().into_iter().filter(|name| name.ends_with("-alert.json")) {
        let mut event = event(&name);
        for member in ["headers", "multiValueHeaders"] {
            if let Some(headers) = event[member].as_object_mut() {
                headers.retain(|name, _| !name.eq_ignore_ascii_case("x-api-key"));
            }
        }
        let reply = reply(&world, &event, &context()).await;
        assert_eq!(reply["statusCode"], 401, "{name}");
        let line = &reply["headers"]["www-authenticate"];
        let lines = &reply["multiValueHeaders"]["www-authenticate"];
        let (one, several) = (json!(format!("{bearer}, {basic}")), json!([bearer, basic]));
        let expected = match name.split('-').next().unwrap() {
            "http_api_v2" | "function_url" => (&one, &Value::Null),
            "http_api_v1" | "rest_api" => (&Value::Null, &several),
            _ => (&one, &several),
        };
        assert_eq!((line, lines), expected, "{name}");
    }
}

#[tokio::test]
async fn invalid_base64_gets_an_answer() {
    let world = World::start().await;
    let mut lies = vec![
        "%%%".to_owned(),
        "a".to_owned(),
        "=".to_owned(),
        "eyJ\n".to_owned(),
        STANDARD.encode(b"\xff\xfe{}"),
        String::new(),
        "\u{1F512}".to_owned(),
    ];
    lies.push(STANDARD.encode(" ".repeat(200_000)));
    for name in ["function_url-base64.json", "rest_api-alert.json", "alb-alert.json", "bad_base64.json"] {
        for lie in &lies {
            let event = changed(event(name), &[("/body", json!(lie)), ("/isBase64Encoded", json!(true))]);
            let response = answered(&world, &event).await;
            assert!(
                response.status == 400 || (response.status == 413 && lie.len() > 200_000),
                "{name} {lie:.20}: {}",
                response.text()
            );
        }
        let response = answered(&world, &event("function_url-base64.json")).await;
        response.answer();
    }
    let wrong_flag = changed(event("function_url-base64.json"), &[("/isBase64Encoded", json!(false))]);
    answered(&world, &wrong_flag).await.problem(400, "invalid_json");
}

#[tokio::test]
async fn a_hostile_host_header_is_only_a_header() {
    let world = World::start().await;
    for host in ["a b[", "", "evil.example", "[::1", "x:99999999", "a/b?c#d", "\u{fc}.example"] {
        for (name, pointer) in [
            ("http_api_v2-alert.json", "/headers/host"),
            ("alb-alert.json", "/headers/host"),
            ("rest_api-alert.json", "/headers/Host"),
        ] {
            let response = answered(&world, &changed(event(name), &[(pointer, json!(host))])).await;
            assert_eq!(response.status, 200, "{host:?} {name}: {}", response.text());
        }
    }
}

#[tokio::test]
async fn a_query_is_read_once_and_only_once_decoded() {
    let world = World::start().await;
    let name = "Dana's iPad";
    let v2 = changed(event("http_api_v2-get.json"), &[("/rawQueryString", json!("machine=Dana%27s+iPad&limit=1"))]);
    let v1 = changed(
        event("rest_api-alert.json"),
        &[
            ("/httpMethod", json!("GET")),
            ("/body", Value::Null),
            ("/multiValueQueryStringParameters", json!({"machine": [name], "limit": ["1"]})),
            ("/queryStringParameters", json!({"machine": name, "limit": "1"})),
        ],
    );
    let alb = changed(
        event("alb-alert.json"),
        &[
            ("/httpMethod", json!("GET")),
            ("/body", json!("")),
            ("/queryStringParameters", json!({"machine": "Dana%27s+iPad", "limit": "1"})),
        ],
    );
    let many = changed(
        event("alb_multi_value-alert.json"),
        &[
            ("/httpMethod", json!("GET")),
            ("/body", json!("")),
            ("/multiValueQueryStringParameters", json!({"machine": ["Dana%27s%20iPad"], "limit": ["1"]})),
        ],
    );
    for event in [v2, v1, alb, many] {
        let response = answered(&world, &event).await;
        assert_eq!(response.answer()["input"], name);
    }
    let twice = changed(
        event("alb-alert.json"),
        &[("/httpMethod", json!("GET")), ("/queryStringParameters", json!({"alert_id": "%2541"}))],
    );
    answered(&world, &twice).await.problem(422, "invalid_id");
}

#[tokio::test]
async fn an_identity_counts_only_from_the_events_own_context() {
    let world = World::with(&[("ENRICH_AUTH", "iam")]).await;
    let signed = event("http_api_v2-iam.json");
    answered(&world, &signed).await.answer();
    for unsigned in [
        changed(signed.clone(), &[("/requestContext/authorizer", Value::Null)]),
        changed(signed.clone(), &[("/requestContext/authorizer/iam", Value::Null)]),
        changed(signed.clone(), &[("/requestContext/authorizer/iam/userArn", Value::Null)]),
        changed(signed.clone(), &[("/requestContext/authorizer/iam/userArn", json!(""))]),
        event("http_api_v2-alert.json"),
        event("alb-alert.json"),
        event("rest_api-alert.json"),
    ] {
        answered(&world, &unsigned).await.problem(401, "unauthorized");
    }
    let rest = changed(
        event("rest_api-alert.json"),
        &[("/requestContext/identity/userArn", json!("arn:aws:iam::123456789012:user/soar"))],
    );
    answered(&world, &rest).await.answer();
}

#[tokio::test]
async fn through_a_load_balancer_an_answer_stays_below_its_limit() {
    let world = World::with(PATIENT).await;
    let quoted = "\"quoted\" \\ ".repeat(400);
    let alerts: Vec<_> =
        (0..300).map(|number| alert_with(&format!("da{number:018}_1"), json!({"description": quoted}))).collect();
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::body(json!({"value": alerts}).to_string()));
    let body = json!({"machine": DESK_042, "limit": 500, "include": "raw"}).to_string();
    let batch = json!({"requests": [{"machine": DESK_042, "limit": 500}, {"machine": DESK_042, "limit": 400}, {"alert_id": ALERT}]}).to_string();
    for name in ["alb-alert.json", "alb_multi_value-alert.json"] {
        let (response, reply) = through(&world, &changed(event(name), &[("/body", json!(body))]), &context()).await;
        assert!(reply.to_string().len() < 1_000_000, "{}", reply.to_string().len());
        let answer = response.answer();
        assert_eq!((&answer["counts"]["alerts"], &answer["truncated"]), (&json!(300), &json!(true)));
        assert!(warnings(&answer).contains(&"answer_capped") && answer["alerts"][0].is_object());
        let (response, reply) = through(
            &world,
            &changed(event(name), &[("/body", json!(batch)), ("/path", json!("/v1/enrich/batch"))]),
            &context(),
        )
        .await;
        assert!(reply.to_string().len() < 1_000_000, "{}", reply.to_string().len());
        assert_eq!(response.answer()["counts"]["ok"], 3);
    }
    let response = answered(&world, &changed(event("http_api_v2-alert.json"), &[("/body", json!(body))])).await;
    assert!(response.body.len() > 1_000_000 && response.answer()["alerts"].as_array().unwrap().len() == 300);
}

#[tokio::test]
async fn the_invocations_deadline_is_kept() {
    let world = World::start().await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(60)));
    let (asked, context) = (event("http_api_v2-alert.json"), ending_in(Duration::from_secs(8)));
    let ((response, _), waited) = fast_forward(through(&world, &asked, &context)).await;
    response.problem(504, "upstream_timeout");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test]
async fn a_deadline_that_has_passed_on_arrival_is_ignored() {
    let world = World::start().await;
    // As `cargo lambda watch` tells it: ten minutes after 1970.
    let mut local = context();
    local.deadline = 600_000;
    for context in [ending_in(Duration::ZERO), local] {
        through(&world, &event("http_api_v2-alert.json"), &context).await.0.answer();
    }
}

#[tokio::test]
async fn lambdas_request_id_is_used_unless_the_caller_sent_one() {
    let world = World::start().await;
    let response = answered(&world, &event("http_api_v2-alert.json")).await;
    assert_eq!(response.header("x-request-id"), context().request_id);
    let named = changed(event("http_api_v2-user.json"), &[("/headers/x-request-id", json!("soar-1"))]);
    assert_eq!(answered(&world, &named).await.header("x-request-id"), "soar-1");
}

#[test]
fn an_event_that_is_not_a_request_is_not_read() {
    for odd in [event("not_http.json"), json!({}), json!({"Records": []}), json!([]), json!("ping"), json!(null)] {
        assert!(Event::read(odd.to_string().as_bytes()).is_none(), "{odd}");
    }
}

#[tokio::test]
async fn a_stage_and_a_prefix_in_the_path_are_not_part_of_the_route() {
    let world = World::start().await;
    for (name, stage, path, is_known) in [
        ("http_api_v2-alert.json", "prod", "/prod/v1/enrich", true),
        ("http_api_v2-alert.json", "prod", "/prod", true),
        ("http_api_v2-alert.json", "prod", "/production", false),
        // As behind a custom domain.
        ("http_api_v2-alert.json", "prod", "/v1/enrich", true),
        ("http_api_v2-alert.json", "$default", "/security/defender/v1/enrich", true),
        ("function_url-alert.json", "$default", "/security/defender/v1/enrich", true),
        ("http_api_v1-alert.json", "prod", "/security/defender/v1/enrich", true),
        ("rest_api-alert.json", "prod", "/security/defender/v1/enrich", true),
        ("alb-alert.json", "", "/security/defender/v1/enrich", true),
    ] {
        let event = event(name);
        let path_member = if event["rawPath"].is_string() { "/rawPath" } else { "/path" };
        let mut changes = vec![(path_member, json!(path))];
        if !stage.is_empty() {
            changes.push(("/requestContext/stage", json!(stage)));
        }
        let (response, _) = through(&world, &changed(event, &changes), &context()).await;
        if is_known {
            response.answer();
        } else {
            response.problem(404, "unknown_route");
        }
    }
}
