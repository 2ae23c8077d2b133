//! What is asked of the backend, once everything is resolved: equal keys are one question.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use crate::backend::graph::HuntingTarget;
use crate::domain::enrichment::Backend;
use crate::domain::subject::{
    Account, AlertId, DeviceId, DomainName, IncidentId, IpAddress, Kind, Sha1, comparable_id,
};

/// One question to the backend.
#[derive(Clone, Debug)]
pub(super) enum CacheKey {
    /// Both backends know alerts and incidents by the same ids, and tell different things of them.
    Alert(Backend, AlertId),
    Machine(DeviceId),
    /// Defender takes the bare name only, in any case: accounts that differ in case or domain are one question.
    User(Account),
    File(Sha1),
    Incident(Backend, IncidentId),
    Ip(IpAddress),
    Domain(DomainName),
    /// What Graph is asked for as the caller names it.
    Hunted(HuntingTarget),
}

/// What makes two keys equal.
#[derive(PartialEq, Eq, Hash)]
enum ComparableKey<'k> {
    Alert(Backend, Cow<'k, str>),
    Machine(&'k str),
    User(String),
    File(&'k str),
    Incident(Backend, IncidentId),
    Ip(IpAddress),
    Domain(&'k str),
    Hunted(Kind, String),
    HuntedWholeName(String),
}

impl CacheKey {
    /// The text by which the backend is asked.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Alert(_, id) => id.as_str().to_owned(),
            Self::Machine(id) | Self::Hunted(HuntingTarget::Device(id)) => id.as_str().to_owned(),
            Self::User(account) => account.name().to_owned(),
            Self::File(sha1) => sha1.as_str().to_owned(),
            Self::Incident(_, id) => id.to_string(),
            Self::Ip(address) | Self::Hunted(HuntingTarget::Ip(address)) => address.to_string(),
            Self::Domain(name) | Self::Hunted(HuntingTarget::Domain(name)) => name.as_str().to_owned(),
            Self::Hunted(HuntingTarget::Named(name) | HuntingTarget::WholeName(name)) => name.as_str().to_owned(),
            Self::Hunted(HuntingTarget::User(account)) => account.as_given(),
            Self::Hunted(HuntingTarget::File(hash)) => hash.as_str().to_owned(),
        }
    }

    fn identity(&self) -> ComparableKey<'_> {
        match self {
            Self::Alert(backend, id) => ComparableKey::Alert(*backend, comparable_id(id.as_str())),
            Self::Machine(id) => ComparableKey::Machine(id.as_str()),
            Self::User(account) => ComparableKey::User(account.name().to_lowercase()),
            Self::File(sha1) => ComparableKey::File(sha1.as_str()),
            Self::Incident(backend, id) => ComparableKey::Incident(*backend, *id),
            Self::Ip(address) => ComparableKey::Ip(*address),
            Self::Domain(name) => ComparableKey::Domain(name.as_str()),
            // Hunting compares names in any case.
            Self::Hunted(HuntingTarget::Device(_) | HuntingTarget::Named(_)) => {
                ComparableKey::Hunted(Kind::Machine, self.id().to_lowercase())
            }
            Self::Hunted(HuntingTarget::WholeName(_)) => ComparableKey::HuntedWholeName(self.id().to_lowercase()),
            Self::Hunted(HuntingTarget::User(_)) => ComparableKey::Hunted(Kind::User, self.id().to_lowercase()),
            Self::Hunted(HuntingTarget::File(_)) => ComparableKey::Hunted(Kind::File, self.id()),
            Self::Hunted(HuntingTarget::Ip(_)) => ComparableKey::Hunted(Kind::Ip, self.id()),
            Self::Hunted(HuntingTarget::Domain(_)) => ComparableKey::Hunted(Kind::Domain, self.id()),
        }
    }
}

impl PartialEq for CacheKey {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for CacheKey {}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
