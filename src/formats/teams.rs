//! `format=teams`: a message with one Adaptive Card 1.4, of at most 28,000 bytes.
//!
//! Card text has no code style, but text runs have one. A line with a name that Teams would link is a
//! `RichTextBlock`, in which the name is a run of its own in the monospace font. Other lines are plain text blocks.
//!
//! The message fits both the reply of an outgoing webhook and the URL of a workflow.
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use serde_json::{Value, json};

use super::digest::{Digest, Entry, Fact, OPEN_LABEL};
use super::escape::CARD;
use super::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use super::overview::{BatchLine, Overview};
use super::safe_text::{Run, SafeText};
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::vocabulary::Severity;

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "teams",
    media_type: "application/json",
    accept_rank: None,
    body: BodyKind::Json,
    has_raw: false,
    event_type: None,
    renderer: Renderer::Limited(|enrichment, _| message(enrichment)),
    batch_renderer: Some(overview),
    schemas: BodySchemas { roots: &["TeamsMessage"], definitions: schemas },
    notice: |text| card_message(&[json!({"type": "TextBlock", "text": text, "wrap": true})], &[]),
};

/// The maximum size of a message in bytes.
///
/// Source: <https://learn.microsoft.com/microsoftteams/limits-specifications-teams> (28 KB for a webhook message).
const MAX_BYTES: usize = 28_000;
/// The maximum number of shown alerts. The portal shows all.
const MAX_ALERTS: usize = 5;
/// Length limits in escaped characters, of at most three bytes each: 8 paragraphs and 16 facts take 19 kB, and leave
/// space for alerts.
const MAX_PARAGRAPH_CHARS: usize = 300;
const MAX_FACT_CHARS: usize = 240;
const MAX_PART_CHARS: usize = 200;
/// The length limit of a line about one of several subjects: 25 lines with links take 25 kB.
const MAX_LINE_CHARS: usize = 200;

/// Renders the message.
fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    fit_body(&Digest::of(enrichment), MAX_BYTES)
}

/// Renders the message with as many alerts as fit.
fn fit_body(digest: &Digest<'_>, max_bytes: usize) -> Vec<u8> {
    let mut shown_alerts = digest.alerts.len().min(MAX_ALERTS);
    loop {
        let body = render_with(digest, shown_alerts);
        if body.len() <= max_bytes || shown_alerts == 0 {
            return body;
        }
        shown_alerts -= 1;
    }
}

/// Renders the message with this number of alerts.
fn render_with(digest: &Digest<'_>, shown_alerts: usize) -> Vec<u8> {
    let actions: Vec<_> = digest
        .link
        .map(|link| json!({"type": "Action.OpenUrl", "title": OPEN_LABEL, "url": link}))
        .into_iter()
        .collect();
    card_message(&body(digest, shown_alerts), &actions)
}

/// Renders one message about several subjects.
pub(super) fn overview(overview: &Overview<'_>) -> Vec<u8> {
    let style = json!({"size": "Large", "weight": "Bolder", "color": color(overview.urgency)});
    let mut body = vec![line(&overview.headline, MAX_PARAGRAPH_CHARS, &style)];
    for BatchLine { text, urgency, link, .. } in overview.lines {
        body.push(line(text, MAX_LINE_CHARS, &json!({"color": color(*urgency), "separator": true})));
        let open =
            |link: &String| json!({"type": "TextBlock", "text": format!("[{OPEN_LABEL}]({link})"), "spacing": "None"});
        body.extend(link.as_ref().map(open));
    }
    card_message(&body, &[])
}

/// Wraps a card with this content in a message.
fn card_message(body: &[Value], actions: &[Value]) -> Vec<u8> {
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    });
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": content});
    // Serialization cannot fail: the value holds only strings.
    serde_json::to_vec(&json!({"type": "message", "attachments": [attachment]})).unwrap_or_default()
}

fn body(digest: &Digest<'_>, shown_alerts: usize) -> Vec<Value> {
    let style = json!({"size": "Large", "weight": "Bolder", "color": color(digest.urgency)});
    let mut body = vec![line(&digest.headline, MAX_PARAGRAPH_CHARS, &style)];
    body.extend(digest.warnings.iter().map(|warning| line(warning, MAX_PARAGRAPH_CHARS, &json!({"color": "Warning"}))));
    body.extend(digest.explanation.iter().map(|explanation| line(explanation, MAX_PARAGRAPH_CHARS, &json!({}))));
    body.extend(facts(&digest.facts));
    body.extend(digest.alerts.iter().take(shown_alerts).map(|alert| entry(alert)));
    body.extend(digest.more(shown_alerts).map(|more| json!({"type": "TextBlock", "text": more, "wrap": true})));
    body.push(line(&digest.source, MAX_PARAGRAPH_CHARS, &json!({"isSubtle": true, "size": "Small"})));
    body
}

/// Renders the facts as a table. Facts with names in code style follow it, since a table cannot contain them.
fn facts(facts: &[Fact]) -> Vec<Value> {
    let (mut simple, mut blocks) = (Vec::new(), Vec::new());
    for Fact { label, value } in facts {
        match value.runs(MAX_FACT_CHARS) {
            None => simple.push(json!({"title": label, "value": value.escaped(MAX_FACT_CHARS, CARD)})),
            Some(runs) => {
                let mut inlines = vec![json!({"type": "TextRun", "text": format!("{label}: "), "weight": "Bolder"})];
                inlines.extend(runs.iter().map(|run| inline(run, &json!({}))));
                blocks.push(json!({"type": "RichTextBlock", "spacing": "Small", "inlines": inlines}));
            }
        }
    }
    if !simple.is_empty() {
        blocks.insert(0, json!({"type": "FactSet", "facts": simple}));
    }
    blocks
}

/// Renders an alert in two lines: severity, status and title, then device, user and time.
fn entry(alert: &Alert) -> Value {
    let entry = Entry::of(alert);
    let title = entry.title.escaped(MAX_PART_CHARS, CARD);
    let title = entry.link.map_or_else(|| title.clone(), |link| format!("[{title}]({link})"));
    let (severity, status) = (entry.severity.escaped(MAX_PART_CHARS, CARD), entry.status.escaped(MAX_PART_CHARS, CARD));
    let what = format!("**{severity}**, {status}: {title}");
    let mut items = vec![json!({"type": "TextBlock", "text": what, "wrap": true, "spacing": "Small"})];
    items.extend(details(&entry));
    json!({"type": "Container", "separator": true, "items": items})
}

fn details(entry: &Entry<'_>) -> Option<Value> {
    let style = json!({"isSubtle": true});
    let (mut texts, mut inlines, mut has_code) = (Vec::new(), Vec::new(), false);
    for part in entry.details() {
        if !inlines.is_empty() {
            inlines.push(inline(&Run { text: " · ".to_owned(), is_code: false }, &style));
        }
        let text = part.escaped(MAX_PART_CHARS, CARD);
        let runs = part.runs(MAX_PART_CHARS);
        has_code |= runs.is_some();
        let runs = runs.unwrap_or_else(|| vec![Run { text: text.clone(), is_code: false }]);
        inlines.extend(runs.iter().map(|run| inline(run, &style)));
        texts.push(text);
    }
    if has_code {
        return Some(json!({"type": "RichTextBlock", "spacing": "None", "inlines": inlines}));
    }
    let text = texts.join(" · ");
    (!text.is_empty())
        .then(|| json!({"type": "TextBlock", "text": text, "wrap": true, "isSubtle": true, "spacing": "None"}))
}

/// Renders a line with a style.
fn line(text: &SafeText, max_chars: usize, style: &Value) -> Value {
    match text.runs(max_chars) {
        Some(runs) => {
            let inlines: Vec<_> = runs.iter().map(|run| inline(run, style)).collect();
            json!({"type": "RichTextBlock", "inlines": inlines})
        }
        None => with_style(json!({"type": "TextBlock", "text": text.escaped(max_chars, CARD), "wrap": true}), style),
    }
}

fn inline(run: &Run, style: &Value) -> Value {
    let mut inline = json!({"type": "TextRun", "text": run.text});
    if run.is_code {
        inline = with_style(inline, &json!({"fontType": "Monospace"}));
    }
    with_style(inline, style)
}

fn with_style(mut element: Value, style: &Value) -> Value {
    if let (Some(element), Some(style)) = (element.as_object_mut(), style.as_object()) {
        element.extend(style.clone());
    }
    element
}

/// The colour of a severity.
fn color(urgency: Option<Severity>) -> &'static str {
    match urgency {
        Some(Severity::Critical | Severity::High) => "Attention",
        Some(Severity::Medium) => "Warning",
        Some(Severity::Low | Severity::Informational) => "Accent",
        Some(Severity::Unknown | Severity::Other) | None => "Default",
    }
}

fn schemas() -> Vec<(&'static str, Value)> {
    let message = json!({
        "type": "object",
        "description": "format=teams: a message with one Adaptive Card, for an outgoing webhook's reply or a Workflows URL. In full: https://adaptivecards.io/explorer/.",
        "required": ["type", "attachments"],
        "properties": {
            "type": {"type": "string", "enum": ["message"]},
            "attachments": {
                "type": "array", "minItems": 1, "maxItems": 1, "items": {"$ref": "#/components/schemas/TeamsAttachment"}
            }
        },
        "additionalProperties": true
    });
    let attachment = json!({
        "type": "object",
        "description": "A card.",
        "required": ["contentType", "content"],
        "properties": {
            "contentType": {"type": "string", "enum": ["application/vnd.microsoft.card.adaptive"]},
            "content": {"$ref": "#/components/schemas/AdaptiveCard"}
        },
        "additionalProperties": true
    });
    let element = json!({"type": "object", "description": "An element of the card.", "additionalProperties": true});
    let card = json!({
        "type": "object",
        "description": "An Adaptive Card.",
        "required": ["type", "version", "body"],
        "properties": {
            "type": {"type": "string", "enum": ["AdaptiveCard"]},
            "version": {"type": "string", "enum": ["1.4"]},
            "body": {"type": "array", "items": element}
        },
        "additionalProperties": true
    });
    vec![("TeamsMessage", message), ("TeamsAttachment", attachment), ("AdaptiveCard", card)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    #[test]
    fn largest_message_fits() {
        for character in ["会", "\u{10348}", "\"", "\\", "[", "&lt;"] {
            let answer = sample::filled_incident(&character.repeat(400));
            let body = message(&answer.enrichment(&sample::render_options()));
            assert!((8_000..28_000).contains(&body.len()), "{character}: {} bytes", body.len());
        }
    }

    #[test]
    fn smaller_limit_shows_fewer_alerts() {
        let answer = sample::filled_incident("会");
        let render_options = sample::render_options();
        let enrichment = answer.enrichment(&render_options);
        let digest = Digest::of(&enrichment);
        let sizes = [0, 2, 3].map(|shown_alerts| render_with(&digest, shown_alerts).len());
        assert_eq!(fit_body(&digest, sizes[1]).len(), sizes[1]);
        assert_eq!(fit_body(&digest, sizes[2] - 1).len(), sizes[1]);
        let message: Value = serde_json::from_slice(&fit_body(&digest, sizes[0])).expect("JSON");
        let body = message["attachments"][0]["content"]["body"].to_string();
        assert!(body.contains("… and 30 more alerts."), "{body}");
    }
}
