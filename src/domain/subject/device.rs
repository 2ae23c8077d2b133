//! How a device is named: by its id, or by what people call it.

use super::{IpAddress, is_hex};

/// A device's id: 40 hexadecimal digits, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Takes 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device's name: a DNS name, a NetBIOS name, or the free text that phones are given ("Dana's iPad").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// Takes 1 to 255 letters, digits, dots, hyphens, underscores, inner spaces, apostrophes and round brackets.
    ///
    /// The backslashes of a network path (`\\HOST`) and the dollar sign of a machine's account are dropped. Digits and
    /// dots alone are no name: they are an address, or were meant for one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\\');
        let text = &*as_records_have_it(text.strip_suffix('$').unwrap_or(text));
        let fits = (1..=255).contains(&text.len())
            && text.chars().all(|letter| is_name_letter(letter) || " .-_'’()".contains(letter))
            && text.trim() == text
            && text.chars().any(is_name_letter)
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !IpAddress::looks_like(text)
            && !text.contains("..");
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names a host without its domain.
    pub fn is_short(&self) -> bool {
        !self.0.contains('.')
    }

    /// How a device of this `computerDnsName` is meant by this name, if it is.
    pub fn matches(&self, dns_name: &str) -> Option<NameMatch> {
        let (wanted, found) = (comparable(&self.0), comparable(dns_name));
        let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        if found == wanted || (self.is_short() && first_label(&found) == wanted) {
            return Some(NameMatch::Whole);
        }
        (found == first_label(&wanted)).then_some(NameMatch::FirstLabel)
    }

    /// The first label of a full name: what a device without a domain would be called. `None` for a short name.
    pub fn first_label(&self) -> Option<Self> {
        let (label, _) = self.0.split_once('.')?;
        Some(Self(label.to_owned()))
    }

    /// This name as it was given, with all apostrophes straight, and with all of them curved, each once.
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

/// Chats and phones curve them.
const APOSTROPHES: [char; 2] = ['\'', '’'];

/// How a device is meant by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// By the whole of it; where it is short, by the first label of the device's name.
    Whole,
    /// By its first label: the device's name has no domain, the name asked for has.
    FirstLabel,
}

/// A name in the form in which equal names are the same text.
fn comparable(name: &str) -> String {
    name.to_lowercase().replace('’', "'")
}

/// A name with plain blanks, one between two words, and with the apostrophes that records have.
fn as_records_have_it(text: &str) -> String {
    let text = with_apostrophes(text).replace('\u{a0}', " ");
    let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
    if text.starts_with(' ') || text.ends_with(' ') { text } else { words.join(" ") }
}

/// Inside of a word, accents and quotes stand for an apostrophe; elsewhere they are left as they are.
fn with_apostrophes(text: &str) -> String {
    let is_of_a_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let mut before = None;
    let mut letters = text.chars().peekable();
    std::iter::from_fn(|| {
        let letter = letters.next()?;
        let stands_for_one =
            matches!(letter, 'ʼ' | '‘' | '´' | '`') && is_of_a_word(before) && is_of_a_word(letters.peek().copied());
        before = Some(letter);
        Some(if stands_for_one { '’' } else { letter })
    })
    .collect()
}

/// A letter or digit of a script in everyday use: no combining marks, no look-alikes of the compatibility blocks.
fn is_name_letter(letter: char) -> bool {
    letter.is_alphanumeric() && matches!(u32::from(letter), 0..0x2000 | 0x3040..0xA000 | 0xAC00..0xD7B0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_device_name_is_dropped() {
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
    fn device_names_of_all_sorts_are_taken() {
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
    fn a_name_means_a_device_of_the_whole_of_it_or_of_its_first_label() {
        use NameMatch::{FirstLabel, Whole};
        for (asked, known, right) in [
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
            assert_eq!(name(asked).matches(known), right, "{asked} {known}");
        }
    }

    #[test]
    fn either_apostrophe_is_a_spelling_of_the_other() {
        assert_eq!(name("desk-042").spellings(), ["desk-042"]);
        assert_eq!(name("Dana's iPad").spellings(), ["Dana's iPad", "Dana’s iPad"]);
        let mixed = name("Dana’s 'iPad'").spellings();
        assert_eq!(mixed, ["Dana’s 'iPad'", "Dana's 'iPad'", "Dana’s ’iPad’"]);
    }
}
