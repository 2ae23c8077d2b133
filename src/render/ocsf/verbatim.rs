//! Members that have no home, as they came but for what says nothing: nulls, empty lists, empty objects.

use std::borrow::Cow;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::object::Absent;
use crate::domain::extra::Extra;

/// The members of an [`Extra`] that say something.
#[derive(Default)]
pub(super) struct Verbatim<'a>(Vec<(Cow<'a, str>, Kept<'a>)>);

/// A value that says something.
enum Kept<'a> {
    Whole(&'a RawValue),
    List(Vec<Kept<'a>>),
    Object(Verbatim<'a>),
}

impl<'a> Verbatim<'a> {
    pub(super) fn of(extra: &'a Extra) -> Self {
        Self(extra.iter().filter_map(|(name, value)| Some((Cow::Borrowed(name), kept(value)?))).collect())
    }
}

fn kept(raw: &RawValue) -> Option<Kept<'_>> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'[' | b'{') if !may_hold_nothing(text) => Some(Kept::Whole(raw)),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items: Vec<_> = items.into_iter().filter_map(kept).collect();
            (!items.is_empty()).then_some(Kept::List(items))
        }
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(text).ok()?;
            let members: Vec<_> =
                members.0.into_iter().filter_map(|(name, value)| Some((name, kept(value)?))).collect();
            (!members.is_empty()).then_some(Kept::Object(Verbatim(members)))
        }
        _ => Some(Kept::Whole(raw)),
    }
}

/// Whether there could be a null, an empty list or an empty object in a text: if not, it need not be taken apart.
fn may_hold_nothing(json: &str) -> bool {
    let mut opened = false;
    for byte in json.bytes() {
        match byte {
            b'[' | b'{' => opened = true,
            b']' | b'}' if opened => return true,
            byte if byte.is_ascii_whitespace() => {}
            _ => opened = false,
        }
    }
    json.contains("null")
}

/// The members of an object in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl Absent for Verbatim<'_> {
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(raw) => raw.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_and_the_rest_is_as_it_came() {
        for (given, right) in [
            (r#"{"a":1.10,"b":[1,2.50]}"#, Some(r#"{"a":1.10,"b":[1,2.50]}"#)),
            (
                r#"{"a":null,"b":[null,{ },[ ]],"c":{"d":12345678901234567890,"e":null}}"#,
                Some(r#"{"c":{"d":12345678901234567890}}"#),
            ),
            (r#"{"a":"null","b":"[]","\u0063":[null,0]}"#, Some(r#"{"a":"null","b":"[]","c":[0]}"#)),
            ("[[],[null,[]]]", None),
            ("null", None),
            ("{ }", None),
            ("false", Some("false")),
            (r#""""#, Some(r#""""#)),
        ] {
            let raw = RawValue::from_string(given.to_owned()).expect("JSON");
            let mut extra = Extra::default();
            extra.keep("m", raw);
            let kept = Verbatim::of(&extra);
            let shown = serde_json::to_string(&kept).expect("JSON");
            let right = right.map_or("{}".to_owned(), |right| format!(r#"{{"m":{right}}}"#));
            assert_eq!(shown, right, "{given}");
            assert_eq!(kept.is_absent(), right == "{}");
        }
    }
}
