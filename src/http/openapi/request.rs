//! What can be asked: subjects and options, as members of a body and as parameters of a query.

use serde_json::{Map, Value, json};

use crate::domain::subject::field_names;
use crate::http::options::{LISTED, MOST_LISTED};
use crate::render::{Format, Shape};

/// The subjects that a request can name, with what is accepted for each.
fn subjects() -> [(&'static str, Value); 9] {
    [
        ("alert_id", json!({"type": "string", "description": "An alert's id, or a portal link to it."})),
        (
            "machine",
            json!({"type": "string", "description": "A device id (40 hexadecimal digits), a DNS or NetBIOS name, or a portal link."}),
        ),
        (
            "user",
            json!({"type": "string", "description": "An account name, DOMAIN\\name, name@domain, or a portal link; on Graph also a SID or an object id."}),
        ),
        ("file_hash", json!({"type": "string", "description": "A SHA-1 or SHA-256; MD5 is refused."})),
        (
            "incident_id",
            json!({"type": ["integer", "string"], "description": "An incident's number, or a portal link to it."}),
        ),
        (
            "ip",
            json!({"type": "string", "description": "An address of version 4 or 6, in any form, also defanged (192[.]0[.]2[.]7)."}),
        ),
        ("domain", json!({"type": "string", "description": "A DNS name, also defanged (evil[.]example)."})),
        (
            "url",
            json!({"type": "string", "description": "A URL, also defanged (hxxps://evil[.]example/x): its host is asked about, as a domain or an address."}),
        ),
        (
            "value",
            json!({"type": ["string", "integer"], "description": "Anything of these. It is asked as each kind that its form allows, until one finds something."}),
        ),
    ]
}

fn options() -> [(&'static str, Value); 6] {
    [
        (
            "format",
            json!({
                "type": "string", "enum": Format::ALL.map(Format::as_str), "default": "json",
                "description": "The shape of the answer. Where it is not given, the Accept header of a single request can name one."
            }),
        ),
        (
            "include",
            json!({
                "type": ["string", "array"], "items": {"type": "string", "enum": ["raw", "context"]},
                "description": "raw, context or both, as a list or with a comma between them. raw adds the upstream body to json, ocsf and ocsf_ndjson; the other formats have no place for it. context asks for what Defender says of the subject itself."
            }),
        ),
        (
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": LISTED, "description": "Alerts listed at most."}),
        ),
        (
            "max_chars",
            json!({"type": "integer", "minimum": Shape::LEAST_CHARS, "maximum": Shape::MOST_CHARS, "default": Shape::MAX_CHARS, "description": "Characters of a markdown answer at most; the other formats take no notice."}),
        ),
        (
            "not_found",
            json!({"type": "integer", "enum": [404, 200], "default": 404, "description": "How a subject that Defender does not know is told."}),
        ),
        (
            "notify",
            json!({"type": "string", "description": "The name of a destination of the caller secret that gets the answer as well. What became of it is told in notified, and for one subject in the header X-Notified."}),
        ),
    ]
}

fn is_subject(word: &str) -> bool {
    subjects().iter().any(|(name, _)| *name == word)
}

pub(super) fn request_schema() -> Value {
    let others: Vec<_> = field_names::all().map(|(_, word)| word).filter(|word| !is_subject(word)).collect();
    let description = format!(
        "Exactly one subject, and options. A null or empty field counts as absent. Case, _ and - do not matter in names. Where \
         none of alert_id, machine, user, file_hash, incident_id and value is there, other words name a subject as well: {}.",
        others.join(", ")
    );
    let properties: Map<_, _> =
        subjects().into_iter().chain(options()).map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "description": description,
        "properties": properties
    })
}

pub(super) fn batch_request_schema() -> Value {
    let subjects: Map<_, _> = subjects().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "anyOf": [
            {
                "type": "object",
                "required": ["requests"],
                "properties": {
                    "requests": {
                        "type": "array", "minItems": 1, "maxItems": 25,
                        "items": {"$ref": "#/components/schemas/Request"}
                    }
                }
            },
            {"type": "object", "description": "One object with several subjects: a batch of them.", "properties": subjects}
        ]
    })
}

fn parameters(properties: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<Value> {
    let parameter = |(name, schema): (&str, Value)| json!({"name": name, "in": "query", "required": false, "description": schema.get("description"), "schema": schema});
    properties.into_iter().map(parameter).collect()
}

/// A subject and options in the query.
pub(super) fn query_parameters() -> Vec<Value> {
    parameters(subjects().into_iter().chain(options()))
}

/// Options in the query beside a body.
pub(super) fn option_parameters() -> Vec<Value> {
    parameters(options())
}
