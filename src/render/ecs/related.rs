//! `related`: whatever an alert names, by its sort and each once, so that one search finds it wherever it stands.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;

use super::evidence;
use super::fields::Related;
use super::sparse::Filled;
use crate::domain::alert::Alert;
use crate::domain::evidence::Detail;

pub(super) fn of(alert: &Alert) -> Related<'_> {
    let details = || alert.evidence.iter().map(|item| &item.detail);
    let hosts = alert
        .devices()
        .flat_map(|device| [device.name.filled().map(lower_case), device.id.filled().map(Cow::Borrowed)]);
    let own_user = alert.user.iter().map(|account| account.name.as_str());
    let logged_on = alert.logged_on_users.iter().filter_map(|user| user.name.filled());
    let users = details().flat_map(users).flatten();
    Related {
        hosts: distinct(hosts.flatten()),
        user: distinct(own_user.chain(users).chain(logged_on).filter(|name| !name.is_empty())),
        ip: distinct(details().filter_map(evidence::address)),
        hash: distinct(details().flat_map(hashes).flatten()),
    }
}

/// Names and ids of accounts.
fn users(detail: &Detail) -> [Option<&str>; 4] {
    match detail {
        Detail::User(user) => [&user.name, &user.upn, &user.sid, &user.aad_id].map(Filled::filled),
        Detail::Mailbox(mailbox) => [mailbox.address.filled(), None, None, None],
        Detail::Process(_)
        | Detail::File(_)
        | Detail::Ip(_)
        | Detail::Url(_)
        | Detail::Registry(_)
        | Detail::Mail(_)
        | Detail::Other {} => [None; 4],
    }
}

fn hashes(detail: &Detail) -> [Option<&str>; 3] {
    match detail {
        Detail::File(file) => [&file.sha1, &file.sha256, &file.md5].map(Filled::filled),
        Detail::Process(process) => [process.sha1.filled(), process.sha256.filled(), None],
        Detail::User(_)
        | Detail::Ip(_)
        | Detail::Url(_)
        | Detail::Registry(_)
        | Detail::Mailbox(_)
        | Detail::Mail(_)
        | Detail::Other {} => [None; 3],
    }
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
