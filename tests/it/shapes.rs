//! What every answer has to look like, whatever a test is about: the published schemas, and what surrounds a body.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::Response;

static ENRICHMENT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../schemas/enrichment.schema.json")));
static BATCH: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/batch.schema.json")));
static OUTLINES: LazyLock<[Validator; 5]> =
    LazyLock::new(|| ["OcsfFinding", "OcsfBundle", "EcsDocuments", "SlackMessage", "TeamsMessage"].map(outline));
static PROBLEM: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/problem.schema.json")));

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("a schema in JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// A schema of the published document.
fn outline(name: &str) -> Validator {
    let document: Value = serde_json::from_str(include_str!("../../schemas/openapi.json")).expect("JSON");
    let root = json!({"$ref": format!("#/components/schemas/{name}"), "components": document["components"]});
    jsonschema::validator_for(&root).expect("a schema")
}

#[track_caller]
fn assert_fits(validator: &Validator, body: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{body:#}");
}

/// Panics unless the answer keeps what is promised for every answer of this path.
#[track_caller]
pub(crate) fn assert_promised(target: &str, response: &Response) {
    assert_eq!(response.header("cache-control"), "no-store", "{response:?}");
    assert!(!response.header("x-request-id").is_empty(), "{response:?}");
    if response.status < 400 {
        let path = target.split('?').next().unwrap_or_default();
        let is_negotiated = path.contains("/v1/") && !path.ends_with("/healthz") || path == "/";
        assert_eq!(response.header("vary"), if is_negotiated { "Accept" } else { "" }, "{target} {response:?}");
    }
    assert_fits_its_schema(target, response);
}

/// The same, as far as the body goes.
#[track_caller]
pub(crate) fn assert_fits_its_schema(target: &str, response: &Response) {
    let is_json = ["application/json", "application/problem+json"].contains(&response.header("content-type"));
    if response.body.is_empty() || !is_json {
        assert!(response.status < 400 || response.body.is_empty(), "{response:?}");
        return;
    }
    let body = response.json();
    if response.status >= 400 {
        assert_fits(&PROBLEM, &body);
        assert_eq!(response.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], response.status);
        let page = format!("https://defender-enrich.example/docs/problems#{}", body["code"].as_str().expect("a code"));
        assert_eq!(body["type"], page);
        assert_eq!(body["request_id"], response.header("x-request-id"));
        let told = body.get("retry_after_s").map(Value::to_string).unwrap_or_default();
        assert_eq!(response.header("retry-after"), told);
        return;
    }
    match target.split('?').next().unwrap_or_default() {
        "/" | "/v1/enrich" => assert_is_in_a_format(&body),
        "/v1/enrich/batch" => {
            assert_fits(&BATCH, &body);
            for item in body["results"].as_array().expect("results") {
                match item.get("problem") {
                    Some(problem) => assert_fits(&PROBLEM, problem),
                    None if item["enrichment"].is_string() => {}
                    None => assert_is_in_a_format(&item["enrichment"]),
                }
            }
        }
        _ => {}
    }
}

/// Our own shape, or one of other people's, as far as the published document outlines it.
#[track_caller]
fn assert_is_in_a_format(body: &Value) {
    if !OUTLINES.iter().any(|outline| outline.is_valid(body)) {
        assert_is_enrichment(body);
    }
}

#[track_caller]
fn assert_is_enrichment(body: &Value) {
    assert_fits(&ENRICHMENT, body);
    let summary = body["summary"].as_str().expect("a summary");
    assert!(summary.chars().count() <= 160 && !summary.chars().any(char::is_control), "{summary:?}");
}
