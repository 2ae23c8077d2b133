//! Answers: bodies with their media type, and what the log is told of them.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Uri, header};

use super::body::within_bound;
use super::edge::Visit;
use super::problem::{Code, Problem};
use crate::callers::{Caller, IamIdentity};
use crate::domain::enrichment::Answer;
use crate::service::Service;

/// What one line of the log says about a request beside its status.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) caller: Option<Arc<str>>,
    pub(super) kind: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) cause: Option<String>,
    pub(super) cache: Option<&'static str>,
}

impl Told {
    pub(super) fn of(answer: &Answer) -> Self {
        Self { kind: Some(answer.kind.as_str()), cache: Some(answer.source.cache.as_str()), ..Self::default() }
    }
}

/// A JSON body.
pub(super) fn json(body: Vec<u8>, told: Told) -> Response {
    of_type(body, "application/json", told)
}

/// A body of any media type.
pub(super) fn of_type(body: Vec<u8>, media_type: &'static str, told: Told) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.extensions_mut().insert(told);
    response
}

/// Lets the caller in, does the work on the body, and turns its outcome into an answer that the log knows the caller of.
pub(super) async fn admitted(
    service: &Service,
    parts: &Parts,
    body: Body,
    visit: &Visit,
    work: impl AsyncFnOnce(Body) -> Result<Response, Problem>,
) -> Response {
    let id = &*visit.ctx.request_id;
    match admit(service, parts, body, visit).await {
        Ok((Caller { name }, body)) => called_by(name, work(body).await.unwrap_or_else(|problem| problem.response(id))),
        Err(refused) => refused.response(id),
    }
}

/// Who calls, and the body: read only where it is what proves the caller.
async fn admit(service: &Service, parts: &Parts, body: Body, visit: &Visit) -> Result<(Caller, Body), Problem> {
    if service.callers.decides_by_body(&parts.headers) {
        let bytes = within_bound(body).await?;
        let caller = service.callers.admit_signed(&parts.headers, &bytes, &visit.ctx).await?;
        return Ok((caller, Body::from(bytes)));
    }
    let identity = parts.extensions.get::<IamIdentity>();
    Ok((service.callers.admit(&parts.headers, identity, &visit.ctx).await?, body))
}

/// An answer that the log knows the caller of.
pub(super) fn called_by(name: Arc<str>, mut response: Response) -> Response {
    if let Some(told) = response.extensions_mut().get_mut::<Told>() {
        told.caller = Some(name);
    }
    response
}

/// `GET /healthz`: the process lives. No authentication, no I/O.
pub(super) async fn health() -> Response {
    json(br#"{"status":"ok"}"#.to_vec(), Told::default())
}

/// Any path that is none of ours.
pub(super) async fn unknown_route(Extension(visit): Extension<Visit>, _: State<Arc<Service>>, _: Uri) -> Response {
    let detail = "The routes are POST and GET /v1/enrich, POST /v1/enrich/batch, POST /v1/hooks/slack, teams, splunk and pagerduty, GET /v1/openapi.json and GET /healthz.";
    Problem::new(Code::UnknownRoute, detail).response(&visit.ctx.request_id)
}

/// A path of ours with a method that is not.
pub(super) async fn method_not_allowed(Extension(visit): Extension<Visit>) -> Response {
    Problem::new(Code::MethodNotAllowed, "The Allow header names the methods of this route.")
        .response(&visit.ctx.request_id)
}
