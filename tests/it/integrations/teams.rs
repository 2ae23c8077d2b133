//! An outgoing webhook of Teams.

use std::time::Duration;

use serde_json::Value;

use super::teams;
use crate::harness::{ALERT, Fault, MACHINE, Route, Times, World, fast_forward};

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
async fn a_failure_and_a_message_that_cannot_be_understood_get_a_sentence() {
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
async fn a_slow_answer_is_a_link_and_cached_for_the_next_question() {
    let world = World::start().await;
    world.service.warm_up().await;
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(5)));
    let (response, waited) = fast_forward(world.send(teams(&format!("alert {ALERT}")))).await;
    let first = response.answer();
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let page = format!("https://security.microsoft.com/alerts/{ALERT}");
    assert!(sentence(&first).ends_with(&page), "{first}");
    fast_forward(world.service.background_tasks().idle()).await;
    assert_card(&world.send(teams(&format!("alert {ALERT}"))).await.answer());
    assert_eq!(world.calls(Route::Alert), 1);
}
