//! The edge: routes, sizes, media types, bodies that mean no good, and what passes through from the caller.

use axum::Extension;
use defender_enrich::api::OwnAddress;
use serde_json::json;

use crate::client::{Request, timeless};
use crate::harness::{ALERT, DEMO_KEY, FILE_SHA1, MACHINE, MERGED_INCIDENT, Route, World};

const LIMIT: usize = 64 << 10;

#[tokio::test]
async fn an_unknown_path_is_404() {
    let world = World::start().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/enrich/",
        "/v1/enrich/x",
        "/v2/enrich",
        "/V1/enrich",
        "/healthz/",
        "/v1/enrich%2Fbatch",
        "/..%2fv1/enrich",
        "/v1//enrich",
        "/%00",
        "/favicon.ico",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            world.send(Request::new(method, path)).await.problem(404, "unknown_route");
        }
    }
    assert_eq!(world.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn a_prefix_before_a_route_changes_nothing() {
    let world = World::start().await;
    for prefix in ["/defender", "/prod", "/security/defender-1.0", "/v1", "/$default"] {
        let body = || json!({"alert_id": ALERT}).to_string();
        let plain = world.send(Request::post("/v1/enrich", body())).await.answer();
        let response = world.send(Request::post(&format!("{prefix}/v1/enrich"), body())).await;
        assert_eq!((timeless(response.answer()), response.header("vary")), (timeless(plain), "Accept"), "{prefix}");
        let response = world.send(Request::get(&format!("{prefix}/v1/enrich?alert_id={ALERT}&format=text"))).await;
        assert_eq!((response.status, response.header("content-type")), (200, "text/plain; charset=utf-8"), "{prefix}");
        assert_eq!(world.send(Request::get(&format!("{prefix}/healthz"))).await.status, 200);
        let response = world.send(Request::new("DELETE", &format!("{prefix}/v1/enrich"))).await;
        response.problem(405, "method_not_allowed");
        assert!(response.header("allow").contains("POST"), "{prefix}");
        let unsigned = Request::post(&format!("{prefix}/v1/enrich"), body()).without("x-api-key");
        world.send(unsigned).await.problem(401, "unauthorized");
        for nothing in ["", "/v1/nope", "/healthz/more", "/v2/enrich"] {
            world.send(Request::get(&format!("{prefix}{nothing}"))).await.problem(404, "unknown_route");
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_allowed_ones() {
    let world = World::start().await;
    for (path, allowed) in [
        ("/", "POST"),
        ("/v1/enrich", "GET,HEAD,POST"),
        ("/v1/enrich/batch", "POST"),
        ("/v1/openapi.json", "GET,HEAD"),
        ("/healthz", "GET,HEAD"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let response = world.send(Request::new(method, path)).await;
            response.problem(405, "method_not_allowed");
            let mut methods: Vec<_> = response.header("allow").split(',').map(str::trim).collect();
            methods.sort_unstable();
            assert_eq!(methods.join(","), allowed, "{method} {path}");
            assert!(response.header("access-control-allow-origin").is_empty());
        }
    }
    assert_eq!(world.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn a_body_has_at_most_64_kib() {
    let world = World::start().await;
    let body = |length: usize| {
        let subject = json!({"alert_id": ALERT}).to_string();
        subject.clone() + &" ".repeat(length - subject.len())
    };
    world.send(Request::post("/v1/enrich", body(LIMIT))).await.answer();
    for length in [LIMIT + 1, 1 << 20, 6 << 20] {
        world.send(Request::post("/v1/enrich", body(length))).await.problem(413, "payload_too_large");
        world.send(Request::post("/v1/enrich/batch", body(length))).await.problem(413, "payload_too_large");
    }
    assert_eq!(world.calls(Route::Alert), 1);
}

#[tokio::test]
async fn a_body_is_json_by_its_media_type() {
    let world = World::start().await;
    let ask = || Request::post("/v1/enrich", json!({"alert_id": ALERT}).to_string()).without("content-type");
    world.send(ask()).await.answer();
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.siem+json",
        "application/cloudevents+json;x=y",
    ] {
        world.send(ask().with("content-type", good)).await.answer();
    }
    for bad in [
        "text/plain",
        "application/xml",
        "text/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
        "application/",
    ] {
        world.send(ask().with("content-type", bad)).await.problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn invalid_json_is_400() {
    let world = World::start().await;
    let utf16: Vec<u8> = format!("{{\"alert_id\":\"{ALERT}\"}}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"{}{}".to_vec(),
        b"{\"alert_id\":}".to_vec(),
        b"{'alert_id':'x'}".to_vec(),
        b"alert_id=x".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"user\":\"J\xf6rg\"}".to_vec(),
        b"{\"user\":\"\xc0\x80\"}".to_vec(),
        utf16,
        br#"{"user":"\ud800"}"#.to_vec(),
        br#"{"user":"\udc00\ud800"}"#.to_vec(),
        b"{\"user\":\"a\nb\"}".to_vec(),
        b"{\"limit\":1e400,\"user\":\"x\"}".to_vec(),
        "[".repeat(LIMIT).into(),
        "{\"a\":".repeat(10_000).into(),
        "[".repeat(30_000).into_bytes(),
        format!("{{\"user\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000)).into(),
        format!("{}{}", "[".repeat(200), "]".repeat(200)).into(),
    ];
    for body in bodies {
        for target in ["/v1/enrich", "/v1/enrich/batch"] {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            if target.ends_with("batch") && shown.contains("ud") {
                // One item of a batch is judged by itself.
                continue;
            }
            let response = world.send(Request::post(target, body.clone())).await;
            assert_eq!(
                (response.status, response.json()["code"].as_str()),
                (400, Some("invalid_json")),
                "{target} {shown:?}"
            );
        }
    }
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn a_body_that_names_no_subject_or_several_is_422() {
    let world = World::start().await;
    for (body, code, pointer) in [
        (r"{}", "invalid_request", None),
        (r"7", "invalid_request", None),
        (r#"{"alert_id":""}"#, "invalid_request", None),
        (r#"{"alert_id":null,"user":null}"#, "invalid_request", None),
        (r#"{"alert_id":"a","user":"b"}"#, "ambiguous_request", None),
        (r#"{"value":"a","user":"b"}"#, "ambiguous_request", None),
        (r#"{"alert_id":" \u200b\n","USER":"\t"}"#, "invalid_request", None),
        (r#"{"dest":"192.0.2.7","hostname":"a"}"#, "ambiguous_request", None),
        (r#"{"machine":"192.0.2.7"}"#, "invalid_id", Some("/machine")),
        (r#"{"userPrincipalName":"${user}"}"#, "invalid_id", Some("/userPrincipalName")),
        (r#"{"alertId":"da1_1 please"}"#, "invalid_id", Some("/alertId")),
        (r#"{"alert_id":"a","alert_id":"b"}"#, "invalid_request", Some("/alert_id")),
        (r#"{"alert_id":"a","alertId":"b"}"#, "invalid_request", Some("/alert_id")),
        (r#"{"user":"a","x":1,"x":1}"#, "invalid_request", Some("/x")),
        (r#"{"user":"a","\u0075ser":"b"}"#, "invalid_request", Some("/user")),
        (r#"{"alert_id":7}"#, "invalid_request", Some("/alert_id")),
        (r#"{"alert_id":{"$ne":null}}"#, "invalid_request", Some("/alert_id")),
        (r#"{"incident_id":-1}"#, "invalid_id", Some("/incident_id")),
        (r#"{"incident_id":1.0}"#, "invalid_id", Some("/incident_id")),
        (r#"{"incident_id":99999999999999999999}"#, "invalid_id", Some("/incident_id")),
        (r#"{"incident_id":"9223372036854775808"}"#, "invalid_id", Some("/incident_id")),
        (r#"{"incident_id":false}"#, "invalid_request", Some("/incident_id")),
        (r#"{"file_hash":"d41d8cd98f00b204e9800998ecf8427e"}"#, "unsupported_hash", Some("/file_hash")),
        (r#"{"user":"a","format":"yaml"}"#, "invalid_request", Some("/format")),
        (r#"{"user":"a","not_found":500}"#, "invalid_request", Some("/not_found")),
    ] {
        let response = world.send(Request::post("/v1/enrich", body)).await;
        let problem = response.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{body}");
    }
    for (query, code) in [
        ("", "invalid_request"),
        ("x=y", "invalid_request"),
        ("alert_id=a&user=b", "ambiguous_request"),
        ("user=a&user=b", "invalid_request"),
        ("user=a&User=b", "invalid_request"),
        ("host=a&account=b", "ambiguous_request"),
        ("alert_id=..%2F", "invalid_id"),
        ("user=%00", "invalid_id"),
    ] {
        world.send(Request::get(&format!("/v1/enrich?{query}"))).await.problem(422, code);
    }
    assert_eq!(world.sandbox.seen().len(), 1, "only the caller keys were read");
}

#[tokio::test]
async fn field_names_of_other_products_are_known_and_typing_errors_reported() {
    let world = World::start().await;
    for (body, kind, told) in [
        (json!({"hostname": MACHINE}), "machine", vec![]),
        (json!({"Device-Name": MACHINE, "machine": null, "user": " "}), "machine", vec![]),
        (json!({"alertId": null, "alert_id": ALERT}), "alert", vec![]),
        (json!({"alertId": ALERT, "machine": "", "user": null, "notFound": 200}), "alert", vec![]),
        (json!({"incidentId": MERGED_INCIDENT}), "incident", vec![]),
        (json!({"fileHash": FILE_SHA1, "alert_id": ""}), "file", vec![]),
        (json!({"sha256": FILE_SHA1}), "file", vec![]),
        (json!({"fqdn": MACHINE}), "machine", vec![]),
        (json!({"host": MACHINE, "hostname": "desk-043"}), "machine", vec!["hostname"]),
        (json!({"src_ip": "192.0.2.7", "alert_id": ALERT, "x": 1}), "alert", vec!["src_ip", "\"x\""]),
        (json!({"alert_id": ALERT, "machien": "x"}), "alert", vec!["Did you mean machine?"]),
        (json!({"alert_id": ALERT, "lmit": 3}), "alert", vec!["Did you mean limit?"]),
    ] {
        let answer = world.post(body.clone()).await.answer();
        assert_eq!(answer["kind"], kind, "{body}");
        let warnings = answer["warnings"].as_array().expect("warnings").iter();
        let unknown: Vec<_> = warnings.filter(|warning| warning["code"] == "unknown_field").collect();
        assert_eq!(unknown.len(), told.len(), "{body}: {unknown:?}");
        for (warning, told) in unknown.iter().zip(told) {
            assert!(warning["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{warning}");
        }
    }
    let problem = world.post(json!({"machin": "desk-042"})).await.problem(422, "invalid_request");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Did you mean machine?")), "{problem}");
}

#[tokio::test]
async fn a_syntax_error_is_reported_with_its_position() {
    let world = World::start().await;
    let problem =
        world.send(Request::post("/v1/enrich", r#"{"user":"CONTOSO\dana"}"#)).await.problem(400, "invalid_json");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("line 1, column 18") && detail.contains(r#""CONTOSO\\dana""#), "{detail}");
}

#[tokio::test]
async fn an_overlong_subject_is_refused_without_a_call() {
    let world = World::start().await;
    for length in [129, 10_000, 60_000] {
        let response = world.post(json!({"alert_id": "a".repeat(length)})).await;
        response.problem(422, "invalid_id");
        assert!(response.body.len() < 1000, "it is not echoed");
        world.post(json!({"machine": "a".repeat(length.max(256))})).await.problem(422, "invalid_id");
        world.post(json!({"user": "a".repeat(length.max(257))})).await.problem(422, "invalid_id");
    }
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn a_caller_cannot_choose_the_address_of_defender() {
    let world = World::start().await;
    let answer = world.post(json!({
        "alert_id": ALERT, "base_url": "http://169.254.169.254/", "host": "evil.example", "tenant": "x", "@odata.nextLink": "http://evil.example/"
    })).await.answer();
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 4);
    assert_eq!(world.defender_calls(), 1);
}

#[tokio::test]
async fn a_valid_request_id_is_kept_and_another_replaced() {
    let world = World::start().await;
    for sane in ["a", "0193-f00d_x.y", &"i".repeat(128)] {
        let response = world.send(Request::get("/healthz").with("x-request-id", sane)).await;
        assert_eq!(response.header("x-request-id"), sane);
        let response = world.send(Request::get("/nowhere").with("x-request-id", sane)).await;
        assert_eq!(response.json()["request_id"], sane);
    }
    for odd in ["", " ", "a b", "<script>", &"i".repeat(129), "a\tb", "é", "x;y"] {
        let response = world.send(Request::get("/healthz").with("x-request-id", odd)).await;
        let id = response.header("x-request-id");
        assert!(id != odd && id.len() == 36, "{odd:?}: {id:?}");
    }
    let one = world.send(Request::get("/healthz")).await;
    assert_ne!(one.header("x-request-id"), world.send(Request::get("/healthz")).await.header("x-request-id"));
}

#[tokio::test]
async fn only_the_names_for_correlation_are_passed_on() {
    let world = World::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = Request::post("/v1/enrich", json!({"machine": MACHINE}).to_string())
        .with("x-request-id", "soar-4711")
        .with("traceparent", trace)
        .with("tracestate", "a=b")
        .with("cookie", "c=d")
        .with("authorization", "Bearer evil")
        .with("x-forwarded-host", "evil.example")
        .with("x-forwarded-for", "192.0.2.66")
        .with("client-request-id", "mine")
        .with("user-agent", "evil/1")
        .with("accept-language", "xx")
        .with("x-evil", "1")
        .with("prefer", "x");
    world.send(ask).await.answer();
    let calls: Vec<_> = world
        .sandbox
        .seen()
        .into_iter()
        .filter(|seen| matches!(seen.route, Some(Route::Machines | Route::MachineAlerts | Route::Token)))
        .collect();
    assert_eq!(calls.len(), 3);
    for seen in &calls {
        assert_eq!((seen.header("client-request-id"), seen.header("traceparent")), (Some("soar-4711"), Some(trace)));
        assert!(seen.header("user-agent").unwrap().starts_with("defender-enrich/"));
        let known = [
            "host",
            "authorization",
            "accept",
            "accept-encoding",
            "user-agent",
            "traceparent",
            "client-request-id",
            "content-type",
            "content-length",
        ];
        let others: Vec<_> = seen.headers.keys().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_ne!(seen.header("authorization"), Some("unknown"));
    }
    world.sandbox.forget();
    world.send(Request::get(&format!("/v1/enrich?alert_id={ALERT}")).with("traceparent", "nonsense")).await.answer();
    assert_eq!(world.seen(Route::Alert)[0].header("traceparent"), None);
}

#[tokio::test]
async fn the_first_of_two_keys_counts() {
    let world = World::start().await;
    let ask = || Request::get(&format!("/v1/enrich?alert_id={ALERT}")).anonymous();
    world.send(ask().with("x-api-key", "wrong").with("x-api-key", DEMO_KEY)).await.problem(401, "unauthorized");
    assert_eq!(world.defender_calls(), 0);
    world.send(ask().with("x-api-key", DEMO_KEY).with("x-api-key", "wrong")).await.answer();
}

#[tokio::test]
async fn a_head_request_gets_the_headers_without_the_body() {
    let world = World::start().await;
    let response = world.send(Request::new("HEAD", &format!("/v1/enrich?alert_id={ALERT}"))).await;
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(response.header("content-type"), "application/json");
    let value = world.get(&[("alert_id", ALERT)]).await.answer();
    assert_eq!(value["id"], ALERT);
}

#[tokio::test]
async fn without_authentication_foreign_hosts_and_pages_are_refused() {
    let world = World::with(&[("ENRICH_AUTH", "none")]).await;
    let router = world.service.router().layer(Extension(OwnAddress(world.address)));
    let ask = async |target: &str, host: &str, origin: Option<&str>| {
        let request = Request::post(target, json!({"alert_id": ALERT}).to_string()).anonymous().with("host", host);
        let origin = origin.map(|origin| ("origin", origin.to_owned()));
        request.with_all(origin).send_through(router.clone()).await
    };
    let own = world.address.to_string();
    for target in ["/", "/v1/enrich", "/v1/enrich/batch", "/v1/hooks/slack", "/v1/openapi.json", "/healthz", "/nope"] {
        let problem = ask(target, "rebound.example", None).await.problem(403, "forbidden_origin");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("localhost")), "{problem}");
        ask(target, &own, Some("https://page.example")).await.problem(403, "forbidden_origin");
        ask(target, &own, Some("null")).await.problem(403, "forbidden_origin");
    }
    assert_eq!(world.sandbox.seen().len(), 0);
    ask("/v1/enrich", &own, None).await.answer();
    ask("/v1/enrich", "localhost:9000", Some("http://localhost:9000")).await.answer();
}

#[tokio::test]
async fn no_other_page_can_read_an_answer_or_show_it_as_html() {
    let world = World::start().await;
    let lookup = format!("/v1/enrich?alert_id={ALERT}");
    for (target, status) in [(&*lookup, 200), ("/v1/enrich?alert_id=a/b", 422), ("/v1/openapi.json", 200), ("/x", 404)]
    {
        let response = world.send(Request::get(target).with("origin", "https://page.example")).await;
        assert_eq!((response.status, response.header("x-content-type-options")), (status, "nosniff"), "{target}");
        assert!(response.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{response:?}");
    }
}
