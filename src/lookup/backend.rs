//! The backend that answers: an enum of concrete clients. Only this module matches on it.

use std::sync::Arc;

use super::EnrichError;
use super::auto::Auto;
use crate::backend::defender::Defender;
use crate::backend::graph::Graph;
use crate::client::{Api, Context};
use crate::domain::enrichment::BackendName;
use crate::domain::subject::Kind;

/// The API families in use.
#[derive(Debug)]
pub(crate) enum Backend {
    /// Defender for Endpoint and Defender XDR.
    Defender(Arc<Defender>),
    /// Microsoft Graph security.
    Graph(Arc<Graph>),
    /// Graph for what the token's roles allow, the older APIs for the rest.
    Auto(Box<Auto>),
}

/// The API family that answers one kind of question.
#[derive(Clone, Debug)]
pub(crate) enum Family {
    /// Defender for Endpoint and Defender XDR.
    Defender(Arc<Defender>),
    /// Microsoft Graph security.
    Graph(Arc<Graph>),
}

/// The product and the route that an answer came from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) backend: BackendName,
    pub(super) product: &'static str,
    pub(super) api: &'static str,
}

impl Backend {
    /// Returns the family that answers this kind of question.
    pub(crate) async fn family(&self, kind: Kind, ctx: &Context) -> Result<Family, EnrichError> {
        match self {
            Self::Defender(defender) => Ok(Family::Defender(defender.clone())),
            Self::Graph(graph) => Ok(Family::Graph(graph.clone())),
            Self::Auto(auto) => auto.family(kind, ctx).await,
        }
    }

    /// Returns the APIs for which a token is needed.
    pub(crate) async fn apis(&self, ctx: &Context) -> Result<Vec<Api>, EnrichError> {
        let mut apis = Vec::new();
        for kind in Kind::ALL {
            let api = match self.family(kind, ctx).await? {
                Family::Graph(_) => Api::Graph,
                Family::Defender(_) => OlderApi::of(kind).api(),
            };
            if !apis.contains(&api) {
                apis.push(api);
            }
        }
        Ok(apis)
    }
}

/// One of the two older APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OlderApi {
    /// Defender for Endpoint.
    Endpoint,
    /// Defender XDR.
    Xdr,
}

impl OlderApi {
    /// Returns the older API that answers a kind of question.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Incident => Self::Xdr,
            Kind::Alert | Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => Self::Endpoint,
        }
    }

    pub(super) fn api(self) -> Api {
        match self {
            Self::Endpoint => Api::Endpoint,
            Self::Xdr => Api::Xdr,
        }
    }

    /// Returns the API's name, for warnings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "Defender for Endpoint",
            Self::Xdr => "Defender XDR",
        }
    }
}

impl Family {
    /// Returns the name of the family in answers.
    pub(super) fn backend(&self) -> BackendName {
        match self {
            Self::Defender(_) => BackendName::Defender,
            Self::Graph(_) => BackendName::Graph,
        }
    }

    pub(super) fn origin(&self, kind: Kind) -> Origin {
        let (backend, product, api) = match self {
            Self::Defender(_) => {
                let (product, api) = match kind {
                    Kind::Alert => (ENDPOINT, "GET /api/alerts/{id}"),
                    Kind::Machine => (ENDPOINT, "GET /api/machines/{id}/alerts"),
                    Kind::User => (ENDPOINT, "GET /api/users/{id}/alerts"),
                    Kind::File => (ENDPOINT, "GET /api/files/{id}/alerts"),
                    Kind::Ip => (ENDPOINT, "GET /api/ips/{ip}/alerts"),
                    Kind::Domain => (ENDPOINT, "GET /api/domains/{domain}/alerts"),
                    Kind::Incident => (XDR, "GET /api/incidents/{id}"),
                };
                (BackendName::Defender, product, api)
            }
            Self::Graph(_) => {
                let api = match kind {
                    Kind::Alert => "GET /v1.0/security/alerts_v2/{id}",
                    Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => {
                        "POST /v1.0/security/runHuntingQuery"
                    }
                    Kind::Incident => "GET /v1.0/security/incidents/{id}?$expand=alerts",
                };
                (BackendName::Graph, XDR, api)
            }
        };
        Origin { backend, product, api }
    }
}

const ENDPOINT: &str = "Microsoft Defender for Endpoint";
const XDR: &str = "Microsoft Defender XDR";
