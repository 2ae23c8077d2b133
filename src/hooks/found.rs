//! The subjects that were found in somebody else's record: each once, in the order of sight, within the bound of a batch.

use std::collections::HashSet;

use crate::domain::subject::{Kind, Question, Subject};

/// As many as a batch takes.
const MOST: usize = 25;
/// What stands for "no value"; Splunk's data models fill with `unknown`.
const PLACEHOLDERS: [&str; 7] = ["-", "unknown", "n/a", "none", "null", "undefined", "not available"];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    questions: Vec<Question>,
    seen: HashSet<(Kind, String)>,
}

impl Found {
    /// The questions, at most 25.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// How many distinct subjects there were beyond these.
    pub fn left_out(&self) -> usize {
        self.seen.len() - self.questions.len()
    }

    /// Adds a subject, unless it is there already. Names and digests are the same in either case.
    pub(super) fn add(&mut self, question: Question) {
        let name = match &question.subject {
            Subject::User(account) => account.as_given(),
            subject => subject.id(),
        };
        if self.seen.insert((question.subject.kind(), name.to_lowercase())) && self.questions.len() < MOST {
            self.questions.push(question);
        }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.questions.iter().any(|question| question.subject.kind() == kind)
    }
}

/// Whether a text stands for "no value".
pub(super) fn says_nothing(text: &str) -> bool {
    text.is_empty() || PLACEHOLDERS.iter().any(|placeholder| text.eq_ignore_ascii_case(placeholder))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Kind and id of each.
    pub(crate) fn listed(found: &Found) -> Vec<String> {
        let line = |question: &Question| format!("{} {}", question.subject.kind().as_str(), question.subject.id());
        found.questions().iter().map(line).collect()
    }

    #[test]
    fn each_is_there_once_and_25_in_all() {
        let mut found = Found::default();
        for name in ["desk-042", "DESK-042", "desk-043"] {
            found.add(Question::parse(Kind::Machine, name).expect("a name"));
        }
        for name in ["CONTOSO\\dana", "contoso\\DANA", "FABRIKAM\\dana"] {
            found.add(Question::parse(Kind::User, name).expect("a name"));
        }
        assert_eq!(listed(&found), ["machine desk-042", "machine desk-043", "user dana", "user dana"]);
        for number in 1..=30 {
            for _ in 0..2 {
                found.add(Question::parse(Kind::Incident, &number.to_string()).expect("a number"));
            }
        }
        assert_eq!((found.questions().len(), found.left_out()), (25, 9));
    }
}
