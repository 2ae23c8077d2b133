//! A pull reader for JSON that reads a body once, from start to end. The caller peeks at the next value, then enters,
//! takes or skips it.
//!
//! A member of Microsoft's objects may have any type, so each value is needed both as raw JSON and parsed. Through
//! serde's interface this takes two passes over each value: one to find its end, one to read its text. Most of a body
//! is strings, and this reader finds their ends itself. `serde_json` reads strings with escapes and all other values.

use std::borrow::Cow;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::value::{Form, Value};
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

/// A reader for a body or a part of one, with its position.
pub(crate) struct Json<'de> {
    text: &'de str,
    at: usize,
    body: &'de SharedStr,
    /// Whether the body contains control characters. Most bodies contain none, so their strings need no check.
    has_controls: bool,
    /// Bytes that the parsed values may still occupy.
    parsed_bytes_left: usize,
}

/// Bytes that the parsed values of an empty body may occupy.
const MIN_PARSED_BYTES: usize = 256 << 10;
/// Bytes of parsed values allowed for each byte of the body. Microsoft's alerts need about one; `{}` needs hundreds.
const PARSED_BYTES_PER_BYTE: usize = 2;

impl<'de> Json<'de> {
    /// A reader for a whole body.
    pub(super) fn of(body: &'de SharedStr) -> Self {
        #[expect(
            clippy::needless_bitwise_bool,
            reason = "without a branch, the compiler checks sixteen bytes per instruction"
        )]
        let has_controls = body.bytes().fold(false, |any, byte| any | (byte < b' '));
        Self { text: body, at: 0, body, has_controls, parsed_bytes_left: max_parsed_bytes(body) }
    }

    /// A reader for a value that was taken from a body.
    pub(crate) fn of_value(value: Value<'de>, body: &'de SharedStr) -> Self {
        Self { text: value.json, at: 0, body, has_controls: false, parsed_bytes_left: max_parsed_bytes(value.json) }
    }

    /// Counts bytes of parsed values. The length of the input limits them, so memory is bounded for any input.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.parsed_bytes_left = self.parsed_bytes_left.checked_sub(bytes).ok_or(Malformed::TooMuch)?;
        Ok(())
    }

    /// The number of bytes counted so far.
    pub(super) fn spent(&self) -> usize {
        max_parsed_bytes(self.body).saturating_sub(self.parsed_bytes_left)
    }

    /// The whole body, also when this reads only a part of it.
    pub(crate) fn body(&self) -> &'de SharedStr {
        self.body
    }

    /// Enters the next value, which has to be an object. `member` reads a name and its value.
    pub(crate) fn object(&mut self, member: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.each(b'{', member, b'}')
    }

    /// Enters the next value, which has to be a list. `item` reads each item.
    pub(super) fn list(&mut self, item: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.each(b'[', item, b']')
    }

    fn each(
        &mut self,
        first: u8,
        mut read: impl FnMut(&mut Self) -> Result<(), Malformed>,
        last: u8,
    ) -> Result<(), Malformed> {
        if !self.skip_if(first) {
            return self.value().and(Err(Malformed::OtherShape));
        }
        if self.skip_if(last) {
            return Ok(());
        }
        loop {
            read(self)?;
            if !self.skip_if(b',') {
                return self.skip(last);
            }
        }
    }

    /// Takes the name of the next member.
    pub(crate) fn name(&mut self) -> Result<Cow<'de, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::NotJson);
        }
        let string = self.string()?;
        self.skip(b':')?;
        string.string().ok_or(Malformed::NotJson)
    }

    /// Skips the next member name if it equals `name` and is written without escapes. Comparing with an expected name
    /// is faster than reading an unknown one.
    pub(super) fn skip_name_if(&mut self, name: &str) -> bool {
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

    /// Takes the next value as raw JSON.
    pub(crate) fn value(&mut self) -> Result<Value<'de>, Malformed> {
        const NULL: &str = "null";
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'n') if self.rest().starts_with(NULL) => self.taken(NULL.len(), Form::Other),
            _ => self.validated(Form::Other),
        }
    }

    /// Takes the next value with `serde_json`, which finds its end and validates it.
    fn validated(&mut self, form: Form) -> Result<Value<'de>, Malformed> {
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

    /// Checks that nothing but white space follows.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { Err(Malformed::NotJson) }
    }

    /// The first byte of the next token, after white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Skips the next token if it is this byte, and returns whether it was.
    fn skip_if(&mut self, token: u8) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip(&mut self, token: u8) -> Result<(), Malformed> {
        if self.skip_if(token) { Ok(()) } else { Err(Malformed::NotJson) }
    }

    /// Takes the next value, which has to be a string.
    #[inline]
    fn string(&mut self) -> Result<Value<'de>, Malformed> {
        let inside = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let end = memchr2(b'"', b'\\', inside).ok_or(Malformed::NotJson)?;
        if inside.get(end) != Some(&b'"') {
            let string = self.validated(Form::Escaped)?;
            // Reading a string with escapes copies it. The copy is never longer than its JSON.
            self.parsed_bytes_left = self.parsed_bytes_left.saturating_sub(string.json.len());
            return Ok(string);
        }
        if self.has_controls && inside.iter().take(end).any(|byte| *byte < b' ') {
            return Err(Malformed::NotJson);
        }
        self.taken(end + 2, Form::Plain)
    }
}

fn max_parsed_bytes(text: &str) -> usize {
    MIN_PARSED_BYTES + PARSED_BYTES_PER_BYTE * text.len()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// Parses a text with this reader. Returns `None` if it is not JSON or contains a lone surrogate.
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
        fn a_serialized_value_is_read_back(value in value()) {
            for text in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
                let text = text.expect("JSON");
                prop_assert_eq!(read(&text), Some(value.clone()), "{}", text);
            }
        }

        #[test]
        fn it_accepts_the_same_texts_as_serde_json(text in "[{}\\[\\]:,\"\\\\ anulre10.\n\u{1}]{0,12}|\\{\"[ab\\\\\"\t]{0,3}\" ?:[\"1nul\\[\\]{}, ]{0,8}\\}") {
            prop_assert_eq!(read(&text), serde_json::from_str(&text).ok(), "{}", text);
        }

        #[test]
        fn truncated_json_and_trailing_text_are_rejected(value in value(), cut in 0_usize..40, more in "[\\]},:\"a]") {
            let text = serde_json::json!({ "value": [value] }).to_string();
            let short = text.get(..text.len().saturating_sub(cut + 1)).unwrap_or_default();
            prop_assert_eq!(read(short), None, "{}", short);
            let long = text + &more;
            prop_assert_eq!(read(&long), None, "{}", long);
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        for (depth, open, close) in [(1_000_000, "[", "]"), (1_000_000, "{\"a\":", "}")] {
            let body = SharedStr::from(format!("{}1{}", open.repeat(depth), close.repeat(depth)));
            assert_eq!(Json::of(&body).value().map(|value| value.json().len()).ok(), Some(body.len()));
            let body = SharedStr::from(open.repeat(depth));
            assert!(Json::of(&body).value().is_err());
        }
    }

    #[test]
    fn a_string_with_a_control_character_is_rejected() {
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
