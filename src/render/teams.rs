//! `format=teams`: a message with one Adaptive Card 1.4, of at most 28,000 bytes whatever comes in.
//!
//! Good for the reply of an outgoing webhook and for the URL of a workflow.
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use serde_json::{Value, json};

use super::digest::{Digest, Entry, Fact, OPEN};
use super::escape::card;
use super::overview::Overview;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::words::Severity;

/// Bytes of a message.
///
/// Source: <https://learn.microsoft.com/microsoftteams/limits-specifications-teams> (28 KB of a webhook's message).
const MOST_BYTES: usize = 28_000;
/// Alerts that are shown; the portal has the others.
const MOST_ALERTS: usize = 5;
/// Characters, escaped. One takes three bytes at most: 8 paragraphs and 16 facts are then 19 kB, and leave room.
const PARAGRAPH: usize = 300;
const FACT: usize = 240;
const PART: usize = 200;
/// Of a line about one subject of several: 25 of them, with a link each, are 25 kB.
const LINE: usize = 200;

/// The message.
pub(super) fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    fitted(&Digest::of(enrichment), MOST_BYTES)
}

/// The message with as many alerts as fit.
fn fitted(digest: &Digest<'_>, most_bytes: usize) -> Vec<u8> {
    let mut shown = digest.alerts.len().min(MOST_ALERTS);
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
    let headline = overview.headline.escaped(PARAGRAPH, card);
    let mut body = vec![json!({
        "type": "TextBlock", "text": headline, "wrap": true,
        "size": "Large", "weight": "Bolder", "color": color(overview.urgency),
    })];
    body.extend(overview.lines.iter().map(|line| {
        let text = line.text.escaped(LINE, card);
        let text = line.link.as_deref().map_or_else(|| text.clone(), |link| format!("[{text}]({link})"));
        json!({"type": "TextBlock", "text": text, "wrap": true, "color": color(line.urgency)})
    }));
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
    let headline = digest.headline.escaped(PARAGRAPH, card);
    let mut body = vec![json!({
        "type": "TextBlock", "text": headline, "wrap": true,
        "size": "Large", "weight": "Bolder", "color": color(digest.urgency),
    })];
    body.extend(digest.notes.iter().map(|note| {
        let note = note.escaped(PARAGRAPH, card);
        json!({"type": "TextBlock", "text": note, "wrap": true, "color": "Warning"})
    }));
    body.extend(digest.about.iter().map(|about| text(&about.escaped(PARAGRAPH, card))));
    if !digest.facts.is_empty() {
        let fact = |Fact { label, value }: &Fact| json!({"title": label, "value": value.escaped(FACT, card)});
        body.push(json!({"type": "FactSet", "facts": digest.facts.iter().map(fact).collect::<Vec<_>>()}));
    }
    body.extend(digest.alerts.iter().take(shown).map(|alert| entry(alert)));
    body.extend(digest.more(shown).map(|more| text(&more)));
    let source = digest.source.escaped(PARAGRAPH, card);
    body.push(json!({"type": "TextBlock", "text": source, "wrap": true, "isSubtle": true, "size": "Small"}));
    body
}

/// An alert in two lines: how bad and what, then where, who and when.
fn entry(alert: &Alert) -> Value {
    let entry = Entry::of(alert);
    let title = entry.title.escaped(PART, card);
    let title = entry.link.map_or_else(|| title.clone(), |link| format!("[{title}]({link})"));
    let (severity, status) = (entry.severity.escaped(PART, card), entry.status.escaped(PART, card));
    let what = format!("**{severity}**, {status}: {title}");
    let mut items = vec![json!({"type": "TextBlock", "text": what, "wrap": true, "spacing": "Small"})];
    let parts: Vec<_> = entry.circumstances().map(|part| part.escaped(PART, card)).collect();
    if !parts.is_empty() {
        let parts = parts.join(" · ");
        items.push(json!({"type": "TextBlock", "text": parts, "wrap": true, "isSubtle": true, "spacing": "None"}));
    }
    json!({"type": "Container", "separator": true, "items": items})
}

fn text(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "wrap": true})
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
    use crate::render::sample;

    #[test]
    fn the_largest_of_messages_fits() {
        for letter in ["会", "\u{10348}", "\"", "\\", "[", "&lt;"] {
            let answer = sample::filled_incident(&letter.repeat(400));
            let body = message(&answer.enrichment(&sample::showing()));
            assert!((8_000..28_000).contains(&body.len()), "{letter}: {} bytes", body.len());
        }
    }

    #[test]
    fn where_there_is_less_room_there_are_fewer_alerts() {
        let answer = sample::filled_incident("会");
        let showing = sample::showing();
        let enrichment = answer.enrichment(&showing);
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
        let message: Value = serde_json::from_slice(&message(&answer.enrichment(&sample::showing()))).expect("JSON");
        let card = &message["attachments"][0]["content"];
        assert_eq!(card["body"][0]["color"], "Attention");
        assert_eq!(card["body"][1]["facts"][0], json!({"title": "Severity", "value": "High, still open"}));
        assert_eq!(
            card["body"][2]["items"][0]["text"],
            "**High**, new: [‹b›Credentials‹/b› read](https://security.microsoft.com/alerts/da1_1)"
        );
        assert_eq!(card["actions"][0]["url"], sample::PAGE);
    }
}
