//! Merges the accounts of an answer, so that each is listed once. Evidence names an account as `DOMAIN\name`, by name and
//! domain, or by its user principal name, in any case. Some items have more of its members than others.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::entities::{MAX_ENTITIES, UserEntity};

/// What an account is recognized by, in lower case: its type, and its value.
///
/// A `name` without a domain may or may not be the account of that name in a domain.
type Identity = (&'static str, String);

/// The accounts of an answer in the order of first occurrence, at most [`MAX_ENTITIES`].
#[derive(Default)]
pub(super) struct Accounts<'a> {
    /// An account that was merged into another is `None`.
    list: Vec<Option<UserEntity<'a>>>,
    indexes: HashMap<Identity, usize>,
    count: usize,
    is_capped: bool,
    /// Everything that was added: most items repeat another one, and need no merging.
    seen: HashSet<UserEntity<'a>>,
}

impl<'a> Accounts<'a> {
    /// Adds an account. If it is already listed, its missing members are filled in.
    pub(super) fn add(&mut self, user: UserEntity<'a>) {
        if !self.seen.insert(user) {
            return;
        }
        let user = with_split_domain(user);
        match self.index_of(&user, None) {
            Some(index) => self.join(index, user),
            None if self.count == MAX_ENTITIES => self.is_capped = true,
            None => {
                self.count += 1;
                self.list.push(None);
                self.put(self.list.len() - 1, user);
            }
        }
    }

    /// Returns the accounts, and whether some were left out.
    pub(super) fn finish(self) -> (Vec<UserEntity<'a>>, bool) {
        (self.list.into_iter().flatten().collect(), self.is_capped)
    }

    /// Merges into the account at this index. Two listed accounts may thereby turn out to be one.
    fn join(&mut self, mut index: usize, user: UserEntity<'a>) {
        let Some(known) = self.take(index) else { return };
        let mut joined = merged(known, user);
        while let Some(other) = self.index_of(&joined, Some(index))
            && let Some(same) = self.take(other)
        {
            self.count -= 1;
            joined = if other < index { merged(same, joined) } else { merged(joined, same) };
            index = index.min(other);
            self.indexes.extend(identities(&same).map(|identity| (identity, index)));
        }
        // The spellings of this item also lead to the account.
        self.indexes.extend(identities(&user).map(|identity| (identity, index)));
        self.put(index, joined);
    }

    fn take(&mut self, index: usize) -> Option<UserEntity<'a>> {
        self.list.get_mut(index).and_then(Option::take)
    }

    /// Returns the index of the same account, other than `except`.
    fn index_of(&self, user: &UserEntity<'a>, except: Option<usize>) -> Option<usize> {
        let is_same = |index: &usize| {
            let known = self.list.get(*index).and_then(Option::as_ref).filter(|_| Some(*index) != except);
            known.is_some_and(|known| may_be_one(known, user))
        };
        identities(user).filter_map(|identity| self.indexes.get(&identity).copied()).find(is_same)
    }

    fn put(&mut self, index: usize, user: UserEntity<'a>) {
        self.indexes.extend(identities(&user).map(|identity| (identity, index)));
        if let Some(free) = self.list.get_mut(index) {
            *free = Some(user);
        }
    }
}

/// Splits a name `DOMAIN\name` into name and domain, unless the item has a different domain.
fn with_split_domain(user: UserEntity<'_>) -> UserEntity<'_> {
    let parts = user.name.and_then(|name| name.split_once('\\'));
    match parts.filter(|(domain, name)| !domain.is_empty() && !name.is_empty()) {
        Some((domain, name)) if user.domain.is_none_or(|own| own.eq_ignore_ascii_case(domain)) => {
            UserEntity { name: Some(name), domain: user.domain.or(Some(domain)), ..user }
        }
        Some(_) | None => user,
    }
}

/// Returns the account name, unless it is a user principal name.
fn name_of<'a>(user: &UserEntity<'a>) -> Option<&'a str> {
    user.name.filter(|name| !name.contains('@'))
}

/// Returns the user principal name, also if it is in the member `name`.
fn upn_of<'a>(user: &UserEntity<'a>) -> Option<&'a str> {
    user.upn.or(user.name.filter(|name| name.contains('@')))
}

fn identities(user: &UserEntity<'_>) -> impl Iterator<Item = Identity> {
    let (name, upn) = (name_of(user), upn_of(user));
    let is_only_a_name = [user.domain, upn, user.sid, user.aad_id].iter().all(Option::is_none);
    let all = [
        ("sid", user.sid.map(Cow::Borrowed)),
        ("aad_id", user.aad_id.map(Cow::Borrowed)),
        ("upn", upn.map(Cow::Borrowed)),
        ("domain and name", user.domain.zip(name).map(|(domain, name)| [domain, "\\", name].concat().into())),
        ("name", name.filter(|_| is_only_a_name).map(Cow::Borrowed)),
    ];
    all.into_iter().filter_map(|(sort, value)| Some((sort, value?.to_ascii_lowercase())))
}

/// Whether no member that both have differs. The domain does not count, because it has two names: `CONTOSO` and
/// `contoso.com`.
fn may_be_one(one: &UserEntity<'_>, other: &UserEntity<'_>) -> bool {
    let same =
        |one: Option<&str>, other: Option<&str>| one.zip(other).map(|(one, other)| one.eq_ignore_ascii_case(other));
    let comparisons = [
        same(one.sid, other.sid),
        same(one.aad_id, other.aad_id),
        same(upn_of(one), upn_of(other)),
        same(name_of(one), name_of(other)),
    ];
    !comparisons.contains(&Some(false))
}

/// Returns the first account, with the members that only the second has.
fn merged<'a>(one: UserEntity<'a>, other: UserEntity<'a>) -> UserEntity<'a> {
    UserEntity {
        name: name_of(&one).or(name_of(&other)).or(one.name).or(other.name),
        domain: one.domain.or(other.domain),
        upn: upn_of(&one).or(upn_of(&other)),
        sid: one.sid.or(other.sid),
        aad_id: one.aad_id.or(other.aad_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: UserEntity<'_> = UserEntity { name: None, domain: None, upn: None, sid: None, aad_id: None };

    fn merge_all<'a>(users: &[UserEntity<'a>]) -> Vec<UserEntity<'a>> {
        let mut accounts = Accounts::default();
        for user in users {
            accounts.add(*user);
        }
        accounts.finish().0
    }

    #[test]
    fn all_spellings_of_an_account_are_merged() {
        let split = UserEntity { name: Some("dana"), domain: Some("CONTOSO"), ..EMPTY };
        let joined = UserEntity { name: Some(r"contoso\Dana"), ..EMPTY };
        let complete = UserEntity { upn: Some("dana@contoso.com"), sid: Some("S-1-5-21-7"), ..split };
        let upn = UserEntity { upn: Some("Dana@contoso.com"), ..EMPTY };
        let upn_as_name = UserEntity { name: Some("dana@CONTOSO.com"), ..EMPTY };
        let sid = UserEntity { sid: Some("s-1-5-21-7"), domain: Some("contoso.com"), ..EMPTY };
        let mut all = [split, joined, complete, upn, upn_as_name, sid];
        assert_eq!(merge_all(&all), [complete]);
        all.reverse();
        assert_eq!(merge_all(&all).len(), 1);
    }

    #[test]
    fn merged_accounts_keep_the_position_of_the_first() {
        let by_name = UserEntity { name: Some("dana"), domain: Some("D"), ..EMPTY };
        let by_upn = UserEntity { upn: Some("dana@d.example"), ..EMPTY };
        let (both, other) = (UserEntity { upn: by_upn.upn, ..by_name }, UserEntity { name: Some("omar"), ..EMPTY });
        assert_eq!(merge_all(&[by_name, other, by_upn, both]), [both, other]);
        assert_eq!(merge_all(&[by_upn, other, by_name, both]), [both, other]);
    }

    #[test]
    fn namesakes_are_not_merged() {
        let of = |domain| UserEntity { name: Some("admin"), domain, ..EMPTY };
        let all = [
            of(None),
            of(Some("CONTOSO")),
            of(Some("FABRIKAM")),
            UserEntity { sid: Some("S-1-5-21-1"), ..of(Some("TAILSPIN")) },
            UserEntity { sid: Some("S-1-5-21-2"), ..of(Some("TAILSPIN")) },
            UserEntity { upn: Some("a@contoso.com"), ..EMPTY },
            UserEntity { upn: Some("b@contoso.com"), ..EMPTY },
        ];
        assert_eq!(merge_all(&all), all);
    }

    #[test]
    fn the_list_is_limited() {
        let names: Vec<_> = (0..=MAX_ENTITIES).map(|n| n.to_string()).collect();
        let mut accounts = Accounts::default();
        for name in names.iter().chain(&names) {
            accounts.add(UserEntity { name: Some(name), ..EMPTY });
        }
        let (list, is_capped) = accounts.finish();
        assert_eq!((list.len(), is_capped), (MAX_ENTITIES, true));
    }
}
