//! Accounts: the object `user`, for evidence, mailboxes and assignees.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/user>.

use serde::Serialize;

use crate::domain::evidence;
use crate::formats::filled::Filled;

/// An account.
#[derive(Default, Serialize)]
pub(super) struct User<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) uid: Option<&'a str>,
    pub(super) uid_alt: Option<&'a str>,
    pub(super) domain: Option<&'a str>,
    pub(super) display_name: Option<&'a str>,
    pub(super) email_addr: Option<&'a str>,
    pub(super) r#type: Option<&'static str>,
    pub(super) type_id: Option<u8>,
}

/// Defender's name for automation that handles an alert.
const AUTOMATION: &str = "Automation";

impl<'a> User<'a> {
    /// The account of an item of evidence; `None` if it has neither a name nor an id.
    pub(super) fn of(user: &'a evidence::User) -> Option<Self> {
        let [sid, aad_id, upn, name] = [&user.sid, &user.aad_id, &user.upn, &user.name].map(|text| text.filled());
        let account = Self {
            name: name.or(upn),
            uid: sid.or(aad_id),
            uid_alt: sid.and(aad_id),
            domain: user.domain.as_deref(),
            email_addr: upn.filter(|upn| is_email(upn)),
            ..Self::default()
        };
        (account.name.is_some() || account.uid.is_some()).then_some(account)
    }

    /// The owner of a mailbox; `None` if it has no address.
    pub(super) fn of_mailbox(mailbox: &'a evidence::Mailbox) -> Option<Self> {
        let address = mailbox.address.filled()?;
        let owner = mailbox.user.as_deref().and_then(Self::of).unwrap_or_default();
        Some(Self {
            name: Some(address),
            uid: owner.uid,
            uid_alt: owner.uid_alt,
            domain: owner.domain,
            display_name: mailbox.display_name.as_deref(),
            email_addr: Some(address).filter(|address| is_email(address)),
            ..Self::default()
        })
    }

    /// The assignee of a finding.
    pub(super) fn assigned(name: &'a str) -> Self {
        let email_addr = Some(name).filter(|name| is_email(name));
        let (type_id, kind) = match email_addr {
            Some(_) => (1, "User"),
            None if name.eq_ignore_ascii_case(AUTOMATION) => (4, "Service"),
            None => (0, "Unknown"),
        };
        Self {
            name: Some(name),
            domain: email_addr.and_then(|address| address.split_once('@')).map(|(_, domain)| domain),
            email_addr,
            r#type: Some(kind),
            type_id: Some(type_id),
            ..Self::default()
        }
    }

    /// The assignee of an unassigned incident, since OCSF requires one.
    pub(super) fn nobody() -> Self {
        Self { name: Some("Unassigned"), r#type: Some("Unknown"), type_id: Some(0), ..Self::default() }
    }
}

/// Whether a text has the form of OCSF's `email_t`.
///
/// Source: <https://schema.ocsf.io/1.8.0/data_types>:
///
/// ```text
/// ^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$
/// ```
pub(super) fn is_email(text: &str) -> bool {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-./=?^_`{|}~".contains(&byte);
    let label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let Some((name, domain)) = text.split_once('@') else { return false };
    let Some((first, rest)) = domain.split_once('.') else { return false };
    let made_of = |part: &str, character: &dyn Fn(u8) -> bool| !part.is_empty() && part.bytes().all(character);
    made_of(name, &local) && made_of(first, &label) && made_of(rest, &|byte| label(byte) || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shared_str::SharedStr;

    #[test]
    fn only_valid_addresses_are_accepted() {
        for address in ["dana.reyes@contoso.com", "a+b@x.example", "o'neil@mail.contoso.com"] {
            assert!(is_email(address), "{address}");
        }
        for other in [
            "",
            "dana",
            "dana@contoso",
            "@contoso.com",
            "dana@.com",
            "da na@contoso.com",
            "a@b@c.example",
            "<a@b.example>",
        ] {
            assert!(!is_email(other), "{other}");
        }
    }

    #[test]
    fn account_is_named_by_its_available_members() {
        let user = evidence::User { aad_id: Some("o1".into()), upn: Some("a@b.example".into()), ..Default::default() };
        let account = User::of(&user).expect("an account");
        assert_eq!((account.name, account.uid, account.uid_alt), (Some("a@b.example"), Some("o1"), None));
        let only_domain =
            evidence::User { domain: Some("CONTOSO".into()), name: Some(SharedStr::default()), ..Default::default() };
        assert!(User::of(&only_domain).is_none());
    }

    #[test]
    fn automation_is_a_service_account() {
        assert_eq!(User::assigned("Automation").type_id, Some(4));
        assert_eq!(User::assigned("soc@contoso.com").domain, Some("contoso.com"));
        assert_eq!(User::assigned("Dana").type_id, Some(0));
    }
}
