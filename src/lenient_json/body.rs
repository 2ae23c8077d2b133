//! Reads lists: a body with one page of a list in its `OData` envelope, and lists of objects inside an object.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};

use super::json::{Budget, Malformed, each_item};
use super::members::Members;
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
    mut read: impl FnMut(Members<'de>) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed> {
    list(body, "value", weight, |item| read(item.members()?))
}

/// The same for a list in a member named `name`, whose items are read as values.
pub(crate) fn list<'de, T>(
    body: &'de SharedStr,
    name: &str,
    weight: fn(&T) -> usize,
    mut read: impl FnMut(Value<'de>) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed> {
    let mut envelope = Members::of_body(body)?;
    let list = envelope.take(name).ok_or(Malformed::NoItems)?;
    let mut budget = Budget::of(body);
    let mut items = Vec::new();
    each_item(list.json(), |item| {
        let item = read(Value::new(item.ok_or(Malformed::OtherShape)?, body))?;
        budget.spend(weight(&item))?;
        items.push(item);
        Ok(())
    })?;
    items.shrink_to_fit();
    let next_link = envelope.link("@odata.nextLink");
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

    /// Takes out the link to the next page of a list, if there is one. A link that is not a string becomes empty.
    pub(crate) fn link(&mut self, name: &str) -> Option<String> {
        Some(self.take(name)?.string().map(Cow::into_owned).unwrap_or_default())
    }
}
