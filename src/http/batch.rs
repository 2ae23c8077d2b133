//! `/v1/enrich/batch`: up to 25 subjects, one answer each, in their order.
//!
//! The envelope is always JSON, whatever `Accept` says: it holds answers of several formats, each asked for by `format`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::json_bytes;
use super::decode::{self, Asked};
use super::edge::{AnswerLimit, Visit};
use super::enrich::{check_found, query_options, showing};
use super::fields::Fields;
use super::notify::{self, Addressee};
use super::options::Options;
use super::problem::{Code, Problem, ProblemBody};
use super::respond::{self, Told};
use crate::domain::enrichment::{Answer, Enrichment, SCHEMA_VERSION};
use crate::domain::notified::Notified;
use crate::domain::warning::Warning;
use crate::render::{self, BodyForm, Shape};
use crate::service::Service;

/// Subjects of one batch.
const MOST: usize = 25;

/// The answer to a batch.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Batch")]
pub(super) struct BatchBody {
    /// The version of this shape.
    #[schemars(with = "String")]
    schema_version: &'static str,
    /// One per subject, in their order.
    results: Vec<Item>,
    /// How they went.
    counts: BatchCounts,
}

/// How the subjects of a batch went.
#[derive(Serialize, JsonSchema)]
struct BatchCounts {
    /// Subjects.
    requests: usize,
    /// With an answer.
    ok: usize,
    /// With a problem.
    failed: usize,
}

/// What became of one subject.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "BatchItem")]
enum Item {
    Answered {
        /// 200.
        status: u16,
        /// The answer, as it would have been alone.
        #[schemars(schema_with = "enrichment_schema")]
        enrichment: Box<RawValue>,
    },
    Failed {
        /// The status that the problem would have had alone.
        status: u16,
        /// The problem.
        problem: ProblemBody,
    },
}

fn enrichment_schema(generator: &mut SchemaGenerator) -> Schema {
    let other = json_schema!({
        "description": "The body of another format: an object or a list, or a string where that format is no JSON.",
        "type": ["object", "array", "string"]
    });
    json_schema!({"anyOf": [generator.subschema_for::<Enrichment<'static>>(), other]})
}

/// `POST /v1/enrich/batch`.
pub(super) async fn from_body(
    State(service): State<Arc<Service>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    respond::admitted(&service, &parts, body, &visit, async |body| {
        let bytes = json_bytes(&parts.headers, body).await?;
        let (defaults, others) = query_options(parts.uri.query())?;
        if bytes.is_empty() {
            return Err(Problem::new(Code::InvalidJson, "The body is empty: send {\"requests\":[…]}."));
        }
        let mut fields = Fields::from_json(&bytes)?;
        let options = Options::take(&mut fields)?.or(defaults);
        let items = items(fields, &options, &others)?;
        let answered = answer(&service, items, &options, &visit).await?;
        Ok(respond::json(answered, Told { kind: Some("batch"), ..Told::default() }))
    })
    .await
}

/// The items of an envelope: those of `requests`, or each subject of an object with several.
fn items(mut fields: Fields, options: &Options, others: &[Warning]) -> Result<Vec<Result<Asked, Problem>>, Problem> {
    let pointer = fields.pointer("requests");
    let mut items = match fields.take_raw("requests") {
        Some(raw) => listed(&raw, &pointer, options)?,
        None => spread(&mut fields, options)?,
    };
    // What surrounds the items is told with each of them.
    for asked in items.iter_mut().flatten() {
        asked.warnings.extend(decode::unknown_fields(&fields));
        asked.warnings.extend_from_slice(others);
    }
    if items.is_empty() {
        let detail = "Send {\"requests\":[…]} with 1 to 25 subjects, or one object with several subjects.";
        return Err(Problem::new(Code::InvalidRequest, detail));
    }
    Ok(items)
}

/// `{"requests":[…]}`: each item an object of its own.
fn listed(raw: &RawValue, pointer: &str, options: &Options) -> Result<Vec<Result<Asked, Problem>>, Problem> {
    let not_a_list = |_| Problem::at(Code::InvalidRequest, pointer, "requests has to be a list of objects.");
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(not_a_list)?;
    if items.len() > MOST {
        let detail = format!("A batch has at most {MOST} subjects: send the others in another.");
        return Err(Problem::at(Code::TooManyRequestsInBatch, pointer, detail));
    }
    let item = |(at, raw)| decode::asked(Fields::from_raw(raw, format!("{pointer}/{at}"))?, options.clone());
    Ok(items.into_iter().enumerate().map(item).collect())
}

/// One object with several subjects, as a SIEM's template sends it: an item for each.
fn spread(fields: &mut Fields, options: &Options) -> Result<Vec<Result<Asked, Problem>>, Problem> {
    let named = decode::subjects(fields)?;
    let item = |(name, value): (String, Value)| {
        let question = decode::question(&name, value, || fields.pointer(&name))?;
        Ok(Asked { question, options: options.clone(), warnings: Vec::new() })
    };
    Ok(named.into_iter().map(item).collect())
}

/// Posts that are under way at once.
const POSTS_IN_FLIGHT: usize = 4;

/// A subject that makes sense, and who is to get its answer as well.
type Addressed = (Option<Addressee>, Asked);
type Outcome = Result<(Asked, Answer, Option<Notified>), Problem>;

/// Answers the items, and tells those whom they name, or whom the options `around` them name.
pub(super) async fn answer(
    service: &Service,
    items: Vec<Result<Asked, Problem>>,
    around: &Options,
    visit: &Visit,
) -> Result<Vec<u8>, Problem> {
    let named = items.iter().flatten().map(|asked| &asked.options).chain([around]);
    let destinations = notify::destinations(service, named, &visit.ctx).await?;
    notify::addressee(&destinations, around)?;
    let with_addressee = |asked: Asked| Ok((notify::addressee(&destinations, &asked.options)?, asked));
    let items: Vec<Result<Addressed, Problem>> = items.into_iter().map(|item| item.and_then(with_addressee)).collect();
    let asked = items.iter().flatten().map(|(_, asked)| asked);
    let questions: Vec<_> = asked.map(|asked| asked.question.clone()).collect();
    let mut answers = service.enricher.enrich_all(&questions, &visit.ctx).await.into_iter();
    let answered: Vec<_> = items
        .into_iter()
        .map(|item| {
            let (addressee, asked) = item?;
            // There is one answer for each question, in their order.
            let answer = answers.next().ok_or_else(|| Problem::new(Code::Internal, "A bug of this service."))??;
            check_found(&answer, &asked)?;
            Ok((addressee, asked, answer))
        })
        .collect();
    let ctx = &notify::time_to_post(&visit.ctx);
    let told = |item: Result<(Option<Addressee>, Asked, Answer), Problem>| async move {
        let (addressee, asked, answer) = item?;
        let notified = notify::tell(addressee.as_ref(), service, &answer, &asked, ctx).await;
        Ok((asked, answer, notified))
    };
    let outcomes: Vec<Outcome> = stream::iter(answered).map(told).buffered(POSTS_IN_FLIGHT).collect().await;
    let whole = body(&outcomes, visit, visit.limit);
    if render::fits(&whole, visit.limit.0) {
        return Ok(whole);
    }
    Ok(body(&outcomes, visit, AnswerLimit(visit.limit.0 / outcomes.len().max(1))))
}

/// The answer to the batch, with `each` for an item.
fn body(outcomes: &[Outcome], visit: &Visit, each: AnswerLimit) -> Vec<u8> {
    let results: Vec<_> = outcomes.iter().map(|outcome| item(outcome, visit, each)).collect();
    let ok = results.iter().filter(|item| matches!(item, Item::Answered { .. })).count();
    let counts = BatchCounts { requests: results.len(), ok, failed: results.len() - ok };
    // Strings, numbers and bodies that are JSON already: it always serializes.
    serde_json::to_vec(&BatchBody { schema_version: SCHEMA_VERSION, results, counts }).unwrap_or_default()
}

fn item(outcome: &Outcome, visit: &Visit, each: AnswerLimit) -> Item {
    let raw = match outcome {
        Ok((asked, answer, notified)) => embedded(answer, asked, notified.as_ref(), each),
        Err(problem) => Err(problem.clone()),
    };
    match raw {
        Ok(enrichment) => Item::Answered { status: 200, enrichment },
        Err(problem) => {
            let problem = problem.body(&visit.ctx.request_id);
            Item::Failed { status: problem.status, problem }
        }
    }
}

/// The body of an item as a JSON value: its own, or a string of it where its format is no JSON.
fn embedded(
    answer: &Answer,
    asked: &Asked,
    notified: Option<&Notified>,
    each: AnswerLimit,
) -> Result<Box<RawValue>, Problem> {
    let shape = asked.options.shape();
    let (form, most) = if shape.format.is_json() {
        (BodyForm::Plain, each.0)
    } else {
        // A string is escaped once more, which at most doubles what it takes.
        (BodyForm::Quoted, each.0 / 2)
    };
    let body = render::render(answer, &showing(asked, notified), Shape { form, ..shape }, most);
    let raw = String::from_utf8(body).ok().and_then(|json| RawValue::from_string(json).ok());
    raw.ok_or_else(|| Problem::new(Code::Internal, "A bug of this service."))
}
