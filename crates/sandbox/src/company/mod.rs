//! The invented company: what the stand-ins know, and how it is found.
//!
//! The story is in the JSON files of `company/`, in [`model`]'s words; the shapes of the APIs are made from it elsewhere. A
//! test may also put records in an API's own shape, which replace the story's record of the same id.

pub mod model;
pub mod showcase;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::model::{Account, Alert, Device, File, Incident, Product, User};
use crate::records::Records;

/// Short names for ids and accounts: the files refer to them as `"@name"`.
const NAMES: &str = include_str!("../../company/names.json");
const DEVICES: &str = include_str!("../../company/devices.json");
const USERS: &str = include_str!("../../company/users.json");
const FILES: &str = include_str!("../../company/files.json");
/// What Defender for Endpoint has raised: the intrusion of 17 November 2026, and the alerts of an ordinary month.
const ENDPOINT_ALERTS: &str = include_str!("../../company/endpoint_alerts.json");
/// What the other products have raised about the intrusion. The Endpoint API does not serve these alerts.
const OTHER_ALERTS: &str = include_str!("../../company/other_alerts.json");
const INCIDENTS: &str = include_str!("../../company/incidents.json");

/// Everything that the stand-ins know.
#[derive(Debug, Clone, Default)]
pub struct Company {
    /// The tenant, as alerts name it.
    pub tenant: String,
    /// Devices.
    pub devices: Vec<Device>,
    /// Users.
    pub users: Vec<User>,
    /// Files.
    pub files: Vec<File>,
    /// Alerts of all products.
    pub alerts: Vec<Alert>,
    /// Incidents.
    pub incidents: Vec<Incident>,
    /// What tests have put in an API's own shape.
    pub(crate) records: Records,
}

impl Company {
    /// Contoso, in the days after somebody in Finance opened an invoice.
    pub fn contoso() -> Self {
        let names: Map<String, Value> = parse(NAMES);
        Self {
            devices: read(DEVICES, &names),
            users: read(USERS, &names),
            files: read(FILES, &names),
            alerts: [ENDPOINT_ALERTS, OTHER_ALERTS].iter().flat_map(|text| read::<Vec<_>>(text, &names)).collect(),
            incidents: read(INCIDENTS, &names),
            tenant: crate::TENANT_ID.to_owned(),
            records: Records::default(),
        }
    }

    pub(crate) fn device(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id.eq_ignore_ascii_case(id))
    }

    pub(crate) fn user(&self, account: &Account) -> Option<&User> {
        self.users.iter().find(|user| user.account == *account)
    }

    /// By SHA-1 or SHA-256.
    pub(crate) fn file(&self, hash: &str) -> Option<&File> {
        self.files.iter().find(|file| file.sha1.eq_ignore_ascii_case(hash) || file.sha256.eq_ignore_ascii_case(hash))
    }

    pub(crate) fn incident(&self, id: u64) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.id == id)
    }

    /// Alerts that the Endpoint API serves.
    pub(crate) fn endpoint_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.product == Product::Endpoint)
    }

    pub(crate) fn alerts_of(&self, incident: u64) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(move |alert| alert.incident == Some(incident))
    }
}

fn read<T: DeserializeOwned>(text: &str, names: &Map<String, Value>) -> T {
    let replace =
        |text: String, (name, value): (&String, &Value)| text.replace(&format!("\"@{name}\""), &value.to_string());
    parse(&names.iter().fold(text.to_owned(), replace))
}

#[expect(clippy::expect_used, reason = "the files are part of the program, and every test reads them")]
fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("a file of the company")
}

/// Whether the host of a web address is a domain or below it.
pub(crate) fn is_at_or_below(address: &str, domain: &str) -> bool {
    let url = url::Url::parse(address).or_else(|_| url::Url::parse(&format!("http://{address}")));
    let host = url.ok().and_then(|url| url.host_str().map(str::to_lowercase)).unwrap_or_default();
    host == domain || host.ends_with(&format!(".{domain}"))
}

/// Whether two names of devices or users are equal in lower case.
pub(crate) fn equal_names(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
