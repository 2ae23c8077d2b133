//! Each scripted fault.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{ask, exchange};
use crate::company::showcase;
use crate::{DEFENDER_AUDIENCE, Fault, Route, Sandbox, Service, Times};

fn target() -> String {
    format!("/api/alerts/{}", showcase::ALERT)
}

#[tokio::test]
async fn a_status_comes_with_the_error_body_of_its_service() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Once, Fault::status(503).with_header("Retry-After", "7"));
    let response = sandbox.mde(&target()).await;
    assert_eq!(
        (response.status, response.header("retry-after"), response.code().as_str()),
        (503, Some("7"), "ServiceUnavailable")
    );
    assert_eq!(sandbox.mde(&target()).await.status, 200);
    for (service, route, path, needle) in [
        (Service::Login, Route::Token, "/x/oauth2/v2.0/token", "error_codes"),
        (Service::Sts, Route::WebIdentity, "/", "<ErrorResponse"),
        (Service::SecretsManager, Route::Secret, "/", "__type"),
    ] {
        sandbox.fail(route, Times::Once, Fault::status(500));
        let headers =
            ["X-Amz-Target: secretsmanager.GetSecretValue", "Content-Type: application/x-www-form-urlencoded"];
        let body = "Action=GetWebIdentityToken&Version=2011-06-15";
        let response = ask(sandbox.origin(service), "POST", path, &headers, body).await.unwrap();
        assert_eq!(response.status, 500);
        assert!(response.text().contains(needle), "{}", response.text());
    }
}

#[tokio::test]
async fn a_scripted_body_and_its_headers_are_sent_unchanged() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(
        Route::Alert,
        Times::Exactly(2),
        Fault::status(404).with_body("<html>").with_content_type("text/html"),
    );
    sandbox.fail(Route::Alert, Times::Once, Fault::body(Vec::new()));
    sandbox.fail(
        Route::Alert,
        Times::Once,
        Fault::body("x").with_header("Content-Encoding", "gzip").with_header("bad name", "x"),
    );
    for _ in 0..2 {
        let response = sandbox.mde(&target()).await;
        assert_eq!(
            (response.status, response.text().as_str(), response.header("content-type")),
            (404, "<html>", Some("text/html"))
        );
        assert!(response.is_whole);
    }
    let response = sandbox.mde(&target()).await;
    assert_eq!((response.status, response.body.len(), response.is_whole), (200, 0, true));
    assert_eq!(sandbox.mde(&target()).await.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_reset_connection_carries_no_byte() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Once, Fault::reset());
    let token = sandbox.mint(DEFENDER_AUDIENCE);
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n", target());
    let error = exchange(sandbox.origin(Service::Defender), request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(sandbox.seen().len(), 1);
    assert_eq!(sandbox.mde(&target()).await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let sandbox = Sandbox::start().await.unwrap();
    let whole = sandbox.mde(&target()).await.body.len();
    sandbox.fail(Route::Alert, Times::Once, Fault::truncate(0.5));
    sandbox.fail(Route::Alert, Times::Once, Fault::truncate(0.0));
    let response = sandbox.mde(&target()).await;
    assert_eq!((response.status, response.body.len(), response.is_whole), (200, whole / 2, false));
    assert_eq!(response.header("content-length"), Some(whole.to_string().as_str()));
    let response = sandbox.mde(&target()).await;
    assert_eq!((response.status, response.body.len(), response.is_whole), (200, 0, false));
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_late_or_slow() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(60)));
    sandbox.fail(Route::Alert, Times::Once, Fault::drip(Duration::from_secs(2)));
    for least in [60, 90] {
        let start = Instant::now();
        let response = sandbox.mde(&target()).await;
        assert_eq!((response.json()["id"].as_str(), response.is_whole), (Some(showcase::ALERT), true));
        assert!(start.elapsed() >= Duration::from_secs(least), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_fault_can_last_until_it_is_cleared() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Always, Fault::status(500));
    for _ in 0..3 {
        assert_eq!(sandbox.mde(&target()).await.status, 500);
    }
    sandbox.mend();
    assert_eq!(sandbox.mde(&target()).await.status, 200);
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    for service in
        [Service::SecretsManager, Service::Sts, Service::DynamoDb, Service::Login, Service::Defender, Service::Xdr]
    {
        let origin = sandbox.origin(service);
        for bytes in [
            &b"what?\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
        ] {
            let _ = exchange(origin, bytes).await;
        }
        for target in [
            "*",
            "/%",
            "/api/alerts/%ff%00",
            "/api/machines?%",
            "/api/machines/%E0%A4%A",
            "/api/incidents/99999999999999999999",
        ] {
            for method in ["GET", "POST", "OPTIONS", "BREW"] {
                let headers = [
                    "Authorization: AWS4-HMAC-SHA256 Credential=////,,=",
                    "Content-Type: application/x-www-form-urlencoded",
                ];
                let response = ask(origin, method, target, &headers, "a&=%&b==\u{0}").await.unwrap();
                assert!((400..500).contains(&response.status), "{method} {target}: {}", response.status);
            }
        }
        let large = "x".repeat((1 << 20) + 1);
        assert!(ask(origin, "POST", "/", &[], &large).await.is_ok_and(|response| response.status == 413));
    }
    assert_eq!(sandbox.mde(&target()).await.status, 200);
}

#[tokio::test]
async fn servers_stop_with_the_last_handle() {
    let sandbox = Sandbox::start().await.unwrap();
    let (origin, other) = (sandbox.origin(Service::Defender).to_owned(), sandbox.clone());
    drop(sandbox);
    assert_eq!(ask(&origin, "GET", "/", &[], "").await.unwrap().status, 404);
    drop(other);
    let mut refused = false;
    for _ in 0..100 {
        refused = ask(&origin, "GET", "/", &[], "").await.is_err();
        if refused {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused);
}
