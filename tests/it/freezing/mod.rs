//! An environment of AWS Lambda that freezes: a real process under a Runtime API and an Extensions API of our own, which
//! stop it (SIGSTOP) and let it go on (SIGCONT) exactly when Lambda would.
//!
//! Lambda freezes an environment when every invocation is answered, the runtime has asked for the next one, and so has
//! every extension. Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.

mod api;
mod process;

use crate::harness::DEMO_KEY;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use self::api::Lambda;
use self::process::Process;

/// No step of a test takes so long; a test that waits for what does not come to pass ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the Extensions API behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extensions {
    /// As AWS does.
    Taken,
    /// A registration gets this status: 403 as from AWS, 404 as where there is no such API.
    Refused(u16),
    /// A registration gets no answer.
    Silent,
    /// Registers, and fails when it is asked for an event.
    Broken,
}

/// What happened in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An extension has asked to be registered, with whatever outcome.
    Registration,
    /// The runtime has asked for an invocation.
    RuntimeAsked,
    /// The extension has asked for an event.
    ExtensionAsked,
    /// An invocation was handed out.
    Invoked,
    /// The answer to an invocation is out.
    Answered,
    /// The process was stopped.
    Frozen,
    /// The process was let go on.
    Thawed,
}

/// An environment with its process, which ends with it.
pub(crate) struct Environment {
    lambda: Arc<Lambda>,
    process: Arc<Process>,
}

impl Environment {
    /// Starts a program as Lambda does, one invocation at a time.
    pub(crate) async fn start(program: Command, extensions: Extensions) -> Self {
        Self::of_several(program, extensions, 1).await
    }

    /// Starts a program that is given so many invocations at once.
    pub(crate) async fn of_several(mut program: Command, extensions: Extensions, at_once: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        program
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "enrich")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        if at_once > 1 {
            program.env("AWS_LAMBDA_MAX_CONCURRENCY", at_once.to_string());
        }
        let process = Arc::new(Process::start(program));
        let lambda = Arc::new(Lambda::new(process.clone(), extensions, at_once));
        let router = lambda.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { lambda, process }
    }

    /// Invokes the function with a minute to go, more than a busy machine needs.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, Value> {
        self.invoke_for(event, Duration::from_secs(60)).await
    }

    /// Invokes the function, and waits until its answer is out: a response, or a function error.
    pub(crate) async fn invoke_for(&self, event: &Value, span: Duration) -> Result<Value, Value> {
        let (answer, response) = oneshot::channel();
        self.lambda.invoke(event, span, answer);
        self.patiently("an answer", async { response.await.expect("an answer") }).await
    }

    /// Lets the connections of the next answers break before they are response.
    pub(crate) fn hang_up(&self, times: usize) {
        self.lambda.hang_up(times);
    }

    /// Waits until the process is stopped.
    pub(crate) async fn frozen(&self) {
        self.patiently("frozen", self.lambda.until(|state| state.is_frozen)).await;
    }

    /// Waits until so many steps of a kind have happened.
    pub(crate) async fn reached(&self, step: Step, times: usize) {
        let enough = |state: &api::State| state.steps.iter().filter(|(known, _)| *known == step).count() >= times;
        self.patiently("a step", self.lambda.until(enough)).await;
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.lambda.look(|state| state.is_frozen)
    }

    /// What happened, in its order.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.lambda.look(|state| state.steps.iter().map(|(step, _)| *step).collect())
    }

    /// When a step happened for the last time.
    #[track_caller]
    pub(crate) fn last(&self, step: Step) -> Instant {
        let found = self.lambda.look(|state| state.steps.iter().rfind(|(known, _)| *known == step).copied());
        found.unwrap_or_else(|| panic!("no {step:?}")).1
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn ended(&self) -> ExitStatus {
        self.patiently("ended", self.process.ended()).await
    }

    /// What the process has written to standard error.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    async fn patiently<T>(&self, what: &str, awaited: impl Future<Output = T>) -> T {
        let outcome = timeout(PATIENCE, awaited).await;
        outcome.unwrap_or_else(|_| panic!("not {what} after {PATIENCE:?}: {:?}\n{}", self.steps(), self.log()))
    }
}

/// The event of a request with the key of the caller `demo`, as a Function URL sends it.
pub(crate) fn request(method: &str, path: &str, body: Option<&Value>) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"x-api-key": DEMO_KEY, "content-type": "application/json"},
        "requestContext": {
            "accountId": "anonymous", "apiId": "enrich", "domainName": "enrich.example", "domainPrefix": "enrich",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "test"
            },
            "requestId": "4d8cb2a0-4f0a-4b5e-9a53-8a7a6d1c9f00", "routeKey": "$default", "stage": "$default",
            "time": "03/Nov/2026:08:15:42 +0000", "timeEpoch": 1_793_693_742_036_u64
        },
        "body": body.map(Value::to_string), "isBase64Encoded": false
    })
}
