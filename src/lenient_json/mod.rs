//! Lenient reading of JSON that others write. It keeps unknown members and members of unexpected types. It knows no
//! HTTP.

pub(crate) mod body;
pub(crate) mod json;
pub(crate) mod members;
pub(crate) mod objects;
pub(crate) mod value;
