//! Members that have no home, as they came but for what says nothing: nulls, empty lists, empty objects.

use std::borrow::Cow;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::extra::Extra;

/// The members of an [`Extra`] that say something, in a body without empty members.
pub(super) struct Verbatim<'a>(pub(super) &'a Extra);

/// A value of theirs.
struct Part<'a>(&'a RawValue);

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Part(value))))
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.get();
        match text.as_bytes().first() {
            Some(b'n') => serializer.serialize_none(),
            Some(b'[') if may_hold_nothing(text) => {
                let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
                serializer.collect_seq(items.into_iter().map(Part))
            }
            Some(b'{') if may_hold_nothing(text) => {
                let Members(members) = serde_json::from_str(text).unwrap_or_default();
                serializer.collect_map(members.into_iter().map(|(name, value)| (name, Part(value))))
            }
            _ => self.0.serialize(serializer),
        }
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
#[derive(Default)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sparse;

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
            let shown = String::from_utf8(sparse::to_vec(&Verbatim(&extra), usize::MAX)).expect("UTF-8");
            let right = right.map_or("{}".to_owned(), |right| format!(r#"{{"m":{right}}}"#));
            assert_eq!(shown, right, "{given}");
        }
    }
}
