//! `POST /v1/hooks/teams`: an outgoing webhook. Teams waits 5 seconds and accepts no later reply. A slower lookup
//! continues in the background, and its answer is cached for the next question.

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
use super::{Call, answer_verified};
use crate::app::Service;
use crate::domain::subject::Question;
use crate::formats::Format;
use crate::integrations::command::{Command, help};
use crate::integrations::teams::{self, Activity};
use crate::lookup::EnrichError;

/// Teams waits 5 seconds; the rest is for the network.
const REPLY_TIMEOUT: Duration = Duration::from_millis(4500);
/// How people mention the webhook. Teams does not send this name, so it is the one that our documentation uses.
const MENTION: &str = "@Defender";

/// `POST /v1/hooks/teams`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer_verified(
        (service, request_context, request),
        (Sender::Teams, REPLY_TIMEOUT),
        |secrets, parts, body, now| {
            let keys = secrets.teams.as_ref().map_err(|error| *error)?;
            Ok(teams::verify(keys, &parts.headers, body, now)?)
        },
        async |call, body| {
            Ok(match Activity::parse(body).map(|activity| activity.command(MENTION)) {
                Ok(Command::Ask { question, .. }) => answer_question(call, question).await,
                // Markdown needs an empty line between paragraphs.
                Ok(Command::Help) => reply_text(&help(MENTION).join("\n\n"), log_of_kind("help")),
                Ok(Command::Invalid(sentence)) => reply_text(&sentence, log_of_kind("none")),
                Err(error) => reply_text(&error.to_string(), log_of_kind("none")),
            })
        },
    )
    .await
}

async fn answer_question(call: &Call, question: Question) -> Response {
    let ctx = &call.request_context.ctx;
    let tasks = call.service.background_tasks();
    let kind = question.subject.kind().as_str();
    let portal_url = call.service.portal.page_of(&question.subject);
    let too_slow =
        format!("Microsoft Defender is slow at the moment. Ask again soon, or look into the portal: {portal_url}");
    let lookup_ctx = if tasks.can_outlive_an_answer() { ctx } else { &call.reply_ctx };
    let lookup = chat::lookup(call.service.clone(), question, lookup_ctx.clone());
    let (message, request_log) = match chat::wait(lookup, call.reply_ctx.deadline).await {
        LookupOutcome::InTime(Ok(answer)) => {
            (Value::Object(chat::message(&answer, Format::Teams)), RequestLog::of(&answer).for_hook())
        }
        LookupOutcome::InTime(Err(error)) => {
            let is_late = matches!(error, EnrichError::TimedOut { .. });
            let (sentence, request_log) = chat::error_message(error, &ctx.request_id);
            (text_message(if is_late { &too_slow } else { &sentence }), request_log.for_hook())
        }
        LookupOutcome::Pending(lookup) => {
            // The person gets the same text whether the lookup continues or not.
            let spawned = tasks.spawn("lookup for Teams", ctx.deadline, async { drop(lookup.await) });
            tracing::debug!(request_id = &*ctx.request_id, goes_on = spawned.is_ok(), "a lookup is late for Teams");
            (text_message(&too_slow), if spawned.is_ok() { RequestLog::pending(kind) } else { RequestLog::default() })
        }
    };
    reply(&message, RequestLog { kind: Some(kind), ..request_log })
}

fn text_message(sentence: &str) -> Value {
    json!({"type": "message", "text": sentence})
}

fn reply_text(sentence: &str, request_log: RequestLog) -> Response {
    reply(&text_message(sentence), request_log)
}

fn reply(message: &Value, request_log: RequestLog) -> Response {
    respond::json(message.to_string().into_bytes(), request_log)
}

fn log_of_kind(kind: &'static str) -> RequestLog {
    RequestLog { kind: Some(kind), ..RequestLog::default() }
}
