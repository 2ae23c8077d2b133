//! Validates events and documents against excerpts of OCSF and ECS: JSON Schemas of the members that ours have.
//!
//! The official validator of OCSF checks whole events in the step `ocsf` of `.ci/run`.

use std::collections::HashSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static OCSF: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("ocsf-1.8.0.schema.json")));
static ECS: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("ecs-8.17.0.schema.json")));

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("a schema in JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

fn violations(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Panics unless a value is a valid ECS document.
#[track_caller]
pub(super) fn assert_is_ecs(document: &Value) {
    let violations = violations(&ECS, document);
    assert!(violations.is_empty(), "{violations:#?}\n{document:#}");
}

/// Panics unless a value is a valid OCSF event, with correct observables.
#[track_caller]
pub(super) fn assert_is_ocsf(event: &Value) {
    let violations = ocsf_violations(event);
    assert!(violations.is_empty(), "{violations:#?}\n{event:#}");
}

fn ocsf_violations(event: &Value) -> Vec<String> {
    let mut all = violations(&OCSF, event);
    all.extend(observable_violations(event));
    all
}

/// Each observable occurs once, and is the value at its path. One without a path is a text of another member. An
/// incident has no evidence, so an observable of its alerts may occur nowhere else.
fn observable_violations(event: &Value) -> Vec<String> {
    let mut others = HashSet::new();
    for (_, value) in event.as_object().into_iter().flatten().filter(|(name, _)| *name != "observables") {
        texts(value, &mut others);
    }
    let mut seen = HashSet::new();
    let mut violations = Vec::new();
    for observable in event["observables"].as_array().into_iter().flatten() {
        let value = &observable["value"];
        if !seen.insert((observable["type_id"].as_u64(), value.as_str())) {
            violations.push(format!("duplicate: {observable}"));
        }
        let is_in_place = match observable["name"].as_str() {
            Some(path) => {
                let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
                event.pointer(&pointer) == Some(value)
            }
            None => event["class_uid"] == 2005 || value.as_str().is_some_and(|value| others.contains(value)),
        };
        if !is_in_place {
            violations.push(format!("not in its place: {observable}"));
        }
    }
    violations
}

/// Collects the texts of a value.
fn texts<'a>(value: &'a Value, all: &mut HashSet<&'a str>) {
    match value {
        Value::String(text) => drop(all.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => members.values().for_each(|member| texts(member, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn invalid_events_and_documents_are_noticed() {
    let valid = json!({
        "activity_id": 1, "activity_name": "Create", "category_uid": 2, "class_uid": 2004, "type_uid": 200_401,
        "severity_id": 4, "severity": "High", "status_id": 1, "status": "New", "time": 1_793_693_742_036_i64,
        "finding_info": {"uid": "da1_1"}, "device": {"uid": "d1", "type_id": 0, "type": "Unknown"},
        "metadata": {"version": "1.8.0", "product": {"name": "x"}},
        "observables": [{"name": "device.uid", "type_id": 47, "type": "Device Object: uid", "value": "d1"}]
    });
    assert_is_ocsf(&valid);
    for (pointer, invalid) in [
        ("/time", json!(1_793_693_742)),
        ("/type_uid", json!(200_402)),
        ("/severity", json!("high")),
        ("/finding_info", json!({})),
        ("/finding_info", json!({"uid": "x", "owner": "y"})),
        ("/metadata/product/name", json!("")),
        ("/observables/0/value", json!("d2")),
        ("/device", json!({"type_id": 0, "type": "Unknown"})),
    ] {
        let mut event = valid.clone();
        *event.pointer_mut(pointer).expect("a member") = invalid.clone();
        assert_ne!(ocsf_violations(&event), Vec::<String>::new(), "{pointer}: {invalid}");
    }
    for (member, value) in [("verdict_id", json!(0)), ("unmapped", json!({"a": [null]})), ("owner", json!("x"))] {
        let mut event = valid.clone();
        event[member] = value;
        assert_ne!(ocsf_violations(&event), Vec::<String>::new(), "{member}");
    }
    let valid = json!({
        "@timestamp": "2026-11-03T08:14:00Z", "ecs": {"version": "8.17.0"},
        "event": {"kind": "alert", "category": ["host"], "type": ["info"]}, "microsoft": {"defender": {"x": 1}}
    });
    assert_is_ecs(&valid);
    for (member, value) in [
        ("@timestamp", json!("yesterday")),
        ("source", json!({"ip": "somewhere"})),
        ("related", json!({"ip": []})),
        ("owner", json!("x")),
        ("microsoft", json!({"defender": {"x": null}})),
    ] {
        let mut document = valid.clone();
        document[member] = value;
        assert_ne!(violations(&ECS, &document), Vec::<String>::new(), "{member}");
    }
}
