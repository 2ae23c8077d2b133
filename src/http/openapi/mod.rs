//! The OpenAPI document and the JSON Schemas: generated from the types, published as files, kept in step by a test.

mod answers;
mod hooks;
mod request;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::answers::{answer_content, json_content, outlines, problem_response, responses};
use self::request::{batch_request_schema, option_parameters, query_parameters, request_schema};
use super::batch::BatchBody;
use super::problem::ProblemBody;
use super::respond::{self, Told};
use crate::domain::enrichment::Enrichment;
use crate::service::Service;

/// The document as it was published with this version.
const PUBLISHED: &str = include_str!("../../../schemas/openapi.json");

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
    schemas.extend(outlines().map(|(name, outline)| (name.to_owned(), outline)));
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
        "security": [{"apiKey": []}, {"bearer": []}, {"basic": []}, {"standardWebhook": []}],
        "paths": with_hooks(paths()),
        "components": {
            "schemas": schemas,
            "responses": {"Problem": problem_response()},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The key is the password; the user name does not matter."},
                "standardWebhook": hooks::standard_webhook()
            }
        }
    })
}

fn with_hooks(mut paths: Value) -> Value {
    if let Some(paths) = paths.as_object_mut() {
        paths.extend(hooks::paths());
    }
    paths
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
        "responses": responses(&answer_content(), "The answer, in the format that was asked for.")
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
                "responses": responses(&answer_content(), "The answer, in the format that was asked for.")
            }
        },
        "/v1/enrich/batch": {"post": {
            "operationId": "enrichBatch",
            "summary": "Ask about up to 25 subjects: one answer each, in their order.",
            "parameters": option_parameters(),
            "requestBody": body("BatchRequest"),
            "responses": responses(&json_content("Batch"), "One answer or problem per subject, each in its own format.")
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
