//! What is published is what the code says.

use std::fs;
use std::path::{Path, PathBuf};

use defender_enrich::http::{document, schemas};
use defender_enrich::render::Format;
use serde_json::Value;

use crate::client::Ask;
use crate::harness::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn published(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_schemas_and_the_document_are_those_of_the_types() {
    let mut names = vec!["openapi.json"];
    assert_eq!(published("openapi.json"), format!("{:#}\n", document()));
    for (name, schema) in schemas() {
        assert_eq!(published(name), format!("{schema:#}\n"), "cargo run -- openapi --write schemas");
        names.push(name);
    }
    let mut files: Vec<_> =
        fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn every_reference_leads_somewhere() {
    let mut references = 0;
    for (name, root) in schemas().into_iter().chain([("openapi.json", document())]) {
        visit(&root, &mut |object| {
            if let Some(reference) = object.get("$ref") {
                references += 1;
                let pointer =
                    reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference in the same file");
                assert!(root.pointer(pointer).is_some(), "{name}: {reference}");
            }
        });
    }
    assert!(references > 50, "{references}");
}

#[test]
fn the_document_names_every_route_status_and_code() {
    let document = document();
    for (path, methods) in [
        ("/", vec!["post"]),
        ("/v1/enrich", vec!["get", "post"]),
        ("/v1/enrich/batch", vec!["post"]),
        ("/v1/hooks/slack", vec!["post"]),
        ("/v1/hooks/teams", vec!["post"]),
        ("/v1/hooks/splunk", vec!["post"]),
        ("/v1/openapi.json", vec!["get"]),
        ("/healthz", vec!["get"]),
    ] {
        for method in methods {
            let operation = &document["paths"][path][method];
            assert!(operation["responses"]["200"].is_object(), "{method} {path}");
        }
    }
    assert!(document["paths"]["/v1/hooks/pagerduty"]["post"]["responses"]["202"].is_object());
    for status in ["400", "401", "404", "413", "415", "422", "429", "500", "502", "503", "504"] {
        assert!(document["paths"]["/v1/enrich"]["post"]["responses"][status].is_object(), "{status}");
    }
    let text = document.to_string();
    for code in [
        "invalid_json",
        "unauthorized",
        "not_found",
        "unknown_route",
        "method_not_allowed",
        "payload_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_id",
        "unsupported_hash",
        "ambiguous_request",
        "too_many_requests_in_batch",
        "throttled",
        "internal",
        "upstream_auth",
        "upstream_forbidden",
        "upstream_malformed",
        "upstream_too_large",
        "upstream_error",
        "upstream_unavailable",
        "secret_unavailable",
        "misconfigured",
        "upstream_timeout",
    ] {
        assert!(text.contains(&format!("\"{code}\"")), "{code}");
    }
}

#[test]
fn the_page_of_problems_has_a_heading_for_each_code() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/problems.md")).unwrap();
    let mut headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let document = document();
    let codes = &document["components"]["schemas"]["ProblemCode"]["oneOf"];
    let mut codes: Vec<_> = codes.as_array().unwrap().iter().flat_map(words).collect();
    codes.sort_unstable();
    headings.sort_unstable();
    assert_eq!(codes, headings);
}

/// The words of an `enum` or a `const`.
fn words(schema: &Value) -> Vec<&str> {
    let list = schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().chain(schema.get("const")).filter_map(Value::as_str).collect()
}

#[test]
fn the_document_names_every_format_with_its_media_type_and_options() {
    let document = document();
    let words = Value::from(Format::ALL.map(Format::as_str).to_vec());
    let request = &document["components"]["schemas"]["Request"]["properties"];
    assert_eq!(request["format"]["enum"], words);
    let bounds = ["minimum", "maximum", "default"].map(|name| request["max_chars"][name].as_u64().unwrap());
    assert_eq!(bounds, [500, 30_000, 3000]);
    for (path, method) in [("/", "post"), ("/v1/enrich", "post"), ("/v1/enrich", "get")] {
        let operation = &document["paths"][path][method];
        for option in ["format", "max_chars", "include", "limit", "not_found"] {
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|parameter| parameter["name"] == option), "{method} {path}: {option}");
        }
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let mut types: Vec<_> =
            Format::ALL.into_iter().map(|format| format.media_type().split(';').next().unwrap()).collect();
        types.sort_unstable();
        types.dedup();
        assert_eq!(content.keys().collect::<Vec<_>>(), types, "{method} {path}");
        let json = content["application/json"]["schema"]["oneOf"].as_array().unwrap();
        assert_eq!(json.len(), Format::ALL.into_iter().filter(|format| format.is_json()).count());
    }
    let batch = document["paths"]["/v1/enrich/batch"]["post"]["responses"]["200"]["content"].as_object().unwrap();
    assert_eq!(batch.keys().collect::<Vec<_>>(), ["application/json"]);
}

#[test]
fn the_outlines_of_the_formats_are_schemas() {
    let document = document();
    for name in ["Ocsf", "OcsfFinding", "EcsDocuments", "SlackMessage", "TeamsMessage"] {
        let outline = &document["components"]["schemas"][name];
        assert!(outline["description"].is_string() && jsonschema::meta::is_valid(outline), "{name}");
    }
}

#[tokio::test]
async fn the_service_hands_out_the_document_that_is_published() {
    let world = World::start().await;
    assert_eq!(world.send(Ask::get("/v1/openapi.json")).await.text(), published("openapi.json"));
}

#[test]
fn every_schema_is_a_schema_of_its_dialect() {
    for (name, schema) in schemas() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
}

fn visit(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            object.values().for_each(|inner| visit(inner, see));
        }
        Value::Array(list) => list.iter().for_each(|inner| visit(inner, see)),
        _ => {}
    }
}
