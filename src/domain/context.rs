//! What Defender says of the subject itself, beside its alerts.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::Text;
use super::time::Moment;

/// What is known of the subject itself, by what it is; the others are null.
///
/// Nothing fetches it yet, so it is never made: an answer's `context` is null.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Context {
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
    pub id: Option<Text>,
    /// Its DNS name.
    pub name: Option<Text>,
    /// Its operating system: `Windows11`, `Linux` …
    pub os_platform: Option<Text>,
    /// The version of it.
    pub os_version: Option<Text>,
    /// Whether its sensor reports: `Active`, `Inactive` …
    pub health_status: Option<Text>,
    /// Whether Defender protects it: `Onboarded` …
    pub onboarding_status: Option<Text>,
    /// How much at risk its alerts put it: `High` …
    pub risk_score: Option<Text>,
    /// How exposed its weaknesses leave it: `Medium` …
    pub exposure_level: Option<Text>,
    /// How much it is worth to the organization: `High` …
    pub device_value: Option<Text>,
    /// Its device group.
    pub group: Option<Text>,
    /// Its tags.
    pub tags: Vec<Text>,
    /// Its addresses inside the network.
    pub ip_addresses: Vec<Text>,
    /// The address by which it was last seen from outside.
    pub public_ip: Option<Text>,
    /// Its id in Entra.
    pub aad_device_id: Option<Text>,
    /// When Defender first saw it.
    pub first_seen: Option<Moment>,
    /// When Defender last saw it.
    pub last_seen: Option<Moment>,
}

/// What Defender says of a file.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/files>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct FileContext {
    /// SHA-1 of its content.
    pub sha1: Option<Text>,
    /// SHA-256 of its content.
    pub sha256: Option<Text>,
    /// MD5 of its content.
    pub md5: Option<Text>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// Who published it.
    pub publisher: Option<Text>,
    /// The product that it belongs to.
    pub product: Option<Text>,
    /// Who signed it.
    pub signer: Option<Text>,
    /// Who issued the signer's certificate.
    pub issuer: Option<Text>,
    /// Whether the signature is valid; null where that is not known.
    pub signature_valid: Option<bool>,
    /// What Microsoft takes it for: `Malware`, `Clean` …
    pub determination: Option<Text>,
    /// The name that goes with the determination.
    pub determination_value: Option<Text>,
    /// Devices worldwide that have it.
    pub global_prevalence: Option<i64>,
    /// When it was first seen worldwide.
    pub global_first_seen: Option<Moment>,
    /// When it was last seen worldwide.
    pub global_last_seen: Option<Moment>,
    /// Devices of the organization that have it.
    pub org_prevalence: Option<i64>,
    /// When it was first seen in the organization.
    pub org_first_seen: Option<Moment>,
    /// When it was last seen in the organization.
    pub org_last_seen: Option<Moment>,
}

/// What Defender says of a network address.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-ip-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct IpContext {
    /// The address.
    pub address: Option<Text>,
    /// Devices of the organization that talked to it.
    pub org_prevalence: Option<i64>,
    /// When one first did.
    pub org_first_seen: Option<Moment>,
    /// When one last did.
    pub org_last_seen: Option<Moment>,
}

/// What Defender says of a domain.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-domain-statistics>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct DomainContext {
    /// Its name.
    pub name: Option<Text>,
    /// Devices of the organization that talked to it.
    pub org_prevalence: Option<i64>,
    /// When one first did.
    pub org_first_seen: Option<Moment>,
    /// When one last did.
    pub org_last_seen: Option<Moment>,
}
