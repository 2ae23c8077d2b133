//! An alert as Defender for Endpoint sends it, and as Defender XDR nests it in an incident.
//!
//! The two differ in the names of some members (`id`/`alertId`, `alertCreationTime`/`creationTime`,
//! `lastUpdateTime`/`lastUpdatedTime`, `evidence`/`entities`). No member has different meanings in the two.

use std::mem;

use serde::de::MapAccess;

use super::evidence::EvidenceReader;
use crate::backend::wire;
use crate::domain::alert::{Alert, AlertAccount, Device};
use crate::domain::portal::Portal;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Json;
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;

/// Reads alerts one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    warnings: &'n mut Warnings,
    is_complete: bool,
    /// The members of the previous alert; their buffer is reused.
    members: Members<'de>,
    /// The members of the previous evidence item; their buffer is reused.
    item: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    /// Creates a reader. `is_complete`: the bodies always contain evidence, as an alert by id or an incident does. In a
    /// list, `[]` means that the evidence was not loaded.
    pub(super) fn new(portal: Portal, warnings: &'n mut Warnings, is_complete: bool) -> Self {
        Self { portal, warnings, is_complete, members: Members::default(), item: Members::default() }
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
        let mut reader = EvidenceReader { warnings: self.warnings, members: mem::take(&mut self.item) };
        let mut evidence = members.read(object, json, &["evidence", "entities"], &mut reader)?;
        self.item = reader.members;
        let warnings = &mut *self.warnings;
        let items = evidence.items.take();
        let evidence_loaded = items.as_ref().is_some_and(|items| self.is_complete || !items.is_empty());
        let alert = wire::alert(&mut members, self.portal, Some, warnings);
        let (device, further_devices) = devices(&mut members, warnings);
        let user = related_user(&mut members, warnings);
        let alert = Alert {
            investigation_id: members.text(&["investigationId"], warnings),
            device,
            further_devices,
            user,
            logged_on_users: wire::logged_on_users(&mut members, warnings),
            evidence: items.unwrap_or_default(),
            evidence_loaded,
            extra: evidence.and_others(members.rest(warnings), warnings),
            ..alert
        };
        self.members = members;
        Ok(alert)
    }
}

/// Reads the device of an alert, or the devices of an incident's alert. The latter also stay complete in `extra`.
fn devices(members: &mut Members<'_>, warnings: &mut Warnings) -> (Option<Device>, Vec<Device>) {
    let mut devices: Vec<_> = members
        .kept_objects("devices", warnings)
        .into_iter()
        .map(|mut device| Device {
            id: device.text(&["mdatpDeviceId", "deviceId"], warnings),
            name: device.text(&["deviceDnsName"], warnings),
            group: device.text(&["rbacGroupName"], warnings),
        })
        .collect();
    let own = Device {
        id: members.text(&["machineId"], warnings),
        name: members.text(&["computerDnsName"], warnings),
        group: members.text(&["rbacGroupName"], warnings),
    };
    if own != Device::default() {
        devices.insert(0, own);
    }
    let mut devices = devices.into_iter();
    (devices.next(), devices.collect())
}

/// Reads the related user. If it has other members, it also stays complete in `extra`.
fn related_user(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<AlertAccount> {
    let mut user = members.kept_objects("relatedUser", warnings).into_iter().next()?;
    let domain = user.text(&["domainName"], warnings);
    let name = user.text(&["userName"], warnings);
    if user.is_empty() && (name.is_some() || domain.is_none()) {
        members.take("relatedUser");
    }
    name.map(|name| AlertAccount { domain, name })
}
