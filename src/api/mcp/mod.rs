//! `POST /mcp`: the Model Context Protocol over HTTP. Each request is one message, and gets at most one message.

mod tools;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::body::{json_bytes, read_limited};
use super::integrations;
use super::middleware::RequestContext;
use super::problem::{Code, Problem};
use super::respond::{self, Call, RequestLog, with_caller_name};
use crate::app::Service;
use crate::auth::IamIdentity;
use crate::integrations::{SLACK, SLACK_SIGNATURE_HEADER};
use crate::mcp::{self, Incoming};
#[cfg(feature = "cli")]
pub(crate) use tools::answer_over_stdio;

/// The path of the endpoint. It is not in the table of routes, which the OpenAPI document is made from: OpenAPI has no
/// words for a protocol inside a body.
pub(super) const PATH: &str = "/mcp";

/// What a request with Slack's signature needs.
const SLACK_REQUIREMENT: &str = "X-Slack-Signature has to be made with one of slack_signing_secrets of the caller secret, over this body, \
                                 within the last five minutes. A key is taken as well.";

/// The headers that a page may send.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, \
     traceparent, x-api-key, x-request-id",
);
/// The headers of a response that a page may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("www-authenticate, x-request-id");
/// How long a browser keeps the answer to its preflight request, in seconds.
const PREFLIGHT_TTL_S: HeaderValue = HeaderValue::from_static("600");

/// The methods of the endpoint.
pub(super) fn methods() -> MethodRouter<Arc<Service>> {
    on(MethodFilter::POST, answer).on(MethodFilter::OPTIONS, preflight)
}

/// Answers a message.
async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = request_context.ctx.request_id.clone();
    let mut response = match allowed_origin(&service, &parts.headers) {
        Ok(origin) => {
            let call = Call { service, request_context, parts };
            let mut response = answer_caller(call, body).await;
            insert_origin(response.headers_mut(), origin);
            response
        }
        Err(problem) => problem.response(&request_id),
    };
    if let Some(request_log) = response.extensions_mut().get_mut::<RequestLog>() {
        request_log.route = Some("mcp");
    }
    response
}

/// Answers a browser that asks whether a page may send a message.
async fn preflight(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Response {
    let origin = match allowed_origin(&service, &headers) {
        Ok(origin) => origin,
        Err(problem) => return problem.response(&request_context.ctx.request_id),
    };
    let mut response = without_body(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    if origin.is_some() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_TTL_S);
    }
    insert_origin(headers, origin);
    response
}

/// Returns the `Origin` of a page that may call. Any other page is rejected: with a host name that resolves to this
/// service (DNS rebinding), its origin would equal the Host header.
fn allowed_origin(service: &Service, headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    let is_allowed = origin.to_str().is_ok_and(|origin| service.mcp_origins.contains(origin));
    if is_allowed && origins.next().is_none() {
        return Ok(Some(origin.clone()));
    }
    let detail = "A web page may call /mcp only if MCP_ORIGINS names its origin. Programs send no Origin header.";
    Err(Problem::new(Code::ForbiddenOrigin, detail))
}

fn insert_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// Authenticates the caller as every route does, or by Slack's signature, and answers the message.
async fn answer_caller(call: Call, body: Body) -> Response {
    let headers = &call.parts.headers;
    let identity = call.parts.extensions.get::<IamIdentity>();
    if !headers.contains_key(SLACK_SIGNATURE_HEADER) || !call.service.callers.lacks_credential(headers, identity) {
        return call.authenticated(body, answer_message).await;
    }
    let request_id = &call.request_context.ctx.request_id;
    match verified_by_slack(&call, body).await {
        Ok((caller, body)) => {
            let answered = answer_message(&call, Body::from(body)).await;
            with_caller_name(caller, answered.unwrap_or_else(|problem| problem.response(request_id)))
        }
        Err(problem) => problem.response(request_id),
    }
}

async fn verified_by_slack(call: &Call, body: Body) -> Result<(Arc<str>, Bytes), Problem> {
    let body = read_limited(body).await?;
    let caller = integrations::verify(&SLACK, SLACK_REQUIREMENT, call, &body, &call.request_context.ctx).await?;
    Ok((caller, body))
}

async fn answer_message(call: &Call, body: Body) -> Result<Response, Problem> {
    let message = json_bytes(&call.parts.headers, body).await?;
    let RequestContext { ctx, limit } = &call.request_context;
    let (reply, request_log) = match mcp::read(&message, Some(&call.parts.headers)) {
        // A client that no longer waits closes its connection, which ends the call.
        Incoming::Accepted | Incoming::Cancelled(_) => return Ok(without_body(StatusCode::ACCEPTED)),
        Incoming::Answered(reply) => (reply, RequestLog::default()),
        Incoming::Call(tool_call) => tools::answer(&call.service, tool_call, ctx, *limit).await,
    };
    let mut response = respond::json(reply.body, request_log);
    *response.status_mut() = reply.status;
    Ok(response)
}

fn without_body(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.extensions_mut().insert(RequestLog::default());
    response
}
