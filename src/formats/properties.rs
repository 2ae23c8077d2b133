//! Property tests of the human formats: no markup from an attacker takes effect, and every limit is kept.

use fastrand::Rng;
use proptest::prelude::*;
use serde_json::Value;

use super::escape::{CARD, Escape, MARKDOWN, MRKDWN, PLAIN};
use super::names::Names;
use super::safe_text::{SafeText, length};
use super::{Format, OutputOptions, hostile, live_markup, render};

const ANSWERS: u64 = 10_000;

/// Checks a body. The arguments are the seed of its answer, the body, and the length limit of a comment.
type Check = fn(u64, &str, usize);

/// Renders generated answers in each of these formats, and checks the bodies.
fn rendered(checks: [(Format, Check); 2]) {
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

/// The name under which `texts` reports text in code style.
const CODE: &str = "code";

fn texts<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Object(members) => {
            let is_code = value["fontType"] == "Monospace" && value["type"] == "TextRun";
            for (name, member) in members {
                let name = if is_code && name == "text" { CODE } else { name };
                match member.as_str() {
                    Some(text) => found.push((name, text)),
                    None => texts(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

fn is_portal(address: &str) -> bool {
    address.starts_with("https://security.microsoft.com/")
        && address.len() <= 3000
        && address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>|()[]\"\\`".contains(&byte))
}

#[test]
fn chat_messages_keep_their_limits_and_have_no_foreign_markup() {
    rendered([(Format::Slack, slack), (Format::Teams, teams)]);
}

#[test]
fn comments_and_texts_keep_their_limits_and_have_no_foreign_markup() {
    rendered([(Format::Markdown, comment), (Format::Text, text)]);
}

pub(super) fn slack(seed: u64, body: &str, _: usize) {
    let message: Value = serde_json::from_str(body).expect("JSON");
    let fallback = message["text"].as_str().expect("text");
    assert!((1..4000).contains(&length(fallback)), "{seed}");
    assert_eq!(live_markup::in_mrkdwn(fallback), None, "{seed}");
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!((2..=50).contains(&blocks.len()), "{seed}");
    for block in blocks {
        slack_block(seed, block);
    }
}

fn slack_block(seed: u64, block: &Value) {
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

pub(super) fn teams(seed: u64, body: &str, _: usize) {
    assert!(body.len() <= 28_000, "{seed}: {} bytes", body.len());
    let message: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(message["type"], "message");
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let content = &attachment["content"];
    assert_eq!((&content["type"], &content["version"]), (&"AdaptiveCard".into(), &"1.4".into()));
    let mut found = Vec::new();
    texts(&content["body"], &mut found);
    for (name, text) in found {
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

fn comment(seed: u64, body: &str, max_chars: usize) {
    assert!(length(body) <= max_chars, "{seed}: {} of {max_chars}", length(body));
    assert_eq!(live_markup::in_markdown(body), None, "{seed}: {body}");
    assert!(body.starts_with("**") && body.contains("Microsoft Defender for Endpoint"), "{seed}: {body}");
}

fn text(seed: u64, body: &str, _: usize) {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn escaped_text_has_no_active_markup(
        text in prop_oneof![
            "\\PC{0,60}",
            "[ -~\\x00-\\x1f\u{85}\u{202e}\u{200b}\u{301}]{0,60}",
            proptest::collection::vec(prop::sample::select(hostile::TRICKS), 0..8).prop_map(|tricks| tricks.concat()),
        ],
        max in 1_usize..120,
        max_chars in 1_usize..200,
    ) {
        let safe_text = SafeText::new(&text, max);
        let escaped = |escape: Escape| safe_text.escaped(max_chars, escape);
        prop_assert_eq!(live_markup::in_plain(&escaped(PLAIN)), None);
        prop_assert_eq!(live_markup::in_mrkdwn(&escaped(MRKDWN)), None);
        prop_assert_eq!(live_markup::in_card(&escaped(CARD)), None);
        prop_assert_eq!(live_markup::in_markdown(&format!("> {}", escaped(MARKDOWN))), None);
    }

    #[test]
    fn names_never_leave_their_code_style(
        name in prop_oneof!["[a-zA-Z0-9 ._'’#$+&()~^@\\\\-]{1,60}", "[a-c]{1,3}[.@#_ -][a-zA-Z0-9]{1,4}", "\\PC{1,20}"],
        text in prop::sample::select(hostile::TRICKS),
        max_chars in 1_usize..200,
    ) {
        let line = format!("on {name}: {text}");
        let safe_text = SafeText::naming(&line, 200, &Names::new([name.as_str()]));
        prop_assert_eq!(live_markup::in_mrkdwn(&safe_text.escaped(max_chars, MRKDWN)), None);
        prop_assert_eq!(live_markup::in_card(&safe_text.escaped(max_chars, CARD)), None);
        prop_assert_eq!(live_markup::in_markdown(&format!("> {}", safe_text.escaped(max_chars, MARKDOWN))), None);
        for run in safe_text.runs(max_chars).into_iter().flatten() {
            prop_assert_eq!(if run.is_code { live_markup::in_code(&run.text) } else { live_markup::in_card(&run.text) }, None);
        }
    }
}
