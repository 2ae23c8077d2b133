//! The responses of the OpenAPI document: media types, and outlines of formats that are specified elsewhere.

use serde_json::{Map, Value, json};

use crate::api::problem::Code;
use crate::formats::Format;

/// The names of the schemas of a format's bodies; none if it is not JSON.
fn schemas_of(format: Format) -> &'static [&'static str] {
    match format {
        Format::Json => &["Enrichment"],
        Format::Ocsf => &["OcsfFinding", "OcsfBundle"],
        Format::Ecs => &["EcsDocuments"],
        Format::Slack => &["SlackMessage"],
        Format::Teams => &["TeamsMessage"],
        Format::OcsfNdjson | Format::Markdown | Format::Text => &[],
    }
}

/// References to the schemas of all JSON formats.
fn any_json() -> Vec<Value> {
    Format::ALL.into_iter().flat_map(schemas_of).map(|name| reference(name)).collect()
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
    let any: Vec<_> = json.iter().cloned().chain([reference("AnswerText")]).collect();
    let mut all = vec![
        (
            "Answer",
            json!({"description": "An answer in a format that is JSON: Enrichment unless format says otherwise.", "oneOf": json}),
        ),
        (
            "AnswerText",
            json!({"type": "string", "description": "An answer in a format that is no JSON: ocsf_ndjson, markdown, text."}),
        ),
        ("AnswerOrText", json!({"description": "An answer in any format.", "oneOf": any})),
    ];
    all.extend(for_siems());
    all.extend(for_chats());
    all
}

fn for_siems() -> Vec<(&'static str, Value)> {
    vec![
        (
            "OcsfFinding",
            json!({
                "type": "object",
                "description": "format=ocsf: a Detection Finding or an Incident Finding. In full: https://schema.ocsf.io/1.8.0/.",
                "required": ["class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata"],
                "properties": {
                    "class_uid": {"type": "integer", "enum": [2004, 2005], "description": "2004: a Detection Finding, of an alert. 2005: an Incident Finding."},
                    "category_uid": {"type": "integer", "enum": [2]},
                    "activity_id": {"type": "integer"},
                    "type_uid": {"type": "integer", "description": "class_uid * 100 + activity_id."},
                    "severity_id": {"type": "integer"},
                    "time": {"type": "integer", "format": "int64", "description": "Milliseconds since 1970."},
                    "metadata": {"$ref": "#/components/schemas/OcsfMetadata"}
                },
                "additionalProperties": true
            }),
        ),
        (
            "OcsfBundle",
            json!({
                "type": "object",
                "description": "format=ocsf: the findings of a list.",
                "required": ["events", "count"],
                "properties": {
                    "events": {"type": "array", "items": {"$ref": "#/components/schemas/OcsfFinding"}},
                    "count": {"type": "integer", "minimum": 0},
                    "start_time": {"type": "integer", "format": "int64", "description": "Milliseconds since 1970."},
                    "end_time": {"type": "integer", "format": "int64", "description": "Milliseconds since 1970."}
                },
                "additionalProperties": true
            }),
        ),
        (
            "OcsfMetadata",
            open_object(
                "Of which version the event is, and whose.",
                &[("version", json!({"type": "string", "enum": ["1.8.0"]})), ("product", any_object("The product."))],
            ),
        ),
        (
            "EcsDocuments",
            json!({
                "type": "array",
                "description": "format=ecs: one document of the Elastic Common Schema 8.17.0 for each listed alert.",
                "items": reference("EcsDocument")
            }),
        ),
        (
            "EcsDocument",
            open_object(
                "A document of the Elastic Common Schema 8.17.0. In full: https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html. What has no field there is in microsoft.defender; its members named extra are best mapped as flattened.",
                &[
                    ("@timestamp", json!({"type": "string", "format": "date-time"})),
                    ("ecs", open_object("The schema.", &[("version", json!({"type": "string", "enum": ["8.17.0"]}))])),
                    (
                        "event",
                        open_object(
                            "What it is.",
                            &[
                                ("kind", json!({"type": "string", "enum": ["alert"]})),
                                ("category", json!({"type": "array", "items": {"type": "string"}})),
                                ("type", json!({"type": "array", "items": {"type": "string"}})),
                            ],
                        ),
                    ),
                    (
                        "microsoft",
                        open_object("What has no field there.", &[("defender", any_object("Members of the answer."))]),
                    ),
                ],
            ),
        ),
    ]
}

fn for_chats() -> Vec<(&'static str, Value)> {
    vec![
        (
            "SlackMessage",
            json!({
                "type": "object",
                "description": "format=slack: a message for chat.postMessage, a response_url or an incoming webhook. In full: https://docs.slack.dev/reference/block-kit/.",
                "required": ["text", "blocks"],
                "properties": {
                    "text": {"type": "string", "description": "The message where blocks are not shown."},
                    "blocks": {"type": "array", "maxItems": 50, "items": reference("SlackBlock")},
                    "response_type": {"type": "string", "enum": ["ephemeral", "in_channel"], "description": "Only of an answer to Slack: who sees it."}
                },
                "additionalProperties": true
            }),
        ),
        ("SlackBlock", open_object("A block of Block Kit.", &[("type", json!({"type": "string"}))])),
        (
            "TeamsMessage",
            json!({
                "type": "object",
                "description": "format=teams: a message with one Adaptive Card, for an outgoing webhook's reply or a Workflows URL. In full: https://adaptivecards.io/explorer/.",
                "required": ["type", "attachments"],
                "properties": {
                    "type": {"type": "string", "enum": ["message"]},
                    "attachments": {"type": "array", "minItems": 1, "maxItems": 1, "items": reference("TeamsAttachment")}
                },
                "additionalProperties": true
            }),
        ),
        (
            "TeamsAttachment",
            open_object(
                "A card.",
                &[
                    ("contentType", json!({"type": "string", "enum": ["application/vnd.microsoft.card.adaptive"]})),
                    ("content", reference("AdaptiveCard")),
                ],
            ),
        ),
        (
            "AdaptiveCard",
            open_object(
                "An Adaptive Card.",
                &[
                    ("type", json!({"type": "string", "enum": ["AdaptiveCard"]})),
                    ("version", json!({"type": "string", "enum": ["1.4"]})),
                    ("body", json!({"type": "array", "items": any_object("An element of the card.")})),
                ],
            ),
        ),
    ]
}

/// An object with these members and any others.
fn open_object(description: &str, members: &[(&str, Value)]) -> Value {
    let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> = members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object", "description": description, "required": names, "properties": properties,
        "additionalProperties": true
    })
}

/// An object whose members are specified elsewhere.
fn any_object(description: &str) -> Value {
    json!({"type": "object", "description": description, "additionalProperties": true})
}
