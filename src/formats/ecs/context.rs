//! What Defender says of the subject itself: fields of its host, file or process. The rest is in `microsoft.defender`.
//!
//! Sources: <https://www.elastic.co/guide/en/ecs/8.17/ecs-os.html>,
//! <https://www.elastic.co/guide/en/ecs/8.17/ecs-code_signature.html>, <https://www.elastic.co/guide/en/ecs/8.17/ecs-risk.html>.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};

use super::evidence as fields;
use crate::domain::alert::{Alert, Device};
use crate::domain::context::{DeviceContext, DomainContext, FileContext, IpContext, SubjectContext};
use crate::domain::evidence;
use crate::formats::context::{addresses, is_system, of_this_device, of_this_file};
use crate::formats::filled::Filled;
use crate::formats::without::Without;

/// The context of the answer, as far as it is about the host, the file or the process of a document.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    subject: Option<&'a SubjectContext>,
    pub(super) host: Option<&'a DeviceContext>,
    pub(super) file: Option<&'a FileContext>,
    pub(super) process: Option<&'a FileContext>,
}

/// What has no field: of the document's own host or file, or else all of it.
#[derive(Serialize)]
pub(super) struct WithoutField<'a> {
    device: Option<Without<'a, DeviceContext>>,
    file: Option<Without<'a, FileContext>>,
    ip: Option<&'a IpContext>,
    domain: Option<&'a DomainContext>,
}

impl<'a> Context<'a> {
    pub(super) fn of(alert: &Alert, subject: Option<&'a SubjectContext>) -> Self {
        let about = |hashes: [Option<&str>; 3]| of_this_file(subject, hashes.into_iter().flatten());
        let host = |device: &Device| of_this_device(subject, device.id.filled(), device.name.filled());
        let file = |file: &evidence::File| about([file.sha1.filled(), file.sha256.filled(), file.md5.filled()]);
        let process = |process: &evidence::Process| about([process.sha1.filled(), process.sha256.filled(), None]);
        Self {
            subject,
            host: alert.device.as_ref().and_then(host),
            file: fields::first_file(alert).and_then(file),
            process: fields::first_process(alert).and_then(process),
        }
    }

    pub(super) fn without_field(self) -> Option<WithoutField<'a>> {
        let subject = self.subject?;
        let has_host = self.host.is_some();
        let has_file = self.file.or(self.process).is_some();
        Some(WithoutField {
            device: subject
                .device
                .as_ref()
                .map(|value| Without { value, is_left_out: if has_host { is_of_host } else { |_| false } }),
            file: subject
                .file
                .as_ref()
                .map(|value| Without { value, is_left_out: if has_file { is_of_file } else { |_| false } }),
            ip: subject.ip.as_ref(),
            domain: subject.domain.as_ref(),
        })
    }

    /// The addresses of the host.
    pub(super) fn addresses(self) -> impl Iterator<Item = IpAddr> + use<'a> {
        self.host.into_iter().flat_map(addresses)
    }

    /// The hashes of the file.
    pub(super) fn hashes(self) -> impl Iterator<Item = &'a str> {
        let file = self.file.or(self.process);
        file.into_iter().flat_map(|file| [&file.sha1, &file.sha256, &file.md5]).filter_map(Filled::filled)
    }
}

/// Whether a member of a device has a field of the host.
fn is_of_host(name: &str) -> bool {
    matches!(name, "id" | "name" | "os_platform" | "os_version" | "risk_score")
}

/// Whether a member of a file has a field of the file or process.
fn is_of_file(name: &str) -> bool {
    matches!(name, "sha1" | "sha256" | "md5" | "publisher" | "product" | "signer" | "signature_valid")
}

/// The device of the alert, with its name in lower case, as the schema recommends.
pub(super) fn host(device: &Device, about: Option<&DeviceContext>) -> Value {
    let name = device.name.filled();
    let platform = about.and_then(|about| about.os_platform.filled());
    json!({
        "id": device.id,
        "name": name.map(str::to_lowercase),
        "hostname": name,
        "ip": about.map(|about| addresses(about).collect::<Vec<_>>()),
        "os": {
            "name": platform,
            "type": platform.and_then(system),
            "version": about.map(|about| &about.os_version),
        },
        "risk": {"static_level": about.map(|about| &about.risk_score)},
    })
}

/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-os.html#field-os-type>.
fn system(platform: &str) -> Option<&'static str> {
    let known = ["windows", "linux", "macos", "ios", "android"];
    known.into_iter().find(|name| is_system(platform, name))
}

/// `code_signature` of a file or a process.
pub(super) fn code_signature(file: Option<&FileContext>) -> Value {
    let exists = file.and_then(|file| file.signature_valid.map(|_| true).or(file.signer.filled().map(|_| true)));
    json!({
        "exists": exists,
        "valid": file.map(|file| file.signature_valid),
        "subject_name": file.map(|file| &file.signer),
    })
}

/// `pe` of a file or a process.
pub(super) fn pe(file: Option<&FileContext>) -> Value {
    json!({"company": file.map(|file| &file.publisher), "product": file.map(|file| &file.product)})
}
