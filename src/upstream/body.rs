//! Bodies as a whole: one object, or a list in the envelope that `OData` puts around it.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::UpstreamError;
use super::members::{Members, Name};
use super::objects::{ObjectOf, ReadObject};
use crate::domain::text::Text;

/// Reads a body that has to be one object.
pub(crate) fn object<'de, S: ReadObject<'de>>(body: &'de Text, reader: &mut S) -> Result<S::Item, UpstreamError> {
    let mut json = serde_json::Deserializer::from_str(body);
    let mut read = Vec::with_capacity(1);
    let outcome = ObjectOf(reader, body, &mut read).deserialize(&mut json).and_then(|_| json.end());
    outcome.map_err(|error| {
        UpstreamError::malformed(if error.is_data() { "JSON of another shape" } else { "not JSON" })
    })?;
    read.pop().ok_or(UpstreamError::malformed("JSON, but no object"))
}

/// One page of a list.
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// Where the next one is, if there is one.
    pub(crate) next_link: Option<String>,
}

impl<T> Page<T> {
    /// Puts what is on it after what was on the pages before, of which there is mostly none. Where the next one is.
    pub(crate) fn append_to(mut self, items: &mut Vec<T>) -> Option<String> {
        if items.is_empty() {
            *items = self.items;
        } else {
            items.append(&mut self.items);
        }
        self.next_link
    }
}

/// Reads `{"value":[…],"@odata.nextLink":"…"}`. `value` has to be a list of objects: anything else must not pass for
/// an empty list.
pub(crate) fn page<'de, S: ReadObject<'de>>(body: &'de Text, items: &mut S) -> Result<Page<S::Item>, UpstreamError> {
    list(body, "value", items)
}

/// The same, with the list under another name.
pub(crate) fn list<'de, S: ReadObject<'de>>(
    body: &'de Text,
    name: &'static str,
    items: &mut S,
) -> Result<Page<S::Item>, UpstreamError> {
    let (items, next_link) = object(body, &mut PageReader { name, items })?;
    Ok(Page { items: items.ok_or(UpstreamError::malformed("a list without its items"))?, next_link })
}

struct PageReader<'s, S> {
    name: &'static str,
    items: &'s mut S,
}

impl<'de, S: ReadObject<'de>> ReadObject<'de> for PageReader<'_, S> {
    type Item = (Option<Vec<S::Item>>, Option<String>);

    fn read<A: MapAccess<'de>>(&mut self, mut map: A, body: &'de Text) -> Result<Self::Item, A::Error> {
        let (mut items, mut next_link) = (None, None);
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if name.0 == self.name {
                items = Some(map.next_value_seed(StrictList(self.items, body))?);
            } else if name.0 == "@odata.nextLink" {
                next_link = map.next_value::<Option<String>>()?;
            } else {
                map.next_value::<&'de RawValue>()?;
            }
        }
        Ok((items, next_link))
    }
}

/// What an item of a list takes at least in most bodies, in bytes: room is made for as many as there may be.
const USUAL: usize = 2 << 10;

struct StrictList<'s, 'de, S>(&'s mut S, &'de Text);

impl<'de, S: ReadObject<'de>> DeserializeSeed<'de> for StrictList<'_, 'de, S> {
    type Value = Vec<S::Item>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: ReadObject<'de>> Visitor<'de> for StrictList<'_, 'de, S> {
    type Value = Vec<S::Item>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::with_capacity(self.1.len() / USUAL);
        while let Some(is_one) = seq.next_element_seed(ObjectOf(self.0, self.1, &mut items))? {
            if !is_one {
                return Err(serde::de::Error::custom("an item that is no object"));
            }
        }
        items.shrink_to_fit();
        Ok(items)
    }
}

/// Reads an object by its members.
pub(crate) struct MembersReader<F>(pub(crate) F);

impl<'de, T, F: FnMut(Members<'de>) -> T> ReadObject<'de> for MembersReader<F> {
    type Item = T;

    fn read<A: MapAccess<'de>>(&mut self, map: A, body: &'de Text) -> Result<T, A::Error> {
        Ok((self.0)(Members::within(body).filled(map)?))
    }
}
