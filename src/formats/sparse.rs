//! A JSON serializer that omits empty members, for formats that leave out what has no value.
//!
//! A value is empty if it is null, an empty string, or a list or object of only empty values. Empty members and items
//! are omitted. The outermost value is always written. Upstream JSON is copied without inspection.
//!
//! It writes in one pass: a list or object that turns out to be empty is removed from the output again. The crates
//! for this purpose need an attribute on each member, or rework a whole document in memory.

use serde::Serialize;
use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct,
    Serializer,
};
use serde_json::Error;

/// The struct name by which `serde_json` recognizes its `RawValue`.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Serializes a value without its empty members. It cannot fail, since the value consists of strings, numbers and
/// lists. If the JSON is longer than `max_bytes`, the result is cut, but still longer than `max_bytes`.
pub(super) fn to_vec(value: &impl Serialize, max_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let result = value.serialize(Slot::<str> { out: &mut out, max_bytes, is_first: true, name: None });
    debug_assert!(result.is_ok() || out.len() > max_bytes, "{result:?}");
    out
}

/// The position of the next value in the output. `Ok(false)` means that the value is empty, and that its output is to
/// be removed.
struct Slot<'a, N: ?Sized = str> {
    out: &'a mut Vec<u8>,
    max_bytes: usize,
    is_first: bool,
    /// The member name, if the value is a member of an object.
    name: Option<&'a N>,
}

/// A list or object under construction.
struct Compound<'a> {
    out: &'a mut Vec<u8>,
    max_bytes: usize,
    is_empty: bool,
    /// The start of the current member in the output.
    member: usize,
    /// The closing bracket; `None` for upstream JSON, which has its own.
    end: Option<u8>,
}

impl<'a, N: Serialize + ?Sized> Slot<'a, N> {
    /// Writes the comma and the member name before the value.
    fn begin(&mut self) -> Result<(), Error> {
        if self.out.len() > self.max_bytes {
            return Err(Error::custom("it is longer than anybody wants it"));
        }
        if !self.is_first {
            self.out.push(b',');
        }
        if let Some(name) = self.name {
            json(self.out, name)?;
            self.out.push(b':');
        }
        Ok(())
    }

    fn scalar<T: Serialize + ?Sized>(mut self, value: &T) -> Result<bool, Error> {
        self.begin()?;
        json(self.out, value)?;
        Ok(true)
    }

    fn compound(mut self, brackets: Option<[u8; 2]>) -> Result<Compound<'a>, Error> {
        self.begin()?;
        self.out.extend(brackets.map(|[start, _]| start));
        let end = brackets.map(|[_, end]| end);
        Ok(Compound { out: self.out, max_bytes: self.max_bytes, is_empty: true, member: 0, end })
    }
}

impl Compound<'_> {
    fn put<N, T>(&mut self, name: Option<&N>, value: &T) -> Result<(), Error>
    where
        N: Serialize + ?Sized,
        T: Serialize + ?Sized,
    {
        self.member = self.out.len();
        let slot = Slot { out: self.out, max_bytes: self.max_bytes, is_first: self.is_empty, name };
        let is_written = value.serialize(slot)?;
        self.keep(is_written);
        Ok(())
    }

    /// Removes the member if it is empty.
    fn keep(&mut self, is_written: bool) {
        if is_written {
            self.is_empty = false;
        } else {
            self.out.truncate(self.member);
        }
    }

    fn finish(self) -> bool {
        self.out.extend(self.end);
        !self.is_empty
    }
}

/// Appends a value as `serde_json` serializes it.
fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    serde_json::to_writer(out, value)
}

macro_rules! scalars {
    ($($method:ident: $kind:ty),+) => {
        $(fn $method(self, value: $kind) -> Result<bool, Error> {
            self.scalar(&value)
        })+
    };
}

impl<'a, N: Serialize + ?Sized> Serializer for Slot<'a, N> {
    type Ok = bool;
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Impossible<bool, Error>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Impossible<bool, Error>;

    scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char
    }

    fn serialize_str(self, text: &str) -> Result<bool, Error> {
        if text.is_empty() { Ok(false) } else { self.scalar(text) }
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<bool, Error> {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> Result<bool, Error> {
        Ok(false)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<bool, Error> {
        Ok(false)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<bool, Error> {
        Ok(false)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<bool, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<bool, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<bool, Error> {
        Err(no_variants(name))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        self.compound(Some(*b"[]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Error> {
        self.compound(Some(*b"[]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        self.compound(Some(*b"[]"))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_variants(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        self.compound(Some(*b"{}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        self.compound((name != RAW_VALUE).then_some(*b"{}"))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_variants(name))
    }
}

/// No format has enum variants with members: tagged and untagged enums serialize as structs.
fn no_variants(name: &str) -> Error {
    Error::custom(format_args!("{name}: a variant with members"))
}

macro_rules! lists {
    ($($kind:ident: $method:ident),+) => {
        $(impl $kind for Compound<'_> {
            type Ok = bool;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.put(None::<&str>, value)
            }

            fn end(self) -> Result<bool, Error> {
                Ok(self.finish())
            }
        })+
    };
}

lists! { SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field }

impl SerializeMap for Compound<'_> {
    type Ok = bool;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        self.member = self.out.len();
        Slot { out: self.out, max_bytes: self.max_bytes, is_first: self.is_empty, name: Some(name) }.begin()?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let is_written =
            value.serialize(Slot::<str> { out: self.out, max_bytes: self.max_bytes, is_first: true, name: None })?;
        self.keep(is_written);
        Ok(())
    }

    fn serialize_entry<N, T>(&mut self, name: &N, value: &T) -> Result<(), Error>
    where
        N: Serialize + ?Sized,
        T: Serialize + ?Sized,
    {
        self.put(Some(name), value)
    }

    fn end(self) -> Result<bool, Error> {
        Ok(self.finish())
    }
}

impl SerializeStruct for Compound<'_> {
    type Ok = bool;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if self.end.is_some() {
            return self.put(Some(name), value);
        }
        let mut json = serde_json::Serializer::new(&mut *self.out);
        let mut raw = json.serialize_struct(RAW_VALUE, 1)?;
        SerializeStruct::serialize_field(&mut raw, name, value)?;
        SerializeStruct::end(raw)?;
        self.is_empty = false;
        Ok(())
    }

    fn end(self) -> Result<bool, Error> {
        Ok(self.finish())
    }
}

/// Serializes a value and parses it again.
#[cfg(test)]
pub(super) fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::from_slice(&to_vec(value, usize::MAX)).expect("JSON")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn sparse(value: &impl Serialize) -> String {
        String::from_utf8(to_vec(value, usize::MAX)).expect("UTF-8")
    }

    /// The reference implementation on a tree.
    fn without_empty(value: Value) -> Option<Value> {
        match value {
            Value::Null => None,
            Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
            Value::Array(items) => {
                let items: Vec<_> = items.into_iter().filter_map(without_empty).collect();
                (!items.is_empty()).then_some(Value::Array(items))
            }
            Value::Object(members) => {
                let full = members.into_iter().filter_map(|(name, value)| Some((name, without_empty(value)?)));
                let members: serde_json::Map<_, _> = full.collect();
                (!members.is_empty()).then_some(Value::Object(members))
            }
            scalar @ (Value::Bool(_) | Value::Number(_)) => Some(scalar),
        }
    }

    #[derive(Serialize)]
    struct Outer<'a> {
        none: Option<u8>,
        text: &'a str,
        r#type: &'a str,
        list: Vec<Option<&'a str>>,
        number: Option<i64>,
        is_true: bool,
        inner: Option<Inner<'a>>,
        #[serde(flatten)]
        flat: Inner<'a>,
        raw: Option<Box<RawValue>>,
    }

    #[derive(Clone, Default, Serialize)]
    struct Inner<'a> {
        inmost: &'a str,
    }

    #[test]
    fn empty_members_are_omitted() {
        let flat = Inner::default();
        let inner = Some(flat.clone());
        let empty = Outer {
            none: None,
            text: "",
            r#type: "",
            list: vec![],
            number: None,
            is_true: false,
            inner,
            flat,
            raw: None,
        };
        assert_eq!(sparse(&empty), r#"{"is_true":false}"#);
        let raw = Some(RawValue::from_string(r#"{ "a": null, "b": 1.10 }"#.to_owned()).expect("JSON"));
        let full = Outer {
            text: "\n",
            list: vec![Some(""), None, Some("x")],
            number: Some(0),
            inner: Some(Inner { inmost: "y" }),
            raw,
            ..empty
        };
        let right = r#"{"text":"\n","list":["x"],"number":0,"is_true":false,"inner":{"inmost":"y"},"raw":{ "a": null, "b": 1.10 }}"#;
        assert_eq!(sparse(&full), right);
    }

    #[test]
    fn outermost_value_is_always_written() {
        assert_eq!(sparse(&json!([[], {"a": null}])), "[]");
        assert_eq!(sparse(&json!({"a": [""]})), "{}");
    }

    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn writing_stops_shortly_after_the_limit() {
        let list: Vec<_> = (10..1000).collect();
        assert_eq!(to_vec(&list, 8), b"[10,11,12");
        assert_eq!(to_vec(&[10, 11], 7), b"[10,11]");
    }

    proptest! {
        #[test]
        fn output_equals_the_value_without_empty_members(tree in trees()) {
            let list = json!([tree]);
            let right = without_empty(list.clone()).unwrap_or(json!([])).to_string();
            prop_assert_eq!(sparse(&list), right);
        }
    }
}
