//! Single JSON values, kept as raw JSON.

use std::borrow::Cow;

use serde::Deserializer as _;
use serde_json::value::RawValue;

use super::json::{Budget, Failure, Malformed, Object, each_item, read};
use super::members::Members;
use crate::domain::shared_str::SharedStr;

/// The greatest depth of a value that is kept. No document of Microsoft's is nested deeper.
const MAX_DEPTH: usize = 64;

/// One value other than null, as raw JSON, and the body that it is a part of.
#[derive(Clone, Copy)]
pub(crate) struct Value<'de> {
    raw: &'de RawValue,
    body: &'de SharedStr,
}

impl<'de> Value<'de> {
    pub(super) fn new(raw: &'de RawValue, body: &'de SharedStr) -> Self {
        Self { raw, body }
    }

    /// The value as JSON. It is a part of the body.
    pub(crate) fn json(self) -> &'de str {
        self.raw.get()
    }

    pub(super) fn is_list(self) -> bool {
        self.json().starts_with('[')
    }

    pub(super) fn is_object(self) -> bool {
        self.json().starts_with('{')
    }

    /// The text of a string, borrowed if it contains no escapes. `None` for other types and for a lone surrogate.
    pub(crate) fn string(self) -> Option<Cow<'de, str>> {
        let inside = self.json().strip_prefix('"')?.strip_suffix('"')?;
        let is_escaped = inside.contains('\\');
        if is_escaped { serde_json::from_str(self.json()).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
    }

    /// The text of a string, or the raw JSON of a number or boolean. `None` for lists and objects. A text without escapes
    /// shares the memory of the body.
    pub(super) fn text(self) -> Option<SharedStr> {
        let is_scalar = !self.json().starts_with(['"', '[', '{']);
        let text = if is_scalar { Some(Cow::Borrowed(self.json())) } else { self.string() };
        text.map(|text| self.shared(text))
    }

    /// A text from the same body that outlives this value. A borrowed text shares the memory of the body.
    pub(super) fn shared(self, text: Cow<'de, str>) -> SharedStr {
        match text {
            Cow::Borrowed(part) => self.body.part(part),
            Cow::Owned(own) => own.into(),
        }
    }

    /// The members of an object.
    pub(crate) fn members(self) -> Result<Members<'de>, Malformed> {
        Members::of(self.json(), self.body)
    }

    /// Calls `item` for each item of a list that is not null.
    pub(super) fn each_item(self, mut item: impl FnMut(Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        each_item(self.json(), |raw| if raw.get() == "null" { Ok(()) } else { item(Self::new(raw, self.body)) })
    }

    /// The texts in a list, without empty ones. A single text is a list of one.
    pub(super) fn texts(self) -> Option<Vec<SharedStr>> {
        self.list(size_of::<SharedStr>(), |item| item.text().ok_or(Malformed::OtherShape))
            .map(|texts| texts.into_iter().filter(|text| !text.is_empty()).collect())
    }

    /// The objects in a list. A single object is a list of one, and an empty object is an empty list.
    pub(super) fn objects(self) -> Option<Vec<Members<'de>>> {
        let mut objects = self.list(size_of::<Members<'de>>(), Self::members)?;
        objects.retain(|object| self.is_list() || !object.is_empty());
        Some(objects)
    }

    /// The items of a list that are not null, or this value as the only item. `None` if `read` fails for any of them.
    fn list<T>(self, item_bytes: usize, read: impl Fn(Self) -> Result<T, Malformed>) -> Option<Vec<T>> {
        if !self.is_list() {
            return Some(vec![read(self).ok()?]);
        }
        let mut budget = Budget::of(self.json());
        let mut items = Vec::new();
        let list = self.each_item(|item| {
            budget.spend(item_bytes)?;
            items.push(read(item)?);
            Ok(())
        });
        list.ok().map(|()| items)
    }

    /// An owned copy, or `None` if the value is nested deeper than any document of Microsoft's.
    pub(super) fn kept(self) -> Option<Box<RawValue>> {
        // Most values have few brackets, and those cannot nest too deeply.
        let brackets = self.json().bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
        (brackets <= MAX_DEPTH || is_within(self.raw, MAX_DEPTH)).then(|| self.raw.to_owned())
    }
}

/// Whether lists and objects nest at most to this depth.
fn is_within(value: &RawValue, depth: usize) -> bool {
    let json = value.get();
    let is_list = json.starts_with('[');
    if !is_list && !json.starts_with('{') {
        return true;
    }
    let inner = |value: &RawValue| {
        let is_within = depth > 0 && is_within(value, depth - 1);
        if is_within { Ok(()) } else { Err(Malformed::TooMuch) }
    };
    if is_list {
        return each_item(json, inner).is_ok();
    }
    let member = |_, value: Option<_>| value.map_or(Ok(()), inner);
    let failure = &Failure::default();
    read(json, failure, |json| json.deserialize_map(Object { member, failure })).is_ok()
}
