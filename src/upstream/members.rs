//! Reading JSON that was written by somebody else: leniently, and without losing anything.
//!
//! Real bodies hold nulls or leave members out, write numbers as strings and single items without their list, and get
//! new members at any time. A member of an unexpected type is kept as it came and told; it never fails the answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::{iter, mem};

use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::nested;
use super::values::{is_deeper_than, is_null, list_of, number_of, string_of, text_of};
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
    /// Of each family the place of the last member, counted from 1.
    last: [u32; FAMILIES],
    /// What they stand in: the texts that are taken out become parts of it.
    body: Option<&'de Text>,
}

/// One member; without its value once that was taken out.
struct Member<'de> {
    mark: Mark,
    /// The place of the one of its family that came before, counted from 1.
    before: u32,
    name: Cow<'de, str>,
    value: Option<&'de RawValue>,
}

impl Member<'_> {
    /// Whether it has this name, whose mark is `mark`.
    fn is(&self, name: &str, mark: Mark) -> bool {
        self.mark == mark && self.name == name
    }
}

/// Two names of one object rarely share it: comparing numbers first spares comparing texts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark(u32);

impl Mark {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
        Self(u32::from_le_bytes([
            at(0),
            at(bytes.len() / 2),
            at(bytes.len().wrapping_sub(1)),
            bytes.len().to_le_bytes()[0],
        ]))
    }

    /// The family of the names with this mark: all over all families, whichever bytes differ.
    fn family(self) -> usize {
        const GOLDEN: u32 = 0x9E37_79B9;
        (self.0.wrapping_mul(GOLDEN) >> (u32::BITS - FAMILIES.ilog2())) as usize
    }
}

/// About as many as there are members in most objects: then most families have one.
const FAMILIES: usize = 32;

/// More members than any documented object has. Beyond, looking for a later one of each name that is left would take a
/// hostile body's sender no effort and us quadratic time.
const MANY: usize = 128;
/// What most objects have that are not null. Twenty are the most for which the allocator keeps a place at hand.
const USUAL: usize = 20;
/// What most alerts and incidents have that are not null.
const MORE: usize = 40;

impl<'de> Members<'de> {
    /// None yet, of an object in this body.
    pub(crate) fn within(body: &'de Text) -> Self {
        Self::of_part(Some(body))
    }

    /// None yet, of an alert or an incident in this body.
    pub(crate) fn of_many(body: &'de Text) -> Self {
        Self { list: Vec::with_capacity(MORE), ..Self::within(body) }
    }

    /// None yet, of an object in a body, if it is one that is kept.
    pub(super) fn of_part(body: Option<&'de Text>) -> Self {
        Self { body, ..Self::default() }
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
        let is_odata = name.starts_with('@') && name.starts_with("@odata.");
        if !is_odata && !is_null(value) {
            if self.list.capacity() == 0 {
                self.list.reserve(USUAL);
            }
            self.add(name, value);
        }
    }

    fn add(&mut self, name: Cow<'de, str>, value: &'de RawValue) {
        let mark = Mark::of(&name);
        // No body is large enough for more members than there are numbers.
        let place = u32::try_from(self.list.len() + 1).unwrap_or_default();
        let before = self.last.get_mut(mark.family()).map_or(0, |last| mem::replace(last, place));
        self.list.push(Member { mark, before, name, value: Some(value) });
    }

    /// The places of the members that may have a name of this mark, the last first.
    fn places(&self, mark: Mark) -> impl Iterator<Item = usize> {
        let place = |counted: u32| counted.checked_sub(1).map(|place| place as usize);
        let last = self.last.get(mark.family()).copied().and_then(place);
        iter::successors(last, move |at| self.list.get(*at).and_then(|member| place(member.before)))
    }

    /// The place of the last member of this name.
    fn place(&self, name: &str) -> Option<usize> {
        let mark = Mark::of(name);
        self.places(mark).find(|at| self.list.get(*at).is_some_and(|member| member.is(name, mark)))
    }

    /// A text that outlives these members; `None` for lists and objects.
    fn text_of(&self, raw: &'de RawValue) -> Option<Text> {
        text_of(raw).map(|text| self.kept(text))
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
        let place = self.place(name)?;
        self.list.get_mut(place)?.value.take()
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
        self.list.iter().enumerate().filter_map(move |(at, Member { name, value, .. })| {
            let value = (*value)?;
            let last = last.get(name).copied().or_else(|| self.place(name));
            (last == Some(at)).then_some((name, value))
        })
    }

    fn put_back(&mut self, name: &'static str, value: &'de RawValue) {
        self.add(Cow::Borrowed(name), value);
    }

    /// A member, without taking it out.
    fn peek(&self, name: &str) -> Option<&'de RawValue> {
        self.list.get(self.place(name)?)?.value
    }

    /// A text that only says which of several words it is.
    pub(crate) fn word(&mut self, name: &'static str, notes: &mut Warnings) -> Option<Cow<'de, str>> {
        let raw = self.take(name)?;
        let word = text_of(raw);
        if word.is_none() {
            notes.unexpected_type(name, "a text");
            self.put_back(name, raw);
        }
        word
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
        let one = || nested::object(raw, self.body).map(|one| if one.is_empty() { vec![] } else { vec![one] });
        nested::objects(raw, self.body).or_else(one).unwrap_or_else(|| {
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
        let object = nested::object(raw, self.body);
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
        if self.peek(name).is_some_and(|raw| raw.get() == "[]") {
            self.take(name);
        }
    }

    /// One member by itself, to look at without taking it out.
    pub(crate) fn only(&self, name: &'static str) -> Self {
        let mut only = Self::of_part(self.body);
        if let Some(value) = self.peek(name) {
            only.put_back(name, value);
        }
        only
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

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members<'_> {
        nested::object(serde_json::from_str(json).expect("JSON"), None).expect("an object")
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
    fn a_list_of_objects_may_hold_nulls_and_nothing_else() {
        for (json, found) in [
            (r#"[{"n":1},null,{"n":2}]"#, Some(2)),
            (r#"{"n":1}"#, Some(1)),
            ("[null]", Some(0)),
            ("[]", Some(0)),
            ("{}", Some(0)),
            (r#"[{"n":1},7]"#, None),
            ("[[{}]]", None),
            (r#""{""#, None),
        ] {
            let mut notes = Warnings::default();
            let json = format!("{{\"a\":{json}}}");
            let mut members = members(&json);
            assert_eq!(members.objects(&["a"], &mut notes).len(), found.unwrap_or(0), "{json}");
            let is_odd = found.is_none();
            assert_eq!((!notes.into_vec().is_empty(), !members.is_empty()), (is_odd, is_odd), "{json}");
        }
    }

    #[test]
    fn half_a_code_point_costs_no_more_than_its_member() {
        let mut notes = Warnings::default();
        let mut members = members(r#"{"a":"\ud83d","b":"x"}"#);
        assert_eq!(members.text(&["a"], &mut notes), None);
        assert_eq!(members.text(&["b"], &mut notes).as_deref(), Some("x"));
        let extra = serde_json::to_string(&members.rest(&mut notes)).expect("JSON");
        assert_eq!((extra.as_str(), notes.into_vec().len()), (r#"{"a":"\ud83d"}"#, 1));
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
    }
}
