//! What every answer has to look like, whatever a test is about: the published schemas, and what surrounds a body.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::client::Heard;

static ENRICHMENT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../schemas/enrichment.schema.json")));
static BATCH: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/batch.schema.json")));
static PROBLEM: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../../schemas/problem.schema.json")));

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("a schema in JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

#[track_caller]
fn assert_fits(validator: &Validator, body: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{body:#}");
}

/// Panics unless the answer keeps what is promised for every answer of this path.
#[track_caller]
pub(crate) fn assert_promised(target: &str, heard: &Heard) {
    assert_eq!(heard.header("cache-control"), "no-store", "{heard:?}");
    assert!(!heard.header("x-request-id").is_empty(), "{heard:?}");
    assert_fits_its_schema(target, heard);
}

/// The same, as far as the body goes.
#[track_caller]
pub(crate) fn assert_fits_its_schema(target: &str, heard: &Heard) {
    if heard.body.is_empty() {
        return;
    }
    let body = heard.json();
    if heard.status >= 400 {
        assert_fits(&PROBLEM, &body);
        assert_eq!(heard.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], heard.status);
        assert_eq!(body["request_id"], heard.header("x-request-id"));
        let told = body.get("retry_after_s").map(Value::to_string).unwrap_or_default();
        assert_eq!(heard.header("retry-after"), told);
        return;
    }
    match target.split('?').next().unwrap_or_default() {
        "/" | "/v1/enrich" => assert_is_enrichment(&body),
        "/v1/enrich/batch" => {
            assert_fits(&BATCH, &body);
            for item in body["results"].as_array().expect("results") {
                match item.get("problem") {
                    Some(problem) => assert_fits(&PROBLEM, problem),
                    None => assert_is_enrichment(&item["enrichment"]),
                }
            }
        }
        _ => {}
    }
}

#[track_caller]
fn assert_is_enrichment(body: &Value) {
    assert_fits(&ENRICHMENT, body);
    let summary = body["summary"].as_str().expect("a summary");
    assert!(summary.chars().count() <= 160 && !summary.chars().any(char::is_control), "{summary:?}");
}
