//! `format=text`: at most 12 lines for a terminal, a pager or a mail.

use super::digest::{Digest, Entry, Fact};
use super::escape::PLAIN;
use super::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use super::safe_text::length;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "text",
    media_type: "text/plain; charset=utf-8",
    accept_rank: Some(1),
    body: BodyKind::Text,
    has_raw: false,
    event_type: None,
    renderer: Renderer::Limited(|enrichment, _| message(enrichment)),
    batch_renderer: None,
    schemas: BodySchemas::NONE,
    notice: |text| text.as_bytes().to_vec(),
};

/// The maximum number of lines, and their maximum length in characters.
const MAX_LINES: usize = 12;
const MAX_LINE_CHARS: usize = 160;
/// The maximum number of lines with warnings and with facts, so that some are left for alerts.
const MAX_WARNING_LINES: usize = 2;
const MAX_FACT_LINES: usize = 5;
/// Length limits in characters: an alert's title, and the other parts of its line.
const MAX_TITLE_CHARS: usize = 76;
const MAX_PART_CHARS: usize = 48;

/// Renders the message.
fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let mut lines = vec![digest.headline.escaped(MAX_LINE_CHARS, PLAIN)];
    lines.extend(
        digest
            .warnings
            .iter()
            .take(MAX_WARNING_LINES)
            .map(|warning| format!("! {}", warning.escaped(MAX_LINE_CHARS - 2, PLAIN))),
    );
    lines.extend(digest.explanation.iter().map(|explanation| explanation.escaped(MAX_LINE_CHARS, PLAIN)));
    lines.extend(facts(&digest.facts).into_iter().take(MAX_FACT_LINES));

    let mut footer: Vec<_> = digest.link.map(str::to_owned).into_iter().collect();
    footer.push(digest.source.escaped(MAX_LINE_CHARS, PLAIN));
    let mut max_alert_lines = MAX_LINES.saturating_sub(lines.len() + footer.len());
    if digest.alert_count > max_alert_lines {
        max_alert_lines = max_alert_lines.saturating_sub(1);
    }
    let shown_alerts = digest.alerts.iter().take(max_alert_lines);
    let more = digest.more(shown_alerts.len());
    lines.extend(shown_alerts.map(|alert| line(alert)));
    lines.extend(more);
    lines.extend(footer);
    lines.truncate(MAX_LINES);
    let mut text = lines.join("\n");
    text.push('\n');
    text.into_bytes()
}

/// Puts as many facts into each line as fit.
fn facts(facts: &[Fact]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for Fact { label, value } in facts {
        let fact = format!("{label}: {}", value.escaped(MAX_LINE_CHARS - length(label) - 2, PLAIN));
        match lines.last_mut().filter(|line| length(line) + 3 + length(&fact) <= MAX_LINE_CHARS) {
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
    let (severity, status) =
        (entry.severity.escaped(MAX_PART_CHARS, PLAIN), entry.status.escaped(MAX_PART_CHARS, PLAIN));
    let mut line = format!("- {severity}, {status}: {}", entry.title.escaped(MAX_TITLE_CHARS, PLAIN));
    for part in entry.details() {
        let part = part.escaped(MAX_PART_CHARS, PLAIN);
        if length(&line) + 3 + length(&part) <= MAX_LINE_CHARS {
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
    fn empty_answer_explains_possible_reasons() {
        let right = "\
No alerts for machine desk-042.contoso.com.
Defender tells of devices that it watches: check the name, and that the device is onboarded.
https://security.microsoft.com/machines/362ded5edf49a09eff1a4645db892f3af1c2e2cd
Microsoft Defender for Endpoint · 2026-11-03 08:14 UTC · just fetched
";
        assert_eq!(message(&sample::nothing()), right);
    }

    #[test]
    fn merged_incident_shows_its_redirects() {
        let text = message(&sample::merged_incident());
        assert!(text.starts_with("High incident 3107, in progress, 2 alerts, 1 open: Break-in"), "{text}");
        assert!(text.contains("Assigned to: nobody\nMerged: 3098 into 3102 into 3107"), "{text}");
        assert!(text.contains("Tags: Finance"), "{text}");
    }

    #[test]
    fn huge_title_is_cut() {
        let answer = sample::titled(&"evil ".repeat(2 << 20));
        assert!(message(&answer).lines().all(|line| line.len() <= MAX_LINE_CHARS + 8));
    }
}
