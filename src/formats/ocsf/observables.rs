//! Observables: the values of an event that are worth a search, each once, with the path at which it stands.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/observable>.

use std::collections::HashSet;
use std::fmt;

use serde::{Serialize, Serializer};

use super::account::{User, is_email};
use super::device::{Device, Resource, is_hostname};
use super::evidence::{Artifact, is_address};
use super::file::File;
use super::process::Process;
use crate::domain::entities::Entities;
use crate::domain::evidence::{Entity, Evidence};

/// One value.
#[derive(Serialize)]
pub(super) struct Observable<'a> {
    /// Its path; without, it stands where only we know our way.
    pub(super) name: Option<Path>,
    pub(super) type_id: u8,
    pub(super) r#type: &'static str,
    pub(super) value: &'a str,
}

/// The path of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path {
    /// A member of the event's.
    Member(&'static str),
    /// A member of an item of a list.
    Item(&'static str, usize, &'static str),
    /// A hash of a file of an item of evidence.
    Hash(usize, &'static str, usize),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => f.write_str(member),
            Self::Item(list, at, member) => write!(f, "{list}[{at}].{member}"),
            Self::Hash(at, file, hash) => write!(f, "evidences[{at}].{file}.hashes[{hash}].value"),
        }
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Hostname,
    Ip,
    UserName,
    Email,
    Url,
    FileName,
    Hash,
    ProcessName,
    CommandLine,
    UserUid,
    ResourceName,
    FilePath,
    RegistryPath,
    DeviceUid,
}

impl Kind {
    fn id(self) -> u8 {
        match self {
            Self::Hostname => 1,
            Self::Ip => 2,
            Self::UserName => 4,
            Self::Email => 5,
            Self::Url => 6,
            Self::FileName => 7,
            Self::Hash => 8,
            Self::ProcessName => 9,
            Self::CommandLine => 13,
            Self::UserUid => 31,
            Self::ResourceName => 38,
            Self::FilePath => 45,
            Self::RegistryPath => 46,
            Self::DeviceUid => 47,
        }
    }

    fn caption(self) -> &'static str {
        match self {
            Self::Hostname => "Hostname",
            Self::Ip => "IP Address",
            Self::UserName => "User Name",
            Self::Email => "Email Address",
            Self::Url => "URL String",
            Self::FileName => "File Name",
            Self::Hash => "Hash",
            Self::ProcessName => "Process Name",
            Self::CommandLine => "Command Line",
            Self::UserUid => "User Object: uid",
            Self::ResourceName => "Resource Details Object: name",
            Self::FilePath => "File Path",
            Self::RegistryPath => "Registry Key Path",
            Self::DeviceUid => "Device Object: uid",
        }
    }
}

/// The values that were seen.
#[derive(Default)]
struct Observed<'a> {
    list: Vec<Observable<'a>>,
    seen: HashSet<(Kind, &'a str)>,
}

/// The observables of a Detection Finding.
pub(super) fn of_detection<'a>(
    device: Option<&'a Device<'a>>,
    resources: &'a [Resource<'a>],
    evidence: &'a [Artifact<'a>],
    items: &'a [Evidence],
) -> Vec<Observable<'a>> {
    let mut observed = Observed::default();
    if let Some(device) = device {
        observed.device(device);
    }
    for (at, resource) in resources.iter().enumerate() {
        observed.add(Kind::ResourceName, Path::Item("resources", at, "name"), Some(&resource.name));
    }
    for (at, artifact) in evidence.iter().enumerate() {
        observed.artifact(at, artifact);
    }
    for entity in items.iter().flat_map(Evidence::entities) {
        observed.entity(entity);
    }
    observed.list
}

/// The observables of an Incident Finding: those of its device, and what else its alerts touch. That stands where OCSF
/// knows no path, as an incident has no evidence.
pub(super) fn of_incident<'a>(device: Option<&'a Device<'a>>, entities: &Entities<'a>) -> Vec<Observable<'a>> {
    let mut observed = Observed::default();
    if let Some(device) = device {
        observed.device(device);
    }
    for device in &entities.devices {
        observed.note(Kind::Hostname, device.name.filter(|name| is_hostname(name)));
        observed.note(Kind::DeviceUid, device.id);
    }
    for user in &entities.users {
        observed.note(Kind::UserName, user.name);
        observed.note(Kind::UserUid, user.sid.or(user.aad_id));
        observed.note(Kind::Email, user.upn);
    }
    for file in &entities.files {
        observed.note(Kind::FileName, file.name);
        for hash in [file.md5, file.sha1, file.sha256] {
            observed.note(Kind::Hash, hash);
        }
    }
    for process in &entities.processes {
        observed.note(Kind::ProcessName, process.name);
        observed.note(Kind::CommandLine, process.command_line);
        for hash in [process.sha1, process.sha256] {
            observed.note(Kind::Hash, hash);
        }
    }
    for ip in &entities.ips {
        observed.note(Kind::Ip, Some(ip.address));
    }
    for url in &entities.urls {
        observed.note(Kind::Url, Some(url.url));
    }
    for mailbox in &entities.mailboxes {
        observed.note(Kind::Email, mailbox.address);
    }
    for mail in &entities.mails {
        observed.note(Kind::Email, mail.sender);
        observed.note(Kind::Email, mail.recipient);
    }
    observed.list
}

impl<'a> Observed<'a> {
    fn add(&mut self, kind: Kind, path: Path, value: Option<&'a str>) {
        self.put(kind, Some(path), value);
    }

    fn note(&mut self, kind: Kind, value: Option<&'a str>) {
        self.put(kind, None, value);
    }

    fn put(&mut self, kind: Kind, name: Option<Path>, value: Option<&'a str>) {
        if let Some(value) = value.filter(|value| !value.is_empty())
            && self.seen.insert((kind, value))
        {
            self.list.push(Observable { name, type_id: kind.id(), r#type: kind.caption(), value });
        }
    }

    /// Adds what has no path in the event, because an OCSF object holds one account and one address only.
    fn entity(&mut self, entity: Entity<'a>) {
        match entity {
            Entity::Device(device) => {
                self.note(Kind::Hostname, device.name.as_deref().filter(|name| is_hostname(name)));
                self.note(Kind::DeviceUid, device.id.as_deref());
            }
            Entity::User(user) => {
                self.note(Kind::UserName, user.name.as_deref());
                self.note(Kind::UserUid, user.sid.as_deref().or(user.aad_id.as_deref()));
                self.note(Kind::Email, user.upn.as_deref().filter(|upn| is_email(upn)));
            }
            Entity::File(file) => {
                self.note(Kind::FileName, file.name.as_deref());
                for hash in [&file.md5, &file.sha1, &file.sha256] {
                    self.note(Kind::Hash, hash.as_deref());
                }
            }
            Entity::Process(process) => {
                self.note(Kind::ProcessName, process.name.as_deref());
                self.note(Kind::CommandLine, process.command_line.as_deref());
                for hash in [&process.sha1, &process.sha256] {
                    self.note(Kind::Hash, hash.as_deref());
                }
            }
            Entity::Ip(address) => self.note(Kind::Ip, Some(address).filter(|address| is_address(address))),
            Entity::Url(url) => self.note(Kind::Url, Some(url)),
            Entity::Domain(domain) => self.note(Kind::Hostname, Some(domain).filter(|name| is_hostname(name))),
            Entity::Registry(_) => {}
            Entity::Mailbox(mailbox) => {
                self.note(Kind::Email, mailbox.address.as_deref().filter(|text| is_email(text)));
            }
            Entity::Mail(mail) => {
                for address in [&mail.sender, &mail.recipient, &mail.envelope_sender] {
                    self.note(Kind::Email, address.as_deref().filter(|text| is_email(text)));
                }
            }
        }
    }

    fn device(&mut self, device: &Device<'a>) {
        self.add(Kind::Hostname, Path::Member("device.hostname"), device.hostname);
        self.add(Kind::DeviceUid, Path::Member("device.uid"), device.uid);
    }

    fn artifact(&mut self, at: usize, artifact: &'a Artifact<'a>) {
        let path = |member| Path::Item("evidences", at, member);
        if let Some(process) = &artifact.process {
            self.process(at, process);
        }
        if let Some(file) = &artifact.file {
            self.file(at, &FILE, file);
        }
        if let Some(user) = &artifact.user {
            self.user(at, &USER, user);
        }
        let (source, target) = (&artifact.src_endpoint, &artifact.dst_endpoint);
        self.add(Kind::Ip, path("src_endpoint.ip"), source.as_ref().map(|endpoint| endpoint.ip));
        self.add(Kind::Ip, path("dst_endpoint.ip"), target.as_ref().map(|endpoint| endpoint.ip));
        self.add(Kind::Url, path("url.url_string"), artifact.url.as_ref().map(|url| url.url_string));
        self.add(Kind::RegistryPath, path("reg_key.path"), artifact.reg_key.as_ref().map(|key| &*key.path));
        if let Some(email) = &artifact.email {
            self.add(Kind::Email, path("email.from"), email.from);
            self.add(Kind::Email, path("email.to[0]"), email.to.first().copied());
            self.add(Kind::Email, path("email.return_path"), email.return_path);
            self.add(Kind::Ip, path("email.x_originating_ip[0]"), email.x_originating_ip.first().copied());
        }
    }

    fn process(&mut self, at: usize, process: &'a Process<'a>) {
        let path = |member| Path::Item("evidences", at, member);
        self.add(Kind::ProcessName, path("process.name"), process.name);
        self.add(Kind::CommandLine, path("process.cmd_line"), process.cmd_line);
        if let Some(file) = &process.file {
            self.file(at, &IMAGE, file);
        }
        if let Some(user) = &process.user {
            self.user(at, &PROCESS_USER, user);
        }
        if let Some(parent) = &process.parent_process {
            self.add(Kind::ProcessName, path("process.parent_process.name"), parent.name);
            if let Some(file) = &parent.file {
                self.file(at, &PARENT_IMAGE, file);
            }
        }
    }

    fn file(&mut self, at: usize, place: &FilePlace, file: &'a File<'a>) {
        let path = |member| Path::Item("evidences", at, member);
        // A file that has no name is called by its hash, which is no name to search for.
        let is_named = file.hashes.iter().all(|hash| hash.value != file.name);
        self.add(Kind::FileName, path(place.name), Some(file.name).filter(|_| is_named));
        self.add(Kind::FilePath, path(place.path), Some(&file.path));
        for (number, hash) in file.hashes.iter().enumerate() {
            self.add(Kind::Hash, Path::Hash(at, place.file, number), Some(&hash.value));
        }
    }

    fn user(&mut self, at: usize, place: &UserPlace, user: &User<'a>) {
        let path = |member| Path::Item("evidences", at, member);
        self.add(Kind::UserName, path(place.name), user.name);
        self.add(Kind::UserUid, path(place.uid), user.uid);
        self.add(Kind::Email, path(place.email_addr), user.email_addr);
    }
}

/// Where a file stands in an item of evidence, and its members.
struct FilePlace {
    file: &'static str,
    name: &'static str,
    path: &'static str,
}

/// The members of an account in an item of evidence.
struct UserPlace {
    name: &'static str,
    uid: &'static str,
    email_addr: &'static str,
}

const USER: UserPlace = UserPlace { name: "user.name", uid: "user.uid", email_addr: "user.email_addr" };
const PROCESS_USER: UserPlace =
    UserPlace { name: "process.user.name", uid: "process.user.uid", email_addr: "process.user.email_addr" };

const FILE: FilePlace = FilePlace { file: "file", name: "file.name", path: "file.path" };
const IMAGE: FilePlace = FilePlace { file: "process.file", name: "process.file.name", path: "process.file.path" };
const PARENT_IMAGE: FilePlace = FilePlace {
    file: "process.parent_process.file",
    name: "process.parent_process.file.name",
    path: "process.parent_process.file.path",
};

#[cfg(test)]
mod tests {
    use super::super::evidence::artifacts;
    use super::*;
    use crate::domain::evidence::{self, Detail};

    #[test]
    fn a_value_is_told_once_at_the_path_where_it_stands_first() {
        let file = |name: &str| Evidence {
            kind: "file".into(),
            detail: Detail::File(evidence::File {
                name: Some(name.into()),
                sha1: Some("ab".into()),
                ..Default::default()
            }),
            ..Evidence::default()
        };
        let items = [file("a.exe"), file("b.exe"), file("a.exe")];
        let artifacts = artifacts(&items);
        let observed = of_detection(None, &[], &artifacts, &items);
        let told: Vec<_> = observed
            .iter()
            .map(|one| (one.name.map(|path| path.to_string()).unwrap_or_default(), one.type_id, one.value))
            .collect();
        let right = [
            ("evidences[0].file.name".to_owned(), 7, "a.exe"),
            ("evidences[0].file.hashes[0].value".to_owned(), 8, "ab"),
            ("evidences[1].file.name".to_owned(), 7, "b.exe"),
        ];
        assert_eq!(told, right);
    }
}
