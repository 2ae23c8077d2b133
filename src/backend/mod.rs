//! Microsoft's API families: their queries and routes, the choice between them, and the wire formats that they convert to
//! domain types.

mod auto;
mod clients;
pub mod defender;
pub mod graph;
mod paging;
mod query;

use crate::client::ClientError;
use crate::credentials::CallError;
use crate::domain::alert::Alert;
use crate::domain::findings::Findings;
use crate::domain::incident::Incident;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{AlertId, IncidentId, Kind, comparable_id};
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Malformed;
pub(crate) use auto::{Auto, BackendOrder};
pub(crate) use clients::{Backends, Selection};
use paging::Listing;
pub(crate) use query::{ComparedBy, ContextQuery, Query};

/// The product and the route that an answer came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) product: &'static str,
    pub(crate) route: &'static str,
}

const ENDPOINT: &str = "Microsoft Defender for Endpoint";
const XDR: &str = "Microsoft Defender XDR";

impl From<Malformed> for ClientError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotJson => Self::malformed("not JSON"),
            Malformed::OtherShape => Self::malformed("JSON of another shape"),
            Malformed::NoItems => Self::malformed("a list without its items"),
            Malformed::TooMuch => Self::TooLarge,
        }
    }
}

/// Returns the findings for an alert that Defender does not know. We compare ids without regard to case, but Defender may
/// not: this is cached only if the id was sent in its canonical case.
fn unknown_alert(id: &AlertId) -> Findings {
    Findings::unknown().complete_if(comparable_id(id.as_str()) == id.as_str())
}

/// Returns the findings of one alert and the body that it came in.
fn findings_of_alert(id: &AlertId, alert: Alert, body: SharedStr, warnings: Warnings) -> Result<Findings, CallError> {
    let returned_id = alert.id.clone().ok_or_else(CallError::without_id)?;
    let findings = Findings::new(vec![alert], None, vec![body], warnings);
    Ok(findings.checked_against(Kind::Alert, id.as_str(), &returned_id))
}

/// Returns the findings of a list of alerts, with a warning if the list is incomplete.
fn findings_of_listing(alerts: Listing<Alert>, incident: Option<Incident>, mut warnings: Warnings) -> Findings {
    alerts.warn_if_incomplete(&mut warnings);
    let is_complete = alerts.is_complete();
    Findings::new(alerts.items, incident, alerts.bodies, warnings).complete_if(is_complete)
}

/// Returns the findings of an incident and its alerts.
fn findings_of_incident(id: IncidentId, incident: Incident, alerts: Listing<Alert>, warnings: Warnings) -> Findings {
    let returned_id = incident.id.clone();
    findings_of_listing(alerts, Some(incident), warnings).checked_against(Kind::Incident, &id.to_string(), &returned_id)
}
