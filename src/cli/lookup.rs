//! `lookup`: one question, its answer on standard output.

use std::process::ExitCode;

use super::{BAD_INPUT, CommandError, NO_ANSWER, Stage, complain, is_on_terminal, print};
use crate::api::one_line_message;
use crate::domain::enrichment::RenderOptions;
use crate::domain::subject::Question;
use crate::domain::subject::field_names::Named;
use crate::formats::{self, Format, OutputOptions};
use crate::lookup::{Context, Deadline};

/// Alerts that are listed: all that a caller can ask for.
const LISTED: usize = 500;

pub(super) async fn run(
    named: Named,
    value: &str,
    format: Option<Format>,
    demo: bool,
) -> Result<ExitCode, CommandError> {
    let question = match Question::named(named, value) {
        Ok(question) => question,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::from(BAD_INPUT));
        }
    };
    let format = format.unwrap_or_else(|| default_format(is_on_terminal()));
    let stage = Stage::set(demo).await?;
    let ctx = Context::new(Deadline::after(stage.settings.timeout), "lookup", None);
    match stage.service.enricher.enrich(&question, &ctx).await {
        Ok(answer) => {
            let render_options = RenderOptions { limit: LISTED, raw: false, warnings: Vec::new(), notified: None };
            let body = formats::render(&answer, &render_options, OutputOptions::of(format), usize::MAX);
            let text = String::from_utf8_lossy(&body);
            // An event per alert, and no alert.
            if !text.is_empty() {
                print(text.trim_end_matches('\n'))?;
            }
            Ok(if answer.findings.found() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Err(error) => {
            complain(&one_line_message(error));
            Ok(ExitCode::from(NO_ANSWER))
        }
    }
}

/// People read text, programs JSON.
fn default_format(is_on_terminal: bool) -> Format {
    if is_on_terminal { Format::Text } else { Format::Json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_text_and_a_pipe_json() {
        assert_eq!((default_format(true), default_format(false)), (Format::Text, Format::Json));
    }
}
