//! Fields that the first item of evidence of its sort fills.

use std::net::IpAddr;

use super::fields::{
    Address, Addresses, Email, File, Hash, OneAddress, Parent, Process, ProcessUser, Question, Registry, RegistryData,
    Url, User,
};
use crate::domain::alert::{Alert, AlertAccount};
use crate::domain::evidence::{self, Detail, Entity, Evidence, NestedEntities};
use crate::domain::path::FileLocation;
use crate::domain::shared_str::SharedStr;
use crate::formats::filled::{Filled, filled};

/// The first entity of a sort that the evidence is or names.
fn first<'a, T>(alert: &'a Alert, sort: impl FnMut(Entity<'a>) -> Option<T>) -> Option<T> {
    alert.evidence.iter().flat_map(Evidence::entities).find_map(sort)
}

/// The related user, with what the evidence says of the same; else the first user of the evidence.
pub(super) fn user(alert: &Alert) -> Option<User<'_>> {
    let entities = alert.evidence.iter().flat_map(Evidence::entities);
    let mut told = entities.filter_map(|entity| if let Entity::User(user) = entity { Some(user) } else { None });
    match &alert.user {
        Some(account) => {
            let same = told.find(|user| is_same(account, user)).map(of_evidence).unwrap_or_default();
            let name = Some(account.name.as_str()).filter(|name| !name.is_empty());
            Some(User { name, domain: account.domain.filled().or(same.domain), ..same })
        }
        None => told.next().map(of_evidence),
    }
}

fn is_same(account: &AlertAccount, user: &evidence::User) -> bool {
    let is_named = user.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&account.name));
    let domains = account.domain.as_ref().zip(user.domain.as_ref());
    is_named && domains.is_none_or(|(one, other)| one.eq_ignore_ascii_case(other))
}

fn of_evidence(user: &evidence::User) -> User<'_> {
    User {
        id: user.sid.filled().or_else(|| user.aad_id.filled()),
        name: user.name.filled(),
        domain: user.domain.filled(),
        email: user.upn.filled().filter(|upn| upn.contains('@')),
    }
}

/// The first file.
pub(super) fn file(alert: &Alert) -> Option<File<'_>> {
    let file = first(alert, |entity| if let Entity::File(file) = entity { Some(file) } else { None })?;
    let name = file.name.filled();
    let FileLocation { directory, path } = FileLocation::new(file.path.filled(), name);
    let hash = Hash { md5: file.md5.filled(), sha1: file.sha1.filled(), sha256: file.sha256.filled() };
    Some(File { name, directory, path, hash })
}

/// The first process, and the one that started it.
pub(super) fn process(alert: &Alert) -> Option<Process<'_>> {
    let process = first(alert, |entity| if let Entity::Process(process) = entity { Some(process) } else { None })?;
    let (name, parent) = (process.name.filled(), &process.parent);
    let parent_name = parent.name.filled();
    Some(Process {
        pid: process.pid,
        name,
        executable: FileLocation::new(process.path.filled(), name).path,
        command_line: process.command_line.filled(),
        start: process.created_at,
        hash: Hash { md5: None, sha1: process.sha1.filled(), sha256: process.sha256.filled() },
        parent: Parent {
            pid: parent.pid,
            name: parent_name,
            executable: FileLocation::new(parent.path.filled(), parent_name).path,
            start: parent.created_at,
        },
        user: process.user.as_deref().map(account),
    })
}

fn account(user: &evidence::User) -> ProcessUser<'_> {
    let User { id, name, .. } = of_evidence(user);
    ProcessUser { id, name }
}

/// Hives, and what the schema calls them.
const HIVES: [(&str, &str); 5] = [
    ("HKEY_LOCAL_MACHINE", "HKLM"),
    ("HKEY_CURRENT_USER", "HKCU"),
    ("HKEY_USERS", "HKU"),
    ("HKEY_CLASSES_ROOT", "HKCR"),
    ("HKEY_CURRENT_CONFIG", "HKCC"),
];

/// Types of values, and what the schema calls them.
///
/// Source: <https://learn.microsoft.com/dotnet/api/microsoft.win32.registryvaluekind>.
const VALUE_TYPES: [(&str, &str); 7] = [
    ("String", "REG_SZ"),
    ("ExpandString", "REG_EXPAND_SZ"),
    ("MultiString", "REG_MULTI_SZ"),
    ("DWord", "REG_DWORD"),
    ("QWord", "REG_QWORD"),
    ("Binary", "REG_BINARY"),
    ("None", "REG_NONE"),
];

/// The first registry key or value.
pub(super) fn registry(alert: &Alert) -> Option<Registry<'_>> {
    let registry = first(alert, |entity| if let Entity::Registry(registry) = entity { Some(registry) } else { None })?;
    let known = |word: &str, names: &[(&str, &'static str)]| {
        names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, short)| *short)
    };
    let hive = registry.hive.filled().map(|hive| known(hive, &HIVES).unwrap_or(hive));
    let (key, value) = (registry.key.filled(), registry.value_name.filled());
    let parts: Vec<_> = [hive, key, value].into_iter().flatten().collect();
    Some(Registry {
        hive,
        key,
        path: key.map(|_| parts.join("\\")),
        value,
        data: RegistryData {
            strings: registry.value.filled().into_iter().collect(),
            kind: registry.value_type.filled().and_then(|kind| known(kind, &VALUE_TYPES)),
        },
    })
}

/// The first web address; one without a scheme only names its host.
pub(super) fn url(alert: &Alert) -> Option<Url<'_>> {
    let original = filled(first(alert, |entity| if let Entity::Url(url) = entity { Some(url) } else { None }))?;
    let told = Url { original: Some(original), ..Url::default() };
    if let Some(url) = url::Url::parse(original).ok().filter(url::Url::has_host) {
        return Some(Url {
            full: Some(original),
            scheme: Some(url.scheme().to_owned()),
            domain: url.host_str().map(str::to_owned),
            port: url.port(),
            path: Some(url.path().to_owned()),
            query: url.query().map(str::to_owned),
            fragment: url.fragment().map(str::to_owned),
            ..told
        });
    }
    let assumed = url::Url::parse(&format!("http://{original}")).ok();
    let host = assumed.filter(|url| !original.contains("://") && url.username().is_empty());
    Some(Url { domain: host.and_then(|url| url.host_str().map(str::to_owned)), ..told })
}

/// The first mail.
pub(super) fn email(alert: &Alert) -> Option<Email<'_>> {
    let mail = first_mail(alert)?;
    Some(Email {
        from: addresses(mail.sender.filled()),
        sender: OneAddress { address: mail.envelope_sender.filled() },
        to: addresses(mail.recipient.filled()),
        subject: mail.subject.filled(),
        message_id: mail.message_id.filled(),
        local_id: mail.network_message_id.filled(),
        delivery_timestamp: mail.received_at,
    })
}

fn first_mail(alert: &Alert) -> Option<&evidence::Mail> {
    first(alert, |entity| if let Entity::Mail(mail) = entity { Some(mail) } else { None })
}

/// The first name that was asked for.
pub(super) fn question(alert: &Alert) -> Question<'_> {
    Question { name: first(alert, |entity| if let Entity::Domain(domain) = entity { Some(domain) } else { None }) }
}

fn addresses(one: Option<&str>) -> Addresses<'_> {
    Addresses { address: one.into_iter().collect() }
}

/// Roles of the address that something came from, and of the one that it went to.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>, `evidenceRole`.
const SOURCE: [&str; 2] = ["source", "attacker"];
const DESTINATION: [&str; 2] = ["destination", "command_and_control"];

/// Where something came from: by the role of an address, of a connection, or of a mail.
pub(super) fn source(alert: &Alert) -> Address {
    let of_a_mail = || ip(first_mail(alert)?.sender_ip.filled());
    let ip = address_of(&alert.evidence, SOURCE).ip;
    Address { ip: ip.or_else(|| end(alert, |named| &named.source)).or_else(of_a_mail) }
}

/// Where something went: by the role of an address, or of a connection.
pub(super) fn destination(alert: &Alert) -> Address {
    let ip = address_of(&alert.evidence, DESTINATION).ip;
    Address { ip: ip.or_else(|| end(alert, |named| &named.destination)) }
}

/// An end of the first connection that tells it.
fn end(alert: &Alert, of: impl Fn(&NestedEntities) -> &Option<SharedStr>) -> Option<IpAddr> {
    let mut named = alert.evidence.iter().filter_map(|item| item.nested.as_deref());
    named.find_map(|named| ip(of(named).filled()))
}

fn ip(address: Option<&str>) -> Option<IpAddr> {
    address?.parse().ok()
}

/// The first address of one of these roles: what Defender does not tell the role of stands on neither side.
fn address_of(items: &[Evidence], roles: [&str; 2]) -> Address {
    let plays = |role: &SharedStr| roles.contains(&role.as_str());
    let mut played = items.iter().filter(|item| item.role.as_ref().is_some_and(plays));
    Address { ip: played.find_map(|item| address(&item.detail)) }
}

/// The address of an item, if it is a valid one.
fn address(detail: &Detail) -> Option<IpAddr> {
    if let Detail::Ip(address) = detail { ip(address.address.filled()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(address: &str, role: Option<&str>) -> Evidence {
        Evidence {
            kind: "ip".into(),
            role: role.map(SharedStr::from),
            detail: Detail::Ip(evidence::Ip { address: Some(address.into()) }),
            ..Evidence::default()
        }
    }

    #[test]
    fn an_address_is_a_source_only_in_that_role() {
        let items = [
            item("192.0.2.1", None),
            item("192.0.2.2", Some("suspicious")),
            item("anything", Some("attacker")),
            item("192.0.2.3", Some("attacker")),
            item("192.0.2.4", Some("source")),
            item("2001:db8::5", Some("command_and_control")),
        ];
        let shown = |roles| address_of(&items, roles).ip.map(|ip| ip.to_string());
        assert_eq!(shown(SOURCE).as_deref(), Some("192.0.2.3"));
        assert_eq!(shown(DESTINATION).as_deref(), Some("2001:db8::5"));
        assert_eq!(address_of(&items[..2], SOURCE).ip, None);
    }
}
