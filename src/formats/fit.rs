//! Fits a body into the size limit of the entry point: first without the upstream body, then without a context of unusual
//! size, then with fewer alerts.

use crate::domain::context::SubjectContext;
use crate::domain::enrichment::{Answer, Enrichment, RenderOptions};
use crate::domain::warning::{Warning, WarningCode};

/// Renders the answer with `write`, within `max_bytes` escaped bytes.
pub(super) fn fit_body(
    answer: &Answer,
    render_options: &RenderOptions,
    max_bytes: usize,
    write: impl Fn(&Enrichment<'_>, usize) -> Vec<u8>,
) -> Vec<u8> {
    let mut render_options = render_options.clone();
    let (mut has_context, is_large) = (true, answer.context.as_ref().is_some_and(is_large));
    loop {
        let is_minimal = !render_options.raw && render_options.limit == 0 && !(has_context && is_large);
        let mut enrichment = answer.enrichment(&render_options);
        enrichment.context = enrichment.context.filter(|_| has_context);
        // A body that is too large is rendered again with less. It is written only up to the limit.
        let body = write(&enrichment, if is_minimal { usize::MAX } else { max_bytes });
        if fits(&body, max_bytes) {
            return body;
        }
        if render_options.raw {
            render_options.raw = false;
            render_options
                .warnings
                .push(capped("raw is left out: with it the answer would be too large for the entry point."));
        } else if has_context && is_large {
            has_context = false;
            render_options.warnings.push(Warning {
                code: WarningCode::ContextUnavailable,
                detail: "context is left out: with it the answer would be too large for the entry point.".to_owned(),
            });
        } else if is_minimal {
            return body;
        } else {
            let alert_count = answer.findings.alerts.len().min(render_options.limit);
            if render_options.warnings.iter().all(|warning| warning.detail != FEWER_ALERTS) {
                render_options.warnings.push(capped(FEWER_ALERTS));
            }
            render_options.limit = alert_count / 2;
        }
    }
}

/// Whether a context takes space that alerts need. Defender's own are below 3 kB.
fn is_large(context: &SubjectContext) -> bool {
    const LARGE_CONTEXT_BYTES: usize = 64 << 10;
    serde_json::to_vec(context).is_ok_and(|json| json.len() > LARGE_CONTEXT_BYTES)
}

/// Whether a body fits the entry point: Lambda's response envelope holds the body as a JSON string, and escapes it.
pub(crate) fn fits(body: &[u8], max_bytes: usize) -> bool {
    // Line breaks are the only control characters in a body, so escaping adds at most one byte for each byte.
    2 * body.len() <= max_bytes
        || body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count() <= max_bytes
}

const FEWER_ALERTS: &str =
    "Fewer alerts are listed than asked for: with more the answer would be too large for the entry point.";

fn capped(detail: &str) -> Warning {
    Warning { code: WarningCode::AnswerCapped, detail: detail.to_owned() }
}
