//! `/v1/enrich/batch`: up to 25 subjects, with one answer for each, in request order.
//!
//! The envelope is always JSON, whatever `Accept` says: its answers may have several formats, which `format` selects.

use axum::body::Body;
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::json_bytes;
use super::decode::{self, EnrichRequest};
use super::enrich::query_options;
use super::fields::Fields;
use super::options::Options;
use super::problem::{Code, Problem, ProblemBody};
use super::respond::Call;
use super::work::Work;
use crate::domain::enrichment::{Enrichment, SCHEMA_VERSION};
use crate::domain::notified::Notified;
use crate::domain::warning::Warning;

/// The maximum number of subjects in one batch.
pub(super) const MAX_SUBJECTS: usize = 25;

/// The answer to a batch.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Batch")]
pub(super) struct BatchBody {
    /// The version of this shape.
    #[schemars(with = "String", regex(pattern = r"^1\.[0-9]+$"))]
    schema_version: &'static str,
    /// One per subject, in their order.
    results: Vec<BatchItem>,
    /// How they went.
    counts: BatchCounts,
    /// What became of them at the destination that the request names; absent where it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    notified: Option<Notified>,
}

/// How the subjects of a batch went.
#[derive(Clone, Copy, Serialize, JsonSchema)]
pub(super) struct BatchCounts {
    /// Subjects.
    pub(super) requests: usize,
    /// With an answer.
    pub(super) ok: usize,
    /// With a problem.
    pub(super) failed: usize,
    /// Of a hook: still looked up when it had to be answered; absent where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) pending: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What became of one subject.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum BatchItem {
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
        /// What was asked about, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        /// The problem.
        problem: ProblemBody,
    },
    Pending {
        /// 202: the lookup goes on after this answer.
        status: u16,
        /// What is asked about.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
}

impl BatchItem {
    /// Returns the length of the embedded answer, which makes up most of the item's size.
    pub(super) fn answer_length(&self) -> usize {
        match self {
            Self::Answered { enrichment, .. } => enrichment.get().len(),
            Self::Failed { .. } | Self::Pending { .. } => 0,
        }
    }
}

impl BatchBody {
    /// Builds the body of these items, with their counts.
    pub(super) fn of(results: Vec<BatchItem>, notified: Option<Notified>) -> Self {
        let mut counts = BatchCounts { requests: results.len(), ok: 0, failed: 0, pending: 0 };
        for item in &results {
            match item {
                BatchItem::Answered { .. } => counts.ok += 1,
                BatchItem::Failed { .. } => counts.failed += 1,
                BatchItem::Pending { .. } => counts.pending += 1,
            }
        }
        Self { schema_version: SCHEMA_VERSION, results, counts, notified }
    }

    /// Serializes the body.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Serialization cannot fail: the body holds strings, numbers and values that are valid JSON already.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// One entry of a batch: a valid request, or the problem with it.
pub(super) struct Item {
    /// What the caller wrote, where it is known.
    pub(super) input: Option<String>,
    /// The parsed request, or why it is invalid.
    pub(super) request: Result<EnrichRequest, Problem>,
}

impl From<Result<EnrichRequest, Problem>> for Item {
    fn from(request: Result<EnrichRequest, Problem>) -> Self {
        Self { input: request.as_ref().ok().map(|request| request.question.input.clone()), request }
    }
}

/// The schema of a body in any format: an object, a list, or a string for formats that are not JSON.
fn enrichment_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [
        generator.subschema_for::<Enrichment<'static>>(),
        {"type": "object"},
        {"type": "array", "items": {"type": "object"}},
        {"type": "string"}
    ]})
}

/// `POST /v1/enrich/batch`.
pub(super) async fn from_body(call: &Call, body: Body) -> Result<Response, Problem> {
    let bytes = json_bytes(&call.parts.headers, body).await?;
    if bytes.is_empty() {
        return Err(Problem::new(Code::InvalidJson, "The body is empty: send {\"requests\":[…]}."));
    }
    let (defaults, query_warnings) = query_options(call.query())?;
    let mut fields = Fields::from_json(&bytes)?;
    let options = Options::take(&mut fields)?.or(defaults);
    let items = items(fields, &options, &query_warnings)?;
    let work = Work::new(call.service.clone(), items, &options, &call.request_context).await?;
    work.run(&call.request_context.ctx).await;
    Ok(work.response())
}

/// Reads the items of an envelope: those of `requests`, or each subject of an object with several.
fn items(mut fields: Fields, options: &Options, query_warnings: &[Warning]) -> Result<Vec<Item>, Problem> {
    let pointer = fields.pointer("requests");
    let mut items = match fields.take_raw("requests") {
        Some(raw) => {
            if let Some(decode::Subject { name, .. }) = decode::subjects(&mut fields)?.first() {
                let detail = "requests names what is asked about: name no subject beside it.";
                return Err(Problem::at(Code::AmbiguousRequest, fields.pointer(name), detail));
            }
            items_of_list(&raw, &pointer, options)?
        }
        None => items_of_object(&mut fields, options)?,
    };
    // Each item carries the warnings about the envelope.
    for request in items.iter_mut().filter_map(|item| item.request.as_mut().ok()) {
        request.warnings.extend(decode::unknown_fields(&fields));
        request.warnings.extend_from_slice(query_warnings);
    }
    if items.is_empty() {
        let detail = "Send {\"requests\":[…]} with 1 to 25 subjects, or one object with several subjects.";
        return Err(Problem::new(Code::InvalidRequest, detail));
    }
    Ok(items)
}

/// Reads `{"requests":[…]}`, in which each item is an object of its own.
fn items_of_list(raw: &RawValue, pointer: &str, options: &Options) -> Result<Vec<Item>, Problem> {
    let not_a_list = |_| Problem::at(Code::InvalidRequest, pointer, "requests has to be a list of objects.");
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(not_a_list)?;
    if items.len() > MAX_SUBJECTS {
        let detail = format!("A batch has at most {MAX_SUBJECTS} subjects: send the others in another.");
        return Err(Problem::at(Code::TooManyRequestsInBatch, pointer, detail));
    }
    let item = |(at, raw)| match Fields::from_raw(raw, format!("{pointer}/{at}")) {
        Ok(fields) => decode::read_item(fields, options.clone()),
        Err(problem) => Item::from(Err(problem)),
    };
    Ok(items.into_iter().enumerate().map(item).collect())
}

/// Makes an item of each subject of one object, which is what the templates of SIEMs send.
fn items_of_object(fields: &mut Fields, options: &Options) -> Result<Vec<Item>, Problem> {
    let subjects = decode::subjects(fields)?;
    let item = |subject: decode::Subject| {
        let question = subject.question(|| fields.pointer(&subject.name));
        let request =
            question.map(|question| EnrichRequest { question, options: options.clone(), warnings: Vec::new() });
        Item { input: subject.text(), request }
    };
    Ok(subjects.into_iter().map(item).collect())
}
