//! The invented company: what the stand-ins know, and how it is found.
//!
//! The story is told once, in [`model`]'s words; the shapes of the APIs are made from it elsewhere. A test may also put
//! records in an API's own shape, which stand in for whatever the story says under the same id.

mod alerts;
mod assets;
mod cloud_alerts;
pub mod evidence;
mod incidents;
pub mod model;
pub mod showcase;

use self::evidence::{Entity, Evidence};
use self::model::{Account, Alert, Device, File, Incident, Product, User};
use super::records::Records;

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
    pub(super) records: Records,
}

impl Company {
    /// Contoso, in the days after somebody in Finance opened an invoice.
    pub fn contoso() -> Self {
        Self {
            tenant: crate::sandbox::TENANT_ID.to_owned(),
            devices: assets::DEVICES.to_vec(),
            users: assets::USERS.to_vec(),
            files: assets::FILES.to_vec(),
            alerts: [alerts::ALERTS, cloud_alerts::ALERTS].concat(),
            incidents: incidents::INCIDENTS.to_vec(),
            records: Records::default(),
        }
    }

    /// A company that nothing is known of.
    pub fn empty() -> Self {
        Self { tenant: crate::sandbox::TENANT_ID.to_owned(), ..Self::default() }
    }

    pub(super) fn device(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id.eq_ignore_ascii_case(id))
    }

    pub(super) fn user(&self, account: Account) -> Option<&User> {
        self.users.iter().find(|user| user.account == account)
    }

    /// By SHA-1 or SHA-256.
    pub(super) fn file(&self, hash: &str) -> Option<&File> {
        self.files.iter().find(|file| file.sha1.eq_ignore_ascii_case(hash) || file.sha256.eq_ignore_ascii_case(hash))
    }

    /// Alerts that the Endpoint API serves.
    pub(super) fn endpoint_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.product == Product::Endpoint)
    }

    pub(super) fn alerts_of(&self, incident: u64) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(move |alert| alert.incident == Some(incident))
    }
}

impl Alert {
    /// The Endpoint API files an alert under one device, the main one.
    pub(super) fn is_on(&self, device: &str) -> bool {
        self.devices.first().is_some_and(|id| id.eq_ignore_ascii_case(device))
    }

    /// By account name alone, whatever the domain: two people of one name share their alerts.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let named = |account: &Account| equal_names(account.name, name);
        let shown = self.evidence.iter().any(|item| matches!(&item.entity, Entity::User(account) if named(account)));
        shown || self.user.as_ref().is_some_and(named)
    }

    /// At an end of a connection.
    pub(super) fn tells_of_address(&self, address: &str) -> bool {
        self.evidence.iter().any(|item| matches!(item.entity, Entity::Ip(Some(known)) if known == address))
    }

    /// By an address whose host is the domain or below it.
    pub(super) fn tells_of_host(&self, domain: &str) -> bool {
        self.evidence.iter().any(|item| matches!(item.entity, Entity::Url(url) if is_at_or_below(url, domain)))
    }

    pub(super) fn shows(&self, sha1: &str) -> bool {
        self.evidence.iter().filter_map(Evidence::sha1).any(|hash| hash.eq_ignore_ascii_case(sha1))
    }
}

/// Whether the host of a web address is a domain or below it.
pub(super) fn is_at_or_below(address: &str, domain: &str) -> bool {
    let url = url::Url::parse(address).or_else(|_| url::Url::parse(&format!("http://{address}")));
    let host = url.ok().and_then(|url| url.host_str().map(str::to_lowercase)).unwrap_or_default();
    host == domain || host.ends_with(&format!(".{domain}"))
}

impl Evidence {
    /// The hash of the file, or of the process's image.
    fn sha1(&self) -> Option<&'static str> {
        match self.entity {
            Entity::File { sha1, .. } => Some(sha1),
            Entity::Process(process) => Some(process.sha1),
            Entity::User(_)
            | Entity::Ip(_)
            | Entity::Url(_)
            | Entity::Registry { .. }
            | Entity::Mailbox(_)
            | Entity::Mail { .. }
            | Entity::MailCluster(_)
            | Entity::CloudApplication { .. } => None,
        }
    }
}

/// Whether two names of devices or users are one, capitals aside.
pub(super) fn equal_names(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
