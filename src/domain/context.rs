//! What Defender knows about the subject itself, in addition to its alerts.
//!
//! Words keep Defender's spelling, because it documents no closed lists of them. A member that Defender leaves out, or sends
//! as null or as an empty text, is null.

use schemars::JsonSchema;
use serde::Serialize;

use super::shared_str::SharedStr;
use super::timestamp::Timestamp;

/// What Defender knows about the subject itself, by what the subject is; the others are null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Context")]
pub struct SubjectContext {
    /// A device.
    pub device: Option<DeviceContext>,
    /// A file.
    pub file: Option<FileContext>,
    /// A network address.
    pub ip: Option<IpContext>,
    /// A domain.
    pub domain: Option<DomainContext>,
}

impl SubjectContext {
    /// Returns this and another part of the context of one subject.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            device: self.device.or(other.device),
            file: match (self.file, other.file) {
                (Some(one), Some(other)) => Some(one.or(other)),
                (one, other) => one.or(other),
            },
            ip: self.ip.or(other.ip),
            domain: self.domain.or(other.domain),
        }
    }
}

/// What Defender says of a device: its record in the older API, or its newest row of `DeviceInfo` in advanced hunting.
///
/// Sources: <https://learn.microsoft.com/defender-endpoint/api/machine>,
/// <https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceinfo-table>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceContext {
    /// Its id in Defender: 40 hexadecimal digits.
    pub id: Option<SharedStr>,
    /// Its DNS name, which may lack the domain.
    pub name: Option<SharedStr>,
    /// Its operating system: `Windows11`, `Linux` …
    pub os_platform: Option<SharedStr>,
    /// The version of the operating system, such as `21H2`.
    pub os_version: Option<SharedStr>,
    /// Whether its sensor reports: `Active`, `Inactive` …
    pub health_status: Option<SharedStr>,
    /// Whether Defender for Endpoint protects it: `Onboarded` …
    pub onboarding_status: Option<SharedStr>,
    /// How much its alerts put it at risk: `High` … From Graph, as its newest alert says.
    pub risk_score: Option<SharedStr>,
    /// How much its weaknesses expose it: `Medium` …
    pub exposure_level: Option<SharedStr>,
    /// How much it is worth to the organization: `High` …
    pub device_value: Option<SharedStr>,
    /// Its device group.
    pub group: Option<SharedStr>,
    /// Its tags.
    pub tags: Vec<SharedStr>,
    /// The addresses of all its network interfaces, also loopback and link-local ones.
    pub ip_addresses: Vec<SharedStr>,
    /// The address that the internet last saw; it may be that of a proxy.
    pub public_ip: Option<SharedStr>,
    /// Its id in Entra.
    pub aad_device_id: Option<SharedStr>,
    /// When Defender first saw it. From Graph, as its newest alert says.
    pub first_seen: Option<Timestamp>,
    /// When Defender last received a full report, which comes about once a day.
    pub last_seen: Option<Timestamp>,
}

/// What Defender says of a file: its record and its statistics in the older API, or its profile in advanced hunting, which
/// has no determination and no counts of the organization.
///
/// Sources: <https://learn.microsoft.com/defender-endpoint/api/files>,
/// <https://learn.microsoft.com/defender-endpoint/api/get-file-statistics>,
/// <https://learn.microsoft.com/defender-xdr/advanced-hunting-fileprofile-function>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileContext {
    /// SHA-1 of its content.
    pub sha1: Option<SharedStr>,
    /// SHA-256 of its content.
    pub sha256: Option<SharedStr>,
    /// MD5 of its content.
    pub md5: Option<SharedStr>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// Who published it.
    pub publisher: Option<SharedStr>,
    /// The product that it belongs to.
    pub product: Option<SharedStr>,
    /// Who signed it.
    pub signer: Option<SharedStr>,
    /// Who issued the signer's certificate.
    pub issuer: Option<SharedStr>,
    /// Whether the signature is valid. Null: the file has no signature, or it is not known.
    pub signature_valid: Option<bool>,
    /// Microsoft's classification: `Malware`, `Clean` … `Unknown` can stand beside the name of a threat.
    pub determination: Option<SharedStr>,
    /// The name of the threat.
    pub determination_value: Option<SharedStr>,
    /// How many devices worldwide have it.
    pub global_prevalence: Option<i64>,
    /// When it was first seen worldwide.
    pub global_first_seen: Option<Timestamp>,
    /// When it was last seen worldwide.
    pub global_last_seen: Option<Timestamp>,
    /// How many devices of the organization had it in the last 30 days.
    pub org_prevalence: Option<i64>,
    /// When the organization first had it, within the last 30 days.
    pub org_first_seen: Option<Timestamp>,
    /// When the organization last had it.
    pub org_last_seen: Option<Timestamp>,
}

impl FileContext {
    /// Returns these members, and for those that are null the members of another.
    fn or(self, other: Self) -> Self {
        Self {
            sha1: self.sha1.or(other.sha1),
            sha256: self.sha256.or(other.sha256),
            md5: self.md5.or(other.md5),
            size: self.size.or(other.size),
            publisher: self.publisher.or(other.publisher),
            product: self.product.or(other.product),
            signer: self.signer.or(other.signer),
            issuer: self.issuer.or(other.issuer),
            signature_valid: self.signature_valid.or(other.signature_valid),
            determination: self.determination.or(other.determination),
            determination_value: self.determination_value.or(other.determination_value),
            global_prevalence: self.global_prevalence.or(other.global_prevalence),
            global_first_seen: self.global_first_seen.or(other.global_first_seen),
            global_last_seen: self.global_last_seen.or(other.global_last_seen),
            org_prevalence: self.org_prevalence.or(other.org_prevalence),
            org_first_seen: self.org_first_seen.or(other.org_first_seen),
            org_last_seen: self.org_last_seen.or(other.org_last_seen),
        }
    }
}

/// What Defender says of a network address. Only the older API has it.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-ip-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IpContext {
    /// The address.
    pub address: Option<SharedStr>,
    /// How many devices of the organization connected to it in the last 30 days.
    pub org_prevalence: Option<i64>,
    /// When a device of the organization first connected to it, within the last 30 days.
    pub org_first_seen: Option<Timestamp>,
    /// When a device of the organization last connected to it.
    pub org_last_seen: Option<Timestamp>,
}

/// What Defender says of a domain. Only the older API has it.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-domain-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DomainContext {
    /// Its name.
    pub name: Option<SharedStr>,
    /// How many devices of the organization connected to it in the last 30 days.
    pub org_prevalence: Option<i64>,
    /// When a device of the organization first connected to it, within the last 30 days.
    pub org_first_seen: Option<Timestamp>,
    /// When a device of the organization last connected to it.
    pub org_last_seen: Option<Timestamp>,
}
