//! `auto`: which API family answers which kind of question, by the roles in the token for Graph. They are looked at for
//! each question, so that a consent counts from the next token on.
//!
//! Where both families can answer, one stands in for the other: Graph for an older API that has ended, and an older API
//! for a list that hunting finds nothing for, as it sees further back.

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

/// An older API that has ended is left alone for so long, and then tried again.
const ENDED_FOR: Duration = Duration::from_secs(3600);
/// Entra has said that the tenant does not know an API: it is asked again after so long.
const UNKNOWN_FOR: Duration = Duration::from_secs(600);

/// Both families, and what is known of them.
#[derive(Debug)]
pub(crate) struct Auto {
    defender: Arc<Defender>,
    graph: Arc<Graph>,
    tokens: TokenCache,
    last: Mutex<Option<(Token, Arc<Choice>)>>,
    graph_unknown: Mark,
    endpoint: OlderMarks,
    xdr: OlderMarks,
}

/// What is known of one of the older APIs.
#[derive(Debug, Default)]
struct OlderMarks {
    ended: Mark,
    unknown: Mark,
}

/// Something that holds for a while.
#[derive(Debug, Default)]
struct Mark(Mutex<Option<Instant>>);

impl Mark {
    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// Sets it; whether it was not set before.
    fn set(&self, span: Duration) -> bool {
        let now = Instant::now();
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(now + span);
        before.is_none_or(|until| until <= now)
    }
}

/// What the token for Graph allows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It carries these roles.
    ByRoles(Vec<String>),
    /// Its roles cannot be read: the older APIs are asked, and Graph where they have ended.
    Unreadable,
    /// There is none.
    WithoutToken(&'static str),
}

/// Who answers a kind of question.
#[derive(Clone, Debug, PartialEq, Eq)]
enum First {
    Graph,
    /// Graph would need these roles.
    OlderAlone(Vec<&'static str>),
    OlderThenGraph,
}

impl Choice {
    fn first(&self, kind: Kind) -> First {
        match self {
            Self::ByRoles(roles) => {
                let missing = graph::missing(kind, roles);
                if missing.is_empty() { First::Graph } else { First::OlderAlone(missing) }
            }
            Self::Unreadable => First::OlderThenGraph,
            Self::WithoutToken(_) => First::OlderAlone(graph::missing(kind, &[])),
        }
    }

    /// Which backend answers a kind, and why.
    pub(crate) fn told_of(&self, kind: Kind) -> String {
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

    /// One sentence.
    fn told(&self) -> String {
        let names = |graph: bool| {
            let kinds = Kind::ALL.into_iter().filter(|kind| (self.first(*kind) == First::Graph) == graph);
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
            graph_unknown: Mark::default(),
            endpoint: OlderMarks::default(),
            xdr: OlderMarks::default(),
        }
    }

    /// The family that is asked first.
    pub(super) async fn family(&self, kind: Kind, ctx: &Context) -> Result<Family, EnrichError> {
        let is_on_graph = match self.choice(ctx).await?.first(kind) {
            First::Graph => true,
            First::OlderAlone(_) => false,
            First::OlderThenGraph => self.marks(OlderApi::of(kind)).ended.is_set(),
        };
        Ok(if is_on_graph { self.on_graph() } else { self.on_the_older() })
    }

    /// What the token allows that is good now. While Entra or the secret store is down, what the last one allowed.
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
                self.graph_unknown.set(UNKNOWN_FOR);
                Ok(Arc::new(Choice::WithoutToken(UNKNOWN_TO_THE_TENANT)))
            }
            // Where it is not Graph alone that it is refused for, the older APIs' token will say so.
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
            tracing::info!(backend = "auto", "{}", choice.told());
        }
        *last = Some((token, choice.clone()));
        choice
    }

    fn last_choice(&self) -> Option<Arc<Choice>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, choice)| choice.clone())
    }

    fn on_graph(&self) -> Family {
        Family::Graph(self.graph.clone())
    }

    fn on_the_older(&self) -> Family {
        Family::Defender(self.defender.clone())
    }

    fn marks(&self, api: OlderApi) -> &OlderMarks {
        match api {
            OlderApi::Endpoint => &self.endpoint,
            OlderApi::Xdr => &self.xdr,
        }
    }

    /// Whether an older API can answer, as far as its token tells.
    async fn older_is_possible(&self, subject: &Subject, ctx: &Context) -> bool {
        let api = OlderApi::of(subject.kind());
        if self.marks(api).unknown.is_set() {
            return false;
        }
        match self.tokens.token(api.api(), ctx).await {
            Ok(token) => token.roles().is_none_or(|roles| defender::allow(subject, &roles)),
            Err(CredentialError::Refused(Refusal { reason: RefusalReason::UnknownApi, .. })) => {
                self.marks(api).unknown.set(UNKNOWN_FOR);
                false
            }
            Err(CredentialError::NoTokenForApi) => false,
            Err(_) => true,
        }
    }

    /// Takes note of an older API that has ended, if that is what an error means.
    fn notes_end(&self, api: OlderApi, error: &EnrichError) -> bool {
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
        if self.marks(api).ended.set(ENDED_FOR) {
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
    /// Answers one question by the family that the token's roles choose, or by the one that stands in for it. Where that
    /// fails, and the token was renewed meanwhile, its roles may choose another.
    pub(super) async fn by_roles(
        &self,
        auto: &Auto,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let kind = reading.subject.kind();
        let first = auto.choice(scope.ctx).await?.first(kind);
        let outcome = self.by_first(&first, auto, reading, scope).await;
        if outcome.is_err()
            && let Ok(choice) = auto.choice(scope.ctx).await
            && choice.first(kind) != first
        {
            return self.by_first(&choice.first(kind), auto, reading, scope).await;
        }
        outcome
    }

    async fn by_first(
        &self,
        first: &First,
        auto: &Auto,
        reading: &Reading<'_>,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let api = OlderApi::of(reading.subject.kind());
        match first {
            First::Graph => {
                let answer = self.by_family(auto.on_graph(), reading, scope).await?;
                Ok(self.beyond_the_window(answer, auto, reading, scope).await)
            }
            First::OlderAlone(roles) => {
                let outcome = self.by_family(auto.on_the_older(), reading, scope).await;
                outcome.map_err(|error| {
                    if auto.notes_end(api, &error) {
                        EnrichError::Forbidden { permissions: roles.clone() }
                    } else {
                        error
                    }
                })
            }
            First::OlderThenGraph => {
                if !auto.marks(api).ended.is_set() && auto.older_is_possible(reading.subject, scope.ctx).await {
                    match self.by_family(auto.on_the_older(), reading, scope).await {
                        Err(EnrichError::NotLookedUp(_)) => {}
                        Err(error) if auto.notes_end(api, &error) => {}
                        outcome => return outcome,
                    }
                }
                let answer = self.by_family(auto.on_graph(), reading, scope).await?;
                Ok(self.beyond_the_window(answer, auto, reading, scope).await)
            }
        }
    }

    /// What hunting has found, or, where that is nothing, what an older API finds, which sees further back.
    async fn beyond_the_window(
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
        if auto.marks(api).ended.is_set() {
            answer.warnings.push(not_completed(api, "seems to have ended"));
            return answer;
        }
        if !auto.older_is_possible(reading.subject, scope.ctx).await {
            return answer;
        }
        match self.by_family(auto.on_the_older(), reading, scope).await {
            Ok(mut older) if older.findings.found() => {
                let detail =
                    format!("Advanced hunting has nothing in its 30 days: these alerts are what {} has.", api.name());
                older.warnings.push(Warning { code: WarningCode::BeyondHuntingWindow, detail });
                older
            }
            // Hunting cannot tell a device that is not known from one without alerts, and this API can.
            Ok(older) if kind == Kind::Machine && !older.findings.known => older,
            Ok(older) if older.partial().next().is_some() => {
                answer.warnings.push(not_completed(api, "was not read to its end"));
                answer
            }
            Ok(_) | Err(EnrichError::NotLookedUp(NotLookedUp::AccountId)) => answer,
            Err(error) => {
                let why = if auto.notes_end(api, &error) { "seems to have ended" } else { "did not answer" };
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
    fn the_choice_is_told_in_one_sentence() {
        assert_eq!(
            by(&["SecurityAlert.Read.All"]).told(),
            "Graph answers alert, the older APIs machine, user, file, incident, ip, domain: by the permissions that the token for Graph carries"
        );
        assert!(by(&[]).told().starts_with("Graph answers nothing, "));
        assert!(Choice::Unreadable.told().starts_with("Graph answers nothing, "));
    }

    #[test]
    fn each_kind_is_told_with_what_is_missing() {
        let choice = by(&["SecurityAlert.Read.All"]);
        assert_eq!(choice.told_of(Kind::Alert), "Microsoft Graph: its token carries the permissions");
        assert_eq!(choice.told_of(Kind::User), "the older APIs: the token for Graph lacks ThreatHunting.Read.All");
        assert_eq!(
            by(&[]).told_of(Kind::File),
            "the older APIs: the token for Graph lacks SecurityAlert.Read.All, ThreatHunting.Read.All"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_is_new_once_and_ends() {
        let mark = Mark::default();
        assert!(!mark.is_set() && mark.set(ENDED_FOR));
        assert!(mark.is_set() && !mark.set(ENDED_FOR));
        tokio::time::advance(ENDED_FOR).await;
        assert!(!mark.is_set() && mark.set(ENDED_FOR));
    }
}
