//! Slash commands.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{SLACK, form, slack};
use crate::harness::{ALERT, INCIDENT, MACHINE, USER, World, hasten};
use crate::log::Log;
use crate::receiver::{Receiver, Say};

pub(super) const RESPONSE_URL: &str = "https://hooks.slack.com/commands/T0001/397700885554/CANARYresponse";

/// What stands for `hooks.slack.com`: notes what is posted there.
pub(super) struct Slack {
    pub(super) origin: String,
    posted: watch::Sender<Vec<(String, Value, Instant)>>,
}

impl Slack {
    pub(super) async fn start() -> Self {
        Self::failing(0).await
    }

    /// Answers the first posts with a 503.
    async fn failing(times: usize) -> Self {
        let posted = watch::Sender::<Vec<(String, Value, Instant)>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let take = move |State(posted): State<watch::Sender<Vec<(String, Value, Instant)>>>, uri: Uri, body: Bytes| async move {
            let message = serde_json::from_slice(&body).expect("JSON");
            posted.send_modify(|posted| posted.push((uri.to_string(), message, Instant::now())));
            if posted.borrow().len() > times { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        };
        let router = Router::new().route("/{*path}", post(take)).with_state(posted.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, posted }
    }

    /// Waits for so many posts.
    pub(super) async fn posted(&self, count: usize) -> Vec<(String, Value, Instant)> {
        let mut posted = self.posted.subscribe();
        posted.wait_for(|posted| posted.len() >= count).await.expect("a board").clone()
    }

    fn count(&self) -> usize {
        self.posted.borrow().len()
    }
}

fn slow(seconds: f64) -> Fault {
    Fault::delay(Duration::from_secs_f64(seconds))
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
async fn a_command_of_every_kind_is_answered_to_who_asked() {
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
async fn a_shared_answer_is_for_the_channel_and_what_goes_wrong_is_not() {
    let world = World::start().await;
    let text = format!("machine {MACHINE} share");
    assert_card(&world.send(slack(&form(&text, &[]))).await.answer(), "in_channel");
    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(403));
    let refused = world.send(slack(&form(&format!("alert {ALERT} share"), &[]))).await.answer();
    assert!(sentence(&refused).contains("For whoever runs this service"), "{refused}");
}

#[tokio::test]
async fn who_asks_for_help_or_makes_no_sense_gets_examples() {
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
async fn a_look_at_the_certificate_is_a_200() {
    let (world, none) = (World::start().await, World::with(&[("CALLER_SECRET_ID", "")]).await);
    let body = "ssl_check=1&token=gIkuvaNzQIHg97ATvDxqgjtO";
    for heard in [
        world.send(slack(body)).await,
        world.send(super::post(SLACK, body)).await,
        world.send(super::post(SLACK, body).with("x-slack-signature", "v0=0")).await,
        none.send(super::post(SLACK, body)).await,
    ] {
        assert_eq!((heard.status, heard.body.len()), (200, 0));
    }
    assert_eq!(world.sandbox.seen().len(), 0);
    let command = world.send(slack(&form("help", &[("ssl_check", "1")]))).await.answer();
    assert!(sentence(&command).contains("/defender incident"), "{command}");
}

#[tokio::test]
async fn a_slow_answer_follows_and_only_its_place_is_logged() {
    let (log, _guard) = Log::start(true);
    let slack_itself = Slack::start().await;
    let world = World::with(&[("SLACK_RESPONSE_URL", &slack_itself.origin)]).await;
    world.service.warm_up().await;
    world.sandbox.fail(Route::Alert, Times::Once, slow(4.0));
    let body = form(&format!("alert {ALERT}"), &[("response_url", RESPONSE_URL), ("trigger_id", "398738663015.1")]);
    let begin = Instant::now();
    let (first, waited) = hasten(world.send(slack(&body))).await;
    let first = first.answer();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert!(sentence(&first).starts_with("Looking it up"), "{first}");
    // The same delivery again posts nothing.
    let again = hasten(world.send(slack(&body))).await.0.answer();
    assert_eq!(again["response_type"], "ephemeral", "{again}");
    let (posted, _) = hasten(slack_itself.posted(1)).await;
    world.service.background_tasks().idle().await;
    let (address, message, at) = &posted[0];
    assert_eq!(address, "/commands/T0001/397700885554/CANARYresponse");
    assert_card(message, "ephemeral");
    assert_eq!(message["replace_original"], true);
    assert!(at.duration_since(begin) >= Duration::from_secs(4), "{:?}", at.duration_since(begin));
    assert_eq!((slack_itself.count(), world.calls(Route::Alert)), (1, 1));
    assert!(log.text().contains("followed to Slack") && !log.text().contains("CANARY"), "{}", log.text());
    assert_eq!(log.requests()[0]["caller"], "slack");
    assert_eq!(log.requests()[0]["kind"], "alert");
}

#[tokio::test]
async fn a_message_that_slack_does_not_take_is_tried_again_and_told_in_the_log() {
    for (failures, outcome) in [(2, "followed to Slack"), (9, "503 Service Unavailable")] {
        let (log, _guard) = Log::start(true);
        let slack_itself = Slack::failing(failures).await;
        let world = World::with(&[("SLACK_RESPONSE_URL", &slack_itself.origin)]).await;
        world.service.warm_up().await;
        world.sandbox.fail(Route::Alert, Times::Once, slow(4.0));
        let body = form(&format!("alert {ALERT} share"), &[("response_url", RESPONSE_URL)]);
        hasten(world.send(slack(&body))).await.0.answer();
        let (posted, _) = hasten(slack_itself.posted(3)).await;
        world.service.background_tasks().idle().await;
        assert_card(&posted[2].1, "in_channel");
        assert_eq!(slack_itself.count(), 3);
        assert!(log.text().contains(outcome) && !log.text().contains("CANARY"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_message_that_slack_puts_off_waits_as_it_is_told() {
    for (busy, posts) in [("retry-after: 2", 2), ("retry-after: 60", 1)] {
        let (log, _guard) = Log::start(true);
        let slack_itself =
            Receiver::start(&[Say::Status(429, busy, "rate_limited".to_owned()), Say::status(200)]).await;
        let world = World::with(&[("SLACK_RESPONSE_URL", &slack_itself.url(""))]).await;
        world.service.warm_up().await;
        world.sandbox.fail(Route::Alert, Times::Once, slow(4.0));
        let body = form(&format!("alert {ALERT}"), &[("response_url", RESPONSE_URL)]);
        hasten(world.send(slack(&body))).await.0.answer();
        hasten(world.service.background_tasks().idle()).await;
        let posted = slack_itself.posts();
        assert_eq!(posted.len(), posts, "{busy}");
        if let [first, second] = &*posted {
            let waited = second.at.duration_since(first.at);
            assert!(waited >= Duration::from_secs(2), "{waited:?}");
        }
        assert_eq!(log.text().contains("followed to Slack"), posts == 2, "{}", log.text());
    }
}

#[tokio::test]
async fn every_message_to_slack_has_a_connection_of_its_own() {
    let slack_itself = Receiver::start(&[]).await;
    slack_itself.keep_connections();
    let world = World::with(&[("SLACK_RESPONSE_URL", &slack_itself.url("")), ("CACHE_TTL_S", "0")]).await;
    world.service.warm_up().await;
    for _ in 0..2 {
        world.sandbox.fail(Route::Alert, Times::Once, slow(4.0));
        let body = form(&format!("alert {ALERT}"), &[("response_url", RESPONSE_URL)]);
        hasten(world.send(slack(&body))).await.0.answer();
        hasten(world.service.background_tasks().idle()).await;
    }
    assert_eq!((slack_itself.posts().len(), slack_itself.connections()), (2, 2));
}

#[tokio::test]
async fn an_address_that_is_not_slacks_gets_nothing() {
    let slack_itself = Slack::start().await;
    let world = World::with(&[("SLACK_RESPONSE_URL", &slack_itself.origin)]).await;
    world.sandbox.fail(Route::Alert, Times::Always, slow(4.0));
    for url in ["https://hooks.slack.com.evil.example/commands/1", &format!("{}/commands/1", slack_itself.origin)] {
        let body = form(&format!("alert {ALERT}"), &[("response_url", url)]);
        let (heard, waited) = hasten(world.send(slack(&body))).await;
        let answer = heard.answer();
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        let said = sentence(&answer);
        assert!(said.contains("Ask again in a moment") && !said.contains("Looking"), "{said}");
    }
    world.service.background_tasks().idle().await;
    assert_eq!(slack_itself.count(), 0);
}

#[tokio::test]
async fn whatever_goes_wrong_a_person_hears_a_sentence() {
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
    assert_eq!(world.get(&[("alert_id", ALERT)]).await.status, 401, "{}", json!("a hook opens nothing else"));
}
