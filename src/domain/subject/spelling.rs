//! How a value is written: what stands around it and is no part of it, spellings that cannot be followed, and texts that
//! are no value at all.

use std::borrow::Cow;

use super::IpAddress;
use super::is_hex;

/// A value as it was meant: without blanks and zero-width characters at its ends, without one full stop or comma behind
/// it, without what mail programs put around an address (`<mailto:…>`), and with its dots, colons and at signs whole
/// (`desk-042[.]contoso[.]com`, `hxxps://…`).
pub(in crate::domain) fn tidied(text: &str) -> Cow<'_, str> {
    match whole(unwrapped(trimmed(text))) {
        Cow::Borrowed(text) => Cow::Borrowed(without_end(text)),
        Cow::Owned(text) => Cow::Owned(without_end(&text).to_owned()),
    }
}

/// The address in `<dana@contoso.com>`, `mailto:dana@contoso.com`, `smtp:dana@contoso.com`.
fn unwrapped(text: &str) -> &str {
    let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).filter(|text| text.contains('@'));
    let address = inside.unwrap_or(text);
    let scheme = ["mailto:", "smtp:", "sip:"]
        .into_iter()
        .find(|scheme| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    scheme.and_then(|scheme| address.get(scheme.len()..)).unwrap_or(address)
}

/// A text without blanks, line breaks and zero-width characters at its ends.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || is_zero_width(letter))
}

fn without_end(text: &str) -> &str {
    trimmed(text.strip_suffix(['.', ',']).unwrap_or(text))
}

/// Characters that take no room: soft hyphen, joiners, marks of direction, byte order mark. Controls are none of them.
fn is_zero_width(letter: char) -> bool {
    matches!(u32::from(letter),
        0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF)
}

/// What reports and our own answers write so that nobody can follow it, and what it stands for.
const BROKEN: [(&str, &str); 12] = [
    ("\\[.\\]", "."),
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("[:]", ":"),
    ("[://]", "://"),
    ("[:/]", ":/"),
    ("[@]", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
];

/// The text with broken signs and schemes made whole.
fn whole(text: &str) -> Cow<'_, str> {
    let text = with_whole_signs(text);
    match after_broken_scheme(&text) {
        Some((scheme, rest)) => Cow::Owned(format!("{scheme}{rest}")),
        None => text,
    }
}

/// The text with the signs in broken addresses made whole: `desk-042[.]contoso[.]com`.
pub fn with_whole_signs(text: &str) -> Cow<'_, str> {
    let mut whole = Cow::Borrowed(text);
    if text.contains(['[', '(', '{']) {
        for (broken, meant) in BROKEN {
            if whole.contains(broken) {
                whole = Cow::Owned(whole.replace(broken, meant));
            }
        }
    }
    whole
}

/// `hxxp://…`, in any case.
fn after_broken_scheme(text: &str) -> Option<(&'static str, &str)> {
    let is_it = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let schemes = [("hxxp://", "http://"), ("hxxps://", "https://"), ("fxp://", "ftp://"), ("meow://", "http://")];
    let (broken, meant) = schemes.into_iter().find(|(broken, _)| is_it(broken))?;
    Some((meant, text.get(broken.len()..)?))
}

/// What stands for "nothing" in records, templates and programs.
const NOTHING: [&str; 14] = [
    "-",
    "--",
    "n/a",
    "none",
    "null",
    "(null)",
    "<null>",
    "nil",
    "nan",
    "undefined",
    "unknown",
    "not available",
    "[object object]",
    "(none)",
];

/// Whether a text is no value: nothing in words, or the place of a value that a template has not filled.
pub fn is_no_value(text: &str) -> bool {
    let text = trimmed(text);
    let says_nothing = NOTHING.iter().any(|nothing| text.eq_ignore_ascii_case(nothing));
    let is_left_open = ["${", "{{", "#{", "@{", "<%"].iter().any(|opening| text.contains(opening));
    says_nothing || (is_left_open && !text.contains("://")) || ['%', '$'].into_iter().any(|sign| is_between(text, sign))
}

/// `%USER%`, `$result.user$`.
fn is_between(text: &str, sign: char) -> bool {
    let inside = text.strip_prefix(sign).and_then(|rest| rest.strip_suffix(sign));
    inside.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    })
}

/// Whether a text of several words holds one that is an id, a hash, an address or a link by itself: such a text is no
/// name.
pub(in crate::domain) fn has_a_word_of_its_own(text: &str, is_alert_id: fn(&str) -> bool) -> bool {
    let by_itself = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ';', ':']);
        [32, 40, 64].iter().any(|digits| is_hex(word, *digits))
            || word.contains("://")
            || word.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
            || IpAddress::parse(word).is_some()
            || is_alert_id(word)
    };
    text.contains(char::is_whitespace) && text.split_whitespace().any(by_itself)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_value_is_no_part_of_it() {
        for (text, meant) in [
            ("desk-042", "desk-042"),
            (" \t desk-042\r\n", "desk-042"),
            ("\u{200b}desk-042\u{feff}", "desk-042"),
            ("\u{a0}desk-042\u{2060}", "desk-042"),
            ("desk-042.contoso.com.", "desk-042.contoso.com"),
            ("da1_1,", "da1_1"),
            ("924565. ", "924565"),
            ("desk-042..", "desk-042."),
            ("desk-042[.]contoso[.]com", "desk-042.contoso.com"),
            ("desk-042\\[.\\]contoso\\[.\\]com", "desk-042.contoso.com"),
            ("dana[@]contoso(dot)com", "dana@contoso.com"),
            ("hxxps://evil[.]example/x", "https://evil.example/x"),
            ("hXXp[:]//evil.example", "http://evil.example"),
            ("hxxps[://]evil[.]example", "https://evil.example"),
            ("2001[:]db8[:][:]7", "2001:db8::7"),
            ("Dana's iPad (2)", "Dana's iPad (2)"),
            ("a\0", "a\0"),
            ("\u{7}a", "\u{7}a"),
            (" \u{200b} ", ""),
        ] {
            assert_eq!(tidied(text), meant, "{text:?}");
        }
    }

    #[test]
    fn what_a_template_left_open_is_no_value() {
        for text in [
            "${user}",
            "CONTOSO\\${user}",
            "{{issue.reporter}}",
            "{{ trigger.event }}",
            "%USER%",
            "$result.user$",
            "undefined",
            "null",
            "None",
            "N/A",
            "-",
            " - ",
            "[object Object]",
            "@{triggerBody()?['user']}",
        ] {
            assert!(is_no_value(text), "{text}");
        }
        for text in [
            "dana",
            "DESK-042$",
            "fe80::1%eth0",
            "none-of-it",
            "a-b",
            "https://x.example/?q={{a}}",
            "%",
            "$$",
            "{}",
            "",
        ] {
            assert!(!is_no_value(text), "{text}");
        }
    }
}
