//! `format=json`: the answer as it is.

use super::writing::{self, BodyForm};
use crate::domain::enrichment::Enrichment;

/// What the head of an answer takes in most cases, and what an alert does, in bytes.
const USUAL: usize = 2 << 10;

/// The answer's own form.
pub(super) fn document(enrichment: &Enrichment<'_>, form: BodyForm) -> Vec<u8> {
    writing::json(enrichment, form, USUAL * (1 + enrichment.alerts.len()))
}
