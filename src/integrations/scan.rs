//! Subjects in free text. Takes only what cannot be anything else, by its form or by the word before it: a wrong find
//! costs quota, and misleads.

use std::borrow::Cow;

use super::found::ExtractedSubjects;
use crate::domain::portal::{self, looks_like_link};
use crate::domain::subject::field_names::{Named, look_up};
use crate::domain::subject::spelling::{is_no_value, with_whole_signs};
use crate::domain::subject::{Kind, Question};

/// A marker in the text, and whether a colon or an equals sign joins it to what follows.
#[derive(Clone, Copy)]
struct Marker {
    named: Named,
    joined: bool,
}

/// Adds what a text names.
pub(super) fn scan(text: &str, found: &mut ExtractedSubjects) {
    let text = with_whole_signs(text);
    let text = &*without_placeholders(&text);
    let mut marker: Option<Marker> = None;
    for piece in text.split(ends_a_piece) {
        let mut words = piece.split(ends_a_word).filter(|word| !word.is_empty()).peekable();
        while let Some(whole) = words.next() {
            // `host=desk-042`, `host:desk-042`, `host:`; a link has a colon of its own, and so has an address.
            let pair = whole.split_once([':', '=']).filter(|_| !looks_like_link(whole) && !is_address(whole));
            if let Some((name, _)) = pair {
                marker = told(name, marker).map(|marker| Marker { joined: true, ..marker });
            }
            let word = pair.map_or(whole, |(_, value)| value).trim_end_matches(['.', ':', '!', '?', '=']);
            if word.is_empty() {
                continue;
            }
            if is_no_value(word) {
                marker = None;
                continue;
            }
            // In "host: the web server" the word after the colon is no name; in "host: web" it is.
            let sure = pair.is_some() || marker.is_some_and(|marker| marker.joined && words.peek().is_none());
            if let Some(question) = named(word, marker.map(|marker| marker.named), sure) {
                found.add(question);
                marker = None;
            } else if pair.is_none() {
                marker = told(word, marker);
            }
        }
    }
}

/// What a field of this name holds, if the name tells that.
pub(super) fn told_by_name(name: &str) -> Option<Named> {
    let words = name.split(ends_a_word).filter(|word| !word.is_empty());
    words.fold(None, |marker, word| told(word, marker)).map(|marker| marker.named)
}

/// The text without the places of values that a template left unfilled: `${user}`, `{{user}}`.
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

/// Where the first placeholder begins and ends.
fn placeholder(text: &str) -> Option<(usize, usize)> {
    let opens = |(at, _): &(usize, char)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        before.is_some_and(|before| b"{$#@".contains(before))
    };
    let (brace, _) = text.char_indices().filter(|(_, letter)| *letter == '{').find(opens)?;
    let end = brace + text.get(brace..)?.find('}')?;
    let is_double =
        text.get(brace - 1..=brace) == Some("{{") && text.get(end..).is_some_and(|end| end.starts_with("}}"));
    Some((brace - 1, if is_double { end + 2 } else { end + 1 }))
}

fn ends_a_piece(letter: char) -> bool {
    ",;|()[]{}<>\r\n".contains(letter)
}

fn ends_a_word(letter: char) -> bool {
    letter.is_whitespace() || "\"'`“”„‘’«»".contains(letter)
}

/// What a word tells about the next. `name`, `id` and `is` leave it with what the word before has told.
fn told(word: &str, before: Option<Marker>) -> Option<Marker> {
    let is_between = ["name", "id", "is", "address"].iter().any(|between| word.eq_ignore_ascii_case(between));
    match before {
        // "IP address", "host name is": the word before tells.
        Some(marker) if is_between => Some(marker),
        _ => look_up(word).map(|named| Marker { named, joined: false }),
    }
}

/// The subject that a word names: by its form, or by a marker before it. `sure`: the marker can mean nothing else.
fn named(word: &str, marker: Option<Named>, sure: bool) -> Option<Question> {
    // By its form: a portal link, a broken URL, an alert id of a known family, a SHA-256, name@domain.
    if let Ok(question) = Question::detect(word) {
        let is_broken_link = word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("hxxp"));
        let certain = question.further.is_empty()
            && match question.subject.kind() {
                Kind::Alert | Kind::File => true,
                Kind::User => looks_like_link(word) || is_principal_name(word),
                Kind::Machine | Kind::Incident => looks_like_link(word),
                Kind::Ip | Kind::Domain => is_broken_link || portal::parse_link(word).is_ok(),
            };
        if certain {
            return Some(question);
        }
    }
    let marker = marker?;
    let fits = match marker {
        Named::Kind(Kind::Incident) => sure,
        Named::Kind(Kind::Alert) => sure && word.bytes().any(|byte| byte.is_ascii_digit()),
        Named::Kind(Kind::Machine | Kind::Domain) => is_host_name(word, sure),
        Named::Host => is_host_name(word, sure) || is_address(word),
        Named::Kind(Kind::User) => (sure && word.contains(char::is_alphanumeric)) || word.contains('\\'),
        Named::Kind(Kind::File | Kind::Ip) => true,
        Named::Url => return Question::named(marker, word).ok().filter(|_| sure),
        Named::Value => sure && (is_address(word) || is_host_name(word, false)),
    };
    if !fits || looks_like_link(word) {
        return None;
    }
    Question::named(marker, word).ok()
}

fn is_address(word: &str) -> bool {
    Question::parse(Kind::Ip, word).is_ok()
}

/// `name@domain.tld`, of plain letters; a guest's has a mark before the at sign.
fn is_principal_name(word: &str) -> bool {
    let word = word.replacen("#EXT#@", "@", 1);
    let plain = |letter: char| letter.is_alphanumeric() || "._-+".contains(letter);
    word.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && name.chars().all(plain) && domain.contains('.') && domain.chars().all(plain)
    })
}

/// Whether a word is a host's name. After a mere mention ("the server rebooted") it needs a digit or a dot beside letters.
fn is_host_name(word: &str, sure: bool) -> bool {
    // As Windows writes a machine's share and its account: `\\HOST`, `HOST$`.
    let word = word.trim_start_matches("\\\\");
    let word = word.strip_suffix('$').unwrap_or(word);
    let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let telling = word.len() >= 5 && word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'.');
    plain && letters && (sure || telling)
}

#[cfg(test)]
mod tests {
    use super::super::found::tests::listed;
    use super::*;

    fn in_text(text: &str) -> Vec<String> {
        let mut found = ExtractedSubjects::default();
        scan(text, &mut found);
        listed(&found)
    }

    #[test]
    fn what_is_certain_is_found_in_the_order_of_sight() {
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
    fn what_could_be_something_else_is_left_alone() {
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
