//! `format=text`: at most 12 lines for a terminal, a pager or a mail.

use super::digest::{Digest, Entry, Fact};
use super::escape::PLAIN;
use super::safe_text::length;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;

/// Lines, and characters of each.
const MAX_LINES: usize = 12;
const LINE: usize = 160;
/// Lines of notes and of facts: some are left for alerts.
const MAX_NOTES: usize = 2;
const MAX_OF_FACTS: usize = 5;
/// Characters of an alert's title, and of what else is said of it.
const TITLE: usize = 76;
const PART: usize = 48;

/// The message.
pub(super) fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let mut lines = vec![digest.headline.escaped(LINE, PLAIN)];
    lines.extend(digest.notes.iter().take(MAX_NOTES).map(|note| format!("! {}", note.escaped(LINE - 2, PLAIN))));
    lines.extend(digest.about.iter().map(|about| about.escaped(LINE, PLAIN)));
    lines.extend(facts(&digest.facts).into_iter().take(MAX_OF_FACTS));

    let mut last: Vec<_> = digest.link.map(str::to_owned).into_iter().collect();
    last.push(digest.source.escaped(LINE, PLAIN));
    let mut room = MAX_LINES.saturating_sub(lines.len() + last.len());
    if digest.all_alerts > room {
        room = room.saturating_sub(1);
    }
    let shown = digest.alerts.iter().take(room);
    let more = digest.more(shown.len());
    lines.extend(shown.map(|alert| line(alert)));
    lines.extend(more);
    lines.extend(last);
    lines.truncate(MAX_LINES);
    let mut text = lines.join("\n");
    text.push('\n');
    text.into_bytes()
}

/// As many facts in a line as fit.
fn facts(facts: &[Fact]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for Fact { label, value } in facts {
        let fact = format!("{label}: {}", value.escaped(LINE - length(label) - 2, PLAIN));
        match lines.last_mut().filter(|line| length(line) + 3 + length(&fact) <= LINE) {
            Some(line) => {
                line.push_str(" · ");
                line.push_str(&fact);
            }
            None => lines.push(fact),
        }
    }
    lines
}

fn line(alert: &Alert) -> String {
    let entry = Entry::of(alert);
    let (severity, status) = (entry.severity.escaped(PART, PLAIN), entry.status.escaped(PART, PLAIN));
    let mut line = format!("- {severity}, {status}: {}", entry.title.escaped(TITLE, PLAIN));
    for part in entry.circumstances() {
        let part = part.escaped(PART, PLAIN);
        if length(&line) + 3 + length(&part) <= LINE {
            line.push_str(" · ");
            line.push_str(&part);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    fn message(answer: &crate::domain::enrichment::Answer) -> String {
        String::from_utf8(super::message(&answer.enrichment(&sample::render_options()))).expect("UTF-8")
    }

    #[test]
    fn a_few_lines_tell_the_most_telling_first() {
        let right = "\
Machine desk-042.contoso.com: 2 alerts, 1 open, highest high: <b>Credentials</b> read
Severity: High, still open · Status: Open · Verdict: Undetermined · Alerts: 2 (1 high, 1 low), 1 open · Devices: desk-042.contoso.com · Users: CONTOSO\\dana
Techniques: T1003.001 · Seen: 2026-11-03 08:14 UTC
- High, new: <b>Credentials</b> read · desk-042.contoso.com · CONTOSO\\dana · 2026-11-03 08:14 UTC
- Low, resolved: Tool seen at evil[.]example · desk-042.contoso.com · CONTOSO\\dana · 2026-11-03 08:14 UTC
https://security.microsoft.com/machines/362ded5edf49a09eff1a4645db892f3af1c2e2cd
Microsoft Defender for Endpoint · 2026-11-03 08:14 UTC · just fetched
";
        assert_eq!(message(&sample::machine()), right);
    }

    #[test]
    fn nothing_found_is_a_sentence_and_what_it_may_mean() {
        let right = "\
No alerts for machine desk-042.contoso.com.
Defender tells of devices that it watches: check the name, and that the device is onboarded.
https://security.microsoft.com/machines/362ded5edf49a09eff1a4645db892f3af1c2e2cd
Microsoft Defender for Endpoint · 2026-11-03 08:14 UTC · just fetched
";
        assert_eq!(message(&sample::nothing()), right);
    }

    #[test]
    fn a_merged_incident_says_which_way_it_was_followed() {
        let text = message(&sample::merged_incident());
        assert!(text.starts_with("High incident 3107, in progress, 2 alerts, 1 open: Break-in"), "{text}");
        assert!(text.contains("Assigned to: nobody\nMerged: 3098 into 3102 into 3107"), "{text}");
        assert!(text.contains("Tags: Finance"), "{text}");
    }

    #[test]
    fn a_title_of_megabytes_is_cut() {
        let answer = sample::titled(&"evil ".repeat(2 << 20));
        assert!(message(&answer).lines().all(|line| line.len() <= LINE + 8));
    }
}
