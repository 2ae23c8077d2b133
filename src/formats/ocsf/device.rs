//! Devices, and other resources that a finding affects: the objects `device` and `resource_details`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/device>, <https://schema.ocsf.io/1.8.0/objects/resource_details>.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::context::{self, Interface, Os};
use super::timestamps::milliseconds;
use super::words;
use crate::domain::alert::{self, Alert};
use crate::domain::context::SubjectContext;
use crate::domain::shared_str::SharedStr;
use crate::formats::context::of_this_device;
use crate::formats::filled::Filled;

/// A device.
#[derive(Default, Serialize)]
pub(super) struct Device<'a> {
    pub(super) uid: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) hostname: Option<&'a str>,
    pub(super) r#type: &'static str,
    pub(super) type_id: u8,
    pub(super) groups: Vec<Group<'a>>,
    pub(super) uid_alt: Option<&'a str>,
    pub(super) ip: Option<IpAddr>,
    pub(super) network_interfaces: Vec<Interface>,
    pub(super) os: Option<Os<'a>>,
    pub(super) risk_level_id: Option<u8>,
    pub(super) risk_level: Option<&'a str>,
    pub(super) first_seen_time: Option<i64>,
    pub(super) last_seen_time: Option<i64>,
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
    pub(super) ip: Option<IpAddr>,
    pub(super) criticality: Option<&'a str>,
    pub(super) labels: Vec<&'a str>,
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
        let hostname = name.filter(|name| is_hostname(name));
        Self { uid, name, hostname, r#type: "Unknown", type_id: 0, groups, ..Self::default() }
    }

    /// Adds what Defender says of the device, if it is the subject. Returns whether it is.
    pub(super) fn add_context(&mut self, subject: Option<&'a SubjectContext>) -> bool {
        let Some(device) = of_this_device(subject, self.uid, self.name) else { return false };
        if let Some(name) = device.group.filled().filter(|name| self.groups.iter().all(|group| group.name != *name)) {
            self.groups.push(Group { name });
        }
        let risk = device.risk_score.filled().map(words::risk);
        self.uid_alt = device.aad_device_id.filled();
        self.ip = context::address(device);
        self.network_interfaces = context::interfaces(device);
        self.os = Os::of(device);
        self.risk_level_id = risk.map(|risk| risk.id);
        self.risk_level = risk.map(|risk| risk.word);
        self.first_seen_time = milliseconds(device.first_seen);
        self.last_seen_time = milliseconds(device.last_seen);
        true
    }
}

/// The devices of an alert, and its related user.
pub(super) fn resources<'a>(alert: &'a Alert, subject: Option<&'a SubjectContext>) -> Vec<Resource<'a>> {
    let devices = alert.devices().filter(|device| is_named(device)).map(|device| {
        let about = of_this_device(subject, device.id.as_deref(), device.name.as_deref());
        let labels = about.iter().flat_map(|about| &about.tags).map(SharedStr::as_str);
        Resource {
            uid: device.id.as_deref(),
            name: Cow::Borrowed(device.name.as_deref().unwrap_or_default()),
            hostname: device.name.as_deref().filter(|name| is_hostname(name)),
            r#type: "device",
            role: "Affected",
            role_id: 3,
            group: group(device),
            ip: about.and_then(context::address),
            criticality: about.and_then(|about| about.device_value.filled()),
            labels: labels.filter(|label| !label.is_empty()).collect(),
        }
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
