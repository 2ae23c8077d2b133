//! `format=json`: the answer as it is.

use crate::domain::enrichment::Enrichment;

/// More than the head of an answer takes in most cases, and than an alert does, in bytes: memory that is not written to
/// The answer's own form.
pub(super) fn document(enrichment: &Enrichment<'_>) -> Vec<u8> {
    // An answer is made of strings, numbers and lists: it always serializes.
    serde_json::to_vec(enrichment).unwrap_or_default()
}
