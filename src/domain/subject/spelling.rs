//! Normalizes how a value is written: removes surrounding characters, restores defanged addresses, and recognizes texts
//! that are placeholders.

use std::borrow::Cow;

use super::{IpAddress, is_hex};
use crate::domain::line::is_invisible;

/// Returns the value that a text means. It removes blanks and invisible characters at both ends, one full stop or comma at
/// the end, and what mail programs add to an address (`<mailto:…>`). It restores defanged dots, colons, at signs and
/// schemes (`desk-042[.]contoso[.]com`, `hxxps://…`).
pub(in crate::domain) fn normalized(text: &str) -> Cow<'_, str> {
    match refanged(unwrapped(trimmed(text))) {
        Cow::Borrowed(text) => Cow::Borrowed(without_end(text)),
        Cow::Owned(text) => Cow::Owned(without_end(&text).to_owned()),
    }
}

/// Returns the address in `<dana@contoso.com>`, `mailto:dana@contoso.com`, `smtp:dana@contoso.com`.
fn unwrapped(text: &str) -> &str {
    let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).filter(|text| text.contains('@'));
    let address = inside.unwrap_or(text);
    ["mailto:", "smtp:", "sip:"].iter().find_map(|scheme| without_prefix(address, scheme)).unwrap_or(address)
}

/// Returns the rest of a text after a prefix in any case.
pub(in crate::domain) fn without_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Returns a text without blanks, line breaks and invisible characters at its ends. Control characters stay.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

fn without_end(text: &str) -> &str {
    trimmed(text.strip_suffix(['.', ',']).unwrap_or(text))
}

/// Defanged signs in reports and in our own answers, and the signs that they mean.
const DEFANGED_SIGNS: [(&str, &str); 12] = [
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

/// Restores defanged signs and schemes.
fn refanged(text: &str) -> Cow<'_, str> {
    let text = with_whole_signs(text);
    let schemes = [("hxxp://", "http://"), ("hxxps://", "https://"), ("fxp://", "ftp://"), ("meow://", "http://")];
    let restored =
        schemes.iter().find_map(|(defanged, scheme)| Some([*scheme, without_prefix(&text, defanged)?].concat()));
    restored.map_or(text, Cow::Owned)
}

/// Restores the signs in defanged addresses: `desk-042[.]contoso[.]com`.
pub fn with_whole_signs(text: &str) -> Cow<'_, str> {
    let mut whole = Cow::Borrowed(text);
    if text.contains(['[', '(', '{']) {
        for (defanged, sign) in DEFANGED_SIGNS {
            if whole.contains(defanged) {
                whole = Cow::Owned(whole.replace(defanged, sign));
            }
        }
    }
    whole
}

/// Texts that mean "no value" in records, templates and programs.
const EMPTY_WORDS: [&str; 14] = [
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

/// Whether a text is not a value: a word for "no value", or a placeholder that a template has not filled.
pub fn is_no_value(text: &str) -> bool {
    let text = trimmed(text);
    let is_empty_word = EMPTY_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let has_placeholder = ["${", "{{", "#{", "@{", "<%"].iter().any(|opening| text.contains(opening));
    // `%USER%`, `$result.user$`
    let is_variable = |sign| {
        let name = text.strip_prefix(sign).and_then(|rest| rest.strip_suffix(sign)).unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    is_empty_word || (has_placeholder && !text.contains("://")) || is_variable('%') || is_variable('$')
}

/// Whether a text of several words contains an id, a hash, an address or a link. Such a text is not a name.
pub(in crate::domain) fn contains_identifier(text: &str, is_alert_id: fn(&str) -> bool) -> bool {
    let is_identifier = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ';', ':']);
        [32, 40, 64].iter().any(|digits| is_hex(word, *digits))
            || word.contains("://")
            || word.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
            || IpAddress::parse(word).is_some()
            || is_alert_id(word)
    };
    text.contains(char::is_whitespace) && text.split_whitespace().any(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrounding_characters_are_removed_and_defanged_signs_restored() {
        for (text, value) in [
            (" \t desk-042\r\n", "desk-042"),
            ("\u{200b}desk-042\u{feff}", "desk-042"),
            ("\u{a0}desk-042\u{2060}", "desk-042"),
            ("desk-042.contoso.com.", "desk-042.contoso.com"),
            ("924565, ", "924565"),
            ("desk-042..", "desk-042."),
            ("desk-042\\[.\\]contoso\\[.\\]com", "desk-042.contoso.com"),
            ("dana[@]contoso(dot)com", "dana@contoso.com"),
            ("hXXp[:]//evil.example", "http://evil.example"),
            ("hxxps[://]evil[.]example", "https://evil.example"),
            ("2001[:]db8[:][:]7", "2001:db8::7"),
            ("Dana's iPad (2)", "Dana's iPad (2)"),
            ("a\0", "a\0"),
            ("\u{7}a", "\u{7}a"),
            (" \u{200b} ", ""),
        ] {
            assert_eq!(normalized(text), value, "{text:?}");
        }
    }

    #[test]
    fn an_unfilled_placeholder_is_not_a_value() {
        for text in [
            "CONTOSO\\${user}",
            "{{ trigger.event }}",
            "@{triggerBody()?['user']}",
            "%USER%",
            "$result.user$",
            "undefined",
            "N/A",
            " - ",
            "[object Object]",
        ] {
            assert!(is_no_value(text), "{text}");
        }
        for text in
            ["dana", "DESK-042$", "fe80::1%eth0", "none-of-it", "https://x.example/?q={{a}}", "%", "$$", "{}", ""]
        {
            assert!(!is_no_value(text), "{text}");
        }
    }
}
