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
    // Browsers read and hash a text with the line ends of Unix. A checkout may have others.
    let [html, style, script] = [include_str!("page.html"), STYLE, SCRIPT].map(|text| text.replace("\r\n", "\n"));
    let html = html.replace("{style}", &style).replace("{script}", &script);
    let (before_setup, after_setup) = html.split_once("{setup}").unwrap_or((&html, ""));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        hash(&style),
        hash(&script)
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
    if !is_page {
        return next.run(request).await;
    }
    let values = setup.as_deref().map(|setup| PageSetup::clone(setup)).unwrap_or_default();
    respond(&Setup { values, needs_key: service.callers.requires_key() })
}

/// What the script reads from the page.
#[derive(Serialize)]
struct Setup {
    #[serde(flatten)]
    values: PageSetup,
    /// Whether callers authenticate with a key.
    needs_key: bool,
}

fn respond(setup: &Setup) -> Response {
    // A `<` could end the script element that holds the setup.
    let setup = serde_json::to_string(setup).unwrap_or_default().replace('<', "\\u003c");
    let body = [PAGE.before_setup.as_str(), &setup, &PAGE.after_setup].concat();
    let mut response = respond::of_type(
        body.into_bytes(),
        "text/html; charset=utf-8",
        RequestLog { route: Some("page"), ..RequestLog::default() },
    );
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

    #[tokio::test]
    async fn setup_cannot_end_the_element_that_holds_it() {
        let example = PageExample { field: "value", value: "</script><script>", about: "<!-- &amp;" };
        let setup = Setup { values: PageSetup { key: None, examples: vec![example] }, needs_key: true };
        let body = axum::body::to_bytes(respond(&setup).into_body(), usize::MAX).await.expect("a body");
        let html = std::str::from_utf8(&body).expect("UTF-8");
        let rest = html.strip_prefix(PAGE.before_setup.as_str()).expect("the page");
        let shown = rest.strip_suffix(PAGE.after_setup.as_str()).expect("the page");
        assert!(!shown.contains('<'), "{shown}");
        let read: serde_json::Value = serde_json::from_str(shown).expect("JSON");
        assert_eq!(read["examples"][0]["value"], example.value);
    }

    #[test]
    fn every_part_has_one_place() {
        for part in ["{style}", "{setup}", "{script}"] {
            let files = [include_str!("page.html"), STYLE, SCRIPT];
            assert_eq!(files.map(|file| file.matches(part).count()), [1, 0, 0], "{part}");
        }
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
