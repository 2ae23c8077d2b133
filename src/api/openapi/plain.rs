//! Simplifies schemas for validators and client generators. A closed set of words becomes one `enum`. Alternatives of
//! objects become one object. Number formats that only Rust has are removed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Schemas by name.
pub(super) type Definitions = Map<String, Value>;

/// Rewrites the schemas, and removes those that are no longer reachable from `roots`.
pub(super) fn rewrite(definitions: &mut Definitions, roots: &[&str]) {
    definitions.values_mut().for_each(|schema| {
        for_each_schema(schema, &mut |schema| {
            without_own_formats(schema);
            words(schema);
        });
    });
    let known = definitions.clone();
    definitions.values_mut().for_each(|schema| for_each_schema(schema, &mut |schema| one_shape(schema, &known)));
    prune(definitions, roots);
}

/// Calls `change` on a schema and on everything inside it, innermost first.
pub(super) fn for_each_schema(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(|inner| for_each_schema(inner, change));
            change(object);
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| for_each_schema(inner, change)),
        _ => {}
    }
}

/// The name of the schema that a schema refers to.
pub(super) fn referenced_schema(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Removes the schemas that are not reachable from `roots`.
pub(super) fn prune(definitions: &mut Definitions, roots: &[&str]) {
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
    while let Some(name) = next.pop() {
        if let Some(mut schema) = definitions.get(&name).filter(|_| !reached.contains(&name)).cloned() {
            for_each_schema(&mut schema, &mut |schema| next.extend(referenced_schema(schema).map(str::to_owned)));
        }
        reached.insert(name);
    }
    definitions.retain(|name, _| reached.contains(name));
}

fn without_own_formats(schema: &mut Map<String, Value>) {
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
        schema.remove("format");
    }
}

fn description(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

fn describe(schema: &mut Map<String, Value>, text: String) {
    schema.insert("description".to_owned(), text.into());
}

/// The words of a schema that is only a set of words.
fn word_set(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    let words = match (schema.get("const"), schema.get("enum")) {
        (Some(word), _) => vec![word.clone()],
        (None, Some(Value::Array(words))) => words.clone(),
        (None, _) => return None,
    };
    words.iter().all(Value::is_string).then_some(words)
}

/// Merges alternatives that are words into one `enum`.
fn words(schema: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = schema.get("oneOf") else { return };
    let branches: Vec<_> = branches.iter().filter_map(Value::as_object).collect();
    let Some(words) = branches.iter().map(|branch| word_set(branch)).collect::<Option<Vec<_>>>() else { return };
    let mut text = description(schema).unwrap_or_default().to_owned();
    for branch in branches {
        if let (Some(word), Some(meaning)) = (branch.get("const").and_then(Value::as_str), description(branch)) {
            text.extend(["\n- `", word, "`: ", meaning]);
        }
    }
    schema.remove("oneOf");
    describe(schema, text);
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), words.concat().into());
}

/// Merges alternatives into one set of words if all are words, or into one object if all are objects.
fn one_shape(schema: &mut Map<String, Value>, known: &Definitions) {
    let Some(Value::Array(branches)) = schema.get("anyOf") else { return };
    let named = branches.iter().filter_map(Value::as_object).map(|branch| match referenced_schema(branch) {
        Some(name) => (Some(name), known.get(name).and_then(Value::as_object)),
        None => (None, Some(branch)),
    });
    let Some(branches) = named.map(|(name, branch)| Some((name, branch?))).collect::<Option<Vec<_>>>() else { return };
    if branches.len() < 2 {
        return;
    }
    if let Some(words) = branches.iter().map(|(_, branch)| word_set(branch)).collect::<Option<Vec<_>>>() {
        let mut all: Vec<Value> = Vec::new();
        words.concat().into_iter().for_each(|word| {
            if !all.contains(&word) {
                all.push(word);
            }
        });
        schema.remove("anyOf");
        schema.insert("type".to_owned(), "string".into());
        schema.insert("enum".to_owned(), all.into());
    } else if branches.iter().all(|(_, branch)| branch.get("type") == Some(&json!("object"))) {
        let object = one_object(schema, &branches);
        *schema = object;
    }
}

/// Merges objects into one. A member that not all of them require is optional.
fn one_object(schema: &Map<String, Value>, branches: &[(Option<&str>, &Map<String, Value>)]) -> Map<String, Value> {
    let properties = |schema: &Map<String, Value>| schema.get("properties").and_then(Value::as_object).cloned();
    let required = |schema: &Map<String, Value>| schema.get("required").and_then(Value::as_array).cloned();
    let mut members = properties(schema).unwrap_or_default();
    let mut descriptions: Map<String, Value> = Map::new();
    for (name, branch) in branches {
        for (member, mut inner) in properties(branch).unwrap_or_default() {
            let text = inner.as_object().and_then(description).unwrap_or_default();
            let text = name.map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"));
            let before = descriptions.get(&member).and_then(Value::as_str);
            let text = before.map_or_else(|| text.clone(), |before| format!("{before} {text}"));
            if let Some(inner) = inner.as_object_mut() {
                describe(inner, text.clone());
            }
            descriptions.insert(member.clone(), text.into());
            members.insert(member, inner);
        }
    }
    let by_all = branches.iter().map(|(_, branch)| required(branch).unwrap_or_default());
    let by_all = by_all.reduce(|all, more| all.into_iter().filter(|name| more.contains(name)).collect());
    let mut names = required(schema).unwrap_or_default();
    names.extend(by_all.unwrap_or_default());
    let mut object = schema.clone();
    object.remove("anyOf");
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), members.into());
    object.insert("required".to_owned(), names.into());
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(schemas: Value) -> Value {
        let Value::Object(mut definitions) = schemas else { panic!("no object") };
        rewrite(&mut definitions, &["Root"]);
        definitions.into()
    }

    #[test]
    fn words_become_an_enum() {
        let schemas = rewritten(json!({
            "Root": {"anyOf": [{"$ref": "#/x/A"}, {"$ref": "#/x/B"}]},
            "A": {"oneOf": [{"const": "one", "type": "string", "description": "First."}, {"const": "two", "type": "string"}]},
            "B": {"oneOf": [{"enum": ["two", "three"], "type": "string"}]},
        }));
        assert_eq!(schemas, json!({"Root": {"type": "string", "enum": ["one", "two", "three"]}}));
    }

    #[test]
    fn objects_are_merged_and_null_is_kept_apart() {
        let schemas = rewritten(json!({
            "Root": {
                "type": "object", "required": ["type"],
                "properties": {"type": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/x/A"}, {"type": "null"}]}},
                "anyOf": [{"$ref": "#/x/A"}, {"$ref": "#/x/B"}]
            },
            "A": {"type": "object", "properties": {"n": {"type": "integer", "format": "uint8", "description": "A number."}}, "required": ["n"]},
            "B": {"type": "object", "properties": {"n": {"type": "integer", "description": "Another."}, "m": {}}, "required": ["n", "m"]},
        }));
        assert_eq!(
            schemas["Root"],
            json!({
                "type": "object", "required": ["type", "n"],
                "properties": {
                    "type": {"type": "string"},
                    "next": {"anyOf": [{"$ref": "#/x/A"}, {"type": "null"}]},
                    "n": {"type": "integer", "description": "A: A number. B: Another."},
                    "m": {"description": "B: "}
                }
            })
        );
        assert_eq!(schemas.as_object().map(Map::len), Some(2));
    }
}
