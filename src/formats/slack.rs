//! `format=slack`: a message in Block Kit, inside Slack's limits whatever comes in.
//!
//! Every text has a room of its own, and the rooms of a block add up to less than the block may hold: 150 characters
//! in a header, 3000 in a section, 2000 in a field, 4000 in the fallback; 10 fields in a section, 50
//! blocks. Source: <https://docs.slack.dev/reference/block-kit/blocks>.

use serde_json::{Value, json};

use super::digest::{Digest, Entry, Fact, OPEN};
use super::escape::{MRKDWN, TITLE as PLAIN_TEXT};
use super::overview::Overview;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::domain::vocabulary::Severity;

/// Alerts that are shown; the portal has the others.
const MAX_ALERTS: usize = 5;
/// Fields of a section.
const MAX_FIELDS: usize = 10;
/// Characters, escaped: of the header beside its sign, of a paragraph, of a field, of an alert's title, of the rest.
const HEADER: usize = 145;
const PARAGRAPH: usize = 1200;
const FIELD: usize = 1200;
const TITLE: usize = 600;
const PART: usize = 400;
/// Of a line about one subject of several.
const LINE: usize = 600;

/// The message.
pub(super) fn message(enrichment: &Enrichment<'_>) -> Vec<u8> {
    let digest = Digest::of(enrichment);
    let message = json!({"text": fallback(&digest), "blocks": blocks(&digest)});
    // A tree of strings always serializes.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// One message about several subjects: a batch has at most 25, and a message 50 blocks.
pub(super) fn overview(overview: &Overview<'_>) -> Vec<u8> {
    let headline = overview.headline.escaped(HEADER, PLAIN_TEXT);
    let header = format!("{} {headline}", sign(overview.urgency));
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": false}})];
    blocks.extend(overview.lines.iter().map(|line| {
        let text = line.text.escaped(LINE, MRKDWN);
        // Beside the text: there is no code style in a link's label.
        let link = line.link.as_deref().map(|link| format!(" · {}", anchor(link, OPEN))).unwrap_or_default();
        section(&format!("{} {text}{link}", sign(line.urgency)))
    }));
    let fallback = overview.headline.escaped(PARAGRAPH, MRKDWN);
    // A tree of strings always serializes.
    serde_json::to_vec(&json!({"text": fallback, "blocks": blocks})).unwrap_or_default()
}

/// What notifications and screen readers get instead of the blocks.
fn fallback(digest: &Digest<'_>) -> String {
    let mut text = digest.headline.escaped(PARAGRAPH, MRKDWN);
    if let Some(link) = digest.link {
        text.push('\n');
        text.push_str(&anchor(link, OPEN));
    }
    text
}

fn blocks(digest: &Digest<'_>) -> Vec<Value> {
    let headline = format!("{} {}", sign(digest.urgency), digest.headline.escaped(HEADER, PLAIN_TEXT));
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": false}})];
    blocks.extend(digest.notes.iter().map(|note| section(&format!("*Note:* {}", note.escaped(PARAGRAPH, MRKDWN)))));
    blocks.extend(digest.about.iter().map(|about| section(&about.escaped(PARAGRAPH, MRKDWN))));
    blocks.extend(digest.facts.chunks(MAX_FIELDS).map(fields));
    if !digest.alerts.is_empty() {
        blocks.push(json!({"type": "divider"}));
    }
    let shown = digest.alerts.iter().take(MAX_ALERTS);
    blocks.extend(shown.clone().map(|alert| section(&paragraph(alert))));
    blocks.extend(digest.more(shown.len()).map(|more| context(&more)));
    if let Some(link) = digest.link {
        // No button: Slack tells an app of each click, and warns the reader where none listens.
        blocks.push(section(&anchor(link, OPEN)));
    }
    blocks.push(context(&digest.source.escaped(PART, MRKDWN)));
    blocks
}

/// An alert in two lines: how bad and what, then where, who and when.
fn paragraph(alert: &Alert) -> String {
    let entry = Entry::of(alert);
    let title = entry.title.escaped(TITLE, MRKDWN);
    let title = entry.link.map_or_else(|| title.clone(), |link| anchor(link, &title));
    let (severity, status) = (entry.severity.escaped(PART, MRKDWN), entry.status.escaped(PART, MRKDWN));
    let parts: Vec<_> = entry.circumstances().map(|part| part.escaped(PART, MRKDWN)).collect();
    format!("*{severity}*, {status}: {title}\n{}", parts.join(" · ")).trim_end().to_owned()
}

fn fields(facts: &[Fact]) -> Value {
    let field = |Fact { label, value }: &Fact| text(&format!("*{label}*\n{}", value.escaped(FIELD, MRKDWN)));
    json!({"type": "section", "fields": facts.iter().map(field).collect::<Vec<_>>()})
}

fn section(mrkdwn: &str) -> Value {
    json!({"type": "section", "text": text(mrkdwn)})
}

fn context(mrkdwn: &str) -> Value {
    json!({"type": "context", "elements": [text(mrkdwn)]})
}

/// Verbatim: Slack makes no links of bare addresses and names of channels.
fn text(mrkdwn: &str) -> Value {
    json!({"type": "mrkdwn", "text": mrkdwn, "verbatim": true})
}

fn anchor(link: &str, label: &str) -> String {
    format!("<{link}|{label}>")
}

/// The colour of what has to be looked at.
fn sign(urgency: Option<Severity>) -> char {
    match urgency {
        Some(Severity::Critical | Severity::High) => '🔴',
        Some(Severity::Medium) => '🟠',
        Some(Severity::Low) => '🟡',
        Some(Severity::Informational) => '🔵',
        Some(Severity::Unknown | Severity::Other) | None => '⚪',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    fn message(answer: &crate::domain::enrichment::Answer) -> Value {
        serde_json::from_slice(&super::message(&answer.enrichment(&sample::render_options()))).expect("JSON")
    }

    #[test]
    fn a_message_says_what_matters_and_where_to_click() {
        let message = message(&sample::machine());
        let blocks = message["blocks"].as_array().expect("blocks");
        let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().expect("type")).collect();
        assert_eq!(kinds, ["header", "section", "divider", "section", "section", "section", "context"]);
        let header = "🔴 Machine desk-042.contoso.com: 2 alerts, 1 open, highest high: <b>Credentials</b> read";
        assert_eq!(blocks[0]["text"]["text"], header.replace('<', "‹").replace('>', "›"));
        assert_eq!(blocks[1]["fields"][0]["text"], "*Severity*\nHigh, still open");
        let alert = "*High*, new: <https://security.microsoft.com/alerts/da1_1|&lt;b&gt;Credentials&lt;/b&gt; read>\n\
                     `desk-042.contoso.com` · CONTOSO\\dana · 2026-11-03 08:14 UTC";
        assert_eq!(blocks[3]["text"]["text"], alert);
        assert_eq!(blocks[5]["text"]["text"], format!("<{}|Open in Microsoft Defender>", sample::PAGE));
        let text = message["text"].as_str().expect("text");
        assert!(text.contains("2 alerts, 1 open") && text.contains(sample::PAGE), "{text}");
    }

    #[test]
    fn without_a_page_there_is_no_link() {
        let mut answer = sample::machine();
        answer.url = Some("https://evil.example/machines/1".to_owned());
        let text = message(&answer).to_string();
        assert!(!text.contains("Open in") && !text.contains("/machines/"), "{text}");
    }

    #[test]
    fn what_is_stale_or_partial_is_noted_before_the_facts() {
        let message = message(&sample::stale_and_partial());
        assert_eq!(
            message["blocks"][1]["text"]["text"],
            "*Note:* This is 14 min old: Microsoft throttles or is down, and could not be asked again."
        );
        assert_eq!(message["blocks"][2]["text"]["text"], "*Note:* Only the first page could be read.");
    }
}
