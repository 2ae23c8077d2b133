//! `/v1/enrich`: one subject, from the body or from the query string.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::accept;
use super::body::json_bytes;
use super::decode::{self, EnrichRequest};
use super::fields::Fields;
use super::middleware::RequestContext;
use super::notify;
use super::options::Options;
use super::problem::{Code, Problem};
use super::respond::{self, RequestLog};
use crate::app::Service;
use crate::domain::enrichment::{Answer, RenderOptions};
use crate::domain::notified::Notified;
use crate::domain::subject::Kind;
use crate::domain::warning::Warning;
use crate::formats;

/// `POST /v1/enrich` and `POST /`.
pub(super) async fn from_body(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    respond::admitted(&service, &parts, body, &request_context, async |body| {
        let bytes = json_bytes(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Err(Problem::new(Code::InvalidJson, "The body is empty: send a JSON object that names a subject."));
        }
        let (defaults, others) = query_options(parts.uri.query())?;
        let mut asked = decode::asked(Fields::from_json(&bytes)?, defaults)?;
        asked.warnings.extend(others);
        asked.options = asked.options.or_format(accept::format(&parts.headers));
        respond_to(&service, &asked, &request_context).await
    })
    .await
}

/// `GET /v1/enrich?…`.
pub(super) async fn from_query(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    respond::admitted(&service, &parts, body, &request_context, async |_| {
        let fields = Fields::from_query(parts.uri.query().unwrap_or_default())?;
        let mut asked = decode::asked(fields, Options::default())?;
        asked.options = asked.options.or_format(accept::format(&parts.headers));
        respond_to(&service, &asked, &request_context).await
    })
    .await
}

/// The options of the query string beside a body, and warnings about what else is there.
pub(super) fn query_options(query: Option<&str>) -> Result<(Options, Vec<Warning>), Problem> {
    decode::options_beside_a_body(Fields::from_query(query.unwrap_or_default())?)
}

async fn respond_to(
    service: &Service,
    asked: &EnrichRequest,
    request_context: &RequestContext,
) -> Result<Response, Problem> {
    let kind = Some(asked.question.subject.kind());
    let destinations = notify::destinations(service, [&asked.options], &request_context.ctx).await?;
    let addressee = notify::addressee(&destinations, &asked.options)?;
    let answer = service.enricher.enrich(&asked.question, &request_context.ctx).await;
    let answer = answer.map_err(|error| Problem::from(error).about(kind))?;
    check_found(&answer, asked).map_err(|problem| problem.about(kind))?;
    let notified =
        notify::tell(addressee.as_ref(), service, &answer, asked, &notify::time_to_post(&request_context.ctx)).await;
    let shape = asked.options.shape();
    let body = formats::render(&answer, &render_options(asked, notified.as_ref()), shape, request_context.limit.0);
    let mut response = respond::of_type(body, shape.format.media_type(), RequestLog::of(&answer));
    if let Some(notified) = &notified {
        notify::tell_in_header(response.headers_mut(), notified);
    }
    Ok(response)
}

/// The problem that an answer is to this caller, if Defender does not know the subject.
pub(super) fn check_found(answer: &Answer, asked: &EnrichRequest) -> Result<(), Problem> {
    let missing = !answer.findings.known && matches!(answer.kind, Kind::Alert | Kind::Machine | Kind::Incident);
    if missing && !asked.options.not_found_is_200() { Err(Problem::not_found(answer)) } else { Ok(()) }
}

/// How much of an answer is shown.
pub(super) fn render_options(asked: &EnrichRequest, notified: Option<&Notified>) -> RenderOptions {
    RenderOptions {
        limit: asked.options.limit(),
        raw: asked.options.raw(),
        warnings: asked.warnings.clone(),
        notified: notified.cloned(),
    }
}
