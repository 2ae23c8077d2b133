//! `GET /`: the page for people with a browser, and what every other caller of that path gets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::client::{Request, Response};
use crate::harness::{ALERT, World};

/// What a browser accepts.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn opened(method: &str, path: &str, accept: &str) -> Request {
    Request::new(method, path).anonymous().with("accept", accept)
}

/// The contents of the elements of a name.
fn elements<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}"), format!("</{name}>"));
    let parts = html.split(&*start).skip(1);
    parts.map(|part| part.split_once('>').expect("a tag").1.split(&*end).next().expect("an end")).collect()
}

#[track_caller]
fn assert_is_page(response: &Response) {
    assert_eq!((response.status, response.header("content-type")), (200, "text/html; charset=utf-8"), "{response:?}");
    let html = response.text();
    let [style] = elements(&html, "style")[..] else { panic!("one style: {html}") };
    let [setup, script] = elements(&html, "script")[..] else { panic!("the setup and one script: {html}") };
    assert_eq!(setup, r#"{"key":null,"examples":[],"needs_key":true}"#, "only the demo has a key");
    let policy = response.header("content-security-policy");
    let directives: Vec<_> = policy.split("; ").collect();
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"] {
        assert!(directives.contains(&directive), "{directive}: {policy}");
    }
    for (directive, text) in [("style-src", style), ("script-src", script)] {
        let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
        assert!(directives.contains(&&*format!("{directive} 'sha256-{hash}'")), "{directive}: {policy}");
    }
    for attribute in [" style=", " onclick=", " src=\"http"] {
        assert!(!html.contains(attribute), "the policy forbids {attribute}");
    }
}

#[tokio::test]
async fn a_browser_gets_the_page_without_a_call_to_anybody() {
    let world = World::start().await;
    for path in ["/", "/v1/", "/stage/v1/"] {
        let page = world.send(opened("GET", path, BROWSER)).await;
        assert_is_page(&page);
        assert_eq!(page.header("allow"), "", "{path}: the header is for a refused method");
        let head = world.send(opened("HEAD", path, BROWSER)).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["content-type", "content-security-policy", "vary"] {
            assert_eq!(head.header(name), page.header(name), "{path}: {name}");
        }
    }
    assert_eq!(world.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn only_a_get_that_names_html_gets_the_page() {
    let world = World::start().await;
    for (path, status, code) in
        [("/", 405, "method_not_allowed"), ("/v1/", 404, "unknown_route"), ("/stage/v1/", 404, "unknown_route")]
    {
        for accept in ["*/*", "text/*", "text/html;q=0", "text/html;q=0, */*", "application/json"] {
            world.send(opened("GET", path, accept)).await.problem(status, code);
        }
        world.send(Request::get(path).anonymous()).await.problem(status, code);
        world.send(opened("DELETE", path, BROWSER)).await.problem(status, code);
    }
    assert_eq!(world.send(opened("GET", "/", "*/*")).await.header("allow"), "POST");
    let asked = Request::post("/", json!({"alert_id": ALERT}).to_string()).with("accept", BROWSER);
    let response = world.send(asked).await;
    assert_eq!((response.header("content-type"), &response.answer()["id"]), ("application/json", &json!(ALERT)));
    for path in ["/v1/enrich", "/v1/nowhere", "/page"] {
        assert_ne!(world.send(opened("GET", path, BROWSER)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn without_enrich_page_a_browser_gets_the_problem() {
    let world = World::with(&[("ENRICH_PAGE", "false")]).await;
    world.send(opened("GET", "/", BROWSER)).await.problem(405, "method_not_allowed");
    world.send(opened("GET", "/v1/", BROWSER)).await.problem(404, "unknown_route");
}
