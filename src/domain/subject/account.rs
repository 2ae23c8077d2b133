//! Account names: bare, or with a domain before or after the name.

use super::is_number;
use super::spelling::without_prefix;
use crate::domain::line::is_invisible;
use crate::domain::portal::is_guid;
use crate::domain::resolution::{Step, StepName};

/// An account: its bare name, as Defender takes it, and the domain that the caller sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    name: String,
    domain: Option<String>,
    is_principal_name: bool,
}

impl Account {
    /// Parses `name`, `DOMAIN\name` or `name@domain`. `AzureAD\name@domain` counts as `name@domain`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, domain, is_principal_name) = match text.split_once('\\') {
            Some((_, name)) if name.contains('@') => Self::principal_name(name)?,
            Some((domain, name)) => (name, Some(domain), false),
            None if text.contains('@') => Self::principal_name(text)?,
            None => (text, None, false),
        };
        let fits =
            is_account_name(name) && domain.is_none_or(|domain| is_account_name(domain) && !domain.contains('#'));
        fits.then(|| Self { name: name.to_owned(), domain: domain.map(str::to_owned), is_principal_name })
    }

    /// Splits a user principal name, which has no blanks.
    fn principal_name(text: &str) -> Option<(&str, Option<&str>, bool)> {
        let (name, domain) = text.rsplit_once('@').filter(|_| !text.contains(char::is_whitespace))?;
        Some((name, Some(domain), true))
    }

    /// Whether this is a security identifier (`S-1-5-21-…`), which only hunting knows.
    pub fn is_sid(&self) -> bool {
        self.domain.is_none() && is_sid(&self.name)
    }

    /// Whether this is the id of an object in Entra, which only hunting knows.
    pub fn is_object_id(&self) -> bool {
        self.domain.is_none() && is_guid(&self.name)
    }

    /// Returns the bare name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the caller sent `name@domain`.
    pub fn is_principal_name(&self) -> bool {
        self.is_principal_name
    }

    /// Returns the name as the caller sent it, with its domain.
    pub fn as_given(&self) -> String {
        match &self.domain {
            Some(domain) if self.is_principal_name => format!("{}@{domain}", self.name),
            Some(domain) => format!("{domain}\\{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the conversion to the bare name, if the caller sent more.
    pub fn step_to_bare_name(&self) -> Option<Step> {
        let step = if self.is_principal_name { StepName::UpnToAccountName } else { StepName::DomainToAccountName };
        self.domain.as_ref().map(|_| Step::new(step, self.as_given(), self.name()))
    }

    /// Returns the domain that the caller sent: a NetBIOS or DNS name.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

/// Whether a text is `S-1-` followed by numbers.
fn is_sid(text: &str) -> bool {
    without_prefix(text, "S-1-").is_some_and(|numbers| numbers.split('-').all(is_number))
}

/// The suffix of a guest's name: `jane_fabrikam.example#EXT#@contoso.onmicrosoft.com`.
const GUEST_SUFFIX: &str = "#EXT#";

/// Returns the name without the suffix of a guest.
fn without_guest_suffix(name: &str) -> &str {
    let at = name.len().saturating_sub(GUEST_SUFFIX.len());
    match name.split_at_checked(at) {
        Some((rest, suffix)) if suffix.eq_ignore_ascii_case(GUEST_SUFFIX) => rest,
        _ => name,
    }
}

/// Whether a text has 1 to 256 characters, all visible, and none of [`UNSAFE_ACCOUNT_CHARS`].
fn is_account_name(text: &str) -> bool {
    let length = text.chars().count();
    let text = without_guest_suffix(text);
    length <= 256
        && !text.is_empty()
        && text.trim() == text
        && text != "."
        && text != ".."
        && !text.chars().any(|c| c.is_control() || is_invisible(c) || UNSAFE_ACCOUNT_CHARS.contains(c))
}

/// Characters that end a path segment or start an escape, format characters over numbers, and replacement characters.
const UNSAFE_ACCOUNT_CHARS: &str = "/\\%?#;\u{600}\u{601}\u{602}\u{603}\u{604}\u{605}\u{fffc}\u{fffd}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_account_gives_its_bare_name() {
        for (text, name, domain) in [
            ("dana.reyes", "dana.reyes", None),
            ("NT AUTHORITY\\SYSTEM", "SYSTEM", Some("NT AUTHORITY")),
            ("dana.reyes@contoso.com", "dana.reyes", Some("contoso.com")),
            ("AzureAD\\dana.reyes@contoso.com", "dana.reyes", Some("contoso.com")),
            ("AZUREAD\\DanaReyes", "DanaReyes", Some("AZUREAD")),
            ("jane_fabrikam.example#EXT#@contoso.com", "jane_fabrikam.example#EXT#", Some("contoso.com")),
            ("jane_fabrikam.example#ext#", "jane_fabrikam.example#ext#", None),
            ("NETWORK SERVICE", "NETWORK SERVICE", None),
            ("DESK-042$", "DESK-042$", None),
            ("s.o’brien", "s.o’brien", None),
            ("øyvind", "øyvind", None),
        ] {
            let account = Account::parse(text).expect(text);
            assert_eq!((account.name(), account.domain()), (name, domain), "{text}");
            assert_eq!(account.is_principal_name(), text.contains('@'), "{text}");
            assert_eq!(account.as_given(), text.strip_prefix("AzureAD\\").unwrap_or(text));
        }
        for text in [
            "\\name",
            "CONTOSO\\",
            "@contoso.com",
            "dana@",
            "a\\b\\c",
            "x#y",
            "#EXT",
            "#EXT#",
            "#EXT#@contoso.com",
            "mira#EXTRA#@contoso.com",
            "a#b#EXT#@contoso.com",
            "dana@contoso.com#EXT#",
            "a#EXT#b@contoso.com",
            "dana@contoso.com please",
            "CONTOSO\\a#EXT#\\b",
            "da\u{3164}na",
            "dana\u{fffd}",
        ] {
            assert!(Account::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ids_of_accounts_differ_from_names() {
        for (text, is_sid, is_object_id) in [
            ("S-1-5-21-41-42-43-1473", true, false),
            ("s-1-5-18", true, false),
            ("c995191e-ab0d-41ff-95fd-921e07823508", false, true),
            ("S-1-", false, false),
            ("S-1-5-x", false, false),
            ("CONTOSO\\S-1-5-18", false, false),
        ] {
            let account = Account::parse(text).expect(text);
            assert_eq!((account.is_sid(), account.is_object_id()), (is_sid, is_object_id), "{text}");
        }
    }
}
