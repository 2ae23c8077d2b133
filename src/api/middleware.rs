//! What surrounds every request: its names, its deadline, a net under panics, and one line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::{Instant, timeout_at};

use super::origin::OwnAddress;
use super::problem::{Code, Problem};
use super::respond::RequestLog;
use crate::app::Service;
use crate::lookup::{Context, Deadline};

/// The name of a request, where the front door has given it one.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// What a front door lets through, in bytes after JSON escaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimit(pub usize);

impl Default for AnswerLimit {
    /// Lambda's synchronous answer is 6 MB, headers and envelope among them.
    fn default() -> Self {
        Self(5_000_000)
    }
}

/// What a handler needs to know of a request beside its parts.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    pub(super) ctx: Context,
    pub(super) limit: AnswerLimit,
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static COLD: AtomicBool = AtomicBool::new(true);
/// Whatever hangs beyond the deadline is cut off here.
const GRACE: Duration = Duration::from_millis(100);

/// Lets the request through, and sees to it that an answer comes out.
pub(super) async fn answer(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let cold = COLD.swap(false, Ordering::Relaxed);
    let deadline = Deadline::after(service.timeout);
    let deadline = request.extensions().get::<Deadline>().copied().map_or(deadline, |given| given.min(deadline));
    let id = request_id(&request);
    let ctx = Context::new(deadline, id.as_str(), traceparent(request.headers()));
    let limit = request.extensions().get::<AnswerLimit>().copied().unwrap_or_default();
    request.extensions_mut().insert(RequestContext { ctx: ctx.clone(), limit });
    let varies = is_negotiated(request.uri().path());

    let own = request.extensions().get::<OwnAddress>();
    let is_admitted = own.is_none_or(|own| own.admits(request.uri(), request.headers()));
    let answer = async { if is_admitted { next.run(request).await } else { forbidden(&id) } };
    let outcome = timeout_at(deadline.instant() + GRACE, AssertUnwindSafe(answer).catch_unwind()).await;
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::new(Code::Internal, "A bug of this service: report the request id.").response(&id),
        Err(_) => Problem::new(Code::UpstreamTimeout, "There was no answer in time.").response(&id),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(X_REQUEST_ID.clone(), value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if varies {
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    }

    let request_log = response.extensions().get::<RequestLog>().cloned().unwrap_or_default();
    tracing::info!(
        request_id = %id,
        caller = request_log.caller.as_deref(),
        kind = request_log.kind,
        status = response.status().as_u16(),
        code = request_log.code,
        cause = request_log.cause.as_deref(),
        duration_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        upstream_calls = ctx.calls(),
        cache = request_log.cache,
        ok = request_log.items.as_ref().map(|items| items.ok),
        failed = request_log.items.as_ref().map(|items| items.failed),
        pending = request_log.items.as_ref().map(|items| items.pending).filter(|pending| *pending > 0),
        codes = request_log.items.as_ref().map(|items| items.codes.as_str()).filter(|codes| !codes.is_empty()),
        // This process keeps its limits by itself.
        quota = "local",
        cold_start = cold,
        "request"
    );
    response
}

/// A request that is not meant for this service, which would take it from anybody.
fn forbidden(request_id: &str) -> Response {
    let detail = "This service asks for no key, so it answers only requests whose Host is localhost or its own address, \
                  and pages that come from there: use that address, or set ENRICH_AUTH=api_key.";
    Problem::new(Code::ForbiddenOrigin, detail).response(request_id)
}

/// Whether answers of this path may depend on `Accept`: those about a subject, and the alias of their route.
fn is_negotiated(path: &str) -> bool {
    path == "/" || path.starts_with("/v1/")
}

/// The caller's name for the request if it is a sane one, else the front door's, else a new one.
fn request_id(request: &Request) -> String {
    let sane = |id: &str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let own = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| sane(id));
    let given = request.extensions().get::<RequestId>().map(|id| id.0.as_str()).filter(|id| sane(id));
    own.or(given).map_or_else(new_id, str::to_owned)
}

/// A random UUID, version 4.
fn new_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}

/// The caller's trace context, if it has the form of version 00.
///
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let fits = parts.iter().map(|part| part.len()).eq([2, 32, 16, 2])
        && parts.iter().all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    fits.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_uuid_of_version_4() {
        for _ in 0..100 {
            let id = new_id();
            assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert_eq!(id.as_bytes()[14], b'4', "{id}");
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }

    #[test]
    fn only_a_trace_context_of_the_known_form_is_sent_on() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_str(text).expect("a header"));
            traceparent(&headers).is_some()
        };
        assert!(of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"));
        assert!(!of("anything"));
    }
}
