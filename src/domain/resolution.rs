//! The conversions between the text that the caller sent and the subject that Defender was asked about.

use schemars::JsonSchema;
use serde::Serialize;

/// A kind of conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// The kind of a bare `value` was worked out from its form.
    DetectedKind,
    /// A URL stood for its host.
    UrlToDomain,
    /// A portal link stood for its id.
    PortalLink,
    /// `name@domain` became the account name.
    UpnToAccountName,
    /// `DOMAIN\name` became the account name.
    DomainToAccountName,
    /// A device name became the device id.
    MachineNameToId,
    /// A SHA-256 became the SHA-1 of the same file.
    Sha256ToSha1,
    /// A merged incident led to the one it was merged into.
    IncidentRedirect,
}

/// One conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// What was done.
    pub step: StepName,
    /// What it was before.
    pub from: String,
    /// What it became.
    pub to: String,
}

impl Step {
    /// A conversion of one text into another.
    pub fn new(step: StepName, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { step, from: from.into(), to: to.into() }
    }
}
