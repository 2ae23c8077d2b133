//! A query with the client that answers it. The types permit only queries that the client can answer.

use std::sync::Arc;

use super::backend::Family;
use super::cache_key::CacheKey;
use super::error::{EnrichError, NotLookedUp};
use crate::backend::defender::Defender;
use crate::backend::graph::{Graph, HuntingTarget};
use crate::client::{ClientError, Context};
use crate::credentials::CallError;
use crate::domain::findings::Findings;
use crate::domain::subject::{Account, AlertId, DeviceId, DomainName, IncidentId, IpAddress, Sha1, comparable_id};

/// One query to one client.
#[derive(Clone, Debug)]
pub(super) enum Query {
    Alert(Family, AlertId),
    Incident(Family, IncidentId),
    Machine(Arc<Defender>, DeviceId),
    User(Arc<Defender>, Account),
    File(Arc<Defender>, Sha1),
    Ip(Arc<Defender>, IpAddress),
    Domain(Arc<Defender>, DomainName),
    Hunting(Arc<Graph>, HuntingTarget),
}

impl Query {
    /// Returns the cache key.
    pub(super) fn key(&self) -> CacheKey {
        match self {
            Self::Alert(family, id) => CacheKey::Alert(family.backend(), id.clone()),
            Self::Incident(family, id) => CacheKey::Incident(family.backend(), *id),
            Self::Machine(_, id) => CacheKey::Machine(id.clone()),
            Self::User(_, account) => CacheKey::User(account.clone()),
            Self::File(_, sha1) => CacheKey::File(sha1.clone()),
            Self::Ip(_, address) => CacheKey::Ip(*address),
            Self::Domain(_, name) => CacheKey::Domain(name.clone()),
            Self::Hunting(_, target) => CacheKey::Hunting(target.clone()),
        }
    }

    /// Returns what an error of this query means for the caller.
    pub(super) fn map_error(&self, error: CallError) -> EnrichError {
        let is_refused = matches!(error, CallError::Client(ClientError::Rejected { status: 400 }));
        match self {
            // The form was checked before. Defender does not accept every address; no other reason for a 400 is known.
            Self::Ip(..) if is_refused => EnrichError::NotLookedUp(NotLookedUp::Address),
            Self::Domain(..) if is_refused => EnrichError::NotLookedUp(NotLookedUp::Domain),
            Self::Alert(..)
            | Self::Incident(..)
            | Self::Machine(..)
            | Self::User(..)
            | Self::File(..)
            | Self::Ip(..)
            | Self::Domain(..)
            | Self::Hunting(..) => error.into(),
        }
    }

    /// Sends the query.
    pub(super) async fn fetch(&self, ctx: &Context) -> Result<Findings, CallError> {
        match self {
            Self::Alert(family, id) => {
                let findings = match family {
                    Family::Defender(defender) => defender.alert(id, ctx).await?,
                    Family::Graph(graph) => graph.alert(id, ctx).await?,
                };
                // We compare ids without regard to case, but Defender may not. So "not found" is cached only if the id was
                // sent in its canonical case.
                let holds = findings.known || comparable_id(id.as_str()) == id.as_str();
                Ok(findings.complete_if(holds))
            }
            Self::Incident(Family::Defender(defender), id) => defender.incident(*id, ctx).await,
            Self::Incident(Family::Graph(graph), id) => graph.incident(*id, ctx).await,
            Self::Machine(defender, id) => defender.machine_alerts(id, ctx).await,
            Self::User(defender, account) => defender.user_alerts(account, ctx).await,
            Self::File(defender, sha1) => defender.file_alerts(sha1, ctx).await,
            Self::Ip(defender, address) => defender.ip_alerts(*address, ctx).await,
            Self::Domain(defender, name) => defender.domain_alerts(name, ctx).await,
            Self::Hunting(graph, target) => graph.hunt_alerts(target, ctx).await,
        }
    }
}
