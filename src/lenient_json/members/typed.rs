//! What members mean: leniently, and without losing anything.
//!
//! Real bodies hold nulls or leave members out, write numbers as strings and single items without their list, and get
//! new members at any time. A member of an unexpected type is kept as it came and told; it never fails the answer.

use std::borrow::Cow;

use super::Members;
use crate::domain::shared_str::SharedStr;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::value::Value;

impl<'de> Members<'de> {
    /// A text that only says which of several words it is.
    pub(crate) fn word(&mut self, name: &'static str, notes: &mut Warnings) -> Option<Cow<'de, str>> {
        let value = self.take(name)?;
        let word = value.text();
        if word.is_none() {
            notes.unexpected_type(name, "a text");
            self.put_back(name, value);
        }
        word.filter(|word| !word.is_empty())
    }

    /// A text: a string, or a number or truth value as it is written. An empty one is absent.
    pub(crate) fn text(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<SharedStr> {
        for name in names {
            let Some(value) = self.take(name) else { continue };
            let text = self.text_of(value);
            if text.is_none() {
                notes.unexpected_type(name, "a text");
                self.put_back(name, value);
                return None;
            }
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                return Some(text);
            }
        }
        None
    }

    /// A word of an open set as `snake_case`; it also stays as it came if that does not hold all of it.
    pub(crate) fn snake_word(&mut self, name: &'static str, notes: &mut Warnings) -> Option<SharedStr> {
        let value = self.take(name)?;
        let word = value.string();
        if word.is_none() {
            notes.unexpected_type(name, "a text");
        }
        if !word.as_deref().is_some_and(is_plain) {
            self.put_back(name, value);
        }
        word.map(|word| snake_case(&word)).filter(|word| !word.is_empty())
    }

    /// The first of a list of words as `snake_case`; the list also stays as it came unless that holds all of it.
    pub(crate) fn first_word(&mut self, name: &'static str, notes: &mut Warnings) -> Option<SharedStr> {
        let value = self.peek(name)?;
        let words = self.texts(&[name], notes);
        let first = words.first()?;
        if words.len() > 1 || !is_plain(first) {
            self.put_back(name, value);
        }
        Some(snake_case(first)).filter(|word| !word.is_empty())
    }

    /// A moment. .NET's "no time" is none; a text that is no time is kept.
    pub(crate) fn moment(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<Timestamp> {
        let (name, value) = self.take_any(names)?;
        let text = value.string();
        let moment = text.as_deref().and_then(Timestamp::parse);
        if moment.is_none() && !text.is_some_and(|text| text.is_empty() || text.starts_with("0001-01-01T")) {
            notes.unexpected_type(name, "a time");
            self.put_back(name, value);
        }
        moment
    }

    /// A whole number, written as a number or as digits in a string.
    pub(crate) fn integer(&mut self, names: &[&'static str], notes: &mut Warnings) -> Option<i64> {
        let (name, value) = self.take_any(names)?;
        let integer = value.number();
        if integer.is_none() {
            notes.unexpected_type(name, "a whole number");
            self.put_back(name, value);
        }
        integer
    }

    /// A list of texts; a single text is a list of one. Empty ones are left out.
    pub(crate) fn texts(&mut self, names: &[&'static str], notes: &mut Warnings) -> Vec<SharedStr> {
        let Some((name, value)) = self.take_any(names) else { return Vec::new() };
        let texts: Option<Vec<SharedStr>> = match value.list(self.body) {
            Some(list) => list.into_iter().map(|item| self.text_of(item)).collect(),
            None => self.text_of(value).map(|one| vec![one]),
        };
        let mut texts = texts.unwrap_or_else(|| {
            notes.unexpected_type(name, "a list of texts");
            self.put_back(name, value);
            Vec::new()
        });
        texts.retain(|text| !text.is_empty());
        texts
    }

    /// A list of objects; a single object is a list of one, an empty one a list of none.
    pub(crate) fn objects(&mut self, names: &[&'static str], notes: &mut Warnings) -> Vec<Members<'de>> {
        let Some((name, value)) = self.take_any(names) else { return Vec::new() };
        let one = || Some(self.nested(value)?).map(|one| if one.is_empty() { vec![] } else { vec![one] });
        self.nested_list(value).or_else(one).unwrap_or_else(|| {
            notes.unexpected_type(name, "a list of objects");
            self.put_back(name, value);
            Vec::new()
        })
    }

    /// A list of objects that also stays whole among what has no home.
    pub(crate) fn kept_objects(&mut self, name: &'static str, notes: &mut Warnings) -> Vec<Members<'de>> {
        let value = self.peek(name);
        let objects = self.objects(&[name], notes);
        if let Some(value) = value.filter(|_| !objects.is_empty()) {
            self.put_back(name, value);
        }
        objects
    }

    /// A list of objects, each of which is read; it also stays whole if anything is left of any of them.
    pub(crate) fn whole_objects<T>(
        &mut self,
        name: &'static str,
        notes: &mut Warnings,
        read: impl Fn(&mut Members<'de>, &mut Warnings) -> T,
    ) -> Vec<T> {
        let value = self.peek(name);
        let mut objects = self.objects(&[name], notes);
        let items = objects.iter_mut().map(|object| read(object, notes)).collect();
        if let Some(value) = value.filter(|_| !objects.iter().all(Members::is_empty)) {
            self.put_back(name, value);
        }
        items
    }

    /// The objects that are a member's value or stand in its list, by the member's name. Nothing is taken out.
    pub(crate) fn nested_objects(&self) -> impl Iterator<Item = (&str, Vec<Self>)> {
        self.left().filter_map(|(name, value)| {
            let objects = match value.json().as_bytes().first() {
                Some(b'{') => vec![self.nested(value)?],
                Some(b'[') => self.nested_list(value)?,
                _ => return None,
            };
            Some((&**name, objects))
        })
    }

    /// One object; anything else is kept and told.
    pub(crate) fn object(&mut self, name: &'static str, notes: &mut Warnings) -> Option<Members<'de>> {
        let value = self.take(name)?;
        let object = self.nested(value);
        if object.is_none() {
            notes.unexpected_type(name, "an object");
            self.put_back(name, value);
        }
        object
    }

    /// Whether a member is an object.
    pub(crate) fn has_object(&self, name: &str) -> bool {
        self.peek(name).is_some_and(|value| value.json().starts_with('{'))
    }

    /// A text whose name is written in any case, as those of headers are.
    pub(crate) fn text_in_any_case(&mut self, name: &str) -> Option<SharedStr> {
        let (_, value) = self.left().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        self.text_of(value)
    }

    /// Takes a member out if it is a list of nothing.
    pub(crate) fn take_if_empty(&mut self, name: &str) {
        if self.peek(name).is_some_and(|value| value.json() == "[]") {
            self.take(name);
        }
    }

    /// A text that is not empty, without taking it out.
    pub(crate) fn peek_text(&self, name: &str) -> Option<SharedStr> {
        self.peek(name).and_then(|value| self.text_of(value)).filter(|text| !text.is_empty())
    }

    /// A text that outlives these members; `None` for lists and objects.
    fn text_of(&self, value: Value<'de>) -> Option<SharedStr> {
        value.text().map(|text| self.kept(text))
    }

    /// The members of an object; `None` if it is none.
    fn nested(&self, value: Value<'de>) -> Option<Self> {
        Self::of(&mut Json::of_value(value, self.body)).ok()
    }

    /// The members of the objects of a list, without the nulls in it; `None` if it is none.
    fn nested_list(&self, value: Value<'de>) -> Option<Vec<Self>> {
        let mut objects = Vec::new();
        let list = Json::of_value(value, self.body).list(|json| {
            if json.peek() == Some(b'{') {
                json.spend(size_of::<Self>())?;
                objects.push(Self::of(json)?);
            } else if !json.value()?.is_null() {
                return Err(Malformed::OtherShape);
            }
            Ok(())
        });
        list.is_ok().then_some(objects)
    }
}

/// Whether a word is made of nothing that `snake_case` does not hold.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::members;
    use super::*;

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
}
