//! One line that fits a ticket's title.

use super::alert::Alert;
use super::enrichment::Answer;
use super::rollup::Counts;
use super::subject::Kind;
use super::words::{Severity, Word};

/// Characters of a summary.
const MOST: usize = 160;
/// Characters of a name or an id inside it.
const MOST_OF_A_NAME: usize = 64;

/// Sums an answer up: what it is about, how bad, how much of it is open, and what the first alert says.
pub(super) fn line(answer: &Answer, severity: Severity, counts: &Counts, listed: &[&Alert]) -> String {
    let name = clean(&answer.shown_name(), MOST_OF_A_NAME);
    let first = listed.first();
    let title = first.and_then(|alert| alert.title.as_deref()).unwrap_or("untitled");
    let text = match (answer.kind, first, &answer.findings.incident) {
        (Kind::Alert, Some(alert), _) => {
            let device = alert.device.as_ref().and_then(|device| device.name.as_deref().or(device.id.as_deref()));
            let on = device.map(|device| format!(" on {}", clean(device, MOST_OF_A_NAME))).unwrap_or_default();
            let by = alert.user.as_ref().map(|user| format!(", user {}", clean(&user.to_string(), MOST_OF_A_NAME)));
            let tail = on + &by.unwrap_or_default();
            let head = format!("{} alert, {}: ", capitalized(severity), said(alert.status.as_str()));
            let room = MOST.saturating_sub(head.chars().count() + tail.chars().count()).max(24);
            format!("{head}{}{tail}", clean(title, room))
        }
        (Kind::Incident, _, Some(incident)) => {
            let called = incident.name.as_deref().unwrap_or("unnamed");
            format!(
                "{} incident {name}, {}, {}: {called}",
                capitalized(severity),
                said(incident.status.as_str()),
                amount(counts)
            )
        }
        (Kind::Machine | Kind::User | Kind::File, Some(_), _) => {
            format!(
                "{} {name}: {}, highest {}: {title}",
                capital(answer.kind.as_str()),
                amount(counts),
                severity.as_str()
            )
        }
        (Kind::User | Kind::File, None, _) => {
            format!("No alerts for {} {name}: Defender does not know it, or has none.", answer.kind.as_str())
        }
        (Kind::Machine, None, _) if answer.findings.known => format!("No alerts for machine {name}."),
        (Kind::Alert | Kind::Machine | Kind::Incident, _, _) => {
            format!("{} {name} is not known to Defender.", capital(answer.kind.as_str()))
        }
    };
    clean(&text, MOST)
}

fn amount(counts: &Counts) -> String {
    let alerts = if counts.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", counts.alerts) };
    format!("{alerts}, {} open", counts.open)
}

fn said(word: &str) -> String {
    word.replace('_', " ")
}

fn capitalized(severity: Severity) -> String {
    match severity {
        Severity::Unknown | Severity::Other => "Unrated".to_owned(),
        _ => capital(severity.as_str()),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A foreign text on one line, without characters that cannot be seen, cut at a word.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * most));
    let mut gap = false;
    for letter in text.chars() {
        if letter.is_whitespace() || letter.is_control() {
            gap = !line.is_empty();
        } else if !is_invisible(letter) {
            if gap {
                line.push(' ');
                gap = false;
            }
            line.push(letter);
        }
    }
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    if let Some(at) = short.rfind(' ').filter(|at| 2 * at > short.len()) {
        short.truncate(at);
    }
    short.push('…');
    short
}

/// Marks that change how a line reads without being seen: directions, joiners, line separators.
fn is_invisible(letter: char) -> bool {
    matches!(u32::from(letter), 0xAD | 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x2069 | 0xFEFF | 0xE0000..=0xE007F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_cut_at_a_word() {
        assert_eq!(clean("one two  three\n\u{202e}four", 40), "one two three four");
        assert_eq!(clean("one two three four", 12), "one two…");
        assert_eq!(clean("abcdefghijklmnop", 8), "abcdefg…");
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_of_bounded_length(text in "(\\PC|[\\x00-\\x1f\u{2028}\u{202e}\u{85}]){0,400}", most in 1_usize..200) {
            let line = clean(&text, most);
            prop_assert!(line.chars().count() <= most);
            let breaks = |letter: char| letter.is_control() || ['\u{2028}', '\u{2029}'].contains(&letter);
            prop_assert!(!line.chars().any(breaks), "a line break");
        }
    }
}
