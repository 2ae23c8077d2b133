//! The OpenAPI document and the JSON Schemas. They are generated from the types and the table of routes, and
//! published as files, which a test compares with the generated ones.

mod answers;
mod flat;
mod operations;
mod plain;
mod request;

use axum::response::Response;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::answers::{header_components, outlines, problem_responses};
use self::operations::{paths, tags};
use self::request::{batch_request_schema, bodies, request_schema};
use super::batch::BatchBody;
use super::problem::ProblemBody;
use super::respond::{self, RequestLog};
use crate::domain::enrichment::Enrichment;

/// The published document of this version.
const PUBLISHED: &str = include_str!("../../../schemas/openapi.json");

/// `GET /v1/openapi.json`.
pub(super) fn published() -> Response {
    respond::json(PUBLISHED.as_bytes().to_vec(), RequestLog::default())
}

/// The JSON Schemas of all bodies, by file name.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("enrichment.schema.json", titled("Enrichment", answer::<Enrichment<'static>>())),
        ("batch.schema.json", titled("Batch", answer::<BatchBody>())),
        ("problem.schema.json", titled("Problem", answer::<ProblemBody>())),
        ("request.schema.json", titled("Request", request_schema())),
        ("batch_request.schema.json", titled("BatchRequest", batch_request_schema())),
    ]
}

fn titled(title: &str, mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), title.into());
    }
    schema
}

/// The schema of a response body, with its definitions.
fn answer<T: JsonSchema>() -> Value {
    const ROOT: &str = "";
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let Value::Object(mut root) = generator.into_root_schema_for::<T>().to_value() else { return Value::Null };
    let Some(Value::Object(mut definitions)) = root.remove("$defs") else { return root.into() };
    definitions.insert(ROOT.to_owned(), root.into());
    plain::rewrite(&mut definitions, &[ROOT]);
    let mut root = definitions.remove(ROOT).unwrap_or_default();
    if let Some(root) = root.as_object_mut() {
        root.insert("$defs".to_owned(), definitions.into());
    }
    root
}

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "defender-enrich",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What Microsoft Defender knows about an alert, a machine, a user, a file, an incident, an address or a domain.",
            "description": "One call names one subject, and one normalized answer comes back. What stands before `/v1/` or `/healthz` in an address does not matter. Instead of a key, a POST may carry Standard Webhooks (1.0.0, v1): `webhook-id`, `webhook-timestamp` and `webhook-signature` over the body, which then holds all options.",
            "contact": {"name": "Whoever operates this deployment"},
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
        },
        "servers": [
            {"url": "http://127.0.0.1:9000", "description": "defender-enrich serve --demo"},
            {
                "url": "https://{host}",
                "description": "A deployment, with what stands before its routes.",
                "variables": {"host": {"default": "defender-enrich.example"}}
            }
        ],
        "tags": tags(),
        "security": [{"apiKey": []}, {"bearer": []}, {"basic": []}],
        "paths": paths(),
        "components": {
            "schemas": components(),
            "responses": problem_responses(),
            "headers": header_components(),
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A key of the caller secret."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the caller secret."},
                "basic": {"type": "http", "scheme": "basic", "description": "The key is the password; the user name does not matter."}
            }
        }
    })
}

/// The OpenAPI 3.0 document without composition, for gateways and connectors.
pub fn flat_document() -> Value {
    flat::to_openapi_3_0(document())
}

/// The schemas of the document.
fn components() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let our_bodies = [
        ("Enrichment", generator.subschema_for::<Enrichment<'static>>()),
        ("Batch", generator.subschema_for::<BatchBody>()),
        ("Problem", generator.subschema_for::<ProblemBody>()),
    ];
    let mut schemas = generator.take_definitions(true);
    plain::rewrite(&mut schemas, &our_bodies.map(|(name, _)| name));
    schemas.extend(outlines().into_iter().chain(bodies()).map(|(name, schema)| (name.to_owned(), schema)));
    schemas.insert(
        "Health".to_owned(),
        json!({"type": "object", "required": ["status"], "properties": {"status": {"type": "string", "enum": ["ok"]}}}),
    );
    // A Teams message, or one with text only.
    schemas.insert(
        "TeamsReply".to_owned(),
        json!({
            "type": "object", "required": ["type"], "additionalProperties": true,
            "description": "A TeamsMessage, or a text.",
            "properties": {"type": {"type": "string", "enum": ["message"]}, "text": {"type": "string"}}
        }),
    );
    // In the document, the formats of an item have names.
    let item = schemas.get_mut("BatchItem").and_then(|item| item.pointer_mut("/properties/enrichment"));
    if let Some(enrichment) = item {
        *enrichment = json!({"$ref": "#/components/schemas/AnswerOrText"});
    }
    schemas
}
