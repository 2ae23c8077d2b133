//! A text that shares the memory of the body that Defender sent.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;
use bytestring::ByteString;
use memchr::{memchr, memchr2, memrchr};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

/// A text: a body, a part of a body, or a text of its own. Cloning it, or taking a part, copies nothing.
///
/// A part keeps the whole body in memory.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedStr(ByteString);

impl SharedStr {
    /// Creates a text from a static string.
    pub const fn of_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// Returns a part of this text, or a copy if `part` is not a part of it.
    #[must_use]
    pub fn part(&self, part: &str) -> Self {
        let start = part.as_ptr().addr().checked_sub(self.as_ptr().addr());
        let end = start.and_then(|start| start.checked_add(part.len()));
        if end.is_some_and(|end| end <= self.len()) { Self(self.0.slice_ref(part)) } else { Self::from(part) }
    }

    /// Returns how many bytes of a JSON body are in strings with escapes. Such strings must be copied.
    pub(crate) fn in_escaped_strings(&self) -> usize {
        let (mut bytes, mut rest) = (0, self.as_bytes());
        while let Some(at) = memchr(b'\\', rest) {
            let (before, mut inside) = rest.split_at(at);
            bytes += before.len() - memrchr(b'"', before).map_or(0, |quote| quote + 1);
            let strings = inside.len();
            while let Some(next) = memchr2(b'"', b'\\', inside)
                && inside.get(next) == Some(&b'\\')
            {
                inside = inside.get(next + 2..).unwrap_or_default();
            }
            let end = memchr(b'"', inside).unwrap_or(inside.len());
            bytes += strings - inside.len() + end;
            rest = inside.get(end + 1..).unwrap_or_default();
        }
        bytes
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Bytes> for SharedStr {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        ByteString::try_from(bytes).map(Self)
    }
}

impl From<String> for SharedStr {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SharedStr {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for SharedStr {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl Deref for SharedStr {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SharedStr {
    fn borrow(&self) -> &str {
        self
    }
}

/// Hashes like `str`, as `Borrow<str>` requires.
impl Hash for SharedStr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialEq<str> for SharedStr {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for SharedStr {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Display for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for SharedStr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl JsonSchema for SharedStr {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shares_the_memory_of_its_body() {
        let body = SharedStr::from("{\"name\":\"Grüße\"}");
        let part = body.part(&body[9..16]);
        assert_eq!(part, "Grüße");
        assert_eq!(part.as_ptr(), body[9..].as_ptr());
        assert_eq!(part.part(&part[..2]).as_ptr(), body[9..].as_ptr());
    }

    #[test]
    fn strings_with_escapes_are_counted_in_full() {
        for (body, bytes) in [
            ("", 0),
            (r#"{"a":"plain"}"#, 0),
            (r#"{"a":"C:\\x","b":"plain","c":"\\"}"#, 7),
            (r#"["a\"b\\","\u00fc","x"]"#, 12),
            (r#"["a\\"#, 3),
            (r#"["a\"#, 2),
            (r"\", 1),
        ] {
            assert_eq!(SharedStr::from(body).in_escaped_strings(), bytes, "{body}");
        }
    }

    #[test]
    fn other_text_is_copied() {
        let body = SharedStr::from("a body");
        for other in ["", "a body", "another, longer body than that"] {
            let part = body.part(other);
            assert_eq!(part, other);
        }
        let (one, rest) = body.split_at(3);
        assert_eq!(body.part(one).part(rest), "ody");
    }

    #[test]
    fn invalid_utf8_is_rejected() {
        assert!(SharedStr::try_from(Bytes::from_static(b"a\xffb")).is_err());
        assert_eq!(SharedStr::try_from(Bytes::from_static("ä".as_bytes())).expect("a text"), "ä");
    }
}
