//! Wraps every request: request id, deadline, panic handling, and one log line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use super::origin::OwnAddress;
use super::problem::{Code, Problem};
use super::respond::RequestLog;
use super::routes;
use crate::app::Service;
use crate::formats::Format;
use crate::lookup::{Context, Deadline};

/// The request id that the entry point assigned.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The id of the trace that AWS X-Ray records for the request, without the parts of the header that name a segment.
#[derive(Clone, Debug)]
pub struct XrayTraceId(String);

impl XrayTraceId {
    /// Reads the root of a trace header, such as `Root=1-69a554e0-c4ca4238a0b923820dcc509a;Parent=…;Sampled=1`.
    ///
    /// Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.
    pub fn read(header: &str) -> Option<Self> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
        let is_id = (1..=64).contains(&root.len()) && root.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        is_id.then(|| Self(root.to_owned()))
    }
}

/// The largest response body that the entry point accepts, in bytes after JSON escaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimit(pub usize);

impl Default for AnswerLimit {
    /// Lambda limits a synchronous response to 6 MB, including headers and envelope.
    fn default() -> Self {
        Self(5_000_000)
    }
}

/// What a handler needs to know about a request, beside its parts.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    pub(super) ctx: Context,
    pub(super) limit: AnswerLimit,
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static IS_COLD_START: AtomicBool = AtomicBool::new(true);
/// How long after the deadline a handler that still runs is cut off.
const CUTOFF_GRACE: Duration = Duration::from_millis(100);

/// Runs the handler, and guarantees a response.
pub(super) async fn answer(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let is_cold_start = IS_COLD_START.swap(false, Ordering::Relaxed);
    let deadline = Deadline::after(service.timeout);
    let deadline = request
        .extensions()
        .get::<Deadline>()
        .copied()
        .map_or(deadline, |from_entry_point| from_entry_point.min(deadline));
    let id = request_id(&request);
    let ctx = Context::new(deadline, id.as_str(), traceparent(request.headers()));
    let limit = request.extensions().get::<AnswerLimit>().copied().unwrap_or_default();
    request.extensions_mut().insert(RequestContext { ctx: ctx.clone(), limit });
    let route = routes::log_name(request.uri().path());
    let trace_id = request.extensions().get::<XrayTraceId>().cloned();
    let varies = is_negotiated(request.uri().path());

    let from_caller = request.extensions().get::<OwnAddress>();
    let is_origin_allowed = from_caller.is_none_or(|from_caller| from_caller.admits(request.uri(), request.headers()));
    let answer = async { if is_origin_allowed { next.run(request).await } else { forbidden(&id) } };
    let outcome = timeout_at(deadline.instant() + CUTOFF_GRACE, AssertUnwindSafe(answer).catch_unwind()).await;
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
    let quota = service.quota_of(&ctx);
    let line = LogLine {
        status: response.status(),
        started,
        is_cold_start,
        route,
        format: format_of(&response),
        trace_id: trace_id.as_ref().map(|id| id.0.as_str()),
        quota,
    };
    log_request(&ctx, &line, &request_log);
    response
}

/// What the log line of a request has beside what its handler records.
pub(super) struct LogLine<'a> {
    pub(super) status: StatusCode,
    pub(super) started: Instant,
    pub(super) is_cold_start: bool,
    /// The route of the path.
    pub(super) route: Option<&'static str>,
    /// The format of a body that no handler has named.
    pub(super) format: Option<&'static str>,
    pub(super) trace_id: Option<&'a str>,
    /// Whether processes share the quota that the calls were taken from.
    pub(super) quota: &'static str,
}

/// Writes the one log line of a request.
pub(super) fn log_request(ctx: &Context, line: &LogLine<'_>, request_log: &RequestLog) {
    tracing::info!(
        request_id = %ctx.request_id,
        caller = request_log.caller.as_deref(),
        route = request_log.route.or(line.route),
        tool = request_log.tool,
        kind = request_log.kind,
        status = line.status.as_u16(),
        code = request_log.code,
        cause = request_log.cause.as_deref(),
        duration_ms = u64::try_from(line.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        upstream_calls = ctx.calls(),
        cache = request_log.cache,
        backend = request_log.backend,
        format = request_log.format.map_or(line.format, |format| Some(format.as_str())),
        ok = request_log.items.as_ref().map(|items| items.ok),
        failed = request_log.items.as_ref().map(|items| items.failed),
        pending = request_log.items.as_ref().map(|items| items.pending).filter(|pending| *pending > 0),
        codes = request_log.items.as_ref().map(|items| items.codes.as_str()).filter(|codes| !codes.is_empty()),
        quota = line.quota,
        xray_trace_id = line.trace_id,
        cold_start = line.is_cold_start,
        "request"
    );
}

/// The format of a body that no handler has named: a batch, a problem and a document are JSON, the page is none.
fn format_of(response: &Response) -> Option<&'static str> {
    let media_type = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    matches!(media_type, "application/json" | "application/problem+json").then_some(Format::Json.as_str())
}

/// Rejects a request that a browser page elsewhere sent to a service without authentication.
fn forbidden(request_id: &str) -> Response {
    let detail = "This service asks for no key, so it answers only requests whose Host is localhost or its own address, \
                  and pages that come from there: use that address, or set ENRICH_AUTH=api_key.";
    Problem::new(Code::ForbiddenOrigin, detail).response(request_id)
}

/// Whether responses of this path may depend on `Accept`: the lookups, and the alias at `/`.
fn is_negotiated(path: &str) -> bool {
    path == "/" || path.starts_with("/v1/")
}

/// Returns the caller's request id if it is valid, else the entry point's, else a new one.
fn request_id(request: &Request) -> String {
    let is_valid = |id: &str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let from_caller =
        request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_valid(id));
    let from_entry_point = request.extensions().get::<RequestId>().map(|id| id.0.as_str()).filter(|id| is_valid(id));
    from_caller.or(from_entry_point).map_or_else(new_id, str::to_owned)
}

/// Returns a random UUID, version 4.
pub(super) fn new_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}

/// Returns the caller's trace context if it has the form of version 00.
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
    fn only_the_root_of_a_trace_header_is_logged() {
        let of = |header| XrayTraceId::read(header).map(|id| id.0);
        let root = Some("1-69a554e0-c4ca4238a0b923820dcc509a".to_owned());
        assert_eq!(of("Root=1-69a554e0-c4ca4238a0b923820dcc509a;Parent=53995c3f42cd8ad8;Sampled=1"), root);
        assert_eq!(of("Self=1-2-3;Root=1-69a554e0-c4ca4238a0b923820dcc509a"), root);
        for none in ["", "Root=", "Parent=53995c3f42cd8ad8", "Root=1-<b>", &format!("Root={}", "a".repeat(65))] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn only_a_valid_trace_context_is_forwarded() {
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
