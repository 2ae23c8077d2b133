//! Whatever an attacker writes, every format keeps its limits and its schema, and no foreign markup takes effect.

use defender_enrich::domain::subject::Kind;
use defender_enrich::formats::{BatchLine, Format, OutputOptions, batch_message, render};
use fastrand::Rng;
use serde_json::Value;

use super::schemas::{assert_is_ecs, assert_is_ocsf};
use super::{hostile, live_markup};

const ANSWERS: u64 = 10_000;
/// Validation against a schema takes longer.
const VALIDATED_ANSWERS: u64 = 500;

/// Checks a body. The arguments are the seed of its answer, the body, and the length limit of a comment.
type Check = fn(u64, &str, usize);

/// Renders generated answers in each of these formats, and checks the bodies.
fn check_all(checks: [(Format, Check); 2]) {
    for seed in 0..ANSWERS {
        let mut rng = Rng::with_seed(seed);
        let (answer, render_options) = (hostile::answer(&mut rng), hostile::render_options(&mut rng));
        let max_chars = rng.usize(OutputOptions::MIN_CHARS..=OutputOptions::DEFAULT_MAX_CHARS);
        for (format, check) in checks {
            let output = OutputOptions { max_chars, ..OutputOptions::of(format) };
            let body = render(&answer, &render_options, output, usize::MAX);
            check(seed, std::str::from_utf8(&body).expect("UTF-8"), max_chars);
        }
    }
}

#[test]
fn chat_messages_keep_their_limits_and_have_no_foreign_markup() {
    check_all([(Format::Slack, check_slack), (Format::Teams, check_teams)]);
}

#[test]
fn comments_and_texts_keep_their_limits_and_have_no_foreign_markup() {
    check_all([(Format::Markdown, check_comment), (Format::Text, check_text)]);
}

#[test]
fn batch_messages_keep_their_limits_and_have_no_foreign_markup() {
    let mut rng = Rng::with_seed(18);
    for seed in 0..300 {
        let line = |at: usize| {
            if at % 5 == 4 {
                return BatchLine::failed(&hostile::text(&mut rng), &hostile::text(&mut rng));
            }
            let (answer, render_options) = (hostile::answer(&mut rng), hostile::render_options(&mut rng));
            BatchLine::answered(&answer.enrichment(&render_options))
        };
        let lines: Vec<_> = (0..6).map(line).collect();
        let body = |format| String::from_utf8(batch_message(&lines, format)).expect("UTF-8");
        check_slack(seed, &body(Format::Slack), 0);
        check_teams(seed, &body(Format::Teams), 0);
    }
}

#[test]
fn events_and_documents_are_valid() {
    for seed in 0..VALIDATED_ANSWERS {
        let mut rng = Rng::with_seed(seed);
        let (answer, render_options) = (hostile::answer(&mut rng), hostile::render_options(&mut rng));
        let body = |format| render(&answer, &render_options, OutputOptions::of(format), usize::MAX);
        let alert_count = answer.findings.alerts.len();
        let listed_count = alert_count.min(render_options.limit);

        let events = String::from_utf8(body(Format::OcsfNdjson)).expect("UTF-8");
        let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        events.iter().for_each(assert_is_ocsf);
        let event_count = match answer.kind {
            Kind::Alert => alert_count.min(1),
            Kind::Incident => usize::from(answer.findings.incident.is_some()),
            Kind::Machine | Kind::User | Kind::File | Kind::Ip | Kind::Domain => listed_count,
        };
        assert_eq!(events.len(), event_count, "{seed}");
        if answer.kind == Kind::Alert && listed_count < alert_count {
            assert_eq!(events[0]["metadata"]["is_truncated"], true, "{seed}");
        }

        let documents: Vec<Value> = serde_json::from_slice(&body(Format::Ecs)).expect("JSON");
        documents.iter().for_each(assert_is_ecs);
        assert_eq!(documents.len(), listed_count, "{seed}");
    }
}

fn check_slack(seed: u64, body: &str, _: usize) {
    let message: Value = serde_json::from_str(body).expect("JSON");
    let fallback = message["text"].as_str().expect("text");
    assert!((1..4000).contains(&length(fallback)), "{seed}");
    assert_eq!(live_markup::in_mrkdwn(fallback), None, "{seed}");
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!((2..=50).contains(&blocks.len()), "{seed}");
    for block in blocks {
        check_slack_block(seed, block);
    }
}

fn check_slack_block(seed: u64, block: &Value) {
    let mrkdwn = |text: &Value, max: usize| {
        assert_eq!(text["type"], "mrkdwn");
        let text = text["text"].as_str().expect("text");
        assert!((1..=max).contains(&length(text)), "{seed}: {} characters", length(text));
        // The labels in bold are ours.
        let foreign = text.strip_prefix('*').and_then(|text| text.split_once('*')).map_or(text, |(_, text)| text);
        assert_eq!(live_markup::in_mrkdwn(foreign), None, "{seed}: {text:?}");
    };
    match block["type"].as_str().expect("type") {
        "header" => {
            assert_eq!(block["text"]["type"], "plain_text");
            let text = block["text"]["text"].as_str().expect("text");
            assert!((1..=150).contains(&length(text)) && !text.contains(['<', '>']), "{seed}: {text:?}");
            assert_eq!(live_markup::in_plain_beside_names(text), None, "{seed}");
        }
        "section" if block.get("fields").is_some() => {
            let fields = block["fields"].as_array().expect("fields");
            assert!((1..=10).contains(&fields.len()), "{seed}");
            for field in fields {
                mrkdwn(field, 2000);
            }
        }
        "section" => mrkdwn(&block["text"], 3000),
        "context" => {
            let elements = block["elements"].as_array().expect("elements");
            assert!((1..=10).contains(&elements.len()), "{seed}");
            for element in elements {
                mrkdwn(element, 2000);
            }
        }
        other => assert_eq!(other, "divider"),
    }
}

fn check_teams(seed: u64, body: &str, _: usize) {
    assert!(body.len() <= 28_000, "{seed}: {} bytes", body.len());
    let message: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(message["type"], "message");
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let content = &attachment["content"];
    assert_eq!((&content["type"], &content["version"]), (&"AdaptiveCard".into(), &"1.4".into()));
    let mut all = Vec::new();
    texts(&content["body"], &mut all);
    for (name, text) in all {
        if name == CODE {
            assert_eq!(live_markup::in_code(text), None, "{seed}: {text:?}");
        } else if ["text", "title", "value"].contains(&name) {
            assert!(!text.is_empty(), "{seed}");
            assert_eq!(live_markup::in_card(text), None, "{seed}: {text:?}");
        }
    }
    for action in content["actions"].as_array().into_iter().flatten() {
        assert_eq!(action["type"], "Action.OpenUrl");
        assert!(action["url"].as_str().is_some_and(is_portal), "{seed}: {action}");
    }
}

fn check_comment(seed: u64, body: &str, max_chars: usize) {
    assert!(length(body) <= max_chars, "{seed}: {} of {max_chars}", length(body));
    assert_eq!(live_markup::in_markdown(body), None, "{seed}: {body}");
    assert!(body.starts_with("**") && body.contains("Microsoft Defender for Endpoint"), "{seed}: {body}");
}

fn check_text(seed: u64, body: &str, _: usize) {
    let lines: Vec<_> = body.strip_suffix('\n').expect("a line break").split('\n').collect();
    assert!((2..=12).contains(&lines.len()), "{seed}: {body}");
    for line in lines {
        assert!(!line.is_empty(), "{seed}: {body}");
        if is_portal(line) {
            continue;
        }
        assert!(line.chars().count() <= 160, "{seed}: {line}");
        assert_eq!(live_markup::in_plain_beside_names(line), None, "{seed}: {line:?}");
    }
}

/// The name under which `texts` reports text in code style.
const CODE: &str = "code";

/// Collects the texts of a card with the names of their members.
fn texts<'a>(value: &'a Value, all: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Object(members) => {
            let is_code = value["fontType"] == "Monospace" && value["type"] == "TextRun";
            for (name, member) in members {
                let name = if is_code && name == "text" { CODE } else { name };
                match member.as_str() {
                    Some(text) => all.push((name, text)),
                    None => texts(member, all),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        _ => {}
    }
}

fn is_portal(address: &str) -> bool {
    address.starts_with("https://security.microsoft.com/")
        && address.len() <= 3000
        && address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>|()[]\"\\`".contains(&byte))
}

/// Counts characters as Slack, Teams and ticket systems do: in UTF-16 units.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}
