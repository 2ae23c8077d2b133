//! `POST /mcp`: who may call it, both generations of messages, tool results, and the log.

use defender_enrich::lambda::{self, Event};
use ring::hmac;
use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::harness::{ALERT, CALLER_SECRET, DEMO_KEY, DEMO_SLACK_SECRET, Fault, MACHINE, Route, Times, USER, World};
use crate::log::Log;

const VERSION: &str = "2026-07-28";

fn post(message: &Value) -> Request {
    Request::post("/mcp", message.to_string())
}

/// A request of the older generation.
fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

fn call(tool: &str, arguments: &Value) -> Value {
    request("tools/call", &json!({"name": tool, "arguments": arguments}))
}

/// A request of the newer generation, with its headers.
fn stateless(method: &str, mut params: Value) -> Request {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {}
    });
    let ask = post(&request(method, &params)).with("mcp-protocol-version", VERSION).with("mcp-method", method);
    match params["name"].as_str() {
        Some(name) => ask.with("mcp-name", name),
        None => ask,
    }
}

async fn send(world: &World, ask: Request) -> Response {
    ask.send_to(world.address).await
}

/// The result of a request that is answered.
async fn result(world: &World, ask: Request) -> Value {
    let answer = send(world, ask).await.answer();
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&"2.0".into(), &7.into()), "{answer}");
    answer["result"].clone()
}

/// The structured content of a tool result that is a problem.
async fn problem(world: &World, arguments: &Value, status: u16, code: &str) -> Value {
    let result = result(world, post(&call("defender_lookup", arguments))).await;
    let problem = &result["structuredContent"];
    assert_eq!(
        (&result["isError"], &problem["status"], &problem["code"]),
        (&true.into(), &status.into(), &code.into()),
        "{arguments}"
    );
    assert_eq!(result["content"][0]["text"], problem["detail"]);
    problem.clone()
}

fn slack_headers(body: &str) -> [(&'static str, String); 2] {
    let now = jiff::Timestamp::now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, DEMO_SLACK_SECRET.as_bytes());
    let signature = hex::encode(hmac::sign(&key, format!("v0:{now}:{body}").as_bytes()));
    [("x-slack-request-timestamp", now.to_string()), ("x-slack-signature", format!("v0={signature}"))]
}

#[tokio::test]
async fn both_generations_list_and_call_the_same_tools() {
    let world = World::start().await;
    let first = result(&world, post(&request("initialize", &json!({"protocolVersion": "2025-06-18"})))).await;
    assert_eq!(first["protocolVersion"], "2025-06-18");
    let told = send(&world, post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))).await;
    assert_eq!((told.status, told.body.as_slice()), (202, &b""[..]));
    let older =
        result(&world, post(&request("tools/list", &json!({}))).with("mcp-protocol-version", "2025-06-18")).await;
    let newer = result(&world, stateless("tools/list", json!({}))).await;
    assert_eq!((&older["tools"], &newer["resultType"]), (&newer["tools"], &"complete".into()));

    let params = json!({"name": "defender_lookup", "arguments": {"alert_id": ALERT}});
    let older = result(&world, post(&request("tools/call", &params))).await;
    let newer = result(&world, stateless("tools/call", params)).await;
    assert_eq!(older["structuredContent"], newer["structuredContent"]);
    assert_eq!((&older["structuredContent"]["id"], world.calls(Route::Alert)), (&ALERT.into(), 1));
}

#[tokio::test]
async fn a_brief_agrees_with_the_answer_and_full_detail_is_the_answer() {
    let world = World::start().await;
    let whole = world.get(&[("machine", MACHINE), ("limit", "5")]).await.answer();
    let found = result(&world, post(&call("defender_lookup", &json!({"hostname": MACHINE})))).await;
    let brief = &found["structuredContent"];
    for member in ["kind", "input", "id", "found", "severity_open", "status", "verdict", "counts", "url", "context"] {
        assert_eq!(brief[member], whole[member], "{member}");
    }
    assert_eq!(brief["alerts"].as_array().map(Vec::len), whole["alerts"].as_array().map(Vec::len));
    assert!(found["content"][0]["text"].as_str().is_some_and(|text| text.contains(MACHINE)), "{found}");
    let full = result(&world, post(&call("defender_lookup", &json!({"machine": MACHINE, "detail": "full"})))).await;
    for member in ["schema_version", "alerts", "entities"] {
        assert_eq!(full["structuredContent"][member], whole[member], "{member}");
    }
}

#[tokio::test]
async fn problems_are_results_that_a_model_can_act_on() {
    let world = World::start().await;
    for (arguments, code, pointer) in [
        (json!({}), "invalid_request", None),
        (json!({"machine": MACHINE, "user": USER}), "ambiguous_request", None),
        (json!({"alert_id": "a/b"}), "invalid_id", Some("/alert_id")),
        (json!({"value": ["x"]}), "invalid_request", Some("/value")),
        (json!({"value": ALERT, "limit": 26}), "invalid_request", Some("/limit")),
        (json!({"value": ALERT, "detail": "medium"}), "invalid_request", Some("/detail")),
    ] {
        let problem = problem(&world, &arguments, 422, code).await;
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{arguments}");
    }
    assert_eq!(world.defender_calls(), 0);
    problem(&world, &json!({"alert_id": "da000_0"}), 404, "not_found").await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::status(429).with_header("Retry-After", "30"));
    let throttled = problem(&world, &json!({"alert_id": ALERT}), 429, "throttled").await;
    assert_eq!(throttled["retry_after_s"], 30);
    assert!(throttled["detail"].as_str().is_some_and(|detail| detail.contains("in 30 seconds")), "{throttled}");
}

#[tokio::test]
async fn options_of_other_routes_are_ignored() {
    let world = World::start().await;
    let arguments =
        json!({"alert_id": ALERT, "format": "slack", "include": "raw", "notify": "nobody", "colour": "red"});
    let found = result(&world, post(&call("defender_lookup", &arguments))).await;
    let warnings = found["structuredContent"]["warnings"].to_string();
    assert!(warnings.contains("colour") && !warnings.contains("notify"), "{warnings}");
}

#[tokio::test]
async fn several_values_are_answered_in_order_and_equal_ones_cost_one_call() {
    let world = World::start().await;
    let values = json!([ALERT, "d".repeat(32), "da000_0", ALERT, " "]);
    let result = result(&world, post(&call("defender_lookup_many", &json!({"values": values})))).await;
    let many = &result["structuredContent"];
    let statuses: Vec<_> = many["results"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    assert_eq!(statuses, [200, 422, 404, 200, 422]);
    assert_eq!(many["counts"], json!({"requests": 5, "ok": 2, "failed": 3}));
    assert_eq!(
        (&many["results"][0]["brief"]["id"], &many["results"][1]["problem"]["code"]),
        (&ALERT.into(), &"unsupported_hash".into())
    );
    assert_eq!(many["results"][1]["problem"]["errors"][0]["pointer"], "/values/1");
    assert_eq!(result["content"][0]["text"].as_str().unwrap().lines().count(), 5);
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn a_foreign_page_is_rejected_before_anything_else() {
    let world = World::with(&[("MCP_ORIGINS", "https://chat.contoso.com")]).await;
    let ask = || post(&request("ping", &json!({})));
    for origin in ["https://evil.example", "null", "", "https://chat.contoso.com.evil.example"] {
        send(&world, ask().anonymous().with("origin", origin)).await.problem(403, "forbidden_origin");
    }
    let own = format!("http://{}", world.address);
    send(&world, ask().with("origin", own)).await.problem(403, "forbidden_origin");
    let allowed = send(&world, ask().with("origin", "https://chat.contoso.com")).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, "https://chat.contoso.com"));
    let refused = send(&world, ask().anonymous().with("origin", "https://chat.contoso.com")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "https://chat.contoso.com"));

    let preflight = Request::new("OPTIONS", "/mcp").anonymous();
    let named = send(&world, preflight.clone().with("origin", "https://chat.contoso.com")).await;
    assert_eq!((named.status, named.header("access-control-allow-methods")), (204, "POST"));
    send(&world, preflight.with("origin", "https://evil.example")).await.problem(403, "forbidden_origin");
}

#[tokio::test]
async fn other_methods_bodies_and_types_are_rejected() {
    let world = World::start().await;
    for method in ["GET", "DELETE", "PUT"] {
        let heard = send(&world, Request::new(method, "/mcp")).await;
        heard.problem(405, "method_not_allowed");
        assert!(heard.header("allow").contains("POST"), "{heard:?}");
    }
    let ping = request("ping", &json!({})).to_string();
    send(&world, Request::post("/mcp", " ".repeat(70_000) + &ping)).await.problem(413, "payload_too_large");
    let text = Request::new("POST", "/mcp").with("content-type", "text/plain").body(ping.clone());
    send(&world, text).await.problem(415, "unsupported_media_type");
    let two_types = Request::post("/mcp", ping.clone()).with("content-type", "text/plain");
    send(&world, two_types).await.problem(415, "unsupported_media_type");
    let list = send(&world, Request::post("/mcp", format!("[{ping}]"))).await;
    assert_eq!((list.status, &list.json()["error"]["code"]), (400, &(-32_600).into()));
    assert_eq!(result(&world, Request::post("/prod/mcp", ping)).await, json!({}));
}

#[tokio::test]
async fn slacks_signature_opens_this_route_alone() {
    let world = World::start().await;
    let body = call("defender_lookup", &json!({"alert_id": ALERT})).to_string();
    let signed = |target: &str, signed: &str, sent: &str| {
        let ask = Request::post(target, sent.to_owned()).anonymous();
        slack_headers(signed).into_iter().fold(ask, |ask, (name, value)| ask.with(name, value))
    };
    let found = result(&world, signed("/mcp", &body, &body)).await;
    assert_eq!(found["structuredContent"]["id"], ALERT);
    let before = world.defender_calls();
    send(&world, signed("/mcp", &body, &body.replace(ALERT, "da000_0"))).await.problem(401, "unauthorized");
    let lookup = json!({"alert_id": ALERT}).to_string();
    send(&world, signed("/v1/enrich", &lookup, &lookup)).await.problem(401, "unauthorized");
    send(&world, Request::post("/mcp", body.clone()).anonymous()).await.problem(401, "unauthorized");
    world.sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": {"demo": [DEMO_KEY]}}).to_string());
    let other = World::around(world.sandbox, &[]).await;
    send(&other, signed("/mcp", &body, &body)).await.problem(401, "unauthorized");
    assert_eq!(other.defender_calls(), before);
}

#[tokio::test]
async fn the_log_has_the_tool_and_the_caller_but_no_argument() {
    let world = World::start().await;
    let (log, _listening) = Log::start(true);
    for arguments in [json!({"user": "canary.7"}), json!({"alert_id": "canary/7"}), json!({"canary": "canary"})] {
        send(&world, post(&call("defender_lookup", &arguments))).await.answer();
    }
    send(&world, post(&call("defender_lookup_many", &json!({"values": ["canary/7"]})))).await.answer();
    send(&world, post(&call("canary", &json!({})))).await.answer();
    send(&world, Request::post("/mcp", "{\"canary")).await;
    assert!(!log.text().contains("canary"), "{}", log.text());
    let lines = log.requests();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["route"] == "mcp" && line["caller"] == "demo"), "{lines:#?}");
    assert_eq!((&lines[0]["tool"], &lines[3]["tool"]), (&"defender_lookup".into(), &"defender_lookup_many".into()));
    assert_eq!((&lines[1]["code"], &lines[3]["codes"]), (&"invalid_id".into(), &"invalid_id".into()));
}

#[tokio::test]
async fn an_event_of_lambda_gets_the_same_answer() {
    let world = World::start().await;
    let message = call("defender_lookup", &json!({"alert_id": ALERT}));
    let expected = result(&world, post(&message)).await;
    let mut event: Value =
        serde_json::from_str(include_str!("../../events/function_url-alert.json")).expect("an event in JSON");
    for pointer in ["/rawPath", "/requestContext/http/path"] {
        *event.pointer_mut(pointer).expect("a path") = "/mcp".into();
    }
    event["body"] = message.to_string().into();
    let mut context = lambda_http::Context::default();
    let in_ten_seconds = jiff::Timestamp::now().as_millisecond() + 10_000;
    context.deadline = u64::try_from(in_ten_seconds).expect("a time after 1970");
    let event = Event::read(event.to_string().as_bytes()).expect("an event of an entry point");
    let reply = serde_json::to_value(lambda::answer(world.service.router(), event, &context).await).expect("JSON");
    let body: Value = serde_json::from_str(reply["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(
        (&reply["statusCode"], &body["result"]["structuredContent"]),
        (&200.into(), &expected["structuredContent"])
    );
}
