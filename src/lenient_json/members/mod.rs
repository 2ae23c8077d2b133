//! The members of objects that were written by somebody else: each is taken out by its name, and what is left at the
//! end is kept as it came.

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

/// The members of one JSON object, each as it was written.
pub(crate) struct Members<'de> {
    list: Vec<Member<'de>>,
    /// Of each family the place of the last member, counted from 1.
    last: [u32; FAMILIES],
    /// What they stand in: the texts that are taken out become parts of it.
    body: &'de SharedStr,
}

/// The body of what stands in none.
static NO_BODY: SharedStr = SharedStr::of_static("");

impl Default for Members<'_> {
    fn default() -> Self {
        Self::within(&NO_BODY)
    }
}

/// One member: no larger than it has to be, as there are many.
struct Member<'de> {
    name: Cow<'de, str>,
    json: &'de str,
    state: State,
    /// The place of the one of its family that came before, counted from 1.
    before: u32,
}

#[derive(Clone, Copy)]
enum State {
    /// It is as if it were not there: null, or read by others.
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

/// Whether a name is of `OData`'s own: `@odata.etag` of the object, `alerts@odata.nextLink` of a member of it.
fn is_annotation(name: &str) -> bool {
    name.find('@').and_then(|at| name.get(at..)).is_some_and(|rest| rest.starts_with("@odata."))
}

/// The family of a name: of the names of one object, few share it. All members over all families, whichever signs of
/// their names differ.
fn family(name: &str) -> usize {
    const GOLDEN: u32 = 0x9E37_79B9;
    let bytes = name.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let [length, ..] = bytes.len().to_le_bytes();
    let mark = [at(0), at(bytes.len() / 2), at(bytes.len().wrapping_sub(1)), length];
    (u32::from_le_bytes(mark).wrapping_mul(GOLDEN) >> (u32::BITS - FAMILIES.ilog2())) as usize
}

/// About as many as there are members in most objects: then most families have one.
const FAMILIES: usize = 32;

/// More members than any documented object has. Beyond, looking for a later one of each name that is left would take a
/// hostile body's sender no effort and us quadratic time.
const MANY: usize = 128;
/// What most objects within others have at most.
const USUAL: usize = 8;

impl<'de> Members<'de> {
    /// None yet, of an object in this body.
    pub(crate) fn within(body: &'de SharedStr) -> Self {
        Self { list: Vec::new(), last: [0; FAMILIES], body }
    }

    /// Those of the object that has to stand next.
    pub(super) fn of(json: &mut Json<'de>) -> Result<Self, Malformed> {
        let mut members = Self::within(json.body());
        members.read_all(json)?;
        Ok(members)
    }

    /// These replaced by the members of the object that has to stand next. Of each, `other` may read the value itself.
    ///
    /// Objects of one list mostly have the same members in the same order: then names and places are those of the
    /// object before, and nothing but the values is new.
    pub(crate) fn read(
        &mut self,
        json: &mut Json<'de>,
        mut other: impl FnMut(&str, &mut Json<'de>) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        self.body = json.body();
        let mut count = 0;
        json.object(|json| {
            let name = self.list.get(count).map(|member| &member.name);
            if !name.is_some_and(|name| matches!(name, Cow::Borrowed(name) if json.is_past_name(name))) {
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
            if count > MANY {
                json.spend(size_of::<Member<'_>>())?;
            }
            Ok(())
        })?;
        self.cut(count);
        Ok(())
    }

    /// These replaced by the members of the object that has to stand next.
    pub(crate) fn read_all(&mut self, json: &mut Json<'de>) -> Result<(), Malformed> {
        self.read(json, |_, _| Ok(false))
    }

    /// Takes in a member; of two of one name the later counts.
    pub(crate) fn put(&mut self, name: Cow<'de, str>, value: Value<'de>) {
        self.add(name);
        if let Some(member) = self.list.last_mut() {
            member.set(value);
        }
    }

    /// A place for a member of this name.
    fn add(&mut self, name: Cow<'de, str>) {
        if self.list.capacity() == 0 {
            self.list.reserve(USUAL);
        }
        // No body is large enough for more members than there are numbers.
        let place = u32::try_from(self.list.len() + 1).unwrap_or_default();
        let before = self.last.get_mut(family(&name)).map_or(0, |last| mem::replace(last, place));
        self.list.push(Member { name, json: "", state: State::Absent, before });
    }

    /// Leaves the first few.
    fn cut(&mut self, count: usize) {
        while self.list.len() > count
            && let Some(Member { name, before, .. }) = self.list.pop()
            && let Some(last) = self.last.get_mut(family(&name))
        {
            *last = before;
        }
    }

    /// Roughly what they occupy, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.list)
    }

    /// The place of the last member of this name that is not absent.
    fn place(&self, name: &str) -> Option<usize> {
        let mut counted = self.last.get(family(name)).copied()?;
        loop {
            let place = counted.checked_sub(1)? as usize;
            let member = self.list.get(place)?;
            if member.name == name && !member.is_absent() {
                return Some(place);
            }
            counted = member.before;
        }
    }

    /// A text that outlives these members.
    fn kept(&self, text: Cow<'de, str>) -> SharedStr {
        match text {
            Cow::Borrowed(part) => self.body.part(part),
            Cow::Owned(own) => own.into(),
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'de>> {
        let place = self.place(name)?;
        let member = self.list.get_mut(place)?;
        let value = member.value()?;
        member.state = State::TakenOut;
        Some(value)
    }

    /// Takes the first of several spellings out.
    pub(crate) fn take_any(&mut self, names: &[&'static str]) -> Option<(&'static str, Value<'de>)> {
        names.iter().find_map(|name| Some((*name, self.take(name)?)))
    }

    /// Whether every member has been taken out, or there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.left().next().is_none()
    }

    /// The members that have not been taken out; of several of one name the last.
    fn left(&self) -> impl Iterator<Item = (&Cow<'de, str>, Value<'de>)> {
        let mut last = HashMap::new();
        if self.list.len() > MANY {
            let known = self.list.iter().enumerate().filter(|(_, member)| !member.is_absent());
            last.extend(known.map(|(at, member)| (&member.name, at)));
        }
        self.list.iter().enumerate().filter_map(move |(at, member)| {
            let (name, value) = (&member.name, member.value()?);
            let last = last.get(name).copied().or_else(|| self.place(name));
            (last == Some(at)).then_some((name, value))
        })
    }

    fn put_back(&mut self, name: &'static str, value: Value<'de>) {
        self.put(Cow::Borrowed(name), value);
    }

    /// A member, without taking it out.
    fn peek(&self, name: &str) -> Option<Value<'de>> {
        self.list.get(self.place(name)?)?.value()
    }

    /// One member by itself, to look at without taking it out.
    pub(crate) fn only(&self, name: &'static str) -> Self {
        let mut only = Self::within(self.body);
        if let Some(value) = self.peek(name) {
            only.put_back(name, value);
        }
        only
    }

    /// What no home was found for, as an object of its own, without lists and objects of nothing; `None` if that is all.
    pub(crate) fn rest_as_object(self) -> Option<Box<RawValue>> {
        object_of(self.left().filter(|(_, value)| !matches!(value.json(), "[]" | "{}")))
    }

    /// What no home was found for.
    pub(crate) fn rest(&self, notes: &mut Warnings) -> Extra {
        let mut extra = Extra::default();
        for (name, value) in self.left() {
            match value.kept() {
                Some(kept) => extra.keep(self.kept(name.clone()), kept),
                None => notes.left_out(name),
            }
        }
        extra
    }
}

/// These members as an object; `None` if there are none.
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
    fn what_has_no_home_is_kept_as_it_was_written() {
        let mut notes = Warnings::default();
        let mut members = members(
            r#"{"a":1.10,"b":null,"c":{"x":[123456789012345678901234567890]},"@odata.etag":"e","c@odata.nextLink":"f","d":"yes"}"#,
        );
        assert_eq!(members.text(&["d"], &mut notes).as_deref(), Some("yes"));
        let extra = serde_json::to_string(&members.rest(&mut notes)).expect("JSON");
        assert_eq!(extra, r#"{"a":1.10,"c":{"x":[123456789012345678901234567890]}}"#);
        assert!(notes.into_vec().is_empty());
    }

    #[test]
    fn a_later_null_is_as_if_it_were_not_there() {
        for others in [0, 1000] {
            let mut notes = Warnings::default();
            let others: Vec<_> = (0..others).map(|n| format!("\"m{n}\":null,")).collect();
            let json = format!("{{\"a\":1,\"b\":[2],{}\"a\":null,\"b\":null}}", others.concat());
            let mut members = members(&json);
            assert_eq!(members.text(&["a"], &mut notes).as_deref(), Some("1"));
            assert_eq!(serde_json::to_string(&members.rest(&mut notes)).expect("JSON"), "{\"b\":[2]}");
        }
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
        assert!(matches!(notes.into_vec().as_slice(), [note] if note.detail.contains("is left out")));
    }

    /// The members of these objects by name, each object read by a reader of its own or after the one before.
    fn all(objects: &SharedStr, is_after_another: bool) -> Vec<String> {
        let mut members = Members::default();
        let mut all = Vec::new();
        let list = Json::of(objects).list(|json| {
            if !is_after_another {
                members = Members::default();
            }
            members.read(json, |name, json| {
                let is_own = name == "own";
                if is_own {
                    json.value()?;
                }
                Ok(is_own)
            })?;
            let notes = &mut Warnings::default();
            let taken =
                (members.text(&["a", "b"], notes), members.integer(&["c"], notes), members.take("own").is_some());
            let rest = serde_json::to_string(&members.rest(notes)).expect("JSON");
            all.push(format!("{taken:?} {rest} {:?}", mem::take(notes).into_vec()));
            Ok(())
        });
        assert!(list.is_ok(), "{objects}");
        all
    }

    proptest! {
        #[test]
        fn it_does_not_matter_what_was_read_before(
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
