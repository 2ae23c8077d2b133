//! Everything that can be told to go wrong does, and nothing else.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use tokio::time::Instant;

use super::client::{ask, exchange};
use crate::sandbox::company::showcase;
use crate::sandbox::{DEFENDER_AUDIENCE, DEFENDER_SECRET, Encoding, Fault, Route, Sandbox, Service, Times};

fn target() -> String {
    format!("/api/alerts/{}", showcase::ALERT)
}

#[tokio::test]
async fn a_status_comes_with_the_error_body_of_its_service() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Once, Fault::status(503).with_header("Retry-After", "7"));
    let heard = sandbox.mde(&target()).await;
    assert_eq!(
        (heard.status, heard.header("retry-after"), heard.code().as_str()),
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
        let heard = ask(sandbox.origin(service), "POST", path, &headers, body).await.unwrap();
        assert_eq!(heard.status, 500);
        assert!(heard.text().contains(needle), "{}", heard.text());
    }
}

#[tokio::test]
async fn another_body_and_content_type_are_sent_as_they_are() {
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
        let heard = sandbox.mde(&target()).await;
        assert_eq!(
            (heard.status, heard.text().as_str(), heard.header("content-type")),
            (404, "<html>", Some("text/html"))
        );
        assert!(heard.whole);
    }
    let heard = sandbox.mde(&target()).await;
    assert_eq!((heard.status, heard.body.len(), heard.whole), (200, 0, true));
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
    let heard = sandbox.mde(&target()).await;
    assert_eq!((heard.status, heard.body.len(), heard.whole), (200, whole / 2, false));
    assert_eq!(heard.header("content-length"), Some(whole.to_string().as_str()));
    let heard = sandbox.mde(&target()).await;
    assert_eq!((heard.status, heard.body.len(), heard.whole), (200, 0, false));
}

#[tokio::test]
async fn a_large_body_is_truncated_as_well() {
    let sandbox = Sandbox::start().await.unwrap();
    let large = vec![b' '; 8 << 20];
    sandbox.fail(Route::Alert, Times::Once, Fault { truncate: Some(0.75), ..Fault::body(large) });
    let heard = sandbox.mde(&target()).await;
    assert_eq!((heard.body.len(), heard.whole), (6 << 20, false));
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_late_or_come_in_drops() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(60)));
    sandbox.fail(Route::Alert, Times::Once, Fault::drip(Duration::from_secs(2)));
    for least in [60, 90] {
        let start = Instant::now();
        let heard = sandbox.mde(&target()).await;
        assert_eq!((heard.json()["id"].as_str(), heard.whole), (Some(showcase::ALERT), true));
        assert!(start.elapsed() >= Duration::from_secs(least), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_body_is_compressed_for_those_who_offer_to_read_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let token = format!("Authorization: Bearer {}", sandbox.mint(DEFENDER_AUDIENCE));
    let origin = sandbox.origin(Service::Defender);
    let plain = sandbox.mde("/api/machines").await.body;
    for (encoding, name) in [(Encoding::Gzip, "gzip"), (Encoding::Deflate, "deflate")] {
        sandbox.fail(Route::Machines, Times::Exactly(2), Fault::encoding(encoding));
        let headers = [token.as_str(), "Accept-Encoding: gzip, deflate"];
        let heard = ask(origin, "GET", "/api/machines", &headers, "").await.unwrap();
        assert_eq!(heard.header("content-encoding"), Some(name));
        let mut unpacked = Vec::new();
        match encoding {
            Encoding::Gzip => flate2::read::GzDecoder::new(&heard.body[..]).read_to_end(&mut unpacked).unwrap(),
            Encoding::Deflate => flate2::read::ZlibDecoder::new(&heard.body[..]).read_to_end(&mut unpacked).unwrap(),
        };
        assert_eq!(unpacked, plain);
        let heard = ask(origin, "GET", "/api/machines", &[&token], "").await.unwrap();
        assert_eq!((heard.header("content-encoding"), &heard.body), (None, &plain));
    }
}

#[tokio::test]
async fn a_fault_can_be_for_one_secret_only_and_for_ever_until_mended() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.fail(Route::Alert, Times::Always, Fault::status(500));
    sandbox.fail(Route::Secret, Times::Always, Fault::reset().only_for(DEFENDER_SECRET));
    for _ in 0..3 {
        assert_eq!(sandbox.mde(&target()).await.status, 500);
    }
    let origin = sandbox.origin(Service::SecretsManager);
    let ask_for = |name: &str| {
        let body = format!("{{\"SecretId\":\"{name}\"}}");
        async move { ask(origin, "POST", "/", &["X-Amz-Target: secretsmanager.GetSecretValue"], &body).await }
    };
    assert!(ask_for(DEFENDER_SECRET).await.is_err());
    assert_eq!(ask_for("other").await.unwrap().status, 400);
    sandbox.mend();
    assert_eq!(sandbox.mde(&target()).await.status, 200);
    assert!(ask_for(DEFENDER_SECRET).await.is_ok());
}

#[tokio::test]
async fn nonsense_is_survived() {
    let sandbox = Sandbox::start().await.unwrap();
    for service in [Service::SecretsManager, Service::Sts, Service::Login, Service::Defender, Service::Xdr] {
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
                let heard = ask(origin, method, target, &headers, "a&=%&b==\u{0}").await.unwrap();
                assert!((400..500).contains(&heard.status), "{method} {target}: {}", heard.status);
            }
        }
        let large = "x".repeat((1 << 20) + 1);
        assert!(ask(origin, "POST", "/", &[], &large).await.is_ok_and(|heard| heard.status == 413));
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
