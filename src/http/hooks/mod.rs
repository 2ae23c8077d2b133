//! `/v1/hooks/…`: callers who cannot speak our JSON. The proof of the sender comes first, over the raw bytes; nothing is
//! parsed before it holds.

mod chat;
mod pagerduty;
mod slack;
mod splunk;
mod teams;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::request::Parts;

use super::batch;
use super::body;
use super::decode::Asked;
use super::edge::Visit;
use super::options::Options;
use super::problem::Problem;
use super::respond::called_by;
use crate::callers::NotAdmitted;
use crate::domain::warning::{Warning, WarningCode, quoted};
use crate::enrich::Context;
use crate::hooks::{Found, FoundItem, HookSecrets};
use crate::service::Service;

/// A route for each sender.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v1/hooks/slack", post(slack::answer))
        .route("/v1/hooks/teams", post(teams::answer))
        .route("/v1/hooks/splunk", post(splunk::answer))
        .route("/v1/hooks/pagerduty", post(pagerduty::answer))
}

/// A hook's request without its body, and by when it has to be answered.
struct Call {
    service: Arc<Service>,
    visit: Visit,
    parts: Parts,
    /// The request's own context, with the sender's patience for a deadline.
    quick: Context,
}

/// Reads the body, lets the sender prove that it is its own, and answers it.
async fn answer_proven(
    (service, visit, request): (Arc<Service>, Visit, Request),
    patience: Duration,
    verify: impl FnOnce(&HookSecrets, &Parts, &[u8]) -> Result<Arc<str>, NotAdmitted>,
    answer: impl AsyncFnOnce(&Call, &Bytes) -> Result<Response, Problem>,
) -> Response {
    let (parts, body) = request.into_parts();
    let quick = visit.ctx.within(patience);
    let call = Call { service, visit, parts, quick };
    let request_id = &*call.visit.ctx.request_id;
    let proven = async {
        let bytes = body::within_bound(body).await?;
        let verified = call.service.callers.prove(&call.quick, |secrets| verify(secrets, &call.parts, &bytes)).await;
        Ok::<_, Problem>((verified?, bytes))
    };
    match proven.await {
        Ok((sender, bytes)) => {
            let answered = answer(&call, &bytes).await;
            called_by(sender, answered.unwrap_or_else(|problem| problem.response(request_id)))
        }
        Err(problem) => problem.response(request_id),
    }
}

/// Asks about what was found in somebody else's record, as a batch does.
async fn ask_about(found: &Found, options: &Options, warnings: &[Warning], call: &Call) -> Result<Vec<u8>, Problem> {
    let mut warnings = warnings.to_vec();
    if found.left_out() > 0 {
        let detail = format!("{} more subjects were found: a batch has at most 25.", found.left_out());
        warnings.push(Warning { code: WarningCode::Partial, detail });
    }
    let asked = |item: &FoundItem| match item {
        FoundItem::Subject(question) => {
            Ok(Asked { question: question.clone(), options: options.clone(), warnings: warnings.clone() })
        }
        FoundItem::Unusable { field, error } => {
            Err(Problem::of_subject(error, format!("/result/{}", quoted(&field.replace('~', "~0").replace('/', "~1")))))
        }
    };
    let items = found.items().iter().map(asked).collect();
    let visit = Visit { ctx: call.quick.clone(), ..call.visit.clone() };
    batch::answer(&call.service, items, options, &visit).await
}
