//! What an alert is built on: files, processes, accounts, addresses, mails.

use schemars::JsonSchema;
use serde::Serialize;

use super::extra::Extra;
use super::time::Moment;

/// One item of evidence: what is common to all types, and the members of its own.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// Defender's word for the type, in `snake_case`: `file`, `process`, `user`, `ip`, `url`, `registry`, `mailbox`,
    /// `mail_message`, or any other.
    #[serde(rename = "type")]
    pub kind: String,
    /// The part it played, where Defender tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What Defender thinks of it: `malicious`, `suspicious`, `no_threats_found` …
    pub verdict: Option<String>,
    /// What was done about it: `remediated`, `prevented`, `none` …
    pub remediation_status: Option<String>,
    /// What the detection did: `detected`, `blocked`, `prevented` …
    pub detection_status: Option<String>,
    /// When it was seen.
    pub observed_at: Option<Moment>,
    /// The members of its type.
    #[serde(flatten)]
    pub detail: Detail,
    /// Members that have no home here, as they came; only there when there are any.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
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
    Mail(Mail),
    /// A type that has no members of its own here: all it has is in `extra`.
    Other {},
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct File {
    /// Its name.
    pub name: Option<String>,
    /// Its directory, without the name.
    pub path: Option<String>,
    /// SHA-1 of its content.
    pub sha1: Option<String>,
    /// SHA-256 of its content.
    pub sha256: Option<String>,
    /// MD5 of its content.
    pub md5: Option<String>,
}

/// A process, and the one that started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Process {
    /// Its number.
    pub pid: Option<i64>,
    /// With what it was started.
    pub command_line: Option<String>,
    /// When it was started.
    pub created_at: Option<Moment>,
    /// The name of its image.
    pub name: Option<String>,
    /// The directory of its image.
    pub path: Option<String>,
    /// SHA-1 of its image.
    pub sha1: Option<String>,
    /// SHA-256 of its image.
    pub sha256: Option<String>,
    /// The process that started it.
    pub parent: Parent,
}

/// The process that started another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ParentProcess")]
pub struct Parent {
    /// Its number.
    pub pid: Option<i64>,
    /// The name of its image.
    pub name: Option<String>,
    /// The directory of its image.
    pub path: Option<String>,
    /// When it was started.
    pub created_at: Option<Moment>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    /// The account name.
    pub name: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Its user principal name.
    pub upn: Option<String>,
    /// Its security identifier.
    pub sid: Option<String>,
    /// Its object id in Entra.
    pub aad_id: Option<String>,
}

/// A network address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ip {
    /// Version 4 or 6; null has been seen.
    pub address: Option<String>,
}

/// A web address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "UrlAddress")]
pub struct Address {
    /// The address as Defender has it.
    pub url: Option<String>,
}

/// A registry key, with a value where one is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Registry {
    /// The hive: `HKEY_LOCAL_MACHINE` …
    pub hive: Option<String>,
    /// The key below the hive.
    pub key: Option<String>,
    /// The name of the value.
    pub value_name: Option<String>,
    /// The value.
    pub value: Option<String>,
    /// Its type.
    pub value_type: Option<String>,
}

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mailbox {
    /// Its address.
    pub address: Option<String>,
    /// Its name.
    pub display_name: Option<String>,
}

/// A mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mail {
    /// The sender's address.
    pub sender: Option<String>,
    /// The recipient's address.
    pub recipient: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// What became of it: `Delivered`, `Blocked` …
    pub delivery_action: Option<String>,
}

impl Evidence {
    /// Roughly what it occupies, in bytes.
    pub(super) fn weight(&self) -> usize {
        let text =
            |texts: &[&Option<String>]| texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum::<usize>();
        let detail = match &self.detail {
            Detail::File(file) => text(&[&file.name, &file.path, &file.sha1, &file.sha256, &file.md5]),
            Detail::Process(process) => {
                size_of::<Process>()
                    + text(&[&process.command_line, &process.name, &process.path, &process.sha1, &process.sha256])
                    + text(&[&process.parent.name, &process.parent.path])
            }
            Detail::User(user) => text(&[&user.name, &user.domain, &user.upn, &user.sid, &user.aad_id]),
            Detail::Ip(ip) => text(&[&ip.address]),
            Detail::Url(address) => text(&[&address.url]),
            Detail::Registry(registry) => {
                text(&[&registry.hive, &registry.key, &registry.value_name, &registry.value, &registry.value_type])
            }
            Detail::Mailbox(mailbox) => text(&[&mailbox.address, &mailbox.display_name]),
            Detail::Mail(mail) => text(&[&mail.sender, &mail.recipient, &mail.subject, &mail.delivery_action]),
            Detail::Other {} => 0,
        };
        size_of::<Self>() + self.kind.len() + detail + self.extra.weight()
    }
}
