//! `format=slack`: a message in Block Kit, always within Slack's limits.
//!
//! Every text has its own length limit, and the texts of a block add up to less than the block's limit: 150
//! characters in a header, 3000 in a section, 2000 in a field, 4000 in the fallback; 10 fields in a section, 50
//! blocks.
//! Source: <https://docs.slack.dev/reference/block-kit/blocks>.

use serde_json::{Value, json};

use super::digest::{Digest, Entry, Fact, OPEN_LABEL};
use super::escape::{MRKDWN, SLACK_PLAIN_TEXT};
use super::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use super::overview::Overview;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::vocabulary::Severity;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "slack",
    media_type: "application/json",
    accept_rank: None,
    body: BodyKind::Json,
    has_raw: false,
    event_type: None,
    renderer: Renderer::Limited(|enrichment, _| message(enrichment)),
    batch_renderer: Some(overview),
    schemas: BodySchemas { roots: &["SlackMessage"], definitions: schemas },
    notice: |text| json!({"text": text}).to_string().into_bytes(),
};

/// The maximum number of shown alerts. The portal shows all.
const MAX_ALERTS: usize = 5;
/// The maximum number of fields in a section.
const MAX_FIELDS: usize = 10;
/// Length limits in escaped characters: the header after its icon, a paragraph, a field, an alert's title, other
/// parts.
const MAX_HEADER_CHARS: usize = 145;
const MAX_PARAGRAPH_CHARS: usize = 1200;
const MAX_FIELD_CHARS: usize = 1200;
const MAX_TITLE_CHARS: usize = 600;
const MAX_PART_CHARS: usize = 400;
/// The length limit of a line about one of several subjects.
const MAX_LINE_CHARS: usize = 600;

/// Renders the message.
fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let message = json!({"text": fallback(&digest), "blocks": blocks(&digest)});
    // Serialization cannot fail: the value holds only strings.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Renders one message about several subjects. A batch has at most 25, and a message 50 blocks.
fn overview(overview: &Overview<'_>) -> Vec<u8> {
    let headline = overview.headline.escaped(MAX_HEADER_CHARS, SLACK_PLAIN_TEXT);
    let header = format!("{} {headline}", icon(overview.urgency));
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": false}})];
    blocks.extend(overview.lines.iter().map(|line| {
        let text = line.text.escaped(MAX_LINE_CHARS, MRKDWN);
        // The link follows the text, since a link label cannot have code style.
        let link = line.link.as_deref().map(|link| format!(" · {}", anchor(link, OPEN_LABEL))).unwrap_or_default();
        section(&format!("{} {text}{link}", icon(line.urgency)))
    }));
    let fallback = overview.headline.escaped(MAX_PARAGRAPH_CHARS, MRKDWN);
    // Serialization cannot fail: the value holds only strings.
    serde_json::to_vec(&json!({"text": fallback, "blocks": blocks})).unwrap_or_default()
}

/// The text for notifications and screen readers, which do not show blocks.
fn fallback(digest: &Digest<'_>) -> String {
    let mut text = digest.headline.escaped(MAX_PARAGRAPH_CHARS, MRKDWN);
    if let Some(link) = digest.link {
        text.push('\n');
        text.push_str(&anchor(link, OPEN_LABEL));
    }
    text
}

fn blocks(digest: &Digest<'_>) -> Vec<Value> {
    let headline = format!("{} {}", icon(digest.urgency), digest.headline.escaped(MAX_HEADER_CHARS, SLACK_PLAIN_TEXT));
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": false}})];
    blocks.extend(
        digest
            .warnings
            .iter()
            .map(|warning| section(&format!("*Note:* {}", warning.escaped(MAX_PARAGRAPH_CHARS, MRKDWN)))),
    );
    blocks.extend(
        digest.explanation.iter().map(|explanation| section(&explanation.escaped(MAX_PARAGRAPH_CHARS, MRKDWN))),
    );
    blocks.extend(digest.facts.chunks(MAX_FIELDS).map(fields));
    if !digest.alerts.is_empty() {
        blocks.push(json!({"type": "divider"}));
    }
    let shown_alerts = digest.alerts.iter().take(MAX_ALERTS);
    blocks.extend(shown_alerts.clone().map(|alert| section(&paragraph(alert))));
    blocks.extend(digest.more(shown_alerts.len()).map(|more| context(&more)));
    if let Some(link) = digest.link {
        // A link instead of a button: Slack reports each click on a button to an app, and warns the reader if no app
        // listens.
        blocks.push(section(&anchor(link, OPEN_LABEL)));
    }
    blocks.push(context(&digest.source.escaped(MAX_PART_CHARS, MRKDWN)));
    blocks
}

/// Renders an alert in two lines: severity, status and title, then device, user and time.
fn paragraph(alert: &Alert) -> String {
    let entry = Entry::of(alert);
    let title = entry.title.escaped(MAX_TITLE_CHARS, MRKDWN);
    let title = entry.link.map_or_else(|| title.clone(), |link| anchor(link, &title));
    let (severity, status) =
        (entry.severity.escaped(MAX_PART_CHARS, MRKDWN), entry.status.escaped(MAX_PART_CHARS, MRKDWN));
    let parts: Vec<_> = entry.details().map(|part| part.escaped(MAX_PART_CHARS, MRKDWN)).collect();
    format!("*{severity}*, {status}: {title}\n{}", parts.join(" · ")).trim_end().to_owned()
}

fn fields(facts: &[Fact]) -> Value {
    let field = |Fact { label, value }: &Fact| text(&format!("*{label}*\n{}", value.escaped(MAX_FIELD_CHARS, MRKDWN)));
    json!({"type": "section", "fields": facts.iter().map(field).collect::<Vec<_>>()})
}

fn section(mrkdwn: &str) -> Value {
    json!({"type": "section", "text": text(mrkdwn)})
}

fn context(mrkdwn: &str) -> Value {
    json!({"type": "context", "elements": [text(mrkdwn)]})
}

/// `verbatim` prevents Slack from linking bare addresses and channel names.
fn text(mrkdwn: &str) -> Value {
    json!({"type": "mrkdwn", "text": mrkdwn, "verbatim": true})
}

fn anchor(link: &str, label: &str) -> String {
    format!("<{link}|{label}>")
}

/// The icon of a severity.
fn icon(urgency: Option<Severity>) -> char {
    match urgency {
        Some(Severity::Critical | Severity::High) => '🔴',
        Some(Severity::Medium) => '🟠',
        Some(Severity::Low) => '🟡',
        Some(Severity::Informational) => '🔵',
        Some(Severity::Unknown | Severity::Other) | None => '⚪',
    }
}

fn schemas() -> Vec<(&'static str, Value)> {
    let message = json!({
        "type": "object",
        "description": "format=slack: a message for chat.postMessage, a response_url or an incoming webhook. In full: https://docs.slack.dev/reference/block-kit/.",
        "required": ["text", "blocks"],
        "properties": {
            "text": {"type": "string", "description": "The message where blocks are not shown."},
            "blocks": {"type": "array", "maxItems": 50, "items": {"$ref": "#/components/schemas/SlackBlock"}},
            "response_type": {"type": "string", "enum": ["ephemeral", "in_channel"], "description": "Only of an answer to Slack: who sees it."}
        },
        "additionalProperties": true
    });
    let block = json!({
        "type": "object",
        "description": "A block of Block Kit.",
        "required": ["type"],
        "properties": {"type": {"type": "string"}},
        "additionalProperties": true
    });
    vec![("SlackMessage", message), ("SlackBlock", block)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    fn message(answer: &crate::domain::enrichment::Answer) -> Value {
        serde_json::from_slice(&super::message(&answer.enrichment(&sample::render_options()))).expect("JSON")
    }

    #[test]
    fn message_without_page_has_no_link() {
        let mut answer = sample::machine();
        answer.url = Some("https://evil.example/machines/1".to_owned());
        let text = message(&answer).to_string();
        assert!(!text.contains("Open in") && !text.contains("/machines/"), "{text}");
    }

    #[test]
    fn warnings_precede_the_facts() {
        let message = message(&sample::stale_and_partial());
        assert_eq!(
            message["blocks"][1]["text"]["text"],
            "*Note:* This is 14 min old: Microsoft throttles or is down, and could not be asked again."
        );
        assert_eq!(message["blocks"][2]["text"]["text"], "*Note:* Only the first page could be read.");
    }
}
