//! Evidence as typed objects: the object `evidences`, and beside each what of it has no home there.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/evidences>.

use std::net::IpAddr;

use super::account::{User, is_email};
use super::file::{File, Told};
use super::moments::milliseconds;
use super::object::{Absent, filled, object};
use super::process::{self, Process};
use super::verbatim::Verbatim;
use super::words;
use crate::domain::evidence::{self, Detail, Evidence};

object! {
    /// One item.
    #[derive(Default)]
    Artifact<'a> {
        /// The type, for those that OCSF has no object for.
        name: Option<&'a str>,
        process: Option<Process<'a>>,
        file: Option<File<'a>>,
        user: Option<User<'a>>,
        src_endpoint: Option<Endpoint<'a>>,
        dst_endpoint: Option<Endpoint<'a>>,
        url: Option<Url<'a>>,
        reg_key: Option<RegistryKey>,
        reg_value: Option<RegistryValue<'a>>,
        email: Option<Email<'a>>,
        verdict_id: Option<u8>,
        verdict: Option<&'a str>,
        data: Data<'a>,
    }
}

object! {
    /// A network address.
    Endpoint<'a> {
        ip: &'a str,
    }
}

object! {
    /// A web address.
    Url<'a> {
        url_string: &'a str,
    }
}

object! {
    /// A registry key.
    RegistryKey {
        path: String,
    }
}

object! {
    /// A registry value.
    RegistryValue<'a> {
        name: &'a str,
        path: String,
        data: Option<&'a str>,
        r#type: Option<&'a str>,
    }
}

object! {
    /// A mail.
    Email<'a> {
        from: Option<&'a str>,
        to: Vec<&'a str>,
        subject: Option<&'a str>,
    }
}

object! {
    /// What is told of an item and has no home in OCSF, under the names of our own form. The type is always there, so
    /// that no item is empty.
    #[derive(Default)]
    Data<'a> {
        r#type: &'a str,
        role: Option<&'a str>,
        remediation_status: Option<&'a str>,
        detection_status: Option<&'a str>,
        observed_time: Option<i64>,
        pid: Option<i64>,
        name: Option<&'a str>,
        path: Option<&'a str>,
        command_line: Option<&'a str>,
        created_time: Option<i64>,
        parent: Option<Parent<'a>>,
        domain: Option<&'a str>,
        upn: Option<&'a str>,
        address: Option<&'a str>,
        hive: Option<&'a str>,
        key: Option<&'a str>,
        value_name: Option<&'a str>,
        value: Option<&'a str>,
        value_type: Option<&'a str>,
        display_name: Option<&'a str>,
        sender: Option<&'a str>,
        recipient: Option<&'a str>,
        subject: Option<&'a str>,
        delivery_action: Option<&'a str>,
        extra: Verbatim<'a>,
    }
}

object! {
    /// What started a process, where it has no number that OCSF holds.
    Parent<'a> {
        pid: Option<i64>,
        name: Option<&'a str>,
        path: Option<&'a str>,
        created_time: Option<i64>,
    }
}

/// The items of an alert, in their order.
pub(super) fn artifacts(evidence: &[Evidence]) -> Vec<Artifact<'_>> {
    evidence.iter().map(Artifact::of).collect()
}

impl<'a> Artifact<'a> {
    fn of(item: &'a Evidence) -> Self {
        let verdict = filled(item.verdict.as_deref()).map(words::evidence_verdict);
        let data = Data {
            r#type: &item.kind,
            role: item.role.as_deref(),
            remediation_status: item.remediation_status.as_deref(),
            detection_status: item.detection_status.as_deref(),
            observed_time: milliseconds(item.observed_at),
            extra: Verbatim::of(&item.extra),
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
                let url = filled(address.url.as_deref()).map(|url_string| Url { url_string });
                Self { url, ..artifact }
            }
            Detail::Registry(registry) => artifact.with_registry(registry),
            Detail::Mailbox(mailbox) => artifact.with_mailbox(mailbox),
            Detail::Mail(mail) => artifact.with_mail(mail),
            Detail::Other {} => Self { name: Some(&item.kind), ..artifact },
        }
    }

    /// A process without a number is told by its image.
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
        let told = Told {
            name: file.name.as_deref(),
            path: file.path.as_deref(),
            md5: file.md5.as_deref(),
            sha1: file.sha1.as_deref(),
            sha256: file.sha256.as_deref(),
        };
        self.file = told.file();
        self.data.path = stray_path(told, self.file.as_ref());
        self
    }

    fn with_user(mut self, user: &'a evidence::User) -> Self {
        self.user = User::of(user);
        let upn = user.upn.as_deref();
        let is_told = self.user.as_ref().is_some_and(|account| account.email_addr.is_some() || account.name == upn);
        self.data.upn = upn.filter(|_| !is_told);
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
        let [hive, key, name] =
            [&registry.hive, &registry.key, &registry.value_name].map(|text| filled(text.as_deref()));
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
        self
    }

    /// A mail has to have a sender or a recipient that OCSF takes for an address.
    fn with_mail(mut self, mail: &'a evidence::Mail) -> Self {
        let (sender, recipient) = (filled(mail.sender.as_deref()), filled(mail.recipient.as_deref()));
        let from = sender.filter(|address| is_email(address));
        let to: Vec<_> = recipient.filter(|address| is_email(address)).into_iter().collect();
        let subject = mail.subject.as_deref();
        self.data.sender = sender.filter(|_| from.is_none());
        self.data.recipient = recipient.filter(|_| to.is_empty());
        self.data.delivery_action = mail.delivery_action.as_deref();
        if from.is_some() || !to.is_empty() {
            self.email = Some(Email { from, to, subject });
        } else {
            self.data.subject = subject;
        }
        self
    }
}

/// The folder of a file that could not be told as one.
fn stray_path<'a>(told: Told<'a>, file: Option<&File<'a>>) -> Option<&'a str> {
    told.path.filter(|_| file.is_none())
}

/// Whether a text has the form that OCSF asks of `ip_t`: at most 40 characters.
///
/// Source: <https://schema.ocsf.io/1.8.0/data_types>.
fn is_address(text: &str) -> bool {
    text.len() <= 40 && text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::text::Text;

    fn shown(kind: &str, detail: Detail) -> Value {
        let item = Evidence {
            kind: kind.into(),
            role: Some("destination".into()),
            verdict: Some("malicious".into()),
            detail,
            ..Evidence::default()
        };
        serde_json::to_value(Artifact::of(&item)).expect("JSON")
    }

    #[test]
    fn an_item_without_anything_still_tells_its_type() {
        let right = json!({"verdict_id": 2, "verdict": "True Positive", "data": {"type": "ip", "role": "destination"}});
        assert_eq!(shown("ip", Detail::Ip(evidence::Ip { address: Some(Text::default()) })), right);
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
        let registry = |value_name: Option<Text>| {
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
