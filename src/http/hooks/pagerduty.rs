//! `POST /v1/hooks/pagerduty`: a V3 webhook. `PagerDuty` waits 5 seconds, reads the status only, and delivers again for two
//! days what it takes for failed: so whatever it has sent is taken.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::super::decode;
use super::super::edge::Visit;
use super::super::fields::Fields;
use super::super::options::Options;
use super::super::problem::{Code, Problem};
use super::super::respond::{self, Told};
use super::{answer_proven, ask_about};
use crate::hooks::Found;
use crate::hooks::pagerduty::{self, Event};
use crate::service::Service;

/// `PagerDuty`'s 5 seconds, less the way there and back.
const PATIENCE: Duration = Duration::from_millis(4500);

/// `POST /v1/hooks/pagerduty`.
pub(super) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    answer_proven(
        (service, visit, request),
        PATIENCE,
        |secrets, parts, body| {
            let keys = secrets.pagerduty.as_ref().map_err(|error| *error)?;
            Ok(pagerduty::verify(keys, &parts.headers, body)?)
        },
        async |call, body| {
            let event = Event::parse(body).map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
            // The event's own id is signed; the header is not.
            let delivery = event.id.as_deref().or_else(|| pagerduty::webhook_id(&call.parts.headers));
            let repeated = delivery.is_some_and(|id| call.service.repetitions.repeats("pagerduty", id.as_bytes()));
            let (kind, found) = match (event.is_ping(), repeated) {
                (true, _) => ("ping", Found::default()),
                (false, true) => ("repeated", Found::default()),
                (false, false) => ("batch", event.subjects()),
            };
            let mut fields = Fields::from_query(call.parts.uri.query().unwrap_or_default())?;
            let options = Options::take(&mut fields)?;
            let answered = ask_about(&found, &options, &decode::unknown_fields(&fields), call).await?;
            let mut response = respond::json(answered, Told { kind: Some(kind), ..Told::default() });
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        },
    )
    .await
}
