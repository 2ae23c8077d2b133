//! An alert: the type to which the formats of the older APIs and of Graph are converted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::evidence::Evidence;
use super::extra::Extra;
use super::portal;
use super::shared_str::SharedStr;
use super::timestamp::Timestamp;
use super::vocabulary::{AlertStatus, AlertVerdict, Severity, SeverityId, UnknownWords};

/// One alert.
///
/// `classification`, `determination`, `category` and the sources keep Defender's own words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Its id. Only some older lists lack it.
    pub id: Option<SharedStr>,
    /// Its title.
    pub title: Option<SharedStr>,
    /// What Defender says about it; text, may hold line breaks.
    pub description: Option<SharedStr>,
    /// How bad it is.
    pub severity: Severity,
    /// The same as OCSF numbers it.
    pub severity_id: SeverityId,
    /// Where the work on it stands.
    pub status: AlertStatus,
    /// What the analysts decided.
    pub verdict: AlertVerdict,
    /// Defender's classification.
    pub classification: Option<SharedStr>,
    /// Defender's determination.
    pub determination: Option<SharedStr>,
    /// Defender's category; the first where there are several.
    pub category: Option<SharedStr>,
    /// All of its categories.
    pub categories: Vec<SharedStr>,
    /// MITRE ATT&CK techniques: `T1059.001`.
    pub techniques: Vec<SharedStr>,
    /// The threat's name.
    pub threat_name: Option<SharedStr>,
    /// The threat's family.
    pub threat_family: Option<SharedStr>,
    /// What detected it.
    pub detection_source: Option<SharedStr>,
    /// The service that raised it, as the API calls it.
    pub service_source: Option<SharedStr>,
    /// The product that raised it, as its maker calls it; null where the backend does not send it.
    pub product_name: Option<SharedStr>,
    /// The detector's id.
    pub detector_id: Option<SharedStr>,
    /// The automated investigation's id.
    pub investigation_id: Option<SharedStr>,
    /// Where that investigation stands.
    pub investigation_state: Option<SharedStr>,
    /// The threat actor that Microsoft sees behind it.
    pub actor: Option<SharedStr>,
    /// What Microsoft recommends to do; text, may hold line breaks. Null where the backend does not send it.
    pub recommended_actions: Option<SharedStr>,
    /// What a custom detection adds: members of its own, unchanged. Null where there is none.
    pub custom_details: Option<Extra>,
    /// Its tags; none where the backend does not send them.
    pub tags: Vec<SharedStr>,
    /// Who works on it.
    pub assigned_to: Option<SharedStr>,
    /// The incident it belongs to.
    pub incident_id: Option<SharedStr>,
    /// The tenant it was raised in.
    pub tenant_id: Option<SharedStr>,
    /// The device it was raised on; the first where there are several.
    pub device: Option<Device>,
    /// The further devices of an incident's alert.
    #[serde(skip)]
    pub further_devices: Vec<Device>,
    /// The related user, `DOMAIN\name`; null unless Defender sends one.
    pub user: Option<AlertAccount>,
    /// Who was logged on.
    pub logged_on_users: Vec<LoggedOnUser>,
    /// When it was raised.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// When its activity began.
    pub first_seen: Option<Timestamp>,
    /// When its activity was last seen.
    pub last_seen: Option<Timestamp>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// What analysts wrote.
    pub comments: Vec<Comment>,
    /// What it is built on.
    pub evidence: Vec<Evidence>,
    /// False where Defender does not send evidence: then an empty list does not mean that there is none.
    pub evidence_loaded: bool,
    /// Its page in the portal.
    pub url: Option<SharedStr>,
    /// Upstream members without a field of their own here.
    pub extra: Extra,
    /// Defender's words where the answer says `other`.
    #[serde(skip)]
    pub unknown_words: UnknownWords,
}

impl Alert {
    /// Returns the devices it was raised on.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.device.iter().chain(&self.further_devices)
    }

    /// Returns the categories that have a meaning. Defender sometimes sends the text "null".
    pub fn named_categories(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().map(SharedStr::as_str).filter(|category| !category.is_empty() && *category != "null")
    }

    /// Returns the page of its incident, in the same portal as its own page, with its tenant if that is known.
    pub fn incident_url(&self) -> Option<String> {
        portal::incident_beside(self.url.as_deref()?, self.incident_id.as_deref()?, self.tenant_id.as_deref())
    }

    /// Returns its id in the product that raised it.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/security-alert>, member `providerAlertId`; the older
    /// API of Defender XDR calls it the same.
    pub fn provider_id(&self) -> Option<String> {
        self.extra.text("providerAlertId")
    }

    /// Returns its approximate size in bytes, without the body that its texts are parts of.
    pub fn weight(&self) -> usize {
        self.weight_without_evidence() + self.evidence.iter().map(Evidence::weight).sum::<usize>()
    }

    /// Returns the same without its evidence.
    pub fn weight_without_evidence(&self) -> usize {
        let lists = size_of_val(&*self.categories)
            + size_of_val(&*self.techniques)
            + size_of_val(&*self.tags)
            + size_of_val(&*self.further_devices)
            + size_of_val(&*self.logged_on_users)
            + size_of_val(&*self.comments);
        let details = self.custom_details.as_ref().map_or(0, Extra::weight);
        size_of::<Self>() + lists + details + self.extra.weight() + self.url.as_ref().map_or(0, |url| url.len())
    }
}

/// A device, as an alert names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[schemars(rename = "AlertDevice")]
pub struct Device {
    /// Its id: 40 hexadecimal digits.
    pub id: Option<SharedStr>,
    /// Its DNS name, host name or free text.
    pub name: Option<SharedStr>,
    /// Its device group.
    pub group: Option<SharedStr>,
}

/// An account, shown as `DOMAIN\name`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct AlertAccount {
    /// Its domain.
    pub domain: Option<SharedStr>,
    /// Its name.
    pub name: SharedStr,
}

impl fmt::Display for AlertAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{domain}\\{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Serialize for AlertAccount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Somebody who was logged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct LoggedOnUser {
    /// The account name.
    pub name: Option<SharedStr>,
    /// Its domain.
    pub domain: Option<SharedStr>,
}

/// What an analyst wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comment {
    /// The text.
    pub text: Option<SharedStr>,
    /// Who wrote it.
    pub author: Option<SharedStr>,
    /// When.
    pub created_at: Option<Timestamp>,
}
