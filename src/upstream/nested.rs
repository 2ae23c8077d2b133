//! Objects and lists of them inside another object: each read at once, if it is what it should be.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::members::Members;
use crate::domain::text::Text;

/// The members of an object that stands in this body; `None` if it is none.
pub(super) fn object<'de>(raw: &'de RawValue, body: Option<&'de Text>) -> Option<Members<'de>> {
    read(raw, '{', Object(body))?
}

/// The members of the objects of a list that stands in this body, without the nulls in it; `None` if it is none.
pub(super) fn objects<'de>(raw: &'de RawValue, body: Option<&'de Text>) -> Option<Vec<Members<'de>>> {
    read(raw, '[', Objects(body))
}

fn read<'de, S: DeserializeSeed<'de>>(raw: &'de RawValue, first: char, seed: S) -> Option<S::Value> {
    // What begins otherwise need not be given up with an error, which is not for free.
    raw.get().starts_with(first).then(|| seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok())?
}

/// An object that stands in this body, or null.
struct Object<'de>(Option<&'de Text>);

impl<'de> DeserializeSeed<'de> for Object<'de> {
    type Value = Option<Members<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Option<Members<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Members::of_part(self.0).filled(map).map(Some)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A list of such objects.
struct Objects<'de>(Option<&'de Text>);

impl<'de> DeserializeSeed<'de> for Objects<'de> {
    type Value = Vec<Members<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'de> {
    type Value = Vec<Members<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = list.next_element_seed(Object(self.0))? {
            objects.extend(object);
        }
        Ok(objects)
    }
}
