//! JSON, read once from its front to its end: what stands next is looked at, and then gone into, taken, or passed over.
//!
//! A member of a foreign object may be of any type, so a value has to be had as it was written as well as read. Through
//! serde's interface that takes two looks at each: one for its end, one for its text. Most of a body are strings, whose
//! ends are found here; `serde_json` reads those with escapes, and whatever else a value is.

use std::borrow::Cow;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::value::{Form, Value};
use crate::domain::shared_str::SharedStr;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is no JSON.
    NotJson,
    /// It is JSON, with something else where an object or a list has to be.
    OtherShape,
    /// It is a list's envelope without the list.
    NoItems,
    /// What it holds would take too much memory.
    TooMuch,
}

/// A body, or a part of one, and how far it is read.
pub(crate) struct Json<'de> {
    text: &'de str,
    at: usize,
    body: &'de SharedStr,
    /// Whether it has any control character. Most bodies have none, and then no string does.
    has_controls: bool,
    /// Bytes that may still be made of it.
    room: usize,
}

/// What may be made of a body of no length, in bytes.
const ROOM: usize = 256 << 10;
/// How much more may be made of each byte. Of Microsoft's alerts about one byte is made of each; of `{}` hundreds.
const ROOM_OF_A_BYTE: usize = 2;

impl<'de> Json<'de> {
    /// All of a body.
    pub(super) fn of(body: &'de SharedStr) -> Self {
        #[expect(clippy::needless_bitwise_bool, reason = "without a branch, sixteen bytes are looked at in one go")]
        let has_controls = body.bytes().fold(false, |any, byte| any | (byte < b' '));
        Self { text: body, at: 0, body, has_controls, room: room(body) }
    }

    /// A part of a body that was read as a value of its own.
    pub(crate) fn of_value(value: Value<'de>, body: &'de SharedStr) -> Self {
        Self { text: value.json, at: 0, body, has_controls: false, room: room(value.json) }
    }

    /// Counts what is made of what was read, in bytes. There is a bound to it, by the length of what is read: so memory
    /// is bounded, whatever comes.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.room = self.room.checked_sub(bytes).ok_or(Malformed::TooMuch)?;
        Ok(())
    }

    /// How much was made of it, in bytes.
    pub(super) fn spent(&self) -> usize {
        room(self.body).saturating_sub(self.room)
    }

    /// The body in which this stands.
    pub(crate) fn body(&self) -> &'de SharedStr {
        self.body
    }

    /// Goes into the object that has to stand next. `member` reads a name and its value.
    pub(crate) fn object(&mut self, member: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.each(b'{', member, b'}')
    }

    /// Goes into the list that has to stand next. `item` reads each item.
    pub(super) fn list(&mut self, item: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.each(b'[', item, b']')
    }

    fn each(
        &mut self,
        first: u8,
        mut read: impl FnMut(&mut Self) -> Result<(), Malformed>,
        last: u8,
    ) -> Result<(), Malformed> {
        if !self.is_past(first) {
            return self.value().and(Err(Malformed::OtherShape));
        }
        if self.is_past(last) {
            return Ok(());
        }
        loop {
            read(self)?;
            if !self.is_past(b',') {
                return self.pass(last);
            }
        }
    }

    /// Takes the name of the member that stands next.
    pub(crate) fn name(&mut self) -> Result<Cow<'de, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::NotJson);
        }
        let string = self.string()?;
        self.pass(b':')?;
        string.string().ok_or(Malformed::NotJson)
    }

    /// Goes past this name, if it stands next as it came before, without escapes. That is sooner seen than what other
    /// name it is.
    pub(super) fn is_past_name(&mut self, name: &str) -> bool {
        if self.peek() != Some(b'"') {
            return false;
        }
        let after = self.at + 1 + name.len();
        let bytes = self.text.as_bytes();
        let is_next =
            bytes.get(self.at + 1..after) == Some(name.as_bytes()) && bytes.get(after..after + 2) == Some(b"\":");
        self.at = if is_next { after + 2 } else { self.at };
        is_next
    }

    /// Takes the value that stands next, as it was written.
    pub(crate) fn value(&mut self) -> Result<Value<'de>, Malformed> {
        const NULL: &str = "null";
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'n') if self.rest().starts_with(NULL) => self.taken(NULL.len(), Form::Other),
            _ => self.foreign(Form::Other),
        }
    }

    /// A value that `serde_json` finds the end of, and finds well formed.
    fn foreign(&mut self, form: Form) -> Result<Value<'de>, Malformed> {
        let raw = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(self.rest()));
        let raw = raw.map_err(|_| Malformed::NotJson)?;
        self.taken(raw.get().len(), form)
    }

    fn taken(&mut self, length: usize, form: Form) -> Result<Value<'de>, Malformed> {
        let json = self.rest().get(..length).ok_or(Malformed::NotJson)?;
        self.at += length;
        Ok(Value { json, form })
    }

    fn rest(&self) -> &'de str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { Err(Malformed::NotJson) }
    }

    /// The first sign of what stands next.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Goes past this sign, if it stands next.
    fn is_past(&mut self, sign: u8) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn pass(&mut self, sign: u8) -> Result<(), Malformed> {
        if self.is_past(sign) { Ok(()) } else { Err(Malformed::NotJson) }
    }

    /// The string that stands next.
    #[inline]
    fn string(&mut self) -> Result<Value<'de>, Malformed> {
        let inside = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let end = memchr2(b'"', b'\\', inside).ok_or(Malformed::NotJson)?;
        if inside.get(end) != Some(&b'"') {
            let string = self.foreign(Form::Escaped)?;
            // It is copied when it is read: never more than is there.
            self.room = self.room.saturating_sub(string.json.len());
            return Ok(string);
        }
        if self.has_controls && inside.iter().take(end).any(|byte| *byte < b' ') {
            return Err(Malformed::NotJson);
        }
        self.taken(end + 2, Form::Plain)
    }
}

fn room(text: &str) -> usize {
    ROOM + ROOM_OF_A_BYTE * text.len()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// A whole text by way of this reader; `None` if it is no JSON, or holds half a code point.
    fn read(text: &str) -> Option<serde_json::Value> {
        let body = SharedStr::from(text);
        let mut json = Json::of(&body);
        let value = read_next(&mut json).ok()?;
        json.end().ok()?;
        Some(value)
    }

    fn read_next(json: &mut Json<'_>) -> Result<serde_json::Value, Malformed> {
        match json.peek() {
            Some(b'{') => {
                let mut members = serde_json::Map::new();
                json.object(|json| {
                    let name = json.name()?.into_owned();
                    members.insert(name, read_next(json)?);
                    Ok(())
                })?;
                Ok(members.into())
            }
            Some(b'[') => {
                let mut items = Vec::new();
                json.list(|json| {
                    items.push(read_next(json)?);
                    Ok(())
                })?;
                Ok(items.into())
            }
            _ => {
                let value = json.value()?;
                match value.string() {
                    Some(text) => Ok(text.into()),
                    None => serde_json::from_str(value.json()).map_err(|_| Malformed::NotJson),
                }
            }
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f32>().prop_map(|number| f64::from(number).into()),
            "[a-c\"\\\\/ {}\\[\\]:,\u{1f}\n\r\t\u{8}\u{c}é🔒]{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Into::into),
                btree_map("[a-c\"\\\\:é]{0,4}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value in value()) {
            for text in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
                let text = text.expect("JSON");
                prop_assert_eq!(read(&text), Some(value.clone()), "{}", text);
            }
        }

        #[test]
        fn nothing_else_passes_for_json(text in "[{}\\[\\]:,\"\\\\ anulre10.\n\u{1}]{0,12}|\\{\"[ab\\\\\"\t]{0,3}\" ?:[\"1nul\\[\\]{}, ]{0,8}\\}") {
            prop_assert_eq!(read(&text), serde_json::from_str(&text).ok(), "{}", text);
        }

        #[test]
        fn what_is_cut_off_or_followed_by_more_is_no_json(value in value(), cut in 0_usize..40, more in "[\\]},:\"a]") {
            let text = serde_json::json!({ "value": [value] }).to_string();
            let short = text.get(..text.len().saturating_sub(cut + 1)).unwrap_or_default();
            prop_assert_eq!(read(short), None, "{}", short);
            let long = text + &more;
            prop_assert_eq!(read(&long), None, "{}", long);
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        for (depth, open, close) in [(1_000_000, "[", "]"), (1_000_000, "{\"a\":", "}")] {
            let body = SharedStr::from(format!("{}1{}", open.repeat(depth), close.repeat(depth)));
            assert_eq!(Json::of(&body).value().map(|value| value.json().len()).ok(), Some(body.len()));
            let body = SharedStr::from(open.repeat(depth));
            assert!(Json::of(&body).value().is_err());
        }
    }

    #[test]
    fn a_control_character_makes_a_string_none() {
        for (text, is_json) in [
            ("{\n\t\"a\" : \"b\"\r\n}", true),
            ("{\"a\": \"b\u{7f}\u{80}\"}", true),
            ("{\"a\nb\": 1}", false),
            ("{\"a\": \"\t\"}", false),
            ("{\"a\": \"\\n\u{0}\"}", false),
            ("{\"a\": [\"\u{1f}\"]}", false),
        ] {
            let value = serde_json::from_str::<serde_json::Value>(text);
            assert_eq!((read(text), value.is_ok()), (value.ok(), is_json), "{text:?}");
        }
    }
}
