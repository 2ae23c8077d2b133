//! Reads one level of JSON with `serde_json`: the members of an object or the items of a list. Their values stay raw
//! JSON, so that nothing in them is lost: the digits of a number, the order of members, types that nobody expects.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
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

/// Calls `member` for each member of an object. A value that is null is `None`.
pub(super) fn each_member<'de>(
    object: &'de str,
    member: impl FnMut(Cow<'de, str>, Option<&'de RawValue>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let (mut json, mut failure) = (Deserializer::from_str(object), None);
    let level = Level { entry: member, failure: &mut failure };
    let read = json.deserialize_map(level).and_then(|()| json.end());
    read.map_err(|error| malformed(&error, failure))
}

/// Calls `item` for each item of a list. An item that is null is `None`.
pub(super) fn each_item<'de>(
    list: &'de str,
    mut item: impl FnMut(Option<&'de RawValue>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let (mut json, mut failure) = (Deserializer::from_str(list), None);
    let level = Level { entry: |_, value| item(value), failure: &mut failure };
    let read = json.deserialize_seq(level).and_then(|()| json.end());
    read.map_err(|error| malformed(&error, failure))
}

fn malformed(error: &serde_json::Error, failure: Option<Malformed>) -> Malformed {
    failure.unwrap_or(if error.is_data() { Malformed::OtherShape } else { Malformed::NotJson })
}

/// One object or one list. `entry` receives each name, which is empty in a list, and each value.
struct Level<'f, F> {
    entry: F,
    /// Why `entry` ended the reading: an error of serde is only a text.
    failure: &'f mut Option<Malformed>,
}

/// The name of a member, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, F> Level<'_, F>
where
    F: FnMut(Cow<'de, str>, Option<&'de RawValue>) -> Result<(), Malformed>,
{
    fn read<E: Error>(&mut self, name: Cow<'de, str>, value: Option<&'de RawValue>) -> Result<(), E> {
        (self.entry)(name, value).map_err(|failure| {
            *self.failure = Some(failure);
            E::custom("the reader stopped")
        })
    }
}

impl<'de, F> Visitor<'de> for Level<'_, F>
where
    F: FnMut(Cow<'de, str>, Option<&'de RawValue>) -> Result<(), Malformed>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = object.next_entry()? {
            self.read(name, value)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            self.read(Cow::default(), value)?;
        }
        Ok(())
    }
}
