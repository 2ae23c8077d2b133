//! The table of routes, from which both the router and the OpenAPI document are made. `/mcp` is beside it (see `mcp`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::middleware::RequestContext;
use super::respond::Call;
use super::{batch, enrich, integrations, openapi, respond};
use crate::app::Service;
use crate::integrations::{ALL, Integration};

/// A route: a method and a path.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Enrich,
    EnrichByQuery,
    EnrichAtRoot,
    EnrichBatch,
    Integration(&'static Integration),
    OpenApi,
    Health,
}

/// The HTTP method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
}

impl Verb {
    /// The method's name in OpenAPI.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }

    /// axum also accepts `HEAD` for `GET`.
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }
}

impl Endpoint {
    /// Every endpoint. The compiler warns about a variant that is missing here, as it is never constructed.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let lookups = [Self::Enrich, Self::EnrichByQuery, Self::EnrichAtRoot, Self::EnrichBatch];
        lookups.into_iter().chain(ALL.map(Self::Integration)).chain([Self::OpenApi, Self::Health])
    }

    /// The method and path of the endpoint.
    pub(super) fn address(self) -> (Verb, &'static str) {
        match self {
            Self::Enrich => (Verb::Post, "/v1/enrich"),
            Self::EnrichByQuery => (Verb::Get, "/v1/enrich"),
            Self::EnrichAtRoot => (Verb::Post, "/"),
            Self::EnrichBatch => (Verb::Post, "/v1/enrich/batch"),
            Self::Integration(integration) => (Verb::Post, integration.path),
            Self::OpenApi => (Verb::Get, "/v1/openapi.json"),
            Self::Health => (Verb::Get, "/healthz"),
        }
    }

    /// The route's word in the log.
    fn log_name(self) -> &'static str {
        match self {
            Self::Enrich | Self::EnrichByQuery | Self::EnrichAtRoot => "enrich",
            Self::EnrichBatch => "batch",
            Self::Integration(_) => "hook",
            Self::OpenApi => "openapi",
            Self::Health => "healthz",
        }
    }

    fn handler(self, filter: MethodFilter) -> MethodRouter<Arc<Service>> {
        on(filter, move |State(service), Extension(request_context): Extension<RequestContext>, request: Request| {
            let (parts, body) = request.into_parts();
            let call = Call { service, request_context, parts };
            async move {
                match self {
                    Self::Enrich | Self::EnrichAtRoot => call.authenticated(body, enrich::from_body).await,
                    Self::EnrichByQuery => call.authenticated(body, enrich::from_query).await,
                    Self::EnrichBatch => call.authenticated(body, batch::from_body).await,
                    Self::Integration(integration) => integrations::answer(integration, call, body).await,
                    Self::OpenApi => openapi::published(),
                    Self::Health => respond::health(),
                }
            }
        })
    }
}

/// Builds the router of all endpoints.
pub(super) fn router() -> Router<Arc<Service>> {
    Endpoint::all().fold(Router::new(), |router, endpoint| {
        let (verb, path) = endpoint.address();
        router.route(path, endpoint.handler(verb.filter()))
    })
}

/// The word in the log for the route at this path; `None` if there is no such route.
pub(super) fn log_name(path: &str) -> Option<&'static str> {
    Endpoint::all().find(|endpoint| endpoint.address().1 == path).map(Endpoint::log_name)
}

/// All routes, for a caller whose path is none of them.
pub(super) fn list() -> String {
    let routes = Endpoint::all().map(|endpoint| {
        let (verb, path) = endpoint.address();
        format!("{} {path}", verb.as_str().to_uppercase())
    });
    routes.collect::<Vec<_>>().join(", ")
}
