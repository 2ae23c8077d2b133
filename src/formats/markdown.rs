//! `format=markdown`: a ticket comment, within as many characters as the ticket system takes.
//!
//! The link to the portal always fits; then come headline, notes, facts and a table of the first alerts, until there
//! is no more room. What is cut ends in a mark, at a word.

use super::digest::{Digest, Entry, Fact, OPEN};
use super::escape::{MARKDOWN, MARKDOWN_LABEL};
use super::safe_text::{SafeText, length};
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;

/// Characters of a headline or a paragraph, of a fact, of a cell of the table, of a line about the source.
const PARAGRAPH: usize = 500;
const FACT: usize = 400;
const CELL: usize = 200;
const SOURCE: usize = 120;
/// Characters that a cut line must still say, beside what it is about.
const LEAST: usize = 24;
/// What stands for lines that had no room.
const MARK: &str = "…";

const TABLE: [&str; 2] = ["| Severity | Status | Alert | Device | User | Last seen |", "|---|---|---|---|---|---|"];

/// The comment, of at most `max_chars` characters.
pub(super) fn comment(enrichment: &Enrichment<'_>, max_chars: usize) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let mut last: Vec<_> = digest.link.map(|link| format!("[{OPEN}]({link})")).into_iter().collect();
    last.push(digest.source.escaped(SOURCE, MARKDOWN));
    let last = last.join("\n\n");

    let mut page = Page::new(max_chars.saturating_sub(length(&last) + 1));
    page.cut("**", &digest.headline, "**", PARAGRAPH);
    page.gap();
    for note in &digest.notes {
        page.cut("**Note:** ", note, "", PARAGRAPH);
        page.gap();
    }
    if let Some(about) = &digest.about {
        page.cut("> ", about, "", PARAGRAPH);
        page.gap();
    }
    for Fact { label, value } in &digest.facts {
        page.cut(&format!("- **{label}:** "), value, "", FACT);
    }
    page.gap();
    alerts(&mut page, &digest);
    let mut text = page.finished();
    text.push_str(&last);
    text.push('\n');
    text.into_bytes()
}

/// The first alerts in a table, and how many more there are.
fn alerts(page: &mut Page, digest: &Digest<'_>) {
    let reserved = digest.more(0).map_or(0, |more| length(&more) + 2);
    let mut shown = 0;
    for alert in digest.alerts {
        let row = row(alert);
        let lines = if shown == 0 { [TABLE[0], TABLE[1], row.as_str()].join("\n") } else { row };
        if !page.whole(&lines, reserved) {
            break;
        }
        shown += 1;
    }
    page.gap();
    if let Some(more) = digest.more(shown) {
        page.whole(&more, 0);
        page.gap();
    }
}

fn row(alert: &Alert) -> String {
    let entry = Entry::of(alert);
    let cell = |text: &SafeText| text.escaped(CELL, MARKDOWN);
    let title = entry.title.escaped(CELL, MARKDOWN_LABEL);
    let title = entry.link.map_or_else(|| title.clone(), |link| format!("[{title}]({link})"));
    let (severity, status) = (cell(&entry.severity), cell(&entry.status));
    let (device, user, seen) = (cell(&entry.device), cell(&entry.user), cell(&entry.seen));
    format!("| {severity} | {status} | {title} | {device} | {user} | {seen} |")
}

/// Lines, as long as there is room for them and for the mark that stands for the rest.
struct Page {
    text: String,
    left: usize,
    is_full: bool,
}

impl Page {
    /// A page for so many characters, with room for the mark and an empty line after it.
    fn new(room: usize) -> Self {
        Self { text: String::new(), left: room.saturating_sub(length(MARK) + 2), is_full: false }
    }

    /// Adds whole lines, if they fit and leave `reserved` characters.
    fn whole(&mut self, lines: &str, reserved: usize) -> bool {
        let length = length(lines) + 1;
        let fits = !self.is_full && length + reserved <= self.left;
        if fits {
            self.left -= length;
            self.text.push_str(lines);
            self.text.push('\n');
        }
        fits
    }

    /// Adds a line of foreign text, cut to what is left; if that is too little to say anything, the page is full.
    fn cut(&mut self, before: &str, text: &SafeText, after: &str, most: usize) {
        let frame = length(before) + length(after);
        // A line break, and an empty line after it.
        let room = self.left.saturating_sub(frame + 2).min(most);
        if room < LEAST {
            self.is_full = true;
            return;
        }
        let line = format!("{before}{}{after}", text.escaped(room, MARKDOWN));
        self.is_full = !self.whole(&line, 0);
    }

    /// Adds an empty line after a line.
    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") && self.left > 0 {
            self.left -= 1;
            self.text.push('\n');
        }
    }

    /// The lines, with a mark if some had no room.
    fn finished(mut self) -> String {
        if self.is_full {
            self.text.push_str(MARK);
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
    fn a_comment_has_a_headline_facts_a_table_and_a_link() {
        let right = "\
**Machine `desk-042.contoso.com`: 2 alerts, 1 open, highest high: &lt;b&gt;Credentials&lt;/b&gt; read**

- **Severity:** High, still open
- **Status:** Open
- **Verdict:** Undetermined
- **Alerts:** 2 \\(1 high, 1 low\\), 1 open
- **Devices:** `desk-042.contoso.com`
- **Users:** CONTOSO\\dana
- **Techniques:** T1003.001
- **Seen:** 2026-11-03 08:14 UTC

| Severity | Status | Alert | Device | User | Last seen |
|---|---|---|---|---|---|
| High | new | [&lt;b&gt;Credentials&lt;/b&gt; read](https://security.microsoft.com/alerts/da1_1) | `desk-042.contoso.com` | CONTOSO\\dana | 2026-11-03 08:14 UTC |
| Low | resolved | Tool seen at evil\\[.\\]example | `desk-042.contoso.com` | CONTOSO\\dana | 2026-11-03 08:14 UTC |

[Open in Microsoft Defender](https://security.microsoft.com/machines/362ded5edf49a09eff1a4645db892f3af1c2e2cd)

Microsoft Defender for Endpoint · 2026-11-03 08:14 UTC · just fetched
";
        assert_eq!(written(&sample::machine(), OutputOptions::DEFAULT_MAX_CHARS), right);
    }

    #[test]
    fn the_least_of_comments_keeps_headline_link_and_source() {
        for answer in [sample::machine(), sample::filled_with("a|b <c> "), sample::filled_with(&"x".repeat(500))] {
            let text = written(&answer, OutputOptions::MIN_CHARS);
            assert!(length(&text) <= OutputOptions::MIN_CHARS, "{text}");
            assert!(text.starts_with("**Machine") && text.contains(&format!("({})", sample::PAGE)), "{text}");
            assert!(text.ends_with("just fetched\n") && text.contains(MARK), "{text}");
        }
    }

    #[test]
    fn more_room_is_used_for_more_alerts_in_whole_rows() {
        let answer = sample::filled_with("a|b <c> ");
        let rows = |text: &str| text.lines().filter(|line| line.starts_with("| ")).count();
        let (some, most) = (written(&answer, 3000), written(&answer, OutputOptions::MAX_CHARS));
        assert!(rows(&some) > 2 && rows(&some) < rows(&most), "{} and {}", rows(&some), rows(&most));
        assert!(some.contains("more alerts.") && !most.contains("more alerts."), "{some}");
    }
}
