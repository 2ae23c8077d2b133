//! Reads lists: a body with one page of a list in its `OData` envelope, and lists of objects inside an object.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserializer as _;
use serde::de::DeserializeSeed;
use serde_json::value::{RawValue, to_raw_value};

use super::json::{Budget, Envelope, Failure, Malformed, read};
use super::members::{Members, MembersSeed};
use super::value::Value;
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;

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
/// it is not mistaken for an empty list. `weight` is the approximate size of an item in bytes, without the body.
pub(crate) fn page<'de, T>(
    body: &'de SharedStr,
    weight: fn(&T) -> usize,
    read: impl FnMut(Members<'de>) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed> {
    let failure = &Failure::default();
    read_page(body, "value", MembersSeed { text: body, body, failure }, failure, weight, read)
}

/// The same for a list in a member named `name`, whose items are read as values.
pub(crate) fn list<'de, T>(
    body: &'de SharedStr,
    name: &str,
    weight: fn(&T) -> usize,
    mut read: impl FnMut(Value<'de>) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed> {
    let item = PhantomData::<&'de RawValue>;
    read_page(body, name, item, &Failure::default(), weight, |item| read(Value::new(item, body)))
}

fn read_page<'de, I, T>(
    body: &'de SharedStr,
    name: &str,
    item: I,
    failure: &Failure,
    weight: fn(&T) -> usize,
    mut read_item: impl FnMut(I::Value) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed>
where
    I: DeserializeSeed<'de> + Copy,
{
    let mut budget = Budget::of(body);
    let mut items = Vec::new();
    let add = |item| {
        let item = read_item(item)?;
        budget.spend(weight(&item))?;
        items.push(item);
        Ok(())
    };
    let next_link = read(body, failure, |json| json.deserialize_map(Envelope { name, item, read: add, failure }))?;
    items.shrink_to_fit();
    let next_link = next_link.map(|link| Value::new(link, body).link());
    Ok(Page { items, next_link, made: budget.spent + body.in_escaped_strings() })
}

/// The objects in a member.
#[derive(Default)]
pub(crate) struct Objects<T> {
    /// What the objects were read into.
    pub(crate) items: Vec<T>,
    /// The values of other types that stood in their place, under the name of the member.
    pub(crate) others: Extra,
    /// The number of bytes that the items occupy.
    pub(crate) made: usize,
}

impl<'de> Members<'de> {
    /// Takes out a list of objects and reads each. A single object is a list of one. Values of other types are kept, with
    /// a warning. `None` if the member is absent.
    pub(crate) fn objects_and_others<T>(
        &mut self,
        name: &'static str,
        weight: fn(&T) -> usize,
        warnings: &mut Warnings,
        mut read: impl FnMut(Self, &mut Warnings) -> Result<T, Malformed>,
    ) -> Result<Option<Objects<T>>, Malformed> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let mut budget = Budget::of(value.json());
        let (mut items, mut others) = (Vec::new(), Vec::new());
        let mut add = |item: Value<'de>| {
            if item.is_object() {
                let item = read(item.members()?, warnings)?;
                budget.spend(weight(&item))?;
                items.push(item);
            } else {
                budget.spend(size_of::<Box<RawValue>>() + item.json().len())?;
                others.extend(item.kept());
            }
            Ok(())
        };
        let others = if value.is_list() {
            value.each_item(add)?;
            if others.is_empty() { None } else { to_raw_value(&others).ok() }
        } else {
            add(value)?;
            others.pop()
        };
        // There are many lists and most are short: spare capacity would be a third of the memory kept.
        items.shrink_to_fit();
        let mut objects = Objects { items, others: Extra::default(), made: budget.spent };
        if let Some(others) = others {
            warnings.unexpected_type(name, "a list of objects");
            objects.others.keep(name, others);
        }
        Ok(Some(objects))
    }

    /// Takes out the link to the next page of a list, if there is one.
    pub(crate) fn link(&mut self, name: &str) -> Option<String> {
        self.take(name).map(Value::link)
    }
}

impl Value<'_> {
    /// A link to the next page. One that is not a string becomes empty.
    fn link(self) -> String {
        self.string().map(Cow::into_owned).unwrap_or_default()
    }
}
