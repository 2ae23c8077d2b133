//! The document for gateways and connectors that know OpenAPI 3.0 and no composition: each schema has one type, what can be
//! null says so, and of several shapes the first stays.

use serde_json::{Map, Value, json};

use super::plain::{Definitions, each, prune, referred};

/// Members of 3.1 that 3.0 has not, by where they stand.
const ONLY_IN_3_1: [&str; 2] = ["/info/summary", "/jsonSchemaDialect"];

/// The 3.0 document of a 3.1 document.
pub(super) fn flat(mut document: Value) -> Value {
    for pointer in ONLY_IN_3_1 {
        if let Some((parent, name)) = pointer.rsplit_once('/') {
            document.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|object| object.remove(name));
        }
    }
    let known = definitions(&document);
    each(&mut document, &mut |schema| one_type(schema, &known));
    if let Some(object) = document.as_object_mut() {
        object.insert("openapi".to_owned(), "3.0.3".into());
    }
    let used = used(&document);
    let used: Vec<_> = used.iter().map(String::as_str).collect();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        prune(schemas, &used);
    }
    document
}

fn definitions(document: &Value) -> Definitions {
    document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The schemas that paths and responses refer to.
fn used(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for pointer in ["/paths", "/components/responses", "/components/headers"] {
        let mut part = document.pointer(pointer).cloned().unwrap_or_default();
        each(&mut part, &mut |schema| names.extend(referred(schema).map(str::to_owned)));
    }
    names
}

/// Takes the composition out of one schema, the innermost first.
fn one_type(schema: &mut Map<String, Value>, known: &Definitions) {
    if let Some(only) = schema.get("const").filter(|only| !only.is_object()).cloned() {
        schema.remove("const");
        schema.entry("type").or_insert_with(|| if only.is_string() { "string".into() } else { "integer".into() });
        schema.insert("enum".to_owned(), json!([only]));
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let first = types.iter().find(|name| *name != "null").cloned().unwrap_or_default();
        let can_be_null = types.iter().any(|name| name == "null");
        schema.insert("type".to_owned(), first);
        if can_be_null {
            schema.insert("nullable".to_owned(), true.into());
        }
    }
    if let Some(Value::Array(examples)) = schema.get("examples") {
        let first = examples.first().cloned().unwrap_or_default();
        schema.remove("examples");
        schema.insert("example".to_owned(), first);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(branches)) = schema.get(word).cloned() {
            schema.remove(word);
            first_branch(schema, &branches, known);
        }
    }
    // Beside a reference, nothing counts in 3.0.
    if schema.get("$ref").is_some_and(Value::is_string) {
        schema.retain(|name, _| name == "$ref");
    }
}

fn first_branch(schema: &mut Map<String, Value>, branches: &[Value], known: &Definitions) {
    let is_null = |branch: &Value| branch.get("type").is_some_and(|name| name == "null");
    let Some(Value::Object(first)) = branches.iter().find(|branch| !is_null(branch)) else { return };
    if !branches.iter().any(is_null) {
        schema.extend(first.clone());
        return;
    }
    // A reference cannot be said to be null: what it leads to stands in its place.
    let mut inner = Value::Object(first.clone());
    while let Some(target) = inner.as_object().and_then(referred).and_then(|name| known.get(name)) {
        inner = target.clone();
    }
    each(&mut inner, &mut |schema| one_type(schema, known));
    if let Value::Object(inner) = inner {
        for (name, value) in inner {
            schema.entry(name).or_insert(value);
        }
    }
    // What has no type can be anything, null among it.
    if schema.contains_key("type") {
        schema.insert("nullable".to_owned(), true.into());
    }
}
