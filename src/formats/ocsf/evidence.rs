//! Evidence as typed objects: the object `evidences`, and beside each what of it has no home there.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/evidences>.

use std::net::IpAddr;

use serde::Serialize;

use super::account::{User, is_email};
use super::device::{self, Device, is_hostname};
use super::file::{File, FileNames};
use super::moments::milliseconds;
use super::process::{self, Process};
use super::verbatim::Verbatim;
use super::words;
use crate::domain::evidence::{self, Detail, Evidence, NestedEntities};
use crate::domain::shared_str::SharedStr;
use crate::formats::filled::{Filled, filled};

/// One item.
#[derive(Default, Serialize)]
pub(super) struct Artifact<'a> {
    /// The type, for those that OCSF has no object for.
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

/// A name that was asked for.
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
    pub(super) extra: Option<Verbatim<'a>>,
}

/// What started a process, where it has no number that OCSF holds.
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
    fn of(item: &'a Evidence) -> Self {
        let verdict = item.verdict.filled().map(words::evidence_verdict);
        let data = Data {
            r#type: &item.kind,
            role: item.role.as_deref(),
            remediation_status: item.remediation_status.as_deref(),
            detection_status: item.detection_status.as_deref(),
            observed_time: milliseconds(item.observed_at),
            extra: Some(Verbatim(&item.extra)),
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

    /// The first of each sort that an item names; all that it tells stands in its data.
    fn with_named(mut self, named: Option<&'a NestedEntities>) -> Self {
        let Some(named) = named else { return self };
        self.process = named.processes.iter().find_map(Process::of);
        self.file = named.files.iter().find_map(|file| told(file).file());
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
                self.data.path = stray_path(image, self.file.as_ref());
            }
            Some(known) => self.data.path = stray_path(image, known.file.as_ref()),
        }
        let account = process
            .user
            .as_deref()
            .filter(|user| !self.process.as_ref().is_some_and(|known| tells(known.user.as_ref(), user)));
        self.data.user = account;
        let known_parent = self.process.as_ref().and_then(|process| process.parent_process.as_ref());
        let is_told_in_full = known_parent.is_some_and(|parent| parent.file.is_some());
        if !is_told_in_full {
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
        let told = told(file);
        self.file = told.file();
        self.data.path = stray_path(told, self.file.as_ref());
        self
    }

    fn with_user(mut self, user: &'a evidence::User) -> Self {
        self.user = User::of(user);
        let is_told = self.user.as_ref().is_some_and(|account| tells_upn(account, user));
        self.data.upn = user.upn.as_deref().filter(|_| !is_told);
        self.data.domain = user.domain.as_deref().filter(|_| self.user.is_none());
        self
    }

    /// Of which end an address is, only its role tells.
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
        let unless = |text: &'a Option<SharedStr>, is_told: bool| text.as_deref().filter(|_| !is_told);
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
    /// A mail; it has to have a sender or a recipient that OCSF takes for an address.
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

fn told(file: &evidence::File) -> FileNames<'_> {
    FileNames {
        name: file.name.as_deref(),
        path: file.path.as_deref(),
        md5: file.md5.as_deref(),
        sha1: file.sha1.as_deref(),
        sha256: file.sha256.as_deref(),
    }
}

/// Whether an account tells all that is known of it.
fn tells(account: Option<&User<'_>>, user: &evidence::User) -> bool {
    account.is_some_and(|account| user.upn.is_none() || tells_upn(account, user))
}

fn tells_upn(account: &User<'_>, user: &evidence::User) -> bool {
    account.email_addr.is_some() || account.name == user.upn.as_deref()
}

/// The folder of a file that could not become an OCSF file.
fn stray_path<'a>(told: FileNames<'a>, file: Option<&File<'a>>) -> Option<&'a str> {
    told.path.filter(|_| file.is_none())
}

/// Whether a text has the form that OCSF asks of `ip_t`: at most 40 characters.
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

    fn shown(kind: &str, detail: Detail) -> Value {
        let item = Evidence {
            kind: kind.into(),
            role: Some("destination".into()),
            verdict: Some("malicious".into()),
            detail,
            ..Evidence::default()
        };
        sparse::to_value(&Artifact::of(&item))
    }

    #[test]
    fn an_item_without_anything_still_tells_its_type() {
        let right = json!({"verdict_id": 2, "verdict": "True Positive", "data": {"type": "ip", "role": "destination"}});
        assert_eq!(shown("ip", Detail::Ip(evidence::Ip { address: Some(SharedStr::default()) })), right);
    }

    #[test]
    fn a_process_without_a_number_is_told_by_its_image() {
        let process = evidence::Process {
            name: Some("a.exe".into()),
            command_line: Some("a.exe -x".into()),
            ..Default::default()
        };
        let item = shown("process", Detail::Process(Box::new(process)));
        assert_eq!((&item["file"]["name"], &item["data"]["command_line"]), (&json!("a.exe"), &json!("a.exe -x")));
        assert_eq!((item.get("process"), item["data"].get("parent")), (None, None));
    }

    #[test]
    fn an_address_is_the_end_that_its_role_says() {
        let item = shown("ip", Detail::Ip(evidence::Ip { address: Some("2001:db8::1".into()) }));
        assert_eq!((&item["dst_endpoint"]["ip"], item.get("src_endpoint")), (&json!("2001:db8::1"), None));
    }

    #[test]
    fn a_registry_value_has_a_name_and_a_key() {
        let registry = |value_name: Option<SharedStr>| {
            let (hive, key) = (Some("HKEY_USERS".into()), Some("Run".into()));
            shown(
                "registry",
                Detail::Registry(evidence::Registry {
                    hive,
                    key,
                    value_name,
                    value: Some("x".into()),
                    value_type: None,
                }),
            )
        };
        assert_eq!(
            registry(Some("Start".into()))["reg_value"],
            json!({"name": "Start", "path": r"HKEY_USERS\Run", "data": "x"})
        );
        let nameless = registry(None);
        assert_eq!((nameless.get("reg_value"), &nameless["data"]["value"]), (None, &json!("x")));
    }
}
