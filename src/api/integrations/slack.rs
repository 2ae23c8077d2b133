//! `POST /v1/hooks/slack`: a slash command. Slack waits 3 seconds; a slower answer is posted to the `response_url`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::super::body::read_limited;
use super::super::middleware::RequestContext;
use super::super::problem::Sender;
use super::super::respond::{self, RequestLog};
use super::chat::{self, Lookup, LookupOutcome};
use super::{Call, answer_verified};
use crate::app::Service;
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;
use crate::domain::timestamp::Timestamp;
use crate::formats::Format;
use crate::integrations::command::{Command, help};
use crate::integrations::slack::{self, ResponseUrl, SlackForm, SlashCommand};
use crate::lookup::EnrichError;

/// Slack waits 3 seconds; the rest is for the network.
const REPLY_TIMEOUT: Duration = Duration::from_millis(2500);
/// The time that a lookup leaves for posting a late answer; less if the deadline is near.
const POSTING_TIME: Duration = Duration::from_secs(2);

const LOOKING_IT_UP: &str = "Looking it up: Microsoft Defender takes a moment. The answer follows here.";
const TOO_SLOW: &str = "Microsoft Defender is slow at the moment, and there is no answer yet. Ask again in a moment.";

/// `POST /v1/hooks/slack`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = match read_limited(body).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.response(&request_context.ctx.request_id),
    };
    if slack::is_certificate_check(&bytes) {
        return respond::json(Vec::new(), log_of_kind("ssl_check"));
    }
    answer_verified(
        (service, request_context, Request::from_parts(parts, Body::from(bytes))),
        (Sender::Slack, REPLY_TIMEOUT),
        |secrets, parts, body| {
            let keys = secrets.slack.as_ref().map_err(|error| *error)?;
            Ok(slack::verify(keys, &parts.headers, body, Timestamp::now())?)
        },
        async |call, body| {
            Ok(match SlackForm::parse(body) {
                Ok(SlackForm::Command(command)) => run_command(call, command, body).await,
                Ok(SlackForm::CertificateCheck) => respond::json(Vec::new(), log_of_kind("ssl_check")),
                Err(error) => reply_text(&error.to_string(), log_of_kind("none")),
            })
        },
    )
    .await
}

async fn run_command(call: &Call, command: SlashCommand, body: &[u8]) -> Response {
    match command.command() {
        Command::Help => reply_text(&help(&command.name).join("\n"), log_of_kind("help")),
        Command::Invalid(sentence) => reply_text(&sentence, log_of_kind("none")),
        Command::Ask { question, share } => {
            // A repeated delivery of the same command gets an answer, but nothing is posted twice.
            let repeated = command.trigger_id.is_some() && call.service.seen_messages.repeats("slack", body);
            let audience = if share && !repeated { Audience::Channel } else { Audience::Person };
            answer_question(call, question, audience, command.response_url.filter(|_| !repeated)).await
        }
    }
}

async fn answer_question(
    call: &Call,
    question: Question,
    audience: Audience,
    response_url: Option<ResponseUrl>,
) -> Response {
    let ctx = &call.request_context.ctx;
    let tasks = call.service.background_tasks();
    let response_url = response_url.filter(|_| tasks.can_outlive_an_answer());
    let time = ctx.deadline.remaining();
    let whole = ctx.within(time.saturating_sub(POSTING_TIME.min(time / 4)));
    let lookup_ctx = if response_url.is_some() { whole } else { call.reply_ctx.clone() };
    let kind = question.subject.kind().as_str();
    let lookup = chat::lookup(call.service.clone(), question, lookup_ctx);
    match (chat::wait(lookup, call.reply_ctx.deadline).await, response_url) {
        (LookupOutcome::InTime(outcome), _) => {
            let (message, request_log) = message(outcome, audience, &ctx.request_id);
            reply(message, RequestLog { kind: Some(kind), ..request_log.for_hook() })
        }
        (LookupOutcome::Pending(lookup), Some(to)) => {
            let follow_up = follow_up(call.service.clone(), call.request_context.clone(), lookup, audience, to);
            let spawned = tasks.spawn("answer to Slack", ctx.deadline, follow_up);
            if spawned.is_ok() {
                reply_text(LOOKING_IT_UP, RequestLog::pending(kind))
            } else {
                reply_text(TOO_SLOW, log_of_kind(kind))
            }
        }
        (LookupOutcome::Pending(_), None) => reply_text(TOO_SLOW, log_of_kind(kind)),
    }
}

/// Waits for the answer and posts it.
async fn follow_up(
    service: Arc<Service>,
    request_context: RequestContext,
    lookup: Lookup,
    audience: Audience,
    to: ResponseUrl,
) {
    let request_id = &*request_context.ctx.request_id;
    let (mut message, request_log) = message(lookup.await, audience, request_id);
    if audience == Audience::Person {
        // Replaces the message that asked the person to wait.
        message.insert("replace_original".to_owned(), true.into());
    }
    let message = Value::Object(message).to_string();
    match service.slack_messages.post(&to, message.as_bytes(), request_context.ctx.deadline).await {
        Ok(()) => tracing::info!(
            request_id,
            code = request_log.code,
            cause = request_log.cause,
            "the answer followed to Slack"
        ),
        Err(error) => tracing::warn!(request_id, %error, "the answer did not get to Slack"),
    }
}

/// Who sees a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Person,
    Channel,
}

impl Audience {
    fn response_type(self) -> &'static str {
        match self {
            Self::Person => "ephemeral",
            Self::Channel => "in_channel",
        }
    }
}

/// Renders an outcome. Errors are shown only to the person who asked.
fn message(outcome: Result<Answer, EnrichError>, audience: Audience, id: &str) -> (Map<String, Value>, RequestLog) {
    match outcome {
        Ok(answer) => {
            let mut message = chat::message(&answer, Format::Slack);
            message.insert("response_type".to_owned(), audience.response_type().into());
            (message, RequestLog::of(&answer))
        }
        Err(error) => {
            let (sentence, request_log) = chat::error_message(error, id);
            (text_message(&sentence), request_log)
        }
    }
}

fn text_message(sentence: &str) -> Map<String, Value> {
    let text = sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Map::from_iter([
        ("response_type".to_owned(), json!(Audience::Person.response_type())),
        ("text".to_owned(), json!(text)),
    ])
}

fn reply_text(sentence: &str, request_log: RequestLog) -> Response {
    reply(text_message(sentence), request_log)
}

fn reply(message: Map<String, Value>, request_log: RequestLog) -> Response {
    respond::json(Value::Object(message).to_string().into_bytes(), request_log)
}

fn log_of_kind(kind: &'static str) -> RequestLog {
    RequestLog { kind: Some(kind), ..RequestLog::default() }
}
