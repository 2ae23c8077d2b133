//! The OpenAPI document and the JSON Schemas: generated from the types, published as files, kept in step by a test.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::batch::BatchBody;
use super::problem::{Code, ProblemBody};
use super::respond::{self, Told};
use crate::domain::enrichment::Enrichment;
use crate::service::Service;

/// The document as it was published with this version.
const PUBLISHED: &str = include_str!("../../schemas/openapi.json");

/// `GET /v1/openapi.json`.
pub(super) async fn serve(_: State<Arc<Service>>) -> Response {
    respond::json(PUBLISHED.as_bytes().to_vec(), Told::default())
}

/// The JSON Schemas of all bodies, by file name.
pub fn schemas() -> Vec<(&'static str, Value)> {
    let of = |title: &str, mut schema: Value| {
        if let Some(object) = schema.as_object_mut() {
            object.insert("title".to_owned(), title.into());
        }
        schema
    };
    let generator = || SchemaSettings::draft2020_12().for_serialize().into_generator();
    vec![
        (
            "enrichment.schema.json",
            of("Enrichment", generator().into_root_schema_for::<Enrichment<'static>>().to_value()),
        ),
        ("batch.schema.json", of("Batch", generator().into_root_schema_for::<BatchBody>().to_value())),
        ("problem.schema.json", of("Problem", generator().into_root_schema_for::<ProblemBody>().to_value())),
        ("request.schema.json", of("Request", request_schema())),
    ]
}

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let bodies = ["Enrichment", "Batch", "Problem"];
    let references = [
        generator.subschema_for::<Enrichment<'static>>(),
        generator.subschema_for::<BatchBody>(),
        generator.subschema_for::<ProblemBody>(),
    ];
    let mut schemas = generator_definitions(&mut generator);
    for (name, reference) in bodies.iter().zip(references) {
        // A body is named in the document whether or not its type goes by another name.
        schemas.entry((*name).to_owned()).or_insert(reference.to_value());
    }
    schemas.insert("Request".to_owned(), request_schema());
    schemas.insert("BatchRequest".to_owned(), batch_request_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "defender-enrich",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What Microsoft Defender knows about an alert, a machine, a user, a file or an incident.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        },
        "security": [{"apiKey": []}, {"bearer": []}, {"basic": []}],
        "paths": paths(),
        "components": {
            "schemas": schemas,
            "responses": {"Problem": problem_response()},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The key is the password; the user name does not matter."}
            }
        }
    })
}

fn generator_definitions(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.take_definitions(true)
}

fn paths() -> Value {
    let body = |schema: &str| {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        json!({"required": true, "content": {"application/json": {"schema": schema}}})
    };
    let enrich = json!({
        "operationId": "enrich",
        "summary": "Ask about one subject.",
        "parameters": option_parameters(),
        "requestBody": body("Request"),
        "responses": responses("Enrichment", "The answer.")
    });
    let root = {
        let mut root = enrich.clone();
        if let Some(operation) = root.as_object_mut() {
            operation.insert("operationId".to_owned(), "enrichAtRoot".into());
            operation.insert("summary".to_owned(), "The same as POST /v1/enrich.".into());
        }
        root
    };
    json!({
        "/": {"post": root},
        "/v1/enrich": {
            "post": enrich,
            "get": {
                "operationId": "enrichByQuery",
                "summary": "Ask about one subject, named in the query string.",
                "parameters": query_parameters(),
                "responses": responses("Enrichment", "The answer.")
            }
        },
        "/v1/enrich/batch": {"post": {
            "operationId": "enrichBatch",
            "summary": "Ask about up to 25 subjects: one answer each, in their order.",
            "parameters": option_parameters(),
            "requestBody": body("BatchRequest"),
            "responses": responses("Batch", "One answer or problem per subject.")
        }},
        "/v1/openapi.json": {"get": {
            "operationId": "openapi",
            "summary": "This document.",
            "security": [],
            "responses": {"200": {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}}
        }},
        "/healthz": {"get": {
            "operationId": "health",
            "summary": "Whether the process lives: no authentication, no I/O.",
            "security": [],
            "responses": {"200": {"description": "It lives.", "content": {"application/json": {"schema": {"type": "object"}}}}}
        }}
    })
}

/// The subjects that a request can name, with what is accepted for each.
fn subject_properties() -> [(&'static str, Value); 6] {
    [
        ("alert_id", json!({"type": "string", "description": "An alert's id, or a portal link to it."})),
        (
            "machine",
            json!({"type": "string", "description": "A device id (40 hexadecimal digits), a DNS or NetBIOS name, or a portal link."}),
        ),
        ("user", json!({"type": "string", "description": "An account name, DOMAIN\\name or name@domain."})),
        ("file_hash", json!({"type": "string", "description": "A SHA-1 or SHA-256; MD5 is refused."})),
        (
            "incident_id",
            json!({"type": ["integer", "string"], "description": "An incident's number, or a portal link to it."}),
        ),
        (
            "value",
            json!({"type": ["string", "integer"], "description": "Anything of these: the kind is worked out from its form."}),
        ),
    ]
}

fn option_properties() -> [(&'static str, Value); 4] {
    [
        (
            "format",
            json!({"type": "string", "enum": ["json"], "default": "json", "description": "The shape of the answer."}),
        ),
        ("include", json!({"type": "string", "enum": ["raw"], "description": "raw adds the upstream body."})),
        (
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 50, "description": "Alerts listed at most."}),
        ),
        (
            "not_found",
            json!({"type": "integer", "enum": [404, 200], "default": 404, "description": "How a subject that Defender does not know is told."}),
        ),
    ]
}

fn request_schema() -> Value {
    let properties: Map<_, _> = subject_properties()
        .into_iter()
        .chain(option_properties())
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let one_of: Vec<_> = subject_properties().iter().map(|(name, _)| json!({"required": [name]})).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "description": "Exactly one subject, and options. A null or empty field counts as absent; camelCase is accepted too.",
        "properties": properties,
        "oneOf": one_of
    })
}

fn batch_request_schema() -> Value {
    let subjects: Map<_, _> =
        subject_properties().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
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

fn query_parameters() -> Vec<Value> {
    parameters(subject_properties().into_iter().chain(option_properties()))
}

fn option_parameters() -> Vec<Value> {
    parameters(option_properties())
}

fn responses(schema: &str, description: &str) -> Value {
    let mut responses = Map::new();
    let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
    responses.insert(
        "200".to_owned(),
        json!({"description": description, "content": {"application/json": {"schema": schema}}}),
    );
    for code in Code::ALL {
        let status = code.status().as_str().to_owned();
        responses.entry(status).or_insert_with(|| json!({"$ref": "#/components/responses/Problem"}));
    }
    Value::Object(responses)
}

fn problem_response() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| format!("{} {}", code.status().as_u16(), code.as_str())).collect();
    json!({
        "description": format!("A problem (RFC 9457). The codes: {}.", codes.join(", ")),
        "headers": {
            "X-Request-Id": {"description": "The request's name.", "schema": {"type": "string"}},
            "Retry-After": {"description": "Seconds, where waiting helps.", "schema": {"type": "integer"}}
        },
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    })
}
