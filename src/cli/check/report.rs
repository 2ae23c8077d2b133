//! The table that `check` prints, line by line as results arrive.

use std::process::ExitCode;

use crate::cli::{CommandError, print};

/// The result of checking a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// The part works.
    Good,
    /// The part works, but needs attention.
    Warning,
    /// The part does not work.
    Wrong,
    /// The part was not checked, or cannot be checked.
    Skipped,
}

impl Status {
    fn mark(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "NOTE",
            Self::Wrong => "WRONG",
            Self::Skipped => "-",
        }
    }
}

/// The results of all parts.
#[derive(Debug, Default)]
pub(super) struct Report {
    wrong: usize,
    /// The number of parts that only the deployed function can check.
    unproven: usize,
    /// The first error of writing a line, which the end of the report returns.
    failure: Option<CommandError>,
}

impl Report {
    pub(super) fn good(&mut self, part: &str, detail: &str) {
        self.line(Status::Good, part, detail);
    }

    pub(super) fn warning(&mut self, part: &str, detail: &str) {
        self.line(Status::Warning, part, detail);
    }

    pub(super) fn wrong(&mut self, part: &str, detail: &str) {
        self.wrong += 1;
        self.line(Status::Wrong, part, detail);
    }

    pub(super) fn skipped(&mut self, part: &str, detail: &str) {
        self.line(Status::Skipped, part, detail);
    }

    /// Reports a part that this machine cannot check, and that must be checked elsewhere.
    pub(super) fn unproven(&mut self, part: &str, detail: &str) {
        self.unproven += 1;
        self.line(Status::Skipped, part, detail);
    }

    fn line(&mut self, status: Status, part: &str, detail: &str) {
        // The detail may come from a foreign service, so control characters must not reach the terminal.
        let detail: String =
            detail.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        self.print(&format!("{:<6} {part:<34} {detail}", status.mark()));
    }

    fn print(&mut self, line: &str) {
        if let Err(error) = print(line) {
            self.failure.get_or_insert(error);
        }
    }

    /// Prints the verdict, which also determines the exit status.
    pub(super) fn end(mut self) -> Result<ExitCode, CommandError> {
        let verdict = match (self.wrong, self.unproven) {
            (0, 0) => "All is well.".to_owned(),
            (0, _) => "Nothing is wrong, as far as it can be told from here.".to_owned(),
            (1, _) => "1 thing is wrong.".to_owned(),
            (wrong, _) => format!("{wrong} things are wrong."),
        };
        self.print(&format!("\n{verdict}"));
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(ExitCode::from(u8::from(self.wrong > 0))),
        }
    }
}
