//! One line that fits a ticket's title.

use super::alert::Alert;
use super::enrichment::Answer;
use super::line::one_line;
use super::rollup::Counts;
use super::subject::Kind;
use super::vocabulary::{ClosedVocabulary, Severity};

/// Characters of a summary.
const MOST: usize = 160;
/// Characters of a name or an id inside it.
const MAX_OF_A_NAME: usize = 64;

/// Sums an answer up: what it is about, how bad, how much of it is open, and what the first alert says.
pub(super) fn line(answer: &Answer, severity: Severity, counts: &Counts, listed: &[&Alert]) -> String {
    let name = one_line(&answer.shown_name(), MAX_OF_A_NAME);
    let first = listed.first();
    // More than the line holds, and no more: a title may be megabytes long.
    let title = one_line(first.and_then(|alert| alert.title.as_deref()).unwrap_or("untitled"), 2 * MOST);
    let text = match (answer.kind, first, &answer.findings.incident) {
        (Kind::Alert, Some(alert), _) => {
            let device = alert.device.as_ref().and_then(|device| device.name.as_deref().or(device.id.as_deref()));
            let on = device.map(|device| format!(" on {}", one_line(device, MAX_OF_A_NAME))).unwrap_or_default();
            let by = alert.user.as_ref().map(|user| format!(", user {}", one_line(&user.to_string(), MAX_OF_A_NAME)));
            let tail = on + &by.unwrap_or_default();
            let head = format!("{} alert, {}: ", capitalized(severity), said(alert.status.as_str()));
            let room = MOST.saturating_sub(head.chars().count() + tail.chars().count()).max(24);
            format!("{head}{}{tail}", one_line(&title, room))
        }
        (Kind::Incident, _, Some(incident)) => {
            let called = one_line(incident.name.as_deref().unwrap_or("unnamed"), 2 * MOST);
            format!(
                "{} incident {name}, {}, {}: {called}",
                capitalized(severity),
                said(incident.status.as_str()),
                amount(counts)
            )
        }
        (Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain, Some(first), _) => {
            // The first is the worst that is open, where any is: its severity is that of its title.
            format!(
                "{} {name}: {}, highest {}: {title}",
                capital(called(answer.kind)),
                amount(counts),
                first.severity.as_str()
            )
        }
        (Kind::User | Kind::File | Kind::Ip | Kind::Domain, None, _) => {
            format!("No alerts for {} {name}: Defender does not know it, or has none.", called(answer.kind))
        }
        (Kind::Machine, None, _) if answer.findings.known => format!("No alerts for machine {name}."),
        (Kind::Alert | Kind::Machine | Kind::Incident, _, _) => {
            format!("{} {name} is not known to Defender.", capital(called(answer.kind)))
        }
    };
    one_line(&text, MOST)
}

/// What a subject of this kind is called.
fn called(kind: Kind) -> &'static str {
    match kind {
        Kind::Ip => "IP",
        Kind::Alert | Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Domain => kind.as_str(),
    }
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
