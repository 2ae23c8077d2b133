//! `format=json`: the answer as it is.

use crate::domain::enrichment::Enrichment;

/// What the head of an answer takes in most cases, and what an alert does, in bytes.
const USUAL: usize = 2 << 10;

/// The answer's own form.
pub(super) fn document(enrichment: &Enrichment<'_>) -> Vec<u8> {
    let mut document = Vec::with_capacity(USUAL * (1 + enrichment.alerts.len()));
    // Every part of an enrichment is made of strings, numbers and lists: it always serializes.
    serde_json::to_writer(&mut document, enrichment).map(|()| document).unwrap_or_default()
}
