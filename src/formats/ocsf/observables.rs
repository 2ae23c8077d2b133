//! Observables: the values of an event that are worth a search, each once, with its path in the event.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/observable>.

use std::collections::HashSet;
use std::fmt::Arguments;

use serde::Serialize;

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
    /// Its path; `None` if the value is only in a member for which OCSF has no path.
    pub(super) name: Option<String>,
    pub(super) type_id: u8,
    pub(super) r#type: &'static str,
    pub(super) value: &'a str,
}

/// A type of observables: its number and its caption.
type Kind = (u8, &'static str);

const HOSTNAME: Kind = (1, "Hostname");
const IP: Kind = (2, "IP Address");
const USER_NAME: Kind = (4, "User Name");
const EMAIL: Kind = (5, "Email Address");
const URL: Kind = (6, "URL String");
const FILE_NAME: Kind = (7, "File Name");
const HASH: Kind = (8, "Hash");
const PROCESS_NAME: Kind = (9, "Process Name");
const COMMAND_LINE: Kind = (13, "Command Line");
const USER_UID: Kind = (31, "User Object: uid");
const RESOURCE_NAME: Kind = (38, "Resource Details Object: name");
const FILE_PATH: Kind = (45, "File Path");
const REGISTRY_PATH: Kind = (46, "Registry Key Path");
const DEVICE_UID: Kind = (47, "Device Object: uid");

/// Collects observables, each once.
#[derive(Default)]
struct Collector<'a> {
    list: Vec<Observable<'a>>,
    seen: HashSet<(Kind, &'a str)>,
}

/// The observables of a Detection Finding.
pub(super) fn of_detection<'a>(
    device: Option<&'a Device<'a>>,
    resources: &'a [Resource<'a>],
    artifacts: &'a [Artifact<'a>],
    evidence: &'a [Evidence],
) -> Vec<Observable<'a>> {
    let mut collector = Collector::default();
    collector.add_device(device);
    for (at, resource) in resources.iter().enumerate() {
        collector.add(RESOURCE_NAME, format_args!("resources[{at}].name"), Some(&resource.name));
    }
    for (at, artifact) in artifacts.iter().enumerate() {
        collector.add_artifact(&format!("evidences[{at}]"), artifact);
    }
    // An OCSF object holds one account and one address only, so the others have no path.
    for entity in evidence.iter().flat_map(Evidence::entities) {
        collector.add_thing(entity);
    }
    collector.list
}

/// The observables of an Incident Finding: its device, and the entities of its alerts. These have no path, because an
/// Incident Finding has no evidence.
pub(super) fn of_incident<'a>(device: Option<&'a Device<'a>>, entities: &Entities<'a>) -> Vec<Observable<'a>> {
    let mut collector = Collector::default();
    collector.add_device(device);
    for device in &entities.devices {
        collector.add_without_path(HOSTNAME, [device.name.filter(|name| is_hostname(name))]);
        collector.add_without_path(DEVICE_UID, [device.id]);
    }
    for user in &entities.users {
        collector.add_without_path(USER_NAME, [user.name]);
        collector.add_without_path(USER_UID, [user.sid.or(user.aad_id)]);
        collector.add_without_path(EMAIL, [user.upn]);
    }
    for file in &entities.files {
        collector.add_without_path(FILE_NAME, [file.name]);
        collector.add_without_path(HASH, [file.md5, file.sha1, file.sha256]);
    }
    for process in &entities.processes {
        collector.add_without_path(PROCESS_NAME, [process.name]);
        collector.add_without_path(COMMAND_LINE, [process.command_line]);
        collector.add_without_path(HASH, [process.sha1, process.sha256]);
    }
    collector.add_without_path(IP, entities.ips.iter().map(|ip| Some(ip.address)));
    collector.add_without_path(URL, entities.urls.iter().map(|url| Some(url.url)));
    collector.add_without_path(EMAIL, entities.mailboxes.iter().map(|mailbox| mailbox.address));
    collector.add_without_path(EMAIL, entities.mails.iter().flat_map(|mail| [mail.sender, mail.recipient]));
    collector.list
}

impl<'a> Collector<'a> {
    fn add(&mut self, kind: Kind, path: Arguments<'_>, value: Option<&'a str>) {
        self.insert(kind, Some(path), value);
    }

    fn add_without_path(&mut self, kind: Kind, values: impl IntoIterator<Item = Option<&'a str>>) {
        for value in values {
            self.insert(kind, None, value);
        }
    }

    fn insert(&mut self, kind: Kind, path: Option<Arguments<'_>>, value: Option<&'a str>) {
        if let Some(value) = value.filter(|value| !value.is_empty())
            && self.seen.insert((kind, value))
        {
            let (type_id, r#type) = kind;
            self.list.push(Observable { name: path.map(|path| path.to_string()), type_id, r#type, value });
        }
    }

    fn add_thing(&mut self, entity: Entity<'a>) {
        match entity {
            Entity::Device(device) => {
                self.add_without_path(HOSTNAME, [device.name.as_deref().filter(|name| is_hostname(name))]);
                self.add_without_path(DEVICE_UID, [device.id.as_deref()]);
            }
            Entity::User(user) => {
                self.add_without_path(USER_NAME, [user.name.as_deref()]);
                self.add_without_path(USER_UID, [user.sid.as_deref().or(user.aad_id.as_deref())]);
                self.add_without_path(EMAIL, [user.upn.as_deref().filter(|upn| is_email(upn))]);
            }
            Entity::File(file) => {
                self.add_without_path(FILE_NAME, [file.name.as_deref()]);
                self.add_without_path(HASH, [&file.md5, &file.sha1, &file.sha256].map(Option::as_deref));
            }
            Entity::Process(process) => {
                self.add_without_path(PROCESS_NAME, [process.name.as_deref()]);
                self.add_without_path(COMMAND_LINE, [process.command_line.as_deref()]);
                self.add_without_path(HASH, [&process.sha1, &process.sha256].map(Option::as_deref));
            }
            Entity::Ip(address) => self.add_without_path(IP, [Some(address).filter(|address| is_address(address))]),
            Entity::Url(url) => self.add_without_path(URL, [Some(url)]),
            Entity::Domain(domain) => self.add_without_path(HOSTNAME, [Some(domain).filter(|name| is_hostname(name))]),
            Entity::Registry(_) => {}
            Entity::Mailbox(mailbox) => {
                self.add_without_path(EMAIL, [mailbox.address.as_deref().filter(|text| is_email(text))]);
            }
            Entity::Mail(mail) => {
                let addresses = [&mail.sender, &mail.recipient, &mail.envelope_sender].map(Option::as_deref);
                self.add_without_path(EMAIL, addresses.map(|address| address.filter(|text| is_email(text))));
            }
        }
    }

    fn add_device(&mut self, device: Option<&Device<'a>>) {
        if let Some(device) = device {
            self.add(HOSTNAME, format_args!("device.hostname"), device.hostname);
            self.add(DEVICE_UID, format_args!("device.uid"), device.uid);
        }
    }

    fn add_artifact(&mut self, path: &str, artifact: &'a Artifact<'a>) {
        if let Some(process) = &artifact.process {
            self.add_process(&format!("{path}.process"), process);
        }
        if let Some(file) = &artifact.file {
            self.add_file(&format!("{path}.file"), file);
        }
        if let Some(user) = &artifact.user {
            self.add_user(&format!("{path}.user"), user);
        }
        let (source, target) = (&artifact.src_endpoint, &artifact.dst_endpoint);
        self.add(IP, format_args!("{path}.src_endpoint.ip"), source.as_ref().map(|endpoint| endpoint.ip));
        self.add(IP, format_args!("{path}.dst_endpoint.ip"), target.as_ref().map(|endpoint| endpoint.ip));
        self.add(URL, format_args!("{path}.url.url_string"), artifact.url.as_ref().map(|url| url.url_string));
        self.add(REGISTRY_PATH, format_args!("{path}.reg_key.path"), artifact.reg_key.as_ref().map(|key| &*key.path));
        if let Some(email) = &artifact.email {
            let address = email.x_originating_ip.first().copied();
            self.add(EMAIL, format_args!("{path}.email.from"), email.from);
            self.add(EMAIL, format_args!("{path}.email.to[0]"), email.to.first().copied());
            self.add(EMAIL, format_args!("{path}.email.return_path"), email.return_path);
            self.add(IP, format_args!("{path}.email.x_originating_ip[0]"), address);
        }
    }

    fn add_process(&mut self, path: &str, process: &'a Process<'a>) {
        self.add(PROCESS_NAME, format_args!("{path}.name"), process.name);
        self.add(COMMAND_LINE, format_args!("{path}.cmd_line"), process.cmd_line);
        if let Some(file) = &process.file {
            self.add_file(&format!("{path}.file"), file);
        }
        if let Some(user) = &process.user {
            self.add_user(&format!("{path}.user"), user);
        }
        if let Some(parent) = &process.parent_process {
            self.add_process(&format!("{path}.parent_process"), parent);
        }
    }

    fn add_file(&mut self, path: &str, file: &'a File<'a>) {
        // A hash that stands for a missing name is not a name to search for.
        let is_named = file.hashes.iter().all(|hash| hash.value != file.name);
        self.add(FILE_NAME, format_args!("{path}.name"), Some(file.name).filter(|_| is_named));
        self.add(FILE_PATH, format_args!("{path}.path"), Some(&file.path));
        for (at, hash) in file.hashes.iter().enumerate() {
            self.add(HASH, format_args!("{path}.hashes[{at}].value"), Some(&hash.value));
        }
    }

    fn add_user(&mut self, path: &str, user: &User<'a>) {
        self.add(USER_NAME, format_args!("{path}.name"), user.name);
        self.add(USER_UID, format_args!("{path}.uid"), user.uid);
        self.add(EMAIL, format_args!("{path}.email_addr"), user.email_addr);
    }
}
