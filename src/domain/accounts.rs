//! Accounts, each once, however it is spelled: evidence names one as `DOMAIN\name`, by name and domain, by its user
//! principal name, in any case, and one item tells more of it than another.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::entities::UserEntity;

/// A text of which the case of ASCII letters does not count.
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

/// What an account is recognized by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Sid(Caseless<'a>),
    AadId(Caseless<'a>),
    Upn(Caseless<'a>),
    Named {
        domain: Caseless<'a>,
        name: Caseless<'a>,
    },
    /// A name and nothing else: that it is the account of that name in some domain is not told.
    Name(Caseless<'a>),
}

/// The accounts of an answer, first sight first, and no more than so many.
pub(super) struct Accounts<'a> {
    /// Those that turned out to be another are `None`.
    list: Vec<Option<UserEntity<'a>>>,
    places: HashMap<Identity<'a>, usize>,
    count: usize,
    max_count: usize,
    is_capped: bool,
    /// What was added before: on most lists one user after the other is the same.
    before: Option<UserEntity<'a>>,
}

impl<'a> Accounts<'a> {
    pub(super) fn new(max_count: usize) -> Self {
        Self { list: Vec::new(), places: HashMap::new(), count: 0, max_count, is_capped: false, before: None }
    }

    /// Adds an account. If it is listed already, only what was not yet told of it is added.
    pub(super) fn add(&mut self, user: UserEntity<'a>) {
        if self.before == Some(user) {
            return;
        }
        self.before = Some(user);
        let user = with_domain_apart(user);
        match self.place_of(&user, None) {
            Some(place) => self.join(place, user),
            None if self.count == self.max_count => self.is_capped = true,
            None => {
                self.count += 1;
                self.list.push(None);
                self.put(self.list.len() - 1, user);
            }
        }
    }

    /// The accounts, and whether some were left out.
    pub(super) fn finish(self) -> (Vec<UserEntity<'a>>, bool) {
        (self.list.into_iter().flatten().collect(), self.is_capped)
    }

    /// Adds to the account at a place; two that were listed apart may turn out to be one.
    fn join(&mut self, mut place: usize, user: UserEntity<'a>) {
        let Some(listed) = self.take(place) else { return };
        let mut joined = merged(listed, user);
        while let Some(other) = self.place_of(&joined, Some(place))
            && let Some(same) = self.take(other)
        {
            self.count -= 1;
            joined = if other < place { merged(same, joined) } else { merged(joined, same) };
            place = place.min(other);
            self.places.extend(identities(&same).map(|identity| (identity, place)));
        }
        // Beside what is listed, it is known by its other spellings.
        self.places.extend(identities(&user).map(|identity| (identity, place)));
        self.put(place, joined);
    }

    fn take(&mut self, place: usize) -> Option<UserEntity<'a>> {
        self.list.get_mut(place).and_then(Option::take)
    }

    /// Where the same account stands, apart from this place.
    fn place_of(&self, user: &UserEntity<'a>, except: Option<usize>) -> Option<usize> {
        let is_same = |place: &usize| match self.list.get(*place) {
            Some(Some(listed)) => Some(*place) != except && may_be_one(listed, user),
            Some(None) | None => false,
        };
        identities(user).filter_map(|identity| self.places.get(&identity).copied()).find(is_same)
    }

    fn put(&mut self, place: usize, user: UserEntity<'a>) {
        self.places.extend(identities(&user).map(|identity| (identity, place)));
        if let Some(free) = self.list.get_mut(place) {
            *free = Some(user);
        }
    }
}

/// `DOMAIN\name` as a name is a name and a domain, unless another domain is told.
fn with_domain_apart(user: UserEntity<'_>) -> UserEntity<'_> {
    let parts = user.name.and_then(|name| name.split_once('\\'));
    match parts.filter(|(domain, name)| !domain.is_empty() && !name.is_empty()) {
        Some((domain, name)) if user.domain.is_none_or(|own| own.eq_ignore_ascii_case(domain)) => {
            UserEntity { name: Some(name), domain: user.domain.or(Some(domain)), ..user }
        }
        Some(_) | None => user,
    }
}

/// The account name, unless a user principal name stands there.
fn name_of<'a>(user: &UserEntity<'a>) -> Option<&'a str> {
    user.name.filter(|name| !name.contains('@'))
}

/// The user principal name, also where it stands as the name.
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

/// Whether nothing that both tell differs. The domain does not count, as it has two names: `CONTOSO`, `contoso.com`.
fn may_be_one(one: &UserEntity<'_>, other: &UserEntity<'_>) -> bool {
    let same =
        |one: Option<&str>, other: Option<&str>| one.zip(other).map(|(one, other)| one.eq_ignore_ascii_case(other));
    let told = [
        same(one.sid, other.sid),
        same(one.aad_id, other.aad_id),
        same(upn_of(one), upn_of(other)),
        same(name_of(one), name_of(other)),
    ];
    !told.contains(&Some(false))
}

/// The first, with what only the second tells.
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

    fn listed<'a>(users: &[UserEntity<'a>]) -> Vec<UserEntity<'a>> {
        let mut accounts = Accounts::new(100);
        for user in users {
            accounts.add(*user);
        }
        accounts.finish().0
    }

    #[test]
    fn an_account_is_one_however_it_is_spelled() {
        let split = UserEntity { name: Some("dana"), domain: Some("CONTOSO"), ..NOBODY };
        let joined = UserEntity { name: Some(r"contoso\Dana"), ..NOBODY };
        let told = UserEntity { upn: Some("dana@contoso.com"), sid: Some("S-1-5-21-7"), ..split };
        let upn = UserEntity { upn: Some("Dana@contoso.com"), ..NOBODY };
        let upn_as_name = UserEntity { name: Some("dana@CONTOSO.com"), ..NOBODY };
        let sid = UserEntity { sid: Some("s-1-5-21-7"), domain: Some("contoso.com"), ..NOBODY };
        let all = [split, joined, told, upn, upn_as_name, sid];
        assert_eq!(listed(&all), [told]);
        let mut reversed = all;
        reversed.reverse();
        assert_eq!(listed(&reversed).len(), 1);
    }

    #[test]
    fn accounts_that_turn_out_to_be_one_are_listed_where_the_first_was() {
        let (by_name, other) = (UserEntity { domain: Some("D"), ..named("dana") }, named("omar"));
        let by_upn = UserEntity { upn: Some("dana@d.example"), ..NOBODY };
        let both = UserEntity { upn: by_upn.upn, ..by_name };
        assert_eq!(listed(&[by_name, other, by_upn, both]), [both, other]);
        assert_eq!(listed(&[by_upn, other, by_name, both]), [both, other]);
    }

    fn named(name: &str) -> UserEntity<'_> {
        UserEntity { name: Some(name), ..NOBODY }
    }

    #[test]
    fn namesakes_are_told_apart() {
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
        assert_eq!(listed(&all), all);
    }

    #[test]
    fn no_more_than_so_many_are_listed() {
        let names: Vec<_> = (0..5).map(|n| n.to_string()).collect();
        let mut accounts = Accounts::new(3);
        for name in names.iter().chain(&names) {
            accounts.add(named(name));
        }
        let (list, is_capped) = accounts.finish();
        assert_eq!((list.len(), is_capped), (3, true));
    }
}
