//! Devices, and other resources that a finding affects: the objects `device` and `resource_details`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/device>, <https://schema.ocsf.io/1.8.0/objects/resource_details>.

use std::borrow::Cow;

use serde::Serialize;

use crate::domain::alert::{self, Alert};
use crate::formats::filled::Filled;

/// A device.
#[derive(Serialize)]
pub(super) struct Device<'a> {
    pub(super) uid: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) hostname: Option<&'a str>,
    pub(super) r#type: &'static str,
    pub(super) type_id: u8,
    pub(super) groups: Vec<Group<'a>>,
}

/// A group of devices.
#[derive(Serialize)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
}

/// An affected or related resource.
#[derive(Default, Serialize)]
pub(super) struct Resource<'a> {
    pub(super) uid: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) hostname: Option<&'a str>,
    pub(super) r#type: &'static str,
    pub(super) role: &'static str,
    pub(super) role_id: u8,
    pub(super) group: Option<Group<'a>>,
}

impl<'a> Device<'a> {
    /// The device of an alert: the first that has an id or a name.
    pub(super) fn of(alert: &'a Alert) -> Option<Self> {
        let device = alert.devices().find(|device| is_named(device))?;
        Some(Self::named(device.id.as_deref(), device.name.as_deref(), group(device)))
    }

    /// A device with an id, a name, or both. Defender does not send its type.
    pub(super) fn named(uid: Option<&'a str>, name: Option<&'a str>, group: Option<Group<'a>>) -> Self {
        let groups = group.into_iter().collect();
        Self { uid, name, hostname: name.filter(|name| is_hostname(name)), r#type: "Unknown", type_id: 0, groups }
    }
}

/// The devices of an alert, and its related user.
pub(super) fn resources(alert: &Alert) -> Vec<Resource<'_>> {
    let devices = alert.devices().filter(|device| is_named(device)).map(|device| Resource {
        uid: device.id.as_deref(),
        name: Cow::Borrowed(device.name.as_deref().unwrap_or_default()),
        hostname: device.name.as_deref().filter(|name| is_hostname(name)),
        r#type: "device",
        role: "Affected",
        role_id: 3,
        group: group(device),
    });
    // Microsoft does not say whether the user was the actor.
    let user = alert.user.as_ref().map(|user| Resource {
        name: Cow::Owned(user.to_string()),
        r#type: "user",
        role: "Related",
        role_id: 4,
        ..Resource::default()
    });
    devices.chain(user.filter(|user| !user.name.is_empty())).collect()
}

/// The groups of devices that have neither a name nor an id. OCSF has no place for them.
pub(super) fn groups_without_device(alert: &Alert) -> Vec<&str> {
    alert.devices().filter(|device| !is_named(device)).filter_map(|device| device.group.filled()).collect()
}

/// Whether a device has an id or a name.
pub(super) fn is_named(device: &alert::Device) -> bool {
    device.id.filled().or(device.name.filled()).is_some()
}

fn group(device: &alert::Device) -> Option<Group<'_>> {
    device.group.filled().map(|name| Group { name })
}

/// Whether a name is a host name, and not free text such as `Dana's iPad`.
pub(super) fn is_hostname(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
