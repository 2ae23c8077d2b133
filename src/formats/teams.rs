//! `format=teams`: a message with one Adaptive Card 1.4, of at most 28,000 bytes whatever comes in.
//!
//! Text of cards has no code style, but text in runs has: a line with a name that Teams would make a link of is a
//! `RichTextBlock`, in which the name has a run of its own in the font for code. The other lines are simple blocks.
//!
//! Good for the reply of an outgoing webhook and for the URL of a workflow.
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use serde_json::{Value, json};

use super::digest::{Digest, Entry, Fact, OPEN};
use super::escape::CARD;
use super::overview::{BatchLine, Overview};
use super::safe_text::{Run, SafeText};
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::vocabulary::Severity;

/// Bytes of a message.
///
/// Source: <https://learn.microsoft.com/microsoftteams/limits-specifications-teams> (28 KB of a webhook's message).
const MAX_BYTES: usize = 28_000;
/// Alerts that are shown; the portal has the others.
const MAX_ALERTS: usize = 5;
/// Characters, escaped. One takes three bytes at most: 8 paragraphs and 16 facts are then 19 kB, and leave room.
const PARAGRAPH: usize = 300;
const FACT: usize = 240;
const PART: usize = 200;
/// Of a line about one subject of several: 25 of them, with a link each, are 25 kB.
const LINE: usize = 200;

/// The message.
pub(super) fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    fitted(&Digest::of(enrichment), MAX_BYTES)
}

/// The message with as many alerts as fit.
fn fitted(digest: &Digest<'_>, most_bytes: usize) -> Vec<u8> {
    let mut shown = digest.alerts.len().min(MAX_ALERTS);
    loop {
        let body = written(digest, shown);
        if body.len() <= most_bytes || shown == 0 {
            return body;
        }
        shown -= 1;
    }
}

/// The message with so many alerts.
fn written(digest: &Digest<'_>, shown: usize) -> Vec<u8> {
    let actions: Vec<_> =
        digest.link.map(|link| json!({"type": "Action.OpenUrl", "title": OPEN, "url": link})).into_iter().collect();
    of_card(&body(digest, shown), &actions)
}

/// One message about several subjects.
pub(super) fn overview(overview: &Overview<'_>) -> Vec<u8> {
    let style = json!({"size": "Large", "weight": "Bolder", "color": color(overview.urgency)});
    let mut body = vec![line(&overview.headline, PARAGRAPH, &style)];
    for BatchLine { text, urgency, link, .. } in overview.lines {
        body.push(line(text, LINE, &json!({"color": color(*urgency), "separator": true})));
        let open = |link: &String| json!({"type": "TextBlock", "text": format!("[{OPEN}]({link})"), "spacing": "None"});
        body.extend(link.as_ref().map(open));
    }
    of_card(&body, &[])
}

/// The message with a card of these parts.
fn of_card(body: &[Value], actions: &[Value]) -> Vec<u8> {
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    });
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": content});
    // A tree of strings always serializes.
    serde_json::to_vec(&json!({"type": "message", "attachments": [attachment]})).unwrap_or_default()
}

fn body(digest: &Digest<'_>, shown: usize) -> Vec<Value> {
    let style = json!({"size": "Large", "weight": "Bolder", "color": color(digest.urgency)});
    let mut body = vec![line(&digest.headline, PARAGRAPH, &style)];
    body.extend(digest.notes.iter().map(|note| line(note, PARAGRAPH, &json!({"color": "Warning"}))));
    body.extend(digest.about.iter().map(|about| line(about, PARAGRAPH, &json!({}))));
    body.extend(facts(&digest.facts));
    body.extend(digest.alerts.iter().take(shown).map(|alert| entry(alert)));
    body.extend(digest.more(shown).map(|more| json!({"type": "TextBlock", "text": more, "wrap": true})));
    body.push(line(&digest.source, PARAGRAPH, &json!({"isSubtle": true, "size": "Small"})));
    body
}

/// The facts in a table, and below it those that have names in code style, for which a table has no place.
fn facts(facts: &[Fact]) -> Vec<Value> {
    let (mut simple, mut blocks) = (Vec::new(), Vec::new());
    for Fact { label, value } in facts {
        match value.runs(FACT) {
            None => simple.push(json!({"title": label, "value": value.escaped(FACT, CARD)})),
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

/// An alert in two lines: how bad and what, then where, who and when.
fn entry(alert: &Alert) -> Value {
    let entry = Entry::of(alert);
    let title = entry.title.escaped(PART, CARD);
    let title = entry.link.map_or_else(|| title.clone(), |link| format!("[{title}]({link})"));
    let (severity, status) = (entry.severity.escaped(PART, CARD), entry.status.escaped(PART, CARD));
    let what = format!("**{severity}**, {status}: {title}");
    let mut items = vec![json!({"type": "TextBlock", "text": what, "wrap": true, "spacing": "Small"})];
    items.extend(circumstances(&entry));
    json!({"type": "Container", "separator": true, "items": items})
}

fn circumstances(entry: &Entry<'_>) -> Option<Value> {
    let style = json!({"isSubtle": true});
    let (mut texts, mut inlines, mut has_code) = (Vec::new(), Vec::new(), false);
    for part in entry.circumstances() {
        if !inlines.is_empty() {
            inlines.push(inline(&Run { text: " · ".to_owned(), is_code: false }, &style));
        }
        let text = part.escaped(PART, CARD);
        let runs = part.runs(PART);
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

/// A line of its own, in a style.
fn line(text: &SafeText, room: usize, style: &Value) -> Value {
    match text.runs(room) {
        Some(runs) => {
            let inlines: Vec<_> = runs.iter().map(|run| inline(run, style)).collect();
            json!({"type": "RichTextBlock", "inlines": inlines})
        }
        None => with_style(json!({"type": "TextBlock", "text": text.escaped(room, CARD), "wrap": true}), style),
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

/// The colour of what has to be looked at.
fn color(urgency: Option<Severity>) -> &'static str {
    match urgency {
        Some(Severity::Critical | Severity::High) => "Attention",
        Some(Severity::Medium) => "Warning",
        Some(Severity::Low | Severity::Informational) => "Accent",
        Some(Severity::Unknown | Severity::Other) | None => "Default",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    #[test]
    fn the_largest_of_messages_fits() {
        for letter in ["会", "\u{10348}", "\"", "\\", "[", "&lt;"] {
            let answer = sample::filled_incident(&letter.repeat(400));
            let body = message(&answer.enrichment(&sample::render_options()));
            assert!((8_000..28_000).contains(&body.len()), "{letter}: {} bytes", body.len());
        }
    }

    #[test]
    fn where_there_is_less_room_there_are_fewer_alerts() {
        let answer = sample::filled_incident("会");
        let render_options = sample::render_options();
        let enrichment = answer.enrichment(&render_options);
        let digest = Digest::of(&enrichment);
        let sizes = [0, 2, 3].map(|shown| written(&digest, shown).len());
        assert_eq!(fitted(&digest, sizes[1]).len(), sizes[1]);
        assert_eq!(fitted(&digest, sizes[2] - 1).len(), sizes[1]);
        let message: Value = serde_json::from_slice(&fitted(&digest, sizes[0])).expect("JSON");
        let body = message["attachments"][0]["content"]["body"].to_string();
        assert!(body.contains("… and 30 more alerts."), "{body}");
    }

    #[test]
    fn a_card_tells_headline_facts_alerts_and_where_to_click() {
        let answer = sample::machine();
        let message: Value =
            serde_json::from_slice(&message(&answer.enrichment(&sample::render_options()))).expect("JSON");
        let card = &message["attachments"][0]["content"];
        assert_eq!(card["body"][1]["facts"][0], json!({"title": "Severity", "value": "High, still open"}));
        assert_eq!(
            card["body"][0]["inlines"],
            json!([
                {"type": "TextRun", "text": "Machine ", "size": "Large", "weight": "Bolder", "color": "Attention"},
                {"type": "TextRun", "text": "desk-042.contoso.com", "fontType": "Monospace", "size": "Large",
                    "weight": "Bolder", "color": "Attention"},
                {"type": "TextRun", "text": ": 2 alerts, 1 open, highest high: ‹b›Credentials‹/b› read", "size": "Large",
                    "weight": "Bolder", "color": "Attention"},
            ])
        );
        assert_eq!(
            card["body"][2],
            json!({"type": "RichTextBlock", "spacing": "Small", "inlines": [
                {"type": "TextRun", "text": "Devices: ", "weight": "Bolder"},
                {"type": "TextRun", "text": "desk-042.contoso.com", "fontType": "Monospace"},
            ]})
        );
        assert_eq!(
            card["body"][3]["items"][0]["text"],
            "**High**, new: [‹b›Credentials‹/b› read](https://security.microsoft.com/alerts/da1_1)"
        );
        assert_eq!(card["actions"][0]["url"], sample::PAGE);
    }
}
