//! The entities of all alerts: distinct, in the order of first occurrence.

use std::collections::HashSet;
use std::hash::Hash;
use std::mem;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;
use serde_json::value::RawValue;

use super::accounts::Accounts;
use super::alert::{Alert, Device};
use super::evidence::{Detail, Entity};
use super::extra::Extra;
use super::timestamp::Timestamp;

/// The most entities of one type in an answer.
pub const MAX_ENTITIES: usize = 100;

/// The entities of all alerts, at most 100 of each sort.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Entities<'a> {
    /// Devices.
    pub devices: Vec<DeviceEntity<'a>>,
    /// Accounts.
    pub users: Vec<UserEntity<'a>>,
    /// Files.
    pub files: Vec<FileEntity<'a>>,
    /// Processes.
    pub processes: Vec<ProcessEntity<'a>>,
    /// Network addresses.
    pub ips: Vec<IpEntity<'a>>,
    /// Web addresses.
    pub urls: Vec<UrlEntity<'a>>,
    /// Registry keys and values.
    pub registry: Vec<RegistryEntity<'a>>,
    /// Mailboxes.
    pub mailboxes: Vec<MailboxEntity<'a>>,
    /// Mails.
    pub mails: Vec<MailEntity<'a>>,
    /// Everything of another type.
    pub other: Vec<OtherEntity<'a>>,
}

/// A device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct DeviceEntity<'a> {
    /// Its id.
    pub id: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
}

/// An account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct UserEntity<'a> {
    /// The account name.
    pub name: Option<&'a str>,
    /// Its domain.
    pub domain: Option<&'a str>,
    /// Its user principal name.
    pub upn: Option<&'a str>,
    /// Its security identifier.
    pub sid: Option<&'a str>,
    /// Its object id in Entra.
    pub aad_id: Option<&'a str>,
}

/// A file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct FileEntity<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// Its directory.
    pub path: Option<&'a str>,
    /// SHA-1 of its content.
    pub sha1: Option<&'a str>,
    /// SHA-256 of its content.
    pub sha256: Option<&'a str>,
    /// MD5 of its content.
    pub md5: Option<&'a str>,
}

/// A process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ProcessEntity<'a> {
    /// Its number.
    pub pid: Option<i64>,
    /// The name of its image.
    pub name: Option<&'a str>,
    /// The directory of its image.
    pub path: Option<&'a str>,
    /// The command line that it was started with.
    pub command_line: Option<&'a str>,
    /// When it was started.
    pub created_at: Option<Timestamp>,
    /// SHA-1 of its image.
    pub sha1: Option<&'a str>,
    /// SHA-256 of its image.
    pub sha256: Option<&'a str>,
}

/// A network address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct IpEntity<'a> {
    /// The address.
    pub address: &'a str,
}

/// A web address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct UrlEntity<'a> {
    /// The address.
    pub url: &'a str,
}

/// A registry key or value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct RegistryEntity<'a> {
    /// The hive.
    pub hive: Option<&'a str>,
    /// The key.
    pub key: Option<&'a str>,
    /// The name of the value.
    pub value_name: Option<&'a str>,
    /// The value.
    pub value: Option<&'a str>,
}

/// A mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct MailboxEntity<'a> {
    /// Its address.
    pub address: Option<&'a str>,
    /// Its name.
    pub display_name: Option<&'a str>,
}

/// A mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct MailEntity<'a> {
    /// The sender's address.
    pub sender: Option<&'a str>,
    /// The recipient's address.
    pub recipient: Option<&'a str>,
    /// Its subject.
    pub subject: Option<&'a str>,
    /// What became of it.
    pub delivery_action: Option<&'a str>,
}

/// Something of another type: its type, and all its own members under Defender's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(
    with = "serde_json::Value",
    description = "Something of another type: its own members, under Defender's names.",
    extend(
        "type" = "object",
        "additionalProperties" = true,
        "properties" = json!({"type": {"type": "string", "description": "Defender's word for the type, in snake_case."}}),
        "required" = ["type"]
    )
)]
pub struct OtherEntity<'a> {
    kind: &'a str,
    members: &'a Extra,
}

impl<'a> OtherEntity<'a> {
    /// Returns its members without empty texts and without `type`, which is written separately.
    fn members(&self) -> impl Iterator<Item = (&'a str, &'a RawValue)> {
        self.members.iter().filter(|(name, value)| *name != "type" && value.get() != "\"\"")
    }
}

impl Serialize for OtherEntity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        for (name, value) in self.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A list of distinct entities, at most [`MAX_ENTITIES`].
struct Distinct<T> {
    list: Vec<T>,
    seen: HashSet<T>,
    is_capped: bool,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { list: Vec::new(), seen: HashSet::new(), is_capped: false }
    }
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    fn add(&mut self, entity: T) {
        if self.list.len() == MAX_ENTITIES {
            self.is_capped = self.is_capped || !self.seen.contains(&entity);
        } else if self.seen.insert(entity) {
            self.list.push(entity);
        }
    }

    fn add_unless_empty(&mut self, entity: T)
    where
        T: Default,
    {
        if entity != T::default() {
            self.add(entity);
        }
    }
}

/// Collects the entities of alerts in their order. The second value names the types of which some were left out.
pub fn collect<'a>(alerts: impl Iterator<Item = &'a Alert>) -> (Entities<'a>, Vec<&'static str>) {
    let mut lists = EntityLists::default();
    for alert in alerts {
        lists.add_alert(alert);
    }
    lists.finish()
}

#[derive(Default)]
struct EntityLists<'a> {
    devices: Distinct<DeviceEntity<'a>>,
    /// Devices inside other evidence. They are listed only if no other item names them.
    further_devices: Distinct<DeviceEntity<'a>>,
    users: Accounts<'a>,
    files: Distinct<FileEntity<'a>>,
    processes: Distinct<ProcessEntity<'a>>,
    ips: Distinct<IpEntity<'a>>,
    urls: Distinct<UrlEntity<'a>>,
    registry: Distinct<RegistryEntity<'a>>,
    mailboxes: Distinct<MailboxEntity<'a>>,
    mails: Distinct<MailEntity<'a>>,
    other: Distinct<OtherEntity<'a>>,
}

impl<'a> EntityLists<'a> {
    fn add_alert(&mut self, alert: &'a Alert) {
        for device in alert.devices() {
            self.devices.add_unless_empty(device.into());
        }
        if let Some(account) = &alert.user {
            let (name, domain) = (Some(&*account.name), account.domain.as_deref());
            self.users.add(UserEntity { name, domain, ..UserEntity::default() });
        }
        for item in &alert.evidence {
            for entity in item.entities() {
                self.add(entity);
            }
            // A device is already in `devices`, from the alert.
            let is_other = matches!(item.detail, Detail::Other {}) && item.kind != "device";
            let entity = OtherEntity { kind: &item.kind, members: &item.extra };
            if is_other && entity.members().next().is_some() {
                self.other.add(entity);
            }
        }
    }

    fn add(&mut self, entity: Entity<'a>) {
        match entity {
            Entity::Device(device) => self.further_devices.add_unless_empty(device.into()),
            Entity::User(user) if user.is_named() => self.users.add(UserEntity {
                name: user.name.as_deref(),
                domain: user.domain.as_deref(),
                upn: user.upn.as_deref(),
                sid: user.sid.as_deref(),
                aad_id: user.aad_id.as_deref(),
            }),
            Entity::User(_) => {}
            Entity::File(file) => self.files.add_unless_empty(FileEntity {
                name: file.name.as_deref(),
                path: file.path.as_deref(),
                sha1: file.sha1.as_deref(),
                sha256: file.sha256.as_deref(),
                md5: file.md5.as_deref(),
            }),
            Entity::Process(process) => self.processes.add_unless_empty(ProcessEntity {
                pid: process.pid,
                name: process.name.as_deref(),
                path: process.path.as_deref(),
                command_line: process.command_line.as_deref(),
                created_at: process.created_at,
                sha1: process.sha1.as_deref(),
                sha256: process.sha256.as_deref(),
            }),
            Entity::Ip(address) => self.ips.add(IpEntity { address }),
            Entity::Url(url) | Entity::Domain(url) => self.urls.add(UrlEntity { url }),
            Entity::Registry(registry) => self.registry.add_unless_empty(RegistryEntity {
                hive: registry.hive.as_deref(),
                key: registry.key.as_deref(),
                value_name: registry.value_name.as_deref(),
                value: registry.value.as_deref(),
            }),
            Entity::Mailbox(mailbox) => self.mailboxes.add_unless_empty(MailboxEntity {
                address: mailbox.address.as_deref(),
                display_name: mailbox.display_name.as_deref(),
            }),
            Entity::Mail(mail) => self.mails.add_unless_empty(MailEntity {
                sender: mail.sender.as_deref(),
                recipient: mail.recipient.as_deref(),
                subject: mail.subject.as_deref(),
                delivery_action: mail.delivery_action.as_deref(),
            }),
        }
    }

    /// Adds the further devices whose id and name are both not listed yet.
    fn add_further_devices(&mut self) {
        let parts =
            |device: &DeviceEntity<'a>| [device.id, device.name].into_iter().flatten().map(str::to_ascii_lowercase);
        let mut known: HashSet<String> = self.devices.list.iter().flat_map(parts).collect();
        for device in mem::take(&mut self.further_devices.list) {
            if !parts(&device).any(|part| known.contains(&part)) {
                known.extend(parts(&device));
                self.devices.add(device);
            }
        }
        self.devices.is_capped |= self.further_devices.is_capped;
    }

    fn finish(mut self) -> (Entities<'a>, Vec<&'static str>) {
        fn take<T>(distinct: Distinct<T>, name: &'static str, capped: &mut Vec<&'static str>) -> Vec<T> {
            capped.extend(distinct.is_capped.then_some(name));
            distinct.list
        }

        self.add_further_devices();
        let (users, users_capped) = self.users.finish();
        let users = Distinct { list: users, is_capped: users_capped, ..Distinct::default() };
        let mut capped = Vec::new();
        let entities = Entities {
            devices: take(self.devices, "devices", &mut capped),
            users: take(users, "users", &mut capped),
            files: take(self.files, "files", &mut capped),
            processes: take(self.processes, "processes", &mut capped),
            ips: take(self.ips, "ips", &mut capped),
            urls: take(self.urls, "urls", &mut capped),
            registry: take(self.registry, "registry", &mut capped),
            mailboxes: take(self.mailboxes, "mailboxes", &mut capped),
            mails: take(self.mails, "mails", &mut capped),
            other: take(self.other, "other", &mut capped),
        };
        (entities, capped)
    }
}

impl<'a> From<&'a Device> for DeviceEntity<'a> {
    fn from(device: &'a Device) -> Self {
        Self { id: device.id.as_deref(), name: device.name.as_deref() }
    }
}
