//! A process in an environment of its own: started, asked, and looked at from outside.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::runtime_api::RuntimeApi;

/// A running handler.
pub(crate) struct Environment {
    api: RuntimeApi,
    process: Child,
    event: String,
}

/// How long a start took.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// Until the process asked for its first invocation.
    pub(crate) init: Duration,
    /// Until its first answer.
    pub(crate) first: Duration,
}

/// What `/proc` tells of a process.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time since its start.
    pub(crate) cpu: Duration,
    /// The most memory that it has held, in KiB.
    pub(crate) peak_kib: u64,
}

impl Environment {
    /// Starts the process and asks it once.
    pub(crate) async fn start(command: &mut Command, event: &str) -> (Self, Start) {
        let mut api = RuntimeApi::start().await;
        command.env("AWS_LAMBDA_RUNTIME_API", api.address.to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", "bench").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512").env("AWS_LAMBDA_LOG_STREAM_NAME", "bench");
        command.env("AWS_LAMBDA_LOG_GROUP_NAME", "bench").env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        let begin = Instant::now();
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
        let ready = api.is_ready().await;
        let answer = api.invoke(event).await;
        let start = Start { init: ready - begin, first: begin.elapsed() };
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains(r#""statusCode":200"#), "{text}");
        (Self { api, process, event: event.to_owned() }, start)
    }

    /// How long one call takes.
    pub(crate) async fn call(&mut self) -> Duration {
        let begin = Instant::now();
        self.api.invoke(&self.event).await;
        begin.elapsed()
    }

    /// What the process has used so far.
    pub(crate) fn usage(&self) -> Usage {
        let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("/proc");
        // Fields 14 and 15, of which the second ends with a parenthesis: processor time in hundredths of a second.
        let stat = of("stat");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let status = of("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        let peak_kib = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        Usage { cpu: Duration::from_millis(10 * ticks), peak_kib }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
