//! Lambda's front doors: Function URL, HTTP API 2.0 and 1.0, REST API and ALB events in, the matching answers out.
//!
//! `lambda_http`'s own conversion panics on an invalid base64 body and on a `Host` header that is no host, and decodes
//! an ALB's query twice. Each of these can be had by one request from outside. It also reads an event as one of every
//! form in turn. So events are read here. Its `lambda_runtime` fetches invocations and posts replies.

mod event;
mod extension;
mod response;

use std::convert::Infallible;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use futures_util::FutureExt;
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime};
use lambda_http::{Context, Error, service_fn};
use serde_json::value::RawValue;
use tower::ServiceExt;
use tower::layer::layer_fn;

pub use self::event::Event;
pub use self::extension::{Extension, ExtensionError};
use self::response::EntryPoint;
pub use self::response::Reply;
use crate::api::{AnswerLimit, RequestId};
use crate::background::BackgroundTasks;
use crate::domain::timestamp::Timestamp;
use crate::lookup::Deadline;

/// What is kept of an invocation's time to hand the answer over.
const MARGIN: Duration = Duration::from_millis(400);
/// An ALB takes 1 MB from Lambda.
const ALB_LIMIT: AnswerLimit = AnswerLimit(900_000);

/// Serves Lambda's events until the environment ends. With an extension, the environment is not frozen before the work
/// is done that outlives the answers.
pub async fn run(router: Router, extension: Option<Extension>) -> Result<(), Error> {
    let tasks = extension.as_ref().map(|extension| extension.background_tasks().clone());
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| handle(router.clone(), event));
    let runtime = Runtime::new(handler).layer(layer_fn(move |inner| reporting(inner, tasks.clone())));
    tokio::select! {
        ended = runtime.run_concurrent() => ended,
        Err(broken) = listen(extension) => Err(broken.into()),
    }
}

/// Answers an invocation. An error is what Lambda gets where there is no answer: for what is no event of a front door, or
/// meets a bug of ours.
async fn handle(router: Router, event: LambdaEvent<Box<RawValue>>) -> Result<Reply, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let reply = async {
        let event = Event::read(payload.get().as_bytes())?;
        Some(answer(router, event, &context).await)
    };
    let (error_type, error_message) = match AssertUnwindSafe(reply).catch_unwind().await {
        Ok(Some(reply)) => return Ok(reply),
        Ok(None) => ("UnknownEvent", "no event of a Function URL, an HTTP API, a REST API or an ALB"),
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

/// Reports to `afterwards` when the reply to an invocation is posted.
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

/// Answers one event, with what its front door takes.
pub async fn answer(router: Router, event: Event, context: &Context) -> Reply {
    let Event { door, mut request } = event;
    let extensions = request.extensions_mut();
    if let Some(deadline) = deadline(context) {
        extensions.insert(deadline);
    }
    extensions.insert(RequestId(context.request_id.clone()));
    if door == EntryPoint::Alb {
        extensions.insert(ALB_LIMIT);
    }
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    door.reply(response).await
}

/// The invocation's deadline, less what it takes to hand the answer over. One that has passed on arrival is none: local
/// stand-ins for Lambda, such as `cargo lambda watch`, tell a time that means nothing, and Lambda does not begin an
/// invocation that is over.
fn deadline(context: &Context) -> Option<Deadline> {
    let end = Timestamp::from(UNIX_EPOCH + Duration::from_millis(context.deadline));
    let left = Timestamp::now().age_at(end);
    (!left.is_zero()).then(|| Deadline::after(left.saturating_sub(MARGIN.min(left / 4))))
}
