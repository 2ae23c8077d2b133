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
        let text = text.strip_suffix('$').unwrap_or(text);
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

    /// Whether a device's `computerDnsName` is this name: all of it, or its first label where this is short.
    pub fn matches(&self, dns_name: &str) -> bool {
        let wanted = self.0.to_lowercase();
        let found = dns_name.to_lowercase();
        found == wanted || (self.is_short() && found.split('.').next() == Some(wanted.as_str()))
    }
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
        let name = DeviceName::parse("DESK-042").expect("a name");
        assert!(
            name.matches("desk-042.contoso.com") && name.matches("desk-042") && !name.matches("desk-0421.contoso.com")
        );
        let full = DeviceName::parse("desk-042.contoso.com").expect("a name");
        assert!(full.matches("DESK-042.CONTOSO.COM") && !full.matches("desk-042"));
    }
}
