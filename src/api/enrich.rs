//! `/v1/enrich`: one subject, named in the body or in the query string.

use axum::body::Body;
use axum::response::Response;

use super::accept;
use super::body::json_bytes;
use super::decode::{self, EnrichRequest};
use super::fields::Fields;
use super::options::Options;
use super::problem::{Code, Problem};
use super::respond::Call;
use super::work::Work;
use crate::domain::enrichment::{Answer, RenderOptions};
use crate::domain::notified::Notified;
use crate::domain::subject::Kind;
use crate::domain::warning::Warning;

/// `POST /v1/enrich` and `POST /`.
pub(super) async fn from_body(call: &Call, body: Body) -> Result<Response, Problem> {
    let bytes = json_bytes(&call.parts.headers, body).await?;
    if bytes.is_empty() {
        return Err(Problem::new(Code::InvalidJson, "The body is empty: send a JSON object that names a subject."));
    }
    let (defaults, query_warnings) = query_options(call.query())?;
    let mut request = decode::read_request(Fields::from_json(&bytes)?, defaults)?;
    request.warnings.extend(query_warnings);
    respond_to(call, request).await
}

/// `GET /v1/enrich?…`.
pub(super) async fn from_query(call: &Call, _: Body) -> Result<Response, Problem> {
    respond_to(call, decode::read_request(Fields::from_query(call.query())?, Options::default())?).await
}

/// Reads the options of a query string that accompanies a body, and warns about other fields.
pub(super) fn query_options(query: &str) -> Result<(Options, Vec<Warning>), Problem> {
    decode::options_beside_a_body(Fields::from_query(query)?)
}

async fn respond_to(call: &Call, mut request: EnrichRequest) -> Result<Response, Problem> {
    request.options = request.options.or_format(accept::format(&call.parts.headers));
    let work = Work::of_one(call.service.clone(), request, &call.request_context).await?;
    work.run(&call.request_context.ctx).await;
    work.response_alone()
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
