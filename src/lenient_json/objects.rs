//! Objects and lists of them, read one after the other as they come; what stands in their place is passed over.

use serde_json::value::RawValue;

use super::json::{Json, Malformed};
use super::value::Value;
use crate::domain::extra::Extra;
use crate::domain::warning::Warnings;

/// What a value that is passed over takes until it is kept, in bytes, beside its text.
const PASSED_OVER: usize = 96;

/// Reads one object, with what it needs at hand.
pub(crate) trait ReadObject<'de> {
    /// What an object becomes.
    type Item;

    /// Reads the object that stands next.
    fn read(&mut self, json: &mut Json<'de>) -> Result<Self::Item, Malformed>;

    /// Roughly what an item occupies, in bytes, beside the body and what was counted while it was read.
    fn weight(_: &Self::Item) -> usize {
        size_of::<Self::Item>()
    }

    /// Takes note of something that stands where an object should, and is passed over.
    fn pass_over(&mut self, _: Value<'de>) {}
}

/// Reads what stands next and puts it to these, if it is an object; anything else is passed over. Which it was.
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

/// Reads the list of objects that stands next, one after the other, passing over what is none; a single object is a
/// list of one. Anything else is no list and passed over: `None`.
pub(crate) fn list_of<'de, S: ReadObject<'de>>(
    json: &mut Json<'de>,
    reader: &mut S,
) -> Result<Option<Vec<S::Item>>, Malformed> {
    match json.peek() {
        Some(b'[') => {
            let mut items = Vec::new();
            json.list(|json| object_among(json, reader, &mut items).map(drop))?;
            // Most lists are short and there are many of them: the room for more would be a third of what is kept.
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
        json.spend(PASSED_OVER)?;
        reader.pass_over(value);
    }
    Ok(())
}

/// Keeps under a name what stood there, or among the items of a list there, and was no object; and tells it.
pub(crate) fn keep_passed_over(
    extra: &mut Extra,
    name: &str,
    values: &[Value<'_>],
    is_list: bool,
    notes: &mut Warnings,
) {
    let kept: Vec<_> = values.iter().filter_map(|value| value.kept()).collect();
    let value = if is_list && !kept.is_empty() {
        let items: Vec<_> = kept.iter().map(|item| item.get()).collect();
        RawValue::from_string(format!("[{}]", items.join(","))).ok()
    } else {
        kept.into_iter().next()
    };
    if let Some(value) = value {
        notes.unexpected_type(name, "a list of objects");
        extra.keep(name, value);
    }
}
