//! What chats have in common: they wait for so long and no longer, and hear a sentence whatever happens.

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

/// Alerts that a message is made from: more than one shows.
const SHOWN: usize = 50;
/// A person waits for about so long before a message says that Defender is slow.
const SOON: Duration = Duration::from_secs(60);

/// A lookup that nobody has to stay for: it can be waited for here, and go on elsewhere.
pub(super) type Lookup = BoxFuture<'static, Result<Answer, EnrichError>>;

/// Begins a lookup.
pub(super) fn lookup(service: Arc<Service>, question: Question, ctx: Context) -> Lookup {
    async move { service.enricher.enrich(&question, &ctx).await }.boxed()
}

/// What became of a lookup in the time that there was.
pub(super) enum LookupOutcome {
    InTime(Result<Answer, EnrichError>),
    StillAsking(Lookup),
}

/// Waits for a lookup until then.
pub(super) async fn wait(mut lookup: Lookup, until: Deadline) -> LookupOutcome {
    match timeout_at(until.instant(), &mut lookup).await {
        Ok(outcome) => LookupOutcome::InTime(outcome),
        Err(_) => LookupOutcome::StillAsking(lookup),
    }
}

/// The members of an answer's message.
pub(super) fn message(answer: &Answer, format: Format) -> Map<String, Value> {
    let render_options = RenderOptions { limit: SHOWN, raw: false, warnings: Vec::new(), notified: None };
    let bytes = formats::render(answer, &render_options, OutputOptions::of(format), usize::MAX);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// What a person is told where there is no answer, and what the log is told.
pub(super) fn error_message(error: EnrichError, request_id: &str) -> (String, RequestLog) {
    let in_seconds = |wait: Duration| match wait {
        wait if wait > SOON => format!("Ask again in {} minutes.", wait.as_secs().div_ceil(60)),
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
    let told = problem.request_log();
    let for_the_operator = || {
        let detail = problem.detail();
        format!("Microsoft Defender could not be asked. For whoever runs this service (request {request_id}): {detail}")
    };
    (sentence.unwrap_or_else(for_the_operator), told)
}
