//! A question and the client that answers it: no client is asked what it cannot answer.

use std::sync::Arc;

use super::backend::Family;
use super::error::{EnrichError, NotLookedUp};
use super::key::Key;
use crate::credentials::CallError;
use crate::defender::Defender;
use crate::domain::findings::Findings;
use crate::domain::subject::{Account, AlertId, DeviceId, DomainName, IncidentId, IpAddress, Sha1};
use crate::graph::{Graph, Quarry};
use crate::upstream::{Context, UpstreamError};

/// One question to one client.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Alert(Family, AlertId),
    Incident(Family, IncidentId),
    Machine(Arc<Defender>, DeviceId),
    User(Arc<Defender>, Account),
    File(Arc<Defender>, Sha1),
    Ip(Arc<Defender>, IpAddress),
    Domain(Arc<Defender>, DomainName),
    Hunted(Arc<Graph>, Quarry),
}

impl Ask {
    /// What is asked.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Alert(_, id) => Key::Alert(id.clone()),
            Self::Incident(_, id) => Key::Incident(*id),
            Self::Machine(_, id) => Key::Machine(id.clone()),
            Self::User(_, account) => Key::User(account.clone()),
            Self::File(_, sha1) => Key::File(sha1.clone()),
            Self::Ip(_, address) => Key::Ip(*address),
            Self::Domain(_, name) => Key::Domain(name.clone()),
            Self::Hunted(_, quarry) => Key::Hunted(quarry.clone()),
        }
    }

    /// What it means that this brought no answer.
    pub(super) fn refusal(&self, error: CallError) -> EnrichError {
        let is_refused = matches!(error, CallError::Upstream(UpstreamError::Rejected { status: 400 }));
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
            Self::Alert(Family::Defender(defender), id) => defender.alert(id, ctx).await,
            Self::Alert(Family::Graph(graph), id) => graph.alert(id, ctx).await,
            Self::Incident(Family::Defender(defender), id) => defender.incident(*id, ctx).await,
            Self::Incident(Family::Graph(graph), id) => graph.incident(*id, ctx).await,
            Self::Machine(defender, id) => defender.machine_alerts(id, ctx).await,
            Self::User(defender, account) => defender.user_alerts(account, ctx).await,
            Self::File(defender, sha1) => defender.file_alerts(sha1, ctx).await,
            Self::Ip(defender, address) => defender.ip_alerts(*address, ctx).await,
            Self::Domain(defender, name) => defender.domain_alerts(name, ctx).await,
            Self::Hunted(graph, quarry) => graph.hunted(quarry, ctx).await,
        }
    }
}
