//! Objects and lists of them, read one after the other as they come; what stands in their place is passed over.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::domain::extra::Extra;
use crate::domain::text::Text;
use crate::domain::warning::Warnings;

/// Reads the members of one object, with what it needs at hand.
pub(crate) trait ReadObject<'de> {
    /// What an object becomes.
    type Item;

    /// Reads one object, which stands in this body.
    fn read<A: MapAccess<'de>>(&mut self, map: A, body: &'de Text) -> Result<Self::Item, A::Error>;

    /// Takes note of something that stands where an object should, and is passed over.
    fn pass_over(&mut self, _: Value) {}
}

/// Keeps under a name what stood there, or among the items of a list there, and was no object; and tells it.
pub(crate) fn keep_passed_over(extra: &mut Extra, name: &str, values: Vec<Value>, is_list: bool, notes: &mut Warnings) {
    let value =
        if is_list { Some(Value::Array(values)).filter(|list| *list != json!([])) } else { values.into_iter().next() };
    if let Some(Ok(raw)) = value.map(|value| to_raw_value(&value)) {
        notes.unexpected_type(name, "a list of objects");
        extra.keep(name, raw);
    }
}

/// The arms of a visitor for everything that is neither a list nor an object: passed over, and told by this value.
macro_rules! scalars_are_passed_over {
    ($told:expr) => {
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($told)
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            self.0.pass_over(value.into());
            Ok($told)
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            self.0.pass_over(value.into());
            Ok($told)
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            self.0.pass_over(value.into());
            Ok($told)
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            self.0.pass_over(value.into());
            Ok($told)
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            self.0.pass_over(value.into());
            Ok($told)
        }
    };
}

/// One object, which `S` reads, and which joins others: what it becomes may be large, and would be moved from hand to
/// hand on its way. Whether it is one: anything else is passed over.
pub(crate) struct ObjectOf<'s, 'de, S: ReadObject<'de>>(
    pub(crate) &'s mut S,
    pub(crate) &'de Text,
    pub(crate) &'s mut Vec<S::Item>,
);

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for ObjectOf<'_, 'de, S> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for ObjectOf<'_, 'de, S> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.2.push(self.0.read(map, self.1)?);
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        self.0.pass_over(Value::Array(list));
        Ok(false)
    }

    scalars_are_passed_over!(false);
}

/// A list of objects that `S` reads one after the other, passing over what is none; a single object is a list of one.
/// Anything else, null among it, is no list: `None`.
pub(crate) struct ListOf<'s, 'de, S>(pub(crate) &'s mut S, pub(crate) &'de Text);

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for ListOf<'_, 'de, S> {
    type Value = Option<Vec<S::Item>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for ListOf<'_, 'de, S> {
    type Value = Option<Vec<S::Item>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while seq.next_element_seed(ObjectOf(self.0, self.1, &mut items))?.is_some() {}
        // Most lists are short and there are many of them: the room for more would be a third of what is kept.
        items.shrink_to_fit();
        Ok(Some(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(Some(vec![self.0.read(map, self.1)?]))
    }

    scalars_are_passed_over!(None);
}
