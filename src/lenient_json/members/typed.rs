//! Typed access to members, lenient and without losing anything.
//!
//! Real bodies contain nulls or omit members, write numbers as strings and single items without a list, and get new
//! members at any time. A member of an unexpected type is kept unchanged and reported in a warning. It never fails the
//! answer.

use super::Members;
use crate::domain::shared_str::SharedStr;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::snake_case;
use crate::domain::warning::Warnings;
use crate::lenient_json::value::Value;

impl<'de> Members<'de> {
    /// Takes out the first of these members that is not absent. If `read` does not accept it, it is kept, with the warning
    /// that it is not what was `expected`.
    fn read<T>(
        &mut self,
        names: &[&'static str],
        expected: &str,
        warnings: &mut Warnings,
        read: impl FnOnce(Value<'de>) -> Option<T>,
    ) -> Option<T> {
        let (name, value) = names.iter().find_map(|name| Some((name, self.peek(name)?)))?;
        let result = read(value);
        if result.is_some() {
            self.take(name);
        } else {
            warnings.unexpected_type(name, expected);
        }
        result
    }

    /// Takes out a text: a string, or the raw JSON of a number or boolean. An empty text counts as absent.
    pub(crate) fn text(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<SharedStr> {
        let mut texts = names.iter().filter_map(|name| self.read(&[name], "a text", warnings, Value::text));
        texts.find(|text| !text.is_empty())
    }

    /// Takes out a word of an open vocabulary as `snake_case`. The original also stays if the conversion loses
    /// characters.
    pub(crate) fn snake_word(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<SharedStr> {
        let Some(word) = self.peek(name)?.string() else {
            warnings.unexpected_type(name, "a text");
            return None;
        };
        if is_plain(&word) {
            self.take(name);
        }
        Some(snake_case(&word)).filter(|word| !word.is_empty())
    }

    /// Takes out the first of a list of words as `snake_case`. The original list also stays if it contains more than
    /// that.
    pub(crate) fn first_word(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<SharedStr> {
        let Some(words) = self.peek(name)?.texts() else {
            warnings.unexpected_type(name, "a list of texts");
            return None;
        };
        if words.len() <= 1 && words.iter().all(|word| is_plain(word)) {
            self.take(name);
        }
        words.first().map(|word| snake_case(word)).filter(|word| !word.is_empty())
    }

    /// Takes out a timestamp. .NET's minimum time (year 1) counts as absent. A text that is not a time is kept.
    pub(crate) fn timestamp(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<Timestamp> {
        self.read(names, "a time", warnings, |value| {
            let text = value.string()?;
            let is_absent = text.is_empty() || text.starts_with("0001-01-01T");
            if is_absent { Some(None) } else { Timestamp::parse(&text).map(Some) }
        })?
    }

    /// Takes out a whole number, written as a number or as digits in a string.
    pub(crate) fn integer(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Option<i64> {
        self.read(names, "a whole number", warnings, |value| value.text()?.parse().ok())
    }

    /// Takes out a list of texts. A single text is a list of one. Empty texts are omitted.
    pub(crate) fn texts(&mut self, names: &[&'static str], warnings: &mut Warnings) -> Vec<SharedStr> {
        self.read(names, "a list of texts", warnings, Value::texts).unwrap_or_default()
    }

    /// Reads a list of objects without taking it out, so that it is also kept in `extra`. A single object is a list of
    /// one, and an empty object is an empty list.
    pub(crate) fn kept_objects(&self, name: &'static str, warnings: &mut Warnings) -> Option<Vec<Self>> {
        let objects = self.peek(name)?.objects();
        if objects.is_none() {
            warnings.unexpected_type(name, "a list of objects");
        }
        objects
    }

    /// Takes out a list of objects and reads each. The whole list also stays if `read` leaves members in any of them.
    pub(crate) fn whole_objects<T>(
        &mut self,
        name: &'static str,
        warnings: &mut Warnings,
        read: impl Fn(&mut Self, &mut Warnings) -> T,
    ) -> Vec<T> {
        let Some(mut objects) = self.kept_objects(name, warnings) else { return Vec::new() };
        let items = objects.iter_mut().map(|object| read(object, warnings)).collect();
        if objects.iter().all(Members::is_empty) {
            self.take(name);
        }
        items
    }

    /// All members that are objects or lists of objects, with their names. Nothing is taken out.
    pub(crate) fn nested_objects(&self) -> impl Iterator<Item = (&str, Vec<Self>)> {
        self.left().filter_map(|(name, value)| Some((&**name, value.objects()?)))
    }

    /// Takes out one object. A value of another type is kept, with a warning.
    pub(crate) fn object(&mut self, name: &'static str, warnings: &mut Warnings) -> Option<Self> {
        self.read(&[name], "an object", warnings, |value| value.members().ok())
    }

    /// Reads an object without taking it out.
    pub(crate) fn peek_object(&self, name: &str) -> Option<Self> {
        self.peek(name)?.members().ok()
    }

    /// Reads a text by a name in any case, as header names are written.
    pub(crate) fn text_in_any_case(&self, name: &str) -> Option<SharedStr> {
        let (_, value) = self.left().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.text()
    }

    /// Takes out a member if it is an empty list.
    pub(crate) fn take_if_empty(&mut self, name: &str) {
        if self.peek(name).is_some_and(|value| value.json() == "[]") {
            self.take(name);
        }
    }

    /// Reads a text that is not empty, without taking it out.
    pub(crate) fn peek_text(&self, name: &str) -> Option<SharedStr> {
        self.peek(name)?.text().filter(|text| !text.is_empty())
    }

    /// Reads a list of texts without taking it out.
    pub(crate) fn peek_texts(&self, name: &str) -> Vec<SharedStr> {
        self.peek(name).and_then(Value::texts).unwrap_or_default()
    }
}

/// Whether `snake_case` keeps all characters of a word.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(body: &SharedStr) -> Members<'_> {
        Members::of_body(body).expect("an object")
    }

    #[test]
    fn a_list_of_objects_may_also_contain_nulls() {
        for (json, count) in [
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
            let body = SharedStr::from(format!("{{\"a\":{json}}}"));
            let members = members(&body);
            assert_eq!(members.kept_objects("a", &mut warnings).map(|objects| objects.len()), count, "{json}");
            assert_eq!(warnings.into_vec().is_empty(), count.is_some(), "{json}");
        }
    }

    #[test]
    fn strings_are_read_with_every_escape() {
        let escapes = [r"\\", r#"\""#, r"\/", r"\n", r"\r", r"\t", r"\b", r"\f", r"\u00e9", r"\ud83d\udd12", "ü"];
        for (one, other) in escapes.iter().flat_map(|one| escapes.map(|other| (one, other))) {
            let body = SharedStr::from(format!("{{\"a\":\"C:{one}temp {other}\"}}"));
            let text = members(&body).text(&["a"], &mut Warnings::default()).expect("a text");
            assert_eq!(
                serde_json::json!({ "a": text }),
                serde_json::from_str::<serde_json::Value>(&body).expect("JSON")
            );
        }
    }

    #[test]
    fn a_text_without_escapes_shares_the_memory_of_its_body() {
        let body = SharedStr::from(r#"{"plain":"Grüße","number":77}"#);
        for (name, text) in [("plain", "Grüße"), ("number", "77")] {
            let shared = members(&body).text(&[name], &mut Warnings::default()).expect("a text");
            assert_eq!((shared.as_str(), shared.as_ptr()), (text, body[body.find(text).expect("a part")..].as_ptr()));
        }
    }

    #[test]
    fn a_lone_surrogate_affects_only_its_member() {
        let mut warnings = Warnings::default();
        let body = SharedStr::of_static(r#"{"a":"\ud83d","b":"x"}"#);
        let mut members = members(&body);
        assert_eq!(members.text(&["a"], &mut warnings), None);
        assert_eq!(members.text(&["b"], &mut warnings).as_deref(), Some("x"));
        let extra = serde_json::to_string(&members.rest(&mut warnings)).expect("JSON");
        assert_eq!((extra.as_str(), warnings.into_vec().len()), (r#"{"a":"\ud83d"}"#, 1));
    }

    #[test]
    fn numbers_and_strings_are_interchangeable() {
        let mut warnings = Warnings::default();
        let body = SharedStr::of_static(r#"{"a":77,"b":"88","c":true}"#);
        let mut members = members(&body);
        assert_eq!(members.text(&["a"], &mut warnings).as_deref(), Some("77"));
        assert_eq!(members.integer(&["b"], &mut warnings), Some(88));
        assert_eq!(members.text(&["c"], &mut warnings).as_deref(), Some("true"));
    }

    #[test]
    fn a_member_of_an_unexpected_type_is_kept_with_a_warning() {
        let mut warnings = Warnings::default();
        let body =
            SharedStr::of_static(r#"{"a":{"x":1},"b":"yesterday","c":"x","d":[[1]],"e":"0001-01-01T00:00:00Z"}"#);
        let mut members = members(&body);
        assert_eq!(members.text(&["a"], &mut warnings), None);
        assert_eq!(members.timestamp(&["b"], &mut warnings), None);
        assert_eq!(members.integer(&["c"], &mut warnings), None);
        assert!(members.texts(&["d"], &mut warnings).is_empty());
        assert_eq!(members.timestamp(&["e"], &mut warnings), None);
        let extra = serde_json::to_string(&members.rest(&mut warnings)).expect("JSON");
        assert_eq!(extra, r#"{"a":{"x":1},"b":"yesterday","c":"x","d":[[1]]}"#);
        assert_eq!(warnings.into_vec().len(), 4);
    }
}
