//! What an alert is built on: files, processes, accounts, addresses, mails.

use schemars::JsonSchema;
use serde::Serialize;

use super::extra::Extra;
use super::text::Text;
use super::time::Moment;

/// One item of evidence: what is common to all types, and the members of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// Defender's word for the type, in `snake_case`: `file`, `process`, `user`, `ip`, `url`, `registry`, `mailbox`,
    /// `mail_message`, or any other.
    #[serde(rename = "type")]
    pub kind: Text,
    /// The part it played, where Defender tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Text>,
    /// What Defender thinks of it: `malicious`, `suspicious`, `no_threats_found` …
    pub verdict: Option<Text>,
    /// What was done about it: `remediated`, `prevented`, `none` …
    pub remediation_status: Option<Text>,
    /// What the detection did: `detected`, `blocked`, `prevented` …
    pub detection_status: Option<Text>,
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
    pub name: Option<Text>,
    /// Its directory, without the name.
    pub path: Option<Text>,
    /// SHA-1 of its content.
    pub sha1: Option<Text>,
    /// SHA-256 of its content.
    pub sha256: Option<Text>,
    /// MD5 of its content.
    pub md5: Option<Text>,
}

/// A process, and the one that started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Process {
    /// Its number.
    pub pid: Option<i64>,
    /// With what it was started.
    pub command_line: Option<Text>,
    /// When it was started.
    pub created_at: Option<Moment>,
    /// The name of its image.
    pub name: Option<Text>,
    /// The directory of its image.
    pub path: Option<Text>,
    /// SHA-1 of its image.
    pub sha1: Option<Text>,
    /// SHA-256 of its image.
    pub sha256: Option<Text>,
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
    pub name: Option<Text>,
    /// The directory of its image.
    pub path: Option<Text>,
    /// When it was started.
    pub created_at: Option<Moment>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    /// The account name.
    pub name: Option<Text>,
    /// Its domain.
    pub domain: Option<Text>,
    /// Its user principal name.
    pub upn: Option<Text>,
    /// Its security identifier.
    pub sid: Option<Text>,
    /// Its object id in Entra.
    pub aad_id: Option<Text>,
}

/// A network address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ip {
    /// Version 4 or 6; null has been seen.
    pub address: Option<Text>,
}

/// A web address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "UrlAddress")]
pub struct Address {
    /// The address as Defender has it.
    pub url: Option<Text>,
}

/// A registry key, with a value where one is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Registry {
    /// The hive: `HKEY_LOCAL_MACHINE` …
    pub hive: Option<Text>,
    /// The key below the hive.
    pub key: Option<Text>,
    /// The name of the value.
    pub value_name: Option<Text>,
    /// The value.
    pub value: Option<Text>,
    /// Its type.
    pub value_type: Option<Text>,
}

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mailbox {
    /// Its address.
    pub address: Option<Text>,
    /// Its name.
    pub display_name: Option<Text>,
}

/// A mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mail {
    /// The sender's address.
    pub sender: Option<Text>,
    /// The recipient's address.
    pub recipient: Option<Text>,
    /// Its subject.
    pub subject: Option<Text>,
    /// What became of it: `Delivered`, `Blocked` …
    pub delivery_action: Option<Text>,
}

impl Default for Detail {
    fn default() -> Self {
        Self::Other {}
    }
}

impl Evidence {
    /// Roughly what it occupies, in bytes, beside the body that its texts are parts of.
    pub(super) fn weight(&self) -> usize {
        let apart = if let Detail::Process(_) = self.detail { size_of::<Process>() } else { 0 };
        size_of::<Self>() + apart + self.extra.weight()
    }
}
