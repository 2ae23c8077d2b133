//! Reads other people's JSON without losing anything. Knows no HTTP.

pub(crate) mod body;
pub(crate) mod json;
pub(crate) mod members;
pub(crate) mod objects;
pub(crate) mod shared_fields;
pub(crate) mod value;
