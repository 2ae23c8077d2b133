//! `related`: the hosts, users, addresses and hashes of an alert, so that one search finds a value in any field.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::context::Context;
use crate::domain::alert::{Alert, Device};
use crate::domain::evidence::{Entity, Evidence};
use crate::formats::filled::Filled;

pub(super) fn of(alert: &Alert, context: Context<'_>) -> Value {
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
            Entity::Domain(domain) => hosts.push(domain.to_lowercase()),
            Entity::Mailbox(mailbox) => users.extend(mailbox.address.filled()),
            Entity::Mail(mail) => {
                let addresses = [&mail.sender, &mail.recipient, &mail.envelope_sender];
                users.extend(addresses.into_iter().filter_map(Filled::filled));
            }
            Entity::Url(_) | Entity::Registry(_) => {}
        }
    }
    ips.extend(context.addresses());
    hashes.extend(context.hashes());
    users.extend(alert.logged_on_users.iter().filter_map(|user| user.name.filled()));
    json!({
        "hosts": distinct(hosts.into_iter()),
        "user": distinct(users.into_iter()),
        "ip": distinct(ips.into_iter()),
        "hash": distinct(hashes.into_iter()),
    })
}

fn add_device(hosts: &mut Vec<String>, device: &Device) {
    hosts.extend(device.name.filled().map(str::to_lowercase));
    hosts.extend(device.id.filled().map(str::to_owned));
}

/// Removes duplicates.
pub(super) fn distinct<T: Clone + Eq + Hash>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(one.clone())).collect()
}
