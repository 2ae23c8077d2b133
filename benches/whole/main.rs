//! The whole `lambda` program beside a Lambda handler that answers a constant: from its start to its first answer, and
//! when it is warm.
//!
//! `cargo bench --bench whole`; `docs/performance.md` has the figures. Needs Linux: memory and processor time are read
//! from `/proc`.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and its figures are printed"
)]

mod environment;
mod figures;
mod runtime_api;

use std::convert::Infallible;
use std::process::Command;

use defender_sandbox::Sandbox;
use defender_sandbox::company::showcase;
use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::service_fn;
use serde_json::{Value, json};

use environment::Environment;
use figures::Figures;

/// The argument that makes this program the handler that answers a constant.
const FLOOR: &str = "floor";
const ROUNDS: usize = 5;
const STARTS: usize = 5;
pub(crate) const CALLS: usize = 500;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if std::env::args().any(|argument| argument == FLOOR) {
        runtime.block_on(floor());
    } else {
        runtime.block_on(compare());
    }
}

/// Answers every event with the same few bytes.
async fn floor() {
    let answer = json!({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{\"ok\":true}"});
    let handler = service_fn(move |_: LambdaEvent<Value>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    lambda_runtime::run(handler).await.expect("a Runtime API");
}

/// Measures both in turn, so that whatever else the machine does falls on both.
async fn compare() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.set_quota(u32::MAX, u32::MAX);
    let event = runtime_api::event(&json!({"alert_id": showcase::ALERT}));
    let ourselves = std::env::current_exe().expect("a path");
    let (mut floor, mut lambda) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        for _ in 0..STARTS {
            floor.add_start(Environment::start(Command::new(&ourselves).arg(FLOOR), &event).await.1);
            lambda.add_start(Environment::start(&mut service(&sandbox), &event).await.1);
        }
        floor.add_calls(&mut Environment::start(Command::new(&ourselves).arg(FLOOR), &event).await.0).await;
        lambda.add_calls(&mut Environment::start(&mut service(&sandbox), &event).await.0).await;
    }
    figures::print(&floor, &lambda);
}

/// The program that ships, between this one and the sandbox; it asks the sandbox anew for every call.
fn service(sandbox: &Sandbox) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
    command.envs(sandbox.settings()).env("DEFENDER_BACKEND", "defender");
    command.env("CACHE_TTL_S", "0").env("QUOTA_PER_MINUTE", "1000000").env("QUOTA_PER_HOUR", "1000000");
    command
}
