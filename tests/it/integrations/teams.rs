//! An outgoing webhook of Teams.

use std::time::Duration;

use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use super::{TEAMS, post, stamp, teams, teams_headers, with_all};
use crate::harness::{ALERT, MACHINE, World, hasten};

#[track_caller]
fn assert_card(message: &Value) {
    assert_eq!(message["type"], "message", "{message}");
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive", "{message}");
    assert_eq!(attachment["content"]["type"], "AdaptiveCard", "{message}");
}

#[track_caller]
fn sentence(message: &Value) -> &str {
    assert_eq!(message["type"], "message", "{message}");
    message["text"].as_str().expect("a sentence")
}

#[tokio::test]
async fn a_mention_is_answered_with_a_card() {
    let world = World::start().await;
    for text in [format!("machine {MACHINE}"), format!("alert {ALERT} share"), "machine nobody.contoso.com".to_owned()]
    {
        assert_card(&world.send(teams(&text)).await.answer());
    }
}

#[tokio::test]
async fn a_message_of_another_time_is_refused_however_well_it_is_signed() {
    let world = World::start().await;
    for (timestamp, status) in [
        (json!(stamp(-240)), 200),
        (json!(stamp(240)), 200),
        (json!(stamp(-360)), 401),
        (json!(stamp(360)), 401),
        (json!("2020-01-01T00:00:00Z"), 401),
        (json!(null), 401),
    ] {
        let text = format!("<at>Defender</at> alert {ALERT}");
        let body = json!({"type": "message", "timestamp": timestamp, "text": text}).to_string();
        let heard = world.send(with_all(post(TEAMS, &body), teams_headers(&body))).await;
        assert_eq!(heard.status, status, "{body}");
    }
    assert_eq!(world.calls(Route::Alert), 1, "the second is answered from memory");
}

#[tokio::test]
async fn who_makes_no_sense_and_whom_defender_fails_hears_a_sentence() {
    let world = World::start().await;
    for (text, hint) in [("", "@Defender machine"), ("help", "@Defender alert"), ("user", "Say which user")] {
        let answer = world.send(teams(text)).await.answer();
        assert!(sentence(&answer).contains(hint), "{text}: {answer}");
    }
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(403));
    let answer = world.send(teams(&format!("alert {ALERT}"))).await.answer();
    assert!(sentence(&answer).contains("Alert.Read.All"), "{answer}");
}

#[tokio::test]
async fn a_slow_answer_is_a_link_and_ready_for_the_next_ask() {
    let world = World::start().await;
    world.service.warm_up().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(5)));
    let (heard, waited) = hasten(world.send(teams(&format!("alert {ALERT}")))).await;
    let first = heard.answer();
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let page = format!("https://security.microsoft.com/alerts/{ALERT}");
    assert!(sentence(&first).ends_with(&page), "{first}");
    hasten(world.service.background_tasks().idle()).await;
    assert_card(&world.send(teams(&format!("alert {ALERT}"))).await.answer());
    assert_eq!(world.calls(Route::Alert), 1);
}
