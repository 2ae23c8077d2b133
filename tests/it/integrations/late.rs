//! Answers that follow, from the program that ships, in an environment that freezes as Lambda's do.

use std::process::Command;
use std::time::Duration;

use defender_sandbox::{CALLER_SECRET, Fault, Route, Sandbox, Times, demo_callers};
use serde_json::{Value, json};

use super::slack::{RESPONSE_URL, Slack};
use super::{PAGERDUTY, SLACK, TEAMS, activity, form, incident, now, pagerduty_headers, slack_headers, teams_headers};
use crate::freezing::{Environment, Extensions, Step, request};
use crate::harness::{ALERT, new_sandbox, pass};
use crate::receiver::Receiver;

/// Defender is silent for so long, which is until the test lets it pass.
const HELD: Duration = Duration::from_secs(600);

/// More than a busy machine needs.
const MINUTE: Duration = Duration::from_secs(60);

fn program(sandbox: &Sandbox, slack: &Slack) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lambda"));
    program
        .env_clear()
        .envs(sandbox.settings())
        .env("DEFENDER_BACKEND", "defender")
        .env("SLACK_RESPONSE_URL", &slack.origin)
        .env("ENRICH_TIMEOUT_MS", "60000");
    program
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
    let (sandbox, slack) = (new_sandbox().await, Slack::start().await);
    sandbox.fail(Route::Alert, Times::Once, Fault::delay(HELD));
    let environment = Environment::start(program(&sandbox, &slack), Extensions::Taken).await;
    environment.frozen().await;
    let first = message(environment.invoke_for(&slash_command(), MINUTE).await);
    assert!(first["text"].as_str().is_some_and(|text| text.starts_with("Looking it up")), "{first}");
    pass(HELD).await;
    let posted = slack.posted(1).await;
    environment.frozen().await;
    assert!(posted[0].1["blocks"].is_array(), "{posted:?}");
    assert!(environment.last(Step::Answered) < posted[0].2 && posted[0].2 < environment.last(Step::Frozen));
    assert!(!environment.log().contains("CANARY"), "{}", environment.log());
}

#[tokio::test]
async fn where_nothing_outlives_an_answer_slack_is_told_in_time_and_honestly() {
    let (sandbox, slack) = (new_sandbox().await, Slack::start().await);
    sandbox.fail(Route::Alert, Times::Always, Fault::delay(HELD));
    let environment = Environment::start(program(&sandbox, &slack), Extensions::Refused(403)).await;
    environment.frozen().await;
    let told = message(environment.invoke_for(&slash_command(), MINUTE).await);
    assert!(told["text"].as_str().is_some_and(|text| text.contains("Ask again in a moment")), "{told}");
    environment.frozen().await;
}

#[tokio::test]
async fn a_lookup_that_is_late_for_teams_is_there_for_the_next_ask() {
    let (sandbox, slack) = (new_sandbox().await, Slack::start().await);
    sandbox.fail(Route::Alert, Times::Once, Fault::delay(HELD));
    let environment = Environment::start(program(&sandbox, &slack), Extensions::Taken).await;
    let body = activity(&format!("alert {ALERT}"));
    let ask = event(TEAMS, &body, &teams_headers(&body));
    let first = message(environment.invoke_for(&ask, MINUTE).await);
    assert!(
        first["text"].as_str().is_some_and(|text| text.contains("https://security.microsoft.com/alerts/")),
        "{first}"
    );
    pass(HELD).await;
    environment.frozen().await;
    assert!(message(environment.invoke_for(&ask, MINUTE).await)["attachments"].is_array());
    assert_eq!(sandbox.seen().iter().filter(|seen| seen.route == Some(Route::Alert)).count(), 1);
}

#[tokio::test]
async fn what_a_hook_is_to_post_is_posted_before_the_environment_freezes() {
    let (sandbox, receiver) = (new_sandbox().await, Receiver::start(&[]).await);
    let mut callers = demo_callers();
    for chat in ["slack_signing_secrets", "teams_hmac_secrets"] {
        callers[chat] = json!([]);
    }
    callers["destinations"] = json!({"soc": {"kind": "slack", "url": receiver.url("/soc")}});
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    sandbox.fail(Route::Alert, Times::Once, Fault::delay(HELD));
    let mut program = Command::new(env!("CARGO_BIN_EXE_lambda"));
    program.env_clear().envs(sandbox.settings());
    program
        .env("DEFENDER_BACKEND", "defender")
        .env("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true")
        .env("ENRICH_TIMEOUT_MS", "60000");
    let environment = Environment::start(program, Extensions::Taken).await;
    environment.frozen().await;
    let body = incident("1", &format!("alert {ALERT}")).to_string();
    let mut ask = event(PAGERDUTY, &body, &pagerduty_headers(&body));
    ask["rawQueryString"] = json!("notify=soc");
    let reply = environment.invoke_for(&ask, MINUTE).await.expect("a response");
    let answer: Value = serde_json::from_str(reply["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!((&reply["statusCode"], &answer["notified"]["outcome"]), (&json!(202), &json!("pending")), "{answer}");
    pass(HELD).await;
    environment.frozen().await;
    let posted = receiver.only().at;
    assert!(environment.last(Step::Answered) < posted && posted < environment.last(Step::Frozen));
}
