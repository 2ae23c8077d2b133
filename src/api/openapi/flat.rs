//! The OpenAPI 3.0 document, for gateways and connectors that do not support composition. Each schema has one type. A
//! schema that accepts null is marked `nullable`. Of several alternatives, only the first is kept.

use serde_json::{Map, Value, json};

use super::plain::{Definitions, for_each_schema, prune, referenced_schema};

/// JSON pointers to members that exist only in OpenAPI 3.1.
const ONLY_IN_3_1: [&str; 2] = ["/info/summary", "/jsonSchemaDialect"];

/// Converts a 3.1 document into a 3.0 document.
pub(super) fn to_openapi_3_0(mut document: Value) -> Value {
    for pointer in ONLY_IN_3_1 {
        if let Some((parent, name)) = pointer.rsplit_once('/') {
            document.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|object| object.remove(name));
        }
    }
    let known = definitions(&document);
    for_each_schema(&mut document, &mut |schema| one_type(schema, &known));
    if let Some(object) = document.as_object_mut() {
        object.insert("openapi".to_owned(), "3.0.3".into());
    }
    let referenced = referenced(&document);
    let referenced: Vec<_> = referenced.iter().map(String::as_str).collect();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        prune(schemas, &referenced);
    }
    document
}

fn definitions(document: &Value) -> Definitions {
    document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The names of the schemas that paths and responses refer to.
fn referenced(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for pointer in ["/paths", "/components/responses", "/components/headers"] {
        let mut part = document.pointer(pointer).cloned().unwrap_or_default();
        for_each_schema(&mut part, &mut |schema| names.extend(referenced_schema(schema).map(str::to_owned)));
    }
    names
}

/// Removes composition from one schema.
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
    // OpenAPI 3.0 ignores all members beside a reference.
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
    // A reference cannot be marked nullable, so the schema that it refers to is inlined.
    let mut inner = Value::Object(first.clone());
    while let Some(target) = inner.as_object().and_then(referenced_schema).and_then(|name| known.get(name)) {
        inner = target.clone();
    }
    for_each_schema(&mut inner, &mut |schema| one_type(schema, known));
    if let Value::Object(inner) = inner {
        for (name, value) in inner {
            schema.entry(name).or_insert(value);
        }
    }
    // A schema without a type accepts anything, including null.
    if schema.contains_key("type") {
        schema.insert("nullable".to_owned(), true.into());
    }
}
