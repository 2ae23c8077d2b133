//! Reads JSON with `serde_json` in one pass, from a body down to the members of each object.
//!
//! A member of Microsoft's objects may have any type, so the values of members stay raw JSON: nothing in them is lost, be
//! it the digits of a number or a type that nobody expects.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::value::Value;
use crate::domain::shared_str::SharedStr;

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

/// A body that is being read.
pub(crate) struct Json<'de> {
    body: &'de SharedStr,
    /// Whether all lists of objects are expected to hold nothing else, so that they are read in the same pass.
    pub(super) is_regular: bool,
    /// The number of bytes that the parsed values may occupy.
    max_parsed_bytes: usize,
    /// What is left of it.
    parsed_bytes_left: Cell<usize>,
    /// Why a reader stopped. An error of serde is only a text.
    failure: Cell<Option<Malformed>>,
}

impl<'de> Json<'de> {
    /// A whole body.
    pub(super) fn of_body(body: &'de SharedStr, is_regular: bool) -> Self {
        let json = Self { is_regular, ..Self::of_part(body, body) };
        // Reading a string with escapes copies it. The copy is never longer than its JSON.
        json.parsed_bytes_left.set(json.max_parsed_bytes.saturating_sub(body.in_escaped_strings()));
        json
    }

    /// A value in a body.
    pub(crate) fn of_part(text: &str, body: &'de SharedStr) -> Self {
        /// Bytes that the parsed values of an empty body may occupy.
        const MIN_PARSED_BYTES: usize = 256 << 10;
        /// Bytes of parsed values allowed for each byte. Microsoft's alerts need about one; `{}` needs hundreds.
        const PARSED_BYTES_PER_BYTE: usize = 2;
        let max_parsed_bytes = MIN_PARSED_BYTES + PARSED_BYTES_PER_BYTE * text.len();
        let parsed_bytes_left = Cell::new(max_parsed_bytes);
        Self { body, is_regular: false, max_parsed_bytes, parsed_bytes_left, failure: Cell::default() }
    }

    /// The whole body, also when this is only a part of it.
    pub(crate) fn body(&self) -> &'de SharedStr {
        self.body
    }

    /// Counts bytes of parsed values. The length of the input limits them, so memory is bounded for any input.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Malformed> {
        let left = self.parsed_bytes_left.get().checked_sub(bytes).ok_or(Malformed::TooMuch)?;
        self.parsed_bytes_left.set(left);
        Ok(())
    }

    /// The number of bytes counted so far.
    pub(super) fn spent(&self) -> usize {
        self.max_parsed_bytes - self.parsed_bytes_left.get()
    }

    /// Converts an error of ours to one of serde, which ends the reading.
    pub(super) fn or_stop<T, E: Error>(&self, outcome: Result<T, Malformed>) -> Result<T, E> {
        outcome.map_err(|malformed| {
            self.failure.set(Some(malformed));
            E::custom("stopped")
        })
    }

    /// Reads a text.
    pub(super) fn read<S: DeserializeSeed<'de>>(&self, text: &'de str, seed: S) -> Result<S::Value, Malformed> {
        let mut json = serde_json::Deserializer::from_str(text);
        seed.deserialize(&mut json).and_then(|value| json.end().and(Ok(value))).map_err(|error| {
            let malformed = if error.is_data() { Malformed::OtherShape } else { Malformed::NotJson };
            self.failure.take().unwrap_or(malformed)
        })
    }
}

/// Reads the name of a member: `None` if it is the expected one, which saves a copy and a search.
pub(super) struct NameSeed<'e>(pub(super) Option<&'e str>);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok((self.0 != Some(name)).then_some(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(name.to_owned())))
    }
}

/// Calls a function for each item of a list.
pub(super) struct EachItem<'j, 'de, F>(pub(super) &'j Json<'de>, pub(super) F);

impl<'de, F: FnMut(Value<'de>) -> Result<(), Malformed>> DeserializeSeed<'de> for EachItem<'_, 'de, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Value<'de>) -> Result<(), Malformed>> Visitor<'de> for EachItem<'_, 'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            self.0.or_stop((self.1)(item))?;
        }
        Ok(())
    }
}
