//! Where both backends can answer, each is a fallback for the other. Graph replaces an older API that Microsoft has shut
//! down. An older API answers a list for which hunting finds nothing, because it keeps alerts for longer.

use super::error::{EnrichError, NotLookedUp, Service};
use super::interpretations::Interpretation;
use super::scope::RequestScope;
use super::{Answer, Enricher, context};
use crate::backend::{Auto, BackendOrder, defender};
use crate::client::Api;
use crate::domain::enrichment::BackendName;
use crate::domain::subject::Kind;
use crate::domain::warning::{Warning, WarningCode};

impl Enricher {
    /// Answers one question by the backend that the token's roles choose, or by its fallback. If that fails and the token
    /// was renewed meanwhile, the new roles may choose another backend.
    pub(super) async fn by_roles(
        &self,
        auto: &Auto,
        asked: &Interpretation<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let kind = asked.subject.kind();
        let first = auto.choice(scope.ctx).await?.backend_order(kind);
        let outcome = self.by_order(&first, auto, asked, scope).await;
        if outcome.is_err()
            && let Ok(choice) = auto.choice(scope.ctx).await
            && choice.backend_order(kind) != first
        {
            return self.by_order(&choice.backend_order(kind), auto, asked, scope).await;
        }
        outcome
    }

    async fn by_order(
        &self,
        order: &BackendOrder,
        auto: &Auto,
        asked: &Interpretation<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let api = defender::api(asked.subject.kind());
        match order {
            BackendOrder::Graph => {}
            BackendOrder::OlderOnly(roles) => {
                let outcome = self.by_backend(BackendName::Defender, asked, scope).await;
                return outcome.map_err(|error| {
                    if records_shutdown(auto, api, &error) {
                        EnrichError::Forbidden { permissions: roles.clone() }
                    } else {
                        error
                    }
                });
            }
            BackendOrder::OlderThenGraph => {
                if !auto.is_shut_down(api) && auto.older_is_possible(asked.subject, scope.ctx).await {
                    match self.by_backend(BackendName::Defender, asked, scope).await {
                        Err(EnrichError::NotLookedUp(_)) => {}
                        Err(error) if records_shutdown(auto, api, &error) => {}
                        outcome => return outcome,
                    }
                }
            }
        }
        let answer = self.by_backend(BackendName::Graph, asked, scope).await?;
        Ok(self.or_older_alerts(answer, auto, asked, scope).await)
    }

    /// Returns what hunting found. If it found nothing, asks an older API, which keeps alerts for longer.
    async fn or_older_alerts(
        &self,
        mut answer: Answer,
        auto: &Auto,
        asked: &Interpretation<'_>,
        scope: &RequestScope<'_>,
    ) -> Answer {
        let kind = asked.subject.kind();
        if answer.findings.found() || !kind.is_a_list() {
            return answer;
        }
        let api = defender::api(kind);
        if auto.is_shut_down(api) {
            answer.warnings.push(not_completed(api, "seems to have ended"));
            return answer;
        }
        if !auto.older_is_possible(asked.subject, scope.ctx).await {
            return answer;
        }
        // Graph was asked for the context before, unless it has none on subjects of this kind.
        let scope = &scope.within(matches!(kind, Kind::Ip | Kind::Domain));
        let mut older = match self.by_backend(BackendName::Defender, asked, scope).await {
            Ok(older) => older,
            Err(EnrichError::NotLookedUp(NotLookedUp::AccountId)) => return answer,
            Err(error) => {
                let why = if records_shutdown(auto, api, &error) { "seems to have ended" } else { "did not answer" };
                answer.warnings.push(not_completed(api, why));
                return answer;
            }
        };
        context::add_context_of(&answer, &mut older);
        context::add_context_of(&older, &mut answer);
        if older.findings.found() {
            let detail =
                format!("Advanced hunting has nothing in its 30 days: these alerts are what {} has.", api.name());
            older.warnings.push(Warning { code: WarningCode::BeyondHuntingWindow, detail });
            return older;
        }
        // Hunting cannot distinguish an unknown device from a device without alerts; this API can.
        if kind == Kind::Machine && !older.findings.known {
            return older;
        }
        if older.partial().next().is_some() {
            answer.warnings.push(not_completed(api, "was not read to its end"));
        }
        answer
    }
}

/// Records that an older API is shut down, if the error means that. Returns whether it does.
fn records_shutdown(auto: &Auto, api: Api, error: &EnrichError) -> bool {
    let status = if let EnrichError::Failed { service: Service::Defender, status: status @ (403 | 404 | 410) } = error {
        Some(*status)
    } else if matches!(error, EnrichError::NoAddress { service: Service::Defender }) {
        None
    } else {
        return false;
    };
    auto.record_shutdown(api, status);
    true
}

fn not_completed(api: Api, why: &str) -> Warning {
    let detail = format!(
        "Advanced hunting has nothing in its 30 days, and {}, which sees further back, {why}: older alerts may be missing.",
        api.name()
    );
    Warning { code: WarningCode::Partial, detail }
}
