//! An alert as Defender for Endpoint sends it, and as Defender XDR nests it in an incident.
//!
//! The two differ in the names of some members (`id`/`alertId`, `alertCreationTime`/`creationTime`,
//! `lastUpdateTime`/`lastUpdatedTime`, `evidence`/`entities`). No member has different meanings in the two.

use super::evidence::read_evidence;
use crate::backend::wire;
use crate::domain::alert::{Alert, AlertAccount, Device};
use crate::domain::evidence::Evidence;
use crate::domain::extra::Extra;
use crate::domain::portal::Portal;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::Malformed;
use crate::lenient_json::members::Members;

/// Reads an alert. `is_complete`: the body always contains evidence, as an alert by id or an incident does.
pub(super) fn read_alert(
    mut members: Members<'_>,
    portal: Portal,
    is_complete: bool,
    warnings: &mut Warnings,
) -> Result<Alert, Malformed> {
    let members = &mut members;
    let (mut evidence, mut others, mut is_sent) = (Vec::new(), Extra::default(), false);
    for name in ["evidence", "entities"] {
        is_sent |= members.has(name);
        let read = |item: Members<'_>, warnings: &mut Warnings| Ok(read_evidence(item, warnings));
        if let Some(mut objects) = members.objects_and_others(name, Evidence::weight, warnings, read)? {
            evidence.append(&mut objects.items);
            others = others.and(objects.others);
        }
    }
    let alert = wire::alert(members, portal, Some, warnings);
    let (device, further_devices) = devices(members, warnings);
    Ok(Alert {
        investigation_id: members.text(&["investigationId"], warnings),
        device,
        further_devices,
        user: related_user(members, warnings),
        logged_on_users: wire::logged_on_users(members, warnings),
        evidence_loaded: (is_sent && is_complete) || !evidence.is_empty(),
        evidence,
        extra: members.rest(warnings).and(others),
        ..alert
    })
}

/// Reads the device of an alert, or the devices of an incident's alert. The latter also stay complete in `extra`.
fn devices(members: &mut Members<'_>, warnings: &mut Warnings) -> (Option<Device>, Vec<Device>) {
    let mut devices: Vec<_> = members
        .kept_objects("devices", warnings)
        .unwrap_or_default()
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
    let mut user = members.kept_objects("relatedUser", warnings)?.into_iter().next()?;
    let domain = user.text(&["domainName"], warnings);
    let name = user.text(&["userName"], warnings);
    if user.is_empty() && (name.is_some() || domain.is_none()) {
        members.take("relatedUser");
    }
    name.map(|name| AlertAccount { domain, name })
}
