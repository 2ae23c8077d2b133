//! `lookup`: answers one question on standard output.

use std::process::ExitCode;

use super::advice::error_message;
use super::{BAD_INPUT, CommandError, NO_ANSWER, Session, is_on_terminal, print, print_error};
use crate::api::is_bad_input;
use crate::domain::enrichment::RenderOptions;
use crate::domain::subject::Question;
use crate::domain::subject::field_names::FieldMeaning;
use crate::formats::{self, Format, OutputOptions};
use crate::lookup::{Context, Deadline};

/// The number of listed alerts: the maximum that a caller can request.
const MAX_ALERTS: usize = 500;

pub(super) async fn run(
    named: FieldMeaning,
    value: &str,
    format: Option<Format>,
    demo: bool,
) -> Result<ExitCode, CommandError> {
    let question = match Question::from_field(named, value) {
        Ok(question) => question,
        Err(error) => {
            print_error(&error.to_string());
            return Ok(ExitCode::from(BAD_INPUT));
        }
    };
    let format = format.unwrap_or_else(|| default_format(is_on_terminal()));
    let session = Session::start(demo).await?.with_aws_credentials().await?;
    let ctx = Context::new(Deadline::after(session.settings.timeout), "lookup", None);
    match session.service.enricher.enrich(&question, &ctx).await {
        Ok(answer) => {
            let render_options = RenderOptions { limit: MAX_ALERTS, raw: false, warnings: Vec::new(), notified: None };
            let body = formats::render(&answer, &render_options, OutputOptions::of(format), usize::MAX);
            let text = String::from_utf8_lossy(&body);
            // A format with one event per alert is empty if there are no alerts.
            if !text.is_empty() {
                print(text.trim_end_matches('\n'))?;
            }
            Ok(if answer.findings.found() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Err(error) => {
            let code = if is_bad_input(&error) { BAD_INPUT } else { NO_ANSWER };
            print_error(&error_message(error));
            Ok(ExitCode::from(code))
        }
    }
}

/// The default format: text for people, JSON for programs.
fn default_format(is_on_terminal: bool) -> Format {
    if is_on_terminal { Format::Text } else { Format::Json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_gets_text_and_pipe_gets_json() {
        assert_eq!((default_format(true), default_format(false)), (Format::Text, Format::Json));
    }
}
