//! The application roles that each lookup needs.

use crate::credentials::carries;
use crate::domain::subject::Kind;

/// Permits alerts by id.
pub(crate) const READ_ALERTS: &str = "SecurityAlert.Read.All";
/// Permits incidents by id, and alerts by id as well.
pub(crate) const READ_INCIDENTS: &str = "SecurityIncident.Read.All";
/// Permits advanced hunting.
pub(crate) const RUN_HUNTING: &str = "ThreatHunting.Read.All";

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
