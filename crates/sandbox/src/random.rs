//! Random bytes for ids and for what stands in the place of a signature. They protect nothing but an invented company.

/// A UUID of version 4.
pub(crate) fn uuid() -> String {
    uuid::Builder::from_random_bytes(bytes()).into_uuid().to_string()
}

pub(crate) fn bytes() -> [u8; 16] {
    fastrand::u128(..).to_be_bytes()
}
