//! Device names.

use super::IpAddress;

/// A device's name: a DNS name, a NetBIOS name, or free text, as phones have ("Dana's iPad").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// Parses 1 to 255 letters, digits, dots, hyphens, underscores, inner spaces, apostrophes and parentheses.
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
        let (requested, known) = (comparable(&self.0), comparable(dns_name));
        let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        if known == requested || (self.is_short() && first_label(&known) == requested) {
            return Some(NameMatch::Whole);
        }
        (known == first_label(&requested)).then_some(NameMatch::FirstLabel)
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

/// Whether this is a letter or digit of a common script. Combining marks and compatibility characters are not.
fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() && matches!(u32::from(c), 0..0x2000 | 0x3040..0xA000 | 0xAC00..0xD7B0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DeviceName {
        DeviceName::parse(text).expect(text)
    }

    #[test]
    fn a_device_name_is_a_host_name_or_free_text() {
        for (text, parsed) in [
            ("desk-042.contoso.com", "desk-042.contoso.com"),
            ("DESK_042$", "DESK_042"),
            (r"\\DESK-042$", "DESK-042"),
            ("Dana's iPad", "Dana's iPad"),
            ("Dana’s iPad (2)", "Dana’s iPad (2)"),
            ("Øyvinds PC", "Øyvinds PC"),
            ("会議室の端末", "会議室の端末"),
        ] {
            assert_eq!(name(text).as_str(), parsed);
        }
        for text in [
            "desk-042$$",
            "$",
            r"\\",
            r"\\desk-042\c$",
            "desk-042.",
            "1.2.3",
            "999.1.1.1",
            "2001:db8::7",
            "`desk-042`",
            "Dana` iPad",
            "ａｄｍｉｎ",
            "e\u{301}",
            "x' or '1'='1",
            "a'; drop",
            "{}",
            "<script>",
            "😀",
        ] {
            assert_eq!(DeviceName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_matches_as_a_whole_or_by_its_first_label() {
        use NameMatch::{FirstLabel, Whole};
        for (requested, known, right) in [
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
        assert_eq!(name("Dana’s 'iPad'").spellings(), ["Dana’s 'iPad'", "Dana's 'iPad'", "Dana’s ’iPad’"]);
    }
}
