//! What is published is what the code says.

use std::fs;
use std::path::Path;

use defender_enrich::api::{document, flat_document, schemas};
use defender_enrich::formats::Format;
use serde_json::Value;

use crate::client::Request;
use crate::documents::file_text;
use crate::harness::World;

fn published(name: &str) -> String {
    file_text(&format!("schemas/{name}"))
}

#[test]
fn the_schemas_and_the_document_are_those_of_the_types() {
    let mut names = vec!["openapi.json", "openapi-flat.json"];
    assert_eq!(published("openapi.json"), format!("{:#}\n", document()));
    assert_eq!(published("openapi-flat.json"), format!("{:#}\n", flat_document()));
    for (name, schema) in schemas() {
        assert_eq!(published(name), format!("{schema:#}\n"), "cargo run -- openapi --write schemas");
        names.push(name);
    }
    let mut files: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn every_reference_leads_somewhere() {
    let mut references = 0;
    for (name, root) in schemas().into_iter().chain(documents()) {
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

fn documents() -> [(&'static str, Value); 2] {
    [("openapi.json", document()), ("openapi-flat.json", flat_document())]
}

#[tokio::test]
async fn the_document_and_the_router_have_the_same_routes() {
    let world = World::start().await;
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        let response = world.send(Request::new("BREW", path)).await;
        response.problem(405, "method_not_allowed");
        let mut allowed: Vec<_> = response.header("allow").split(',').map(str::to_lowercase).collect();
        allowed.retain(|method| method != "head");
        allowed.sort_unstable();
        assert_eq!(allowed, operations.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), "{path}");
    }
    let nowhere = world.send(Request::get("/v1/nowhere")).await.problem(404, "unknown_route");
    for path in nowhere["detail"].as_str().unwrap().split([' ', ',']).filter(|word| word.starts_with('/')) {
        assert!(paths.contains_key(path.trim_end_matches('.')), "{path}");
    }
}

#[tokio::test]
async fn the_examples_in_the_document_are_answered_by_the_demo() {
    let world = World::start().await;
    let mut sent = 0;
    for (path, operations) in document()["paths"].as_object().unwrap() {
        let Some(content) = operations.pointer("/post/requestBody/content/application~1json") else { continue };
        for (name, example) in content["examples"].as_object().into_iter().flatten() {
            let answer = world.send(Request::post(path, example["value"].to_string())).await.answer();
            let found = answer["found"] == true || answer["counts"]["failed"] == 0;
            assert!(found, "{path} {name}: {answer}");
            sent += 1;
        }
    }
    assert!(sent >= 20, "{sent}");
}

/// The codes of problems by status. Callers' programs know them: none may go, and new ones may come.
const CODES: [(&str, &[&str]); 13] = [
    ("400", &["invalid_json"]),
    ("401", &["unauthorized"]),
    ("403", &["forbidden_origin"]),
    ("404", &["not_found", "unknown_route"]),
    ("405", &["method_not_allowed"]),
    ("413", &["payload_too_large"]),
    ("415", &["unsupported_media_type"]),
    (
        "422",
        &[
            "invalid_request",
            "invalid_id",
            "unsupported_hash",
            "ambiguous_request",
            "ambiguous_value",
            "too_many_requests_in_batch",
        ],
    ),
    ("429", &["throttled"]),
    ("500", &["internal"]),
    ("502", &["upstream_auth", "upstream_forbidden", "upstream_malformed", "upstream_too_large", "upstream_error"]),
    ("503", &["upstream_unavailable", "secret_unavailable", "misconfigured"]),
    ("504", &["upstream_timeout"]),
];

#[test]
fn the_document_and_the_page_of_problems_have_every_code() {
    let page = file_text("docs/problems.md");
    let mut sections: Vec<_> = page.split("\n## ").skip(1).filter_map(|section| section.split_once("\n\n")).collect();
    sections.sort_unstable();
    let mut codes: Vec<_> =
        CODES.iter().flat_map(|(status, codes)| codes.iter().map(move |code| (*code, *status))).collect();
    codes.sort_unstable();
    assert_eq!(sections.iter().map(|(code, text)| (*code, &text[..3])).collect::<Vec<_>>(), codes);
    let document = document();
    let mut published = words(&document["components"]["schemas"]["ProblemCode"]);
    published.sort_unstable();
    assert_eq!(published, codes.iter().map(|(code, _)| *code).collect::<Vec<_>>());
}

/// The words of an `enum`.
fn words(schema: &Value) -> Vec<&str> {
    schema["enum"].as_array().expect("words").iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_document_names_every_format_with_its_media_type_and_options() {
    let document = document();
    let words = Value::from(Format::ALL.map(Format::as_str).to_vec());
    let request = &document["components"]["schemas"]["Request"]["properties"];
    assert_eq!(request["format"]["enum"], words);
    let bounds = ["minimum", "maximum"].map(|name| request["max_chars"][name].as_u64().unwrap());
    assert_eq!(bounds, [500, 30_000]);
    let batch = &document["components"]["schemas"]["BatchRequest"]["properties"];
    for option in ["format", "include", "limit", "max_chars", "not_found", "notify"] {
        assert_eq!(batch[option], request[option], "{option}");
    }
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
        assert_eq!(content["application/json"]["schema"]["$ref"], "#/components/schemas/Answer", "{method} {path}");
    }
    let batch = document["paths"]["/v1/enrich/batch"]["post"]["responses"]["200"]["content"].as_object().unwrap();
    assert_eq!(batch.keys().collect::<Vec<_>>(), ["application/json"]);
}

#[tokio::test]
async fn the_service_hands_out_the_document_that_is_published() {
    let world = World::start().await;
    assert_eq!(world.send(Request::get("/v1/openapi.json")).await.text(), published("openapi.json"));
}

#[test]
fn generators_and_validators_understand_the_schemas() {
    let mut arrays = 0;
    for (name, root) in schemas().into_iter().chain(documents()) {
        visit(&root, &mut |object| {
            let types = object.get("type").and_then(Value::as_array);
            let is_plain = types.is_none_or(|types| types.len() == 2 && types.contains(&Value::from("null")));
            assert!(is_plain, "{name}: several types: {object:?}");
            let format = object.get("format").and_then(Value::as_str).unwrap_or_default();
            assert!(!format.starts_with("uint"), "{name}: {object:?}");
            if object.get("type").is_some_and(|name| name == "array") {
                arrays += 1;
                assert!(object.contains_key("items"), "{name}: {object:?}");
            }
            if let Some(Value::Array(required)) = object.get("required") {
                let named = |member: &Value| !object["properties"][member.as_str().unwrap()].is_null();
                assert!(required.iter().all(named), "{name}: {object:?}");
            }
        });
    }
    assert!(arrays > 100, "{arrays}");
    for (name, schema) in schemas() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
    for name in ["Answer", "OcsfFinding", "OcsfBundle", "EcsDocuments", "SlackMessage", "TeamsMessage"] {
        let outline = &document()["components"]["schemas"][name];
        assert!(outline["description"].is_string() && jsonschema::meta::is_valid(outline), "{name}");
    }
    let evidence = &document()["components"]["schemas"]["Evidence"];
    assert!(evidence["properties"]["command_line"].is_object() && evidence["anyOf"].is_null(), "{evidence}");
}

#[test]
fn the_flat_document_has_no_composition() {
    let flat = flat_document();
    assert_eq!(flat["openapi"], "3.0.3");
    visit(&flat, &mut |object| {
        for word in ["anyOf", "oneOf", "allOf", "not", "const", "examples"] {
            assert!(object.get(word).is_none_or(|value| word == "examples" && value.is_object()), "{object:?}");
        }
        assert!(object.get("type").is_none_or(|name| !name.is_array()), "{object:?}");
    });
    let nullable = &flat["components"]["schemas"]["Enrichment"]["properties"]["incident"];
    assert!(nullable["nullable"] == true && nullable["properties"]["name"]["nullable"] == true, "{nullable}");
    assert_eq!(flat["paths"].as_object().unwrap().len(), document()["paths"].as_object().unwrap().len());
}

#[test]
fn the_document_describes_every_status_with_its_headers() {
    let document = document();
    let header = |status: &str, name: &str| {
        let response = &document["components"]["responses"][format!("Problem{status}")];
        response["headers"][name].is_object()
    };
    for status in ["400", "401", "404", "405", "413", "415", "422", "429", "500", "502", "503", "504"] {
        assert!(header(status, "X-Request-Id"), "{status}");
        let responses = &document["paths"]["/v1/enrich"]["post"]["responses"];
        assert!(status == "405" || responses[status].is_object(), "{status}");
    }
    assert!(header("429", "Retry-After") && header("503", "Retry-After"));
    assert!(header("401", "WWW-Authenticate") && header("405", "Allow"));
    let answer = &document["paths"]["/v1/enrich"]["post"]["responses"]["200"];
    assert!(answer["headers"]["X-Notified"].is_object(), "{answer}");
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
