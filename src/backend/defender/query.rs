//! The queries of the older APIs, with the API, the route and the roles that each kind of question needs.

use super::{READ_ALERTS, READ_FILES, READ_INCIDENTS, READ_MACHINES};
use crate::backend::{ComparedBy, ENDPOINT, Origin, XDR};
use crate::client::Api;
use crate::credentials::carries;
use crate::domain::portal::Portal;
use crate::domain::subject::{
    Account, AlertId, DeviceId, DomainName, FileHash, IncidentId, IpAddress, Kind, Machine, Sha1, Subject,
};

/// A query, after names and hashes are resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DefenderQuery {
    Alert(ComparedBy<AlertId>),
    Machine(DeviceId),
    /// Compared by the bare name, because nothing else is sent: accounts of different domains share one answer.
    User(ComparedBy<Account>),
    File(Sha1),
    Incident(IncidentId),
    Ip(IpAddress),
    Domain(DomainName),
}

impl DefenderQuery {
    /// Returns the id or name that is sent.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Alert(id) => id.as_str().to_owned(),
            Self::Machine(id) => id.as_str().to_owned(),
            Self::User(account) => account.name().to_owned(),
            Self::File(sha1) => sha1.as_str().to_owned(),
            Self::Incident(id) => id.to_string(),
            Self::Ip(address) => address.to_string(),
            Self::Domain(name) => name.as_str().to_owned(),
        }
    }

    /// Returns the page of the portal, for a subject that has one by the id that is sent.
    pub(crate) fn portal_page(&self, portal: Portal) -> Option<String> {
        match self {
            Self::Machine(id) => Some(portal.device(id)),
            Self::File(sha1) => Some(portal.file(sha1.as_str())),
            Self::Incident(id) => Some(portal.incident(*id)),
            Self::Alert(_) | Self::User(_) | Self::Ip(_) | Self::Domain(_) => None,
        }
    }
}

/// Returns the API that answers a kind of question.
pub(crate) fn api(kind: Kind) -> Api {
    match kind {
        Kind::Incident => Api::Xdr,
        Kind::Alert | Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => Api::Endpoint,
    }
}

/// Returns the product and the route that answer a kind of question.
pub(crate) fn origin(kind: Kind) -> Origin {
    let (product, route) = match kind {
        Kind::Alert => (ENDPOINT, "GET /api/alerts/{id}"),
        Kind::Machine => (ENDPOINT, "GET /api/machines/{id}/alerts"),
        Kind::User => (ENDPOINT, "GET /api/users/{id}/alerts"),
        Kind::File => (ENDPOINT, "GET /api/files/{id}/alerts"),
        Kind::Ip => (ENDPOINT, "GET /api/ips/{ip}/alerts"),
        Kind::Domain => (ENDPOINT, "GET /api/domains/{domain}/alerts"),
        Kind::Incident => (XDR, "GET /api/incidents/{id}"),
    };
    Origin { product, route }
}

/// Whether these roles are enough to answer a question about this subject.
pub(crate) fn allow(subject: &Subject, roles: &[String]) -> bool {
    let needed: &[&str] = match subject {
        Subject::Incident(_) => &[READ_INCIDENTS],
        Subject::Machine(Machine::Name(_)) => &[READ_MACHINES, READ_ALERTS],
        Subject::File(FileHash::Sha256(_)) => &[READ_FILES, READ_ALERTS],
        Subject::Alert(_)
        | Subject::Machine(Machine::Id(_))
        | Subject::User(_)
        | Subject::File(FileHash::Sha1(_))
        | Subject::Ip(_)
        | Subject::Domain(_) => &[READ_ALERTS],
    };
    needed.iter().all(|role| carries(roles, role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subject::{Kind, Question};

    #[test]
    fn resolving_a_name_or_a_hash_needs_one_more_role() {
        let allowed = |kind, value: &str, roles: &[&str]| {
            let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
            allow(&Question::parse(kind, value).expect("a question").subject, &roles)
        };
        for (kind, value, roles) in [
            (Kind::User, "dana", &[READ_ALERTS][..]),
            (Kind::Machine, "desk-042", &[READ_MACHINES, READ_ALERTS]),
            (Kind::File, &"ab".repeat(32), &[READ_FILES, READ_ALERTS]),
            (Kind::Incident, "7", &[READ_INCIDENTS]),
        ] {
            assert!(allowed(kind, value, roles), "{kind:?}");
            for (at, _) in roles.iter().enumerate() {
                let fewer = [&roles[..at], &roles[at + 1..]].concat();
                assert!(!allowed(kind, value, &fewer), "{kind:?}");
            }
        }
    }
}
