//! Device ids and device names.

use super::{IpAddress, is_hex};

/// A device's id: 40 hexadecimal digits, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Parses 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device's name: a DNS name, a NetBIOS name, or free text, as phones have ("Dana's iPad").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// Parses 1 to 255 chars, digits, dots, hyphens, underscores, inner spaces, apostrophes and parentheses.
    ///
    /// The backslashes of a network path (`\\HOST`) and the dollar sign of a machine's account are dropped. A text of only
    /// digits and dots is not a name: it is an address, possibly mistyped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\\');
        let text = &*normalized(text.strip_suffix('$').unwrap_or(text));
        let fits = (1..=255).contains(&text.len())
            && text.chars().all(|c| is_name_char(c) || " .-_'’()".contains(c))
            && text.trim() == text
            && text.chars().any(is_name_char)
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !IpAddress::looks_like(text)
            && !text.contains("..");
        fits.then(|| Self(text.to_owned()))
    }

    /// Returns the name as the caller sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a host name without a domain.
    pub fn is_short(&self) -> bool {
        !self.0.contains('.')
    }

    /// Returns how a device with this `computerDnsName` matches the name; `None` if it does not.
    pub fn matches(&self, dns_name: &str) -> Option<NameMatch> {
        let (wanted, found) = (comparable(&self.0), comparable(dns_name));
        let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        if found == wanted || (self.is_short() && first_label(&found) == wanted) {
            return Some(NameMatch::Whole);
        }
        (found == first_label(&wanted)).then_some(NameMatch::FirstLabel)
    }

    /// Returns the first label of a full name, which is the name of a device without a domain. `None` for a short name.
    pub fn first_label(&self) -> Option<Self> {
        let (label, _) = self.0.split_once('.')?;
        Some(Self(label.to_owned()))
    }

    /// Returns the distinct spellings: as the caller sent it, with straight apostrophes, and with curved ones.
    pub fn spellings(&self) -> Vec<String> {
        let mut all = vec![self.0.clone()];
        for other in [self.0.replace(APOSTROPHES, "'"), self.0.replace(APOSTROPHES, "’")] {
            if !all.contains(&other) {
                all.push(other);
            }
        }
        all
    }
}

/// The straight apostrophe, and the curved one that chats and phones use.
const APOSTROPHES: [char; 2] = ['\'', '’'];

/// How a device matches a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// The whole name matches. A short name matches the first label of the device's name.
    Whole,
    /// The first label matches: the requested name has a domain, the device's name has none.
    FirstLabel,
}

/// Returns a name in a form that can be compared.
fn comparable(name: &str) -> String {
    name.to_lowercase().replace('’', "'")
}

/// Returns a name with single plain spaces between words, and with the apostrophes that records have.
fn normalized(text: &str) -> String {
    let text = with_apostrophes(text).replace('\u{a0}', " ");
    let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
    if text.starts_with(' ') || text.ends_with(' ') { text } else { words.join(" ") }
}

/// Replaces accents and quotes inside a word by an apostrophe. Elsewhere they are unchanged.
fn with_apostrophes(text: &str) -> String {
    let is_in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut before = None;
    let mut chars = text.chars().peekable();
    std::iter::from_fn(|| {
        let c = chars.next()?;
        let is_apostrophe =
            matches!(c, 'ʼ' | '‘' | '´' | '`') && is_in_word(before) && is_in_word(chars.peek().copied());
        before = Some(c);
        Some(if is_apostrophe { '’' } else { c })
    })
    .collect()
}

/// Whether this is a c or digit of a common script. Combining marks and compatibility characters are not.
fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() && matches!(u32::from(c), 0..0x2000 | 0x3040..0xA000 | 0xAC00..0xD7B0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_and_the_dollar_sign_around_a_device_name_are_dropped() {
        for (text, name) in [
            ("DESK-042$", "DESK-042"),
            ("\\\\desk-042", "desk-042"),
            ("\\\\desk-042.contoso.com", "desk-042.contoso.com"),
            ("\\\\DESK-042$", "DESK-042"),
        ] {
            assert_eq!(DeviceName::parse(text).as_ref().map(DeviceName::as_str), Some(name), "{text}");
        }
        for text in [
            "desk-042$$",
            "$",
            "\\\\",
            "\\\\desk-042\\c$",
            "desk-042.",
            "192.0.2.7",
            "1.2.3",
            "999.1.1.1",
            "2001:db8::7",
            "```desk-042```",
            "`desk-042`",
            "Dana` iPad",
        ] {
            assert!(DeviceName::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn all_forms_of_device_names_are_accepted() {
        for text in [
            "desk-042",
            "desk-042.contoso.com",
            "DESK_042",
            "Dana's iPad",
            "Dana’s iPad (2)",
            "Øyvinds PC",
            "会議室の端末",
        ] {
            assert!(DeviceName::parse(text).is_some(), "{text}");
        }
    }

    fn name(text: &str) -> DeviceName {
        DeviceName::parse(text).expect("a name")
    }

    #[test]
    fn a_name_matches_as_a_whole_or_by_its_first_label() {
        use NameMatch::{FirstLabel, Whole};
        for (requested, known, right) in [
            ("DESK-042", "desk-042", Some(Whole)),
            ("DESK-042", "desk-042.contoso.com", Some(Whole)),
            ("desk-042", "desk-0421.contoso.com", None),
            ("desk-042", "x-desk-042", None),
            ("desk-042.contoso.com", "DESK-042.CONTOSO.COM", Some(Whole)),
            ("desk-042.contoso.com", "Desk-042", Some(FirstLabel)),
            ("desk-042.contoso.com", "desk-042.fabrikam.com", None),
            ("desk-042.contoso.com", "desk-042.contoso", None),
            ("desk-042.contoso.com", "", None),
            ("Dana’s iPad", "dana's ipad", Some(Whole)),
            ("Dana's iPad", "Dana’s iPad", Some(Whole)),
            ("Danaʼs iPad", "Dana's iPad", Some(Whole)),
            ("Dana‘s  iPad", "Dana's iPad", Some(Whole)),
            ("Dana`s\u{a0}iPad", "Dana's iPad", Some(Whole)),
            ("Dana's iPad.contoso.com", "Dana’s iPad", Some(FirstLabel)),
        ] {
            assert_eq!(name(requested).matches(known), right, "{requested} {known}");
        }
    }

    #[test]
    fn a_name_has_spellings_with_either_apostrophe() {
        assert_eq!(name("desk-042").spellings(), ["desk-042"]);
        assert_eq!(name("Dana's iPad").spellings(), ["Dana's iPad", "Dana’s iPad"]);
        let mixed = name("Dana’s 'iPad'").spellings();
        assert_eq!(mixed, ["Dana’s 'iPad'", "Dana's 'iPad'", "Dana’s ’iPad’"]);
    }
}
