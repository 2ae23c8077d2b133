//! Reads whole bodies: one object, or a list in its `OData` envelope.

use std::borrow::Cow;

use super::json::{Json, Malformed};
use super::members::Members;
use super::objects::{ReadObject, object_among};
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
    let mut json = Json::of(body);
    let object = reader.read(&mut json)?;
    json.spend(S::weight(&object))?;
    let made = json.spent();
    json.end()?;
    Ok((object, made))
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// The items of the page.
    pub(crate) items: Vec<T>,
    /// The link to the next page, if there is one.
    pub(crate) next_link: Option<String>,
    /// The number of bytes that the parsed items occupy.
    pub(crate) made: usize,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next_link: None, made: 0 }
    }
}

/// The link to the next page of a list inside an object, if there is one. A link that is not a string becomes empty.
pub(crate) fn link(value: &Value<'_>) -> Option<String> {
    (!value.is_null()).then(|| value.string().map(Cow::into_owned).unwrap_or_default())
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

    fn read(&mut self, json: &mut Json<'de>) -> Result<Self::Item, Malformed> {
        let (mut items, mut next_link) = (None, None);
        json.object(|json| {
            let name = json.name()?;
            if name == self.name {
                items = Some(strict_list(json, self.items)?);
                return Ok(());
            }
            let value = json.value()?;
            if name == "@odata.nextLink" {
                next_link = link(&value);
            }
            Ok(())
        })?;
        Ok((items, next_link))
    }
}

/// The size of a small item in most bodies. It determines the initial capacity of a list.
const TYPICAL_ITEM_BYTES: usize = 2 << 10;

/// Reads a list whose items all have to be objects.
fn strict_list<'de, S: ReadObject<'de>>(json: &mut Json<'de>, reader: &mut S) -> Result<Vec<S::Item>, Malformed> {
    let mut items = Vec::with_capacity(json.body().len() / TYPICAL_ITEM_BYTES);
    json.list(|json| {
        let is_one = object_among(json, reader, &mut items)?;
        if is_one { Ok(()) } else { Err(Malformed::OtherShape) }
    })?;
    items.shrink_to_fit();
    Ok(items)
}

/// Reads an object through a function of its members.
pub(crate) struct MembersReader<F>(pub(crate) F);

impl<'de, T, F: FnMut(Members<'de>) -> T> ReadObject<'de> for MembersReader<F> {
    type Item = T;

    fn read(&mut self, json: &mut Json<'de>) -> Result<T, Malformed> {
        Ok((self.0)(Members::of(json)?))
    }
}
