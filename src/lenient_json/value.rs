//! Single JSON values, kept as raw JSON.

use std::borrow::Cow;

use memchr::memchr;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::{EachItem, Json, Malformed};
use crate::domain::shared_str::SharedStr;

/// The greatest depth of a value that is kept. No document of Microsoft's is nested deeper.
const MAX_DEPTH: usize = 64;

/// One value as raw JSON.
#[derive(Clone, Copy)]
pub(crate) struct Value<'de>(&'de RawValue);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(json).map(Self)
    }
}

impl<'de> Value<'de> {
    /// The value as JSON.
    #[inline]
    pub(crate) fn json(self) -> &'de str {
        self.0.get()
    }

    /// Whether it is null.
    pub(super) fn is_null(self) -> bool {
        self.json().starts_with('n')
    }

    /// The text of a string, borrowed if it contains no escapes. `None` for other types.
    #[inline]
    pub(crate) fn string(self) -> Option<Cow<'de, str>> {
        let inside = self.json().strip_prefix('"')?.strip_suffix('"')?;
        if !inside.as_bytes().contains(&b'\\') {
            return Some(Cow::Borrowed(inside));
        }
        with_short_escapes(inside).or_else(|| serde_json::from_str(self.json()).ok()).map(Cow::Owned)
    }

    /// The text of a string, or the raw JSON of a number or boolean. `None` for lists and objects.
    pub(super) fn text(self) -> Option<Cow<'de, str>> {
        if self.json().starts_with('"') {
            return self.string();
        }
        (!self.json().starts_with(['[', '{'])).then_some(Cow::Borrowed(self.json()))
    }

    /// A whole number, written as a number or as digits in a string.
    pub(super) fn number(self) -> Option<i64> {
        self.text()?.parse().ok()
    }

    /// Calls a function for each item, if the value is a list.
    pub(crate) fn each_item(
        self,
        json: &Json<'de>,
        read: impl FnMut(Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        json.read(self.json(), EachItem(json, read))
    }

    /// The items of a list that are not null, or `None` if the value is not a list.
    pub(super) fn list(self, body: &'de SharedStr) -> Option<Vec<Self>> {
        let mut items = Vec::new();
        let json = &Json::of_part(self.json(), body);
        let list = self.each_item(json, |item| {
            json.spend(size_of::<Self>())?;
            items.push(item);
            Ok(())
        });
        items.retain(|item| !item.is_null());
        list.is_ok().then_some(items)
    }

    /// An owned copy, or `None` if the value is nested deeper than any document of Microsoft's.
    pub(super) fn kept(self) -> Option<Box<RawValue>> {
        let may_nest = self.json().starts_with(['[', '{']);
        if may_nest && is_deeper_than(self.json(), MAX_DEPTH) { None } else { Some(self.0.to_owned()) }
    }
}

/// Unescapes the content of a string that uses only short escapes. Returns `None` if it contains any other escape. File
/// paths are full of short escapes, and this needs a third of the instructions that `serde_json` needs.
fn with_short_escapes(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at_checked(at)?;
        text.push_str(plain);
        text.push(match escape.as_bytes().get(1)? {
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return None,
        });
        rest = escape.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// Whether lists and objects nest deeper than `max_depth`.
fn is_deeper_than(json: &str, max_depth: usize) -> bool {
    let mut depth = 0_usize;
    let (mut quoted, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max_depth {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(json: &str) -> Option<String> {
        serde_json::from_str::<Value<'_>>(json).expect("JSON").string().map(Cow::into_owned)
    }

    #[test]
    fn strings_are_read_with_every_escape() {
        let escapes = [r"\\", r#"\""#, r"\/", r"\n", r"\r", r"\t", r"\b", r"\f", r"\u00e9", r"\ud83d\udd12", r"\ud83d"];
        for one in escapes {
            for other in escapes {
                for json in [format!("\"{one}{other}\""), format!("\"C:{one}temp {other} ü\""), format!("\"{other}a\"")]
                {
                    assert_eq!(string(&json), serde_json::from_str(&json).ok(), "{json}");
                }
            }
        }
        assert_eq!(string(r#""C:\\Windows\\System32""#).as_deref(), Some(r"C:\Windows\System32"));
        assert_eq!(string(r#""\ud83d""#), None);
        assert_eq!((string(r#""""#).as_deref(), string("1"), string("[]")), (Some(""), None, None));
    }

    #[test]
    fn only_lists_and_objects_count_as_depth() {
        assert!(!is_deeper_than(r#"{"a":"[[[[[[\"[["}"#, 1));
        assert!(is_deeper_than(r#"{"a":[]}"#, 1));
    }
}
