//! The backend `auto`: it chooses an API family for each kind of question by the roles in the token for Graph. It reads
//! the roles for each question, so that a new consent takes effect with the next token.
//!
//! Where both families can answer, each is a fallback for the other. Graph replaces an older API that Microsoft has shut
//! down. An older API answers a list for which hunting finds nothing, because it keeps alerts for longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::backend::{Family, OlderApi};
use super::error::{EnrichError, NotLookedUp, Service};
use super::readings::Reading;
use super::scope::RequestScope;
use super::{Answer, Enricher};
use crate::backend::defender::{self, Defender};
use crate::backend::graph::{self, Graph};
use crate::client::{Api, Context};
use crate::credentials::{CallError, CredentialError, Refusal, RefusalReason, Token, TokenCache};
use crate::domain::subject::{Kind, Subject};
use crate::domain::warning::{Warning, WarningCode};

/// How long an older API that seems to be shut down is not called. Then it is tried again.
const SHUTDOWN_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How long no token is requested for an API that, according to Entra, the tenant does not know.
const UNKNOWN_API_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Both API families, and what is known about their availability.
#[derive(Debug)]
pub(crate) struct Auto {
    defender: Arc<Defender>,
    graph: Arc<Graph>,
    tokens: TokenCache,
    last: Mutex<Option<(Token, Arc<Choice>)>>,
    graph_unknown: ExpiringFlag,
    endpoint: OlderApiState,
    xdr: OlderApiState,
}

/// The availability of one of the older APIs.
#[derive(Debug, Default)]
struct OlderApiState {
    shut_down: ExpiringFlag,
    unknown: ExpiringFlag,
}

/// A flag that expires.
#[derive(Debug, Default)]
struct ExpiringFlag(Mutex<Option<Instant>>);

impl ExpiringFlag {
    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// Sets the flag for this time. Returns whether it was not set before.
    fn set(&self, span: Duration) -> bool {
        let now = Instant::now();
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(now + span);
        before.is_none_or(|until| until <= now)
    }
}

/// What the token for Graph permits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It carries these roles.
    ByRoles(Vec<String>),
    /// Its roles cannot be read: the older APIs are called, and Graph where they are shut down.
    Unreadable,
    /// There is no token, for this reason.
    WithoutToken(&'static str),
}

/// The order in which the API families are called for a kind of question.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FamilyOrder {
    Graph,
    /// Only an older API is called: the token for Graph lacks these roles.
    OlderOnly(Vec<&'static str>),
    OlderThenGraph,
}

impl Choice {
    fn family_order(&self, kind: Kind) -> FamilyOrder {
        match self {
            Self::ByRoles(roles) => {
                let missing = graph::missing(kind, roles);
                if missing.is_empty() { FamilyOrder::Graph } else { FamilyOrder::OlderOnly(missing) }
            }
            Self::Unreadable => FamilyOrder::OlderThenGraph,
            Self::WithoutToken(_) => FamilyOrder::OlderOnly(graph::missing(kind, &[])),
        }
    }

    /// Returns which backend answers a kind of question, and why, as one sentence.
    pub(crate) fn explanation(&self, kind: Kind) -> String {
        match self {
            Self::ByRoles(roles) => match graph::missing(kind, roles).as_slice() {
                [] => "Microsoft Graph: its token carries the permissions".to_owned(),
                missing => format!("the older APIs: the token for Graph lacks {}", missing.join(", ")),
            },
            Self::Unreadable => {
                "the older APIs, and Graph where they have ended: the permissions in its token cannot be read"
                    .to_owned()
            }
            Self::WithoutToken(why) => format!("the older APIs: {why}"),
        }
    }

    /// Returns which backend answers which kinds of question, and why, as one sentence.
    fn summary(&self) -> String {
        let names = |graph: bool| {
            let kinds = Kind::ALL.into_iter().filter(|kind| (self.family_order(*kind) == FamilyOrder::Graph) == graph);
            let names: Vec<_> = kinds.map(Kind::as_str).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let why = match self {
            Self::ByRoles(_) => "by the permissions that the token for Graph carries",
            Self::Unreadable => "the permissions in the token for Graph cannot be read",
            Self::WithoutToken(why) => why,
        };
        format!("Graph answers {}, the older APIs {}: {why}", names(true), names(false))
    }
}

impl Auto {
    pub(crate) fn new(defender: Arc<Defender>, graph: Arc<Graph>, tokens: TokenCache) -> Self {
        Self {
            defender,
            graph,
            tokens,
            last: Mutex::default(),
            graph_unknown: ExpiringFlag::default(),
            endpoint: OlderApiState::default(),
            xdr: OlderApiState::default(),
        }
    }

    /// Returns the family that is called first.
    pub(super) async fn family(&self, kind: Kind, ctx: &Context) -> Result<Family, EnrichError> {
        let is_on_graph = match self.choice(ctx).await?.family_order(kind) {
            FamilyOrder::Graph => true,
            FamilyOrder::OlderOnly(_) => false,
            FamilyOrder::OlderThenGraph => self.state_of(OlderApi::of(kind)).shut_down.is_set(),
        };
        Ok(if is_on_graph { self.graph_family() } else { self.older_family() })
    }

    /// Returns what the current token permits. While Entra or the secret store is down, this is what the last token
    /// permitted.
    pub(crate) async fn choice(&self, ctx: &Context) -> Result<Arc<Choice>, EnrichError> {
        if self.graph_unknown.is_set() {
            return Ok(Arc::new(Choice::WithoutToken(UNKNOWN_TO_THE_TENANT)));
        }
        match self.tokens.token(Api::Graph, ctx).await {
            Ok(token) => Ok(self.choice_by(token)),
            Err(CredentialError::NoTokenForApi) => {
                Ok(Arc::new(Choice::WithoutToken("the secret holds no token for Graph")))
            }
            Err(CredentialError::Refused(Refusal { reason: RefusalReason::UnknownApi, .. })) => {
                self.graph_unknown.set(UNKNOWN_API_RETRY_AFTER);
                Ok(Arc::new(Choice::WithoutToken(UNKNOWN_TO_THE_TENANT)))
            }
            // If the credential is refused for every API, the token request for the older API reports that.
            Err(CredentialError::Refused(_)) => Ok(Arc::new(Choice::WithoutToken("a token for Graph is refused"))),
            Err(error) => self.last_choice().map_or_else(|| Err(CallError::from(error).into()), Ok),
        }
    }

    fn choice_by(&self, token: Token) -> Arc<Choice> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, choice)) = &*last
            && known.is_same(&token)
        {
            return choice.clone();
        }
        let choice = Arc::new(token.roles().map_or(Choice::Unreadable, Choice::ByRoles));
        if last.as_ref().is_none_or(|(_, before)| *before != choice) {
            tracing::info!(backend = "auto", "{}", choice.summary());
        }
        *last = Some((token, choice.clone()));
        choice
    }

    fn last_choice(&self) -> Option<Arc<Choice>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, choice)| choice.clone())
    }

    fn graph_family(&self) -> Family {
        Family::Graph(self.graph.clone())
    }

    fn older_family(&self) -> Family {
        Family::Defender(self.defender.clone())
    }

    fn state_of(&self, api: OlderApi) -> &OlderApiState {
        match api {
            OlderApi::Endpoint => &self.endpoint,
            OlderApi::Xdr => &self.xdr,
        }
    }

    /// Whether an older API can answer, judged by the roles in its token.
    async fn older_is_possible(&self, subject: &Subject, ctx: &Context) -> bool {
        let api = OlderApi::of(subject.kind());
        if self.state_of(api).unknown.is_set() {
            return false;
        }
        match self.tokens.token(api.api(), ctx).await {
            Ok(token) => token.roles().is_none_or(|roles| defender::allow(subject, &roles)),
            Err(CredentialError::Refused(Refusal { reason: RefusalReason::UnknownApi, .. })) => {
                self.state_of(api).unknown.set(UNKNOWN_API_RETRY_AFTER);
                false
            }
            Err(CredentialError::NoTokenForApi) => false,
            Err(_) => true,
        }
    }

    /// Records that an older API is shut down, if the error means that. Returns whether it does.
    fn records_shutdown(&self, api: OlderApi, error: &EnrichError) -> bool {
        let status = match error {
            EnrichError::Failed { service: Service::Defender, status: status @ (403 | 404 | 410) } => Some(*status),
            EnrichError::NoAddress { service: Service::Defender } => None,
            EnrichError::Failed { .. }
            | EnrichError::NoAddress { .. }
            | EnrichError::Throttled { .. }
            | EnrichError::Unavailable { .. }
            | EnrichError::TimedOut { .. }
            | EnrichError::CredentialRefused { .. }
            | EnrichError::Forbidden { .. }
            | EnrichError::Malformed { .. }
            | EnrichError::TooLarge
            | EnrichError::SecretUnavailable { .. }
            | EnrichError::HuntingNotVisible
            | EnrichError::NotLookedUp(_)
            | EnrichError::FederationFailed { .. }
            | EnrichError::Misconfigured { .. } => return false,
        };
        if self.state_of(api).shut_down.set(SHUTDOWN_RETRY_AFTER) {
            tracing::warn!(
                backend = "auto",
                api = api.name(),
                status,
                "an older API seems to have ended: it answers in no words of its own, or its host has no address; \
                 where Graph can answer, it is left alone for an hour"
            );
        }
        true
    }
}

const UNKNOWN_TO_THE_TENANT: &str = "the tenant does not know Graph's audience";

impl Enricher {
    /// Answers one question by the family that the token's roles choose, or by its fallback. If that fails and the token
    /// was renewed meanwhile, the new roles may choose another family.
    pub(super) async fn by_roles(
        &self,
        auto: &Auto,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let kind = reading.subject.kind();
        let first = auto.choice(scope.ctx).await?.family_order(kind);
        let outcome = self.by_family_order(&first, auto, reading, scope).await;
        if outcome.is_err()
            && let Ok(choice) = auto.choice(scope.ctx).await
            && choice.family_order(kind) != first
        {
            return self.by_family_order(&choice.family_order(kind), auto, reading, scope).await;
        }
        outcome
    }

    async fn by_family_order(
        &self,
        first: &FamilyOrder,
        auto: &Auto,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let api = OlderApi::of(reading.subject.kind());
        match first {
            FamilyOrder::Graph => {
                let answer = self.by_family(auto.graph_family(), reading, scope).await?;
                Ok(self.or_older_alerts(answer, auto, reading, scope).await)
            }
            FamilyOrder::OlderOnly(roles) => {
                let outcome = self.by_family(auto.older_family(), reading, scope).await;
                outcome.map_err(|error| {
                    if auto.records_shutdown(api, &error) {
                        EnrichError::Forbidden { permissions: roles.clone() }
                    } else {
                        error
                    }
                })
            }
            FamilyOrder::OlderThenGraph => {
                if !auto.state_of(api).shut_down.is_set() && auto.older_is_possible(reading.subject, scope.ctx).await {
                    match self.by_family(auto.older_family(), reading, scope).await {
                        Err(EnrichError::NotLookedUp(_)) => {}
                        Err(error) if auto.records_shutdown(api, &error) => {}
                        outcome => return outcome,
                    }
                }
                let answer = self.by_family(auto.graph_family(), reading, scope).await?;
                Ok(self.or_older_alerts(answer, auto, reading, scope).await)
            }
        }
    }

    /// Returns what hunting found. If it found nothing, asks an older API, which keeps alerts for longer.
    async fn or_older_alerts(
        &self,
        mut answer: Answer,
        auto: &Auto,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Answer {
        let kind = reading.subject.kind();
        if answer.findings.found() || !kind.is_a_list() {
            return answer;
        }
        let api = OlderApi::of(kind);
        if auto.state_of(api).shut_down.is_set() {
            answer.warnings.push(not_completed(api, "seems to have ended"));
            return answer;
        }
        if !auto.older_is_possible(reading.subject, scope.ctx).await {
            return answer;
        }
        match self.by_family(auto.older_family(), reading, scope).await {
            Ok(mut older) if older.findings.found() => {
                let detail =
                    format!("Advanced hunting has nothing in its 30 days: these alerts are what {} has.", api.name());
                older.warnings.push(Warning { code: WarningCode::BeyondHuntingWindow, detail });
                older
            }
            // Hunting cannot distinguish an unknown device from a device without alerts; this API can.
            Ok(older) if kind == Kind::Machine && !older.findings.known => older,
            Ok(older) if older.partial().next().is_some() => {
                answer.warnings.push(not_completed(api, "was not read to its end"));
                answer
            }
            Ok(_) | Err(EnrichError::NotLookedUp(NotLookedUp::AccountId)) => answer,
            Err(error) => {
                let why = if auto.records_shutdown(api, &error) { "seems to have ended" } else { "did not answer" };
                answer.warnings.push(not_completed(api, why));
                answer
            }
        }
    }
}

fn not_completed(api: OlderApi, why: &str) -> Warning {
    let detail = format!(
        "Advanced hunting has nothing in its 30 days, and {}, which sees further back, {why}: older alerts may be missing.",
        api.name()
    );
    Warning { code: WarningCode::Partial, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(roles: &[&str]) -> Choice {
        Choice::ByRoles(roles.iter().map(|role| (*role).to_owned()).collect())
    }

    #[test]
    fn the_summary_names_the_kinds_of_each_family() {
        assert_eq!(
            by(&["SecurityAlert.Read.All"]).summary(),
            "Graph answers alert, the older APIs machine, user, file, incident, ip, domain: by the permissions that the token for Graph carries"
        );
        assert!(by(&[]).summary().starts_with("Graph answers nothing, "));
        assert!(Choice::Unreadable.summary().starts_with("Graph answers nothing, "));
    }

    #[test]
    fn the_explanation_names_the_missing_roles() {
        let choice = by(&["SecurityAlert.Read.All"]);
        assert_eq!(choice.explanation(Kind::Alert), "Microsoft Graph: its token carries the permissions");
        assert_eq!(choice.explanation(Kind::User), "the older APIs: the token for Graph lacks ThreatHunting.Read.All");
        assert_eq!(
            by(&[]).explanation(Kind::File),
            "the older APIs: the token for Graph lacks SecurityAlert.Read.All, ThreatHunting.Read.All"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_flag_is_new_only_once_until_it_expires() {
        let mark = ExpiringFlag::default();
        assert!(!mark.is_set() && mark.set(SHUTDOWN_RETRY_AFTER));
        assert!(mark.is_set() && !mark.set(SHUTDOWN_RETRY_AFTER));
        tokio::time::advance(SHUTDOWN_RETRY_AFTER).await;
        assert!(!mark.is_set() && mark.set(SHUTDOWN_RETRY_AFTER));
    }
}
