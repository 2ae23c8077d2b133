//! What the chat integrations share: they wait for a limited time, and always reply with a message.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::time::timeout_at;

use super::super::problem::{Problem, not_looked_up};
use super::super::respond::RequestLog;
use crate::app::Service;
use crate::domain::enrichment::{Answer, RenderOptions};
use crate::domain::subject::Question;
use crate::formats::{self, Format, OutputOptions};
use crate::lookup::{Context, Deadline, EnrichError};

/// Alerts that a message is rendered from: more than any message shows.
const MAX_ALERTS: usize = 50;
/// Longer waits are given in minutes.
const MAX_WAIT_IN_SECONDS: Duration = Duration::from_secs(60);

/// A running lookup. It can be awaited here, and continue in the background.
pub(super) type Lookup = BoxFuture<'static, Result<Answer, EnrichError>>;

/// Starts a lookup.
pub(super) fn lookup(service: Arc<Service>, question: Question, ctx: Context) -> Lookup {
    async move { service.enricher.enrich(&question, &ctx).await }.boxed()
}

/// The outcome of a lookup within the reply timeout.
pub(super) enum LookupOutcome {
    InTime(Result<Answer, EnrichError>),
    Pending(Lookup),
}

/// Waits for a lookup until the deadline.
pub(super) async fn wait(mut lookup: Lookup, until: Deadline) -> LookupOutcome {
    match timeout_at(until.instant(), &mut lookup).await {
        Ok(outcome) => LookupOutcome::InTime(outcome),
        Err(_) => LookupOutcome::Pending(lookup),
    }
}

/// Renders an answer as the members of a chat message.
pub(super) fn message(answer: &Answer, format: Format) -> Map<String, Value> {
    let render_options = RenderOptions { limit: MAX_ALERTS, raw: false, warnings: Vec::new(), notified: None };
    let bytes = formats::render(answer, &render_options, OutputOptions::of(format), usize::MAX);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Returns the text for a person where there is no answer, and the log fields.
pub(super) fn error_message(error: EnrichError, request_id: &str) -> (String, RequestLog) {
    let in_seconds = |wait: Duration| match wait {
        wait if wait > MAX_WAIT_IN_SECONDS => format!("Ask again in {} minutes.", wait.as_secs().div_ceil(60)),
        wait => format!("Ask again in {} seconds.", wait.as_secs().max(1)),
    };
    let sentence = match &error {
        EnrichError::Throttled { retry_after } => {
            Some(format!("Microsoft allows only so many questions. {}", in_seconds(*retry_after)))
        }
        EnrichError::Unavailable { service, retry_after, .. } => {
            Some(format!("{service} cannot be reached. {}", in_seconds(*retry_after)))
        }
        EnrichError::NoAddress { service } => Some(format!("{service} cannot be reached.")),
        EnrichError::TimedOut { service } => Some(format!("{service} did not answer in time. Ask again in a moment.")),
        EnrichError::NotLookedUp(what) => Some(not_looked_up(*what).to_owned()),
        EnrichError::CredentialRefused { .. }
        | EnrichError::Forbidden { .. }
        | EnrichError::Malformed { .. }
        | EnrichError::TooLarge
        | EnrichError::Failed { .. }
        | EnrichError::SecretUnavailable { .. }
        | EnrichError::HuntingNotVisible
        | EnrichError::FederationFailed { .. }
        | EnrichError::Misconfigured { .. } => None,
    };
    let problem = Problem::from(error);
    let request_log = problem.request_log();
    let for_the_operator = || {
        let detail = problem.detail();
        format!("Microsoft Defender could not be asked. For whoever runs this service (request {request_id}): {detail}")
    };
    (sentence.unwrap_or_else(for_the_operator), request_log)
}
