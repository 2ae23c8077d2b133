//! `POST /v1/hooks/splunk?token=…`: Splunk's webhook alert action. The query carries the token, so no log contains
//! the query.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::super::decode;
use super::super::fields::Fields;
use super::super::middleware::RequestContext;
use super::super::problem::{Code, Problem, Sender};
use super::{answer_items, answer_verified, items};
use crate::app::Service;
use crate::integrations::splunk::{self, AlertAction};

/// Splunk waits 10 seconds; the rest is for the network.
const REPLY_TIMEOUT: Duration = Duration::from_millis(9500);

/// `POST /v1/hooks/splunk`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer_verified(
        (service, request_context, request),
        (Sender::Splunk, REPLY_TIMEOUT),
        |secrets, parts, _, _| {
            let tokens = secrets.splunk.as_ref().map_err(|error| *error)?;
            Ok(splunk::verify(tokens, parts.uri.query().unwrap_or_default())?)
        },
        async |call, body| {
            let mut fields = Fields::from_query(call.parts.uri.query().unwrap_or_default())?;
            fields.take_raw("token");
            let (options, warnings) = decode::options_beside_a_body(fields)?;
            let alert = AlertAction::parse(body).map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
            let found = alert.subjects(&call.service.splunk_fields);
            if found.is_empty() {
                let detail = "result names no subject: rename a field of the search to dest, user or file_hash, or set SPLUNK_FIELDS.";
                return Err(Problem::at(Code::InvalidRequest, "/result", detail));
            }
            let items = items(&found, &options, &warnings, |field| format!("/result/{field}"));
            answer_items(items, &options, call, None, |response| response).await
        },
    )
    .await
}
