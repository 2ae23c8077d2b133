//! Renders answers: one file per format. This module does no I/O and depends only on the domain.

mod defang;
mod digest;
mod ecs;
mod escape;
mod facts;
mod filled;
mod fit;
mod format;
#[cfg(test)]
mod hostile;
mod json;
#[cfg(test)]
mod live_markup;
mod markdown;
mod names;
mod ocsf;
mod overview;
#[cfg(test)]
mod properties;
mod safe_text;
#[cfg(test)]
mod sample;
mod slack;
mod sparse;
mod teams;
mod text;
mod without;

pub(crate) use fit::fits;
pub use format::Format;
pub(crate) use overview::BatchLine;

use crate::domain::enrichment::{Answer, RenderOptions};

/// The requested format and its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: Format,
    /// The maximum length of a ticket comment in characters.
    pub max_chars: usize,
}

impl OutputOptions {
    /// The default length limit of a ticket comment.
    pub const DEFAULT_MAX_CHARS: usize = 3000;
    /// A shorter comment cannot hold a headline and a link.
    pub const MIN_CHARS: usize = 500;
    /// The largest comment that any ticket system accepts.
    pub const MAX_CHARS: usize = 30_000;

    /// A format with default options.
    pub const fn of(format: Format) -> Self {
        Self { format, max_chars: Self::DEFAULT_MAX_CHARS }
    }
}

/// Renders an answer within `max_bytes` escaped bytes.
pub fn render(answer: &Answer, render_options: &RenderOptions, output: OutputOptions, max_bytes: usize) -> Vec<u8> {
    match output.format {
        Format::Json => fit::fit_body(answer, render_options, max_bytes, json::document),
        Format::Ocsf => fit::fit_body(answer, render_options, max_bytes, ocsf::document),
        Format::OcsfNdjson => fit::fit_body(answer, render_options, max_bytes, ocsf::lines),
        Format::Ecs => fit::fit_body(answer, render_options, max_bytes, ecs::documents),
        // These have small limits of their own.
        Format::Slack => slack::message(&answer.enrichment(render_options)),
        Format::Teams => teams::message(&answer.enrichment(render_options)),
        Format::Markdown => markdown::comment(&answer.enrichment(render_options), output.max_chars),
        Format::Text => text::message(&answer.enrichment(render_options)),
    }
}

/// Renders one chat message about several subjects, for Slack or else for Teams.
pub(crate) fn batch_message(lines: &[BatchLine], format: Format) -> Vec<u8> {
    let overview = overview::Overview::of(lines);
    match format {
        Format::Slack => slack::overview(&overview),
        Format::Json
        | Format::Ocsf
        | Format::OcsfNdjson
        | Format::Ecs
        | Format::Teams
        | Format::Markdown
        | Format::Text => teams::overview(&overview),
    }
}
