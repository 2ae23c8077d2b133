//! Names that readers copy: they are shown whole, and in code style where a client would make something of them.
//!
//! Where a name stands in a line is found by the name itself, so that headline, notes and facts treat it alike. Only what
//! has the form of a name counts: what could break out of code style, or is an address, is text like any other.

use super::defang::has_host;
use crate::domain::enrichment::Enrichment;
use crate::domain::line::one_line;
use crate::domain::subject::Kind;

/// Names of each sort that are looked for.
const MOST: usize = 8;
/// Characters of a name, and of an account with its domain.
pub(super) const MAX_OF_A_NAME: usize = 64;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text, not yet broken.
    Text(String),
    /// The name of a device or an account, and whatever else is as harmless.
    Name(String),
    /// The name of a file, a threat or a technique: whole where there is a code style, else text.
    Term(String),
}

/// Names to be found in lines.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Piece>);

impl Names {
    /// The names of devices and accounts that an answer tells of, its subject first.
    pub(super) fn of(enrichment: &Enrichment<'_>) -> Self {
        let subject = match enrichment.kind {
            Kind::Machine | Kind::User => [Some(enrichment.input), Some(enrichment.id)],
            Kind::Alert => [Some(enrichment.id).filter(|id| is_id(id)), None],
            Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => [None, None],
        };
        let mut names = Self::default();
        subject.into_iter().flatten().for_each(|name| names.add(name));
        let devices = enrichment.entities.devices.iter().filter_map(|device| device.name);
        devices.take(MOST).for_each(|name| names.add(name));
        for user in enrichment.entities.users.iter().take(MOST) {
            if let (Some(domain), Some(name)) = (user.domain, user.name) {
                names.add(&account(Some(domain), name));
            }
            [user.name, user.upn].into_iter().flatten().for_each(|name| names.add(name));
        }
        if let Some(alert) = enrichment.alerts.first().filter(|_| enrichment.kind == Kind::Alert) {
            alert.device.iter().filter_map(|device| device.name.as_deref()).for_each(|name| names.add(name));
            alert.user.iter().for_each(|user| names.add(&account(user.domain.as_deref(), &user.name)));
        }
        names
    }

    /// These names of devices or accounts.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }

    /// These names of files, threats or techniques.
    pub(super) fn terms<'a>(terms: impl IntoIterator<Item = &'a str>) -> Self {
        let terms = terms.into_iter().map(|term| one_line(term, MAX_OF_A_NAME));
        Self(terms.filter(|term| is_term(term)).map(Piece::Term).collect())
    }

    fn add(&mut self, name: &str) {
        let name = one_line(name, 2 * MAX_OF_A_NAME + 1);
        if is_name(&name) {
            self.0.push(Piece::Name(name));
        }
    }

    /// A line in pieces: every name that stands in it as a word of its own, and the text between.
    pub(super) fn pieces(&self, line: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut text, mut rest) = (String::new(), line);
        while let Some(letter) = rest.chars().next() {
            let name = self.at_the_start(rest).filter(|_| text.chars().next_back().is_none_or(may_be_before));
            if let Some(name) = name {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                rest = rest.get(name.as_str().len()..).unwrap_or_default();
                pieces.push(name.clone());
            }
            // What follows a name is not the beginning of a word.
            let Some(next) = (if name.is_some() { rest.chars().next() } else { Some(letter) }) else { break };
            text.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }

    /// The longest name that the text begins with.
    fn at_the_start(&self, text: &str) -> Option<&Piece> {
        let begins = |piece: &&Piece| text.strip_prefix(piece.as_str()).is_some_and(may_be_after);
        self.0.iter().filter(begins).max_by_key(|piece| piece.as_str().len())
    }
}

impl Piece {
    pub(super) fn as_str(&self) -> &str {
        let (Self::Text(text) | Self::Name(text) | Self::Term(text)) = self;
        text
    }
}

/// `DOMAIN\name`.
pub(super) fn account(domain: Option<&str>, name: &str) -> String {
    let name = one_line(name, MAX_OF_A_NAME);
    match domain {
        Some(domain) => format!("{}\\{name}", one_line(domain, MAX_OF_A_NAME)),
        None => name,
    }
}

fn may_be_before(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '(' | '"' | '\'' | '“' | '‘')
}

fn may_be_after(rest: &str) -> bool {
    let mut letters = rest.chars();
    match letters.next() {
        None => true,
        Some('.' | ':' | ',' | ';' | '!' | '?') => letters.next().is_none_or(char::is_whitespace),
        Some(letter) => letter.is_whitespace() || matches!(letter, ')' | '"' | '\'' | '”' | '’'),
    }
}

/// Whether a text has the form of a device's or an account's name: letters, digits and the signs that either may have.
fn is_name(name: &str) -> bool {
    let is_sign = |letter: char| " .-_'’#$+&()~^".contains(letter);
    let at = name.match_indices('@').all(|(at, _)| {
        let before = name.get(..at).and_then(|before| before.chars().next_back());
        before.is_some_and(|before| !before.is_whitespace()) && name.len() > at + 1
    });
    let is_one = |sign: char| name.matches(sign).count() <= 1;
    let host = name.rsplit(['\\', '@', ' ']).next().unwrap_or_default();
    let begins = name.starts_with(char::is_alphanumeric) && !name.to_lowercase().starts_with("www.");
    begins
        && at
        && is_one('@')
        && is_one('\\')
        && !name.ends_with('\\')
        && name.chars().all(|letter| letter.is_alphanumeric() || is_sign(letter) || matches!(letter, '@' | '\\'))
        && !(has_host(host) && host.chars().all(|letter| letter.is_ascii_digit() || letter == '.'))
}

/// Whether a text may be an id of an alert: nothing in it is an address.
fn is_id(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether a text can be shown in code style as it is.
fn is_term(term: &str) -> bool {
    let is_sign = |letter: char| " .-_'’#$+&()~^@!:/\\,;=%".contains(letter);
    !term.contains("://") && term.chars().all(|letter| letter.is_alphanumeric() || is_sign(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, names: &[&str]) -> Vec<String> {
        let pieces = Names::new(names.iter().copied()).pieces(line);
        assert_eq!(pieces.iter().map(Piece::as_str).collect::<String>(), line);
        pieces
            .into_iter()
            .filter(|piece| matches!(piece, Piece::Name(_)))
            .map(|piece| piece.as_str().to_owned())
            .collect()
    }

    #[test]
    fn names_are_found_as_whole_words() {
        let names = ["pc1.contoso.com", "pc1", "dana@contoso.com", "CONTOSO\\dana.co"];
        let line = "Machine pc1.contoso.com: \"pc1\", (dana@contoso.com), CONTOSO\\dana.co.";
        assert_eq!(found(line, &names), ["pc1.contoso.com", "pc1", "dana@contoso.com", "CONTOSO\\dana.co"]);
        for line in ["http://pc1.contoso.com", "x.pc1.contoso.com/", "pc1.contoso.com:80", "pc10 pc1.co", "@pc1 pc1@x"]
        {
            assert_eq!(found(line, &names), [""; 0], "{line}");
        }
    }

    #[test]
    fn only_what_has_the_form_of_a_name_is_one() {
        for name in
            ["desk-042", "Dana's iPad (2)", "a_b#EXT#@contoso.com", "CONTOSO\\dana", "会議室の端末", "DESK-042$", "R&D"]
        {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(200);
        for name in [
            "",
            "192.0.2.7",
            "x 192.0.2.7",
            "2001:db8::7",
            "http://evil.com",
            "evil.com/x",
            "www.evil.com",
            "@here",
            "a @here",
            "a@",
            "<b>",
            "a`b",
            "a|b",
            "a*b",
            "[x]",
            "\\\\srv",
            "a\\b\\c",
            ":tada:",
            "a, b",
            "x\\192.0.2.7",
            &long,
        ] {
            assert!(Names::new([name]).0.is_empty(), "{name}");
        }
    }
}
