//! What an alert is built on: files, processes, accounts, addresses, mails.

use schemars::JsonSchema;
use serde::Serialize;

use super::alert::Device;
use super::extra::Extra;
use super::shared_str::SharedStr;
use super::timestamp::Timestamp;

/// One item of evidence: what is common to all types, and the members of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// Defender's word for the type, in `snake_case`: `file`, `process`, `user`, `ip`, `url`, `registry`, `mailbox`,
    /// `mail_message`, or any other.
    #[serde(rename = "type")]
    pub kind: SharedStr,
    /// Its role, where Defender sends one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<SharedStr>,
    /// What Defender thinks of it: `malicious`, `suspicious`, `no_threats_found` …
    pub verdict: Option<SharedStr>,
    /// What was done about it: `remediated`, `prevented`, `none` …
    pub remediation_status: Option<SharedStr>,
    /// What the detection did: `detected`, `blocked`, `prevented` …
    pub detection_status: Option<SharedStr>,
    /// When it was seen.
    pub observed_at: Option<Timestamp>,
    /// The members of its type.
    #[serde(flatten)]
    pub detail: Detail,
    /// Members without a field of their own here, unchanged; present only if there are any.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// The entities in those members, if there are any.
    #[serde(skip)]
    pub nested: Option<Box<NestedEntities>>,
}

/// The entities in the unknown members of an evidence item: accounts, files, addresses. The members stay in `extra`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NestedEntities {
    /// Devices.
    pub devices: Vec<Device>,
    /// Accounts.
    pub users: Vec<User>,
    /// Files, and hashes of files.
    pub files: Vec<File>,
    /// Processes.
    pub processes: Vec<Process>,
    /// Network addresses.
    pub ips: Vec<SharedStr>,
    /// The address that a connection came from.
    pub source: Option<SharedStr>,
    /// The address that a connection went to.
    pub destination: Option<SharedStr>,
    /// Web addresses.
    pub urls: Vec<SharedStr>,
    /// Domains.
    pub domains: Vec<SharedStr>,
    /// Mailboxes.
    pub mailboxes: Vec<Mailbox>,
    /// Mails.
    pub mails: Vec<Mail>,
}

/// An entity that an evidence item is or contains.
#[derive(Clone, Copy, Debug)]
pub enum Entity<'a> {
    /// A device.
    Device(&'a Device),
    /// An account.
    User(&'a User),
    /// A file.
    File(&'a File),
    /// A process.
    Process(&'a Process),
    /// A network address.
    Ip(&'a str),
    /// A web address.
    Url(&'a str),
    /// A domain.
    Domain(&'a str),
    /// A registry key or value.
    Registry(&'a Registry),
    /// A mailbox.
    Mailbox(&'a Mailbox),
    /// A mail.
    Mail(&'a Mail),
}

impl<'a> Entity<'a> {
    /// Returns the entity, and the entity that it contains.
    fn with_part(self) -> impl Iterator<Item = Entity<'a>> {
        let part = match self {
            Self::Process(process) => process.user.as_deref().map(Self::User),
            Self::Mailbox(mailbox) => mailbox.user.as_deref().map(Self::User),
            Self::Mail(mail) => mail.sender_ip.as_deref().map(Self::Ip),
            Self::Device(_)
            | Self::User(_)
            | Self::File(_)
            | Self::Ip(_)
            | Self::Url(_)
            | Self::Domain(_)
            | Self::Registry(_) => None,
        };
        [self].into_iter().chain(part)
    }
}

/// The members of one type of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Detail {
    /// A process.
    Process(Box<Process>),
    /// A file.
    File(File),
    /// An account.
    User(User),
    /// A network address.
    Ip(Ip),
    /// A web address.
    Url(Address),
    /// A registry key or value.
    Registry(Registry),
    /// A mailbox.
    Mailbox(Mailbox),
    /// A mail.
    Mail(Box<Mail>),
    /// A type that has no members of its own here: all it has is in `extra`.
    Other {},
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct File {
    /// Its name.
    pub name: Option<SharedStr>,
    /// Its directory, without the name.
    pub path: Option<SharedStr>,
    /// SHA-1 of its content.
    pub sha1: Option<SharedStr>,
    /// SHA-256 of its content.
    pub sha256: Option<SharedStr>,
    /// MD5 of its content.
    pub md5: Option<SharedStr>,
}

/// A process, and the one that started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Process {
    /// Its number.
    pub pid: Option<i64>,
    /// The command line that it was started with.
    pub command_line: Option<SharedStr>,
    /// When it was started.
    pub created_at: Option<Timestamp>,
    /// The name of its image.
    pub name: Option<SharedStr>,
    /// The directory of its image.
    pub path: Option<SharedStr>,
    /// SHA-1 of its image.
    pub sha1: Option<SharedStr>,
    /// SHA-256 of its image.
    pub sha256: Option<SharedStr>,
    /// The process that started it.
    pub parent: Parent,
    /// The account that it runs under; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<User>>,
}

/// The process that started another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ParentProcess")]
pub struct Parent {
    /// Its number.
    pub pid: Option<i64>,
    /// The name of its image.
    pub name: Option<SharedStr>,
    /// The directory of its image.
    pub path: Option<SharedStr>,
    /// When it was started.
    pub created_at: Option<Timestamp>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    /// The account name.
    pub name: Option<SharedStr>,
    /// Its domain.
    pub domain: Option<SharedStr>,
    /// Its user principal name.
    pub upn: Option<SharedStr>,
    /// Its security identifier.
    pub sid: Option<SharedStr>,
    /// Its object id in Entra.
    pub aad_id: Option<SharedStr>,
}

/// A network address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ip {
    /// Version 4 or 6; null has been seen.
    pub address: Option<SharedStr>,
}

/// A web address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "UrlAddress")]
pub struct Address {
    /// The address as Defender has it.
    pub url: Option<SharedStr>,
}

/// A registry key, with its value if Defender sends one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Registry {
    /// The hive: `HKEY_LOCAL_MACHINE` …
    pub hive: Option<SharedStr>,
    /// The key below the hive.
    pub key: Option<SharedStr>,
    /// The name of the value.
    pub value_name: Option<SharedStr>,
    /// The value.
    pub value: Option<SharedStr>,
    /// Its type.
    pub value_type: Option<SharedStr>,
}

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mailbox {
    /// Its address.
    pub address: Option<SharedStr>,
    /// Its name.
    pub display_name: Option<SharedStr>,
    /// The account that it belongs to; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<User>>,
}

/// A mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mail {
    /// The author's address: that of the header `From` (P2).
    pub sender: Option<SharedStr>,
    /// The recipient's address.
    pub recipient: Option<SharedStr>,
    /// Its subject.
    pub subject: Option<SharedStr>,
    /// What became of it: `Delivered`, `Blocked` …
    pub delivery_action: Option<SharedStr>,
    /// The address that the sending server gave (P1), where bounces go; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope_sender: Option<SharedStr>,
    /// The network address that it was sent from; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_ip: Option<SharedStr>,
    /// Its header `Message-ID`; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<SharedStr>,
    /// Microsoft's id of this copy of it; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_message_id: Option<SharedStr>,
    /// When it was received; present only if Defender sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
}

impl Default for Detail {
    fn default() -> Self {
        Self::Other {}
    }
}

impl Evidence {
    /// Returns the entity that the item is, and the entities that it contains.
    ///
    /// The image of a process and the last addresses of a device are not among them.
    pub fn entities(&self) -> impl Iterator<Item = Entity<'_>> {
        let own = match &self.detail {
            Detail::Process(process) => Some(Entity::Process(process)),
            Detail::File(file) => Some(Entity::File(file)),
            Detail::User(user) => Some(Entity::User(user)),
            Detail::Ip(ip) => ip.address.as_deref().map(Entity::Ip),
            Detail::Url(address) => address.url.as_deref().map(Entity::Url),
            Detail::Registry(registry) => Some(Entity::Registry(registry)),
            Detail::Mailbox(mailbox) => Some(Entity::Mailbox(mailbox)),
            Detail::Mail(mail) => Some(Entity::Mail(mail)),
            Detail::Other {} => None,
        };
        let nested = self.nested.iter().flat_map(|nested| nested.entities());
        own.into_iter().flat_map(Entity::with_part).chain(nested)
    }

    /// Returns its approximate size in bytes, without the body that its texts are parts of.
    pub fn weight(&self) -> usize {
        let apart = match &self.detail {
            Detail::Process(process) => size_of::<Process>() + process.user.as_ref().map_or(0, |_| size_of::<User>()),
            Detail::Mailbox(mailbox) => mailbox.user.as_ref().map_or(0, |_| size_of::<User>()),
            Detail::Mail(_) => size_of::<Mail>(),
            Detail::File(_)
            | Detail::User(_)
            | Detail::Ip(_)
            | Detail::Url(_)
            | Detail::Registry(_)
            | Detail::Other {} => 0,
        };
        size_of::<Self>() + apart + self.extra.weight() + self.nested.as_ref().map_or(0, |nested| nested.weight())
    }
}

impl NestedEntities {
    fn entities(&self) -> impl Iterator<Item = Entity<'_>> {
        let addresses = [&self.source, &self.destination].into_iter().flatten().chain(&self.ips);
        (self.devices.iter().map(Entity::Device))
            .chain(self.users.iter().map(Entity::User))
            .chain(self.files.iter().map(Entity::File))
            .chain(self.processes.iter().map(Entity::Process))
            .chain(addresses.map(|address| Entity::Ip(address)))
            .chain(self.urls.iter().map(|url| Entity::Url(url)))
            .chain(self.domains.iter().map(|domain| Entity::Domain(domain)))
            .chain(self.mailboxes.iter().map(Entity::Mailbox))
            .chain(self.mails.iter().map(Entity::Mail))
            .flat_map(Entity::with_part)
    }

    /// Returns the entities, or `None` if there are none.
    pub fn unless_empty(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.entities().count() * size_of::<Process>()
    }
}

impl User {
    /// Whether it identifies an account.
    pub fn is_named(&self) -> bool {
        [&self.name, &self.upn, &self.sid, &self.aad_id].into_iter().any(Option::is_some)
    }
}
