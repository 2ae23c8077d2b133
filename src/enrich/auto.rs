//! Which API family answers which kind of question, by the roles in the token for Graph: chosen once.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::EnrichError;
use super::backend::Family;
use crate::credentials::{CallError, CredentialError, Refusal, TokenCache};
use crate::defender::Defender;
use crate::domain::subject::Kind;
use crate::graph::{self, Graph};
use crate::upstream::{Api, Context};

/// Both families, and what was chosen.
#[derive(Debug)]
pub(crate) struct Auto {
    defender: Arc<Defender>,
    graph: Arc<Graph>,
    tokens: TokenCache,
    chosen: OnceCell<Chosen>,
}

/// What was chosen, and why.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The kinds that Graph answers.
    on_graph: Vec<Kind>,
    why: &'static str,
}

impl Chosen {
    fn all(why: &'static str) -> Self {
        Self { on_graph: Kind::ALL.to_vec(), why }
    }

    fn none(why: &'static str) -> Self {
        Self { on_graph: Vec::new(), why }
    }

    fn by_roles(roles: &[String]) -> Self {
        let on_graph: Vec<_> = Kind::ALL.into_iter().filter(|kind| graph::allow(*kind, roles)).collect();
        let why = if on_graph.is_empty() {
            "the token for Graph carries none of the roles that are needed"
        } else if on_graph.len() == Kind::ALL.len() {
            "the token for Graph carries all roles"
        } else {
            "the token for Graph carries a part of the roles"
        };
        Self { on_graph, why }
    }

    /// One sentence.
    pub(crate) fn told(&self) -> String {
        let names = |graph: bool| {
            let kinds = Kind::ALL.into_iter().filter(|kind| self.on_graph.contains(kind) == graph);
            let names: Vec<_> = kinds.map(Kind::as_str).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        format!("Graph answers {}, the older APIs {}: {}", names(true), names(false), self.why)
    }
}

impl Auto {
    pub(crate) fn new(defender: Arc<Defender>, graph: Arc<Graph>, tokens: TokenCache) -> Self {
        Self { defender, graph, tokens, chosen: OnceCell::new() }
    }

    pub(super) async fn family(&self, kind: Kind, ctx: &Context) -> Result<Family, EnrichError> {
        let on_graph = self.chosen(ctx).await?.on_graph.contains(&kind);
        Ok(if on_graph { Family::Graph(self.graph.clone()) } else { Family::Defender(self.defender.clone()) })
    }

    /// What was chosen; the first who asks chooses. While Entra or the secret store is down, nothing is.
    pub(crate) async fn chosen(&self, ctx: &Context) -> Result<&Chosen, EnrichError> {
        self.chosen.get_or_try_init(|| self.choose(ctx)).await
    }

    async fn choose(&self, ctx: &Context) -> Result<Chosen, EnrichError> {
        let chosen = match self.tokens.token(Api::Graph, ctx).await {
            Ok(token) => match token.roles() {
                Some(roles) => Chosen::by_roles(&roles),
                None => Chosen::all("the roles of the token cannot be read, and Graph comes first"),
            },
            Err(CredentialError::NoTokenForApi) => Chosen::none("the secret holds no token for Graph"),
            Err(CredentialError::Refused(Refusal::UnknownApi)) => {
                Chosen::none("the tenant does not know Graph's audience")
            }
            Err(error) => return Err(CallError::from(error).into()),
        };
        tracing::info!(backend = "auto", "{}", chosen.told());
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_told_in_one_sentence() {
        let roles = ["SecurityAlert.Read.All".to_owned()];
        assert_eq!(
            Chosen::by_roles(&roles).told(),
            "Graph answers alert, the older APIs machine, user, file, incident, ip, domain: the token for Graph carries a part of the roles"
        );
        assert!(Chosen::by_roles(&[]).told().starts_with("Graph answers nothing, "));
    }
}
