//! The choice of the backend by the roles in the token for Graph. The roles are read for each question, so that a new
//! consent takes effect with the next token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{defender, graph};
use crate::client::{Api, Context};
use crate::credentials::{CallError, CredentialError, Refusal, RefusalReason, Token, TokenCache};
use crate::domain::enrichment::BackendName;
use crate::domain::subject::{Kind, Subject};

/// How long an older API that seems to be shut down is not called. Then it is tried again.
const SHUTDOWN_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How long no token is requested for an API that, according to Entra, the tenant does not know.
const UNKNOWN_API_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The tokens that decide, and what is known about the availability of each API.
#[derive(Debug)]
pub(crate) struct Auto {
    tokens: TokenCache,
    last: Mutex<Option<(Token, Arc<Choice>)>>,
    /// The older APIs that seem to be shut down.
    shut_down: ExpiringMarks,
    /// The APIs that the tenant does not know.
    unknown: ExpiringMarks,
}

/// APIs that are marked for some time.
#[derive(Debug, Default)]
struct ExpiringMarks(Mutex<Vec<(Api, Instant)>>);

impl ExpiringMarks {
    fn contain(&self, api: Api) -> bool {
        let now = Instant::now();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|(marked, until)| *marked == api && now < *until)
    }

    /// Marks an API for this time. Returns whether it was not marked before.
    fn add(&self, api: Api, span: Duration) -> bool {
        let is_new = !self.contain(api);
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.retain(|(marked, _)| *marked != api);
        marks.push((api, Instant::now() + span));
        is_new
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

/// The order in which the backends are called for a kind of question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackendOrder {
    Graph,
    /// Only an older API is called: the token for Graph lacks these roles.
    OlderOnly(Vec<&'static str>),
    OlderThenGraph,
}

impl Choice {
    pub(crate) fn backend_order(&self, kind: Kind) -> BackendOrder {
        match self {
            Self::ByRoles(roles) => {
                let missing = graph::missing(kind, roles);
                if missing.is_empty() { BackendOrder::Graph } else { BackendOrder::OlderOnly(missing) }
            }
            Self::Unreadable => BackendOrder::OlderThenGraph,
            Self::WithoutToken(_) => BackendOrder::OlderOnly(graph::missing(kind, &[])),
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
            let kinds =
                Kind::ALL.into_iter().filter(|kind| (self.backend_order(*kind) == BackendOrder::Graph) == graph);
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
    pub(super) fn new(tokens: TokenCache) -> Self {
        Self { tokens, last: Mutex::default(), shut_down: ExpiringMarks::default(), unknown: ExpiringMarks::default() }
    }

    /// Returns the backend that is called first.
    pub(super) async fn backend_for(&self, kind: Kind, ctx: &Context) -> Result<BackendName, CallError> {
        let is_on_graph = match self.choice(ctx).await?.backend_order(kind) {
            BackendOrder::Graph => true,
            BackendOrder::OlderOnly(_) => false,
            BackendOrder::OlderThenGraph => self.is_shut_down(defender::api(kind)),
        };
        Ok(if is_on_graph { BackendName::Graph } else { BackendName::Defender })
    }

    /// Returns what the current token permits. While Entra or the secret store is down, this is what the last token
    /// permitted.
    pub(crate) async fn choice(&self, ctx: &Context) -> Result<Arc<Choice>, CallError> {
        let without_token = |why| Ok(Arc::new(Choice::WithoutToken(why)));
        if self.unknown.contain(Api::Graph) {
            return without_token(UNKNOWN_TO_THE_TENANT);
        }
        match self.tokens.token(Api::Graph, ctx).await {
            Ok(token) => Ok(self.choice_by(token)),
            Err(CredentialError::NoTokenForApi) => without_token("the secret holds no token for Graph"),
            Err(CredentialError::Refused(Refusal { reason: RefusalReason::UnknownApi, .. })) => {
                self.unknown.add(Api::Graph, UNKNOWN_API_RETRY_AFTER);
                without_token(UNKNOWN_TO_THE_TENANT)
            }
            // If the credential is refused for every API, the token request for the older API reports that.
            Err(CredentialError::Refused(_)) => without_token("a token for Graph is refused"),
            Err(error) => self.last_choice().ok_or(CallError::Credential(error)),
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

    /// Whether an older API can answer, judged by the roles in its token.
    pub(crate) async fn older_is_possible(&self, subject: &Subject, ctx: &Context) -> bool {
        let api = defender::api(subject.kind());
        if self.unknown.contain(api) {
            return false;
        }
        match self.tokens.token(api, ctx).await {
            Ok(token) => token.roles().is_none_or(|roles| defender::allow(subject, &roles)),
            Err(CredentialError::Refused(Refusal { reason: RefusalReason::UnknownApi, .. })) => {
                self.unknown.add(api, UNKNOWN_API_RETRY_AFTER);
                false
            }
            Err(CredentialError::NoTokenForApi) => false,
            Err(_) => true,
        }
    }

    /// Whether an older API seems to be shut down.
    pub(crate) fn is_shut_down(&self, api: Api) -> bool {
        self.shut_down.contain(api)
    }

    /// Records that an older API seems to be shut down. `status`: its answer, if its host has an address.
    pub(crate) fn record_shutdown(&self, api: Api, status: Option<u16>) {
        if self.shut_down.add(api, SHUTDOWN_RETRY_AFTER) {
            tracing::warn!(
                backend = "auto",
                api = api.name(),
                status,
                "an older API seems to have ended: it answers in no words of its own, or its host has no address; \
                 where Graph can answer, it is left alone for an hour"
            );
        }
    }
}

const UNKNOWN_TO_THE_TENANT: &str = "the tenant does not know Graph's audience";

#[cfg(test)]
mod tests {
    use super::*;

    fn by(roles: &[&str]) -> Choice {
        Choice::ByRoles(roles.iter().map(|role| (*role).to_owned()).collect())
    }

    #[test]
    fn the_summary_names_the_kinds_of_each_backend() {
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
    async fn an_api_is_marked_as_shut_down_only_once_until_the_mark_expires() {
        let marks = ExpiringMarks::default();
        assert!(!marks.contain(Api::Xdr) && marks.add(Api::Xdr, SHUTDOWN_RETRY_AFTER));
        assert!(marks.contain(Api::Xdr) && !marks.add(Api::Xdr, SHUTDOWN_RETRY_AFTER));
        assert!(!marks.contain(Api::Endpoint));
        tokio::time::advance(SHUTDOWN_RETRY_AFTER).await;
        assert!(!marks.contain(Api::Xdr) && marks.add(Api::Xdr, SHUTDOWN_RETRY_AFTER));
    }
}
