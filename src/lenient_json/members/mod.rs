//! The members of an object from outside. Readers take members out by name; the remaining ones are kept unchanged.

mod typed;

use std::borrow::Cow;
use std::mem;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde_json::value::{RawValue, to_raw_value};

use super::json::{Budget, Failure, Malformed, Object, read};
use super::value::Value;
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;

/// The members of one JSON object as raw JSON, sorted by name. If two members have the same name, the later one counts.
#[derive(Clone, Default)]
pub(crate) struct Members<'de> {
    list: Vec<Member<'de>>,
    nulls: Vec<Cow<'de, str>>,
}

/// The number of members of most objects.
const TYPICAL_MEMBERS: usize = 16;

#[derive(Clone)]
struct Member<'de> {
    name: Cow<'de, str>,
    /// `None` once it was taken out.
    value: Option<Value<'de>>,
}

impl Member<'_> {
    /// Whether it is an `OData` annotation: `@odata.etag` of the object, `alerts@odata.nextLink` of a member.
    fn is_annotation(&self) -> bool {
        self.name.contains("@odata.")
    }
}

impl<'de> Members<'de> {
    /// Reads a body that has to be one object.
    pub(crate) fn of_body(body: &'de SharedStr) -> Result<Self, Malformed> {
        Self::of(body, body)
    }

    /// Reads a part of a body that has to be one object.
    pub(super) fn of(object: &'de str, body: &'de SharedStr) -> Result<Self, Malformed> {
        let failure = &Failure::default();
        read(object, failure, |json| MembersSeed { text: object, body, failure }.deserialize(json))
    }

    /// The approximate size in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.list) + size_of_val(&*self.nulls)
    }

    fn sorted(mut list: Vec<Member<'de>>, nulls: Vec<Cow<'de, str>>) -> Self {
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list.dedup_by(|later, earlier| {
            let is_same = later.name == earlier.name;
            if is_same {
                mem::swap(later, earlier);
            }
            is_same
        });
        Self { list, nulls }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.list.binary_search_by(|member| (*member.name).cmp(name)).ok()
    }

    /// Reads a member without taking it out.
    pub(super) fn peek(&self, name: &str) -> Option<Value<'de>> {
        self.list.get(self.position(name)?)?.value
    }

    /// Takes out a member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'de>> {
        let position = self.position(name)?;
        self.list.get_mut(position)?.value.take()
    }

    /// Whether the object has a member of this name, be it null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some() || self.nulls.iter().any(|null| null == name)
    }

    /// Whether no member is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.iter().all(|member| member.value.is_none() || member.is_annotation())
    }

    /// The members that have not been taken out, without annotations, in the order of the body.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&Cow<'de, str>, Value<'de>)> {
        let members = self.list.iter().filter(|member| !member.is_annotation());
        let mut left: Vec<_> = members.filter_map(|member| Some((&member.name, member.value?))).collect();
        left.sort_unstable_by_key(|(_, value)| value.json().as_ptr());
        left.into_iter()
    }

    /// The members that are left, as one object without empty lists and objects. `None` if nothing remains.
    pub(crate) fn rest_as_object(self) -> Option<Box<RawValue>> {
        let mut rest = Extra::default();
        for (name, value) in self.left().filter(|(_, value)| !matches!(value.json(), "[]" | "{}")) {
            if let Some(kept) = value.kept() {
                rest.keep(value.shared(name.clone()), kept);
            }
        }
        if rest.is_empty() { None } else { to_raw_value(&rest).ok() }
    }

    /// The members that are left, for `extra`.
    pub(crate) fn rest(&self, warnings: &mut Warnings) -> Extra {
        let mut extra = Extra::default();
        for (name, value) in self.left() {
            match value.kept() {
                Some(kept) => extra.keep(value.shared(name.clone()), kept),
                None => warnings.left_out(name),
            }
        }
        extra
    }
}

impl<'de> FromIterator<(Cow<'de, str>, Value<'de>)> for Members<'de> {
    fn from_iter<I: IntoIterator<Item = (Cow<'de, str>, Value<'de>)>>(members: I) -> Self {
        let list: Vec<_> = members.into_iter().map(|(name, value)| Member { name, value: Some(value) }).collect();
        Self::sorted(list, Vec::new())
    }
}

/// Reads the members of an object in a text of a body.
#[derive(Clone, Copy)]
pub(super) struct MembersSeed<'f, 'de> {
    pub(super) text: &'de str,
    pub(super) body: &'de SharedStr,
    pub(super) failure: &'f Failure,
}

impl<'de> DeserializeSeed<'de> for MembersSeed<'_, 'de> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Members<'de>, D::Error> {
        let Self { text, body, failure } = self;
        let mut budget = Budget::of(text);
        let (mut list, mut nulls) = (Vec::with_capacity(TYPICAL_MEMBERS), Vec::with_capacity(TYPICAL_MEMBERS));
        let member = |name, value: Option<_>| {
            budget.spend(size_of::<Member<'_>>())?;
            match value {
                Some(value) => list.push(Member { name, value: Some(Value::new(value, body)) }),
                None => nulls.push(name),
            }
            Ok(())
        };
        json.deserialize_map(Object { member, failure })?;
        Ok(Members::sorted(list, nulls))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_that_are_not_taken_out_are_kept_unchanged() {
        let mut warnings = Warnings::default();
        let body = SharedStr::of_static(
            r#"{"a":1.10,"b":null,"c":{"x":[123456789012345678901234567890]},"@odata.etag":"e","c@odata.nextLink":"f","d":"yes"}"#,
        );
        let mut members = Members::of_body(&body).expect("an object");
        assert_eq!(members.text(&["d"], &mut warnings).as_deref(), Some("yes"));
        let extra = serde_json::to_string(&members.rest(&mut warnings)).expect("JSON");
        assert_eq!(extra, r#"{"a":1.10,"c":{"x":[123456789012345678901234567890]}}"#);
        assert!(warnings.into_vec().is_empty());
    }

    #[test]
    fn of_members_with_one_name_the_last_one_that_is_not_null_counts() {
        let mut warnings = Warnings::default();
        let body = SharedStr::of_static(r#"{"a":1,"b":1,"a":2,"b":2,"\u0061":3,"a":null,"b":null}"#);
        let mut members = Members::of_body(&body).expect("an object");
        assert_eq!(members.peek_text("b").as_deref(), Some("2"));
        assert_eq!(members.text(&["a"], &mut warnings).as_deref(), Some("3"));
        assert_eq!(serde_json::to_string(&members.rest(&mut warnings)).expect("JSON"), r#"{"b":2}"#);
    }

    #[test]
    fn a_value_nested_too_deeply_is_left_out_with_a_warning() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            for (depth, is_kept) in [(64, true), (65, false), (5_000, false)] {
                let body = SharedStr::from(format!(
                    r#"{{"deep":{}"[[[[{{{{"{},"b":[[],[]]}}"#,
                    open.repeat(depth),
                    close.repeat(depth)
                ));
                let members = Members::of_body(&body).expect("an object");
                let mut warnings = Warnings::default();
                let extra = members.rest(&mut warnings);
                assert_eq!(extra.iter().count(), 1 + usize::from(is_kept), "{depth} {open}");
                let warnings = warnings.into_vec();
                assert_eq!(warnings.iter().any(|warning| warning.detail.contains("is left out")), !is_kept);
            }
        }
    }

    #[test]
    fn parsed_values_are_limited_by_the_length_of_their_text() {
        let members = format!("{{{}}}", vec![r#""":1"#; 100_000].join(","));
        assert_eq!(Members::of_body(&members.into()).map(|_| ()), Err(Malformed::TooMuch));
        let body = SharedStr::from(format!(r#"{{"a":[{}]}}"#, vec!["{}"; 100_000].join(",")));
        let mut warnings = Warnings::default();
        let mut members = Members::of_body(&body).expect("an object");
        assert!(members.kept_objects("a", &mut warnings).is_none());
        let read = members.objects_and_others("a", |()| 1000, &mut warnings, |_, _| Ok(()));
        assert!(matches!(read, Err(Malformed::TooMuch)));
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f32>().prop_map(|number| f64::from(number).into()),
            "[a-c\"\\\\/ {}\\[\\]:,\u{1f}\n\r\t\u{8}\u{c}é🔒]{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Into::into),
                btree_map("[a-c\"\\\\:é]{0,4}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    /// Reads a value with the readers of this module and returns it without the members of objects that are null.
    fn read(value: Value<'_>) -> serde_json::Value {
        if let Ok(members) = value.members() {
            return members.left().map(|(name, value)| (name.clone().into_owned(), read(value))).collect();
        }
        let mut items = Vec::new();
        let list = value.each_item(|item| {
            items.push(read(item));
            Ok(())
        });
        match (list, value.string()) {
            (Ok(()), _) => items.into(),
            (_, Some(text)) => text.into(),
            _ => serde_json::from_str(value.json()).expect("a scalar"),
        }
    }

    fn without_nulls(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(members) => {
                let members = members.iter().filter(|(_, value)| !value.is_null());
                members.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
            }
            serde_json::Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(without_nulls).collect(),
            scalar => scalar.clone(),
        }
    }

    proptest! {
        #[test]
        fn a_serialized_value_is_read_back_and_a_part_of_it_is_rejected(value in value(), more in "[\\]},:\"a]") {
            let value = serde_json::json!({ "a": value });
            for text in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
                let body = SharedStr::from(text.expect("JSON"));
                let members = Members::of_body(&body).expect("an object");
                let values: serde_json::Value = members.left().map(|(name, value)| (name.clone().into_owned(), read(value))).collect();
                prop_assert_eq!(without_nulls(&value), values, "{}", &body);
                for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)) {
                    prop_assert!(Members::of_body(&SharedStr::from(&body[..end])).is_err(), "{}", &body[..end]);
                }
                let longer = SharedStr::from([&body, more.as_str()].concat());
                prop_assert!(Members::of_body(&longer).is_err(), "{}", &longer);
            }
        }
    }
}
