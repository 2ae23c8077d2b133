//! The clients of both backends, and the choice between them.

use super::auto::Auto;
use super::defender::{self, Defender};
use super::graph::Graph;
use super::query::{ContextQuery, Query};
use crate::client::{Api, Context};
use crate::config::{BackendChoice, Settings};
use crate::credentials::{Authorized, CallError, TokenCache};
use crate::domain::context::SubjectContext;
use crate::domain::enrichment::BackendName;
use crate::domain::findings::Findings;
use crate::domain::subject::Kind;

/// The clients of both backends. They are concrete types: tests reach the sandbox as production reaches Microsoft.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) defender: Defender,
    graph: Graph,
    pub(crate) selection: Selection,
}

/// What decides which backend answers.
#[derive(Debug)]
pub(crate) enum Selection {
    /// The setting does.
    Fixed(BackendName),
    /// The token's roles do: Graph for what they allow, the older APIs for the rest.
    Auto(Box<Auto>),
}

impl Backends {
    pub(crate) fn new(calls: Authorized, tokens: TokenCache, settings: &Settings) -> Self {
        Self {
            defender: Defender::new(calls.clone(), &settings.endpoints, settings.portal),
            graph: Graph::new(calls, settings),
            selection: match settings.backend {
                BackendChoice::Defender => Selection::Fixed(BackendName::Defender),
                BackendChoice::Graph => Selection::Fixed(BackendName::Graph),
                BackendChoice::Auto => Selection::Auto(Box::new(Auto::new(tokens))),
            },
        }
    }

    /// Returns the backend that answers this kind of question first.
    pub(crate) async fn backend_for(&self, kind: Kind, ctx: &Context) -> Result<BackendName, CallError> {
        match &self.selection {
            Selection::Fixed(backend) => Ok(*backend),
            Selection::Auto(auto) => auto.backend_for(kind, ctx).await,
        }
    }

    /// Returns the APIs that may be called. Which of them are is known only with a token.
    pub(crate) fn possible_apis(&self) -> &'static [Api] {
        match self.selection {
            Selection::Fixed(BackendName::Defender) => &[Api::Endpoint, Api::Xdr],
            Selection::Fixed(BackendName::Graph) => &[Api::Graph, Api::Hunting],
            Selection::Auto(_) => &[Api::Graph, Api::Hunting, Api::Endpoint, Api::Xdr],
        }
    }

    /// Returns the APIs for which a token is needed.
    pub(crate) async fn apis(&self, ctx: &Context) -> Result<Vec<Api>, CallError> {
        let mut apis = Vec::new();
        for kind in Kind::ALL {
            let api = match self.backend_for(kind, ctx).await? {
                BackendName::Graph => Api::Graph,
                BackendName::Defender => defender::api(kind),
            };
            if !apis.contains(&api) {
                apis.push(api);
            }
        }
        Ok(apis)
    }

    /// Sends a query.
    pub(crate) async fn fetch(&self, query: &Query, ctx: &Context) -> Result<Findings, CallError> {
        match query {
            Query::Defender(query) => self.defender.fetch(query, ctx).await,
            Query::Graph(query) => self.graph.fetch(query, ctx).await,
        }
    }

    /// Sends a query about a subject itself; `None` if Microsoft does not know the subject.
    pub(crate) async fn context(
        &self,
        query: &ContextQuery,
        ctx: &Context,
    ) -> Result<Option<SubjectContext>, CallError> {
        match query {
            ContextQuery::Defender(query) => self.defender.context(query, ctx).await,
            ContextQuery::Graph(query) => self.graph.context(query, ctx).await,
        }
    }
}
