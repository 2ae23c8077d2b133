//! Typed access to members, lenient and without losing anything.
//!
//! Real bodies contain nulls or omit members, write numbers as strings and single items without a list, and get new
//! members at any time. A member of an unexpected type is kept unchanged and reported in a warning. It never fails the
//! answer.

use std::borrow::Cow;

use super::Members;
use crate::domain::shared_str::SharedStr;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::value::Value;

impl<'de> Members<'de> {
    /// Takes out a text that is only compared with known words, so that it may stay borrowed.
    pub(crate) fn word(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<Cow<'de, str>> {
        let value = self.take(name)?;
        let word = value.text();
        if word.is_none() {
            warnings.unexpected_type(name, "a text");
            self.put_back(name, value);
        }
        word.filter(|word| !word.is_empty())
    }

    /// Takes out a text: a string, or the raw JSON of a number or boolean. An empty text counts as absent.
    pub(crate) fn text(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<SharedStr> {
        for name in names {
            let Some(value) = self.take(name) else { continue };
            let text = self.text_of(value);
            if text.is_none() {
                warnings.unexpected_type(name, "a text");
                self.put_back(name, value);
                return None;
            }
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                return Some(text);
            }
        }
        None
    }

    /// Takes out a word of an open vocabulary as `snake_case`. The original also stays if the conversion loses
    /// characters.
    pub(crate) fn snake_word(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<SharedStr> {
        let value = self.take(name)?;
        let word = value.string();
        if word.is_none() {
            warnings.unexpected_type(name, "a text");
        }
        if !word.as_deref().is_some_and(is_plain) {
            self.put_back(name, value);
        }
        word.map(|word| snake_case(&word)).filter(|word| !word.is_empty())
    }

    /// Takes out the first of a list of words as `snake_case`. The original list also stays if it contains more than
    /// that.
    pub(crate) fn first_word(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<SharedStr> {
        let value = self.peek(name)?;
        let words = self.texts(&[name], warnings);
        let first = words.first()?;
        if words.len() > 1 || !is_plain(first) {
            self.put_back(name, value);
        }
        Some(snake_case(first)).filter(|word| !word.is_empty())
    }

    /// Takes out a timestamp. .NET's minimum time (year 1) counts as absent. A text that is not a time is kept.
    pub(crate) fn timestamp(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<Timestamp> {
        let (name, value) = self.take_any(names)?;
        let text = value.string();
        let timestamp = text.as_deref().and_then(Timestamp::parse);
        if timestamp.is_none() && !text.is_some_and(|text| text.is_empty() || text.starts_with("0001-01-01T")) {
            warnings.unexpected_type(name, "a time");
            self.put_back(name, value);
        }
        timestamp
    }

    /// Takes out a whole number, written as a number or as digits in a string.
    pub(crate) fn integer(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<i64> {
        let (name, value) = self.take_any(names)?;
        let integer = value.number();
        if integer.is_none() {
            warnings.unexpected_type(name, "a whole number");
            self.put_back(name, value);
        }
        integer
    }

    /// Takes out a truth value: a boolean, its text, or 0 or 1.
    pub(crate) fn boolean(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<bool> {
        match &*self.word(name, warnings)?.to_ascii_lowercase() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// Takes out a list of texts. A single text is a list of one. Empty texts are omitted.
    pub(crate) fn texts(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Vec<SharedStr> {
        let Some((name, value)) = self.take_any(names) else { return Vec::new() };
        let texts: Option<Vec<SharedStr>> = match value.list(self.body) {
            Some(list) => list.into_iter().map(|item| self.text_of(item)).collect(),
            None => self.text_of(value).map(|one| vec![one]),
        };
        let mut texts = texts.unwrap_or_else(|| {
            warnings.unexpected_type(name, "a list of texts");
            self.put_back(name, value);
            Vec::new()
        });
        texts.retain(|text| !text.is_empty());
        texts
    }

    /// Takes out a list of objects. A single object is a list of one, and an empty object is an empty list.
    pub(crate) fn objects(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Vec<Members<'de>> {
        let Some((name, value)) = self.take_any(names) else { return Vec::new() };
        let one = || Some(self.nested(value)?).map(|one| if one.is_empty() { vec![] } else { vec![one] });
        self.nested_list(value).or_else(one).unwrap_or_else(|| {
            warnings.unexpected_type(name, "a list of objects");
            self.put_back(name, value);
            Vec::new()
        })
    }

    /// Reads a list of objects that also stays in place, and so is kept in `extra`.
    pub(crate) fn kept_objects(&mut self, name: &'static str, warnings: &mut Warnings) -> Vec<Members<'de>> {
        let value = self.peek(name);
        let objects = self.objects(&[name], warnings);
        if let Some(value) = value.filter(|_| !objects.is_empty()) {
            self.put_back(name, value);
        }
        objects
    }

    /// Takes out a list of objects and reads each. The whole list also stays if `read` leaves members in any of them.
    pub(crate) fn whole_objects<T>(
        &mut self,
        name: &'static str,
        warnings: &mut Warnings,
        read: impl Fn(&mut Members<'de>, &mut Warnings) -> T,
    ) -> Vec<T> {
        let value = self.peek(name);
        let mut objects = self.objects(&[name], warnings);
        let items = objects.iter_mut().map(|object| read(object, warnings)).collect();
        if let Some(value) = value.filter(|_| !objects.iter().all(Members::is_empty)) {
            self.put_back(name, value);
        }
        items
    }

    /// All members that are objects or lists of objects, with their names. Nothing is taken out.
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

    /// Takes out one object. A value of another type is kept, with a warning.
    pub(crate) fn object(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<Members<'de>> {
        let value = self.take(name)?;
        let object = self.nested(value);
        if object.is_none() {
            warnings.unexpected_type(name, "an object");
            self.put_back(name, value);
        }
        object
    }

    /// Whether a member is an object.
    pub(crate) fn has_object(&self, name: &str) -> bool {
        self.peek(name).is_some_and(|value| value.json().starts_with('{'))
    }

    /// Reads a text by a name in any case, as header names are written.
    pub(crate) fn text_in_any_case(&mut self, name: &str) -> Option<SharedStr> {
        let (_, value) = self.left().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        self.text_of(value)
    }

    /// Takes out a member if it is an empty list.
    pub(crate) fn take_if_empty(&mut self, name: &str) {
        if self.peek(name).is_some_and(|value| value.json() == "[]") {
            self.take(name);
        }
    }

    /// Reads a text that is not empty, without taking it out.
    pub(crate) fn peek_text(&self, name: &str) -> Option<SharedStr> {
        self.peek(name).and_then(|value| self.text_of(value)).filter(|text| !text.is_empty())
    }

    /// A text that outlives these members. `None` for lists and objects.
    fn text_of(&self, value: Value<'de>) -> Option<SharedStr> {
        value.text().map(|text| self.kept(text))
    }

    /// The members of an object, or `None` if the value is not an object.
    fn nested(&self, value: Value<'de>) -> Option<Self> {
        Self::of(&mut Json::of_value(value, self.body)).ok()
    }

    /// The members of the objects in a list, without its nulls. `None` if the value is not such a list.
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

/// Whether `snake_case` keeps all characters of a word.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::members;
    use super::*;

    #[test]
    fn a_list_of_objects_may_also_contain_nulls() {
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
            let mut warnings = Warnings::default();
            let json = format!("{{\"a\":{json}}}");
            let mut members = members(&json);
            assert_eq!(members.objects(&["a"], &mut warnings).len(), found.unwrap_or(0), "{json}");
            let is_unexpected = found.is_none();
            let outcome = (!warnings.into_vec().is_empty(), !members.is_empty());
            assert_eq!(outcome, (is_unexpected, is_unexpected), "{json}");
        }
    }

    #[test]
    fn a_lone_surrogate_affects_only_its_member() {
        let mut warnings = Warnings::default();
        let mut members = members(r#"{"a":"\ud83d","b":"x"}"#);
        assert_eq!(members.text(&["a"], &mut warnings), None);
        assert_eq!(members.text(&["b"], &mut warnings).as_deref(), Some("x"));
        let extra = serde_json::to_string(&members.rest(&mut warnings)).expect("JSON");
        assert_eq!((extra.as_str(), warnings.into_vec().len()), (r#"{"a":"\ud83d"}"#, 1));
    }

    #[test]
    fn numbers_and_strings_are_interchangeable() {
        let mut warnings = Warnings::default();
        let mut members = members(r#"{"a":77,"b":"88","c":true}"#);
        assert_eq!(members.text(&["a"], &mut warnings).as_deref(), Some("77"));
        assert_eq!(members.integer(&["b"], &mut warnings), Some(88));
        assert_eq!(members.text(&["c"], &mut warnings).as_deref(), Some("true"));
    }

    #[test]
    fn a_member_of_an_unexpected_type_is_kept_with_a_warning() {
        let mut warnings = Warnings::default();
        let mut members = members(r#"{"a":{"x":1},"b":"yesterday","c":"x","d":[[1]],"e":"0001-01-01T00:00:00Z"}"#);
        assert_eq!(members.text(&["a"], &mut warnings), None);
        assert_eq!(members.timestamp(&["b"], &mut warnings), None);
        assert_eq!(members.integer(&["c"], &mut warnings), None);
        assert!(members.texts(&["d"], &mut warnings).is_empty());
        assert_eq!(members.timestamp(&["e"], &mut warnings), None);
        let extra = members.rest(&mut warnings);
        assert_eq!(extra.iter().count(), 4);
        assert_eq!(warnings.into_vec().len(), 4);
    }
}
