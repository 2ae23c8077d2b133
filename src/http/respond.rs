//! Answers: bodies with their media type, and what the log is told of them.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Uri, header};

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

/// Lets the caller in, does the work, and turns its outcome into an answer that the log knows the caller of.
pub(super) async fn admitted<F: Future<Output = Result<Response, Problem>>>(
    service: &Service,
    headers: &HeaderMap,
    identity: Option<&IamIdentity>,
    visit: &Visit,
    work: impl FnOnce() -> F,
) -> Response {
    let id = &*visit.ctx.request_id;
    let Caller { name } = match service.callers.admit(headers, identity, &visit.ctx).await {
        Ok(caller) => caller,
        Err(refused) => return Problem::from(refused).response(id),
    };
    let mut response = work().await.unwrap_or_else(|problem| problem.response(id));
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
    let detail =
        "The routes are POST and GET /v1/enrich, POST /v1/enrich/batch, GET /v1/openapi.json and GET /healthz.";
    Problem::new(Code::UnknownRoute, detail).response(&visit.ctx.request_id)
}

/// A path of ours with a method that is not.
pub(super) async fn method_not_allowed(Extension(visit): Extension<Visit>) -> Response {
    Problem::new(Code::MethodNotAllowed, "The Allow header names the methods of this route.")
        .response(&visit.ctx.request_id)
}
