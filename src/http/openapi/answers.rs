//! What comes back: the media types of an answer, and outlines of the formats that other people's pages describe in full.

use serde_json::{Map, Value, json};

use crate::http::problem::Code;
use crate::render::Format;

/// The name of the schema of a format's bodies, where they are JSON.
fn schema_of(format: Format) -> Option<&'static str> {
    match format {
        Format::Json => Some("Enrichment"),
        Format::Ocsf => Some("Ocsf"),
        Format::Ecs => Some("EcsDocuments"),
        Format::Slack => Some("SlackMessage"),
        Format::Teams => Some("TeamsMessage"),
        Format::OcsfNdjson | Format::Markdown | Format::Text => None,
    }
}

/// An answer in any format, by media type.
pub(super) fn answer_content() -> Value {
    let mut content = Map::new();
    let json: Vec<_> = Format::ALL.into_iter().filter_map(schema_of).map(reference).collect();
    content.insert("application/json".to_owned(), json!({"schema": {"oneOf": json}}));
    for format in Format::ALL.into_iter().filter(|format| !format.is_json()) {
        let essence = format.media_type().split(';').next().unwrap_or_default();
        let description = format!("format={}.", format.as_str());
        content.insert(essence.to_owned(), json!({"schema": {"type": "string", "description": description}}));
    }
    Value::Object(content)
}

/// A body of one schema.
pub(super) fn json_content(schema: &str) -> Value {
    json!({"application/json": {"schema": reference(schema)}})
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// The answers of an operation: what is good, and a problem for each status.
pub(super) fn responses(content: &Value, description: &str) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({"description": description, "content": content}));
    for code in Code::ALL {
        let status = code.status().as_str().to_owned();
        responses.entry(status).or_insert_with(|| json!({"$ref": "#/components/responses/Problem"}));
    }
    Value::Object(responses)
}

pub(super) fn problem_response() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| format!("{} {}", code.status().as_u16(), code.as_str())).collect();
    json!({
        "description": format!("A problem (RFC 9457), whatever the format. The codes: {}.", codes.join(", ")),
        "headers": {
            "X-Request-Id": {"description": "The request's name.", "schema": {"type": "string"}},
            "Retry-After": {"description": "Seconds, where waiting helps.", "schema": {"type": "integer"}}
        },
        "content": {"application/problem+json": {"schema": reference("Problem")}}
    })
}

/// Outlines of the formats that are described elsewhere: what a reader can count on to tell them apart.
pub(super) fn outlines() -> [(&'static str, Value); 5] {
    [
        (
            "OcsfFinding",
            json!({
                "type": "object",
                "description": "format=ocsf: a Detection Finding or an Incident Finding. In full: https://schema.ocsf.io/1.8.0/.",
                "required": ["class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata"],
                "properties": {
                    "class_uid": {"type": "integer", "enum": [2004, 2005], "description": "2004: a Detection Finding, of an alert. 2005: an Incident Finding."},
                    "category_uid": {"const": 2},
                    "activity_id": {"type": "integer"},
                    "type_uid": {"type": "integer", "description": "class_uid * 100 + activity_id."},
                    "severity_id": {"type": "integer"},
                    "time": {"type": "integer", "description": "Milliseconds since 1970."},
                    "metadata": {"type": "object", "required": ["version", "product"], "properties": {"version": {"const": "1.8.0"}, "product": {"type": "object"}}}
                }
            }),
        ),
        (
            "Ocsf",
            json!({
                "description": "format=ocsf: one finding of an alert or an incident; the bundle of a list's findings.",
                "oneOf": [
                    {"$ref": "#/components/schemas/OcsfFinding"},
                    {
                        "type": "object",
                        "required": ["events", "count"],
                        "properties": {
                            "events": {"type": "array", "items": {"$ref": "#/components/schemas/OcsfFinding"}},
                            "count": {"type": "integer"},
                            "start_time": {"type": "integer"},
                            "end_time": {"type": "integer"}
                        }
                    }
                ]
            }),
        ),
        (
            "EcsDocuments",
            json!({
                "type": "array",
                "description": "format=ecs: one document of the Elastic Common Schema 8.17.0 for each listed alert. In full: https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html. What has no field there is in microsoft.defender; its members named extra are best mapped as flattened.",
                "items": {
                    "type": "object",
                    "required": ["@timestamp", "ecs", "event", "microsoft"],
                    "properties": {
                        "@timestamp": {"type": "string", "format": "date-time"},
                        "ecs": {"type": "object", "required": ["version"], "properties": {"version": {"const": "8.17.0"}}},
                        "event": {"type": "object", "required": ["kind", "category", "type"], "properties": {"kind": {"const": "alert"}}},
                        "microsoft": {"type": "object", "required": ["defender"], "properties": {"defender": {"type": "object"}}}
                    }
                }
            }),
        ),
        (
            "SlackMessage",
            json!({
                "type": "object",
                "description": "format=slack: a message for chat.postMessage, a response_url or an incoming webhook. In full: https://docs.slack.dev/reference/block-kit/.",
                "required": ["text", "blocks"],
                "properties": {
                    "text": {"type": "string", "description": "The message where blocks are not shown."},
                    "blocks": {"type": "array", "maxItems": 50, "items": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}}
                }
            }),
        ),
        (
            "TeamsMessage",
            json!({
                "type": "object",
                "description": "format=teams: a message with one Adaptive Card, for an outgoing webhook's reply or a Workflows URL. In full: https://adaptivecards.io/explorer/.",
                "required": ["type", "attachments"],
                "properties": {
                    "type": {"const": "message"},
                    "attachments": {
                        "type": "array", "minItems": 1, "maxItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["contentType", "content"],
                            "properties": {
                                "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                                "content": {"type": "object", "required": ["type", "version", "body"], "properties": {"type": {"const": "AdaptiveCard"}, "version": {"const": "1.4"}, "body": {"type": "array"}}}
                            }
                        }
                    }
                }
            }),
        ),
    ]
}
