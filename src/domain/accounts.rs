//! Merges the accounts of an answer, so that each is listed once. Evidence names an account as `DOMAIN\name`, by name and
//! domain, or by its user principal name, in any case. Some items have more of its members than others.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::entities::UserEntity;

/// A text that is compared without regard to the case of ASCII letters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caseless<'a>(pub(super) &'a str);

impl PartialEq for Caseless<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Caseless<'_> {}

impl Hash for Caseless<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

/// A key by which an account is recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Sid(Caseless<'a>),
    AadId(Caseless<'a>),
    Upn(Caseless<'a>),
    Named {
        domain: Caseless<'a>,
        name: Caseless<'a>,
    },
    /// Only a name. It may or may not be the account of that name in a domain.
    Name(Caseless<'a>),
}

/// The accounts of an answer in the order of first occurrence, up to a limit.
pub(super) struct Accounts<'a> {
    /// An account that was merged into another is `None`.
    list: Vec<Option<UserEntity<'a>>>,
    indexes: HashMap<Identity<'a>, usize>,
    count: usize,
    max_count: usize,
    is_capped: bool,
    /// The account that was added last: on most lists consecutive users are equal.
    before: Option<UserEntity<'a>>,
}

impl<'a> Accounts<'a> {
    pub(super) fn new(max_count: usize) -> Self {
        Self { list: Vec::new(), indexes: HashMap::new(), count: 0, max_count, is_capped: false, before: None }
    }

    /// Adds an account. If it is already listed, its missing members are filled in.
    pub(super) fn add(&mut self, user: UserEntity<'a>) {
        if self.before == Some(user) {
            return;
        }
        self.before = Some(user);
        let user = with_split_domain(user);
        match self.index_of(&user, None) {
            Some(index) => self.join(index, user),
            None if self.count == self.max_count => self.is_capped = true,
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
        let is_same = |index: &usize| match self.list.get(*index) {
            Some(Some(known)) => Some(*index) != except && may_be_one(known, user),
            Some(None) | None => false,
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

fn identities<'a>(user: &UserEntity<'a>) -> impl Iterator<Item = Identity<'a>> + use<'a> {
    let (name, upn) = (name_of(user).map(Caseless), upn_of(user));
    let named = user.domain.zip(name).map(|(domain, name)| Identity::Named { domain: Caseless(domain), name });
    let is_only_a_name = user.domain.is_none() && upn.is_none() && user.sid.is_none() && user.aad_id.is_none();
    let all = [
        user.sid.map(|sid| Identity::Sid(Caseless(sid))),
        user.aad_id.map(|id| Identity::AadId(Caseless(id))),
        upn.map(|upn| Identity::Upn(Caseless(upn))),
        named,
        name.filter(|_| is_only_a_name).map(Identity::Name),
    ];
    all.into_iter().flatten()
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

    const NOBODY: UserEntity<'_> = UserEntity { name: None, domain: None, upn: None, sid: None, aad_id: None };

    fn merge_all<'a>(users: &[UserEntity<'a>]) -> Vec<UserEntity<'a>> {
        let mut accounts = Accounts::new(100);
        for user in users {
            accounts.add(*user);
        }
        accounts.finish().0
    }

    #[test]
    fn all_spellings_of_an_account_are_merged() {
        let split = UserEntity { name: Some("dana"), domain: Some("CONTOSO"), ..NOBODY };
        let joined = UserEntity { name: Some(r"contoso\Dana"), ..NOBODY };
        let complete = UserEntity { upn: Some("dana@contoso.com"), sid: Some("S-1-5-21-7"), ..split };
        let upn = UserEntity { upn: Some("Dana@contoso.com"), ..NOBODY };
        let upn_as_name = UserEntity { name: Some("dana@CONTOSO.com"), ..NOBODY };
        let sid = UserEntity { sid: Some("s-1-5-21-7"), domain: Some("contoso.com"), ..NOBODY };
        let all = [split, joined, complete, upn, upn_as_name, sid];
        assert_eq!(merge_all(&all), [complete]);
        let mut reversed = all;
        reversed.reverse();
        assert_eq!(merge_all(&reversed).len(), 1);
    }

    #[test]
    fn merged_accounts_keep_the_position_of_the_first() {
        let (by_name, other) = (UserEntity { domain: Some("D"), ..named("dana") }, named("omar"));
        let by_upn = UserEntity { upn: Some("dana@d.example"), ..NOBODY };
        let both = UserEntity { upn: by_upn.upn, ..by_name };
        assert_eq!(merge_all(&[by_name, other, by_upn, both]), [both, other]);
        assert_eq!(merge_all(&[by_upn, other, by_name, both]), [both, other]);
    }

    fn named(name: &str) -> UserEntity<'_> {
        UserEntity { name: Some(name), ..NOBODY }
    }

    #[test]
    fn namesakes_are_not_merged() {
        let of = |domain| UserEntity { name: Some("admin"), domain, ..NOBODY };
        let all = [
            of(None),
            of(Some("CONTOSO")),
            of(Some("FABRIKAM")),
            UserEntity { sid: Some("S-1-5-21-1"), ..of(Some("TAILSPIN")) },
            UserEntity { sid: Some("S-1-5-21-2"), ..of(Some("TAILSPIN")) },
            UserEntity { upn: Some("a@contoso.com"), ..NOBODY },
            UserEntity { upn: Some("b@contoso.com"), ..NOBODY },
        ];
        assert_eq!(merge_all(&all), all);
    }

    #[test]
    fn the_list_is_limited() {
        let names: Vec<_> = (0..5).map(|n| n.to_string()).collect();
        let mut accounts = Accounts::new(3);
        for name in names.iter().chain(&names) {
            accounts.add(named(name));
        }
        let (list, is_capped) = accounts.finish();
        assert_eq!((list.len(), is_capped), (3, true));
    }
}
