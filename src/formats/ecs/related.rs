//! `related`: whatever an alert names, by its sort and each once, so that one search finds it wherever it stands.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;

use super::fields::Related;
use crate::domain::alert::{Alert, Device};
use crate::domain::evidence::{Entity, Evidence};
use crate::formats::filled::Filled;

pub(super) fn of(alert: &Alert) -> Related<'_> {
    let (mut hosts, mut users, mut ips, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for device in alert.devices() {
        add_device(&mut hosts, device);
    }
    users.extend(alert.user.iter().map(|account| account.name.as_str()));
    for entity in alert.evidence.iter().flat_map(Evidence::entities) {
        match entity {
            Entity::Device(device) => add_device(&mut hosts, device),
            Entity::User(user) => {
                users.extend([&user.name, &user.upn, &user.sid, &user.aad_id].into_iter().filter_map(Filled::filled));
            }
            Entity::File(file) => {
                hashes.extend([&file.sha1, &file.sha256, &file.md5].into_iter().filter_map(Filled::filled));
            }
            Entity::Process(process) => {
                hashes.extend([&process.sha1, &process.sha256].into_iter().filter_map(Filled::filled));
            }
            Entity::Ip(address) => ips.extend(address.parse::<IpAddr>().ok()),
            Entity::Domain(domain) => hosts.push(lower_case(domain)),
            Entity::Mailbox(mailbox) => users.extend(mailbox.address.filled()),
            Entity::Mail(mail) => {
                let addresses = [&mail.sender, &mail.recipient, &mail.envelope_sender];
                users.extend(addresses.into_iter().filter_map(Filled::filled));
            }
            Entity::Url(_) | Entity::Registry(_) => {}
        }
    }
    users.extend(alert.logged_on_users.iter().filter_map(|user| user.name.filled()));
    Related {
        hosts: distinct(hosts.into_iter().filter(|host| !host.is_empty())),
        user: distinct(users.into_iter().filter(|name| !name.is_empty())),
        ip: distinct(ips.into_iter()),
        hash: distinct(hashes.into_iter()),
    }
}

fn add_device<'a>(hosts: &mut Vec<Cow<'a, str>>, device: &'a Device) {
    hosts.extend(device.name.filled().map(lower_case));
    hosts.extend(device.id.filled().map(Cow::Borrowed));
}

/// A text in lower case, the same where it is already.
pub(super) fn lower_case(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { text.to_lowercase().into() } else { text.into() }
}

/// Each once, in the order of first sight.
pub(super) fn distinct<T: Clone + Eq + Hash>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(one.clone())).collect()
}
