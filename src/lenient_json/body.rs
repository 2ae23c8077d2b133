//! Reads whole bodies: one object, or a list in its `OData` envelope.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use super::json::{Json, Malformed, NameSeed};
use super::members::Members;
use super::objects::{ListSeed, ObjectSeed, ReadObject};
use super::value::Value;
use crate::domain::shared_str::SharedStr;

/// Reads a body that has to be one object.
pub(crate) fn object<'de, S: ReadObject<'de>>(body: &'de SharedStr, reader: &mut S) -> Result<S::Item, Malformed> {
    counted(body, reader).map(|(object, _)| object)
}

/// The same, and the number of bytes that the parsed values occupy.
pub(crate) fn counted<'de, S: ReadObject<'de>>(
    body: &'de SharedStr,
    reader: &mut S,
) -> Result<(S::Item, usize), Malformed> {
    let mut read = |is_regular| {
        let json = &Json::of_body(body, is_regular);
        let object = json.read(body, ObjectSeed { reader: &mut *reader, json })?.ok_or(Malformed::OtherShape)?;
        Ok((object, json.spent()))
    };
    match read(true) {
        Err(Malformed::OtherShape) => read(false),
        outcome => outcome,
    }
}

/// One page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page<T> {
    /// The items of the page.
    pub(crate) items: Vec<T>,
    /// The link to the next page, if there is one.
    pub(crate) next_link: Option<String>,
    /// The number of bytes that the parsed items occupy.
    pub(crate) made: usize,
}

impl<T> Page<T> {
    /// Appends the items to those of the previous pages and returns the link to the next page. Usually there are no
    /// previous pages, so the first list is moved.
    pub(crate) fn append_to(mut self, items: &mut Vec<T>) -> Option<String> {
        if items.is_empty() {
            *items = self.items;
        } else {
            items.append(&mut self.items);
        }
        self.next_link
    }
}

/// Reads `{"value":[…],"@odata.nextLink":"…"}`. `value` has to be a list of objects. Anything else is an error, so that
/// it is not mistaken for an empty list.
pub(crate) fn page<'de, S: ReadObject<'de>>(body: &'de SharedStr, items: &mut S) -> Result<Page<S::Item>, Malformed> {
    list(body, "value", items)
}

/// The same, for a list in a member named `name`.
pub(crate) fn list<'de, S: ReadObject<'de>>(
    body: &'de SharedStr,
    name: &'static str,
    items: &mut S,
) -> Result<Page<S::Item>, Malformed> {
    let ((items, next_link), made) = counted(body, &mut PageReader { name, items })?;
    Ok(Page { items: items.ok_or(Malformed::NoItems)?, next_link, made })
}

struct PageReader<'s, S> {
    name: &'static str,
    items: &'s mut S,
}

impl<'de, S: ReadObject<'de>> ReadObject<'de> for PageReader<'_, S> {
    type Item = (Option<Vec<S::Item>>, Option<String>);

    fn read<A: MapAccess<'de>>(&mut self, mut object: A, json: &Json<'de>) -> Result<Self::Item, A::Error> {
        /// The size of a small item in most bodies. It determines the initial capacity of the list.
        const TYPICAL_ITEM_BYTES: usize = 2 << 10;
        let (mut items, mut next_link) = (None, None);
        while let Some(other_name) = object.next_key_seed(NameSeed(Some(self.name)))? {
            match other_name.as_deref() {
                None => {
                    let capacity = json.body().len() / TYPICAL_ITEM_BYTES;
                    let list = ListSeed { reader: &mut *self.items, json, capacity, may_have_nulls: false };
                    items = object.next_value_seed(list)?;
                }
                Some("@odata.nextLink") => next_link = link(object.next_value()?),
                Some(_) => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok((items, next_link))
    }
}

/// The link to the next page of a list, if there is one. A link that is not a string becomes empty.
fn link(value: Value<'_>) -> Option<String> {
    (!value.is_null()).then(|| value.string().map(Cow::into_owned).unwrap_or_default())
}

impl Members<'_> {
    /// Takes out the link to the next page of a list inside the object, if there is one.
    pub(crate) fn link(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(link)
    }
}

/// Reads an object through a function of its members.
pub(crate) struct MembersReader<F>(pub(crate) F);

impl<'de, T, F: FnMut(Members<'de>) -> T> ReadObject<'de> for MembersReader<F> {
    type Item = T;

    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<T, A::Error> {
        let mut members = Members::within(json.body());
        members.read_all(object, json)?;
        Ok((self.0)(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::warning::Warnings;

    fn read(body: &str) -> Result<Vec<String>, Malformed> {
        let body = SharedStr::from(body);
        let warnings = &mut Warnings::default();
        let read = |members: Members<'_>| serde_json::to_string(&members.rest(warnings)).expect("JSON");
        page(&body, &mut MembersReader(read)).map(|page| page.items)
    }

    #[test]
    fn a_page_is_json_with_a_list_of_objects() {
        use Malformed::{NoItems, NotJson, OtherShape, TooMuch};
        let deep = format!(r#"{{"value":[{{"a":{}1{}}}]}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        let many = format!(r#"{{"value":[{}]}}"#, vec!["{}"; 100_000].join(","));
        for (body, outcome) in [
            (
                r#"{"value":[{"a":1.50},{"\u0061":"\ud83d","b":1e999}]}"#,
                Ok(vec![r#"{"a":1.50}"#, r#"{"a":"\ud83d","b":1e999}"#]),
            ),
            (" {\"@odata.context\": 1e999,\n\"value\" : [ { } ]\t}\r\n", Ok(vec!["{}"])),
            (&deep, Ok(vec!["{}"])),
            (&many, Err(TooMuch)),
            (r#"{"values":[]}"#, Err(NoItems)),
            (r#"{"value":null}"#, Err(NoItems)),
            (r#"{"value":[{},null]}"#, Err(OtherShape)),
            (r#"{"value":[{},1]}"#, Err(OtherShape)),
            (r#"{"value":{}}"#, Err(OtherShape)),
            ("null", Err(OtherShape)),
            ("[]", Err(OtherShape)),
            ("", Err(NotJson)),
            ("\u{feff}{\"value\":[]}", Err(NotJson)),
            (r#"{"value":[]} x"#, Err(NotJson)),
            (r#"{"value":[],}"#, Err(NotJson)),
            (r#"{"value":[{"a":01}]}"#, Err(NotJson)),
            (r#"{"value":[{"a":"\x"}]}"#, Err(NotJson)),
            ("{\"value\":[{\"a\":\"\t\"}]}", Err(NotJson)),
            ("{\"value\":[{\"a\n\":1}]}", Err(NotJson)),
            (r#"{"value":[{"\ud83d":1}]}"#, Err(NotJson)),
        ] {
            let items = outcome.map(|items| items.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(read(body), items, "{body:.100}");
        }
        let whole = r#"{"value":[{"a":"C:\\x\u00fc","b":[1,{"c":null}]}],"@odata.nextLink":"x"}"#;
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(NotJson), "{end}");
        }
    }
}
