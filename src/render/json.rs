//! `format=json`: the answer as it is.

use super::fits;
use crate::domain::enrichment::{Answer, Showing};
use crate::domain::warning::{Warning, WarningCode};

/// The answer within `most` escaped bytes: without the upstream body, then with fewer alerts, where it has to be.
pub(crate) fn json(answer: &Answer, showing: &Showing, most: usize) -> Vec<u8> {
    let mut showing = showing.clone();
    loop {
        // Every part of an enrichment is made of strings, numbers and lists: it always serializes.
        let body = serde_json::to_vec(&answer.enrichment(&showing)).unwrap_or_default();
        if fits(&body, most) {
            return body;
        }
        if showing.raw {
            showing.raw = false;
            showing.warnings.push(capped("raw is left out: with it the answer would be too large for the front door."));
        } else if showing.limit > 0 {
            let listed = answer.findings.alerts.len().min(showing.limit);
            if showing.warnings.iter().all(|warning| warning.detail != FEWER) {
                showing.warnings.push(capped(FEWER));
            }
            showing.limit = listed / 2;
        } else {
            return body;
        }
    }
}

const FEWER: &str =
    "Fewer alerts are listed than asked for: with more the answer would be too large for the front door.";

fn capped(detail: &str) -> Warning {
    Warning { code: WarningCode::AnswerCapped, detail: detail.to_owned() }
}
