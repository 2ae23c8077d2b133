//! How a body of data is made to fit the front door: without the upstream body, then with fewer alerts.

use super::writing::BodyForm;
use crate::domain::enrichment::{Answer, Enrichment, Showing};
use crate::domain::warning::{Warning, WarningCode};

/// What `write` makes of the answer in a form, within `most` escaped bytes.
pub(super) fn fitted(
    answer: &Answer,
    showing: &Showing,
    most: usize,
    form: BodyForm,
    write: impl Fn(&Enrichment<'_>, BodyForm) -> Vec<u8>,
) -> Vec<u8> {
    let mut showing = showing.clone();
    loop {
        let body = write(&answer.enrichment(&showing), form);
        let has_room = match form {
            BodyForm::Plain => fits(&body, most),
            // Escaped already, and in quotes.
            BodyForm::Quoted => body.len() <= most.saturating_add(2),
        };
        if has_room {
            return body;
        }
        if showing.raw {
            leave_raw_out(&mut showing);
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

/// The same, without raw where a body that holds it as it is would not fit: it is not written in vain.
pub(super) fn without_hopeless_raw(answer: &Answer, showing: &Showing, most: usize) -> Showing {
    let mut showing = showing.clone();
    let raw: usize = answer.findings.bodies.iter().map(|body| body.len()).sum();
    // White space around a body is not written.
    if showing.raw && raw / 2 > most {
        leave_raw_out(&mut showing);
    }
    showing
}

fn leave_raw_out(showing: &mut Showing) {
    showing.raw = false;
    showing.warnings.push(capped("raw is left out: with it the answer would be too large for the front door."));
}

/// Whether a body fits a front door: Lambda's envelope holds the body as a JSON string, and escapes it.
pub(crate) fn fits(body: &[u8], most: usize) -> bool {
    // No body has bare control characters but line breaks: at worst every byte is escaped by one more.
    2 * body.len() <= most
        || body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count() <= most
}

const FEWER: &str =
    "Fewer alerts are listed than asked for: with more the answer would be too large for the front door.";

fn capped(detail: &str) -> Warning {
    Warning { code: WarningCode::AnswerCapped, detail: detail.to_owned() }
}
