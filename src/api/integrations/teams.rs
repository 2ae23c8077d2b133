//! `POST /v1/hooks/teams`: an outgoing webhook. Teams waits 5 seconds and takes nothing later; what is still on its way
//! then is remembered for the next who asks.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::middleware::RequestContext;
use super::super::problem::Sender;
use super::super::respond::{self, RequestLog};
use super::chat::{self, LookupOutcome};
use super::{Call, answer_proven};
use crate::app::Service;
use crate::domain::subject::Question;
use crate::domain::timestamp::Timestamp;
use crate::formats::Format;
use crate::integrations::command::{Command, help};
use crate::integrations::teams::{self, Activity};
use crate::lookup::EnrichError;

/// Teams' 5 seconds, less the way there and back.
const PATIENCE: Duration = Duration::from_millis(4500);
/// Teams does not tell the webhook its own name: this is the one that our documents give it.
const CALLED: &str = "@Defender";

/// `POST /v1/hooks/teams`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer_proven(
        (service, request_context, request),
        (Sender::Teams, PATIENCE),
        |secrets, parts, body| {
            let keys = secrets.teams.as_ref().map_err(|error| *error)?;
            Ok(teams::verify(keys, &parts.headers, body, Timestamp::now())?)
        },
        async |call, body| {
            Ok(match Activity::parse(body).map(|activity| activity.command(CALLED)) {
                Ok(Command::Ask { question, .. }) => ask(call, question).await,
                // A line of its own needs an empty one before it.
                Ok(Command::Help) => say(&help(CALLED).join("\n\n"), of_kind("help")),
                Ok(Command::Wrong(sentence)) => say(&sentence, of_kind("none")),
                Err(error) => say(&error.to_string(), of_kind("none")),
            })
        },
    )
    .await
}

async fn ask(call: &Call, question: Question) -> Response {
    let ctx = &call.request_context.ctx;
    let tasks = call.service.background_tasks();
    let kind = question.subject.kind().as_str();
    let page = call.service.portal.page_of(&question.subject);
    let too_slow = format!("Microsoft Defender is slow at the moment. Ask again soon, or look into the portal: {page}");
    let lookup_ctx = if tasks.can_outlive_an_answer() { ctx } else { &call.quick };
    let lookup = chat::lookup(call.service.clone(), question, lookup_ctx.clone());
    let (message, told) = match chat::wait(lookup, call.quick.deadline).await {
        LookupOutcome::InTime(Ok(answer)) => {
            (Value::Object(chat::message(&answer, Format::Teams)), RequestLog::of(&answer).of_a_hook())
        }
        LookupOutcome::InTime(Err(error)) => {
            let is_late = matches!(error, EnrichError::TimedOut { .. });
            let (sentence, told) = chat::error_message(error, &ctx.request_id);
            (spoken(if is_late { &too_slow } else { &sentence }), told.of_a_hook())
        }
        LookupOutcome::StillAsking(lookup) => {
            // Whether it goes on or not: the person hears the same.
            let remembered = tasks.spawn("lookup for Teams", ctx.deadline, async { drop(lookup.await) });
            tracing::debug!(request_id = &*ctx.request_id, goes_on = remembered.is_ok(), "a lookup is late for Teams");
            (spoken(&too_slow), if remembered.is_ok() { RequestLog::pending(kind) } else { RequestLog::default() })
        }
    };
    reply(&message, RequestLog { kind: Some(kind), ..told })
}

fn spoken(sentence: &str) -> Value {
    json!({"type": "message", "text": sentence})
}

fn say(sentence: &str, told: RequestLog) -> Response {
    reply(&spoken(sentence), told)
}

fn reply(message: &Value, told: RequestLog) -> Response {
    respond::json(message.to_string().into_bytes(), told)
}

fn of_kind(kind: &'static str) -> RequestLog {
    RequestLog { kind: Some(kind), ..RequestLog::default() }
}
