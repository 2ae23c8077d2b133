//! The request schemas: subjects and options, as members of a body and as query parameters.
//!
//! A body has two schemas. The JSON Schema describes everything that the service accepts. The schema of the OpenAPI
//! document describes the form that programs should send, from which generators make types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api::batch::MAX_SUBJECTS;
use crate::api::request::OptionMembers;
use crate::domain::subject::Kind;
use crate::domain::subject::field_names::{self, FieldMeaning, in_one_spelling};

/// The schema of values that count as absent: null and blank strings.
fn absent() -> Value {
    json!({"type": ["string", "null"], "pattern": r"^\s*$"})
}

/// The subjects: name, accepted values, and an example from the demo company.
const SUBJECTS: [(&str, &str, &str); 9] = [
    ("alert_id", "An alert's id, or a portal link to it.", "da639305048212385104_-1204837751"),
    (
        "machine",
        "A device id (40 hexadecimal digits), a DNS or NetBIOS name, or a portal link.",
        "desk-042.contoso.com",
    ),
    (
        "user",
        "An account name, DOMAIN\\name, name@domain, or a portal link; on Graph also a SID or an object id.",
        "dana.reyes@contoso.com",
    ),
    (
        "file_hash",
        "A SHA-1 or SHA-256; MD5 is refused.",
        "be247dc4ef5759515f205988b833a2db53d747c4f3c66f44d57d1aa9378e18b3",
    ),
    ("incident_id", "An incident's number, or a portal link to it.", "3107"),
    ("ip", "An address of version 4 or 6, in any form, also defanged (192[.]0[.]2[.]7).", "198.51.100.140"),
    ("domain", "A DNS name, also defanged (evil[.]example).", "relay.harbour-lights.example"),
    (
        "url",
        "A URL, also defanged (hxxps://evil[.]example/x): its host is asked about, as a domain or an address.",
        "https://relay.harbour-lights.example/gate",
    ),
    (
        "value",
        "Anything of these. It is asked as each kind that its form allows, until one finds something.",
        "desk-042",
    ),
];

/// The accepted forms of a subject's value, preferred form first. Numbers are accepted where a number is possible.
fn forms(kind: Option<Kind>) -> Vec<Value> {
    let mut forms = vec![json!({"type": "string"})];
    match kind {
        Some(Kind::Incident) => forms.push(json!({"type": "integer", "minimum": 1})),
        None => forms.push(json!({"type": "integer", "minimum": 0})),
        Some(_) => {}
    }
    forms
}

/// An option: its name, its description, and the accepted forms of its value, preferred form first.
struct OptionSchema {
    name: String,
    description: Value,
    forms: Vec<Value>,
}

/// Reads the options from their types.
fn options() -> Vec<OptionSchema> {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let schema = generator.into_root_schema_for::<OptionMembers>().to_value();
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let choice = |(name, schema): (String, Value)| {
        let description = schema.get("description").cloned().unwrap_or_default();
        OptionSchema { name, description, forms: without_null(schema) }
    };
    properties.into_iter().map(choice).collect()
}

/// Returns the forms of a value, without null.
fn without_null(schema: Value) -> Vec<Value> {
    let Value::Object(mut schema) = schema else { return Vec::new() };
    schema.remove("description");
    if let Some(Value::Array(forms)) = schema.remove("anyOf") {
        return forms.into_iter().flat_map(without_null).collect();
    }
    for list in ["type", "enum"] {
        if let Some(Value::Array(items)) = schema.get_mut(list) {
            items.retain(|item| !item.is_null() && item != "null");
            if let ("type", [only]) = (list, items.as_slice()) {
                let only = only.clone();
                schema.insert(list.to_owned(), only);
            }
        }
    }
    if schema.get("type").is_some_and(|name| name == "null") { Vec::new() } else { vec![schema.into()] }
}

/// The schema of an optional member in all its forms.
fn any_form(description: &Value, mut forms: Vec<Value>) -> Value {
    forms.push(absent());
    let schema = json!({"anyOf": forms});
    if description.is_null() { schema } else { with_description(schema, description) }
}

fn with_description(schema: Value, description: &Value) -> Value {
    with_member(schema, "description", description.clone())
}

/// Returns a regular expression for a name in any spelling: case, `_` and `-` do not matter.
fn spelled<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let character = |character: char| match character.to_ascii_uppercase() {
        same if same == character => character.to_string(),
        upper => format!("[{character}{upper}]"),
    };
    let word = |word: &str| in_one_spelling(word).chars().map(character).collect::<Vec<_>>().join("[_-]*");
    let words: Vec<_> = words.into_iter().map(word).collect();
    format!("[_-]*(?:{})[_-]*$", words.join("|"))
}

/// The schema of an object in which none of these words has a value.
fn none<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"patternProperties": {format!("^{}", spelled(words)): absent()}})
}

/// The schema of an object in which at least one of these words has a value.
fn some<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"not": none(words)})
}

fn all_words() -> impl Iterator<Item = (FieldMeaning, &'static str)> {
    field_names::all()
}

/// The schema of an object in which some of these words have a value that their kind accepts.
fn one_of_kind(words: &[&'static str], kind: Option<Kind>) -> Value {
    let pattern = format!("^{}", spelled(words.iter().copied()));
    let values = json!({"patternProperties": {pattern: any_form(&Value::Null, forms(kind))}});
    json!({"allOf": [some(words.iter().copied()), values]})
}

/// The schema of exactly one subject: a name of the first version, or other words for one kind.
fn one_subject() -> Value {
    let (older, newer): (Vec<_>, Vec<_>) = all_words().partition(|(_, word)| field_names::is_of_first_version(word));
    // A field for hosts may hold an address, so its words count for either kind.
    let newer_cases = [Kind::Machine, Kind::Ip].map(|of_hosts| {
        let is_of_kind = |named: FieldMeaning, kind| match named {
            FieldMeaning::Host => kind == of_hosts,
            FieldMeaning::Kind(_) | FieldMeaning::Url | FieldMeaning::Value => named.kind() == Some(kind),
        };
        let of_kind = |kind| {
            let words: Vec<_> =
                newer.iter().filter(|(named, _)| is_of_kind(*named, kind)).map(|(_, word)| *word).collect();
            one_of_kind(&words, Some(kind))
        };
        let anything = newer.iter().filter(|(named, _)| named.kind().is_none());
        let cases = Kind::ALL.into_iter().map(of_kind).chain(anything.map(|(_, word)| one_of_kind(&[*word], None)));
        json!({"oneOf": cases.collect::<Vec<_>>()})
    });
    let mut cases: Vec<_> = older.iter().map(|(named, word)| one_of_kind(&[*word], named.kind())).collect();
    cases.push(json!({"allOf": [none(older.iter().map(|(_, word)| *word)), {"anyOf": newer_cases}]}));
    json!({"oneOf": cases})
}

/// Adds the options of a body, in any spelling.
fn options_in_any_form(properties: &mut Map<String, Value>, patterns: &mut Map<String, Value>) {
    for OptionSchema { name, description, forms } in options() {
        let schema = any_form(&description, forms);
        // Validators reject a member that both `properties` and `patternProperties` describe.
        patterns.insert(format!("^(?!{name}$){}", spelled([name.as_str()])), schema.clone());
        properties.insert(name, schema);
    }
}

/// The schema of everything that `POST /v1/enrich` accepts, except for the forms of ids, which only the service
/// checks.
fn request() -> Value {
    let mut properties: Map<_, _> =
        SUBJECTS.iter().map(|(name, text, _)| ((*name).to_owned(), json!({"description": text}))).collect();
    let mut patterns = Map::new();
    options_in_any_form(&mut properties, &mut patterns);
    let others: Vec<_> =
        all_words().map(|(_, word)| word).filter(|word| !SUBJECTS.iter().any(|(name, ..)| name == word)).collect();
    let description = format!(
        "Exactly one subject, and options. A null or empty field counts as absent. Case, _ and - do not matter in names. Where \
         none of alert_id, machine, user, file_hash, incident_id and value is there, other words name a subject as well: {}.",
        others.join(", ")
    );
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "patternProperties": patterns,
        "allOf": [one_subject()]
    })
}

/// The JSON Schema of `POST /v1/enrich`.
pub(super) fn request_schema() -> Value {
    rooted(request())
}

/// The JSON Schema of `POST /v1/enrich/batch`.
pub(super) fn batch_request_schema() -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    options_in_any_form(&mut properties, &mut patterns);
    let subjects: Vec<_> = all_words().map(|(_, word)| word).collect();
    let requests =
        json!({"type": "array", "minItems": 1, "maxItems": MAX_SUBJECTS, "items": {"$ref": "#/$defs/Request"}});
    rooted(json!({
        "type": "object",
        "description": "Subjects, each in an object of its own in requests; or one object with several subjects, an item each. The options count for those that have none of their own.",
        "properties": properties,
        "patternProperties": patterns,
        "oneOf": [
            {"allOf": [
                some(["requests"]),
                {"patternProperties": {format!("^{}", spelled(["requests"])): any_form(&"The requests.".into(), vec![requests])}},
                none(subjects.iter().copied())
            ]},
            {"allOf": [none(["requests"]), some(subjects.iter().copied())]}
        ],
        "$defs": {"Request": request()}
    }))
}

fn rooted(schema: Value) -> Value {
    with_member(schema, "$schema", "https://json-schema.org/draft/2020-12/schema".into())
}

fn with_member(mut schema: Value, name: &str, value: Value) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert(name.to_owned(), value);
    }
    schema
}

/// The members of a body in their preferred forms.
fn preferred_members() -> Map<String, Value> {
    let subject = |(name, text, _): &(&str, &str, &str)| {
        ((*name).to_owned(), json!({"type": ["string", "null"], "description": text}))
    };
    // Some generators make a member with a default required, so the default is stated in the description.
    let option = |OptionSchema { name, description, forms }: OptionSchema| {
        let mut schema = forms.into_iter().next().unwrap_or_default();
        let default = schema.as_object_mut().and_then(|schema| schema.remove("default"));
        let text = description.as_str().unwrap_or_default();
        let text = default.map_or_else(|| text.to_owned(), |default| format!("{text} Default: {}.", word(&default)));
        (name, with_description(schema, &text.into()))
    };
    SUBJECTS.iter().map(subject).chain(options().into_iter().map(option)).collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The body schemas of the OpenAPI document.
pub(super) fn bodies() -> [(&'static str, Value); 2] {
    let requests = json!({
        "type": "array", "minItems": 1, "maxItems": MAX_SUBJECTS, "items": {"$ref": "#/components/schemas/Request"},
        "description": "The subjects, each with options of its own; they come before those of the batch."
    });
    let batch: Map<_, _> = preferred_members().into_iter().chain([("requests".to_owned(), requests)]).collect();
    [
        (
            "Request",
            json!({
                "type": "object",
                "description": "Exactly one subject, and options. Null counts as absent. More is taken than this says: request.schema.json has all of it.",
                "properties": preferred_members()
            }),
        ),
        (
            "BatchRequest",
            json!({
                "type": "object",
                "description": "Subjects in requests; or several subjects as members, an item each. Options count for those that have none of their own. More is taken than this says: batch_request.schema.json has all of it.",
                "properties": batch
            }),
        ),
    ]
}

/// Example requests, which the demo answers.
pub(super) fn examples() -> Value {
    let example = |(name, _, example): &(&str, &str, &str)| ((*name).to_owned(), json!({"value": {*name: example}}));
    Value::Object(SUBJECTS.iter().map(example).collect())
}

/// Example batches, which the demo answers.
pub(super) fn batch_examples() -> Value {
    let all = || SUBJECTS.iter().take(3);
    let separate: Vec<_> = all().map(|(name, _, example)| json!({*name: example})).collect();
    let members: Map<_, _> = all().map(|(name, _, example)| ((*name).to_owned(), (*example).into())).collect();
    json!({
        "requests": {"value": {"requests": separate, "limit": 5}},
        "members": {"summary": "One object with several subjects", "value": members}
    })
}

fn parameter(name: &str, description: &Value, schema: &Value) -> Value {
    let parameter =
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema});
    if schema.get("items").is_none() {
        return parameter;
    }
    // The items are separated by commas.
    with_member(with_member(parameter, "style", "form".into()), "explode", false.into())
}

/// The query parameters for a subject and options.
pub(super) fn query_parameters() -> Vec<Value> {
    let subject = |(name, text, example): &(&str, &str, &str)| {
        let parameter = parameter(name, &(*text).into(), &json!({"type": "string"}));
        if *name == "machine" { with_member(parameter, "example", (*example).into()) } else { parameter }
    };
    SUBJECTS.iter().map(subject).chain(option_parameters()).collect()
}

/// The query parameters for options, beside a body.
pub(super) fn option_parameters() -> Vec<Value> {
    let option = |OptionSchema { name, description, forms }| {
        parameter(&name, &description, &forms.into_iter().next().unwrap_or_default())
    };
    options().into_iter().map(option).collect()
}
