//! What Defender says of a subject itself, in addition to its alerts. It is fetched beside them, and never fails an answer.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{join_all, try_join};

use super::resolve::Lookup;
use super::scope::RequestScope;
use super::{AnswerBuilder, EnrichError, Enricher};
use crate::backend::{Backends, ContextQuery, Query};
use crate::cache::Cached;
use crate::client::Context;
use crate::domain::context::SubjectContext;
use crate::domain::enrichment::{Answer, BackendName};
use crate::domain::findings::Findings;
use crate::domain::subject::Kind;
use crate::domain::warning::{Warning, WarningCode};

/// The calls for a context may take one part in this many of the remaining time.
const TIME_DIVISOR: u32 = 2;

impl Enricher {
    /// Returns the findings of a query. Beside them, adds the context of its subject to the answer, if the request asks for it.
    pub(super) async fn findings_and_context(
        &self,
        builder: &mut AnswerBuilder,
        query: &Query,
        scope: &RequestScope<'_>,
    ) -> Result<Cached<Arc<Findings>>, EnrichError> {
        let findings = async {
            let found = self.findings(query.clone(), scope).await?;
            if scope.with_context {
                // An item that waits for its context must not block the other items.
                scope.ctx.end_turn();
            }
            Ok(found)
        };
        // The alerts come first: they take their part of the quota before the context does.
        let context = self.add_context(builder, query, scope).map(Ok::<_, EnrichError>);
        let (found, ()) = try_join(findings, context).await?;
        Ok(found)
    }

    /// Adds the context of the subject of a query to the answer, or warnings about what is not available.
    pub(super) async fn add_context(&self, builder: &mut AnswerBuilder, query: &Query, scope: &RequestScope<'_>) {
        if !scope.with_context {
            return;
        }
        let time = scope.ctx.deadline.remaining() / TIME_DIVISOR;
        let ctx = scope.ctx.for_optional_calls(time, scope.shared.awaiting_findings.clone());
        let is_resolved = builder.context.is_some();
        let queries = ContextQuery::of(query).into_iter().filter(|query| !(is_resolved && query.is_record()));
        for outcome in join_all(queries.map(|query| self.context_of(query, &ctx, scope))).await {
            match outcome {
                Ok(Some(part)) => {
                    let known = builder.context.take().unwrap_or_default();
                    builder.context = Some(known.and(SubjectContext::clone(&part)));
                }
                Ok(None) => builder.context_unavailable(match builder.backend {
                    BackendName::Defender => NOT_KNOWN,
                    BackendName::Graph => "advanced hunting has no row of its 30 days that is about it alone",
                }),
                Err(error) => {
                    tracing::debug!(request_id = &*ctx.request_id, %error, "the context of a subject is not available");
                    builder.context_unavailable(&reason(&error));
                }
            }
        }
        if builder.backend == BackendName::Graph && matches!(builder.kind, Kind::Ip | Kind::Domain) {
            builder.context_unavailable("Microsoft Graph has none");
        }
    }

    /// Returns the answer to one query about a subject itself. `None`: Microsoft does not know the subject.
    async fn context_of(
        &self,
        query: ContextQuery,
        ctx: &Context,
        scope: &RequestScope<'_>,
    ) -> Result<Option<Arc<SubjectContext>>, EnrichError> {
        let fetch = |backends: Arc<Backends>, query: ContextQuery, ctx: Context| async move {
            Ok(backends.context(&query, &ctx).await?.map(Arc::new))
        };
        let (requested, permits) = (&scope.shared.contexts, &scope.shared.context_permits);
        Lookup { cache: &self.contexts, requested, permits }.answer(self, query, ctx, fetch).await
    }
}

/// Why a subject that Defender does not know has no context.
pub(super) const NOT_KNOWN: &str = "Defender does not know it";

/// Returns why a context is not available, for the caller.
fn reason(error: &EnrichError) -> String {
    match error {
        EnrichError::HuntingNotVisible => "advanced hunting does not show the table: it needs the permission \
             ThreatHunting.Read.All and a licence with Defender for Endpoint Plan 2"
            .to_owned(),
        error => error.to_string(),
    }
}

impl AnswerBuilder {
    /// Adds the warning that nothing, or not all, of what Defender says of the subject itself is available.
    pub(super) fn context_unavailable(&mut self, reason: &str) {
        let detail =
            format!("Not all that Defender says of this {} itself is available: {reason}.", self.kind.as_str());
        self.warnings.push(Warning { code: WarningCode::ContextUnavailable, detail });
    }
}

/// Adds the context of another answer about the same subject to an answer without one, or the warning that it is missing.
pub(super) fn add_context_of(other: &Answer, answer: &mut Answer) {
    let is_missing = |warning: &&Warning| warning.code == WarningCode::ContextUnavailable;
    match (&answer.context, &other.context) {
        (Some(_), _) => {}
        (None, Some(context)) => {
            answer.context = Some(context.clone());
            answer.warnings.retain(|warning| !is_missing(&warning));
            // They say which of several subjects it is about.
            let says_which = |warning: &&Warning| {
                matches!(warning.code, WarningCode::MatchedShortName | WarningCode::SeveralDevicesMatch)
            };
            answer.warnings.extend(other.warnings.iter().filter(says_which).cloned());
        }
        (None, None) => answer.warnings.extend(other.warnings.iter().filter(is_missing).cloned()),
    }
}
