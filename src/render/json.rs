//! `format=json`: the answer as it is.

use super::writing::{self, Target};
use crate::domain::enrichment::Enrichment;

/// More than the head of an answer takes in most cases, and than an alert does, in bytes: memory that is not written to
/// costs nothing, and moving what is written does.
const USUAL: usize = 3 << 10;

/// The answer's own form.
pub(super) fn document(enrichment: &Enrichment<'_>, target: Target) -> Vec<u8> {
    writing::json(enrichment, target, USUAL * (1 + enrichment.alerts.len()))
}
