//! A question and the client that answers it: no client is asked what it cannot answer.

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

/// One question to one client.
#[derive(Clone, Debug)]
pub(super) enum Query {
    Alert(Family, AlertId),
    Incident(Family, IncidentId),
    Machine(Arc<Defender>, DeviceId),
    User(Arc<Defender>, Account),
    File(Arc<Defender>, Sha1),
    Ip(Arc<Defender>, IpAddress),
    Domain(Arc<Defender>, DomainName),
    Hunted(Arc<Graph>, HuntingTarget),
}

impl Query {
    /// What is asked.
    pub(super) fn key(&self) -> CacheKey {
        match self {
            Self::Alert(family, id) => CacheKey::Alert(family.backend(), id.clone()),
            Self::Incident(family, id) => CacheKey::Incident(family.backend(), *id),
            Self::Machine(_, id) => CacheKey::Machine(id.clone()),
            Self::User(_, account) => CacheKey::User(account.clone()),
            Self::File(_, sha1) => CacheKey::File(sha1.clone()),
            Self::Ip(_, address) => CacheKey::Ip(*address),
            Self::Domain(_, name) => CacheKey::Domain(name.clone()),
            Self::Hunted(_, target) => CacheKey::Hunted(target.clone()),
        }
    }

    /// What it means that this brought no answer.
    pub(super) fn refusal(&self, error: CallError) -> EnrichError {
        let is_refused = matches!(error, CallError::Upstream(ClientError::Rejected { status: 400 }));
        match self {
            // Its form was checked before: Defender does not take every address, and no other reason is known.
            Self::Ip(..) if is_refused => EnrichError::NotLookedUp(NotLookedUp::Address),
            Self::Domain(..) if is_refused => EnrichError::NotLookedUp(NotLookedUp::Domain),
            Self::Alert(..)
            | Self::Incident(..)
            | Self::Machine(..)
            | Self::User(..)
            | Self::File(..)
            | Self::Ip(..)
            | Self::Domain(..)
            | Self::Hunted(..) => error.into(),
        }
    }

    /// Asks.
    pub(super) async fn fetch(&self, ctx: &Context) -> Result<Findings, CallError> {
        match self {
            Self::Alert(family, id) => {
                let findings = match family {
                    Family::Defender(defender) => defender.alert(id, ctx).await?,
                    Family::Graph(graph) => graph.alert(id, ctx).await?,
                };
                // Ids are equal in any case, and Defender may not think so: that one was not found in a case of its own
                // is not remembered of all.
                let holds = findings.known || comparable_id(id.as_str()) == id.as_str();
                Ok(findings.whole_if(holds))
            }
            Self::Incident(Family::Defender(defender), id) => defender.incident(*id, ctx).await,
            Self::Incident(Family::Graph(graph), id) => graph.incident(*id, ctx).await,
            Self::Machine(defender, id) => defender.machine_alerts(id, ctx).await,
            Self::User(defender, account) => defender.user_alerts(account, ctx).await,
            Self::File(defender, sha1) => defender.file_alerts(sha1, ctx).await,
            Self::Ip(defender, address) => defender.ip_alerts(*address, ctx).await,
            Self::Domain(defender, name) => defender.domain_alerts(name, ctx).await,
            Self::Hunted(graph, target) => graph.hunted(target, ctx).await,
        }
    }
}
