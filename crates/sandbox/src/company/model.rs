//! What the company consists of, in words of no API in particular: `mde`, `xdr` and `graph` write it in the APIs' shapes.
//!
//! Classifications, severities and the like are Defender's own words. Times stay text, because Microsoft sends between none
//! and seven digits of a second and a service has to read all of them.

use serde::Deserialize;

/// A device that Defender for Endpoint knows. A re-imaged device is two of these with one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// 40 lowercase hex digits.
    pub id: String,
    /// A DNS name, a bare host name, or free text for a phone.
    pub name: String,
    /// The id in Microsoft Entra, if the device has joined.
    pub directory_id: Option<String>,
    /// `Windows11`, `WindowsServer2022`, `iOS`, …
    pub platform: String,
    /// The release, such as `24H2`.
    pub version: String,
    /// The build number, if the platform has one.
    pub build: Option<u32>,
    /// First report.
    pub first_seen: String,
    /// Last full report.
    pub last_seen: String,
    /// Last internal address.
    pub address: String,
    /// Last address as the internet sees it.
    pub external_address: String,
    /// `Active` if its sensor reports, `Inactive` after a week of silence.
    pub health: String,
    /// The number of its device group.
    pub group_id: Option<u32>,
    /// The name of its device group.
    pub group_name: Option<String>,
    /// `High`, `Medium`, `Low`, `None`, or not yet known.
    pub risk: Option<String>,
    /// `High`, `Medium`, `Low` or `None`.
    pub exposure: String,
    /// What it is worth to the company, if somebody has said so: `High` or `Low`.
    pub value: Option<String>,
    /// Tags that people have given it.
    pub tags: Vec<String>,
    /// Whether Defender takes it for another record of the same device.
    pub duplicate: bool,
}

/// An account by the two names that alerts use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// The bare account name.
    pub name: String,
    /// The short name of the domain; a local account has none.
    pub domain: Option<String>,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The names that alerts use.
    pub account: Account,
    /// First and last name.
    pub display_name: String,
    /// The sign-in name.
    pub principal_name: Option<String>,
    /// The security identifier in Windows.
    pub sid: String,
    /// The id in Microsoft Entra.
    pub directory_id: Option<String>,
}

/// A file, identified by its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// 40 lowercase hex digits.
    pub sha1: String,
    /// 64 lowercase hex digits.
    pub sha256: String,
    /// 32 lowercase hex digits.
    pub md5: String,
    /// The name under which it was seen.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The product that it belongs to.
    pub product: Option<String>,
    /// Who signed it, if anyone has. That is also its publisher.
    pub signer: Option<String>,
    /// Who issued the signer's certificate.
    pub issuer: Option<String>,
    /// `Malware`, `Pua`, `Clean`, `Unknown`.
    pub determination: String,
    /// The threat's name, for malware.
    pub threat: Option<String>,
    /// Number of devices worldwide that have it.
    pub prevalence: u64,
    /// First seen worldwide.
    pub first_observed: String,
    /// Last seen worldwide.
    pub last_observed: String,
    /// Where it is in the company, if it is on more devices than alerts tell of.
    pub presence: Option<Presence>,
}

/// On how many devices of the company something was in 30 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// The devices.
    pub devices: usize,
    /// When it was first seen on one of them.
    pub first_seen: Option<String>,
    /// When it was last seen on one of them.
    pub last_seen: Option<String>,
}

/// The product that raised an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// Defender for Endpoint: the only one whose alerts the Endpoint API serves.
    #[default]
    Endpoint,
    /// Defender for Office 365.
    Office,
    /// Defender for Cloud Apps.
    CloudApps,
    /// Entra ID Protection.
    Identity,
}

/// What the APIs call a product.
pub(crate) struct ProductNames {
    pub(crate) xdr: &'static str,
    pub(crate) graph: &'static str,
    /// Graph's `productName`, and `ServiceSource` in advanced hunting.
    pub(crate) display: &'static str,
}

impl Product {
    pub(crate) const fn names(self) -> ProductNames {
        let (xdr, graph, display) = match self {
            Self::Endpoint => {
                ("MicrosoftDefenderForEndpoint", "microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint")
            }
            Self::Office => ("OfficeATP", "microsoftDefenderForOffice365", "Microsoft Defender for Office 365"),
            Self::CloudApps => {
                ("MicrosoftCloudAppSecurity", "microsoftDefenderForCloudApps", "Microsoft Defender for Cloud Apps")
            }
            Self::Identity => ("AADIdentityProtection", "azureAdIdentityProtection", "AAD Identity Protection"),
        };
        ProductNames { xdr, graph, display }
    }
}

/// A comment on an alert or an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The text.
    pub text: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub at: String,
}

/// An alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alert {
    /// Its prefix depends on the product.
    pub id: String,
    /// The incident that it belongs to.
    pub incident: Option<u64>,
    /// The product that raised it.
    pub product: Product,
    /// One line.
    pub title: String,
    /// One or more paragraphs.
    pub description: String,
    /// `High`, `Medium`, `Low`, `Informational`, `UnSpecified`.
    pub severity: String,
    /// `New`, `InProgress`, `Resolved`, `Unknown`.
    pub status: String,
    /// `TruePositive`, `FalsePositive`, …, once an analyst has decided.
    pub classification: Option<String>,
    /// `Malware`, `Phishing`, …, once an analyst has decided.
    pub determination: Option<String>,
    /// The number of the automated investigation.
    pub investigation_id: Option<u64>,
    /// The state of the automated investigation.
    pub investigation_state: String,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// What noticed it: `WindowsDefenderAtp`, `WindowsDefenderAv`, `OfficeATP`, …
    pub detection_source: String,
    /// The rule that noticed it.
    pub detector: Option<String>,
    /// The stage of the attack.
    pub category: String,
    /// MITRE ATT&CK ids.
    pub techniques: Vec<String>,
    /// The family of the threat.
    pub threat_family: Option<String>,
    /// The name of the threat.
    pub threat_name: Option<String>,
    /// When it was raised.
    pub created: String,
    /// The first activity that it covers.
    pub first_activity: String,
    /// The last activity that it covers.
    pub last_activity: String,
    /// When it last changed.
    pub updated: String,
    /// When it was closed.
    pub resolved: Option<String>,
    /// Ids of the devices, the main one first.
    pub devices: Vec<String>,
    /// The user whom it concerns.
    pub user: Option<Account>,
    /// Who was signed in at the time.
    pub logged_on: Vec<Account>,
    /// Comments of analysts.
    pub comments: Vec<Comment>,
    /// What it is based on.
    pub evidence: Vec<Evidence>,
}

/// An incident. Its alerts are those that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incident {
    /// A positive number.
    pub id: u64,
    /// The incident that it was merged into.
    pub redirect: Option<u64>,
    /// One line.
    pub name: String,
    /// As of an alert.
    pub severity: String,
    /// `Active`, `InProgress`, `Resolved`, `Redirected`.
    pub status: String,
    /// As of an alert.
    pub classification: Option<String>,
    /// As of an alert.
    pub determination: Option<String>,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// When it was opened.
    pub created: String,
    /// When it last changed.
    pub updated: String,
    /// Tags that people have given it.
    pub tags: Vec<String>,
    /// Comments of analysts.
    pub comments: Vec<Comment>,
}

/// Something that an alert is based on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// When it was noticed.
    pub observed: String,
    /// `Malicious`, `Suspicious`, `NoThreatsFound`, `Unknown`.
    pub verdict: String,
    /// `None`, `Remediated`, `Prevented`, `Blocked`, `NotFound`, `Active`.
    pub remediation: String,
    /// `Detected` or `Prevented`, if the product says so.
    pub detection: Option<String>,
    /// The id of the device that it was on.
    pub device: Option<String>,
    /// What it is.
    pub entity: Entity,
}

impl Evidence {
    /// Something suspicious that nothing has been done about.
    #[must_use]
    pub fn suspicious(observed: &str, entity: Entity) -> Self {
        let [observed, verdict, remediation] = [observed, "Suspicious", "None"].map(str::to_owned);
        Self { observed, verdict, remediation, detection: None, device: None, entity }
    }
}

/// What a piece of evidence is. Users and files are identified by what finds the full record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Entity {
    /// A user.
    User(Account),
    /// A process.
    Process(Process),
    /// A file by its SHA-1, and its folder.
    File {
        /// 40 hex digits.
        sha1: String,
        /// Without the file's name.
        folder: String,
    },
    /// An address; in rare cases Defender does not know which.
    Ip(Option<String>),
    /// A URL.
    Url(String),
    /// A value in the Windows registry.
    Registry {
        /// Such as `HKEY_CURRENT_USER`.
        hive: String,
        /// Without the hive.
        key: String,
        /// The value's name.
        name: String,
        /// The value.
        value: String,
    },
    /// A user's mailbox.
    Mailbox(Account),
    /// A message.
    Mail {
        /// An address.
        sender: String,
        /// An address.
        recipient: String,
        /// Its subject.
        subject: String,
        /// `Delivered`, `Blocked`, `DeliveredAsSpam`, …
        delivery: String,
    },
    /// Similar messages, and what they have in common.
    MailCluster(String),
    /// A cloud application.
    CloudApplication {
        /// Its number in the catalogue.
        id: u32,
        /// Its name.
        name: String,
    },
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// How it was started.
    pub command_line: String,
    /// When it was started.
    pub created: String,
    /// The SHA-1 of its image.
    pub sha1: String,
    /// The folder of its image.
    pub folder: String,
    /// What started it.
    pub parent: Option<Parent>,
    /// The account that it runs as.
    pub account: Option<Account>,
}

/// The process that started another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its number.
    pub id: u32,
    /// When it was started.
    pub created: String,
    /// The name of its image.
    pub name: String,
    /// The folder of its image.
    pub folder: String,
}
