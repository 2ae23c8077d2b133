//! The page for people with a browser: one self-contained document, which asks `/v1/enrich` as every other caller does.
//!
//! It is served before the routes are looked at, and only to requests that accept HTML by name. Other callers of the
//! same paths get what they get without the page.

use std::sync::{Arc, LazyLock};

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, header};
use ring::digest::{SHA256, digest};
use serde::Serialize;

use super::accept;
use super::respond::{self, RequestLog};
use crate::app::Service;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The values that the page starts with.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PageSetup {
    /// The key of the demo: a real key is never part of the page.
    pub(crate) key: Option<&'static str>,
    /// Values to look up with one click.
    pub(crate) examples: Vec<PageExample>,
}

/// A value to look up, and what it shows.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct PageExample {
    /// The field of a request that names it.
    pub(crate) field: &'static str,
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
}

/// The page around its setup, and the policy that allows its own style and script only.
struct Page {
    before_setup: String,
    after_setup: String,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = include_str!("page.html").replace("{style}", STYLE).replace("{script}", SCRIPT);
    let (before_setup, after_setup) = html.split_once("{setup}").unwrap_or((&html, ""));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    Page {
        before_setup: before_setup.to_owned(),
        after_setup: after_setup.to_owned(),
        policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'")),
    }
});

/// Returns the SHA-256 of a text as Content-Security-Policy writes it.
fn hash(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// Answers a browser that opens the page, and passes on everything else.
pub(super) async fn answer_browser(
    State(service): State<Arc<Service>>,
    setup: Option<Extension<Arc<PageSetup>>>,
    request: Request,
    next: Next,
) -> Response {
    let is_page = service.serves_page
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && matches!(request.uri().path(), "/" | "/v1/")
        && accept::names_html(request.headers());
    if is_page { respond(setup.as_deref().map(AsRef::as_ref)) } else { next.run(request).await }
}

fn respond(setup: Option<&PageSetup>) -> Response {
    let setup = setup.cloned().unwrap_or_default();
    // A `<` could end the script element that holds the setup.
    let setup = serde_json::to_string(&setup).unwrap_or_default().replace('<', "\\u003c");
    let body = [PAGE.before_setup.as_str(), &setup, &PAGE.after_setup].concat();
    let mut response = respond::of_type(body.into_bytes(), "text/html; charset=utf-8", RequestLog::default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, PAGE.policy.clone());
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same_origin.clone());
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), same_origin);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text between two tags of the page.
    fn inside(tag: &str) -> Vec<String> {
        let html = [PAGE.before_setup.as_str(), "{}", &PAGE.after_setup].concat();
        let begin = format!("<{tag}");
        let parts = html.split(&begin).skip(1);
        let content = parts.map(|part| part.split_once('>').expect("a tag").1);
        content.map(|part| part.split(&format!("</{tag}>")).next().expect("an end").to_owned()).collect()
    }

    #[test]
    fn policy_allows_the_style_and_the_script_that_the_page_has() {
        let policy = PAGE.policy.to_str().expect("a header");
        let [style] = &inside("style")[..] else { panic!("one style") };
        let [setup, script] = &inside("script")[..] else { panic!("the setup and one script") };
        assert_eq!(setup, "{}");
        assert!(policy.contains(&format!("style-src 'sha256-{}'", hash(style))), "{policy}");
        assert!(policy.contains(&format!("script-src 'sha256-{}'", hash(script))), "{policy}");
    }

    #[test]
    fn the_script_makes_nothing_but_text_and_elements() {
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "cookie"]
        {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
