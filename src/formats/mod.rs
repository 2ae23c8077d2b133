//! Renders answers: one file per format. This module does no I/O and depends only on the domain.

mod context;
mod defang;
mod digest;
mod ecs;
mod escape;
mod facts;
mod filled;
mod fit;
mod format;
mod json;
mod markdown;
mod names;
mod ocsf;
mod overview;
mod safe_text;
#[cfg(test)]
mod sample;
mod slack;
mod sparse;
mod teams;
mod text;
mod without;

pub(crate) use fit::fits;
pub use format::{BodyKind, Format};
pub use overview::BatchLine;

use crate::domain::enrichment::{Answer, RenderOptions};
use format::Renderer;
pub(crate) use overview::markdown_lines;
use safe_text::SafeText;

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
    match output.format.spec().renderer {
        Renderer::Fitted(write) => fit::fit_body(answer, render_options, max_bytes, write),
        Renderer::Limited(write) => write(&answer.enrichment(render_options), output),
    }
}

/// Returns a text on one line, without invisible characters and with defanged addresses, cut to `max_chars` characters.
/// Defanging may add some.
pub(crate) fn safe_line(text: &str, max_chars: usize) -> String {
    SafeText::new(text, max_chars).escaped(usize::MAX, escape::PLAIN)
}

/// Renders one chat message about several subjects. A format that has none gives that of Teams.
pub fn batch_message(lines: &[BatchLine], format: Format) -> Vec<u8> {
    let write = format.spec().batch_renderer.unwrap_or(teams::overview);
    write(&overview::Overview::of(lines))
}
