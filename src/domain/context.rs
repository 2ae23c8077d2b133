//! What Defender knows about the subject itself, in addition to its alerts.

use schemars::JsonSchema;
use serde::Serialize;

use super::shared_str::SharedStr;
use super::timestamp::Timestamp;

/// What is known of the subject itself, by what it is; the others are null.
///
/// Nothing fetches it yet, so it is never made: an answer's `context` is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
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

/// What Defender says of a device.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/machine>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct DeviceContext {
    /// Its id.
    pub id: Option<SharedStr>,
    /// Its DNS name.
    pub name: Option<SharedStr>,
    /// Its operating system: `Windows11`, `Linux` …
    pub os_platform: Option<SharedStr>,
    /// The version of it.
    pub os_version: Option<SharedStr>,
    /// Whether its sensor reports: `Active`, `Inactive` …
    pub health_status: Option<SharedStr>,
    /// Whether Defender protects it: `Onboarded` …
    pub onboarding_status: Option<SharedStr>,
    /// How much at risk its alerts put it: `High` …
    pub risk_score: Option<SharedStr>,
    /// How exposed its weaknesses leave it: `Medium` …
    pub exposure_level: Option<SharedStr>,
    /// How much it is worth to the organization: `High` …
    pub device_value: Option<SharedStr>,
    /// Its device group.
    pub group: Option<SharedStr>,
    /// Its tags.
    pub tags: Vec<SharedStr>,
    /// Its addresses inside the network.
    pub ip_addresses: Vec<SharedStr>,
    /// The address by which it was last seen from outside.
    pub public_ip: Option<SharedStr>,
    /// Its id in Entra.
    pub aad_device_id: Option<SharedStr>,
    /// When Defender first saw it.
    pub first_seen: Option<Timestamp>,
    /// When Defender last saw it.
    pub last_seen: Option<Timestamp>,
}

/// What Defender says of a file.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/files>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
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
    /// Whether the signature is valid; null where that is not known.
    pub signature_valid: Option<bool>,
    /// Microsoft's classification of it: `Malware`, `Clean` …
    pub determination: Option<SharedStr>,
    /// The name that goes with the determination.
    pub determination_value: Option<SharedStr>,
    /// Devices worldwide that have it.
    pub global_prevalence: Option<i64>,
    /// When it was first seen worldwide.
    pub global_first_seen: Option<Timestamp>,
    /// When it was last seen worldwide.
    pub global_last_seen: Option<Timestamp>,
    /// Devices of the organization that have it.
    pub org_prevalence: Option<i64>,
    /// When it was first seen in the organization.
    pub org_first_seen: Option<Timestamp>,
    /// When it was last seen in the organization.
    pub org_last_seen: Option<Timestamp>,
}

/// What Defender says of a network address.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-ip-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct IpContext {
    /// The address.
    pub address: Option<SharedStr>,
    /// Devices of the organization that talked to it.
    pub org_prevalence: Option<i64>,
    /// When one first did.
    pub org_first_seen: Option<Timestamp>,
    /// When one last did.
    pub org_last_seen: Option<Timestamp>,
}

/// What Defender says of a domain.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-domain-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct DomainContext {
    /// Its name.
    pub name: Option<SharedStr>,
    /// Devices of the organization that talked to it.
    pub org_prevalence: Option<i64>,
    /// When one first did.
    pub org_first_seen: Option<Timestamp>,
    /// When one last did.
    pub org_last_seen: Option<Timestamp>,
}
