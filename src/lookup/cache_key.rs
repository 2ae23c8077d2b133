//! The cache key of a backend call, after names and hashes are resolved. Equal keys share one call.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use crate::backend::graph::HuntingTarget;
use crate::domain::enrichment::BackendName;
use crate::domain::subject::{
    Account, AlertId, DeviceId, DomainName, IncidentId, IpAddress, Kind, Sha1, comparable_id,
};

/// The key of one call to the backend.
#[derive(Clone, Debug)]
pub(super) enum CacheKey {
    /// Both backends know alerts and incidents by the same ids, but return different members.
    Alert(BackendName, AlertId),
    Machine(DeviceId),
    /// Defender takes only the bare name, in any case: accounts that differ in case or domain share one call.
    User(Account),
    File(Sha1),
    Incident(BackendName, IncidentId),
    Ip(IpAddress),
    Domain(DomainName),
    /// Graph is asked by the name that the caller sent.
    Hunting(HuntingTarget),
}

/// The part of a key that is compared.
#[derive(PartialEq, Eq, Hash)]
enum ComparableKey<'k> {
    Alert(BackendName, Cow<'k, str>),
    Machine(&'k str),
    User(String),
    File(&'k str),
    Incident(BackendName, IncidentId),
    Ip(IpAddress),
    Domain(&'k str),
    Hunting(Kind, String),
    HuntingFullName(String),
}

impl CacheKey {
    /// Returns the id or name that is sent to the backend.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Alert(_, id) => id.as_str().to_owned(),
            Self::Machine(id) | Self::Hunting(HuntingTarget::Device(id)) => id.as_str().to_owned(),
            Self::User(account) => account.name().to_owned(),
            Self::File(sha1) => sha1.as_str().to_owned(),
            Self::Incident(_, id) => id.to_string(),
            Self::Ip(address) | Self::Hunting(HuntingTarget::Ip(address)) => address.to_string(),
            Self::Domain(name) | Self::Hunting(HuntingTarget::Domain(name)) => name.as_str().to_owned(),
            Self::Hunting(HuntingTarget::DeviceName(name) | HuntingTarget::FullDeviceName(name)) => {
                name.as_str().to_owned()
            }
            Self::Hunting(HuntingTarget::User(account)) => account.as_given(),
            Self::Hunting(HuntingTarget::File(hash)) => hash.as_str().to_owned(),
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
            // Hunting compares names without regard to case.
            Self::Hunting(HuntingTarget::Device(_) | HuntingTarget::DeviceName(_)) => {
                ComparableKey::Hunting(Kind::Machine, self.id().to_lowercase())
            }
            Self::Hunting(HuntingTarget::FullDeviceName(_)) => ComparableKey::HuntingFullName(self.id().to_lowercase()),
            Self::Hunting(HuntingTarget::User(_)) => ComparableKey::Hunting(Kind::User, self.id().to_lowercase()),
            Self::Hunting(HuntingTarget::File(_)) => ComparableKey::Hunting(Kind::File, self.id()),
            Self::Hunting(HuntingTarget::Ip(_)) => ComparableKey::Hunting(Kind::Ip, self.id()),
            Self::Hunting(HuntingTarget::Domain(_)) => ComparableKey::Hunting(Kind::Domain, self.id()),
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
