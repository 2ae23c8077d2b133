//! `format=markdown`: a ticket comment, within the length limit of the ticket system.
//!
//! The link to the portal always fits. Headline, warnings, facts and a table of the first alerts follow, until the limit
//! is reached. Cut text ends at a word, with a mark.

use super::digest::{Digest, Entry, Fact, OPEN_LABEL};
use super::escape::{MARKDOWN, MARKDOWN_LABEL};
use super::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use super::safe_text::{SafeText, length};
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "markdown",
    media_type: "text/markdown; charset=utf-8",
    accept_rank: Some(2),
    body: BodyKind::Text,
    has_raw: false,
    event_type: None,
    renderer: Renderer::Limited(|enrichment, output| comment(enrichment, output.max_chars)),
    batch_renderer: None,
    schemas: BodySchemas::NONE,
    notice: |text| text.as_bytes().to_vec(),
};

/// Length limits in characters: a headline or paragraph, a fact, a table cell, the line about the source.
const MAX_PARAGRAPH_CHARS: usize = 500;
const MAX_FACT_CHARS: usize = 400;
const MAX_CELL_CHARS: usize = 200;
const MAX_SOURCE_CHARS: usize = 120;
/// The minimum length of a cut line, beside its label.
const MIN_LINE_CHARS: usize = 24;
/// Marks omitted lines.
const OMISSION_MARK: &str = "…";

const TABLE_HEAD: [&str; 2] =
    ["| Severity | Status | Alert | Device | User | Last seen |", "|---|---|---|---|---|---|"];

/// Renders the comment, with at most `max_chars` characters.
fn comment(enrichment: &Enrichment<'_>, max_chars: usize) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let mut footer: Vec<_> = digest.link.map(|link| format!("[{OPEN_LABEL}]({link})")).into_iter().collect();
    footer.push(digest.source.escaped(MAX_SOURCE_CHARS, MARKDOWN));
    let footer = footer.join("\n\n");

    let mut page = Page::new(max_chars.saturating_sub(length(&footer) + 1));
    page.push_cut("**", &digest.headline, "**", MAX_PARAGRAPH_CHARS);
    page.push_gap();
    for warning in &digest.warnings {
        page.push_cut("**Note:** ", warning, "", MAX_PARAGRAPH_CHARS);
        page.push_gap();
    }
    if let Some(explanation) = &digest.explanation {
        page.push_cut("> ", explanation, "", MAX_PARAGRAPH_CHARS);
        page.push_gap();
    }
    for Fact { label, value } in &digest.facts {
        page.push_cut(&format!("- **{label}:** "), value, "", MAX_FACT_CHARS);
    }
    page.push_gap();
    alerts(&mut page, &digest);
    let mut text = page.finished();
    text.push_str(&footer);
    text.push('\n');
    text.into_bytes()
}

/// Adds the first alerts as a table, and the number of the others.
fn alerts(page: &mut Page, digest: &Digest<'_>) {
    let reserved = digest.more(0).map_or(0, |more| length(&more) + 2);
    let mut shown_alerts = 0;
    for alert in digest.alerts {
        let row = row(alert);
        let lines = if shown_alerts == 0 { [TABLE_HEAD[0], TABLE_HEAD[1], row.as_str()].join("\n") } else { row };
        if !page.push_whole(&lines, reserved) {
            break;
        }
        shown_alerts += 1;
    }
    page.push_gap();
    if let Some(more) = digest.more(shown_alerts) {
        page.push_whole(&more, 0);
        page.push_gap();
    }
}

fn row(alert: &Alert) -> String {
    let entry = Entry::of(alert);
    let cell = |text: &SafeText| text.escaped(MAX_CELL_CHARS, MARKDOWN);
    let title = entry.title.escaped(MAX_CELL_CHARS, MARKDOWN_LABEL);
    let title = entry.link.map_or_else(|| title.clone(), |link| format!("[{title}]({link})"));
    let (severity, status) = (cell(&entry.severity), cell(&entry.status));
    let (device, user, seen) = (cell(&entry.device), cell(&entry.user), cell(&entry.seen));
    format!("| {severity} | {status} | {title} | {device} | {user} | {seen} |")
}

/// The lines of the comment. It reserves space for a mark that replaces omitted lines.
struct Page {
    text: String,
    remaining: usize,
    is_full: bool,
}

impl Page {
    /// Creates a page of `max_chars` characters, including the mark and an empty line after it.
    fn new(max_chars: usize) -> Self {
        Self { text: String::new(), remaining: max_chars.saturating_sub(length(OMISSION_MARK) + 2), is_full: false }
    }

    /// Adds whole lines, if they fit and leave `reserved` characters.
    fn push_whole(&mut self, lines: &str, reserved: usize) -> bool {
        let length = length(lines) + 1;
        let fits = !self.is_full && length + reserved <= self.remaining;
        if fits {
            self.remaining -= length;
            self.text.push_str(lines);
            self.text.push('\n');
        }
        fits
    }

    /// Adds a line of foreign text, cut to the remaining space. If that is too short to be useful, the page is full.
    fn push_cut(&mut self, before: &str, text: &SafeText, after: &str, line_limit: usize) {
        let frame = length(before) + length(after);
        // Reserves a line break, and an empty line after it.
        let max_chars = self.remaining.saturating_sub(frame + 2).min(line_limit);
        if max_chars < MIN_LINE_CHARS {
            self.is_full = true;
            return;
        }
        let line = format!("{before}{}{after}", text.escaped(max_chars, MARKDOWN));
        self.is_full = !self.push_whole(&line, 0);
    }

    /// Adds an empty line after a line.
    fn push_gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") && self.remaining > 0 {
            self.remaining -= 1;
            self.text.push('\n');
        }
    }

    /// Returns the text, with a mark if lines were omitted.
    fn finished(mut self) -> String {
        if self.is_full {
            self.text.push_str(OMISSION_MARK);
            self.text.push_str("\n\n");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enrichment::Answer;
    use crate::formats::{OutputOptions, sample};

    fn written(answer: &Answer, max_chars: usize) -> String {
        String::from_utf8(comment(&answer.enrichment(&sample::render_options()), max_chars)).expect("UTF-8")
    }

    #[test]
    fn shortest_comment_keeps_headline_link_and_source() {
        for answer in [sample::machine(), sample::filled_with("a|b <c> "), sample::filled_with(&"x".repeat(500))] {
            let text = written(&answer, OutputOptions::MIN_CHARS);
            assert!(length(&text) <= OutputOptions::MIN_CHARS, "{text}");
            assert!(text.starts_with("**Machine") && text.contains(&format!("({})", sample::PAGE)), "{text}");
            assert!(text.ends_with("just fetched\n") && text.contains(OMISSION_MARK), "{text}");
        }
    }

    #[test]
    fn longer_comment_shows_more_alerts_in_whole_rows() {
        let answer = sample::filled_with("a|b <c> ");
        let rows = |text: &str| text.lines().filter(|line| line.starts_with("| ")).count();
        let (some, line_limit) = (written(&answer, 3000), written(&answer, OutputOptions::MAX_CHARS));
        assert!(rows(&some) > 2 && rows(&some) < rows(&line_limit), "{} and {}", rows(&some), rows(&line_limit));
        assert!(some.contains("more alerts.") && !line_limit.contains("more alerts."), "{some}");
    }
}
