//! Runs the tools: the lookups of `/v1/enrich`, with results for models.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tokio::time::timeout_at;
#[cfg(feature = "cli")]
use {super::super::middleware, crate::lookup::Deadline, http::StatusCode, std::sync::Arc, tokio::time::Instant};

use super::super::batch::BatchCounts;
use super::super::decode::{self, EnrichRequest};
use super::super::enrich::{check_found, render_options};
use super::super::fields::Fields;
use super::super::middleware::AnswerLimit;
use super::super::options::Options;
use super::super::problem::{Code, Problem, ProblemBody};
use super::super::respond::{ItemCounts, RequestLog};
use crate::app::Service;
use crate::domain::enrichment::Answer;
use crate::domain::subject::Question;
use crate::domain::subject::field_names::FieldMeaning;
use crate::formats::{self, BatchLine, Format, OutputOptions};
use crate::lookup::{Context, ItemOutcome};
use crate::mcp::{self, ArgumentError, Detail, LookupOptions, Place, Reply, ToolCall, ToolResult};

/// How long after the deadline a tool that still runs is cut off. The request itself is cut off later, without a result.
const CUTOFF_GRACE: Duration = Duration::from_millis(50);
/// What a message needs beside an answer in full: its text, its id, its members.
const MESSAGE_BYTES: usize = 32 << 10;

/// A tool.
#[derive(Clone, Copy)]
enum Tool {
    Lookup,
    LookupMany,
}

impl Tool {
    fn named(name: &str) -> Option<Self> {
        [Self::Lookup, Self::LookupMany].into_iter().find(|tool| tool.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lookup => mcp::LOOKUP,
            Self::LookupMany => mcp::LOOKUP_MANY,
        }
    }

    async fn run(
        self,
        service: &Service,
        arguments: Map<String, Value>,
        ctx: &Context,
        limit: AnswerLimit,
    ) -> Result<(ToolResult, RequestLog), Problem> {
        match self {
            Self::Lookup => look_up(service, arguments, ctx, limit).await,
            Self::LookupMany => look_up_many(service, arguments, ctx).await,
        }
    }
}

/// Runs the tool of a call. A problem, even a panic, is a result too, so that the model reads what to correct.
pub(super) async fn answer(
    service: &Service,
    mut call: ToolCall,
    ctx: &Context,
    limit: AnswerLimit,
) -> (Reply, RequestLog) {
    let Some(tool) = Tool::named(&call.tool) else { return (call.unknown_tool(), RequestLog::default()) };
    let arguments = std::mem::take(&mut call.arguments);
    let run = AssertUnwindSafe(tool.run(service, arguments, ctx, limit)).catch_unwind();
    let outcome = match timeout_at(ctx.deadline.instant() + CUTOFF_GRACE, run).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Problem::new(Code::Internal, "A bug of this service: report the request id.")),
        Err(_) => Err(Problem::new(Code::UpstreamTimeout, "There was no answer in time: ask again.")),
    };
    let (result, request_log) = outcome.unwrap_or_else(|problem| result_of(problem, &ctx.request_id));
    (call.reply(result), RequestLog { tool: Some(tool.name()), ..request_log })
}

/// Runs the tool of a call over stdio, where a call is a request of its own.
#[cfg(feature = "cli")]
pub(crate) async fn answer_over_stdio(service: Arc<Service>, call: ToolCall) -> Reply {
    let started = Instant::now();
    let ctx = Context::new(Deadline::after(service.timeout), middleware::new_id(), None);
    let (reply, request_log) = answer(&service, call, &ctx, AnswerLimit::default()).await;
    let request_log = RequestLog { caller: Some("stdio".into()), ..request_log };
    let line = middleware::LogLine {
        status: StatusCode::OK,
        started,
        is_cold_start: false,
        route: Some("mcp"),
        format: Some(Format::Json.as_str()),
        trace_id: None,
        quota: service.quota_of(&ctx),
    };
    middleware::log_request(&ctx, &line, &request_log);
    reply
}

/// The result of a problem: what to do as text, and the problem itself.
fn result_of(problem: Problem, request_id: &str) -> (ToolResult, RequestLog) {
    let problem = problem.with_wait_in_detail();
    let (text, request_log) = (problem.detail().to_owned(), problem.request_log());
    (ToolResult { text, structured: raw(&problem.body(request_id)), is_error: true }, request_log)
}

async fn look_up(
    service: &Service,
    mut arguments: Map<String, Value>,
    ctx: &Context,
    limit: AnswerLimit,
) -> Result<(ToolResult, RequestLog), Problem> {
    let LookupOptions { limit: alerts, detail } = LookupOptions::take(&mut arguments)?;
    let fields = Fields::from_object(arguments)?;
    let request = decode::read_without_options(fields, Options::with_limit(alerts)).map_err(for_one_subject)?;
    let answer = service.enricher.enrich(&request.question, ctx).await.map_err(Problem::from);
    let answer = found(answer, &request)?;
    let options = render_options(&request, None);
    let render = |format, max_bytes| formats::render(&answer, &options, OutputOptions::of(format), max_bytes);
    let structured = match detail {
        Detail::Brief => raw(&mcp::brief(&answer.enrichment(&options), Place::Single)),
        Detail::Full => {
            let json = String::from_utf8(render(Format::Json, limit.0.saturating_sub(MESSAGE_BYTES))).ok();
            json.and_then(|json| RawValue::from_string(json).ok()).unwrap_or_else(null)
        }
    };
    let text = String::from_utf8_lossy(&render(Format::Markdown, limit.0)).into_owned();
    Ok((ToolResult { text, structured, is_error: false }, RequestLog::of(&answer)))
}

/// The results of several lookups.
#[derive(Serialize)]
struct Results {
    results: Vec<ItemResult>,
    counts: BatchCounts,
}

/// The result of one of several lookups.
#[derive(Serialize)]
#[serde(untagged)]
enum ItemResult {
    Found { status: u16, brief: Value },
    Failed { status: u16, problem: ProblemBody },
}

async fn look_up_many(
    service: &Service,
    mut arguments: Map<String, Value>,
    ctx: &Context,
) -> Result<(ToolResult, RequestLog), Problem> {
    let values = mcp::take_values(&mut arguments)?;
    let mut outcomes = Vec::with_capacity(values.len());
    let (mut positions, mut requests) = (Vec::new(), Vec::new());
    for (at, value) in values.iter().enumerate() {
        match Question::from_field(FieldMeaning::Value, value) {
            Ok(question) => {
                positions.push(at);
                let options = Options::with_limit(mcp::DEFAULT_ALERTS);
                requests.push(EnrichRequest { question, options, warnings: Vec::new() });
                outcomes.push(None);
            }
            Err(error) => outcomes.push(Some(Err(Problem::of_subject(&error, format!("/values/{at}"))))),
        }
    }
    let questions: Vec<_> =
        requests.iter().map(|request| (request.question.clone(), request.options.with_context())).collect();
    let take = |index: usize, ItemOutcome { answer, ctx: _ }: ItemOutcome| {
        let (Some(position), Some(request)) = (positions.get(index), requests.get(index)) else { return };
        let outcome = found(answer.map_err(Problem::from), request).map(|answer| {
            let options = render_options(request, None);
            let enrichment = answer.enrichment(&options);
            (mcp::brief(&enrichment, Place::OneOfMany), BatchLine::answered(&enrichment))
        });
        if let Some(place) = outcomes.get_mut(*position) {
            *place = Some(outcome);
        }
    };
    service.enricher.enrich_each(&questions, ctx, take).await;

    let mut counts = ItemCounts::default();
    let (mut results, mut lines) = (Vec::new(), Vec::new());
    for (value, outcome) in values.iter().zip(outcomes) {
        match outcome.unwrap_or_else(|| Err(Problem::new(Code::Internal, "A bug of this service."))) {
            Ok((brief, line)) => {
                counts.add(None);
                lines.push(line);
                results.push(ItemResult::Found { status: 200, brief });
            }
            Err(problem) => {
                let problem = problem.with_wait_in_detail();
                counts.add(Some(problem.code.as_str()));
                lines.push(BatchLine::failed(value, problem.detail()));
                let problem = problem.body(&ctx.request_id);
                results.push(ItemResult::Failed { status: problem.status, problem });
            }
        }
    }
    let shown = BatchCounts { requests: results.len(), ok: counts.ok, failed: counts.failed, pending: 0 };
    let structured = raw(&Results { results, counts: shown });
    let result = ToolResult { text: formats::markdown_lines(&lines), structured, is_error: false };
    Ok((result, RequestLog { items: Some(counts), ..RequestLog::default() }))
}

/// Returns the answer, or the problem that Defender does not know its subject.
fn found(answer: Result<Answer, Problem>, request: &EnrichRequest) -> Result<Answer, Problem> {
    let known = answer.and_then(|answer| check_found(&answer, request).map(|()| answer));
    known.map_err(|problem| problem.with_kind(Some(request.question.subject.kind())))
}

/// Replaces the text about several subjects by one that names the other tool.
fn for_one_subject(problem: Problem) -> Problem {
    if problem.code == Code::AmbiguousRequest {
        let detail = "Name exactly one subject. To look up several, pass them as values of defender_lookup_many.";
        return Problem::new(Code::AmbiguousRequest, detail);
    }
    problem
}

impl From<ArgumentError> for Problem {
    fn from(error: ArgumentError) -> Self {
        let code = match error {
            ArgumentError::Limit | ArgumentError::Detail | ArgumentError::Values => Code::InvalidRequest,
            ArgumentError::TooManyValues => Code::TooManyRequestsInBatch,
        };
        Self::at(code, format!("/{}", error.argument()), error.to_string())
    }
}

/// Serializes a value. Serialization cannot fail: it consists of strings, numbers and lists.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| null())
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}
