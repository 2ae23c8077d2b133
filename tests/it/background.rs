//! Work that outlives its answer, in an environment that freezes as Lambda's do.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use defender_enrich::background::BackgroundTasks;
use defender_enrich::config::Settings;
use defender_enrich::lambda::{self, Extension};
use defender_enrich::lookup::Deadline;
use defender_enrich::telemetry::{self, LogSettings};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use crate::client::Request;
use crate::freezing::{Environment, Extensions, Step, request};
use crate::harness::{ALERT, CALLER_SECRET, DEMO_KEY, environment, new_sandbox};
use crate::receiver::{Receiver, Reply};

/// A receiver that work calls twice, and that holds each call until it is released.
async fn held() -> Receiver {
    Receiver::start(&[Reply::Held]).await
}

fn was_called(receiver: &Receiver, target: &str) -> bool {
    receiver.posts().iter().any(|post| post.target == target)
}

/// The program of these tests: [`the_function`], in a process of its own.
fn function() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "background::the_function", "--ignored", "--nocapture"]);
    command.env("DEFENDER_SECRET_ID", "unused");
    command
}

/// Answers at once, and works tasks, by a plain task or as it should be.
#[tokio::test]
#[ignore = "the other tests start it as a process of its own"]
async fn the_function() {
    // Whoever runs the ignored tests by hand has set nothing for it.
    let Ok(settings) = Settings::read() else { return };
    telemetry::start(LogSettings { json: false, level: LevelFilter::INFO, color: false });
    let tasks = BackgroundTasks::new(settings.extensions_api.clone());
    let extension = Extension::arrange(&tasks, true).await;
    let (here, there) = (tasks.clone(), tasks.clone());
    let router = Router::new()
        .route(
            "/plain/{address}",
            get(async |Path(address)| {
                tokio::spawn(work(address));
            }),
        )
        .route(
            "/background/{address}/{milliseconds}",
            get(async move |Path((address, milliseconds)): Path<(SocketAddr, u64)>| {
                let deadline = Deadline::after(Duration::from_millis(milliseconds));
                here.spawn("test", deadline, work(address)).is_ok().to_string()
            }),
        )
        .route(
            "/panic",
            get(async move || {
                let deadline = Deadline::after(Duration::from_secs(5));
                there.spawn("test", deadline, async { panic!("canary") }).is_ok().to_string()
            }),
        )
        .route("/bug", get(async || -> () { panic!("canary") }))
        .route("/long", get(async || "x".repeat(7 << 20)))
        .route("/outlives", get(async move || tasks.can_outlive_an_answer().to_string()));
    lambda::run(router, Arc::new(settings), extension).await.expect("an environment that goes on");
}

async fn work(outside: SocketAddr) {
    for name in ["/first", "/second"] {
        Request::get(name).send_to(outside).await;
    }
}

fn ask(path: &str) -> Value {
    request("GET", path, None)
}

fn background(outside: &Receiver, milliseconds: u64) -> Value {
    ask(&format!("/background/{}/{milliseconds}", outside.address))
}

#[track_caller]
fn body(answer: Result<Value, Value>) -> String {
    answer.expect("a response")["body"].as_str().expect("a body").to_owned()
}

#[tokio::test]
async fn a_plain_task_is_frozen_with_the_environment() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let (outside, other) = (held().await, held().await);
    environment.invoke(&ask(&format!("/plain/{}", outside.address))).await.expect("an answer");
    environment.frozen().await;
    outside.release();
    assert!(!was_called(&outside, "/second"));
    // Another invocation thaws it, and keeps it going until the task has found its end.
    environment.invoke(&background(&other, 60_000)).await.expect("an answer");
    assert!(outside.arrival("/second").await > environment.last(Step::Thawed));
    other.release();
    environment.frozen().await;
}

#[tokio::test]
async fn work_goes_on_after_its_answer_and_is_done_before_the_freeze() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    environment.frozen().await;
    assert_eq!(environment.steps()[0], Step::Registration, "{:?}", environment.steps());
    let outside = held().await;
    assert_eq!(body(environment.invoke(&background(&outside, 60_000)).await), "true");
    outside.arrival("/first").await;
    environment.reached(Step::RuntimeAsked, 2).await;
    assert!(!environment.is_frozen(), "the answer is out, and work is left");
    assert!(!was_called(&outside, "/second"));
    outside.release();
    environment.frozen().await;
    let (answered, frozen) = (environment.last(Step::Answered), environment.last(Step::Frozen));
    let finished = outside.arrival("/second").await;
    assert!(answered < finished && finished < frozen);
}

#[tokio::test]
async fn work_that_hangs_is_cut_off_and_the_environment_freezes() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let outside = held().await;
    let begin = Instant::now();
    assert_eq!(body(environment.invoke(&background(&outside, 2_000)).await), "true");
    environment.reached(Step::Invoked, 1).await;
    environment.frozen().await;
    assert!(environment.last(Step::Frozen) - begin >= Duration::from_secs(2));
    assert!(!was_called(&outside, "/second"));
    assert!(environment.log().contains("cut off at its deadline"), "{}", environment.log());
}

#[tokio::test]
async fn work_beyond_its_invocation_does_not_hold_the_environment() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let outside = held().await;
    let event = background(&outside, 60_000);
    assert_eq!(body(environment.invoke_for(&event, Duration::from_secs(3)).await), "true");
    environment.frozen().await;
    assert!(environment.log().contains("outlives its invocation"), "{}", environment.log());
}

#[tokio::test]
async fn where_lambda_accepts_no_extension_the_function_knows() {
    for extensions in [Extensions::Refused(403), Extensions::Refused(404), Extensions::Silent] {
        let environment = Environment::start(function(), extensions).await;
        let outside = held().await;
        assert_eq!(body(environment.invoke(&ask("/outlives")).await), "false", "{extensions:?}");
        assert_eq!(body(environment.invoke(&background(&outside, 60_000)).await), "false", "{extensions:?}");
        environment.frozen().await;
        assert_eq!(environment.log().matches("background tasks are disabled").count(), 1, "{}", environment.log());
        assert!(!environment.steps().contains(&Step::ExtensionAsked));
    }
}

#[tokio::test]
async fn one_invocation_after_the_other_is_frozen_when_its_own_work_is_done() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    for number in 1..=4 {
        let outside = held().await;
        assert_eq!(body(environment.invoke(&background(&outside, 60_000)).await), "true");
        outside.arrival("/first").await;
        assert!(!environment.is_frozen(), "{number}");
        outside.release();
        environment.frozen().await;
        assert!(outside.arrival("/second").await < environment.last(Step::Frozen), "{number}");
        assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
        environment.frozen().await;
    }
    let steps = environment.steps();
    let count = |step| steps.iter().filter(|known| **known == step).count();
    assert_eq!((count(Step::Invoked), count(Step::Answered)), (8, 8));
    assert_eq!(count(Step::Registration), 1);
    assert_eq!(count(Step::ExtensionAsked), 9, "once for each, and once before the first: {steps:?}");
}

#[tokio::test]
async fn an_unknown_event_does_not_hold_the_environment() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let event = json!({"source": "aws.events"});
    let error = environment.invoke_for(&event, Duration::from_secs(600)).await.expect_err("no request");
    assert_eq!(error["errorType"], "UnknownEvent", "{error}");
    assert!(error["errorMessage"].as_str().is_some_and(|text| text.contains("no event of a Function URL")), "{error}");
    environment.frozen().await;
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
}

#[tokio::test]
async fn an_event_with_any_number_of_headers_does_not_end_the_environment() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let mut event = ask("/outlives");
    let headers = event["headers"].as_object_mut().expect("headers");
    headers.extend((0..30_000).map(|number| (format!("x-{number}"), json!("1"))));
    assert_eq!(body(environment.invoke(&event).await), "true");
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
}

#[tokio::test]
async fn a_panic_in_the_work_costs_nothing_but_the_work() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    assert_eq!(body(environment.invoke(&ask("/panic")).await), "true");
    environment.frozen().await;
    assert!(environment.log().contains("work after an answer has panicked"), "{}", environment.log());
    assert!(!environment.log().contains("canary"), "{}", environment.log());
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
}

#[tokio::test]
async fn a_bug_is_reported_to_lambda_and_costs_one_answer() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let error = environment.invoke(&ask("/bug")).await.expect_err("no answer").to_string();
    assert!(
        error.contains("a bug of this service") && error.contains("InternalError") && !error.contains("canary"),
        "{error}"
    );
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
    assert!(!environment.log().contains("canary"), "{}", environment.log());
}

#[tokio::test]
async fn an_answer_that_lambda_rejects_is_logged_and_costs_nothing_else() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    let error = environment.invoke(&ask("/long")).await.expect_err("no answer");
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
    assert!(environment.log().contains("Lambda Runtime API returned non-200 response"), "{}", environment.log());
}

#[tokio::test]
async fn a_reply_whose_connection_breaks_ends_the_process_and_says_so() {
    let environment = Environment::start(function(), Extensions::Taken).await;
    environment.hang_up(1);
    let reply = ask("/outlives");
    tokio::select! {
        _ = environment.invoke(&reply) => panic!("nobody has received a reply"),
        status = environment.ended() => assert!(!status.success()),
    }
    assert!(environment.log().contains("failed to send request to Lambda Runtime API"), "{}", environment.log());
}

#[tokio::test]
async fn the_slower_of_two_concurrent_invocations_holds_the_environment() {
    let environment = Environment::of_several(function(), Extensions::Taken, 2).await;
    environment.frozen().await;
    let (quick, slow) = (held().await, held().await);
    quick.release();
    let (slow_event, quick_event) = (background(&slow, 60_000), background(&quick, 60_000));
    let (first, second) = tokio::join!(environment.invoke(&slow_event), environment.invoke(&quick_event));
    assert_eq!((body(first), body(second)), ("true".to_owned(), "true".to_owned()));
    quick.arrival("/second").await;
    slow.arrival("/first").await;
    environment.reached(Step::RuntimeAsked, 4).await;
    assert!(!environment.is_frozen(), "{:?}", environment.steps());
    slow.release();
    environment.frozen().await;
    assert!(slow.arrival("/second").await < environment.last(Step::Frozen));
}

#[tokio::test]
async fn on_managed_instances_nothing_is_registered_and_work_outlives_its_answer() {
    let mut managed = function();
    managed.env("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances");
    let environment = Environment::start(managed, Extensions::Refused(403)).await;
    assert_eq!(body(environment.invoke(&ask("/outlives")).await), "true");
    assert!(!environment.steps().contains(&Step::Registration));
}

#[tokio::test]
async fn an_extension_that_gets_no_events_ends_the_process() {
    let environment = Environment::start(function(), Extensions::Broken).await;
    assert!(!environment.ended().await.success());
}

#[tokio::test]
async fn the_shipped_program_registers_no_extension_without_need() {
    let sandbox = new_sandbox().await;
    let callers = json!({"api_keys": {"demo": [DEMO_KEY]}, "splunk_tokens": ["demo"], "pagerduty_secrets": ["demo"]});
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    let mut program = Command::new(env!("CARGO_BIN_EXE_lambda"));
    program.env_clear().envs(environment(&sandbox, &[]));
    let environment = Environment::start(program, Extensions::Taken).await;
    for _ in 0..3 {
        environment.frozen().await;
        let event = request("POST", "/v1/enrich", Some(&json!({"alert_id": ALERT})));
        let answer: Value = serde_json::from_str(&body(environment.invoke(&event).await)).expect("JSON");
        assert_eq!(answer["found"], true, "{answer}");
    }
    assert!(!environment.steps().contains(&Step::Registration));
}
