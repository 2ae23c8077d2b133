//! How a body of data is made to fit the front door: without the upstream body, then with fewer alerts.

use crate::domain::enrichment::{Answer, Enrichment, RenderOptions};
use crate::domain::warning::{Warning, WarningCode};

/// What `write` makes of the answer in a form, within `most` escaped bytes.
pub(super) fn fitted(
    answer: &Answer,
    render_options: &RenderOptions,
    most: usize,
    write: impl Fn(&Enrichment<'_>, usize) -> Vec<u8>,
) -> Vec<u8> {
    let mut render_options = render_options.clone();
    loop {
        let is_least = !render_options.raw && render_options.limit == 0;
        // What does not fit is written again with less: only as far as to show that.
        let body = write(&answer.enrichment(&render_options), if is_least { usize::MAX } else { most });
        if fits(&body, most) {
            return body;
        }
        if render_options.raw {
            render_options.raw = false;
            render_options
                .warnings
                .push(capped("raw is left out: with it the answer would be too large for the front door."));
        } else if is_least {
            return body;
        } else {
            let listed = answer.findings.alerts.len().min(render_options.limit);
            if render_options.warnings.iter().all(|warning| warning.detail != FEWER) {
                render_options.warnings.push(capped(FEWER));
            }
            render_options.limit = listed / 2;
        }
    }
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
