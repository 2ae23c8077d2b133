//! `format=json`: the answer as it is.

use crate::domain::enrichment::Enrichment;

/// The answer's own form.
pub(super) fn document(enrichment: &Enrichment<'_>) -> Vec<u8> {
    // Every part of an enrichment is made of strings, numbers and lists: it always serializes.
    serde_json::to_vec(enrichment).unwrap_or_default()
}
