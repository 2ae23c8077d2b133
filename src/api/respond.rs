//! Builds responses: bodies with their media type, and their log fields.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, header};

use super::body::read_limited;
use super::decode;
use super::deliveries;
use super::fields::Fields;
use super::middleware::RequestContext;
use super::options::Options;
use super::problem::{Code, Problem};
use super::routes;
use crate::app::Service;
use crate::auth::{AuthError, Caller, IamIdentity, SignatureError, Signed};
use crate::domain::enrichment::Answer;
use crate::formats::Format;

/// The fields of a request's log line, beside its status.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLog {
    pub(super) caller: Option<Arc<str>>,
    pub(super) kind: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) cause: Option<String>,
    pub(super) cache: Option<&'static str>,
    /// The backend that the answer comes from.
    pub(super) backend: Option<&'static str>,
    /// The format of the answer; `None`: the one of its media type.
    pub(super) format: Option<Format>,
    pub(super) items: Option<ItemCounts>,
    pub(super) route: Option<&'static str>,
    /// The name of an MCP tool.
    pub(super) tool: Option<&'static str>,
}

/// The counts in the log line of a batch or a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ItemCounts {
    pub(super) ok: usize,
    pub(super) failed: usize,
    pub(super) pending: usize,
    /// The codes of the failed items, each once, separated by spaces: `CloudWatch` filters cannot search a list.
    pub(super) codes: String,
}

impl ItemCounts {
    /// Counts a finished item, which has a code if it failed.
    pub(super) fn add(&mut self, code: Option<&'static str>) {
        let Some(code) = code else {
            self.ok += 1;
            return;
        };
        self.failed += 1;
        if !self.codes.split(' ').any(|known| known == code) {
            let gap = if self.codes.is_empty() { "" } else { " " };
            self.codes.extend([gap, code]);
        }
    }
}

impl RequestLog {
    pub(super) fn of(answer: &Answer) -> Self {
        Self {
            kind: Some(answer.kind.as_str()),
            cache: Some(answer.source.cache.as_str()),
            backend: Some(answer.source.backend.as_str()),
            ..Self::default()
        }
    }

    /// The log fields of a request that is not about one subject.
    pub(super) fn of_kind(kind: &'static str) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// The log fields of a hook about one subject, whose lookup is still running.
    pub(super) fn pending() -> Self {
        Self { items: Some(ItemCounts { pending: 1, ..ItemCounts::default() }), ..Self::default() }
    }

    /// The same log fields, for a hook about one subject.
    pub(super) fn for_hook(self) -> Self {
        let failed = usize::from(self.code.is_some());
        let codes = self.code.unwrap_or_default().to_owned();
        Self { items: Some(ItemCounts { ok: 1 - failed, failed, pending: 0, codes }), ..self }
    }
}

/// A JSON body.
pub(super) fn json(body: Vec<u8>, request_log: RequestLog) -> Response {
    of_type(body, "application/json", request_log)
}

/// A body of any media type.
pub(super) fn of_type(body: Vec<u8>, media_type: &'static str, request_log: RequestLog) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.extensions_mut().insert(request_log);
    response
}

/// A request without its body.
pub(super) struct Call {
    pub(super) service: Arc<Service>,
    pub(super) request_context: RequestContext,
    pub(super) parts: Parts,
}

impl Call {
    /// The query string.
    pub(super) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// Authenticates the caller, lets `work` answer the body, and adds the caller to the log fields of the response.
    pub(super) async fn authenticated(
        self,
        body: Body,
        work: impl AsyncFnOnce(&Self, Body) -> Result<Response, Problem>,
    ) -> Response {
        let ctx = &self.request_context.ctx;
        let run_work = async |body| work(&self, body).await.unwrap_or_else(|problem| problem.response(&ctx.request_id));
        match self.authenticate(body).await {
            Ok((AuthenticatedBy::Key(Caller { name }), body)) => with_caller_name(name, run_work(body).await),
            Ok((AuthenticatedBy::Signature(Signed { caller: Caller { name }, delivery }), body)) => {
                let response = match check_unsigned_query(self.query()) {
                    Ok(()) => {
                        let sender = format!("standard_webhooks/{name}");
                        let work = async |claim| deliveries::settle(Some(claim), run_work(body).await).await;
                        deliveries::answer_once(&self.service, (&sender, delivery.as_bytes()), ctx, work).await
                    }
                    Err(problem) => problem.response(&ctx.request_id),
                };
                with_caller_name(name, response)
            }
            Err(problem) => problem.response(&ctx.request_id),
        }
    }

    /// Authenticates the caller, and returns the body. The body is read here only if it carries the proof.
    async fn authenticate(&self, body: Body) -> Result<(AuthenticatedBy, Body), Problem> {
        let (callers, headers, ctx) = (&self.service.callers, &self.parts.headers, &self.request_context.ctx);
        if callers.decides_by_body(headers) {
            if self.parts.method != Method::POST {
                return Err(AuthError::SignatureError(SignatureError::NotAPost).into());
            }
            let bytes = read_limited(body).await?;
            let signed = callers.admit_signed(headers, &bytes, ctx).await?;
            return Ok((AuthenticatedBy::Signature(signed), Body::from(bytes)));
        }
        let identity = self.parts.extensions.get::<IamIdentity>();
        Ok((AuthenticatedBy::Key(callers.admit(headers, identity, ctx).await?), body))
    }
}

/// An authenticated caller, by kind of proof.
enum AuthenticatedBy {
    /// By a key or an IAM identity.
    Key(Caller),
    /// By a signature over this body.
    Signature(Signed),
}

/// Rejects subjects and options in the query: a signature over the body does not cover them.
fn check_unsigned_query(query: &str) -> Result<(), Problem> {
    let mut fields = Fields::from_query(query)?;
    let names = fields.names().count();
    Options::take(&mut fields)?;
    decode::subjects(&mut fields)?;
    if fields.names().count() == names {
        return Ok(());
    }
    let detail = "The signature covers the body only: put the subject and all options into the body.";
    Err(Problem::at(Code::InvalidRequest, "?", detail))
}

/// Adds the caller's name to the log fields.
pub(super) fn with_caller_name(name: Arc<str>, mut response: Response) -> Response {
    if let Some(request_log) = response.extensions_mut().get_mut::<RequestLog>() {
        request_log.caller = Some(name);
    }
    response
}

/// `GET /healthz`: the process runs. No authentication, no I/O.
pub(super) fn health() -> Response {
    json(br#"{"status":"ok"}"#.to_vec(), RequestLog::default())
}

/// Answers a path that is not a route.
pub(super) async fn unknown_route(Extension(request_context): Extension<RequestContext>) -> Response {
    Problem::new(Code::UnknownRoute, format!("The routes are {}.", routes::list()))
        .response(&request_context.ctx.request_id)
}

/// Answers a route with a method that it does not have.
pub(super) async fn method_not_allowed(Extension(request_context): Extension<RequestContext>) -> Response {
    Problem::new(Code::MethodNotAllowed, "The Allow header names the methods of this route.")
        .response(&request_context.ctx.request_id)
}
