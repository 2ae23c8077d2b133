//! Single values of JSON, as they were written.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::value::RawValue;

/// The items of a list that are not null; `None` if it is none.
pub(super) fn list_of(raw: &RawValue) -> Option<Vec<&RawValue>> {
    let mut list: Vec<&RawValue> =
        if raw.get().starts_with('[') { serde_json::from_str(raw.get()).ok()? } else { return None };
    list.retain(|item| !is_null(item));
    Some(list)
}

/// A whole number, written as a number or as digits in a string.
pub(super) fn number_of(raw: &RawValue) -> Option<i64> {
    string_of(raw).unwrap_or(Cow::Borrowed(raw.get())).parse().ok()
}

/// Whether it is null.
pub(super) fn is_null(raw: &RawValue) -> bool {
    raw.get().starts_with('n')
}

/// A string's text, borrowed where it holds no escapes; `None` for anything else.
pub(super) fn string_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    match memchr(b'\\', inside.as_bytes()) {
        None => Some(Cow::Borrowed(inside)),
        Some(first) => unescaped(inside, first).or_else(|| serde_json::from_str(raw.get()).ok()).map(Cow::Owned),
    }
}

/// A string's text, or a number or truth value as it is written; `None` for lists and objects.
pub(super) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first()? {
        b'"' => string_of(raw),
        b'[' | b'{' => None,
        _ => Some(Cow::Borrowed(raw.get())),
    }
}

/// What is between quotes, the first escape at `first`, as text; `None` if any of the escapes is a code point. Paths
/// are full of the others, and read so with a third of the instructions.
fn unescaped(inside: &str, first: usize) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let (mut rest, mut next) = (inside, Some(first));
    while let Some(at) = next {
        let (plain, escape) = rest.split_at_checked(at)?;
        text.push_str(plain);
        text.push(match escape.as_bytes().get(1)? {
            sign @ (b'"' | b'\\' | b'/') => char::from(*sign),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return None,
        });
        rest = escape.get(2..)?;
        next = memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Some(text)
}

/// Whether lists and objects nest deeper than `most`.
pub(super) fn is_deeper_than(json: &str, most: usize) -> bool {
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
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(json: &str) -> Option<String> {
        string_of(&RawValue::from_string(json.to_owned()).expect("JSON")).map(Cow::into_owned)
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
    fn depth_is_that_of_lists_and_objects() {
        assert!(!is_deeper_than(r#"{"a":"[[[[[[\"[["}"#, 1));
        assert!(is_deeper_than(r#"{"a":[]}"#, 1));
    }
}
