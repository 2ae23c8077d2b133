//! The wire formats of the two older APIs, converted to domain types. Private to this backend.

mod alert;
mod evidence;
mod records;

use crate::backend::wire;
use crate::client::ClientError;
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::IncidentId;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{Page, page};
use crate::lenient_json::members::Members;
use alert::read_alert;

pub(super) use records::{devices, sha1_of_file};

/// Reads the body of `GET /api/alerts/{id}`.
pub(super) fn alert(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Alert, ClientError> {
    Ok(read_alert(Members::of_body(body)?, portal, true, warnings)?)
}

/// Reads the body of a list of alerts. In a list, `[]` means that the evidence was not loaded.
pub(super) fn alerts(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Page<Alert>, ClientError> {
    Ok(page(body, Alert::weight, |members| read_alert(members, portal, false, warnings))?)
}

/// Reads the body of `GET /api/incidents/{id}`, with the first page of its alerts.
pub(super) fn incident(
    body: &SharedStr,
    id: IncidentId,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<(Incident, Page<Alert>), ClientError> {
    let alert = |members, warnings: &mut Warnings| read_alert(members, portal, true, warnings);
    Ok(wire::incident(body, id, portal, Some, warnings, alert)?)
}

/// Reads a further page of an incident's alerts.
pub(super) fn incident_alerts(
    body: &SharedStr,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<Page<Alert>, ClientError> {
    Ok(page(body, Alert::weight, |members| read_alert(members, portal, true, warnings))?)
}
