//! Answers that follow, from the program that ships, in an environment that freezes as Lambda's do.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::slack::RESPONSE_URL;
use super::{PAGERDUTY, SLACK, TEAMS, activity, form, incident, now, pagerduty_headers, slack_headers, teams_headers};
use crate::freezing::{Environment, Extensions, Step, request};
use crate::harness::{
    ALERT, CALLER_SECRET, Fault, Route, Sandbox, Times, advance, callers_with, environment, new_sandbox, seen, until,
};
use crate::receiver::Receiver;

/// Defender is silent for so long, which is until the test lets it pass.
const SILENCE: Duration = Duration::from_secs(600);

/// More than a busy machine needs.
const MINUTE: Duration = Duration::from_secs(60);

/// An environment of the program that ships. `receiver` is Slack, and a destination.
async fn start(sandbox: &Sandbox, receiver: &Receiver, extensions: Extensions) -> Environment {
    // Without an extension the process asks again before its patience ends.
    let times = if extensions == Extensions::Taken { Times::Once } else { Times::Always };
    sandbox.fail(Route::Alert, times, Fault::delay(SILENCE));
    let mut program = Command::new(env!("CARGO_BIN_EXE_lambda"));
    let changes = [
        ("SLACK_RESPONSE_URL", &*receiver.url("")),
        ("ENRICH_TIMEOUT_MS", "60000"),
        ("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true"),
    ];
    program.env_clear().envs(environment(sandbox, &changes));
    let environment = Environment::start(program, extensions).await;
    environment.frozen().await;
    environment
}

/// Lets Defender answer, once it has been asked: the process may be slower than its own patience.
async fn end_silence(sandbox: &Sandbox) {
    until(|| !seen(sandbox, Route::Alert).is_empty()).await;
    advance(SILENCE).await;
}

fn event(path: &str, body: &str, headers: &[(&'static str, String)]) -> Value {
    let mut event = request("POST", path, None);
    event["headers"] = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    event["body"] = json!(body);
    event
}

fn slash_command() -> Value {
    let body = form(&format!("alert {ALERT}"), &[("response_url", RESPONSE_URL), ("trigger_id", "398738663015.1")]);
    event(SLACK, &body, &slack_headers(now(), &body))
}

#[track_caller]
fn message(answer: Result<Value, Value>) -> Value {
    let reply = answer.expect("a response");
    assert_eq!(reply["statusCode"], 200, "{reply}");
    serde_json::from_str(reply["body"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test]
async fn a_slow_answer_follows_to_slack_before_the_environment_freezes() {
    let (sandbox, slack) = (new_sandbox().await, Receiver::start(&[]).await);
    let environment = start(&sandbox, &slack, Extensions::Taken).await;
    let first = message(environment.invoke_for(&slash_command(), MINUTE).await);
    assert!(first["text"].as_str().is_some_and(|text| text.starts_with("Looking it up")), "{first}");
    end_silence(&sandbox).await;
    let post = slack.posted(1).await.remove(0);
    environment.frozen().await;
    assert!(post.json()["blocks"].is_array(), "{post:?}");
    assert!(environment.last(Step::Answered) < post.at && post.at < environment.last(Step::Frozen));
    assert!(!environment.log().contains("CANARY"), "{}", environment.log());
}

#[tokio::test]
async fn where_nothing_outlives_an_answer_slack_is_told_so_in_time() {
    let (sandbox, slack) = (new_sandbox().await, Receiver::start(&[]).await);
    let environment = start(&sandbox, &slack, Extensions::Refused(403)).await;
    let answer = message(environment.invoke_for(&slash_command(), MINUTE).await);
    assert!(answer["text"].as_str().is_some_and(|text| text.contains("Ask again in a moment")), "{answer}");
    environment.frozen().await;
}

#[tokio::test]
async fn a_lookup_that_is_late_for_teams_is_there_for_the_next_question() {
    let (sandbox, none) = (new_sandbox().await, Receiver::start(&[]).await);
    let environment = start(&sandbox, &none, Extensions::Taken).await;
    let body = activity(&format!("alert {ALERT}"));
    let question = event(TEAMS, &body, &teams_headers(&body));
    let first = message(environment.invoke_for(&question, MINUTE).await);
    let text = first["text"].as_str().unwrap_or_default();
    assert!(text.contains("https://security.microsoft.com/alerts/"), "{first}");
    end_silence(&sandbox).await;
    environment.frozen().await;
    assert!(message(environment.invoke_for(&question, MINUTE).await)["attachments"].is_array());
    assert_eq!(seen(&sandbox, Route::Alert).len(), 1);
}

#[tokio::test]
async fn what_a_hook_is_to_post_is_posted_before_the_environment_freezes() {
    let (sandbox, receiver) = (new_sandbox().await, Receiver::start(&[]).await);
    let soc = json!({"soc": {"kind": "slack", "url": receiver.url("/soc")}});
    let callers = json!({"slack_signing_secrets": [], "teams_hmac_secrets": [], "destinations": soc});
    sandbox.put_secret(CALLER_SECRET, &callers_with(callers));
    let environment = start(&sandbox, &receiver, Extensions::Taken).await;
    let body = incident("1", &format!("alert {ALERT}")).to_string();
    let mut question = event(PAGERDUTY, &body, &pagerduty_headers(&body));
    question["rawQueryString"] = json!("notify=soc");
    let reply = environment.invoke_for(&question, MINUTE).await.expect("a response");
    let answer: Value = serde_json::from_str(reply["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!((&reply["statusCode"], &answer["notified"]["outcome"]), (&json!(202), &json!("pending")), "{answer}");
    end_silence(&sandbox).await;
    environment.frozen().await;
    let posted = receiver.only().at;
    assert!(environment.last(Step::Answered) < posted && posted < environment.last(Step::Frozen));
}
