//! An alert, in the one form that both shapes of the older APIs and Graph's are turned into.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::evidence::Evidence;
use super::extra::Extra;
use super::portal;
use super::time::Moment;
use super::words::{AlertStatus, AlertVerdict, Severity, SeverityId, Unfamiliar};

/// One alert.
///
/// `classification`, `determination`, `category` and the sources keep Defender's own words.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Its id; only lists of old have been seen without.
    pub id: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// What Defender says about it; text, may hold line breaks.
    pub description: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The same as OCSF numbers it.
    pub severity_id: SeverityId,
    /// Where the work on it stands.
    pub status: AlertStatus,
    /// What the analysts decided.
    pub verdict: AlertVerdict,
    /// Defender's classification.
    pub classification: Option<String>,
    /// Defender's determination.
    pub determination: Option<String>,
    /// Defender's category.
    pub category: Option<String>,
    /// MITRE ATT&CK techniques: `T1059.001`.
    pub techniques: Vec<String>,
    /// The threat's name.
    pub threat_name: Option<String>,
    /// The threat's family.
    pub threat_family: Option<String>,
    /// What detected it.
    pub detection_source: Option<String>,
    /// The product that raised it.
    pub service_source: Option<String>,
    /// The detector's id.
    pub detector_id: Option<String>,
    /// The automated investigation's id.
    pub investigation_id: Option<String>,
    /// Where that investigation stands.
    pub investigation_state: Option<String>,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
    /// The tenant it was raised in.
    pub tenant_id: Option<String>,
    /// The device it was raised on; the first where there are several.
    pub device: Option<Device>,
    /// The further devices of an incident's alert.
    #[serde(skip)]
    pub further_devices: Vec<Device>,
    /// The related user, `DOMAIN\name`; null unless Defender tells one.
    pub user: Option<Account>,
    /// Who was logged on.
    pub logged_on_users: Vec<LoggedOnUser>,
    /// When it was raised.
    pub created_at: Option<Moment>,
    /// When it last changed.
    pub updated_at: Option<Moment>,
    /// When its activity began.
    pub first_seen: Option<Moment>,
    /// When its activity was last seen.
    pub last_seen: Option<Moment>,
    /// When it was resolved.
    pub resolved_at: Option<Moment>,
    /// What analysts wrote.
    pub comments: Vec<Comment>,
    /// What it is built on.
    pub evidence: Vec<Evidence>,
    /// False where Defender does not send evidence: then `[]` says nothing.
    pub evidence_loaded: bool,
    /// Its page in the portal.
    pub url: Option<String>,
    /// Upstream members that have no home here.
    pub extra: Extra,
    /// Defender's words where the answer says `other`.
    #[serde(skip)]
    pub unfamiliar: Unfamiliar,
}

impl Alert {
    /// The devices it was raised on.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.device.iter().chain(&self.further_devices)
    }

    /// The page of its incident in the portal that its own page is in, in its tenant where that is known.
    pub fn incident_url(&self) -> Option<String> {
        portal::incident_beside(self.url.as_deref()?, self.incident_id.as_deref()?, self.tenant_id.as_deref())
    }

    /// The id that it has with the product that raised it.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/security-alert>, member `providerAlertId`; the older
    /// API of Defender XDR calls it the same.
    pub fn provider_id(&self) -> Option<String> {
        self.extra.text("providerAlertId")
    }

    /// Roughly what it occupies, in bytes.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.id, &self.title, &self.description, &self.category, &self.detector_id, &self.url];
        let texts: usize = texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum();
        let evidence: usize = self.evidence.iter().map(Evidence::weight).sum();
        size_of::<Self>() + texts + evidence + self.extra.weight() + 64 * self.techniques.len() + 256
    }
}

/// A device, as an alert names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AlertDevice")]
pub struct Device {
    /// Its id: 40 hexadecimal digits.
    pub id: Option<String>,
    /// Its DNS name, host name or free text.
    pub name: Option<String>,
    /// Its device group.
    pub group: Option<String>,
}

/// An account, shown as `DOMAIN\name`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", rename = "AlertAccount")]
pub struct Account {
    /// Its domain.
    pub domain: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{domain}\\{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Somebody who was logged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoggedOnUser {
    /// The account name.
    pub name: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
}

/// What an analyst wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comment {
    /// The text.
    pub text: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When.
    pub created_at: Option<Moment>,
}
