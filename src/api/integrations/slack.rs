//! `POST /v1/hooks/slack`: a slash command. Slack waits 3 seconds; what takes longer follows to the `response_url`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::super::body::within_bound;
use super::super::middleware::RequestContext;
use super::super::problem::Sender;
use super::super::respond::{self, RequestLog};
use super::chat::{self, Lookup, LookupOutcome};
use super::{Call, answer_proven};
use crate::app::Service;
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;
use crate::domain::timestamp::Timestamp;
use crate::formats::Format;
use crate::integrations::command::{Command, help};
use crate::integrations::slack::{self, ResponseUrl, SlackForm, SlashCommand};
use crate::lookup::EnrichError;

/// Slack's 3 seconds, less the way there and back.
const PATIENCE: Duration = Duration::from_millis(2500);
/// What is kept of a request's time to post a late answer; less where there is little.
const POSTING: Duration = Duration::from_secs(2);

const LOOKING_IT_UP: &str = "Looking it up: Microsoft Defender takes a moment. The answer follows here.";
const TOO_SLOW: &str = "Microsoft Defender is slow at the moment, and there is no answer yet. Ask again in a moment.";

/// `POST /v1/hooks/slack`.
pub(in crate::api) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(request_context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = match within_bound(body).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.response(&request_context.ctx.request_id),
    };
    if slack::is_certificate_check(&bytes) {
        return respond::json(Vec::new(), of_kind("ssl_check"));
    }
    answer_proven(
        (service, request_context, Request::from_parts(parts, Body::from(bytes))),
        (Sender::Slack, PATIENCE),
        |secrets, parts, body| {
            let keys = secrets.slack.as_ref().map_err(|error| *error)?;
            Ok(slack::verify(keys, &parts.headers, body, Timestamp::now())?)
        },
        async |call, body| {
            Ok(match SlackForm::parse(body) {
                Ok(SlackForm::Command(command)) => commanded(call, command, body).await,
                Ok(SlackForm::CertificateCheck) => respond::json(Vec::new(), of_kind("ssl_check")),
                Err(error) => say(&error.to_string(), of_kind("none")),
            })
        },
    )
    .await
}

async fn commanded(call: &Call, command: SlashCommand, body: &[u8]) -> Response {
    match command.command() {
        Command::Help => say(&help(&command.name).join("\n"), of_kind("help")),
        Command::Wrong(sentence) => say(&sentence, of_kind("none")),
        Command::Ask { question, share } => {
            // The same call delivered again gets an answer, but nothing is posted twice.
            let repeated = command.trigger_id.is_some() && call.service.repetitions.repeats("slack", body);
            let audience = if share && !repeated { Audience::Channel } else { Audience::Person };
            ask(call, question, audience, command.response_url.filter(|_| !repeated)).await
        }
    }
}

async fn ask(call: &Call, question: Question, audience: Audience, later: Option<ResponseUrl>) -> Response {
    let ctx = &call.request_context.ctx;
    let tasks = call.service.background_tasks();
    let later = later.filter(|_| tasks.can_outlive_an_answer());
    let time = ctx.deadline.remaining();
    let whole = ctx.within(time.saturating_sub(POSTING.min(time / 4)));
    let lookup_ctx = if later.is_some() { whole } else { call.quick.clone() };
    let kind = question.subject.kind().as_str();
    let lookup = chat::lookup(call.service.clone(), question, lookup_ctx);
    match (chat::wait(lookup, call.quick.deadline).await, later) {
        (LookupOutcome::InTime(outcome), _) => {
            let (message, told) = message(outcome, audience, &ctx.request_id);
            reply(message, RequestLog { kind: Some(kind), ..told.of_a_hook() })
        }
        (LookupOutcome::StillAsking(lookup), Some(to)) => {
            let follow_up = follow_up(call.service.clone(), call.request_context.clone(), lookup, audience, to);
            let begun = tasks.spawn("answer to Slack", ctx.deadline, follow_up);
            if begun.is_ok() { say(LOOKING_IT_UP, RequestLog::pending(kind)) } else { say(TOO_SLOW, of_kind(kind)) }
        }
        (LookupOutcome::StillAsking(_), None) => say(TOO_SLOW, of_kind(kind)),
    }
}

/// Waits for the answer, and posts it.
async fn follow_up(
    service: Arc<Service>,
    request_context: RequestContext,
    lookup: Lookup,
    audience: Audience,
    to: ResponseUrl,
) {
    let request_id = &*request_context.ctx.request_id;
    let (mut message, told) = message(lookup.await, audience, request_id);
    if audience == Audience::Person {
        // Takes the place of the message that said to wait.
        message.insert("replace_original".to_owned(), true.into());
    }
    let message = Value::Object(message).to_string();
    match service.slack_messages.post(&to, message.as_bytes(), request_context.ctx.deadline).await {
        Ok(()) => tracing::info!(request_id, code = told.code, cause = told.cause, "the answer followed to Slack"),
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

/// The message of an outcome. What went wrong is only for who asked.
fn message(outcome: Result<Answer, EnrichError>, audience: Audience, id: &str) -> (Map<String, Value>, RequestLog) {
    match outcome {
        Ok(answer) => {
            let mut message = chat::message(&answer, Format::Slack);
            message.insert("response_type".to_owned(), audience.response_type().into());
            (message, RequestLog::of(&answer))
        }
        Err(error) => {
            let (sentence, told) = chat::error_message(error, id);
            (spoken(&sentence), told)
        }
    }
}

fn spoken(sentence: &str) -> Map<String, Value> {
    let text = sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Map::from_iter([
        ("response_type".to_owned(), json!(Audience::Person.response_type())),
        ("text".to_owned(), json!(text)),
    ])
}

fn say(sentence: &str, told: RequestLog) -> Response {
    reply(spoken(sentence), told)
}

fn reply(message: Map<String, Value>, told: RequestLog) -> Response {
    respond::json(Value::Object(message).to_string().into_bytes(), told)
}

fn of_kind(kind: &'static str) -> RequestLog {
    RequestLog { kind: Some(kind), ..RequestLog::default() }
}
