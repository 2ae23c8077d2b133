//! The shapes in which the two older APIs answer, turned into the domain's form. Private to this backend.

mod alert;
mod evidence;
mod incident;
mod records;

use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::subject::IncidentId;
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::upstream::UpstreamError;
use crate::upstream::body::{MembersReader, Page, counted, object, page};
use crate::upstream::members::Members;
use alert::AlertReader;
use incident::IncidentReader;

pub(super) use records::{devices, sha1_of_file};

/// The body of `GET /api/alerts/{id}`.
pub(super) fn alert(body: &Text, portal: Portal, notes: &mut Warnings) -> Result<Alert, UpstreamError> {
    object(body, &mut AlertReader::new(portal, notes, true))
}

/// The body of a list of alerts.
pub(super) fn alerts(body: &Text, portal: Portal, notes: &mut Warnings) -> Result<Page<Alert>, UpstreamError> {
    page(body, &mut AlertReader::new(portal, notes, false))
}

/// The body of `GET /api/incidents/{id}`, with the first page of its alerts.
pub(super) fn incident(
    body: &Text,
    id: IncidentId,
    portal: Portal,
    notes: &mut Warnings,
) -> Result<(Incident, Page<Alert>), UpstreamError> {
    let ((incident, mut alerts), made) = counted(body, &mut IncidentReader { id, portal, notes })?;
    alerts.made = made;
    Ok((incident, alerts))
}

/// A further page of an incident's alerts.
pub(super) fn incident_alerts(body: &Text, portal: Portal, notes: &mut Warnings) -> Result<Page<Alert>, UpstreamError> {
    page(body, &mut AlertReader::new(portal, notes, true))
}

/// A page of objects, each read by its members.
fn records<'de, T>(body: &'de Text, read: impl FnMut(Members<'de>) -> T) -> Result<Page<T>, UpstreamError> {
    page(body, &mut MembersReader(read))
}
