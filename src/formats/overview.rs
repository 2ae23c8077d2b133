//! The content of a chat message about several subjects: one line for each, and a headline.

use super::digest::{Digest, MAX_HEADLINE_CHARS};
use super::escape::MARKDOWN;
use super::safe_text::SafeText;
use crate::domain::enrichment::Enrichment;
use crate::domain::vocabulary::{ClosedVocabulary as _, Severity};

/// The maximum length of the input in the line of a failed subject.
const MAX_INPUT_CHARS: usize = 64;
/// The maximum length of a line in Markdown, with its escapes.
const MAX_LINE_CHARS: usize = 400;

/// The line of one subject.
#[derive(Clone, Debug)]
pub struct BatchLine {
    /// The answer's headline, or the input with the error.
    pub(super) text: SafeText,
    /// The highest severity of open alerts.
    pub(super) urgency: Option<Severity>,
    /// The subject's page in the portal.
    pub(super) link: Option<String>,
    is_answered: bool,
}

impl BatchLine {
    /// The line of an answer.
    pub fn answered(enrichment: &Enrichment<'_>) -> Self {
        let Digest { headline, urgency, link, .. } = Digest::of(enrichment);
        Self { text: headline, urgency, link: link.map(str::to_owned), is_answered: true }
    }

    /// The line of a subject that could not be answered.
    pub fn failed(input: &str, detail: &str) -> Self {
        let input: String = input.chars().take(MAX_INPUT_CHARS).collect();
        let text = SafeText::new(&format!("{input}: {detail}"), MAX_HEADLINE_CHARS);
        Self { text, urgency: None, link: None, is_answered: false }
    }
}

/// Renders the lines as a list in Markdown, without a headline.
pub(crate) fn markdown_lines(lines: &[BatchLine]) -> String {
    let line = |line: &BatchLine| format!("- {}", line.text.escaped(MAX_LINE_CHARS, MARKDOWN));
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The content of a message about several subjects.
pub(super) struct Overview<'a> {
    pub(super) headline: SafeText,
    /// The highest severity of open alerts.
    pub(super) urgency: Option<Severity>,
    pub(super) lines: &'a [BatchLine],
}

impl<'a> Overview<'a> {
    /// Builds the overview of these lines.
    pub(super) fn of(lines: &'a [BatchLine]) -> Self {
        let answered = lines.iter().filter(|line| line.is_answered).count();
        let urgency = lines.iter().filter_map(|line| line.urgency).max_by_key(|severity| severity.rank());
        let without = match lines.len() - answered {
            0 => String::new(),
            without => format!(", {without} without"),
        };
        let highest = urgency.map(|urgency| format!("; highest open: {}", urgency.as_str())).unwrap_or_default();
        let headline = format!("{} subjects: {answered} with an answer{without}{highest}", lines.len());
        Self { headline: SafeText::new(&headline, MAX_HEADLINE_CHARS), urgency, lines }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::formats::{BatchLine, Format, batch_message, sample};

    fn message(lines: &[BatchLine], format: Format) -> Value {
        serde_json::from_slice(&batch_message(lines, format)).expect("JSON")
    }

    fn text<'a>(message: &'a Value, pointer: &str) -> &'a str {
        message.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}: {message}"))
    }

    #[test]
    fn largest_batch_message_fits() {
        for character in ["会", "\u{10348}", "\"", "\\", "[", "&lt;"] {
            let answer = sample::filled_incident(&character.repeat(400));
            let render_options = sample::render_options();
            let line = BatchLine::answered(&answer.enrichment(&render_options));
            let lines: Vec<_> = (0..25).map(|_| line.clone()).collect();
            let teams = batch_message(&lines, Format::Teams);
            assert!(teams.len() <= 28_000, "{character}: {} bytes", teams.len());
            let slack = message(&lines, Format::Slack);
            let blocks = slack["blocks"].as_array().expect("blocks");
            assert!(blocks.len() <= 50);
            for block in blocks {
                let length = block["text"]["text"].as_str().expect("a text").encode_utf16().count();
                assert!(length <= if block["type"] == "header" { 150 } else { 3000 }, "{block}");
            }
        }
    }

    #[test]
    fn headline_counts_answers_and_names_the_highest_severity() {
        let (answer, render_options) = (sample::machine(), sample::render_options());
        let good = BatchLine::answered(&answer.enrichment(&render_options));
        let bad = BatchLine::failed("desk-404", "Defender knows no device of this id or name.");
        let slack = message(&[good, bad], Format::Slack);
        assert_eq!(
            text(&slack, "/blocks/0/text/text"),
            "🔴 2 subjects: 1 with an answer, 1 without; highest open: high"
        );
        assert_eq!(text(&slack, "/blocks/2/text/text"), "⚪ desk-404: Defender knows no device of this id or name.");
        let good = text(&slack, "/blocks/1/text/text");
        assert!(good.starts_with("🔴 Machine `desk-042.contoso.com`: 2 alerts"), "{good}");
        assert!(good.contains(&format!(" · <{}|", sample::PAGE)), "{good}");
    }
}
