//! From an answer to bytes, one file per format. Pure; knows the domain only.

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

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputOptions {
    /// Its format.
    pub format: Format,
    /// Characters of a ticket comment, at most.
    pub max_chars: usize,
}

impl OutputOptions {
    /// Characters of a ticket comment unless told otherwise.
    pub const DEFAULT_MAX_CHARS: usize = 3000;
    /// With fewer there is no room for a headline and a link.
    pub const MIN_CHARS: usize = 500;
    /// What the longest of ticket systems take in one comment.
    pub const MAX_CHARS: usize = 30_000;

    /// A format with its defaults.
    pub const fn of(format: Format) -> Self {
        Self { format, max_chars: Self::DEFAULT_MAX_CHARS }
    }
}

/// The answer in a shape, within `most` escaped bytes.
pub fn render(answer: &Answer, render_options: &RenderOptions, shape: OutputOptions, most: usize) -> Vec<u8> {
    match shape.format {
        Format::Json => fit::fitted(answer, render_options, most, json::document),
        Format::Ocsf => fit::fitted(answer, render_options, most, ocsf::document),
        Format::OcsfNdjson => fit::fitted(answer, render_options, most, ocsf::lines),
        Format::Ecs => fit::fitted(answer, render_options, most, ecs::documents),
        // These are small by themselves.
        Format::Slack => slack::message(&answer.enrichment(render_options)),
        Format::Teams => teams::message(&answer.enrichment(render_options)),
        Format::Markdown => markdown::comment(&answer.enrichment(render_options), shape.max_chars),
        Format::Text => text::message(&answer.enrichment(render_options)),
    }
}

/// One message about several subjects, for a chat: in Slack's form, or else in that of Teams.
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
