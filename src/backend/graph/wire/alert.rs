//! An alert as Graph sends it. It has the same format by id, in an incident and in a batch.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alert>.

use super::evidence::{Devices, read_evidence};
use super::words::older_spelling;
use crate::backend::wire;
use crate::domain::alert::Alert;
use crate::domain::evidence::Evidence;
use crate::domain::extra::Extra;
use crate::domain::portal::Portal;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Malformed;
use crate::lenient_json::members::Members;

/// Reads an alert.
pub(super) fn read_alert(
    mut members: Members<'_>,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<Alert, Malformed> {
    let members = &mut members;
    let mut devices = Devices::default();
    let read = |item: Members<'_>, warnings: &mut Warnings| Ok(read_evidence(item, &mut devices, warnings));
    let evidence = members.objects_and_others("evidence", Evidence::weight, warnings, read)?.unwrap_or_default();
    let (devices, logged_on_users) = devices.into_devices_and_users();
    let mut devices = devices.into_iter();
    let alert = wire::alert(members, portal, older_spelling, warnings);
    // Graph sends no investigation id and no user: accounts are in the evidence.
    Ok(Alert {
        product_name: members.text(&["productName"], warnings),
        recommended_actions: members.text(&["recommendedActions"], warnings),
        custom_details: custom_details(members, warnings),
        tags: members.texts(&["systemTags"], warnings),
        evidence: evidence.items,
        // Graph always sends evidence, so an empty list means that there is none.
        evidence_loaded: true,
        device: devices.next(),
        further_devices: devices.collect(),
        logged_on_users,
        extra: members.rest(warnings).and(evidence.others),
        ..alert
    })
}

/// Reads the members that a custom detection adds, unchanged. An empty object counts as null.
fn custom_details(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<Extra> {
    let details = members.object("customDetails", warnings)?.rest(warnings);
    Some(details).filter(|details| !details.is_empty())
}
