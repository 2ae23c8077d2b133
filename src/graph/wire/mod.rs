//! The shapes in which Graph answers, turned into the domain's form. Private to this backend.

mod alert;
mod evidence;
mod incident;
mod row;
mod words;

use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::subject::IncidentId;
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::upstream::UpstreamError;
use crate::upstream::body::{Page, object, page};
use alert::AlertReader;
use incident::IncidentReader;

pub(super) use row::rows;

/// An alert, by itself or as an item of a batch.
pub(super) fn alert(body: &Text, portal: Portal, notes: &mut Warnings) -> Result<Alert, UpstreamError> {
    object(body, &mut AlertReader::new(portal, notes))
}

/// A page of alerts.
pub(super) fn alerts(body: &Text, portal: Portal, notes: &mut Warnings) -> Result<Page<Alert>, UpstreamError> {
    page(body, &mut AlertReader::new(portal, notes))
}

/// An incident, with its alerts where it was expanded.
pub(super) fn incident(
    body: &Text,
    id: IncidentId,
    portal: Portal,
    notes: &mut Warnings,
) -> Result<(Incident, Vec<Alert>), UpstreamError> {
    object(body, &mut IncidentReader { id, portal, notes })
}
