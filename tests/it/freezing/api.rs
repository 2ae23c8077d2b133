//! What Lambda says to a process: the Runtime API and the Extensions API, and when it freezes the environment.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State as Extracted};
use axum::routing::{get, post};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::process::Process;
use super::{Extensions, Step};

/// Bytes of an answer that Lambda takes.
const MAX_ANSWERED: usize = 6 << 20;
const EXTENSION_ID: &str = "7f4d3e6c-0d4b-4d0e-8a55-0d6f1f6f2a01";
const EXTENSION_ID_HEADER: &str = "lambda-extension-identifier";

/// Lambda, as one environment sees it.
pub(super) struct Lambda {
    process: Arc<Process>,
    extensions: Extensions,
    at_once: usize,
    state: watch::Sender<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) is_frozen: bool,
    pub(super) steps: Vec<(Step, Instant)>,
    /// Calls of the runtime that wait for an invocation.
    runtime: Vec<oneshot::Sender<Invocation>>,
    extension: Option<Extension>,
    waiting: VecDeque<Waiting>,
    /// Invocations that were handed out, by their id.
    under_way: HashMap<String, Answer>,
    invocations: usize,
    /// Answers that are not heard: their connections break.
    hang_ups: usize,
}

/// Where the answer to an invocation goes.
type Answer = oneshot::Sender<Result<Value, Value>>;

struct Invocation {
    id: String,
    deadline_ms: u64,
    event: Value,
}

/// An event that was not handed out yet.
struct Waiting {
    event: Value,
    /// The function's timeout. It counts from the moment at which the event is handed out.
    span: Duration,
    answer: Answer,
}

/// A registered extension.
#[derive(Default)]
struct Extension {
    /// Its call that waits for an event.
    call: Option<oneshot::Sender<Value>>,
    unheard: VecDeque<Value>,
}

impl Extension {
    fn is_done(&self) -> bool {
        self.call.is_some() && self.unheard.is_empty()
    }
}

impl State {
    fn step(&mut self, step: Step) {
        self.steps.push((step, Instant::now()));
    }

    fn has_asked(&self, step: Step) -> bool {
        self.steps.iter().any(|(known, _)| *known == step)
    }
}

impl Lambda {
    pub(super) fn new(process: Arc<Process>, extensions: Extensions, at_once: usize) -> Self {
        Self { process, extensions, at_once, state: watch::Sender::default() }
    }

    pub(super) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(reply))
            .layer(DefaultBodyLimit::disable())
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(next_event))
            .with_state(self.clone())
    }

    pub(super) fn invoke(&self, event: &Value, span: Duration, answer: Answer) {
        self.change(|state| state.waiting.push_back(Waiting { event: event.clone(), span, answer }));
    }

    pub(super) fn hang_up(&self, times: usize) {
        self.change(|state| state.hang_ups = times);
    }

    pub(super) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self.state.borrow())
    }

    pub(super) async fn until(&self, holds: impl FnMut(&State) -> bool) {
        self.state.subscribe().wait_for(holds).await.expect("a state");
    }

    /// Changes something, and does what Lambda does then.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut changed = None;
        self.state.send_modify(|state| {
            changed = Some(change(state));
            while self.hand_out(state) {}
            while tell_extension(state) {}
            self.freeze(state);
        });
        changed.expect("a change")
    }

    /// Hands out an invocation, if there is one, and the environment is through with those before.
    fn hand_out(&self, state: &mut State) -> bool {
        let is_through = state.under_way.is_empty() && state.extension.as_ref().is_none_or(Extension::is_done);
        if state.waiting.is_empty() || state.runtime.is_empty() || !(is_through || self.at_once > 1) {
            return false;
        }
        if state.is_frozen {
            self.process.go_on();
            state.is_frozen = false;
            state.step(Step::Thawed);
        }
        let Waiting { event, span, answer } = state.waiting.pop_front().expect("an event");
        state.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", state.invocations);
        let deadline = jiff::Timestamp::now() + span;
        let invocation = Invocation { id, deadline_ms: deadline.as_millisecond().unsigned_abs(), event };
        if let Some(extension) = &mut state.extension {
            extension.unheard.push_back(json!({
                "eventType": "INVOKE", "deadlineMs": invocation.deadline_ms, "requestId": invocation.id,
                "invokedFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:enrich",
                "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-5f35ae12-0c0fec141ab77a00bc047aa2"}
            }));
        }
        state.under_way.insert(invocation.id.clone(), answer);
        state.step(Step::Invoked);
        let told = state.runtime.remove(0).send(invocation);
        assert!(told.is_ok(), "the runtime has hung up");
        true
    }

    fn freeze(&self, state: &mut State) {
        let is_through = state.under_way.is_empty() && state.runtime.len() == self.at_once;
        if is_through && !state.is_frozen && state.extension.as_ref().is_none_or(Extension::is_done) {
            self.process.stop();
            state.is_frozen = true;
            state.step(Step::Frozen);
        }
    }

    fn answer(&self, id: &str, answer: Result<Value, Value>) -> StatusCode {
        let heard = self.change(|state| {
            state.step(Step::Answered);
            state.under_way.remove(id).map(|heard| heard.send(answer))
        });
        if heard.is_some() { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST }
    }
}

fn tell_extension(state: &mut State) -> bool {
    let Some(extension) = &mut state.extension else { return false };
    if extension.unheard.is_empty() {
        return false;
    }
    let Some(call) = extension.call.take() else { return false };
    let event = extension.unheard.pop_front().expect("an event");
    assert!(call.send(event).is_ok(), "the extension has hung up");
    true
}

async fn next_invocation(Extracted(lambda): Extracted<Arc<Lambda>>) -> Response<Body> {
    let (call, handed) = oneshot::channel();
    lambda.change(|state| {
        state.step(Step::RuntimeAsked);
        state.runtime.push(call);
    });
    let invocation = handed.await.expect("an invocation");
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-invocation-id", invocation_id(&invocation.id))
        .header("lambda-runtime-aws-request-id", invocation.id)
        .header("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:enrich")
        .body(Body::from(invocation.event.to_string()))
        .expect("a response")
}

/// The name by which Lambda knows a reply again, other than the request's.
fn invocation_id(id: &str) -> String {
    format!("invocation-{id}")
}

/// Hears a `response`, or an `error`.
async fn reply(
    Extracted(lambda): Extracted<Arc<Lambda>>,
    Path((id, outcome)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(headers.get("lambda-runtime-invocation-id").expect("a name"), &invocation_id(&id));
    let hangs_up = lambda.change(|state| {
        let hangs_up = state.hang_ups > 0;
        state.hang_ups -= usize::from(hangs_up);
        hangs_up
    });
    if hangs_up {
        // Ends the connection's task without a word.
        resume_unwind(Box::new("hung up"));
    }
    if body.len() > MAX_ANSWERED {
        lambda.answer(&id, Err(json!({"errorType": "Function.ResponseSizeTooLarge"})));
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    let body = serde_json::from_slice(&body).expect("JSON");
    match outcome.as_str() {
        "response" => lambda.answer(&id, Ok(body)),
        "error" => lambda.answer(&id, Err(body)),
        _ => StatusCode::NOT_FOUND,
    }
}

async fn register(Extracted(lambda): Extracted<Arc<Lambda>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let is_late = lambda.change(|state| {
        state.step(Step::Registration);
        state.has_asked(Step::RuntimeAsked)
    });
    let status = |status: u16| Response::builder().status(status).body(Body::empty()).expect("a response");
    match lambda.extensions {
        Extensions::Silent => return pending().await,
        Extensions::Refused(refusal) => return status(refusal),
        Extensions::Taken | Extensions::Broken => {}
    }
    let wish: Value = serde_json::from_slice(&body).unwrap_or_default();
    // An internal extension hears of invocations, and of nothing else.
    if is_late || wish != json!({"events": ["INVOKE"]}) || !headers.contains_key("lambda-extension-name") {
        return status(403);
    }
    lambda.change(|state| state.extension = Some(Extension::default()));
    Response::builder()
        .header(EXTENSION_ID_HEADER, EXTENSION_ID)
        .body(Body::from(json!({"functionName": "enrich", "functionVersion": "$LATEST", "handler": "-"}).to_string()))
        .expect("a response")
}

async fn next_event(Extracted(lambda): Extracted<Arc<Lambda>>, headers: HeaderMap) -> Response<Body> {
    let (call, heard) = oneshot::channel();
    let is_known = headers.get(EXTENSION_ID_HEADER).is_some_and(|id| id == EXTENSION_ID);
    let is_taken = lambda.change(|state| {
        state.step(Step::ExtensionAsked);
        let Some(extension) = state.extension.as_mut().filter(|_| is_known) else { return false };
        if lambda.extensions != Extensions::Broken {
            extension.call = Some(call);
        }
        true
    });
    let failed = |status: u16| Response::builder().status(status).body(Body::empty()).expect("a response");
    match (is_taken, lambda.extensions) {
        (false, _) => failed(403),
        (true, Extensions::Broken) => failed(500),
        (true, _) => Response::new(Body::from(heard.await.expect("an event").to_string())),
    }
}
