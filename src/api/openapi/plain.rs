//! Schemas as validators and generators of clients take them best: a closed set of words is one `enum`, what may be one of
//! several shapes is one object, and a number has no format that only Rust has.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Schemas by name.
pub(super) type Definitions = Map<String, Value>;

/// Rewrites the schemas, and leaves out those that are then reached from none of `roots` any more.
pub(super) fn rewrite(definitions: &mut Definitions, roots: &[&str]) {
    definitions.values_mut().for_each(|schema| {
        each(schema, &mut |schema| {
            without_own_formats(schema);
            words(schema);
        });
    });
    let known = definitions.clone();
    definitions.values_mut().for_each(|schema| each(schema, &mut |schema| one_shape(schema, &known)));
    prune(definitions, roots);
}

/// Calls `change` on a schema and all inside of it, the innermost first.
pub(super) fn each(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(|inner| each(inner, change));
            change(object);
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| each(inner, change)),
        _ => {}
    }
}

/// The name of the schema that a schema refers to.
pub(super) fn referred(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Leaves out the schemas that are reached from none of `roots`.
pub(super) fn prune(definitions: &mut Definitions, roots: &[&str]) {
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
    while let Some(name) = next.pop() {
        if let Some(mut schema) = definitions.get(&name).filter(|_| !reached.contains(&name)).cloned() {
            each(&mut schema, &mut |schema| next.extend(referred(schema).map(str::to_owned)));
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

/// The words of a schema that is nothing but a set of words.
fn words_of(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    let words = match (schema.get("const"), schema.get("enum")) {
        (Some(word), _) => vec![word.clone()],
        (None, Some(Value::Array(words))) => words.clone(),
        (None, _) => return None,
    };
    words.iter().all(Value::is_string).then_some(words)
}

/// Alternatives that are words become one `enum`.
fn words(schema: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = schema.get("oneOf") else { return };
    let branches: Vec<_> = branches.iter().filter_map(Value::as_object).collect();
    let Some(words) = branches.iter().map(|branch| words_of(branch)).collect::<Option<Vec<_>>>() else { return };
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

/// Alternatives that are all words, or all objects, become one set of words, or one object.
fn one_shape(schema: &mut Map<String, Value>, known: &Definitions) {
    let Some(Value::Array(branches)) = schema.get("anyOf") else { return };
    let named = branches.iter().filter_map(Value::as_object).map(|branch| match referred(branch) {
        Some(name) => (Some(name), known.get(name).and_then(Value::as_object)),
        None => (None, Some(branch)),
    });
    let Some(branches) = named.map(|(name, branch)| Some((name, branch?))).collect::<Option<Vec<_>>>() else { return };
    if branches.len() < 2 {
        return;
    }
    if let Some(words) = branches.iter().map(|(_, branch)| words_of(branch)).collect::<Option<Vec<_>>>() {
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

/// One object with the members of all: what not all of them require is optional.
fn one_object(schema: &Map<String, Value>, branches: &[(Option<&str>, &Map<String, Value>)]) -> Map<String, Value> {
    let properties = |schema: &Map<String, Value>| schema.get("properties").and_then(Value::as_object).cloned();
    let required = |schema: &Map<String, Value>| schema.get("required").and_then(Value::as_array).cloned();
    let mut members = properties(schema).unwrap_or_default();
    let mut told: Map<String, Value> = Map::new();
    for (name, branch) in branches {
        for (member, mut inner) in properties(branch).unwrap_or_default() {
            let text = inner.as_object().and_then(description).unwrap_or_default();
            let text = name.map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"));
            let before = told.get(&member).and_then(Value::as_str);
            let text = before.map_or_else(|| text.clone(), |before| format!("{before} {text}"));
            if let Some(inner) = inner.as_object_mut() {
                describe(inner, text.clone());
            }
            told.insert(member.clone(), text.into());
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
    fn objects_become_one_and_null_stays_apart() {
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
