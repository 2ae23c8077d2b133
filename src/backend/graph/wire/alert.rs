//! An alert as Graph sends it. It has the same format by id, in an incident and in a batch.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alert>.

use std::mem;

use serde::de::MapAccess;

use super::evidence::EvidenceReader;
use super::words::older_spelling;
use crate::backend::wire;
use crate::domain::alert::Alert;
use crate::domain::extra::Extra;
use crate::domain::portal::Portal;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Json;
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;

/// Reads alerts one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    warnings: &'n mut Warnings,
    /// The members of the previous alert; their buffer is reused.
    members: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    pub(super) fn new(portal: Portal, warnings: &'n mut Warnings) -> Self {
        Self { portal, warnings, members: Members::default() }
    }
}

impl<'de> ReadObject<'de> for AlertReader<'_, 'de> {
    type Item = Alert;

    fn weight(alert: &Alert) -> usize {
        // The evidence was already counted item by item.
        alert.weight_without_evidence()
    }

    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<Alert, A::Error> {
        let mut members = mem::take(&mut self.members);
        let mut reader = EvidenceReader::new(self.warnings);
        let mut evidence = members.read(object, json, &["evidence"], &mut reader)?;
        let (devices, logged_on_users) = reader.into_devices_and_users();
        let mut devices = devices.into_iter();
        let warnings = &mut *self.warnings;
        let alert = wire::alert(&mut members, self.portal, older_spelling, warnings);
        // Graph sends no investigation id and no user: accounts are in the evidence.
        let alert = Alert {
            product_name: members.text(&["productName"], warnings),
            recommended_actions: members.text(&["recommendedActions"], warnings),
            custom_details: custom_details(&mut members, warnings),
            tags: members.texts(&["systemTags"], warnings),
            evidence: evidence.items.take().unwrap_or_default(),
            // Graph always sends evidence, so an empty list means that there is none.
            evidence_loaded: true,
            device: devices.next(),
            further_devices: devices.collect(),
            logged_on_users,
            extra: evidence.and_others(members.rest(warnings), warnings),
            ..alert
        };
        self.members = members;
        Ok(alert)
    }
}

/// Reads the members that a custom detection adds, unchanged. An empty object counts as null.
fn custom_details(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<Extra> {
    let details = members.object("customDetails", warnings)?.rest(warnings);
    Some(details).filter(|details| !details.is_empty())
}
