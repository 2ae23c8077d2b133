//! The wire formats of the two older APIs, converted to domain types. Private to this backend.

mod alert;
mod context;
mod evidence;
mod incident;
mod records;

use crate::client::ClientError;
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::IncidentId;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{MembersReader, Page, counted, object, page};
use crate::lenient_json::members::Members;
use alert::AlertReader;
use incident::IncidentReader;

pub(super) use context::{device_context, domain_context, file_context, ip_context};
pub(super) use records::{devices, file_by_sha256};

/// Reads the body of `GET /api/alerts/{id}`.
pub(super) fn alert(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Alert, ClientError> {
    Ok(object(body, &mut AlertReader::new(portal, warnings, true))?)
}

/// Reads the body of a list of alerts.
pub(super) fn alerts(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Page<Alert>, ClientError> {
    Ok(page(body, &mut AlertReader::new(portal, warnings, false))?)
}

/// Reads the body of `GET /api/incidents/{id}`, with the first page of its alerts.
pub(super) fn incident(
    body: &SharedStr,
    id: IncidentId,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<(Incident, Page<Alert>), ClientError> {
    let ((incident, mut alerts), made) = counted(body, &mut IncidentReader { id, portal, warnings })?;
    alerts.made = made;
    Ok((incident, alerts))
}

/// Reads a further page of an incident's alerts.
pub(super) fn incident_alerts(
    body: &SharedStr,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<Page<Alert>, ClientError> {
    Ok(page(body, &mut AlertReader::new(portal, warnings, true))?)
}

/// Reads a page of objects with one function for each object.
fn records<'de, T>(body: &'de SharedStr, read: impl FnMut(Members<'de>) -> T) -> Result<Page<T>, ClientError> {
    Ok(page(body, &mut MembersReader(read))?)
}
