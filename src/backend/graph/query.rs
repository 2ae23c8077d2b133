//! The queries of Graph, with the route and the roles that each kind of question needs.

use crate::backend::{ComparedBy, Origin, XDR};
use crate::credentials::carries;
use crate::domain::portal::Portal;
use crate::domain::subject::{
    Account, AlertId, DeviceId, DeviceName, DomainName, FileHash, IncidentId, IpAddress, Kind, Machine, Subject,
};

/// Permits alerts by id.
pub(crate) const READ_ALERTS: &str = "SecurityAlert.Read.All";
/// Permits incidents by id, and alerts by id as well.
pub(crate) const READ_INCIDENTS: &str = "SecurityIncident.Read.All";
/// Permits advanced hunting.
pub(crate) const RUN_HUNTING: &str = "ThreatHunting.Read.All";

/// A query by the id or name that the caller sent. All but alerts and incidents are found by advanced hunting, which
/// compares names without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GraphQuery {
    Alert(ComparedBy<AlertId>),
    Machine(DeviceId),
    /// Devices with a name. For a full name, also devices that are named like its first label.
    MachineName(ComparedBy<DeviceName>),
    /// Only devices with the full name.
    FullMachineName(ComparedBy<DeviceName>),
    /// An account, by any of its names or ids.
    User(ComparedBy<Account>),
    File(FileHash),
    Incident(IncidentId),
    /// An address, at either end of a connection.
    Ip(IpAddress),
    /// A domain and its subdomains.
    Domain(DomainName),
}

impl GraphQuery {
    /// Returns the query for a subject.
    pub(crate) fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Alert(id) => Self::Alert(ComparedBy::alert_id(id)),
            Subject::Machine(Machine::Id(id)) => Self::Machine(id.clone()),
            Subject::Machine(Machine::Name(name)) => {
                Self::MachineName(ComparedBy::any_case(name.clone(), name.as_str()))
            }
            Subject::User(account) => Self::User(ComparedBy::any_case(account.clone(), &account.as_given())),
            Subject::File(hash) => Self::File(hash.clone()),
            Subject::Incident(id) => Self::Incident(*id),
            Subject::Ip(address) => Self::Ip(*address),
            Subject::Domain(name) => Self::Domain(name.clone()),
        }
    }

    /// Returns the id or name that is sent.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Alert(id) => id.as_str().to_owned(),
            Self::Machine(id) => id.as_str().to_owned(),
            Self::MachineName(name) | Self::FullMachineName(name) => name.as_str().to_owned(),
            Self::User(account) => account.as_given(),
            Self::File(hash) => hash.as_str().to_owned(),
            Self::Incident(id) => id.to_string(),
            Self::Ip(address) => address.to_string(),
            Self::Domain(name) => name.as_str().to_owned(),
        }
    }

    /// Returns the page of the portal, for a subject that has one by the id that is sent.
    pub(crate) fn portal_page(&self, portal: Portal) -> Option<String> {
        match self {
            Self::Machine(id) => Some(portal.device(id)),
            Self::File(hash) => Some(portal.file(hash.as_str())),
            Self::Incident(id) => Some(portal.incident(*id)),
            Self::Alert(_)
            | Self::MachineName(_)
            | Self::FullMachineName(_)
            | Self::User(_)
            | Self::Ip(_)
            | Self::Domain(_) => None,
        }
    }
}

/// Returns the product and the route that answer a kind of question.
pub(crate) fn origin(kind: Kind) -> Origin {
    let route = match kind {
        Kind::Alert => "GET /v1.0/security/alerts_v2/{id}",
        Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => "POST /v1.0/security/runHuntingQuery",
        Kind::Incident => "GET /v1.0/security/incidents/{id}?$expand=alerts",
    };
    Origin { product: XDR, route }
}

/// Returns the roles that a kind of lookup needs and that are missing in `roles`.
pub(crate) fn missing(kind: Kind, roles: &[String]) -> Vec<&'static str> {
    let lacks = |wanted| !carries(roles, wanted);
    let alerts = (lacks(READ_ALERTS) && lacks(READ_INCIDENTS)).then_some(READ_ALERTS);
    match kind {
        Kind::Alert => alerts.into_iter().collect(),
        Kind::Incident => lacks(READ_INCIDENTS).then_some(READ_INCIDENTS).into_iter().collect(),
        Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => {
            alerts.into_iter().chain(lacks(RUN_HUNTING).then_some(RUN_HUNTING)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_needs_its_roles() {
        let allowed = |roles: &[&str]| {
            let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
            Kind::ALL.map(|kind| missing(kind, &roles).is_empty())
        };
        assert_eq!(allowed(&[]), [false; 7]);
        assert_eq!(allowed(&[READ_ALERTS]), [true, false, false, false, false, false, false]);
        assert_eq!(allowed(&["SecurityIncident.ReadWrite.All"]), [true, false, false, false, true, false, false]);
        assert_eq!(allowed(&[RUN_HUNTING]), [false; 7]);
        assert_eq!(allowed(&[READ_ALERTS, RUN_HUNTING]), [true, true, true, true, false, true, true]);
        assert_eq!(allowed(&[READ_ALERTS, READ_INCIDENTS, RUN_HUNTING]), [true; 7]);
    }
}
