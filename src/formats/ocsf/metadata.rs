//! The source and the identity of an event: the objects `metadata` and `product`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/metadata>.

use serde::Serialize;

use super::timestamps::milliseconds;
use crate::domain::timestamp::Timestamp;

/// The version of the schema. Readers reject versions later than their own.
pub(super) const VERSION: &str = "1.8.0";
const VENDOR: &str = "Microsoft";

/// The source and the identity of an event.
#[derive(Default, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) version: &'static str,
    pub(super) product: Product<'a>,
    pub(super) profiles: Vec<&'static str>,
    pub(super) uid: String,
    pub(super) original_event_uid: &'a str,
    pub(super) correlation_uid: Option<&'a str>,
    pub(super) tenant_uid: Option<&'a str>,
    pub(super) log_name: &'static str,
    pub(super) modified_time: Option<i64>,
    pub(super) labels: Vec<&'a str>,
    /// Only if alerts or entities were omitted.
    pub(super) is_truncated: Option<bool>,
    /// The warnings of the answer.
    pub(super) debug: Vec<&'a str>,
}

/// The product that is the source of an event or a finding.
#[derive(Default, Serialize)]
pub(super) struct Product<'a> {
    pub(super) name: &'a str,
    pub(super) vendor_name: &'static str,
    pub(super) feature: Option<Feature<'a>>,
}

/// The part of a product that detected something.
#[derive(Serialize)]
pub(super) struct Feature<'a> {
    pub(super) name: &'a str,
}

impl<'a> Product<'a> {
    /// A product of Microsoft.
    pub(super) fn of(name: &'a str, feature: Option<&'a str>) -> Self {
        Self { name, vendor_name: VENDOR, feature: feature.map(|name| Feature { name }) }
    }
}

impl<'a> Metadata<'a> {
    /// The metadata of a finding. Its `uid` identifies the finding's state at its last change.
    pub(super) fn of(class: u16, id: &'a str, changed: Option<Timestamp>, product: Product<'a>) -> Self {
        let state = format!("{class}\n{id}\n{}", changed.map_or(0, Timestamp::unix_milliseconds));
        Self {
            version: VERSION,
            product,
            uid: uuid_of(state.as_bytes()),
            original_event_uid: id,
            modified_time: milliseconds(changed),
            ..Self::default()
        }
    }
}

/// The UUID of version 8 of some bytes: the start of their SHA-256.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9562#section-5.8>.
pub(super) fn uuid_of(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let start = digest.as_ref().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(start).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_changes_with_the_state() {
        let uid = |id, at| Metadata::of(2004, id, Some(Timestamp::from_unix_seconds(at)), Product::of("x", None)).uid;
        assert_eq!(uid("da1_1", 7), uid("da1_1", 7));
        assert_ne!(uid("da1_1", 7), uid("da1_1", 8));
        assert_ne!(uid("da1_1", 7), uid("da1_2", 7));
        // The SHA-256 of "abc" in FIPS 180-4, with the bits of version and variant.
        assert_eq!(uuid_of(b"abc"), "ba7816bf-8f01-8fea-8141-40de5dae2223");
    }
}
