//! Finds subjects in free text. It accepts only what its form or the word before it makes unambiguous: a false match
//! spends quota and misleads the reader.

use std::borrow::Cow;

use super::extracted::ExtractedSubjects;
use crate::domain::portal::{self, looks_like_link};
use crate::domain::subject::field_names::{FieldMeaning, look_up};
use crate::domain::subject::spelling::{is_no_value, with_whole_signs};
use crate::domain::subject::{Kind, Question};

/// A word that announces a subject, and whether a colon or an equals sign joins it to the next word.
#[derive(Clone, Copy)]
struct Marker {
    named: FieldMeaning,
    joined: bool,
}

/// Adds the subjects that a text names.
pub(super) fn scan(text: &str, subjects: &mut ExtractedSubjects) {
    let text = with_whole_signs(text);
    let text = &*without_placeholders(&text);
    let mut marker: Option<Marker> = None;
    for piece in text.split(is_piece_separator) {
        let mut words = piece.split(is_word_separator).filter(|word| !word.is_empty()).peekable();
        while let Some(whole) = words.next() {
            // Splits `host=desk-042`, `host:desk-042`, `host:`; links and addresses have colons of their own.
            let pair = whole.split_once([':', '=']).filter(|_| !looks_like_link(whole) && !is_address(whole));
            if let Some((name, _)) = pair {
                marker = marker_of(name, marker).map(|marker| Marker { joined: true, ..marker });
            }
            let word = pair.map_or(whole, |(_, value)| value).trim_end_matches(['.', ':', '!', '?', '=']);
            if word.is_empty() {
                continue;
            }
            if is_no_value(word) {
                marker = None;
                continue;
            }
            // In "host: the web server", the word after the colon is not a name; in "host: web" it is.
            let is_certain = pair.is_some() || marker.is_some_and(|marker| marker.joined && words.peek().is_none());
            if let Some(question) = named(word, marker.map(|marker| marker.named), is_certain) {
                subjects.add(question);
                marker = None;
            } else if pair.is_none() {
                marker = marker_of(word, marker);
            }
        }
    }
}

/// Returns what the field holds, if the field's name implies it.
pub(super) fn named_by_field(name: &str) -> Option<FieldMeaning> {
    let words = name.split(is_word_separator).filter(|word| !word.is_empty());
    words.fold(None, |marker, word| marker_of(word, marker)).map(|marker| marker.named)
}

/// Removes placeholders that a template left unfilled: `${user}`, `{{user}}`.
fn without_placeholders(text: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((at, end)) = placeholder(rest) {
        plain.push_str(rest.get(..at).unwrap_or_default());
        plain.push(';');
        rest = rest.get(end..).unwrap_or_default();
    }
    if plain.is_empty() { Cow::Borrowed(rest) } else { Cow::Owned(plain + rest) }
}

/// Returns the start and end of the first placeholder.
fn placeholder(text: &str) -> Option<(usize, usize)> {
    let opens = |(at, _): &(usize, char)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        before.is_some_and(|before| b"{$#@".contains(before))
    };
    let (brace, _) = text.char_indices().filter(|(_, character)| *character == '{').find(opens)?;
    let end = brace + text.get(brace..)?.find('}')?;
    let is_double =
        text.get(brace - 1..=brace) == Some("{{") && text.get(end..).is_some_and(|end| end.starts_with("}}"));
    Some((brace - 1, if is_double { end + 2 } else { end + 1 }))
}

fn is_piece_separator(character: char) -> bool {
    ",;|()[]{}<>\r\n".contains(character)
}

fn is_word_separator(character: char) -> bool {
    character.is_whitespace() || "\"'`“”„‘’«»".contains(character)
}

/// Returns what a word announces. `name`, `id`, `is` and `address` keep the marker before them.
fn marker_of(word: &str, before: Option<Marker>) -> Option<Marker> {
    let is_filler = ["name", "id", "is", "address"].iter().any(|filler| word.eq_ignore_ascii_case(filler));
    match before {
        // In "IP address" and "host name is", the earlier word is the marker.
        Some(marker) if is_filler => Some(marker),
        _ => look_up(word).map(|named| Marker { named, joined: false }),
    }
}

/// Parses the subject that a word names, by its form or by the marker before it. `is_certain`: the marker is
/// unambiguous.
fn named(word: &str, marker: Option<FieldMeaning>, is_certain: bool) -> Option<Question> {
    // Unambiguous by form: a portal link, a defanged URL, an alert id of a known family, a SHA-256, name@domain.
    if let Ok(question) = Question::detect(word) {
        let is_broken_link = word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("hxxp"));
        let is_unambiguous = question.further.is_empty()
            && match question.subject.kind() {
                Kind::Alert | Kind::File => true,
                Kind::User => looks_like_link(word) || is_principal_name(word),
                Kind::Machine | Kind::Incident => looks_like_link(word),
                Kind::Ip | Kind::Domain => is_broken_link || portal::parse_link(word).is_ok(),
            };
        if is_unambiguous {
            return Some(question);
        }
    }
    let marker = marker?;
    let fits = match marker {
        FieldMeaning::Kind(Kind::Incident) => is_certain,
        FieldMeaning::Kind(Kind::Alert) => is_certain && word.bytes().any(|byte| byte.is_ascii_digit()),
        FieldMeaning::Kind(Kind::Machine | Kind::Domain) => is_host_name(word, is_certain),
        FieldMeaning::Host => is_host_name(word, is_certain) || is_address(word),
        FieldMeaning::Kind(Kind::User) => (is_certain && word.contains(char::is_alphanumeric)) || word.contains('\\'),
        FieldMeaning::Kind(Kind::File | Kind::Ip) => true,
        FieldMeaning::Url => return Question::from_field(marker, word).ok().filter(|_| is_certain),
        FieldMeaning::Value => is_certain && (is_address(word) || is_host_name(word, false)),
    };
    if !fits || looks_like_link(word) {
        return None;
    }
    Question::from_field(marker, word).ok()
}

fn is_address(word: &str) -> bool {
    Question::parse(Kind::Ip, word).is_ok()
}

/// Whether a word is `name@domain.tld` of plain letters. A guest's name has `#EXT#` before the at sign.
fn is_principal_name(word: &str) -> bool {
    let word = word.replacen("#EXT#@", "@", 1);
    let is_plain = |character: char| character.is_alphanumeric() || "._-+".contains(character);
    word.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && name.chars().all(is_plain) && domain.contains('.') && domain.chars().all(is_plain)
    })
}

/// Whether a word is a host name. Without a certain marker ("the server rebooted") it needs a digit or a dot beside
/// letters.
fn is_host_name(word: &str, is_certain: bool) -> bool {
    // Windows writes a machine's share as `\\HOST`, and its account as `HOST$`.
    let word = word.trim_start_matches("\\\\");
    let word = word.strip_suffix('$').unwrap_or(word);
    let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_distinctive = word.len() >= 5 && word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'.');
    is_plain && has_letter && (is_certain || is_distinctive)
}

#[cfg(test)]
mod tests {
    use super::super::extracted::tests::subject_ids;
    use super::*;

    fn in_text(text: &str) -> Vec<String> {
        let mut subjects = ExtractedSubjects::default();
        scan(text, &mut subjects);
        subject_ids(&subjects)
    }

    #[test]
    fn unambiguous_subjects_are_found_in_text_order() {
        let sha1 = "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d";
        let sha256 = "ab".repeat(32);
        let file = format!("file {sha1}");
        let machine = format!("machine {sha1}");
        let file_256 = format!("file {sha256}");
        for (text, subjects) in [
            (
                "Defender: 'Mimikatz' (da637472900382838869_1364969609) on host desk-042.contoso.com.",
                vec!["alert da637472900382838869_1364969609", "machine desk-042.contoso.com"],
            ),
            ("see https://security.microsoft.com/incidents/77?tid=x, please", vec!["incident 77"]),
            ("<https://security.microsoft.com/alerts/da1_1|the alert>", vec!["alert da1_1"]),
            ("User dana.reyes@contoso.com signed in", vec!["user dana.reyes"]),
            ("user CONTOSO\\dana on device: DESK042", vec!["user dana", "machine DESK042"]),
            ("user=dana host=web-prod", vec!["user dana", "machine web-prod"]),
            ("Device name: web-prod", vec!["machine web-prod"]),
            ("Host name is desk-042!", vec!["machine desk-042"]),
            (&format!("sha256 {sha256}"), vec![&file_256]),
            (&format!("dropped {sha256}."), vec![&file_256]),
            (&format!("SHA1: {sha1}"), vec![&file]),
            (&format!("file hash {sha1}"), vec![&file]),
            (&format!("device id: {sha1}"), vec![&machine]),
            ("alert_id: x_1, incident_id=77", vec!["alert x_1", "incident 77"]),
            ("User: dana\nHost: web, severity: high", vec!["user dana", "machine web"]),
            ("host=desk-042 host=DESK-042", vec!["machine desk-042"]),
            (
                "host 192.0.2.7, host=192.0.2.8, dest: 2001:db8::7",
                vec!["ip 192.0.2.7", "ip 192.0.2.8", "ip 2001:db8::7"],
            ),
            ("IP address: 192[.]0[.]2[.]7", vec!["ip 192.0.2.7"]),
            ("src_ip=192.0.2.7", vec!["ip 192.0.2.7"]),
            ("connected to hxxps://evil[.]example/x", vec!["domain evil.example"]),
            ("hXXp[:]//evil[.]example", vec!["domain evil.example"]),
            ("{{a}} ${b}, host desk-042 {{c", vec!["machine desk-042"]),
            ("url: https://evil.example/x", vec!["domain evil.example"]),
            ("domain: evil.example", vec!["domain evil.example"]),
            ("host desk-042[.]contoso[.]com", vec!["machine desk-042.contoso.com"]),
            ("Incident ID: 3107", vec!["incident 3107"]),
            ("upn: jane_fabrikam.example#EXT#@contoso.com", vec!["user jane_fabrikam.example#EXT#"]),
            ("Account name: dana.reyes, userPrincipalName=lee@contoso.com", vec!["user dana.reyes", "user lee"]),
            ("https://security.microsoft.com/ip/192.0.2.7/overview", vec!["ip 192.0.2.7"]),
            ("jane_fabrikam.example#EXT#@contoso.onmicrosoft.com signed in", vec!["user jane_fabrikam.example#EXT#"]),
            ("host: \\\\DESK-042, device DESK-017$", vec!["machine DESK-042", "machine DESK-017"]),
        ] {
            assert_eq!(in_text(text), subjects, "{text}");
        }
    }

    #[test]
    fn ambiguous_words_are_ignored() {
        for text in [
            "",
            "The server is on fire.",
            "server rebooted, host down, user reported a device",
            "desk-042.contoso.com is slow",
            "version 10.0.19041.1, 192.0.2.7",
            "Alert: high, indicator: malware, any, query: index",
            "user: ${user}, host={{host}}",
            "5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d",
            "incident 924565 #1234",
            "924565",
            "alert high",
            "Host: the web server is down. User: somebody in the office",
            "host: unknown server, user: - lee, device: none",
            "HKLM\\Software",
            "d41d8cd98f00b204e9800998ecf8427e",
            "hash d41d8cd98f00b204e9800998ecf8427e",
            "https://evil.example/alerts/da1_1",
            "https://acme.pagerduty.com/incidents/PGR0VU2",
            "file C:\\Users\\x.exe",
            "@channel a@b dana@",
            "08:15:42 error=5 http://desk-042/",
            "service 0c7e089d-5ff6-4e04-8000-17f4e35fa783x",
        ] {
            assert_eq!(in_text(text), Vec::<String>::new(), "{text}");
        }
    }
}
