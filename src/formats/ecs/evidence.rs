//! Fields that are filled from the first evidence of their type.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};

use super::context;
use crate::domain::alert::{Alert, AlertAccount};
use crate::domain::context::FileContext;
use crate::domain::evidence::{self, Detail, Entity, Evidence, NestedEntities};
use crate::domain::path::FileLocation;
use crate::domain::shared_str::SharedStr;
use crate::formats::filled::{Filled, filled};

/// An account.
#[derive(Default, Serialize)]
pub(super) struct User<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    domain: Option<&'a str>,
    email: Option<&'a str>,
}

/// The first entity of a type in the evidence.
fn first<'a, T>(alert: &'a Alert, as_type: impl FnMut(Entity<'a>) -> Option<T>) -> Option<T> {
    alert.evidence.iter().flat_map(Evidence::entities).find_map(as_type)
}

/// The related user, completed from the evidence; else the first user of the evidence.
pub(super) fn user(alert: &Alert) -> Option<User<'_>> {
    let entities = alert.evidence.iter().flat_map(Evidence::entities);
    let mut users = entities.filter_map(|entity| if let Entity::User(user) = entity { Some(user) } else { None });
    match &alert.user {
        Some(account) => {
            let same = users.find(|user| is_same(account, user)).map(of_evidence).unwrap_or_default();
            let name = Some(account.name.as_str()).filter(|name| !name.is_empty());
            Some(User { name, domain: account.domain.filled().or(same.domain), ..same })
        }
        None => users.next().map(of_evidence),
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

pub(super) fn first_file(alert: &Alert) -> Option<&evidence::File> {
    first(alert, |entity| if let Entity::File(file) = entity { Some(file) } else { None })
}

pub(super) fn first_process(alert: &Alert) -> Option<&evidence::Process> {
    first(alert, |entity| if let Entity::Process(process) = entity { Some(process) } else { None })
}

/// The first file.
pub(super) fn file(alert: &Alert, about: Option<&FileContext>) -> Option<Value> {
    let file = first_file(alert)?;
    let FileLocation { directory, path } = FileLocation::new(file.path.filled(), file.name.filled());
    Some(json!({
        "name": file.name,
        "directory": directory,
        "path": path,
        "hash": {
            "md5": file.md5.filled().or_else(|| about?.md5.filled()),
            "sha1": file.sha1.filled().or_else(|| about?.sha1.filled()),
            "sha256": file.sha256.filled().or_else(|| about?.sha256.filled()),
        },
        "size": about.map(|about| about.size),
        "code_signature": context::code_signature(about),
        "pe": context::pe(about),
    }))
}

/// The first process, and the one that started it.
pub(super) fn process(alert: &Alert, about: Option<&FileContext>) -> Option<Value> {
    let process = first_process(alert)?;
    let parent = &process.parent;
    let user = process.user.as_deref().map(of_evidence).unwrap_or_default();
    Some(json!({
        "pid": process.pid,
        "name": process.name,
        "executable": FileLocation::new(process.path.filled(), process.name.filled()).path,
        "command_line": process.command_line,
        "start": process.created_at,
        "hash": {
            "md5": about.map(|about| &about.md5),
            "sha1": process.sha1.filled().or_else(|| about?.sha1.filled()),
            "sha256": process.sha256.filled().or_else(|| about?.sha256.filled()),
        },
        "code_signature": context::code_signature(about),
        "pe": context::pe(about),
        "parent": {
            "pid": parent.pid,
            "name": parent.name,
            "executable": FileLocation::new(parent.path.filled(), parent.name.filled()).path,
            "start": parent.created_at,
        },
        "user": {"id": user.id, "name": user.name},
    }))
}

/// Hives, and their names in the schema.
const HIVES: [(&str, &str); 5] = [
    ("HKEY_LOCAL_MACHINE", "HKLM"),
    ("HKEY_CURRENT_USER", "HKCU"),
    ("HKEY_USERS", "HKU"),
    ("HKEY_CLASSES_ROOT", "HKCR"),
    ("HKEY_CURRENT_CONFIG", "HKCC"),
];

/// Types of values, and their names in the schema.
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
pub(super) fn registry(alert: &Alert) -> Option<Value> {
    let registry = first(alert, |entity| if let Entity::Registry(registry) = entity { Some(registry) } else { None })?;
    let known = |word: &str, names: &[(&str, &'static str)]| {
        names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, short)| *short)
    };
    let hive = registry.hive.filled().map(|hive| known(hive, &HIVES).unwrap_or(hive));
    let (key, value) = (registry.key.filled(), registry.value_name.filled());
    let parts: Vec<_> = [hive, key, value].into_iter().flatten().collect();
    let value_type = registry.value_type.filled().and_then(|word| known(word, &VALUE_TYPES));
    Some(json!({
        "hive": hive,
        "key": key,
        "path": key.map(|_| parts.join("\\")),
        "value": value,
        "data": {"strings": [registry.value], "type": value_type},
    }))
}

/// The first URL. Without a scheme, only its domain is filled.
pub(super) fn url(alert: &Alert) -> Option<Value> {
    let original = filled(first(alert, |entity| if let Entity::Url(url) = entity { Some(url) } else { None }))?;
    if let Some(url) = url::Url::parse(original).ok().filter(url::Url::has_host) {
        return Some(json!({
            "original": original,
            "full": original,
            "scheme": url.scheme(),
            "domain": url.host_str(),
            "port": url.port(),
            "path": url.path(),
            "query": url.query(),
            "fragment": url.fragment(),
        }));
    }
    let assumed = url::Url::parse(&format!("http://{original}")).ok();
    let host = assumed.filter(|url| !original.contains("://") && url.username().is_empty());
    Some(json!({"original": original, "domain": host.as_ref().and_then(url::Url::host_str)}))
}

/// The first mail.
pub(super) fn email(alert: &Alert) -> Option<Value> {
    let mail = first_mail(alert)?;
    Some(json!({
        "from": {"address": [mail.sender]},
        "sender": {"address": mail.envelope_sender},
        "to": {"address": [mail.recipient]},
        "subject": mail.subject,
        "message_id": mail.message_id,
        "local_id": mail.network_message_id,
        "delivery_timestamp": mail.received_at,
    }))
}

fn first_mail(alert: &Alert) -> Option<&evidence::Mail> {
    first(alert, |entity| if let Entity::Mail(mail) = entity { Some(mail) } else { None })
}

/// The first domain.
pub(super) fn domain(alert: &Alert) -> Option<&str> {
    first(alert, |entity| if let Entity::Domain(domain) = entity { Some(domain) } else { None })
}

/// The roles of source and destination addresses.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>, `evidenceRole`.
const SOURCE: [&str; 2] = ["source", "attacker"];
const DESTINATION: [&str; 2] = ["destination", "command_and_control"];

/// The source: by the role of an address, or of a connection or a mail.
pub(super) fn source(alert: &Alert) -> Option<IpAddr> {
    let of_a_mail = || ip(first_mail(alert)?.sender_ip.filled());
    address_of(&alert.evidence, SOURCE).or_else(|| endpoint(alert, |named| &named.source)).or_else(of_a_mail)
}

/// The destination: by the role of an address, or of a connection.
pub(super) fn destination(alert: &Alert) -> Option<IpAddr> {
    address_of(&alert.evidence, DESTINATION).or_else(|| endpoint(alert, |named| &named.destination))
}

/// An endpoint of the first connection that has it.
fn endpoint(alert: &Alert, of: impl Fn(&NestedEntities) -> &Option<SharedStr>) -> Option<IpAddr> {
    let mut named = alert.evidence.iter().filter_map(|item| item.nested.as_deref());
    named.find_map(|named| ip(of(named).filled()))
}

fn ip(address: Option<&str>) -> Option<IpAddr> {
    address?.parse().ok()
}

/// The first address with one of these roles. An address without a role is on neither side.
fn address_of(items: &[Evidence], roles: [&str; 2]) -> Option<IpAddr> {
    let plays = |role: &SharedStr| roles.contains(&role.as_str());
    let mut played = items.iter().filter(|item| item.role.as_ref().is_some_and(plays));
    played.find_map(|item| address(&item.detail))
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
    fn role_decides_the_side_of_an_address() {
        let items = [
            item("192.0.2.1", None),
            item("192.0.2.2", Some("suspicious")),
            item("anything", Some("attacker")),
            item("192.0.2.3", Some("attacker")),
            item("192.0.2.4", Some("source")),
            item("2001:db8::5", Some("command_and_control")),
        ];
        let ip_of = |roles| address_of(&items, roles).map(|ip| ip.to_string());
        assert_eq!(ip_of(SOURCE).as_deref(), Some("192.0.2.3"));
        assert_eq!(ip_of(DESTINATION).as_deref(), Some("2001:db8::5"));
        assert_eq!(address_of(&items[..2], SOURCE), None);
    }
}
