//! A storm of webhooks about alerts, and a steady stream of them, at one deployment of several environments: with the table
//! by which they share Microsoft's quota, and without.
//!
//! `cargo bench --bench storm`, or `cargo bench --bench storm -- 5 10` for these numbers of environments. A number takes five
//! minutes: a minute of the quota is a minute. `docs/performance.md` has the figures.
//!
//! The environments are processes of `lambda`. As in Lambda, each answers one request at a time, and a request that finds none
//! free is refused. The sandbox is AWS and Microsoft; it keeps the quota of 100 calls a minute.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and its figures are printed"
)]

#[path = "../whole/runtime_api.rs"]
mod runtime_api;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use defender_sandbox::{Fault, Route, STATE_TABLE, Sandbox, Times};
use fastrand::Rng;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use runtime_api::RuntimeApi;

/// The numbers of environments.
const ENVIRONMENTS: [usize; 5] = [1, 2, 5, 10, 40];
const DURATION: Duration = Duration::from_mins(5);
/// How long Microsoft takes for an alert.
const MICROSOFT_DELAY: Duration = Duration::from_millis(350);
/// How long DynamoDB takes, in the same region.
const TABLE_DELAY: Duration = Duration::from_millis(5);
/// After so many webhooks, what the sandbox has recorded is counted: it forgets what is older than 10,000 requests.
const COUNT_EVERY: usize = 500;

/// What arrives: at random times, each about one of the subjects.
#[derive(Clone, Copy)]
enum Demand {
    /// 10,000 webhooks about 1,500 alerts.
    Storm,
    /// 60 webhooks a minute, each about another alert.
    Steady,
}

/// One deployment under one demand.
#[derive(Clone, Copy)]
struct Deployment {
    environments: usize,
    with_table: bool,
    demand: Demand,
}

#[derive(Default)]
struct Figures {
    from_memory: usize,
    by_calls: usize,
    throttled: usize,
    /// Answers of another status.
    other: BTreeMap<u64, usize>,
    /// No environment was free.
    busy: usize,
    /// Of answers for which Microsoft was called.
    latencies: Vec<Duration>,
    calls: usize,
    table_requests: usize,
}

/// A process of `lambda`.
struct Environment {
    api: RuntimeApi,
    process: Child,
}

/// The environments that are free. Lambda does not document which one it takes; this takes the first.
type Free = Arc<Mutex<BTreeMap<usize, Environment>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let chosen: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    println!(
        "| environments | demand | quota | answered | from memory | throttled | all busy | other | calls | 429 of Microsoft's | \
         local share | table requests | p50 | p99 |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for environments in ENVIRONMENTS.into_iter().filter(|n| chosen.is_empty() || chosen.contains(n)) {
        // Side by side, so that whatever else the machine does falls on all.
        let run = |demand, with_table| measure(Deployment { environments, with_table, demand });
        let rows = tokio::join!(
            run(Demand::Storm, false),
            run(Demand::Storm, true),
            run(Demand::Steady, false),
            run(Demand::Steady, true)
        );
        println!("{}\n{}\n{}\n{}", rows.0, rows.1, rows.2, rows.3);
    }
}

/// A row of the table.
async fn measure(deployment: Deployment) -> String {
    let (webhooks, subjects) = deployment.demand.size();
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for subject in 0..subjects {
        sandbox.put_alert(json!({"id": alert_id(subject), "title": "Storm", "severity": "High"})).expect("an alert");
    }
    sandbox.fail(Route::Alert, Times::Always, Fault::delay(MICROSOFT_DELAY));
    sandbox.fail(Route::Table, Times::Always, Fault::delay(TABLE_DELAY));
    let log = NamedTempFile::new().expect("a file");
    let free = Free::default();
    for number in 0..deployment.environments {
        let environment = Environment::start(&sandbox, deployment, log.path()).await;
        lock(&free).insert(number, environment);
    }

    let mut random = Rng::with_seed(16);
    let mut times: Vec<Duration> = (0..webhooks).map(|_| DURATION.mul_f64(random.f64())).collect();
    times.sort_unstable();
    let figures = Arc::new(Mutex::new(Figures::default()));
    let (begin, mut requests) = (Instant::now(), JoinSet::new());
    for (n, time) in times.into_iter().enumerate() {
        sleep_until(begin + time).await;
        let subject = if webhooks == subjects { n } else { random.usize(..subjects) };
        let taken = lock(&free).pop_first();
        match taken {
            Some((number, environment)) => {
                requests.spawn(ask(number, environment, subject, free.clone(), figures.clone()));
            }
            None => lock(&figures).busy += 1,
        }
        if n % COUNT_EVERY == 0 {
            lock(&figures).count(&sandbox);
        }
    }
    while requests.join_next().await.is_some() {}
    let mut figures = lock(&figures);
    figures.count(&sandbox);
    lock(&free).clear();
    let log = fs::read_to_string(log.path()).expect("the log");
    let local = log.lines().filter(|line| line.contains("\"quota\":\"local\"")).count();
    figures.row(deployment, sandbox.refused_calls(), local)
}

/// Sends a webhook to an environment, which is free again when it has answered.
async fn ask(number: usize, mut environment: Environment, subject: usize, free: Free, figures: Arc<Mutex<Figures>>) {
    let event = runtime_api::event(&json!({"alert_id": alert_id(subject)}));
    let begin = Instant::now();
    let reply = environment.api.invoke(&event).await;
    let latency = begin.elapsed();
    lock(&free).insert(number, environment);
    let reply: Value = serde_json::from_slice(&reply).unwrap_or_default();
    let body = reply.get("body").and_then(Value::as_str).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let (status, cache) = (reply.get("statusCode"), body.pointer("/source/cache"));
    let mut figures = lock(&figures);
    match (status.and_then(Value::as_u64), cache.and_then(Value::as_str)) {
        (Some(200), Some("miss")) => {
            figures.by_calls += 1;
            figures.latencies.push(latency);
        }
        (Some(200), _) => figures.from_memory += 1,
        (Some(429), _) => figures.throttled += 1,
        (status, _) => *figures.other.entry(status.unwrap_or_default()).or_default() += 1,
    }
}

impl Environment {
    async fn start(sandbox: &Sandbox, deployment: Deployment, log: &Path) -> Self {
        // All processes append to one file.
        let log = File::options().append(true).open(log).expect("the log");
        let api = RuntimeApi::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
        command.envs(sandbox.settings()).env("DEFENDER_BACKEND", "defender");
        command.env("QUOTA_SHARE", deployment.environments.to_string());
        if deployment.with_table {
            command.env("STATE_TABLE", STATE_TABLE);
        }
        command.env("AWS_LAMBDA_RUNTIME_API", api.address.to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", "storm").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("AWS_LAMBDA_LOG_STREAM_NAME", "storm");
        command.env("AWS_LAMBDA_LOG_GROUP_NAME", "storm").env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        let process = command.stdout(log).stderr(Stdio::null()).spawn().expect("a process");
        api.is_ready().await;
        Self { api, process }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Demand {
    /// The webhooks, and the alerts that they are about.
    const fn size(self) -> (usize, usize) {
        match self {
            Self::Storm => (10_000, 1500),
            Self::Steady => (300, 300),
        }
    }
}

impl Figures {
    /// Counts what the sandbox has recorded since the last time.
    fn count(&mut self, sandbox: &Sandbox) {
        let seen = sandbox.seen();
        sandbox.forget();
        let on = |route| seen.iter().filter(|seen| seen.route == Some(route)).count();
        self.calls += on(Route::Alert);
        self.table_requests += on(Route::Table);
    }

    fn row(&mut self, deployment: Deployment, refused: u64, local: usize) -> String {
        let Deployment { environments, with_table, demand } = deployment;
        let (webhooks, _) = demand.size();
        let percent = |part: usize| format!("{:.1} %", 100.0 * part as f64 / webhooks as f64);
        self.latencies.sort_unstable();
        let latency = |percent: usize| {
            let index = self.latencies.len().saturating_sub(1) * percent / 100;
            format!("{} ms", self.latencies.get(index).copied().unwrap_or_default().as_millis())
        };
        let cells = [
            environments.to_string(),
            match demand {
                Demand::Storm => "storm".to_owned(),
                Demand::Steady => "steady".to_owned(),
            },
            if with_table { "table" } else { "shares" }.to_owned(),
            percent(self.by_calls + self.from_memory),
            percent(self.from_memory),
            percent(self.throttled),
            percent(self.busy),
            self.other.iter().map(|(status, count)| format!("{count} × {status}")).collect::<Vec<_>>().join(", "),
            self.calls.to_string(),
            refused.to_string(),
            if with_table { local.to_string() } else { String::new() },
            self.table_requests.to_string(),
            latency(50),
            latency(99),
        ];
        format!("| {} |", cells.join(" | "))
    }
}

/// An id of an alert as Defender writes it.
fn alert_id(subject: usize) -> String {
    format!("da6373{subject:014}_{}", 1_000_000 + subject)
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
