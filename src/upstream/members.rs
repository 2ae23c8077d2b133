//! Reading JSON that was written by somebody else: leniently, and without losing anything.
//!
//! Real bodies hold nulls or leave members out, write numbers as strings and single items without their list, and get
//! new members at any time. A member of an unexpected type is kept as it came and told; it never fails the answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use memchr::memchr;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::extra::Extra;
use crate::domain::text::Text;
use crate::domain::time::Moment;
use crate::domain::warning::Warnings;

/// A value nested deeper than this is no document of Microsoft's.
const DEEPEST: usize = 64;

/// A member's name, borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The members of one JSON object that are not null, each as it was written.
#[derive(Default)]
pub(crate) struct Members<'de> {
    list: Vec<Member<'de>>,
    /// What they stand in: the texts that are taken out become parts of it.
    body: Option<&'de Text>,
}

/// One member; without its value once that was taken out.
#[derive(Clone)]
struct Member<'de> {
    mark: u32,
    name: Cow<'de, str>,
    value: Option<&'de RawValue>,
}

impl<'de> Member<'de> {
    fn new(name: Cow<'de, str>, value: &'de RawValue) -> Self {
        Self { mark: mark(&name), name, value: Some(value) }
    }

    /// Whether it has this name, whose mark is `mark`.
    fn is(&self, name: &str, mark: u32) -> bool {
        self.mark == mark && self.name == name
    }
}

/// Two names of one object rarely share it: comparing numbers first spares comparing texts.
fn mark(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    u32::from_le_bytes([at(0), at(bytes.len() / 2), at(bytes.len().wrapping_sub(1)), bytes.len().to_le_bytes()[0]])
}

/// More members than any documented object has. Beyond, looking for a later one of each name that is left would take a
/// hostile body's sender no effort and us quadratic time.
const MANY: usize = 128;
/// What most objects have that are not null. Twenty are the most for which the allocator keeps a place at hand.
const USUAL: usize = 20;

impl<'de> Members<'de> {
    /// None yet, of an object in this body.
    pub(crate) fn within(body: &'de Text) -> Self {
        Self { list: Vec::new(), body: Some(body) }
    }

    /// These, and all that are left of an object.
    pub(crate) fn filled<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(name) = map.next_key::<Name<'de>>()? {
            self.put(name.0, map.next_value()?);
        }
        Ok(self)
    }

    /// Takes in a member; null is as if it were not there, and of two of one name the later counts.
    pub(crate) fn put(&mut self, name: Cow<'de, str>, value: &'de RawValue) {
        if value.get() != "null" && !name.starts_with("@odata.") {
            if self.list.is_empty() {
                self.list.reserve(USUAL);
            }
            self.list.push(Member::new(name, value));
        }
    }

    /// The members of an object that stands in the same body; `None` if it is none.
    fn of(&self, raw: &'de RawValue) -> Option<Self> {
        if !raw.get().starts_with('{') {
            return None;
        }
        Object(self.body).deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
    }

    /// A string's text, or a number or truth value as it is written; `None` for lists and objects.
    fn text_of(&self, raw: &'de RawValue) -> Option<Text> {
        match raw.get().as_bytes().first()? {
            b'"' => string_of(raw).map(|text| self.kept(text)),
            b'[' | b'{' => None,
            _ => Some(self.kept(Cow::Borrowed(raw.get()))),
        }
    }

    /// A text that outlives these members.
    fn kept(&self, text: Cow<'de, str>) -> Text {
        match (text, self.body) {
            (Cow::Borrowed(part), Some(body)) => body.part(part),
            (text, _) => text.into(),
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'de RawValue> {
        let mark = mark(name);
        self.list.iter_mut().rev().find(|member| member.is(name, mark))?.value.take()
    }

    /// Takes the first of several spellings out.
    pub(crate) fn take_any(&mut self, names: &[&'static str]) -> Option<(&'static str, &'de RawValue)> {
        names.iter().find_map(|name| Some((*name, self.take(name)?)))
    }

    /// Whether every member has been taken out, or there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.left().next().is_none()
    }

    /// The members that have not been taken out; of several of one name the last.
    fn left(&self) -> impl Iterator<Item = (&Cow<'de, str>, &'de RawValue)> {
        let mut last = HashMap::new();
        if self.list.len() > MANY {
            last.extend(self.list.iter().enumerate().map(|(at, member)| (&member.name, at)));
        }
        self.list.iter().enumerate().filter_map(move |(at, Member { mark, name, value })| {
            let value = (*value)?;
            let is_last = match last.get(name) {
                Some(last) => *last == at,
                None => !self.list.iter().skip(at + 1).any(|later| later.is(name, *mark)),
            };
            is_last.then_some((name, value))
        })
    }

    fn put_back(&mut self, name: &'static str, value: &'de RawValue) {
        self.list.push(Member::new(Cow::Borrowed(name), value));
    }

    /// A member, without taking it out.
    fn peek(&self, name: &str) -> Option<&'de RawValue> {
        let mark = mark(name);
        self.list.iter().rev().find(|member| member.is(name, mark))?.value
    }

    /// A text: a string, or a number or truth value as it is written.
    pub(crate) fn text(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<Text> {
        let (name, raw) = self.take_any(names)?;
        let text = self.text_of(raw);
        if text.is_none() {
            notes.unexpected_type(name, "a text");
            self.put_back(name, raw);
        }
        text
    }

    /// A moment. .NET's "no time" is none; a text that is no time is kept.
    pub(crate) fn moment(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<Moment> {
        let (name, raw) = self.take_any(names)?;
        let text = string_of(raw);
        let moment = text.as_deref().and_then(Moment::parse);
        if moment.is_none() && !text.is_some_and(|text| text.is_empty() || text.starts_with("0001-01-01T")) {
            notes.unexpected_type(name, "a time");
            self.put_back(name, raw);
        }
        moment
    }

    /// A whole number, written as a number or as digits in a string.
    pub(crate) fn integer(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<i64> {
        let (name, raw) = self.take_any(names)?;
        let integer = number_of(raw);
        if integer.is_none() {
            notes.unexpected_type(name, "a whole number");
            self.put_back(name, raw);
        }
        integer
    }

    /// A list of texts; a single text is a list of one.
    pub(crate) fn texts(&mut self, names: &[&'static str], notes: &mut Warnings) -> Vec<Text> {
        let Some((name, raw)) = self.take_any(names) else { return Vec::new() };
        let texts = match list_of(raw) {
            Some(list) => list.into_iter().map(|item| self.text_of(item)).collect(),
            None => self.text_of(raw).map(|one| vec![one]),
        };
        texts.unwrap_or_else(|| {
            notes.unexpected_type(name, "a list of texts");
            self.put_back(name, raw);
            Vec::new()
        })
    }

    /// A list of objects; a single object is a list of one, an empty one a list of none.
    pub(crate) fn objects(&mut self, names: &[&'static str], notes: &mut Warnings) -> Vec<Members<'de>> {
        let Some((name, raw)) = self.take_any(names) else { return Vec::new() };
        let objects = match list_of(raw) {
            Some(list) => list.into_iter().map(|item| self.of(item)).collect(),
            None => self.of(raw).map(|one| if one.is_empty() { Vec::new() } else { vec![one] }),
        };
        objects.unwrap_or_else(|| {
            notes.unexpected_type(name, "a list of objects");
            self.put_back(name, raw);
            Vec::new()
        })
    }

    /// A list of objects that also stays whole among what has no home.
    pub(crate) fn kept_objects(&mut self, name: &'static str, notes: &mut Warnings) -> Vec<Members<'de>> {
        let raw = self.peek(name);
        let objects = self.objects(&[name], notes);
        if let Some(raw) = raw.filter(|_| !objects.is_empty()) {
            self.put_back(name, raw);
        }
        objects
    }

    /// A list of objects of which these members have a home; it also stays whole if any of them has others.
    pub(crate) fn whole_objects(
        &mut self,
        name: &'static str,
        is_own: impl Fn(&str) -> bool,
        notes: &mut Warnings,
    ) -> Vec<Members<'de>> {
        let raw = self.peek(name);
        let objects = self.objects(&[name], notes);
        let has_others = |object: &Members<'_>| object.left().any(|(name, _)| !is_own(name));
        if let Some(raw) = raw.filter(|_| objects.iter().any(has_others)) {
            self.put_back(name, raw);
        }
        objects
    }

    /// One object; anything else is kept and told.
    pub(crate) fn object(&mut self, name: &'static str, notes: &mut Warnings) -> Option<Members<'de>> {
        let raw = self.take(name)?;
        let object = self.of(raw);
        if object.is_none() {
            notes.unexpected_type(name, "an object");
            self.put_back(name, raw);
        }
        object
    }

    /// A text whose name is written in any case, as those of headers are.
    pub(crate) fn text_in_any_case(&mut self, name: &str) -> Option<Text> {
        let (_, raw) = self.left().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        self.text_of(raw)
    }

    /// Takes a member out if it is a list of nothing.
    pub(crate) fn take_if_empty(&mut self, name: &str) {
        self.list.retain(|member| member.name != name || member.value.is_none_or(|raw| raw.get() != "[]"));
    }

    /// One member by itself, to look at without taking it out.
    pub(crate) fn only(&self, name: &str) -> Self {
        Self { list: self.list.iter().filter(|member| member.name == name).cloned().collect(), body: self.body }
    }

    /// A text, without taking it out.
    pub(crate) fn peek_text(&self, name: &str) -> Option<Text> {
        self.peek(name).and_then(|raw| self.text_of(raw))
    }

    /// What no home was found for, as an object of its own, without lists and objects of nothing; `None` if that is all.
    pub(crate) fn rest_as_object(self) -> Option<Box<RawValue>> {
        let says_anything = |raw: &RawValue| !matches!(raw.get(), "[]" | "{}") && !is_deeper_than(raw.get(), DEEPEST);
        object_of(self.left().filter(|(_, raw)| says_anything(raw)))
    }

    /// The members as an object; `None` if there are none.
    pub(crate) fn as_object(&self) -> Option<Box<RawValue>> {
        object_of(self.left())
    }

    /// What no home was found for.
    pub(crate) fn rest(self, notes: &mut Warnings) -> Extra {
        let mut extra = Extra::default();
        for (name, value) in self.left() {
            if is_deeper_than(value.get(), DEEPEST) {
                notes.unexpected_type(name, "of a depth that is passed on: it is left out");
            } else {
                extra.keep(self.kept(name.clone()), value.to_owned());
            }
        }
        extra
    }
}

/// These members as an object; `None` if there are none.
fn object_of<'m>(members: impl Iterator<Item = (&'m Cow<'m, str>, &'m RawValue)>) -> Option<Box<RawValue>> {
    let parts: Option<Vec<String>> =
        members.map(|(name, raw)| Some(format!("{}:{}", serde_json::to_string(name).ok()?, raw.get()))).collect();
    let parts = parts.filter(|parts| !parts.is_empty())?;
    RawValue::from_string(format!("{{{}}}", parts.join(","))).ok()
}

/// The items of a list that are not null; `None` if it is none.
fn list_of(raw: &RawValue) -> Option<Vec<&RawValue>> {
    let mut list: Vec<&RawValue> =
        if raw.get().starts_with('[') { serde_json::from_str(raw.get()).ok()? } else { return None };
    list.retain(|item| item.get() != "null");
    Some(list)
}

/// A whole number, written as a number or as digits in a string.
fn number_of(raw: &RawValue) -> Option<i64> {
    string_of(raw).unwrap_or(Cow::Borrowed(raw.get())).parse().ok()
}

/// A string's text, borrowed where it holds no escapes; `None` for anything else.
fn string_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr(b'\\', inside.as_bytes()).is_some() {
        serde_json::from_str(raw.get()).ok()
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// Whether lists and objects nest deeper than `most`.
fn is_deeper_than(json: &str, most: usize) -> bool {
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

/// An object that stands in this body.
struct Object<'de>(Option<&'de Text>);

impl<'de> DeserializeSeed<'de> for Object<'de> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Members { list: Vec::new(), body: self.0 }.filled(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members<'_> {
        Object(None).deserialize(&mut serde_json::Deserializer::from_str(json)).expect("an object")
    }

    #[test]
    fn what_has_no_home_is_kept_as_it_was_written() {
        let mut notes = Warnings::default();
        let mut members =
            members(r#"{"a":1.10,"b":null,"c":{"x":[123456789012345678901234567890]},"@odata.etag":"e","d":"yes"}"#);
        assert_eq!(members.text(&["d"], &mut notes).as_deref(), Some("yes"));
        let extra = serde_json::to_string(&members.rest(&mut notes)).expect("JSON");
        assert_eq!(extra, r#"{"a":1.10,"c":{"x":[123456789012345678901234567890]}}"#);
        assert!(notes.into_vec().is_empty());
    }

    #[test]
    fn numbers_and_strings_stand_for_each_other() {
        let mut notes = Warnings::default();
        let mut members = members(r#"{"a":77,"b":"88","c":true}"#);
        assert_eq!(members.text(&["a"], &mut notes).as_deref(), Some("77"));
        assert_eq!(members.integer(&["b"], &mut notes), Some(88));
        assert_eq!(members.text(&["c"], &mut notes).as_deref(), Some("true"));
    }

    #[test]
    fn a_member_of_an_unexpected_type_is_kept_and_told() {
        let mut notes = Warnings::default();
        let mut members = members(r#"{"a":{"x":1},"b":"yesterday","c":"x","d":[[1]],"e":"0001-01-01T00:00:00Z"}"#);
        assert_eq!(members.text(&["a"], &mut notes), None);
        assert_eq!(members.moment(&["b"], &mut notes), None);
        assert_eq!(members.integer(&["c"], &mut notes), None);
        assert!(members.texts(&["d"], &mut notes).is_empty());
        assert_eq!(members.moment(&["e"], &mut notes), None);
        let extra = members.rest(&mut notes);
        assert_eq!(extra.iter().count(), 4);
        assert_eq!(notes.into_vec().len(), 4);
    }

    #[test]
    fn of_two_members_of_one_name_the_later_counts_however_many_there_are() {
        for others in [0, 1000] {
            let mut notes = Warnings::default();
            let others: Vec<_> = (0..others).map(|n| format!("\"m{n}\":{n},")).collect();
            let others = others.concat();
            let json = format!("{{\"a\":1,\"b\":1,{others}\"a\":2,\"b\":2}}");
            let mut members = members(&json);
            assert_eq!(members.text(&["a"], &mut notes).as_deref(), Some("2"));
            let extra = members.rest(&mut notes);
            let of = |name| {
                extra.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.get()).collect::<Vec<_>>()
            };
            assert_eq!((of("a"), of("b")), (vec![], vec!["2"]));
        }
    }

    #[test]
    fn what_is_too_deep_is_not_passed_on() {
        let mut notes = Warnings::default();
        let json = format!("{{\"deep\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(members(&json).rest(&mut notes).is_empty());
        assert_eq!(notes.into_vec().len(), 1);
        assert!(!is_deeper_than(r#"{"a":"[[[[[[\"[["}"#, 1));
    }
}
