//! `/v1/enrich`: one subject, named in the body or in the query string.

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
    respond::authenticated(&service, &parts, body, &request_context, async |body| {
        let bytes = json_bytes(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Err(Problem::new(Code::InvalidJson, "The body is empty: send a JSON object that names a subject."));
        }
        let (defaults, query_warnings) = query_options(parts.uri.query())?;
        let mut request = decode::read_request(Fields::from_json(&bytes)?, defaults)?;
        request.warnings.extend(query_warnings);
        request.options = request.options.or_format(accept::format(&parts.headers));
        respond_to(&service, &request, &request_context).await
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
    respond::authenticated(&service, &parts, body, &request_context, async |_| {
        let fields = Fields::from_query(parts.uri.query().unwrap_or_default())?;
        let mut request = decode::read_request(fields, Options::default())?;
        request.options = request.options.or_format(accept::format(&parts.headers));
        respond_to(&service, &request, &request_context).await
    })
    .await
}

/// Reads the options of a query string that accompanies a body, and warns about other fields.
pub(super) fn query_options(query: Option<&str>) -> Result<(Options, Vec<Warning>), Problem> {
    decode::options_beside_a_body(Fields::from_query(query.unwrap_or_default())?)
}

async fn respond_to(
    service: &Service,
    request: &EnrichRequest,
    request_context: &RequestContext,
) -> Result<Response, Problem> {
    let kind = Some(request.question.subject.kind());
    let destinations = notify::destinations(service, [&request.options], &request_context.ctx).await?;
    let addressee = notify::addressee(&destinations, &request.options)?;
    let answer = service.enricher.enrich(&request.question, &request_context.ctx).await;
    let answer = answer.map_err(|error| Problem::from(error).with_kind(kind))?;
    check_found(&answer, request).map_err(|problem| problem.with_kind(kind))?;
    let notified = notify::post_answer(
        addressee.as_ref(),
        service,
        &answer,
        request,
        &notify::posting_context(&request_context.ctx),
    )
    .await;
    let output = request.options.output_options();
    let body = formats::render(&answer, &render_options(request, notified.as_ref()), output, request_context.limit.0);
    let mut response = respond::of_type(body, output.format.media_type(), RequestLog::of(&answer));
    if let Some(notified) = &notified {
        notify::insert_header(response.headers_mut(), notified);
    }
    Ok(response)
}

/// Returns the `not_found` problem if Defender does not know the subject and the caller did not choose 200.
pub(super) fn check_found(answer: &Answer, request: &EnrichRequest) -> Result<(), Problem> {
    let missing = !answer.findings.known && matches!(answer.kind, Kind::Alert | Kind::Machine | Kind::Incident);
    if missing && !request.options.not_found_is_200() { Err(Problem::not_found(answer)) } else { Ok(()) }
}

/// The options for rendering the answer to this request.
pub(super) fn render_options(request: &EnrichRequest, notified: Option<&Notified>) -> RenderOptions {
    RenderOptions {
        limit: request.options.limit(),
        raw: request.options.raw(),
        warnings: request.warnings.clone(),
        notified: notified.cloned(),
    }
}
