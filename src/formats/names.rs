//! Names that readers copy. They are shown unchanged, and in code style where a client would otherwise act on them.
//!
//! A name is found in a line by its text, so that headline, warnings and facts treat it alike. Only text in the form of
//! a name counts: text that could leave the code style, or that is an address, is treated like any other text.

use super::defang::{defanged, has_host};
use crate::domain::enrichment::Enrichment;
use crate::domain::line::one_line;
use crate::domain::subject::Kind;

/// The maximum number of names of each kind to search for.
const MAX_NAMES: usize = 8;
/// The maximum length of a name, or of an account name without its domain, in characters.
pub(super) const MAX_NAME_CHARS: usize = 64;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that is not yet defanged.
    Text(String),
    /// The name of a device or an account, or another equally harmless text.
    Name(String),
    /// The name of a file, a threat or a technique: unchanged where there is code style, otherwise text.
    Term(String),
}

/// Names to find in lines.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Piece>);

impl Names {
    /// The names of devices and accounts in an enrichment, its subject first.
    pub(super) fn of(enrichment: &Enrichment<'_>) -> Self {
        let subject = match enrichment.kind {
            Kind::Machine | Kind::User => [Some(enrichment.input), Some(enrichment.id)],
            Kind::Alert => [Some(enrichment.id).filter(|id| is_id(id)), None],
            Kind::File | Kind::Incident | Kind::Ip | Kind::Domain => [None, None],
        };
        let mut names = Self::default();
        subject.into_iter().flatten().for_each(|name| names.add(name));
        let devices = enrichment.entities.devices.iter().filter_map(|device| device.name);
        devices.take(MAX_NAMES).for_each(|name| names.add(name));
        for user in enrichment.entities.users.iter().take(MAX_NAMES) {
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

    /// Names of devices or accounts.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }

    /// Names of files, threats or techniques.
    pub(super) fn terms<'a>(terms: impl IntoIterator<Item = &'a str>) -> Self {
        let terms = terms.into_iter().map(|term| one_line(term, MAX_NAME_CHARS));
        Self(terms.filter(|term| is_term(term)).map(Piece::Term).collect())
    }

    fn add(&mut self, name: &str) {
        let name = one_line(name, 2 * MAX_NAME_CHARS + 1);
        if is_name(&name) {
            self.0.push(Piece::Name(name));
        }
    }

    /// Splits a line into the names that occur in it as whole words, and the text between them.
    pub(super) fn pieces(&self, line: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut text, mut rest) = (String::new(), line);
        while let Some(character) = rest.chars().next() {
            let name = self.name_at_start(rest).filter(|_| text.chars().next_back().is_none_or(may_precede_name));
            if let Some(name) = name {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                rest = rest.get(name.as_str().len()..).unwrap_or_default();
                pieces.push(name.clone());
            }
            // A name directly after another name is not a whole word.
            let Some(next) = (if name.is_some() { rest.chars().next() } else { Some(character) }) else { break };
            text.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }

    /// Returns the longest name with which the text begins.
    fn name_at_start(&self, text: &str) -> Option<&Piece> {
        let starts = |piece: &&Piece| text.strip_prefix(piece.as_str()).is_some_and(may_follow_name);
        self.0.iter().filter(starts).max_by_key(|piece| piece.as_str().len())
    }
}

impl Piece {
    pub(super) fn as_str(&self) -> &str {
        let (Self::Text(text) | Self::Name(text) | Self::Term(text)) = self;
        text
    }
}

/// Formats an account as `DOMAIN\name`.
pub(super) fn account(domain: Option<&str>, name: &str) -> String {
    let name = one_line(name, MAX_NAME_CHARS);
    match domain {
        Some(domain) => format!("{}\\{name}", one_line(domain, MAX_NAME_CHARS)),
        None => name,
    }
}

fn may_precede_name(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | '"' | '\'' | '“' | '‘')
}

fn may_follow_name(rest: &str) -> bool {
    let mut characters = rest.chars();
    match characters.next() {
        None => true,
        Some('.' | ':' | ',' | ';' | '!' | '?') => characters.next().is_none_or(char::is_whitespace),
        Some(character) => character.is_whitespace() || matches!(character, ')' | '"' | '\'' | '”' | '’'),
    }
}

/// Whether a text has the form of a device or account name: letters, digits, and the punctuation that either may
/// have.
fn is_name(name: &str) -> bool {
    let is_sign = |character: char| " .-_'’#$+&()~^".contains(character);
    let at = name.match_indices('@').all(|(at, _)| {
        let before = name.get(..at).and_then(|before| before.chars().next_back());
        before.is_some_and(|before| !before.is_whitespace()) && name.len() > at + 1
    });
    let is_one = |sign: char| name.matches(sign).count() <= 1;
    let host = name.rsplit(['\\', '@', ' ']).next().unwrap_or_default();
    let starts = name.starts_with(char::is_alphanumeric) && !name.to_lowercase().starts_with("www.");
    starts
        && at
        && is_one('@')
        && is_one('\\')
        && !name.ends_with('\\')
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || is_sign(character) || matches!(character, '@' | '\\'))
        && !(has_host(host) && host.chars().all(|character| character.is_ascii_digit() || character == '.'))
}

/// Whether a text may be an alert id: it contains no address, and no tracker takes it for an issue's key.
fn is_id(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) && defanged(id) == id
}

/// Whether a text can be shown unchanged in code style.
fn is_term(term: &str) -> bool {
    let is_sign = |character: char| " .-_'’#$+&()~^@!:/\\,;=%".contains(character);
    !term.contains("://") && term.chars().all(|character| character.is_alphanumeric() || is_sign(character))
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
    fn names_are_found_only_as_whole_words() {
        let names = ["pc1.contoso.com", "pc1", "dana@contoso.com", "CONTOSO\\dana.co"];
        let line = "Machine pc1.contoso.com: \"pc1\", (dana@contoso.com), CONTOSO\\dana.co.";
        assert_eq!(found(line, &names), ["pc1.contoso.com", "pc1", "dana@contoso.com", "CONTOSO\\dana.co"]);
        for line in ["http://pc1.contoso.com", "x.pc1.contoso.com/", "pc1.contoso.com:80", "pc10 pc1.co", "@pc1 pc1@x"]
        {
            assert_eq!(found(line, &names), [""; 0], "{line}");
        }
    }

    #[test]
    fn an_alert_id_that_looks_like_the_key_of_an_issue_is_no_name() {
        for (id, is_name) in [("da639305048212385104_-1204837751", true), ("ABC-123", false), ("evil.example", false)] {
            assert_eq!(is_id(id), is_name, "{id}");
        }
    }

    #[test]
    fn only_name_like_text_counts_as_a_name() {
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
