//! The results of a check, row by row as they arrive.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::api::Code;

/// The result of checking a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The part works.
    Good,
    /// The part works; there is news about it that nobody here can change.
    Notice,
    /// The part works, but needs attention.
    Warning,
    /// The part does not work.
    Wrong,
    /// The part was not checked, or cannot be checked.
    Skipped,
}

impl Status {
    /// The word in the table that the function answers.
    fn as_str(self) -> &'static str {
        match self {
            Self::Good | Self::Notice => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
            Self::Skipped => "skipped",
        }
    }
}

/// A part with its result.
#[derive(Debug)]
pub(crate) struct Row {
    /// Indented below the part that it belongs to.
    pub(crate) part: String,
    pub(crate) status: Status,
    /// One line.
    pub(crate) detail: String,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 3)?;
        row.serialize_field("name", self.part.trim_start())?;
        row.serialize_field("status", self.status.as_str())?;
        row.serialize_field("detail", &self.detail)?;
        row.end()
    }
}

/// The results of all parts.
pub(crate) struct Report<'a> {
    rows: Vec<Row>,
    /// The codes of what is wrong, each once.
    codes: Vec<Code>,
    /// The number of parts that only the deployed function can check.
    unproven: usize,
    /// Gets each row when it is added.
    watch: &'a mut (dyn FnMut(&Row) + Send),
}

impl<'a> Report<'a> {
    pub(crate) fn new(watch: &'a mut (dyn FnMut(&Row) + Send)) -> Self {
        Self { rows: Vec::new(), codes: Vec::new(), unproven: 0, watch }
    }

    pub(crate) fn good(&mut self, part: &str, detail: &str) {
        self.add(Status::Good, part, detail);
    }

    pub(crate) fn notice(&mut self, part: &str, detail: &str) {
        self.add(Status::Notice, part, detail);
    }

    pub(crate) fn warning(&mut self, part: &str, detail: &str) {
        self.add(Status::Warning, part, detail);
    }

    /// Reports a part that does not work, with the code that callers get for it; without one for a part of another service.
    pub(crate) fn wrong(&mut self, part: &str, code: impl Into<Option<Code>>, detail: &str) {
        if let Some(code) = code.into().filter(|code| !self.codes.contains(code)) {
            self.codes.push(code);
        }
        self.add(Status::Wrong, part, detail);
    }

    pub(crate) fn skipped(&mut self, part: &str, detail: &str) {
        self.add(Status::Skipped, part, detail);
    }

    /// Reports a part that cannot be checked from here, and that must be checked elsewhere.
    pub(crate) fn unproven(&mut self, part: &str, detail: &str) {
        self.unproven += 1;
        self.add(Status::Skipped, part, detail);
    }

    fn add(&mut self, status: Status, part: &str, detail: &str) {
        // The detail may come from a foreign service, so control characters must reach neither a terminal nor a log.
        let detail = detail.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let row = Row { part: part.to_owned(), status, detail };
        (self.watch)(&row);
        self.rows.push(row);
    }

    /// The number of parts with this result.
    pub(crate) fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// The number of parts that must be checked elsewhere.
    #[cfg(feature = "cli")]
    pub(crate) fn count_unproven(&self) -> usize {
        self.unproven
    }

    /// Ends the report, and writes it into the log.
    pub(super) fn finish(self) -> Table {
        let (failed, warnings) = (self.count(Status::Wrong), self.count(Status::Warning));
        let codes = self.codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(" ");
        let findings: Vec<String> = self
            .rows
            .iter()
            .filter(|row| matches!(row.status, Status::Wrong | Status::Warning))
            .map(|row| format!("{}: {}", row.part.trim_start(), row.detail))
            .collect();
        let findings = findings.join("; ");
        let findings = Some(findings.as_str()).filter(|findings| !findings.is_empty());
        tracing::info!(ok = failed == 0, failed, warnings, codes, findings, "check");
        Table { ok: failed == 0, checks: self.rows }
    }
}

/// What the function answers when it is asked to check itself.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    ok: bool,
    checks: Vec<Row>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_ok_unless_a_part_is_wrong() {
        let mut lines = 0;
        let mut watch = |_: &Row| lines += 1;
        let mut report = Report::new(&mut watch);
        report.good("callers", "with keys: demo");
        report.notice("end", "announced");
        report.warning("  Slack", "guessable");
        report.unproven("token", "not from here");
        assert_eq!((report.count(Status::Wrong), report.count(Status::Warning), report.count_unproven()), (0, 1, 1));
        let table = serde_json::to_value(report.finish()).unwrap();
        let statuses: Vec<_> = table["checks"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
        assert_eq!(
            (&table["ok"], statuses),
            (&json!(true), vec![json!("ok"), json!("ok"), json!("warning"), json!("skipped")])
        );
        assert_eq!(table["checks"][2]["name"], "Slack");
        assert_eq!(lines, 4);
    }

    #[test]
    fn codes_of_what_is_wrong_are_named_once_and_details_are_one_line() {
        let mut watch = |_: &Row| {};
        let mut report = Report::new(&mut watch);
        report.wrong("a", Code::UpstreamAuth, "one\n\u{1b}[31mtwo");
        report.wrong("b", Code::UpstreamAuth, "again");
        assert_eq!(report.codes, [Code::UpstreamAuth]);
        let table = serde_json::to_value(report.finish()).unwrap();
        assert_eq!((&table["ok"], &table["checks"][0]["detail"]), (&json!(false), &json!("one  [31mtwo")));
    }
}
