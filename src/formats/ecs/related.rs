//! `related`: the hosts, users, addresses and hashes of an alert, so that one search finds a value in any field.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::domain::alert::{Alert, Device};
use crate::domain::evidence::{Evidence, Thing};
use crate::formats::filled::Filled;

pub(super) fn of(alert: &Alert) -> Value {
    let (mut hosts, mut users, mut ips, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for device in alert.devices() {
        add_device(&mut hosts, device);
    }
    users.extend(alert.user.iter().map(|account| account.name.as_str()));
    for thing in alert.evidence.iter().flat_map(Evidence::things) {
        match thing {
            Thing::Device(device) => add_device(&mut hosts, device),
            Thing::User(user) => {
                users.extend([&user.name, &user.upn, &user.sid, &user.aad_id].into_iter().filter_map(Filled::filled));
            }
            Thing::File(file) => {
                hashes.extend([&file.sha1, &file.sha256, &file.md5].into_iter().filter_map(Filled::filled));
            }
            Thing::Process(process) => {
                hashes.extend([&process.sha1, &process.sha256].into_iter().filter_map(Filled::filled));
            }
            Thing::Ip(address) => ips.extend(address.parse::<IpAddr>().ok()),
            Thing::Domain(domain) => hosts.push(domain.to_lowercase()),
            Thing::Mailbox(mailbox) => users.extend(mailbox.address.filled()),
            Thing::Mail(mail) => {
                let addresses = [&mail.sender, &mail.recipient, &mail.envelope_sender];
                users.extend(addresses.into_iter().filter_map(Filled::filled));
            }
            Thing::Url(_) | Thing::Registry(_) => {}
        }
    }
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
