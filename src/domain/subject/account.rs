//! How an account is named: bare, or with its domain before or after it.

use crate::domain::resolution::{Step, StepName};

/// An account's bare name, as Defender takes it, and the domain in which the caller said it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    name: String,
    domain: Option<String>,
    is_principal_name: bool,
}

impl Account {
    /// Takes `name`, `DOMAIN\name` or `name@domain`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, domain) = match (text.split_once('\\'), text.rsplit_once('@')) {
            (Some((domain, name)), _) | (None, Some((name, domain))) => (name, Some(domain)),
            (None, None) => (text, None),
        };
        let fits = is_account_name(name) && domain.is_none_or(is_account_name);
        let is_principal_name = domain.is_some() && !text.contains('\\');
        fits.then(|| Self { name: name.to_owned(), domain: domain.map(str::to_owned), is_principal_name })
    }

    /// The bare name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the caller gave `name@domain`.
    pub fn is_principal_name(&self) -> bool {
        self.is_principal_name
    }

    /// The name as the caller gave it, with its domain.
    pub fn as_given(&self) -> String {
        match &self.domain {
            Some(domain) if self.is_principal_name => format!("{}@{domain}", self.name),
            Some(domain) => format!("{domain}\\{}", self.name),
            None => self.name.clone(),
        }
    }

    /// From what the caller gave to the bare name, where the two differ.
    pub fn step_to_bare_name(&self) -> Option<Step> {
        let step = if self.is_principal_name { StepName::UpnToAccountName } else { StepName::DomainToAccountName };
        self.domain.as_ref().map(|_| Step::new(step, self.as_given(), self.name()))
    }

    /// The domain that the caller gave: of NetBIOS or of DNS.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

/// 1 to 256 characters, none that could leave a path segment, none that cannot be seen.
fn is_account_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=256).contains(&length)
        && text.trim() == text
        && text != "."
        && text != ".."
        && !text.chars().any(|letter| is_unseen(letter) || "/\\%?#;".contains(letter))
}

/// Control and format characters: line breaks, bidirectional marks, zero widths, surrogate halves' stand-in.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(u32::from(letter),
            0xAD | 0x600..=0x605 | 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF
            | 0xFFF9..=0xFFFD | 0xE0000..=0xE007F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_account_give_its_name() {
        for (text, name, domain) in [
            ("dana.reyes", "dana.reyes", None),
            ("CONTOSO\\dana.reyes", "dana.reyes", Some("CONTOSO")),
            ("dana.reyes@contoso.com", "dana.reyes", Some("contoso.com")),
            ("NETWORK SERVICE", "NETWORK SERVICE", None),
            ("DESK-042$", "DESK-042$", None),
            ("øyvind", "øyvind", None),
        ] {
            let account = Account::parse(text).expect(text);
            assert_eq!((account.name(), account.domain()), (name, domain), "{text}");
        }
        for text in ["\\name", "CONTOSO\\", "@contoso.com", "dana@", "a\\b\\c", "dana#EXT#@contoso.com"] {
            assert!(Account::parse(text).is_none(), "{text}");
        }
    }
}
