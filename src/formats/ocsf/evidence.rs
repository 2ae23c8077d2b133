//! Evidence as typed objects: the object `evidences`, with the properties for which OCSF has no place in `data`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/evidences>.

use std::net::IpAddr;

use serde::Serialize;

use super::account::{User, is_email};
use super::device::{self, Device, is_hostname};
use super::file::{File, FileMembers};
use super::process::{self, Process};
use super::timestamps::milliseconds;
use super::words;
use crate::domain::evidence::{self, Detail, Evidence, NestedEntities};
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::formats::filled::{Filled, filled};

/// One item.
#[derive(Default, Serialize)]
pub(super) struct Artifact<'a> {
    /// The type, if OCSF has no object for it.
    pub(super) name: Option<&'a str>,
    pub(super) process: Option<Process<'a>>,
    pub(super) file: Option<File<'a>>,
    pub(super) user: Option<User<'a>>,
    pub(super) src_endpoint: Option<Endpoint<'a>>,
    pub(super) dst_endpoint: Option<Endpoint<'a>>,
    pub(super) url: Option<Url<'a>>,
    pub(super) reg_key: Option<RegistryKey>,
    pub(super) reg_value: Option<RegistryValue<'a>>,
    pub(super) email: Option<Email<'a>>,
    pub(super) query: Option<Query<'a>>,
    pub(super) device: Option<Device<'a>>,
    pub(super) verdict_id: Option<u8>,
    pub(super) verdict: Option<&'a str>,
    pub(super) data: Data<'a>,
}

/// A network address.
#[derive(Serialize)]
pub(super) struct Endpoint<'a> {
    pub(super) ip: &'a str,
}

/// A web address.
#[derive(Serialize)]
pub(super) struct Url<'a> {
    pub(super) url_string: &'a str,
}

/// A registry key.
#[derive(Serialize)]
pub(super) struct RegistryKey {
    pub(super) path: String,
}

/// A registry value.
#[derive(Serialize)]
pub(super) struct RegistryValue<'a> {
    pub(super) name: &'a str,
    pub(super) path: String,
    pub(super) data: Option<&'a str>,
    pub(super) r#type: Option<&'a str>,
}

/// A mail.
#[derive(Serialize)]
pub(super) struct Email<'a> {
    pub(super) from: Option<&'a str>,
    pub(super) to: Vec<&'a str>,
    pub(super) subject: Option<&'a str>,
    /// Where bounces go: the sender of the envelope.
    pub(super) return_path: Option<&'a str>,
    pub(super) message_uid: Option<&'a str>,
    pub(super) uid: Option<&'a str>,
    pub(super) x_originating_ip: Vec<&'a str>,
}

/// A DNS query.
#[derive(Serialize)]
pub(super) struct Query<'a> {
    pub(super) hostname: &'a str,
}

/// The properties of an item for which OCSF has no place, named as in the answer's own form. The type is always present,
/// so no item is empty.
#[derive(Default, Serialize)]
pub(super) struct Data<'a> {
    pub(super) r#type: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) remediation_status: Option<&'a str>,
    pub(super) detection_status: Option<&'a str>,
    pub(super) observed_time: Option<i64>,
    pub(super) pid: Option<i64>,
    pub(super) name: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) command_line: Option<&'a str>,
    pub(super) created_time: Option<i64>,
    pub(super) parent: Option<Parent<'a>>,
    pub(super) domain: Option<&'a str>,
    pub(super) upn: Option<&'a str>,
    pub(super) address: Option<&'a str>,
    pub(super) hive: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) value_name: Option<&'a str>,
    pub(super) value: Option<&'a str>,
    pub(super) value_type: Option<&'a str>,
    pub(super) display_name: Option<&'a str>,
    pub(super) sender: Option<&'a str>,
    pub(super) recipient: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) delivery_action: Option<&'a str>,
    pub(super) envelope_sender: Option<&'a str>,
    pub(super) sender_ip: Option<&'a str>,
    pub(super) message_id: Option<&'a str>,
    pub(super) network_message_id: Option<&'a str>,
    pub(super) received_time: Option<i64>,
    /// The account of a process or a mailbox.
    pub(super) user: Option<&'a evidence::User>,
    pub(super) extra: Option<&'a Extra>,
}

/// The parent of a process, if it has no id that OCSF can hold.
#[derive(Serialize)]
pub(super) struct Parent<'a> {
    pub(super) pid: Option<i64>,
    pub(super) name: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) created_time: Option<i64>,
}

/// The items of an alert, in their order.
pub(super) fn artifacts(evidence: &[Evidence]) -> Vec<Artifact<'_>> {
    evidence.iter().map(Artifact::of).collect()
}

impl<'a> Artifact<'a> {
    /// The file, and the image of the process.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut File<'a>> {
        let image = self.process.as_mut().and_then(|process| process.file.as_mut());
        self.file.iter_mut().chain(image)
    }

    fn of(item: &'a Evidence) -> Self {
        let verdict = item.verdict.filled().map(words::evidence_verdict);
        let data = Data {
            r#type: &item.kind,
            role: item.role.as_deref(),
            remediation_status: item.remediation_status.as_deref(),
            detection_status: item.detection_status.as_deref(),
            observed_time: milliseconds(item.observed_at),
            extra: Some(&item.extra),
            ..Data::default()
        };
        let artifact = Self {
            verdict_id: verdict.map(|verdict| verdict.id),
            verdict: verdict.map(|verdict| verdict.word),
            data,
            ..Self::default()
        };
        match &item.detail {
            Detail::Process(process) => artifact.with_process(process),
            Detail::File(file) => artifact.with_file(file),
            Detail::User(user) => artifact.with_user(user),
            Detail::Ip(ip) => artifact.with_address(ip.address.as_deref(), item.role.as_deref()),
            Detail::Url(address) => {
                let url = address.url.filled().map(|url_string| Url { url_string });
                Self { url, ..artifact }
            }
            Detail::Registry(registry) => artifact.with_registry(registry),
            Detail::Mailbox(mailbox) => artifact.with_mailbox(mailbox),
            Detail::Mail(mail) => artifact.with_mail(mail),
            Detail::Other {} => Self { name: Some(&item.kind), ..artifact.with_named(item.nested.as_deref()) },
        }
    }

    /// Adds the first nested entity of each type. All of them are in the data.
    fn with_named(mut self, named: Option<&'a NestedEntities>) -> Self {
        let Some(named) = named else { return self };
        self.process = named.processes.iter().find_map(Process::of);
        self.file = named.files.iter().find_map(|file| members_of(file).file());
        self.user = named.users.iter().find_map(User::of);
        self.device = named
            .devices
            .first()
            .filter(|device| device::is_named(device))
            .map(|device| Device::named(device.id.as_deref(), device.name.as_deref(), None));
        self.url = named.urls.iter().find(|url| !url.is_empty()).map(|url| Url { url_string: url });
        let domains = named.domains.iter().map(SharedStr::as_str);
        self.query = domains.map(|hostname| Query { hostname }).find(|query| is_hostname(query.hostname));
        let endpoint = |address: &'a SharedStr| Some(Endpoint { ip: address }).filter(|end| is_address(end.ip));
        self.dst_endpoint = named.destination.as_ref().and_then(endpoint);
        self.src_endpoint = match (&named.source, &named.destination) {
            (None, None) => named.ips.iter().find_map(endpoint),
            (source, _) => source.as_ref().and_then(endpoint),
        };
        self.email = named.mails.iter().find_map(Email::of);
        self
    }

    /// A process without an id is represented by its image.
    fn with_process(mut self, process: &'a evidence::Process) -> Self {
        let image = process::image(process);
        let parent = &process.parent;
        self.process = Process::of(process);
        match &self.process {
            None => {
                self.data.pid = process.pid;
                self.data.command_line = process.command_line.as_deref();
                self.data.created_time = milliseconds(process.created_at);
                self.file = image.file();
                self.data.path = path_without_file(image, self.file.as_ref());
            }
            Some(known) => self.data.path = path_without_file(image, known.file.as_ref()),
        }
        let account = process
            .user
            .as_deref()
            .filter(|user| !self.process.as_ref().is_some_and(|known| is_complete(known.user.as_ref(), user)));
        self.data.user = account;
        let known_parent = self.process.as_ref().and_then(|process| process.parent_process.as_ref());
        let is_complete = known_parent.is_some_and(|parent| parent.file.is_some());
        if !is_complete {
            let is_new = known_parent.is_none();
            self.data.parent = Some(Parent {
                pid: parent.pid.filter(|_| is_new),
                name: parent.name.as_deref(),
                path: parent.path.as_deref(),
                created_time: milliseconds(parent.created_at.filter(|_| is_new)),
            });
        }
        self
    }

    fn with_file(mut self, file: &'a evidence::File) -> Self {
        let members = members_of(file);
        self.file = members.file();
        self.data.path = path_without_file(members, self.file.as_ref());
        self
    }

    fn with_user(mut self, user: &'a evidence::User) -> Self {
        self.user = User::of(user);
        let has_upn = self.user.as_ref().is_some_and(|account| has_upn_of(account, user));
        self.data.upn = user.upn.as_deref().filter(|_| !has_upn);
        self.data.domain = user.domain.as_deref().filter(|_| self.user.is_none());
        self
    }

    /// Only the role tells whether an address is the source or the destination.
    fn with_address(mut self, address: Option<&'a str>, role: Option<&str>) -> Self {
        match filled(address) {
            Some(ip) if !is_address(ip) => self.data.address = Some(ip),
            Some(ip) if role == Some("destination") => self.dst_endpoint = Some(Endpoint { ip }),
            Some(ip) => self.src_endpoint = Some(Endpoint { ip }),
            None => {}
        }
        self
    }

    fn with_registry(mut self, registry: &'a evidence::Registry) -> Self {
        let [hive, key, name] = [&registry.hive, &registry.key, &registry.value_name].map(|text| text.filled());
        let path = match (hive, key) {
            (Some(hive), Some(key)) => Some(format!("{hive}\\{key}")),
            (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
            (None, None) => None,
        };
        let (value, value_type) = (registry.value.as_deref(), registry.value_type.as_deref());
        self.reg_value =
            name.zip(path.clone()).map(|(name, path)| RegistryValue { name, path, data: value, r#type: value_type });
        self.reg_key = path.map(|path| RegistryKey { path });
        if self.reg_value.is_none() {
            (self.data.value_name, self.data.value, self.data.value_type) = (name, value, value_type);
        }
        self
    }

    fn with_mailbox(mut self, mailbox: &'a evidence::Mailbox) -> Self {
        self.user = User::of_mailbox(mailbox);
        self.data.display_name = mailbox.display_name.as_deref().filter(|_| self.user.is_none());
        self.data.user = mailbox.user.as_deref();
        self
    }

    /// Mail properties that do not have the form of OCSF go to `data`.
    fn with_mail(mut self, mail: &'a evidence::Mail) -> Self {
        self.email = Email::of(mail);
        let email = self.email.as_ref();
        let unless = |text: &'a Option<SharedStr>, is_mapped: bool| text.as_deref().filter(|_| !is_mapped);
        self.data.sender = unless(&mail.sender, email.is_some_and(|email| email.from.is_some()));
        self.data.recipient = unless(&mail.recipient, email.is_some_and(|email| !email.to.is_empty()));
        self.data.subject = unless(&mail.subject, email.is_some());
        self.data.delivery_action = mail.delivery_action.as_deref();
        self.data.envelope_sender =
            unless(&mail.envelope_sender, email.is_some_and(|email| email.return_path.is_some()));
        self.data.sender_ip = unless(&mail.sender_ip, email.is_some_and(|email| !email.x_originating_ip.is_empty()));
        self.data.message_id = unless(&mail.message_id, email.is_some());
        self.data.network_message_id = unless(&mail.network_message_id, email.is_some());
        self.data.received_time = milliseconds(mail.received_at);
        self
    }
}

impl<'a> Email<'a> {
    /// A mail; `None` if neither its sender nor its recipient is a valid address, since OCSF requires one.
    fn of(mail: &'a evidence::Mail) -> Option<Self> {
        let address = |text: &'a Option<SharedStr>| text.as_deref().filter(|address| is_email(address));
        let email = Self {
            from: address(&mail.sender),
            to: address(&mail.recipient).into_iter().collect(),
            subject: mail.subject.as_deref(),
            return_path: address(&mail.envelope_sender),
            message_uid: mail.message_id.as_deref(),
            uid: mail.network_message_id.as_deref(),
            x_originating_ip: mail.sender_ip.as_deref().filter(|ip| is_address(ip)).into_iter().collect(),
        };
        (email.from.is_some() || !email.to.is_empty()).then_some(email)
    }
}

fn members_of(file: &evidence::File) -> FileMembers<'_> {
    FileMembers {
        name: file.name.as_deref(),
        path: file.path.as_deref(),
        md5: file.md5.as_deref(),
        sha1: file.sha1.as_deref(),
        sha256: file.sha256.as_deref(),
    }
}

/// Whether an account has all members of the evidence.
fn is_complete(account: Option<&User<'_>>, user: &evidence::User) -> bool {
    account.is_some_and(|account| user.upn.is_none() || has_upn_of(account, user))
}

fn has_upn_of(account: &User<'_>, user: &evidence::User) -> bool {
    account.email_addr.is_some() || account.name == user.upn.as_deref()
}

/// The folder of a file that could not become an OCSF file.
fn path_without_file<'a>(members: FileMembers<'a>, file: Option<&File<'a>>) -> Option<&'a str> {
    members.path.filter(|_| file.is_none())
}

/// Whether a text has the form of OCSF's `ip_t`: at most 40 characters.
///
/// Source: <https://schema.ocsf.io/1.8.0/data_types>.
pub(super) fn is_address(text: &str) -> bool {
    text.len() <= 40 && text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::formats::sparse;

    #[test]
    fn role_decides_the_endpoint_of_an_address() {
        for (address, right) in [("2001:db8::1", json!({"ip": "2001:db8::1"})), ("", Value::Null)] {
            let item = Evidence {
                kind: "ip".into(),
                role: Some("destination".into()),
                detail: Detail::Ip(evidence::Ip { address: Some(address.into()) }),
                ..Evidence::default()
            };
            let artifact = sparse::to_value(&Artifact::of(&item));
            assert_eq!((&artifact["dst_endpoint"], artifact.get("src_endpoint")), (&right, None));
            assert_eq!(artifact["data"], json!({"type": "ip", "role": "destination"}));
        }
    }
}
