//! Reads objects and lists of objects one after the other.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::to_raw_value;

use super::json::{Json, Malformed};
use super::value::Value;
use crate::domain::extra::Extra;
use crate::domain::warning::Warnings;

/// A reader for one kind of object. It holds the state that reading needs.
pub(crate) trait ReadObject<'de> {
    /// The value that an object is read into.
    type Item;

    /// Reads an object.
    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<Self::Item, A::Error>;

    /// The approximate size of an item in bytes, without the body and without bytes counted during `read`.
    fn weight(_: &Self::Item) -> usize {
        size_of::<Self::Item>()
    }
}

/// Reads an object, or null as `None`.
pub(super) struct ObjectSeed<'s, 'de, S> {
    pub(super) reader: &'s mut S,
    pub(super) json: &'s Json<'de>,
}

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for ObjectSeed<'_, 'de, S> {
    type Value = Option<S::Item>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for ObjectSeed<'_, 'de, S> {
    type Value = Option<S::Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        let item = self.reader.read(object, self.json)?;
        self.json.or_stop(self.json.spend(S::weight(&item)))?;
        Ok(Some(item))
    }
}

/// Reads a list of objects, or null as `None`.
pub(super) struct ListSeed<'s, 'de, S> {
    pub(super) reader: &'s mut S,
    pub(super) json: &'s Json<'de>,
    /// The number of items for which there is space from the start.
    pub(super) capacity: usize,
    /// Whether there may be nulls among the objects.
    pub(super) may_have_nulls: bool,
}

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for ListSeed<'_, 'de, S> {
    type Value = Option<Vec<S::Item>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for ListSeed<'_, 'de, S> {
    type Value = Option<Vec<S::Item>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Self { reader, json, capacity, may_have_nulls } = self;
        let mut items = Vec::with_capacity(capacity);
        while let Some(item) = list.next_element_seed(ObjectSeed { reader, json })? {
            match item {
                Some(item) => items.push(item),
                None if may_have_nulls => {}
                None => return json.or_stop(Err(Malformed::OtherShape)),
            }
        }
        // There are many lists and most are short: spare capacity would be a third of the memory kept.
        items.shrink_to_fit();
        Ok(Some(items))
    }
}

/// The objects in some members.
pub(crate) struct Objects<'de, T> {
    /// What they were read into. `None`: there are no such members.
    pub(crate) items: Option<Vec<T>>,
    /// The values of other types in their place, by the name of the member, and whether they stood in a list.
    others: Vec<(&'static str, Vec<Value<'de>>, bool)>,
}

impl<T> Default for Objects<'_, T> {
    fn default() -> Self {
        Self { items: None, others: Vec::new() }
    }
}

impl<'de, T> Objects<'de, T> {
    /// Adds the objects in the value of a member: in its list, or the value itself.
    pub(super) fn add<A: MapAccess<'de>, S: ReadObject<'de, Item = T>>(
        &mut self,
        name: &'static str,
        object: &mut A,
        reader: &mut S,
        json: &Json<'de>,
    ) -> Result<(), A::Error> {
        let items = if json.is_regular {
            object.next_value_seed(ListSeed { reader, json, capacity: 0, may_have_nulls: true })?.unwrap_or_default()
        } else {
            let value = object.next_value()?;
            json.or_stop(self.one_by_one(name, value, reader, json))?
        };
        match &mut self.items {
            Some(earlier) => earlier.extend(items),
            None => self.items = Some(items),
        }
        Ok(())
    }

    fn one_by_one<S: ReadObject<'de, Item = T>>(
        &mut self,
        name: &'static str,
        value: Value<'de>,
        reader: &mut S,
        json: &Json<'de>,
    ) -> Result<Vec<T>, Malformed> {
        /// Bytes that a value of another type occupies, besides its text, until it is kept.
        const OTHER_VALUE_BYTES: usize = 96;
        let (mut items, mut others) = (Vec::new(), Vec::new());
        let mut read = |item: Value<'de>| {
            if item.json().starts_with('{') {
                items.extend(json.read(item.json(), ObjectSeed { reader: &mut *reader, json })?);
            } else if !item.is_null() {
                json.spend(OTHER_VALUE_BYTES)?;
                others.push(item);
            }
            Ok(())
        };
        let is_list = value.json().starts_with('[');
        let outcome = if is_list { value.each_item(json, read) } else { read(value) };
        outcome?;
        items.shrink_to_fit();
        self.others.push((name, others, is_list));
        Ok(items)
    }

    /// Adds the values of other types to `extra`, with a warning.
    pub(crate) fn and_others(&self, mut extra: Extra, warnings: &mut Warnings) -> Extra {
        for (name, values, is_list) in &self.others {
            let mut kept: Vec<_> = values.iter().filter_map(|value| value.kept()).collect();
            let value = if *is_list && !kept.is_empty() { to_raw_value(&kept).ok() } else { kept.pop() };
            if let Some(value) = value {
                warnings.unexpected_type(name, "a list of objects");
                extra.keep(*name, value);
            }
        }
        extra
    }
}
