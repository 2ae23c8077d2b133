//! The subjects that were found in somebody else's record, and the fields that were to name one and cannot: each once, in
//! their order, within the bound of a batch.

use std::collections::HashSet;

use crate::domain::subject::field_names::Named;
use crate::domain::subject::{Kind, Question, Subject, SubjectError};

/// As many as a batch takes.
const MOST: usize = 25;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtractedSubjects {
    items: Vec<Result<Question, Unusable>>,
    seen: HashSet<(Option<Kind>, String)>,
}

/// A field that is to name a subject, and whose text cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What the field is to name; `None`: anything.
    pub kind: Option<Kind>,
    /// The field, as the record calls it.
    pub field: String,
    /// What it holds.
    pub text: String,
    /// Why that cannot be asked.
    pub error: SubjectError,
}

impl ExtractedSubjects {
    /// Subjects and unusable fields, at most 25.
    pub fn items(&self) -> &[Result<Question, Unusable>] {
        &self.items
    }

    /// Whether there is neither a subject nor an unusable field.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many there were beyond these.
    pub fn left_out(&self) -> usize {
        self.seen.len() - self.items.len()
    }

    /// Adds a subject, unless it is there already. Names and digests are the same in either case.
    pub(super) fn add(&mut self, question: Question) {
        let name = match &question.subject {
            Subject::User(account) => account.as_given(),
            subject => subject.id(),
        };
        if self.seen.insert((Some(question.subject.kind()), name.to_lowercase())) && self.items.len() < MOST {
            self.items.push(Ok(question));
        }
    }

    /// Adds what a field of this name holds: the subject, or the reason why it is none.
    pub(super) fn add_field(&mut self, field: &str, named: Named, text: &str, read: Result<Question, SubjectError>) {
        match read {
            Ok(question) => self.add(question),
            Err(error) => {
                let kind = named.kind();
                if self.seen.insert((kind, text.to_lowercase())) && self.items.len() < MOST {
                    let (field, text) = (field.to_owned(), text.to_owned());
                    self.items.push(Err(Unusable { kind, field, text, error }));
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Kind and id of each subject.
    pub(crate) fn listed(found: &ExtractedSubjects) -> Vec<String> {
        let line = |question: &Question| format!("{} {}", question.subject.kind().as_str(), question.subject.id());
        found.items().iter().flatten().map(line).collect()
    }

    /// Field and text of each that cannot be asked.
    pub(crate) fn unusable(found: &ExtractedSubjects) -> Vec<String> {
        let line = |unusable: &Unusable| format!("{}={}", unusable.field, unusable.text);
        found.items().iter().filter_map(|item| item.as_ref().err()).map(line).collect()
    }

    #[test]
    fn each_is_there_once_and_25_in_all() {
        let mut found = ExtractedSubjects::default();
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
        assert_eq!((found.items().len(), found.left_out()), (25, 9));
    }
}
