//! Writes JSON without empty members, for formats that leave out what has no value.
//!
//! A value is empty if it is null, an empty string, or a list or object of only empty values. The outermost value is
//! always written. Unknown members of Microsoft's ([`UPSTREAM_MEMBERS`]) are treated as the format asks.
//!
//! What `serde_json` writes is filtered on the way, so that no document is in memory with its empty members. The crates
//! for this purpose need an attribute on each member, or rework a whole document in memory.

use std::io;

use serde::Serialize;

/// The members of our structs that hold unknown members of Microsoft's.
const UPSTREAM_MEMBERS: [&[u8]; 2] = [b"\"extra\"", b"\"custom_details\""];

/// How values are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All values that are not empty.
    Filled,
    /// Empty strings as well. Microsoft's empty strings may have a meaning.
    FilledAndEmptyStrings,
    /// All values.
    All,
}

/// Serializes a value without its empty members. `upstream` says what to keep of Microsoft's unknown members. If the
/// JSON is longer than `max_bytes`, the result is cut, but still longer than `max_bytes`.
pub(super) fn to_vec(value: &impl Serialize, upstream: Keep, max_bytes: usize) -> Vec<u8> {
    let mut filter =
        Filter { out: Vec::new(), max_bytes, upstream, containers: Vec::new(), token: Token::None, is_key: false };
    // Only the length limit can fail, since the value consists of strings, numbers and lists.
    let _ = serde_json::to_writer(&mut filter, value);
    filter.out
}

/// A writer of valid JSON that removes empty values again once it has seen their end.
struct Filter {
    out: Vec<u8>,
    max_bytes: usize,
    upstream: Keep,
    /// The open lists and objects, outermost first.
    containers: Vec<Container>,
    token: Token,
    /// Whether the current string is the name of a member.
    is_key: bool,
}

/// An open list or object.
struct Container {
    keep: Keep,
    is_object: bool,
    is_empty: bool,
    /// Whether a member's name comes next.
    is_before_key: bool,
    /// The start of the current member in the output.
    member: usize,
}

/// The token that the last byte belongs to. Tokens start at a position in the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    None,
    String {
        start: usize,
        is_escaped: bool,
    },
    /// A number, `true`, `false` or `null`.
    Word {
        start: usize,
    },
}

impl io::Write for Filter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() > self.max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if matches!(self.token, Token::String { is_escaped: false, .. }) {
                let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
                let (plain, after) = rest.split_at(plain);
                self.out.extend_from_slice(plain);
                rest = after;
                if !plain.is_empty() {
                    continue;
                }
            }
            self.push(*byte);
            rest = after;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Filter {
    fn push(&mut self, byte: u8) {
        match (self.token, byte) {
            (Token::String { start, is_escaped }, _) => {
                self.out.push(byte);
                if byte == b'"' && !is_escaped {
                    self.end_string(start);
                } else {
                    self.token = Token::String { start, is_escaped: byte == b'\\' && !is_escaped };
                }
            }
            (_, b'"') => {
                self.is_key = self.containers.last().is_some_and(|container| container.is_before_key);
                let start = self.start_value();
                self.out.push(byte);
                self.token = Token::String { start, is_escaped: false };
            }
            (_, b'{' | b'[') => {
                let keep = self.keep_inside();
                self.start_value();
                self.out.push(byte);
                let is_object = byte == b'{';
                self.containers.push(Container {
                    keep,
                    is_object,
                    is_empty: true,
                    is_before_key: is_object,
                    member: 0,
                });
            }
            (_, b'}' | b']') => {
                self.end_word();
                let is_empty = self.containers.pop().is_none_or(|container| container.is_empty);
                self.out.push(byte);
                self.end_value(|keep| !is_empty || keep == Keep::All);
            }
            (_, b',') => self.end_word(),
            (_, b':') => self.out.push(byte),
            (_, byte) if byte.is_ascii_whitespace() => self.end_word(),
            (Token::Word { .. }, _) => self.out.push(byte),
            (Token::None, _) => {
                let start = self.start_value();
                self.out.push(byte);
                self.token = Token::Word { start };
            }
        }
    }

    /// Starts a member's name, or a value. Returns its position.
    fn start_value(&mut self) -> usize {
        if let Some(container) = self.containers.last_mut().filter(|inner| inner.is_before_key || !inner.is_object) {
            container.member = self.out.len();
            if !container.is_empty {
                self.out.push(b',');
            }
        }
        self.out.len()
    }

    fn end_string(&mut self, start: usize) {
        self.token = Token::None;
        if self.is_key {
            if let Some(container) = self.containers.last_mut() {
                container.is_before_key = false;
            }
        } else {
            let is_empty = self.out.len() - start == 2;
            self.end_value(|keep| !is_empty || keep != Keep::Filled);
        }
    }

    fn end_word(&mut self) {
        if let Token::Word { start } = self.token {
            self.token = Token::None;
            let is_null = self.out.get(start..) == Some(b"null");
            self.end_value(|keep| !is_null || keep == Keep::All);
        }
    }

    /// Keeps the current value or removes its member.
    fn end_value(&mut self, is_kept: impl FnOnce(Keep) -> bool) {
        let Some(container) = self.containers.last_mut() else { return };
        container.is_before_key = container.is_object;
        if is_kept(container.keep) {
            container.is_empty = false;
        } else {
            self.out.truncate(container.member);
        }
    }

    /// What to keep inside the value that starts now.
    fn keep_inside(&self) -> Keep {
        let Some(container) = self.containers.last() else { return Keep::Filled };
        let member = self.out.get(container.member..).unwrap_or_default();
        let member = member.strip_prefix(b",").unwrap_or(member);
        let is_upstream =
            container.is_object && member.strip_suffix(b":").is_some_and(|name| UPSTREAM_MEMBERS.contains(&name));
        if container.keep == Keep::Filled && is_upstream { self.upstream } else { container.keep }
    }
}

/// Serializes a value and parses it again.
#[cfg(test)]
pub(super) fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::from_slice(&to_vec(value, Keep::All, usize::MAX)).expect("JSON")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn sparse(value: &impl Serialize, upstream: Keep) -> String {
        String::from_utf8(to_vec(value, upstream, usize::MAX)).expect("UTF-8")
    }

    /// The reference implementation on a tree.
    fn without_empty(value: Value) -> Option<Value> {
        match value {
            Value::Null => None,
            Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
            Value::Array(items) => {
                let items: Vec<_> = items.into_iter().filter_map(without_empty).collect();
                (!items.is_empty()).then_some(Value::Array(items))
            }
            Value::Object(members) => {
                let full = members.into_iter().filter_map(|(name, value)| Some((name, without_empty(value)?)));
                let members: serde_json::Map<_, _> = full.collect();
                (!members.is_empty()).then_some(Value::Object(members))
            }
            scalar @ (Value::Bool(_) | Value::Number(_)) => Some(scalar),
        }
    }

    #[test]
    fn outermost_value_is_always_written() {
        assert_eq!(sparse(&json!([[], {"a": null}]), Keep::All), "[]");
        assert_eq!(sparse(&json!({"a": [""]}), Keep::All), "{}");
    }

    #[test]
    fn upstream_members_are_filtered_as_asked_and_their_values_are_verbatim() {
        for (given, filled, all) in [
            (
                r#"{"a":1.10,"b":[1,2.50]}"#,
                r#","extra":{"a":1.10,"b":[1,2.50]}"#,
                r#","extra":{"a":1.10,"b":[1,2.50]}"#,
            ),
            (
                r#"{"a":null,"b":[null,{ },[ ]],"c":{"d":12345678901234567890,"extra":null}}"#,
                r#","extra":{"c":{"d":12345678901234567890}}"#,
                r#","extra":{"a":null,"b":[null,{},[]],"c":{"d":12345678901234567890,"extra":null}}"#,
            ),
            (r#"{"a":"nu\"ll","b":""}"#, r#","extra":{"a":"nu\"ll","b":""}"#, r#","extra":{"a":"nu\"ll","b":""}"#),
            ("[[],[null,[]]]", "", r#","extra":[[],[null,[]]]"#),
            ("{ }", "", ""),
        ] {
            let raw: &RawValue = serde_json::from_str(given).expect("JSON");
            let value =
                std::collections::BTreeMap::from([("extra", raw), ("a", serde_json::from_str("1").expect("JSON"))]);
            for (upstream, right) in [(Keep::FilledAndEmptyStrings, filled), (Keep::All, all)] {
                assert_eq!(sparse(&value, upstream), format!(r#"{{"a":1{right}}}"#), "{given}");
            }
        }
    }

    #[test]
    fn writing_stops_shortly_after_the_limit() {
        let list: Vec<_> = (10..1000).collect();
        let cut = to_vec(&list, Keep::All, 8);
        assert!(cut.starts_with(b"[10,11,1") && (9..12).contains(&cut.len()), "{cut:?}");
        assert_eq!(to_vec(&[10, 11], Keep::All, 7), b"[10,11]");
    }

    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn output_equals_the_value_without_empty_members(tree in trees()) {
            let list = json!([tree]);
            let right = without_empty(list.clone()).unwrap_or(json!([])).to_string();
            prop_assert_eq!(sparse(&list, Keep::All), right);
        }
    }
}
