//! The table that `check` prints, line by line as it comes about.

use std::process::ExitCode;

use crate::cli::{CommandError, print};

/// What a line says about its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// It works.
    Good,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Wrong,
    /// It was not tried, or cannot be told.
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

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    wrong: usize,
    /// Parts that only the deployed function can prove.
    unproven: usize,
    /// Why a line could not be written. The first one is told at the end.
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

    /// Something that this machine cannot try, and that has to be tried elsewhere.
    pub(super) fn unproven(&mut self, part: &str, detail: &str) {
        self.unproven += 1;
        self.line(Status::Skipped, part, detail);
    }

    fn line(&mut self, status: Status, part: &str, detail: &str) {
        // A part of it may come from a service at any address: a terminal takes no orders from there.
        let detail: String = detail.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        self.print(&format!("{:<6} {part:<34} {detail}", status.mark()));
    }

    fn print(&mut self, line: &str) {
        if let Err(error) = print(line) {
            self.failure.get_or_insert(error);
        }
    }

    /// Prints the verdict, which is also the exit status.
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
