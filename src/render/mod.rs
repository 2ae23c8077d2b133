//! From an answer to bytes, one file per format. Pure; knows the domain only.

mod defang;
mod digest;
mod ecs;
mod escape;
mod facts;
mod fit;
mod format;
#[cfg(test)]
mod hostile;
mod json;
#[cfg(test)]
mod live;
mod markdown;
mod names;
mod ocsf;
mod overview;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;
mod shown;
mod slack;
mod teams;
mod text;
mod writing;

pub(crate) use fit::fits;
pub use format::Format;
pub(crate) use overview::BatchLine;
pub use writing::BodyForm;

use crate::domain::enrichment::{Answer, Showing};

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its format.
    pub format: Format,
    /// Characters of a ticket comment, at most.
    pub max_chars: usize,
    /// What its body is written as.
    pub form: BodyForm,
}

impl Shape {
    /// Characters of a ticket comment unless told otherwise.
    pub const MAX_CHARS: usize = 3000;
    /// With fewer there is no room for a headline and a link.
    pub const LEAST_CHARS: usize = 500;
    /// What the longest of ticket systems take in one comment.
    pub const MOST_CHARS: usize = 30_000;

    /// A format with its defaults.
    pub const fn of(format: Format) -> Self {
        Self { format, max_chars: Self::MAX_CHARS, form: BodyForm::Plain }
    }
}

/// The answer in a shape, within `most` escaped bytes.
pub fn render(answer: &Answer, showing: &Showing, shape: Shape, most: usize) -> Vec<u8> {
    let form = shape.form;
    let message = match shape.format {
        Format::Json => return fit::fitted(answer, showing, most, form, json::document),
        Format::Ocsf => return fit::fitted(answer, showing, most, form, ocsf::document),
        Format::OcsfNdjson => return fit::fitted(answer, showing, most, form, ocsf::lines),
        Format::Ecs => return fit::fitted(answer, showing, most, form, ecs::documents),
        // These are small by themselves.
        Format::Slack => slack::message(&answer.enrichment(showing)),
        Format::Teams => teams::message(&answer.enrichment(showing)),
        Format::Markdown => markdown::comment(&answer.enrichment(showing), shape.max_chars),
        Format::Text => text::message(&answer.enrichment(showing)),
    };
    writing::text(message, form)
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
