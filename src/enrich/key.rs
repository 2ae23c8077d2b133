//! What is asked of the backend, once everything is resolved: equal keys are one question.

use std::hash::{Hash, Hasher};

use crate::domain::subject::{Account, AlertId, DeviceId, DomainName, IncidentId, IpAddress, Kind, Sha1};
use crate::graph::Quarry;

/// One question to the backend.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Alert(AlertId),
    Machine(DeviceId),
    /// Defender takes the bare name only, in any case: accounts that differ in case or domain are one question.
    User(Account),
    File(Sha1),
    Incident(IncidentId),
    Ip(IpAddress),
    Domain(DomainName),
    /// What Graph is asked for as the caller names it.
    Hunted(Quarry),
}

/// What makes two keys equal.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'k> {
    Alert(&'k str),
    Machine(&'k str),
    User(String),
    File(&'k str),
    Incident(IncidentId),
    Ip(IpAddress),
    Domain(&'k str),
    Hunted(Kind, String),
    HuntedWholeName(String),
}

impl Key {
    /// The text by which the backend is asked.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Alert(id) => id.as_str().to_owned(),
            Self::Machine(id) | Self::Hunted(Quarry::Device(id)) => id.as_str().to_owned(),
            Self::User(account) => account.name().to_owned(),
            Self::File(sha1) => sha1.as_str().to_owned(),
            Self::Incident(id) => id.to_string(),
            Self::Ip(address) | Self::Hunted(Quarry::Ip(address)) => address.to_string(),
            Self::Domain(name) | Self::Hunted(Quarry::Domain(name)) => name.as_str().to_owned(),
            Self::Hunted(Quarry::Named(name) | Quarry::WholeName(name)) => name.as_str().to_owned(),
            Self::Hunted(Quarry::User(account)) => account.as_given(),
            Self::Hunted(Quarry::File(hash)) => hash.as_str().to_owned(),
        }
    }

    fn identity(&self) -> Identity<'_> {
        match self {
            Self::Alert(id) => Identity::Alert(id.as_str()),
            Self::Machine(id) => Identity::Machine(id.as_str()),
            Self::User(account) => Identity::User(account.name().to_lowercase()),
            Self::File(sha1) => Identity::File(sha1.as_str()),
            Self::Incident(id) => Identity::Incident(*id),
            Self::Ip(address) => Identity::Ip(*address),
            Self::Domain(name) => Identity::Domain(name.as_str()),
            // Hunting compares names in any case.
            Self::Hunted(Quarry::Device(_) | Quarry::Named(_)) => {
                Identity::Hunted(Kind::Machine, self.id().to_lowercase())
            }
            Self::Hunted(Quarry::WholeName(_)) => Identity::HuntedWholeName(self.id().to_lowercase()),
            Self::Hunted(Quarry::User(_)) => Identity::Hunted(Kind::User, self.id().to_lowercase()),
            Self::Hunted(Quarry::File(_)) => Identity::Hunted(Kind::File, self.id()),
            Self::Hunted(Quarry::Ip(_)) => Identity::Hunted(Kind::Ip, self.id()),
            Self::Hunted(Quarry::Domain(_)) => Identity::Hunted(Kind::Domain, self.id()),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
