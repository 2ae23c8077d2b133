//! What the company consists of, in words of no API in particular: each API's shape is made elsewhere.
//!
//! Texts are `&'static str` and every type is `Copy`, so that a company can be written down as constants. Times are kept
//! as text, because Microsoft sends between none and seven digits of a second and a service must read all of them.

use serde::Serialize;

use super::evidence::Evidence;

/// A device that Defender for Endpoint knows. A re-imaged device is two of these with one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// 40 lowercase hex digits.
    pub id: &'static str,
    /// A DNS name, a bare host name, or free text for a phone.
    pub name: &'static str,
    /// The id in Microsoft Entra, where it has joined.
    pub directory_id: Option<&'static str>,
    /// `Windows11`, `WindowsServer2022`, `iOS`, …
    pub platform: &'static str,
    /// The release, such as `24H2`.
    pub version: &'static str,
    /// The build number, where the platform has one.
    pub build: Option<u32>,
    /// First report.
    pub first_seen: &'static str,
    /// Last full report.
    pub last_seen: &'static str,
    /// Last address inside.
    pub address: &'static str,
    /// Last address as the internet sees it.
    pub external_address: &'static str,
    /// Whether its sensor reports.
    pub health: Health,
    /// Number and name of its device group.
    pub group: Option<(u32, &'static str)>,
    /// `High`, `Medium`, `Low`, `None`, or not yet known.
    pub risk: Option<&'static str>,
    /// `High`, `Medium`, `Low` or `None`.
    pub exposure: &'static str,
    /// Tags that people have given it.
    pub tags: &'static [&'static str],
    /// Defender takes it for another record of the same device.
    pub duplicate: bool,
}

/// Whether a device's sensor reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Health {
    /// It reports.
    Active,
    /// It has not reported for more than a week.
    Inactive,
}

/// An account by the two names that alerts tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The bare account name.
    pub name: &'static str,
    /// The domain, by its short name; an account of one device alone has none.
    pub domain: Option<&'static str>,
}

/// A user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The names that alerts tell.
    pub account: Account,
    /// First and last name.
    pub display_name: &'static str,
    /// The name to sign in with.
    pub principal_name: Option<&'static str>,
    /// The security identifier in Windows.
    pub sid: &'static str,
    /// The id in Microsoft Entra.
    pub directory_id: Option<&'static str>,
}

/// A file, known by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// 40 lowercase hex digits.
    pub sha1: &'static str,
    /// 64 lowercase hex digits.
    pub sha256: &'static str,
    /// 32 lowercase hex digits.
    pub md5: &'static str,
    /// The name that it was seen under.
    pub name: &'static str,
    /// Bytes.
    pub size: u64,
    /// Who signed it, if anyone has.
    pub signer: Option<&'static str>,
    /// What Defender takes it for: `Malware`, `Pua`, `Clean`, `Unknown`.
    pub determination: &'static str,
    /// The threat's name, for malware.
    pub threat: Option<&'static str>,
    /// Devices worldwide that have it.
    pub prevalence: u64,
    /// When the world saw it first.
    pub first_observed: &'static str,
    /// When the world saw it last.
    pub last_observed: &'static str,
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are Defender's own")]
pub enum Severity {
    UnSpecified,
    Informational,
    Low,
    Medium,
    High,
}

/// How far people are with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are Defender's own")]
pub enum AlertStatus {
    Unknown,
    New,
    InProgress,
    Resolved,
}

/// How far people are with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are Defender's own")]
pub enum IncidentStatus {
    Active,
    InProgress,
    Resolved,
    Redirected,
}

/// Whether it was real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are Defender's own")]
pub enum Classification {
    TruePositive,
    FalsePositive,
    InformationalExpectedActivity,
}

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are Defender's own")]
pub enum Determination {
    Clean,
    CompromisedUser,
    LineOfBusinessApplication,
    Malware,
    MultiStagedAttack,
    Phishing,
    SecurityTesting,
    UnwantedSoftware,
}

/// The product that raised an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Defender for Endpoint: the only one whose alerts the Endpoint API serves.
    Endpoint,
    /// Defender for Office 365.
    Office,
    /// Defender for Cloud Apps.
    CloudApps,
    /// Entra ID Protection.
    Identity,
}

/// A remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// What was said.
    pub text: &'static str,
    /// Who said it.
    pub author: &'static str,
    /// When.
    pub at: &'static str,
}

/// An alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Of whichever family.
    pub id: &'static str,
    /// The incident that it belongs to.
    pub incident: Option<u64>,
    /// The product that raised it.
    pub product: Product,
    /// What people read first.
    pub title: &'static str,
    /// What people read next.
    pub description: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How far people are with it.
    pub status: AlertStatus,
    /// Whether it was real, once somebody has said so.
    pub classification: Option<Classification>,
    /// What it was, once somebody has said so.
    pub determination: Option<Determination>,
    /// Number and state of the automated investigation.
    pub investigation: (Option<u64>, &'static str),
    /// Who works on it.
    pub assigned_to: Option<&'static str>,
    /// What noticed it: `WindowsDefenderAtp`, `WindowsDefenderAv`, `OfficeATP`, …
    pub detection_source: &'static str,
    /// The rule that noticed it.
    pub detector: Option<&'static str>,
    /// The stage of the attack.
    pub category: &'static str,
    /// MITRE ATT&CK ids.
    pub techniques: &'static [&'static str],
    /// Family and name of the threat.
    pub threat: Option<(&'static str, &'static str)>,
    /// When it was raised.
    pub created: &'static str,
    /// First and last activity that it is about.
    pub activity: (&'static str, &'static str),
    /// When it last changed.
    pub updated: &'static str,
    /// When it was closed.
    pub resolved: Option<&'static str>,
    /// Ids of the devices, the main one first.
    pub devices: &'static [&'static str],
    /// The user whom it is about.
    pub user: Option<Account>,
    /// Who was signed in at the time.
    pub logged_on: &'static [Account],
    /// Remarks.
    pub comments: &'static [Comment],
    /// What it rests on.
    pub evidence: &'static [Evidence],
}

impl Alert {
    /// An alert of Defender for Endpoint about nothing: what another is written on top of.
    pub const BLANK: Self = Self {
        id: "",
        incident: None,
        product: Product::Endpoint,
        title: "",
        description: "",
        severity: Severity::UnSpecified,
        status: AlertStatus::New,
        classification: None,
        determination: None,
        investigation: (None, "UnsupportedAlertType"),
        assigned_to: None,
        detection_source: "WindowsDefenderAtp",
        detector: None,
        category: "SuspiciousActivity",
        techniques: &[],
        threat: None,
        created: "",
        activity: ("", ""),
        updated: "",
        resolved: None,
        devices: &[],
        user: None,
        logged_on: &[],
        comments: &[],
        evidence: &[],
    };
}

/// An incident. Its alerts are those that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// A positive number.
    pub id: u64,
    /// The incident that it was merged into.
    pub redirect: Option<u64>,
    /// What people read first.
    pub name: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How far people are with it.
    pub status: IncidentStatus,
    /// Whether it was real, once somebody has said so.
    pub classification: Option<Classification>,
    /// What it was, once somebody has said so.
    pub determination: Option<Determination>,
    /// Who works on it.
    pub assigned_to: Option<&'static str>,
    /// When it was opened.
    pub created: &'static str,
    /// When it last changed.
    pub updated: &'static str,
    /// Tags that people have given it.
    pub tags: &'static [&'static str],
    /// Remarks.
    pub comments: &'static [Comment],
}
