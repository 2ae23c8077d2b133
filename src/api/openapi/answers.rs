//! The responses of the OpenAPI document: media types, and outlines of formats that are specified elsewhere.

use serde_json::{Map, Value, json};

use crate::api::problem::Code;
use crate::formats::Format;

/// References to the schemas of all JSON formats.
fn any_json() -> Vec<Value> {
    Format::ALL.into_iter().flat_map(Format::root_schemas).map(|name| reference(name)).collect()
}

/// The content of an answer, by media type.
pub(super) fn answer_content() -> Value {
    let mut content = Map::new();
    content.insert("application/json".to_owned(), json!({"schema": reference("Answer")}));
    for format in Format::ALL.into_iter().filter(|format| !format.is_json()) {
        let essence = format.media_type().split(';').next().unwrap_or_default();
        let description = format!("format={}.", format.as_str());
        content.insert(essence.to_owned(), json!({"schema": {"type": "string", "description": description}}));
    }
    Value::Object(content)
}

/// A JSON body with one schema.
pub(super) fn json_content(schema: &str) -> Value {
    json!({"application/json": {"schema": reference(schema)}})
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// A successful response.
pub(super) fn success(description: &str, content: &Value, with: &[&str]) -> Value {
    json!({"description": description, "headers": headers(with), "content": content})
}

fn headers(names: &[&str]) -> Value {
    let header = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    Value::Object(["X-Request-Id"].iter().chain(names).map(header).collect())
}

/// The headers that responses can have.
pub(super) fn header_components() -> Value {
    json!({
        "X-Request-Id": {"description": "The request's name: the caller's, if it sent a sane one.", "required": true, "schema": {"type": "string"}},
        "Retry-After": {"description": "When to come again, in seconds; only where waiting helps.", "schema": {"type": "integer", "minimum": 1}},
        "X-Notified": {"description": "What became of the answer at the destination that notify names; only with notify.", "schema": {"type": "string"}},
        "X-Repeated": {"description": "true where this answers a delivery that was answered before.", "schema": {"type": "string", "enum": ["true"]}},
        "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
        "WWW-Authenticate": {"description": "How to prove who calls; a line for each way.", "schema": {"type": "string"}}
    })
}

/// The name of the problem response with this status.
fn response_of(status: u16) -> String {
    format!("Problem{status}")
}

/// References to the problem responses whose status matches.
pub(super) fn problems(of: impl Fn(u16) -> bool) -> Map<String, Value> {
    let statuses = Code::ALL.iter().map(|code| code.status().as_u16()).filter(|status| of(*status));
    statuses
        .map(|status| (status.to_string(), json!({"$ref": format!("#/components/responses/{}", response_of(status))})))
        .collect()
}

/// One response for each status of a problem.
pub(super) fn problem_responses() -> Value {
    let mut responses = Map::new();
    for status in Code::ALL.iter().map(|code| code.status().as_u16()) {
        let codes: Vec<_> = Code::ALL.iter().filter(|code| code.status().as_u16() == status).collect();
        let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let with: &[&str] = match status {
            401 => &["WWW-Authenticate"],
            405 => &["Allow"],
            429 | 503 => &["Retry-After"],
            _ => &[],
        };
        let content = json!({"application/problem+json": {"schema": reference("Problem")}});
        responses.insert(response_of(status), success(&format!("A problem: {}.", words.join(", ")), &content, with));
    }
    Value::Object(responses)
}

/// Outlines of formats that are specified elsewhere: the members by which a reader can tell them apart.
pub(super) fn outlines() -> Vec<(&'static str, Value)> {
    let json = any_json();
    let texts: Vec<_> = Format::ALL.into_iter().filter(|format| !format.is_json()).map(Format::as_str).collect();
    let any: Vec<_> = json.iter().cloned().chain([reference("AnswerText")]).collect();
    let mut all = vec![
        (
            "Answer",
            json!({"description": "An answer in a format that is JSON: Enrichment unless format says otherwise.", "oneOf": json}),
        ),
        (
            "AnswerText",
            json!({"type": "string", "description": format!("An answer in a format that is no JSON: {}.", texts.join(", "))}),
        ),
        ("AnswerOrText", json!({"description": "An answer in any format.", "oneOf": any})),
    ];
    all.extend(Format::ALL.into_iter().flat_map(Format::schema_definitions));
    all
}
