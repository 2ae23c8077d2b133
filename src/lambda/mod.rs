//! AWS Lambda: converts the events of Function URL, HTTP API 2.0 and 1.0, REST API and ALB to requests, and responses
//! to replies.
//!
//! `lambda_http`'s own conversion panics on an invalid base64 body and on an invalid `Host` header, and decodes the
//! query of an ALB twice. One request from outside is enough for each of these. It also tries to parse an event in
//! every form in turn. Therefore this module parses events itself. `lambda_runtime` fetches invocations and posts
//! replies.

mod event;
mod extension;
mod response;

use std::convert::Infallible;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use futures_util::FutureExt;
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime};
use lambda_http::{Context, Error, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tower::ServiceExt;
use tower::layer::layer_fn;

pub use self::event::Event;
pub use self::extension::{Extension, ExtensionError};
use self::response::EntryPoint;
pub use self::response::Reply;
use crate::api::{AnswerLimit, RequestId, XrayTraceId};
use crate::background::BackgroundTasks;
use crate::check::{Table, check_function};
use crate::config::Settings;
use crate::domain::timestamp::Timestamp;
use crate::lookup::Deadline;

/// The part of an invocation's time that is reserved for posting the reply.
const REPLY_MARGIN: Duration = Duration::from_millis(400);
/// The limit of an ALB is 1 MB for the JSON of a reply.
const ALB_ANSWER_LIMIT: AnswerLimit = AnswerLimit(900_000);

/// Serves Lambda's events until the environment ends. With an extension, Lambda freezes the environment only after the
/// background work is done.
///
/// The settings are for an invocation that asks the function to check itself.
pub async fn run(router: Router, settings: Arc<Settings>, extension: Option<Extension>) -> Result<(), Error> {
    let tasks = extension.as_ref().map(|extension| extension.background_tasks().clone());
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| handle(router.clone(), settings.clone(), event));
    let runtime = Runtime::new(handler).layer(layer_fn(move |inner| reporting(inner, tasks.clone())));
    tokio::select! {
        outcome = runtime.run_concurrent() => outcome,
        Err(error) = listen(extension) => Err(error.into()),
    }
}

/// What an invocation gets.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    /// The reply to an entry point.
    Reply(Box<Reply>),
    /// The result of checking the deployment.
    Check(Table),
}

/// Whether a direct invocation asks the function to check itself. An entry point passes on what a caller sends inside an
/// event of its own, so no caller can make one.
fn asks_for_check(payload: &str) -> bool {
    let object: Option<Map<String, Value>> = serde_json::from_str(payload).ok();
    object.is_some_and(|object| object.get("check") == Some(&Value::Bool(true)))
}

/// Answers an invocation. Lambda gets an error if the payload is not an event of an entry point, or if the service
/// panics.
async fn handle(
    router: Router,
    settings: Arc<Settings>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Outcome, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let reply = async {
        if let Some(event) = Event::read(payload.get().as_bytes()) {
            return Some(Outcome::Reply(Box::new(answer(router, event, &context).await)));
        }
        if !asks_for_check(payload.get()) {
            return None;
        }
        Some(Outcome::Check(check_function(&settings, deadline(&context)).await))
    };
    let (error_type, error_message) = match AssertUnwindSafe(reply).catch_unwind().await {
        Ok(Some(reply)) => return Ok(reply),
        Ok(None) => {
            ("UnknownEvent", "no event of a Function URL, an HTTP API, a REST API or an ALB, and no {\"check\":true}")
        }
        Err(_) => ("InternalError", "a bug of this service: there is no answer"),
    };
    Err(Diagnostic { error_type: error_type.to_owned(), error_message: error_message.to_owned() })
}

async fn listen(extension: Option<Extension>) -> Result<Infallible, ExtensionError> {
    match extension {
        Some(extension) => extension.run().await,
        None => pending().await,
    }
}

/// Wraps the runtime's service, and reports to `tasks` when the reply to an invocation is posted.
fn reporting<S>(
    inner: S,
    tasks: Option<BackgroundTasks>,
) -> impl tower::Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static
where
    S: tower::Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static,
{
    service_fn(move |invocation: LambdaInvocation| {
        let (inner, tasks) = (inner.clone(), tasks.clone());
        async move {
            let id = invocation.context.request_id.clone();
            let outcome = inner.oneshot(invocation).await;
            if let Some(tasks) = tasks {
                tasks.answered(id);
            }
            outcome
        }
    })
}

/// Answers one event in the form of its entry point.
pub async fn answer(router: Router, event: Event, context: &Context) -> Reply {
    let Event { entry_point, mut request } = event;
    let extensions = request.extensions_mut();
    if let Some(deadline) = deadline(context) {
        extensions.insert(deadline);
    }
    extensions.insert(RequestId(context.request_id.clone()));
    if let Some(id) = context.xray_trace_id.as_deref().and_then(XrayTraceId::read) {
        extensions.insert(id);
    }
    if entry_point == EntryPoint::Alb {
        extensions.insert(ALB_ANSWER_LIMIT);
    }
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    entry_point.reply(response).await
}

/// The deadline of an invocation, minus the time for posting the reply. A deadline in the past is ignored: local
/// emulators such as `cargo lambda watch` send meaningless times, and Lambda never starts an invocation after its
/// deadline.
fn deadline(context: &Context) -> Option<Deadline> {
    let end = Timestamp::from(UNIX_EPOCH + Duration::from_millis(context.deadline));
    let left = Timestamp::now().age_at(end);
    (!left.is_zero()).then(|| Deadline::after(left.saturating_sub(REPLY_MARGIN.min(left / 4))))
}
