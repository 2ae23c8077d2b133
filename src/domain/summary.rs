//! The summary: one line that fits the title of a ticket.

use super::alert::Alert;
use super::enrichment::Answer;
use super::line::one_line;
use super::rollup::Counts;
use super::subject::Kind;
use super::vocabulary::{ClosedVocabulary, Severity};

/// The longest summary.
const MAX_SUMMARY_CHARS: usize = 160;
/// The longest name or id in a summary.
const MAX_NAME_CHARS: usize = 64;

/// Returns the summary of an answer: its subject, severity, number of open alerts, and the title of the first alert.
pub(super) fn line(answer: &Answer, severity: Severity, counts: &Counts, listed: &[&Alert]) -> String {
    let name = one_line(&answer.display_name(), MAX_NAME_CHARS);
    let first = listed.first();
    // Cut early, because a title may be megabytes long.
    let title = one_line(first.and_then(|alert| alert.title.as_deref()).unwrap_or("untitled"), 2 * MAX_SUMMARY_CHARS);
    let text = match (answer.kind, first, &answer.findings.incident) {
        (Kind::Alert, Some(alert), _) => {
            let device = alert.device.as_ref().and_then(|device| device.name.as_deref().or(device.id.as_deref()));
            let on = device.map(|device| format!(" on {}", one_line(device, MAX_NAME_CHARS))).unwrap_or_default();
            let by = alert.user.as_ref().map(|user| format!(", user {}", one_line(&user.to_string(), MAX_NAME_CHARS)));
            let tail = on + &by.unwrap_or_default();
            let head = format!("{} alert, {}: ", capitalized(severity), spaced(alert.status.as_str()));
            let max_title_chars = MAX_SUMMARY_CHARS.saturating_sub(head.chars().count() + tail.chars().count()).max(24);
            format!("{head}{}{tail}", one_line(&title, max_title_chars))
        }
        (Kind::Incident, _, Some(incident)) => {
            let incident_name = one_line(incident.name.as_deref().unwrap_or("unnamed"), 2 * MAX_SUMMARY_CHARS);
            format!(
                "{} incident {name}, {}, {}: {incident_name}",
                capitalized(severity),
                spaced(incident.status.as_str()),
                amount(counts)
            )
        }
        (Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain, Some(first), _) => {
            // The first alert is the most severe open one, if any is open. The line shows its severity and its title.
            format!(
                "{} {name}: {}, highest {}: {title}",
                capital(kind_noun(answer.kind)),
                amount(counts),
                first.severity.as_str()
            )
        }
        (Kind::User | Kind::File | Kind::Ip | Kind::Domain, None, _) => {
            format!("No alerts for {} {name}: Defender does not know it, or has none.", kind_noun(answer.kind))
        }
        (Kind::Machine, None, _) if answer.findings.known => format!("No alerts for machine {name}."),
        (Kind::Alert | Kind::Machine | Kind::Incident, _, _) => {
            format!("{} {name} is not known to Defender.", capital(kind_noun(answer.kind)))
        }
    };
    one_line(&text, MAX_SUMMARY_CHARS)
}

/// Returns the noun for this kind.
fn kind_noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Ip => "IP",
        Kind::Alert | Kind::Machine | Kind::User | Kind::File | Kind::Incident | Kind::Domain => kind.as_str(),
    }
}

fn amount(counts: &Counts) -> String {
    let alerts = if counts.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", counts.alerts) };
    format!("{alerts}, {} open", counts.open)
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

fn capitalized(severity: Severity) -> String {
    match severity {
        Severity::Unknown | Severity::Other => "Unrated".to_owned(),
        _ => capital(severity.as_str()),
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
