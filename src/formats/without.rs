//! Serializes a domain struct without the members that a format places elsewhere. All other members, including future
//! ones, need no code in the format.

use serde::Serialize;
use serde::ser::{Error, Impossible, SerializeStruct, Serializer};

/// A struct, and the filter for its members.
pub(super) struct Without<'a, T> {
    pub(super) value: &'a T,
    pub(super) is_left_out: fn(&str) -> bool,
}

impl<T: Serialize> Serialize for Without<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Filter { inner: serializer, is_left_out: self.is_left_out })
    }
}

/// A serializer of structs that omits members. It supports nothing else.
struct Filter<S> {
    inner: S,
    is_left_out: fn(&str) -> bool,
}

impl<S: SerializeStruct> SerializeStruct for Filter<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), S::Error> {
        if (self.is_left_out)(name) { Ok(()) } else { self.inner.serialize_field(name, value) }
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

/// Methods for values that are not structs.
macro_rules! unsupported {
    ($($method:ident($($kind:ty),*) -> $ok:ty;)+) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$ok, S::Error> {
            Err(Error::custom("not a struct"))
        })+
    };
}

impl<S: Serializer> Serializer for Filter<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = Impossible<S::Ok, S::Error>;
    type SerializeStruct = Filter<S::SerializeStruct>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        Ok(Filter { inner: self.inner.serialize_struct(name, len)?, is_left_out: self.is_left_out })
    }

    unsupported! {
        serialize_bool(bool) -> S::Ok;
        serialize_i8(i8) -> S::Ok;
        serialize_i16(i16) -> S::Ok;
        serialize_i32(i32) -> S::Ok;
        serialize_i64(i64) -> S::Ok;
        serialize_u8(u8) -> S::Ok;
        serialize_u16(u16) -> S::Ok;
        serialize_u32(u32) -> S::Ok;
        serialize_u64(u64) -> S::Ok;
        serialize_f32(f32) -> S::Ok;
        serialize_f64(f64) -> S::Ok;
        serialize_char(char) -> S::Ok;
        serialize_str(&str) -> S::Ok;
        serialize_bytes(&[u8]) -> S::Ok;
        serialize_none() -> S::Ok;
        serialize_unit() -> S::Ok;
        serialize_unit_struct(&'static str) -> S::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> S::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<S::Ok, S::Error> {
        self.serialize_none()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<S::Ok, S::Error> {
        self.serialize_none()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        self.serialize_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alert::Device;

    #[test]
    fn omitted_members_are_not_serialized() {
        let device = Device { id: Some("1".into()), name: Some("desk".into()), group: None };
        let without = Without { value: &device, is_left_out: |name| name == "id" };
        assert_eq!(serde_json::to_value(without).expect("JSON"), json!({"name": "desk", "group": null}));
    }

    #[test]
    fn values_other_than_structs_are_errors() {
        assert!(serde_json::to_value(Without { value: &Some("text"), is_left_out: |_| false }).is_err());
        assert!(serde_json::to_value(Without { value: &[1], is_left_out: |_| false }).is_err());
    }
}
