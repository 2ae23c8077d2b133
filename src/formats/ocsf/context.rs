//! What Defender says of the subject itself, as attributes of its device or file. The rest is unmapped.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/device>, <https://schema.ocsf.io/1.8.0/objects/os>,
//! <https://schema.ocsf.io/1.8.0/objects/digital_signature>.

use std::net::IpAddr;

use serde::Serialize;

use super::file::File;
use super::words;
use crate::domain::context::{DeviceContext, DomainContext, FileContext, IpContext, SubjectContext};
use crate::formats::context;
use crate::formats::filled::Filled;
use crate::formats::without::Without;

/// An operating system.
#[derive(Serialize)]
pub(super) struct Os<'a> {
    name: &'a str,
    version: Option<&'a str>,
    r#type: &'a str,
    type_id: u16,
}

/// A network interface of a device.
#[derive(Serialize)]
pub(super) struct Interface {
    ip: IpAddr,
}

/// The product that a file belongs to.
#[derive(Serialize)]
pub(super) struct FileProduct<'a> {
    name: &'a str,
    vendor_name: Option<&'a str>,
}

/// A signature. Defender names neither its algorithm nor the serial number that OCSF requires of a certificate.
#[derive(Serialize)]
pub(super) struct Signature {
    algorithm: &'static str,
    algorithm_id: u8,
    state: &'static str,
    state_id: u8,
}

/// What has no place: of the event's own device or file, or else all of it.
#[derive(Serialize)]
pub(super) struct Unmapped<'a> {
    device: Option<Without<'a, DeviceContext>>,
    file: Option<Without<'a, FileContext>>,
    ip: Option<&'a IpContext>,
    domain: Option<&'a DomainContext>,
}

impl<'a> Unmapped<'a> {
    /// `has_device`, `has_file`: whether the event has the subject among its devices or files.
    pub(super) fn of(context: &'a SubjectContext, has_device: bool, has_file: bool) -> Self {
        Self {
            device: context.device.as_ref().map(|value| Without { value, is_left_out: left_out_of(value, has_device) }),
            file: context.file.as_ref().map(|value| Without {
                value,
                is_left_out: if has_file { |name| is_of_file(name) } else { |_| false },
            }),
            ip: context.ip.as_ref(),
            domain: context.domain.as_ref(),
        }
    }
}

fn left_out_of(device: &DeviceContext, has_device: bool) -> fn(&str) -> bool {
    let is_valid = context::addresses(device).count() == device.ip_addresses.len();
    match (has_device, is_valid) {
        (true, true) => |name| is_of_device(name) || name == "ip_addresses",
        (true, false) => is_of_device,
        (false, _) => |_| false,
    }
}

/// Whether a member is an attribute of the device, or of the resource that it is.
fn is_of_device(name: &str) -> bool {
    matches!(name, "id" | "name" | "os_platform" | "os_version" | "risk_score" | "group" | "aad_device_id")
        || matches!(name, "first_seen" | "last_seen" | "device_value" | "tags")
}

/// Whether a member is an attribute of the file.
fn is_of_file(name: &str) -> bool {
    matches!(name, "sha1" | "sha256" | "md5" | "size" | "publisher" | "product" | "signature_valid")
}

impl<'a> Os<'a> {
    pub(super) fn of(device: &'a DeviceContext) -> Option<Self> {
        let (platform, version) = (device.os_platform.filled(), device.os_version.filled());
        platform.or(version)?;
        let (type_id, r#type) = words::operating_system(platform);
        Some(Self { name: platform.unwrap_or("Unknown"), version, r#type, type_id })
    }
}

/// The network interfaces of a device: an address each, because nothing else of them is known.
pub(super) fn interfaces(device: &DeviceContext) -> Vec<Interface> {
    context::addresses(device).map(|ip| Interface { ip }).collect()
}

/// The address of a device: the first that others can reach.
pub(super) fn address(device: &DeviceContext) -> Option<IpAddr> {
    context::addresses(device).find(|address| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    })
}

impl<'a> File<'a> {
    /// Adds what Defender says of the file, if it is the subject. Returns whether it is.
    pub(super) fn add_context(&mut self, context: Option<&'a SubjectContext>) -> bool {
        let own = self.hashes.iter().map(|hash| hash.value.as_ref());
        let Some(file) = context::of_this_file(context, own) else { return false };
        let hashes = super::file::hashes(file.md5.as_deref(), file.sha1.as_deref(), file.sha256.as_deref());
        for hash in hashes {
            if self.hashes.iter().all(|own| own.algorithm_id != hash.algorithm_id) {
                self.hashes.push(hash);
            }
        }
        self.size = file.size.filter(|size| *size >= 0);
        self.company_name = file.publisher.filled();
        self.product = file.product.filled().map(|name| FileProduct { name, vendor_name: file.publisher.filled() });
        self.signatures.extend(file.signature_valid.map(|is_valid| {
            let (state_id, state) = if is_valid { (1, "Valid") } else { (99, "Invalid") };
            Signature { algorithm: "Unknown", algorithm_id: 0, state, state_id }
        }));
        true
    }
}
