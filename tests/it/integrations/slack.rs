//! Slash commands.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{SLACK, form, post, slack};
use crate::harness::{ALERT, Fault, INCIDENT, MACHINE, NO_CACHE, Route, Times, USER, World, fast_forward};
use crate::log::Log;
use crate::receiver::{Receiver, Reply};

pub(super) const RESPONSE_URL: &str = "https://hooks.slack.com/commands/T0001/397700885554/CANARYresponse";

/// A service whose `hooks.slack.com` is this receiver.
async fn world(slack_itself: &Receiver, changes: &[(&str, &str)]) -> World {
    let world = World::with(&[&[("SLACK_RESPONSE_URL", &*slack_itself.url(""))], changes].concat()).await;
    world.service.warm_up().await;
    world
}

/// The first answer to a command about an alert that Defender tells only after four seconds.
async fn ask_slowly(world: &World, text: &str, response_url: &str) -> Value {
    world.sandbox.fail(Route::Alert, Times::Once, Fault::delay(Duration::from_secs(4)));
    let body = form(text, &[("response_url", response_url), ("trigger_id", "398738663015.1")]);
    let (response, waited) = fast_forward(world.send(slack(&body))).await;
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    response.answer()
}

#[track_caller]
fn assert_card(message: &Value, response_type: &str) {
    assert_eq!(message["response_type"], response_type, "{message}");
    assert!(message["text"].as_str().is_some_and(|text| !text.is_empty()), "{message}");
    assert!(message["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()), "{message}");
}

#[track_caller]
fn sentence(message: &Value) -> &str {
    assert_eq!(message["response_type"], "ephemeral", "{message}");
    message["text"].as_str().expect("a sentence")
}

#[tokio::test]
async fn a_command_of_every_kind_is_answered_with_a_card() {
    let world = World::start().await;
    for text in [
        format!("alert {ALERT}"),
        format!("machine {MACHINE}"),
        format!("user {USER}"),
        format!("incident {INCIDENT}"),
        format!("<https://security.microsoft.com/alerts/{ALERT}>"),
        USER.to_owned(),
        "machine nobody.contoso.com".to_owned(),
    ] {
        assert_card(&world.send(slack(&form(&text, &[]))).await.answer(), "ephemeral");
    }
}

#[tokio::test]
async fn a_shared_answer_goes_to_the_channel_and_a_failure_does_not() {
    let world = World::start().await;
    let text = format!("machine {MACHINE} share");
    assert_card(&world.send(slack(&form(&text, &[]))).await.answer(), "in_channel");
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(403));
    let refused = world.send(slack(&form(&format!("alert {ALERT} share"), &[]))).await.answer();
    assert!(sentence(&refused).contains("For whoever runs this service"), "{refused}");
}

#[tokio::test]
async fn a_command_that_cannot_be_understood_gets_examples() {
    let world = World::start().await;
    for (text, hint) in [
        ("", "`/defender machine desk-042.contoso.com`"),
        ("help", "`/defender incident 924565`"),
        ("alert", "Say which alert"),
        ("machien desk-042", "did you mean `machine`? For example: `/defender machine"),
        ("user ${user}", "no value"),
        ("user <@U2147483697|dana>", "a mention of somebody"),
        ("what about <@U2147483697>", "For example"),
        ("file d41d8cd98f00b204e9800998ecf8427e", "MD5"),
    ] {
        let answer = world.send(slack(&form(text, &[]))).await.answer();
        assert!(sentence(&answer).contains(hint), "{text}: {answer}");
    }
    let other = world.send(slack("payload=%7B%7D")).await.answer();
    assert!(!sentence(&other).is_empty());
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn slacks_check_of_the_certificate_is_answered_with_200() {
    let (world, none) = (World::start().await, World::with(&[("CALLER_SECRET_ID", "")]).await);
    let body = "ssl_check=1&token=gIkuvaNzQIHg97ATvDxqgjtO";
    for response in [
        world.send(slack(body)).await,
        world.send(post(SLACK, body)).await,
        world.send(post(SLACK, body).with("x-slack-signature", "v0=0")).await,
        none.send(post(SLACK, body)).await,
    ] {
        assert_eq!((response.status, response.body.len()), (200, 0));
    }
    assert_eq!(world.sandbox.seen().len(), 0);
    let command = world.send(slack(&form("help", &[("ssl_check", "1")]))).await.answer();
    assert!(sentence(&command).contains("/defender incident"), "{command}");
}

#[tokio::test]
async fn a_slow_answer_follows_and_its_address_is_not_logged() {
    let (log, _guard) = Log::start(true);
    let slack_itself = Receiver::start(&[]).await;
    let world = world(&slack_itself, &[]).await;
    let begin = Instant::now();
    let command = format!("alert {ALERT}");
    let first = ask_slowly(&world, &command, RESPONSE_URL).await;
    assert!(sentence(&first).starts_with("Looking it up"), "{first}");
    // The same delivery again posts nothing.
    let body = form(&command, &[("response_url", RESPONSE_URL), ("trigger_id", "398738663015.1")]);
    let again = fast_forward(world.send(slack(&body))).await.0.answer();
    assert_eq!(again["response_type"], "ephemeral", "{again}");
    fast_forward(world.service.background_tasks().idle()).await;
    let post = slack_itself.only();
    assert_eq!(post.target, "/commands/T0001/397700885554/CANARYresponse");
    assert_card(&post.json(), "ephemeral");
    assert_eq!(post.json()["replace_original"], true);
    assert!(post.at - begin >= Duration::from_secs(4), "{:?}", post.at - begin);
    assert_eq!(world.calls(Route::Alert), 1);
    assert!(log.text().contains("followed to Slack") && !log.text().contains("CANARY"), "{}", log.text());
    assert_eq!((&log.requests()[0]["caller"], &log.requests()[0]["kind"]), (&json!("slack"), &json!("alert")));
}

#[tokio::test]
async fn a_message_that_slack_does_not_accept_is_repeated_as_slack_wants_it() {
    let busy = |line| Reply::Status(429, line, "rate_limited".to_owned());
    let (down, taken) = (Reply::status(503), Reply::status(200));
    for (script, posts, outcome) in [
        (vec![down.clone(), down.clone(), taken.clone()], 3, "followed to Slack"),
        (vec![down], 3, "503 Service Unavailable"),
        (vec![busy("retry-after: 2"), taken.clone()], 2, "followed to Slack"),
        (vec![busy("retry-after: 60"), taken], 1, "429 Too Many Requests"),
    ] {
        let (log, _guard) = Log::start(true);
        let slack_itself = Receiver::start(&script).await;
        let world = world(&slack_itself, &[]).await;
        ask_slowly(&world, &format!("alert {ALERT} share"), RESPONSE_URL).await;
        fast_forward(world.service.background_tasks().idle()).await;
        let posted = slack_itself.posts();
        assert_eq!(posted.len(), posts, "{script:?}");
        assert_card(&posted[0].json(), "in_channel");
        if let [first, second] = &*posted {
            assert!(second.at - first.at >= Duration::from_secs(2), "{:?}", second.at - first.at);
        }
        assert!(log.text().contains(outcome) && !log.text().contains("CANARY"), "{outcome}: {}", log.text());
    }
}

#[tokio::test]
async fn every_message_to_slack_has_a_connection_of_its_own() {
    let slack_itself = Receiver::start(&[]).await;
    slack_itself.keep_connections();
    let world = world(&slack_itself, &[NO_CACHE]).await;
    for trigger in ["alert", "Alert"] {
        ask_slowly(&world, &format!("{trigger} {ALERT}"), RESPONSE_URL).await;
        fast_forward(world.service.background_tasks().idle()).await;
    }
    assert_eq!((slack_itself.posts().len(), slack_itself.connections()), (2, 2));
}

#[tokio::test]
async fn an_address_that_is_not_slacks_gets_nothing() {
    let slack_itself = Receiver::start(&[]).await;
    let world = world(&slack_itself, &[NO_CACHE]).await;
    world.sandbox.fail(Route::Alert, Times::Always, Fault::delay(Duration::from_secs(4)));
    for url in ["https://hooks.slack.com.evil.example/commands/1", &slack_itself.url("/commands/1")] {
        let answer = ask_slowly(&world, &format!("alert {ALERT}"), url).await;
        let text = sentence(&answer);
        assert!(text.contains("Ask again in a moment") && !text.contains("Looking"), "{text}");
        fast_forward(world.service.background_tasks().idle()).await;
    }
    assert_eq!(slack_itself.connections(), 0);
}

#[tokio::test]
async fn every_failure_is_answered_with_a_sentence() {
    for (fault, hint) in [
        (Fault::status(429).with_header("retry-after", "30"), "Ask again in "),
        (Fault::status(403), "permission Alert.Read.All"),
        (Fault::status(500), "status 500"),
        (Fault::body("<html>"), "documented body"),
    ] {
        let world = World::start().await;
        world.sandbox.fail(Route::Alert, Times::Always, fault);
        let answer = world.send(slack(&form(&format!("alert {ALERT}"), &[]))).await.answer();
        assert!(sentence(&answer).contains(hint), "{answer}");
    }
    let world = World::with(&[("ENRICH_AUTH", "iam")]).await;
    assert_card(&world.send(slack(&form(&format!("alert {ALERT}"), &[]))).await.answer(), "ephemeral");
    assert_eq!(world.get(&[("alert_id", ALERT)]).await.status, 401, "a hook opens nothing else");
}
