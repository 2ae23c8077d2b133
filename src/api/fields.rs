//! The fields of a request, read from a JSON object or a query string, in order and without duplicates.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::problem::{Code, Problem};
use crate::domain::subject::field_names::{in_one_spelling, is_same, look_up};
use crate::domain::subject::spelling::trimmed;
use crate::domain::warning::quoted;

/// Where fields came from, for error pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A JSON object, by the JSON pointer to it.
    Body(String),
    /// The query string.
    Query,
}

/// The fields of one object, without null and empty ones.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    list: Vec<(String, Box<RawValue>)>,
    origin: Origin,
}

/// The members of a request that are not subjects.
pub(super) const OPTIONS: [&str; 7] = ["format", "include", "limit", "max_chars", "not_found", "notify", "requests"];

fn is_known(name: &str) -> bool {
    look_up(name).is_some() || OPTIONS.iter().any(|option| is_same(option, name))
}

impl Fields {
    /// Reads a JSON object.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Problem> {
        let object: Object = serde_json::from_slice(bytes).map_err(|error| {
            if error.is_data() {
                Problem::new(Code::InvalidRequest, "The body has to be a JSON object.")
            } else {
                not_json_at(&error)
            }
        })?;
        Self::new(object.0, Origin::Body(String::new()))
    }

    /// Reads an object that is parsed already. Pointers to its fields are relative to it.
    pub(super) fn from_object(object: Map<String, Value>) -> Result<Self, Problem> {
        let list = object.into_iter().filter_map(|(name, value)| Some((name, to_raw_value(&value).ok()?))).collect();
        Self::new(list, Origin::Body(String::new()))
    }

    /// Reads an object inside the body.
    pub(super) fn from_raw(raw: &RawValue, pointer: String) -> Result<Self, Problem> {
        match serde_json::from_str::<Object>(raw.get()) {
            Ok(object) => Self::new(object.0, Origin::Body(pointer)),
            Err(_) => Err(Problem::at(Code::InvalidRequest, pointer, "This has to be a JSON object.")),
        }
    }

    /// Reads a query string.
    pub(super) fn from_query(query: &str) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let list = pairs.filter_map(|(name, value)| Some((name.into_owned(), to_raw_value(&*value).ok()?))).collect();
        Self::new(list, Origin::Query)
    }

    fn new(list: Vec<(String, Box<RawValue>)>, origin: Origin) -> Result<Self, Problem> {
        let mut fields = Self { list: Vec::with_capacity(list.len()), origin };
        // A caller may send thousands of names, so the search for duplicates uses a map.
        let mut names: HashMap<String, String> = HashMap::with_capacity(list.len());
        for (name, value) in list {
            if name.is_empty() || is_absent(&value) {
                continue;
            }
            let key = if is_known(&name) { in_one_spelling(&name) } else { name.clone() };
            if let Some(first) = names.insert(key, name.clone()) {
                let pointer = fields.pointer(&first);
                return Err(Problem::at(Code::InvalidRequest, pointer, "This field is there more than once."));
            }
            fields.list.push((name, value));
        }
        Ok(fields)
    }

    /// Returns the location of a field, for an error's `pointer`.
    pub(super) fn pointer(&self, name: &str) -> String {
        match &self.origin {
            Origin::Body(object) => format!("{object}/{}", quoted(&name.replace('~', "~0").replace('/', "~1"))),
            Origin::Query => format!("?{}", quoted(name)),
        }
    }

    /// Takes out a field, in any spelling of its name.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<Value>, Problem> {
        self.take_raw(name).map(|raw| serde_json::from_str(raw.get()).map_err(|_| not_json())).transpose()
    }

    /// Takes out the fields of these names, and deserializes them as the members of one object.
    pub(super) fn read<T: DeserializeOwned>(&mut self, names: &[&'static str]) -> Result<T, Problem> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            if let Some(value) = self.take(name)? {
                members.push((*name, value));
            }
        }
        let members = MapDeserializer::<_, serde_json::Error>::new(members.into_iter());
        serde_path_to_error::deserialize(members).map_err(|error| {
            let pointer = error.path().iter().next().map_or_else(String::new, |first| match first {
                Segment::Map { key } => self.pointer(key),
                Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => String::new(),
            });
            Problem::at(Code::InvalidRequest, pointer, error.into_inner().to_string())
        })
    }

    /// Takes out a field as raw JSON.
    pub(super) fn take_raw(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.list.iter().position(|(known, _)| is_same(known, name) || known == name)?;
        Some(self.list.remove(at).1)
    }

    /// The names of the remaining fields, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }
}

/// Whether a value counts as absent: null, an empty string, or blanks only.
fn is_absent(value: &RawValue) -> bool {
    let is_blank = |text: &str| serde_json::from_str::<Cow<'_, str>>(text).is_ok_and(|text| trimmed(&text).is_empty());
    match value.get() {
        "null" | "\"\"" => true,
        text => text.starts_with('"') && is_blank(text),
    }
}

const NOT_JSON: &str = "The body has to be JSON in UTF-8, nested no deeper than 127 levels.";

fn not_json() -> Problem {
    Problem::new(Code::InvalidJson, NOT_JSON)
}

/// The same problem, with the line and column of the error.
fn not_json_at(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let detail = format!(
        "{NOT_JSON} The first error is at line {line}, column {column}. A backslash inside a text is written twice: \"CONTOSO\\\\dana\"."
    );
    Problem::new(Code::InvalidJson, detail)
}

/// A JSON object that keeps the order of its members and their duplicates.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Object, A::Error> {
                // A list is read to its end, so that malformed JSON in it is reported as malformed.
                while seq.next_element::<Value>()?.is_some() {}
                Err(de::Error::custom("a list is no object"))
            }
        }

        deserializer.deserialize_any(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Result<Vec<String>, Code> {
        let fields = Fields::from_json(body.as_bytes()).map_err(|problem| problem.code)?;
        Ok(fields.names().map(str::to_owned).collect())
    }

    #[test]
    fn absent_field_does_not_conflict_with_another_spelling() {
        for (body, name) in [
            (r#"{"alertId":null,"alert_id":"x"}"#, "alert_id"),
            (r#"{"alert_id":"x","alertId":null}"#, "alert_id"),
            (r#"{"alertId":"","alert_id":"x"}"#, "alert_id"),
            (r#"{"alertId":"x","alert_id":""}"#, "alertId"),
        ] {
            assert_eq!(names(body), Ok(vec![name.to_owned()]), "{body}");
        }
        for body in [r#"{"alertId":"x","alert_id":"x"}"#, r#"{"alert_id":"x","alert_id":"y"}"#] {
            assert_eq!(names(body), Err(Code::InvalidRequest), "{body}");
        }
    }
}
