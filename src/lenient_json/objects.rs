//! Reads objects and lists of objects one after the other. Values of other types in their place are skipped, and may be
//! kept.

use serde_json::value::RawValue;

use super::json::{Json, Malformed};
use super::value::Value;
use crate::domain::extra::Extra;
use crate::domain::warning::Warnings;

/// Bytes that a skipped value occupies, besides its text, until it is kept.
const SKIPPED_VALUE_BYTES: usize = 96;

/// A reader for one kind of object. It holds the state that reading needs.
pub(crate) trait ReadObject<'de> {
    /// The value that an object is read into.
    type Item;

    /// Reads the next value, which has to be an object.
    fn read(&mut self, json: &mut Json<'de>) -> Result<Self::Item, Malformed>;

    /// The approximate size of an item in bytes, without the body and without bytes counted during `read`.
    fn weight(_: &Self::Item) -> usize {
        size_of::<Self::Item>()
    }

    /// Receives a value of another type that stands in the place of an object and is skipped.
    fn pass_over(&mut self, _: Value<'de>) {}
}

/// Reads the next value into `items` if it is an object, and skips it otherwise. Returns whether it was an object.
pub(super) fn object_among<'de, S: ReadObject<'de>>(
    json: &mut Json<'de>,
    reader: &mut S,
    items: &mut Vec<S::Item>,
) -> Result<bool, Malformed> {
    let is_object = json.peek() == Some(b'{');
    if is_object {
        let item = reader.read(json)?;
        json.spend(S::weight(&item))?;
        items.push(item);
    } else {
        pass_over(json, reader)?;
    }
    Ok(is_object)
}

/// Reads the next value as a list of objects and skips items of other types. A single object is a list of one. Any
/// other value is skipped, and the result is `None`.
pub(crate) fn list_of<'de, S: ReadObject<'de>>(
    json: &mut Json<'de>,
    reader: &mut S,
) -> Result<Option<Vec<S::Item>>, Malformed> {
    match json.peek() {
        Some(b'[') => {
            let mut items = Vec::new();
            json.list(|json| object_among(json, reader, &mut items).map(drop))?;
            // There are many lists and most are short: spare capacity would be a third of the memory kept.
            items.shrink_to_fit();
            Ok(Some(items))
        }
        Some(b'{') => {
            let item = reader.read(json)?;
            json.spend(S::weight(&item))?;
            Ok(Some(vec![item]))
        }
        _ => {
            pass_over(json, reader)?;
            Ok(None)
        }
    }
}

fn pass_over<'de, S: ReadObject<'de>>(json: &mut Json<'de>, reader: &mut S) -> Result<(), Malformed> {
    let value = json.value()?;
    if !value.is_null() {
        json.spend(SKIPPED_VALUE_BYTES)?;
        reader.pass_over(value);
    }
    Ok(())
}

/// Keeps skipped values in `extra` and adds a warning. `values` stood in the member `name` or, with `is_list`, in its
/// list.
pub(crate) fn keep_passed_over(
    extra: &mut Extra,
    name: &str,
    values: &[Value<'_>],
    is_list: bool,
    warnings: &mut Warnings,
) {
    let kept: Vec<_> = values.iter().filter_map(|value| value.kept()).collect();
    let value = if is_list && !kept.is_empty() {
        let items: Vec<_> = kept.iter().map(|item| item.get()).collect();
        RawValue::from_string(format!("[{}]", items.join(","))).ok()
    } else {
        kept.into_iter().next()
    };
    if let Some(value) = value {
        warnings.unexpected_type(name, "a list of objects");
        extra.keep(name, value);
    }
}
