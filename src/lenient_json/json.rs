//! Reads one level of JSON with `serde_json`: the members of an object or the items of a list. Their values stay raw
//! JSON, so that nothing in them is lost: the digits of a number, the order of members, types that nobody expects.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::StrRead;
use serde_json::value::RawValue;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is not valid JSON.
    NotJson,
    /// It is JSON, but has another type where an object or a list is required.
    OtherShape,
    /// The envelope of a list lacks the list.
    NoItems,
    /// The parsed values would take too much memory.
    TooMuch,
}

/// The bytes that the values parsed from a text may occupy. The length of the text limits them, so memory is bounded for
/// any body.
pub(super) struct Budget {
    limit: usize,
    pub(super) spent: usize,
}

impl Budget {
    /// The budget for the values in a text: Microsoft's alerts need about one byte for each byte of JSON; `{}` needs
    /// hundreds.
    pub(super) fn of(text: &str) -> Self {
        const BYTES_OF_AN_EMPTY_TEXT: usize = 256 << 10;
        const BYTES_PER_BYTE: usize = 2;
        Self { limit: BYTES_OF_AN_EMPTY_TEXT + BYTES_PER_BYTE * text.len(), spent: 0 }
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.spent += bytes;
        if self.spent > self.limit { Err(Malformed::TooMuch) } else { Ok(()) }
    }
}

/// Why a reader ended the reading, because an error of serde is only a text.
pub(super) type Failure = Cell<Option<Malformed>>;

/// Reads a whole text.
pub(super) fn read<'de, T>(
    text: &'de str,
    failure: &Failure,
    read: impl FnOnce(&mut serde_json::Deserializer<StrRead<'de>>) -> serde_json::Result<T>,
) -> Result<T, Malformed> {
    let mut json = serde_json::Deserializer::from_str(text);
    read(&mut json).and_then(|value| json.end().and(Ok(value))).map_err(|error| {
        let shape = if error.is_data() { Malformed::OtherShape } else { Malformed::NotJson };
        failure.get().unwrap_or(shape)
    })
}

/// Calls `item` for each item of a list.
pub(super) fn each_item<'de>(
    list: &'de str,
    item: impl FnMut(&'de RawValue) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let failure = &Failure::default();
    read(list, failure, |json| List { item: PhantomData, read: item, failure }.deserialize(json))
}

/// Calls `read` for each item of a list.
struct List<'f, I, F> {
    item: I,
    read: F,
    failure: &'f Failure,
}

/// The members of an object. `member` is called for each of them. A value that is null is `None`.
pub(super) struct Object<'f, F> {
    pub(super) member: F,
    pub(super) failure: &'f Failure,
}

/// The envelope of a list: the items of the list in the member `name`, each read by `item`, and `@odata.nextLink`.
pub(super) struct Envelope<'f, I, F> {
    pub(super) name: &'f str,
    pub(super) item: I,
    pub(super) read: F,
    pub(super) failure: &'f Failure,
}

/// The name of a member, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn check<E: Error>(outcome: Result<(), Malformed>, failure: &Failure) -> Result<(), E> {
    outcome.map_err(|malformed| {
        failure.set(Some(malformed));
        E::custom("the reader stopped")
    })
}

impl<'de, F> Visitor<'de> for Object<'_, F>
where
    F: FnMut(Cow<'de, str>, Option<&'de RawValue>) -> Result<(), Malformed>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = object.next_entry()? {
            check((self.member)(name, value), self.failure)?;
        }
        Ok(())
    }
}

impl<'de, I, F> Visitor<'de> for List<'_, I, F>
where
    I: DeserializeSeed<'de> + Copy,
    F: FnMut(I::Value) -> Result<(), Malformed>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element_seed(self.item)? {
            check((self.read)(item), self.failure)?;
        }
        Ok(())
    }
}

impl<'de, I, F> DeserializeSeed<'de> for List<'_, I, F>
where
    I: DeserializeSeed<'de> + Copy,
    F: FnMut(I::Value) -> Result<(), Malformed>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, I, F> Visitor<'de> for Envelope<'_, I, F>
where
    I: DeserializeSeed<'de> + Copy,
    F: FnMut(I::Value) -> Result<(), Malformed>,
{
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self::Value, A::Error> {
        let (mut next_link, mut has_list) = (None, false);
        while let Some(Name(name)) = object.next_key()? {
            if name == self.name {
                // Two lists would be read into one.
                check(if has_list { Err(Malformed::OtherShape) } else { Ok(()) }, self.failure)?;
                has_list = true;
                object.next_value_seed(List { item: self.item, read: &mut self.read, failure: self.failure })?;
            } else if name == "@odata.nextLink" {
                next_link = object.next_value()?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        check(if has_list { Ok(()) } else { Err(Malformed::NoItems) }, self.failure)?;
        Ok(next_link)
    }
}
