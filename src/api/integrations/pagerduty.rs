//! `POST /v1/hooks/pagerduty`: a V3 webhook. `PagerDuty` waits 5 seconds, reads only the status, and redelivers for
//! two days what it considers failed. Every event with a valid signature is therefore accepted.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::super::deliveries;
use super::super::enrich::query_options;
use super::super::middleware::RequestContext;
use super::super::problem::{Code, Problem, Sender};
use super::{Call, answer_items, answer_verified, items};
use crate::app::Service;
use crate::integrations::ExtractedSubjects;
use crate::integrations::pagerduty::{self, Event};
use crate::repetitions::Claim;

/// `PagerDuty` waits 5 seconds; the rest is for the network.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4500);

/// Looks up the subjects of an event.
async fn answer_event(event: &Event, call: &Call, claim: Option<Claim>) -> Result<Response, Problem> {
    let found = if event.is_ping() { ExtractedSubjects::default() } else { event.subjects() };
    let (options, warnings) = query_options(call.parts.uri.query())?;
    let items = items(&found, &options, &warnings, |_| "/event/data/custom_fields".to_owned());
    answer_items(items, &options, call, claim, accepted).await
}

fn accepted(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// `POST /v1/hooks/pagerduty`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer_verified(
        (service, request_context, request),
        (Sender::PagerDuty, REPLY_TIMEOUT),
        |secrets, parts, body, now| {
            let keys = secrets.pagerduty.as_ref().map_err(|error| *error)?;
            Ok(pagerduty::verify(keys, &parts.headers, body, now)?)
        },
        async |call, body| {
            let event = Event::parse(body).map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
            // The event's own id is signed; the header is not.
            let delivery = event.id.as_deref().or_else(|| pagerduty::webhook_id(&call.parts.headers));
            let Some(delivery) = delivery else { return answer_event(&event, call, None).await };
            let first = async |claim| {
                let answered = answer_event(&event, call, Some(claim)).await;
                answered.unwrap_or_else(|problem| problem.response(&call.request_context.ctx.request_id))
            };
            Ok(deliveries::answer_once(&call.service, ("pagerduty", delivery.as_bytes()), &call.reply_ctx, first).await)
        },
    )
    .await
}
