//! The members of an object from outside. Readers take members out by name; the remaining ones are kept unchanged.

mod typed;

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;

use serde_json::value::RawValue;

use super::json::{Json, Malformed};
use super::value::{Form, Value};
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;

/// The members of one JSON object as raw JSON, with a small hash table of their names.
pub(crate) struct Members<'de> {
    list: Vec<Member<'de>>,
    /// For each bucket, the position of its last member, counted from 1. 0 is empty.
    last: [u32; BUCKETS],
    /// The body that contains them. Texts that are taken out share its memory.
    body: &'de SharedStr,
}

/// The body of members that do not come from a body.
static NO_BODY: SharedStr = SharedStr::of_static("");

impl Default for Members<'_> {
    fn default() -> Self {
        Self::within(&NO_BODY)
    }
}

/// One member. It is as small as possible because there are many.
struct Member<'de> {
    name: Cow<'de, str>,
    json: &'de str,
    state: State,
    /// The position of the previous member in the same bucket, counted from 1. 0 is none.
    before: u32,
}

#[derive(Clone, Copy)]
enum State {
    /// It counts as missing: it is null, an annotation, or read by another reader.
    Absent,
    Here(Form),
    TakenOut,
}

impl<'de> Member<'de> {
    fn set(&mut self, value: Value<'de>) {
        let is_here = !value.is_null() && !is_annotation(&self.name);
        self.json = value.json;
        self.state = if is_here { State::Here(value.form) } else { State::Absent };
    }

    fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent)
    }

    fn value(&self) -> Option<Value<'de>> {
        let State::Here(form) = self.state else { return None };
        Some(Value { json: self.json, form })
    }
}

/// Whether a name is an `OData` annotation: `@odata.etag` of the object, `alerts@odata.nextLink` of a member.
fn is_annotation(name: &str) -> bool {
    name.find('@').and_then(|at| name.get(at..)).is_some_and(|rest| rest.starts_with("@odata."))
}

/// The hash bucket of a name, from its length and three of its bytes. Few names of one object share a bucket.
fn bucket(name: &str) -> usize {
    const GOLDEN: u32 = 0x9E37_79B9;
    let bytes = name.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let [length, ..] = bytes.len().to_le_bytes();
    let sample = [at(0), at(bytes.len() / 2), at(bytes.len().wrapping_sub(1)), length];
    (u32::from_le_bytes(sample).wrapping_mul(GOLDEN) >> (u32::BITS - BUCKETS.ilog2())) as usize
}

/// About the number of members of most objects, so that most buckets hold one member.
const BUCKETS: usize = 32;

/// More members than any documented object has. For larger objects `left` builds a map of the last positions: without
/// it, a hostile body would cost quadratic time.
const MAX_DOCUMENTED_MEMBERS: usize = 128;
/// The number of members of most nested objects. It is the initial capacity.
const TYPICAL_MEMBERS: usize = 8;

impl<'de> Members<'de> {
    /// No members yet, for an object in this body.
    pub(crate) fn within(body: &'de SharedStr) -> Self {
        Self { list: Vec::new(), last: [0; BUCKETS], body }
    }

    /// The same members, whose texts are copied out of the body rather than share its memory.
    pub(crate) fn detached(self) -> Self {
        Self { body: &NO_BODY, ..self }
    }

    /// Reads the members of the next value, which has to be an object.
    pub(super) fn of(json: &mut Json<'de>) -> Result<Self, Malformed> {
        let mut members = Self::within(json.body());
        members.read_all(json)?;
        Ok(members)
    }

    /// Replaces these members by those of the next value, which has to be an object. `other` may read the value of a
    /// member itself, and then returns true.
    ///
    /// Objects of one list usually have the same members in the same order. In this case the names and positions of the
    /// previous object are reused, and only the values change.
    pub(crate) fn read(
        &mut self,
        json: &mut Json<'de>,
        mut other: impl FnMut(&str, &mut Json<'de>) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        self.body = json.body();
        let mut count = 0;
        json.object(|json| {
            let name = self.list.get(count).map(|member| &member.name);
            if !name.is_some_and(|name| matches!(name, Cow::Borrowed(name) if json.skip_name_if(name))) {
                self.cut(count);
                self.add(json.name()?);
            }
            if let Some(member) = self.list.get_mut(count) {
                member.state = State::Absent;
                if !other(&member.name, json)? {
                    member.set(json.value()?);
                }
            }
            count += 1;
            if count > MAX_DOCUMENTED_MEMBERS {
                json.spend(size_of::<Member<'_>>())?;
            }
            Ok(())
        })?;
        self.cut(count);
        Ok(())
    }

    /// Replaces these members by those of the next value, which has to be an object.
    pub(crate) fn read_all(&mut self, json: &mut Json<'de>) -> Result<(), Malformed> {
        self.read(json, |_, _| Ok(false))
    }

    /// Adds a member. If two members have the same name, the later one counts.
    pub(crate) fn put(&mut self, name: Cow<'de, str>, value: Value<'de>) {
        self.add(name);
        if let Some(member) = self.list.last_mut() {
            member.set(value);
        }
    }

    /// Adds an absent member of this name.
    fn add(&mut self, name: Cow<'de, str>) {
        if self.list.capacity() == 0 {
            self.list.reserve(TYPICAL_MEMBERS);
        }
        // The size limit of bodies keeps the number of members within 32 bits.
        let position = u32::try_from(self.list.len() + 1).unwrap_or_default();
        let before = self.last.get_mut(bucket(&name)).map_or(0, |last| mem::replace(last, position));
        self.list.push(Member { name, json: "", state: State::Absent, before });
    }

    /// Keeps only the first `count` members.
    fn cut(&mut self, count: usize) {
        while self.list.len() > count
            && let Some(Member { name, before, .. }) = self.list.pop()
            && let Some(last) = self.last.get_mut(bucket(&name))
        {
            *last = before;
        }
    }

    /// The approximate size in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.list)
    }

    /// The position of the last member of this name that is not absent.
    fn position(&self, name: &str) -> Option<usize> {
        let mut counted = self.last.get(bucket(name)).copied()?;
        loop {
            let position = counted.checked_sub(1)? as usize;
            let member = self.list.get(position)?;
            if member.name == name && !member.is_absent() {
                return Some(position);
            }
            counted = member.before;
        }
    }

    /// A text that outlives these members. A borrowed text shares the memory of the body.
    fn kept(&self, text: Cow<'de, str>) -> SharedStr {
        match text {
            Cow::Borrowed(part) => self.body.part(part),
            Cow::Owned(own) => own.into(),
        }
    }

    /// Takes out a member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'de>> {
        let position = self.position(name)?;
        let member = self.list.get_mut(position)?;
        let value = member.value()?;
        member.state = State::TakenOut;
        Some(value)
    }

    /// Takes out the first member that has one of these names.
    pub(crate) fn take_any(&mut self, names: &[&'static str]) -> Option<(&'static str, Value<'de>)> {
        names.iter().find_map(|name| Some((*name, self.take(name)?)))
    }

    /// Whether no member is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.left().next().is_none()
    }

    /// The members that have not been taken out. If several have the same name, only the last one.
    fn left(&self) -> impl Iterator<Item = (&Cow<'de, str>, Value<'de>)> {
        let mut last = HashMap::new();
        if self.list.len() > MAX_DOCUMENTED_MEMBERS {
            let known = self.list.iter().enumerate().filter(|(_, member)| !member.is_absent());
            last.extend(known.map(|(at, member)| (&member.name, at)));
        }
        self.list.iter().enumerate().filter_map(move |(at, member)| {
            let (name, value) = (&member.name, member.value()?);
            let last = last.get(name).copied().or_else(|| self.position(name));
            (last == Some(at)).then_some((name, value))
        })
    }

    fn put_back(&mut self, name: &'static str, value: Value<'de>) {
        self.put(Cow::Borrowed(name), value);
    }

    /// Reads a member without taking it out.
    fn peek(&self, name: &str) -> Option<Value<'de>> {
        self.list.get(self.position(name)?)?.value()
    }

    /// A copy that contains only one member. Reading the copy does not take the member out of the original.
    pub(crate) fn only(&self, name: &'static str) -> Self {
        let mut only = Self::within(self.body);
        if let Some(value) = self.peek(name) {
            only.put_back(name, value);
        }
        only
    }

    /// The members that are left, as one object without empty lists and objects. `None` if nothing remains.
    pub(crate) fn rest_as_object(self) -> Option<Box<RawValue>> {
        object_of(self.left().filter(|(_, value)| !matches!(value.json(), "[]" | "{}")))
    }

    /// The members that are left, for `extra`.
    pub(crate) fn rest(&self, warnings: &mut Warnings) -> Extra {
        let mut extra = Extra::default();
        for (name, value) in self.left() {
            match value.kept() {
                Some(kept) => extra.keep(self.kept(name.clone()), kept),
                None => warnings.left_out(name),
            }
        }
        extra
    }
}

/// These members as one object, or `None` if there are none.
fn object_of<'m>(members: impl Iterator<Item = (&'m Cow<'m, str>, Value<'m>)>) -> Option<Box<RawValue>> {
    let part = |(name, value): (_, Value<'_>)| Some(format!("{}:{}", serde_json::to_string(name).ok()?, value.kept()?));
    let parts: Vec<String> = members.filter_map(part).collect();
    if parts.is_empty() { None } else { RawValue::from_string(format!("{{{}}}", parts.join(","))).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample;

    use super::*;

    pub(super) fn members(json: &str) -> Members<'_> {
        let value = Value { json, form: Form::Other };
        Members::of(&mut Json::of_value(value, &NO_BODY)).expect("an object")
    }

    #[test]
    fn members_that_are_not_taken_out_are_kept_unchanged() {
        let mut warnings = Warnings::default();
        let mut members = members(
            r#"{"a":1.10,"b":null,"c":{"x":[123456789012345678901234567890]},"@odata.etag":"e","c@odata.nextLink":"f","d":"yes"}"#,
        );
        assert_eq!(members.text(&["d"], &mut warnings).as_deref(), Some("yes"));
        let extra = serde_json::to_string(&members.rest(&mut warnings)).expect("JSON");
        assert_eq!(extra, r#"{"a":1.10,"c":{"x":[123456789012345678901234567890]}}"#);
        assert!(warnings.into_vec().is_empty());
    }

    #[test]
    fn a_later_null_does_not_replace_an_earlier_value() {
        for others in [0, 1000] {
            let mut warnings = Warnings::default();
            let others: Vec<_> = (0..others).map(|n| format!("\"m{n}\":null,")).collect();
            let json = format!("{{\"a\":1,\"b\":[2],{}\"a\":null,\"b\":null}}", others.concat());
            let mut members = members(&json);
            assert_eq!(members.text(&["a"], &mut warnings).as_deref(), Some("1"));
            assert_eq!(serde_json::to_string(&members.rest(&mut warnings)).expect("JSON"), "{\"b\":[2]}");
        }
    }

    #[test]
    fn the_later_of_two_members_with_one_name_counts() {
        for others in [0, 1000] {
            let mut warnings = Warnings::default();
            let others: Vec<_> = (0..others).map(|n| format!("\"m{n}\":{n},")).collect();
            let others = others.concat();
            let json = format!("{{\"a\":1,\"b\":1,{others}\"a\":2,\"b\":2}}");
            let mut members = members(&json);
            assert_eq!(members.text(&["a"], &mut warnings).as_deref(), Some("2"));
            let extra = members.rest(&mut warnings);
            let of = |name| {
                extra.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.get()).collect::<Vec<_>>()
            };
            assert_eq!((of("a"), of("b")), (vec![], vec!["2"]));
        }
    }

    #[test]
    fn a_value_nested_too_deeply_is_left_out_with_a_warning() {
        let mut warnings = Warnings::default();
        let json = format!("{{\"deep\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(members(&json).rest(&mut warnings).is_empty());
        assert!(matches!(warnings.into_vec().as_slice(), [warning] if warning.detail.contains("is left out")));
    }

    /// The members of all objects. With `reuse`, one `Members` reads all of them; otherwise each object gets a new one.
    fn all(objects: &SharedStr, reuse: bool) -> Vec<String> {
        let mut members = Members::default();
        let mut all = Vec::new();
        let list = Json::of(objects).list(|json| {
            if !reuse {
                members = Members::default();
            }
            members.read(json, |name, json| {
                let is_own = name == "own";
                if is_own {
                    json.value()?;
                }
                Ok(is_own)
            })?;
            let warnings = &mut Warnings::default();
            let taken =
                (members.text(&["a", "b"], warnings), members.integer(&["c"], warnings), members.take("own").is_some());
            let rest = serde_json::to_string(&members.rest(warnings)).expect("JSON");
            all.push(format!("{taken:?} {rest} {:?}", mem::take(warnings).into_vec()));
            Ok(())
        });
        assert!(list.is_ok(), "{objects}");
        all
    }

    proptest! {
        #[test]
        fn reused_members_read_the_same_as_new_ones(
            objects in vec(
                vec((sample::select(NAMES.as_slice()), sample::select(VALUES.as_slice())), 0..8),
                0..6,
            ),
            gap in sample::select(["", " ", "\n\t"].as_slice()),
        ) {
            let object = |members: &Vec<(&str, &str)>| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}{gap}:{value}{gap}")).collect();
                format!("{{{gap}{}}}", members.join(","))
            };
            let objects: Vec<_> = objects.iter().flat_map(|members| [object(members), object(members)]).collect();
            let objects = SharedStr::from(format!("[{}]", objects.join(",")));
            prop_assert_eq!(all(&objects, true), all(&objects, false), "{}", objects);
        }
    }

    const NAMES: [&str; 10] = [
        r#""a""#,
        r#""b""#,
        r#""c""#,
        r#""own""#,
        r#""\u0061""#,
        r#""a\"""#,
        r#""a\\""#,
        r#""@odata.x""#,
        r#""a@odata.x""#,
        r#""""#,
    ];
    const VALUES: [&str; 6] = ["null", "1", r#""x""#, r#""\"y""#, "[1]", r#"{"a":1}"#];
}
