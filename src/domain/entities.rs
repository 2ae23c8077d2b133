//! The entities of all alerts: distinct, in the order of first occurrence.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::mem;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::accounts::{Accounts, Caseless};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct DeviceEntity<'a> {
    /// Its id.
    pub id: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ProcessEntity<'a> {
    /// Its number.
    pub pid: Option<i64>,
    /// The name of its image.
    pub name: Option<&'a str>,
    /// The directory of its image.
    pub path: Option<&'a str>,
    /// With what it was started.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct MailboxEntity<'a> {
    /// Its address.
    pub address: Option<&'a str>,
    /// Its name.
    pub display_name: Option<&'a str>,
}

/// A mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug)]
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

impl PartialEq for OtherEntity<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.members == other.members
    }
}

impl Eq for OtherEntity<'_> {}

impl Hash for OtherEntity<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
        for (name, value) in self.members.iter() {
            name.hash(state);
            value.get().hash(state);
        }
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

impl JsonSchema for OtherEntity<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OtherEntity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": true,
            "description": "Something of another type: its own members, under Defender's names.",
            "properties": {"type": {"type": "string", "description": "Defender's word for the type, in snake_case."}},
            "required": ["type"]
        })
    }
}

/// A list of distinct entities, at most [`MAX_ENTITIES`].
struct Distinct<T> {
    list: Vec<T>,
    seen: HashSet<T>,
    /// The entity that was added last: on most lists consecutive devices are equal.
    before: Option<T>,
    capped: bool,
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    fn new() -> Self {
        Self { list: Vec::new(), seen: HashSet::new(), before: None, capped: false }
    }

    fn add(&mut self, entity: T) {
        if self.capped || self.before == Some(entity) {
            return;
        }
        self.before = Some(entity);
        if self.list.len() == MAX_ENTITIES {
            self.capped = !self.seen.contains(&entity);
        } else if self.seen.insert(entity) {
            self.list.push(entity);
        }
    }
}

/// Collects the entities of alerts in their order. The second value names the types of which some were left out.
pub fn collect<'a>(alerts: impl Iterator<Item = &'a Alert>) -> (Entities<'a>, Vec<&'static str>) {
    let mut lists = EntityLists::new();
    for alert in alerts {
        lists.add_alert(alert);
    }
    lists.finish()
}

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
    fn new() -> Self {
        Self {
            devices: Distinct::new(),
            further_devices: Distinct::new(),
            users: Accounts::new(MAX_ENTITIES),
            files: Distinct::new(),
            processes: Distinct::new(),
            ips: Distinct::new(),
            urls: Distinct::new(),
            registry: Distinct::new(),
            mailboxes: Distinct::new(),
            mails: Distinct::new(),
            other: Distinct::new(),
        }
    }

    fn add_alert(&mut self, alert: &'a Alert) {
        for device in alert.devices() {
            add_device(&mut self.devices, device);
        }
        if let Some(account) = &alert.user {
            let user = UserEntity {
                name: Some(&account.name),
                domain: account.domain.as_deref(),
                upn: None,
                sid: None,
                aad_id: None,
            };
            self.users.add(user);
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
            Entity::Device(device) => add_device(&mut self.further_devices, device),
            Entity::User(user) if user.is_named() => self.users.add(UserEntity {
                name: user.name.as_deref(),
                domain: user.domain.as_deref(),
                upn: user.upn.as_deref(),
                sid: user.sid.as_deref(),
                aad_id: user.aad_id.as_deref(),
            }),
            Entity::User(_) => {}
            Entity::File(file) => {
                let entity = FileEntity {
                    name: file.name.as_deref(),
                    path: file.path.as_deref(),
                    sha1: file.sha1.as_deref(),
                    sha256: file.sha256.as_deref(),
                    md5: file.md5.as_deref(),
                };
                let none = FileEntity { name: None, path: None, sha1: None, sha256: None, md5: None };
                add_unless_empty(&mut self.files, entity, none);
            }
            Entity::Process(process) => {
                let entity = ProcessEntity {
                    pid: process.pid,
                    name: process.name.as_deref(),
                    path: process.path.as_deref(),
                    command_line: process.command_line.as_deref(),
                    created_at: process.created_at,
                    sha1: process.sha1.as_deref(),
                    sha256: process.sha256.as_deref(),
                };
                let none = ProcessEntity {
                    pid: None,
                    name: None,
                    path: None,
                    command_line: None,
                    created_at: None,
                    sha1: None,
                    sha256: None,
                };
                add_unless_empty(&mut self.processes, entity, none);
            }
            Entity::Ip(address) => self.ips.add(IpEntity { address }),
            Entity::Url(url) | Entity::Domain(url) => self.urls.add(UrlEntity { url }),
            Entity::Registry(registry) => {
                let entity = RegistryEntity {
                    hive: registry.hive.as_deref(),
                    key: registry.key.as_deref(),
                    value_name: registry.value_name.as_deref(),
                    value: registry.value.as_deref(),
                };
                let none = RegistryEntity { hive: None, key: None, value_name: None, value: None };
                add_unless_empty(&mut self.registry, entity, none);
            }
            Entity::Mailbox(mailbox) => {
                let entity = MailboxEntity {
                    address: mailbox.address.as_deref(),
                    display_name: mailbox.display_name.as_deref(),
                };
                add_unless_empty(&mut self.mailboxes, entity, MailboxEntity { address: None, display_name: None });
            }
            Entity::Mail(mail) => {
                let entity = MailEntity {
                    sender: mail.sender.as_deref(),
                    recipient: mail.recipient.as_deref(),
                    subject: mail.subject.as_deref(),
                    delivery_action: mail.delivery_action.as_deref(),
                };
                let none = MailEntity { sender: None, recipient: None, subject: None, delivery_action: None };
                add_unless_empty(&mut self.mails, entity, none);
            }
        }
    }

    /// Adds the further devices whose id and name are both not listed yet.
    fn add_further_devices(&mut self) {
        let parts = |device: &DeviceEntity<'a>| [device.id, device.name].into_iter().flatten().map(Caseless);
        let mut known: HashSet<Caseless<'a>> = self.devices.list.iter().flat_map(parts).collect();
        let further = mem::take(&mut self.further_devices.list);
        for device in further {
            if !parts(&device).any(|part| known.contains(&part)) {
                known.extend(parts(&device));
                self.devices.add(device);
            }
        }
        self.devices.capped |= self.further_devices.capped;
    }

    fn finish(mut self) -> (Entities<'a>, Vec<&'static str>) {
        self.add_further_devices();
        let (users, users_capped) = self.users.finish();
        let capped = [
            ("devices", self.devices.capped),
            ("users", users_capped),
            ("files", self.files.capped),
            ("processes", self.processes.capped),
            ("ips", self.ips.capped),
            ("urls", self.urls.capped),
            ("registry", self.registry.capped),
            ("mailboxes", self.mailboxes.capped),
            ("mails", self.mails.capped),
            ("other", self.other.capped),
        ];
        let entities = Entities {
            devices: self.devices.list,
            users,
            files: self.files.list,
            processes: self.processes.list,
            ips: self.ips.list,
            urls: self.urls.list,
            registry: self.registry.list,
            mailboxes: self.mailboxes.list,
            mails: self.mails.list,
            other: self.other.list,
        };
        (entities, capped.into_iter().filter(|(_, capped)| *capped).map(|(name, _)| name).collect())
    }
}

fn add_device<'a>(devices: &mut Distinct<DeviceEntity<'a>>, device: &'a Device) {
    if device.id.is_some() || device.name.is_some() {
        devices.add(DeviceEntity { id: device.id.as_deref(), name: device.name.as_deref() });
    }
}

fn add_unless_empty<T: Copy + Eq + Hash>(list: &mut Distinct<T>, entity: T, none: T) {
    if entity != none {
        list.add(entity);
    }
}
