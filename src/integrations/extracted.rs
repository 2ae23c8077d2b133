//! The subjects extracted from a sender's record, and the fields that hold no valid subject: without duplicates, in
//! order, at most as many as a batch takes.

use std::collections::HashSet;

use crate::domain::subject::field_names::FieldMeaning;
use crate::domain::subject::{Kind, Question, Subject, SubjectError};

/// The size of a batch.
const MAX_SUBJECTS: usize = 25;

/// The subjects of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtractedSubjects {
    items: Vec<Result<Question, Unusable>>,
    seen: HashSet<(Option<Kind>, String)>,
}

/// A field that should name a subject, and whose text is not a valid one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// The kind that the field should name; `None`: any.
    pub(crate) kind: Option<Kind>,
    /// The field in the body, as a JSON pointer.
    pub(crate) pointer: String,
    /// The field's text.
    pub(crate) text: String,
    /// Why the text is not a valid subject.
    pub(crate) error: SubjectError,
}

impl ExtractedSubjects {
    /// The subjects and unusable fields, at most 25.
    pub(crate) fn items(&self) -> &[Result<Question, Unusable>] {
        &self.items
    }

    /// Whether the record holds neither a subject nor an unusable field.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of items beyond the limit.
    pub(crate) fn left_out(&self) -> usize {
        self.seen.len() - self.items.len()
    }

    /// Adds a subject, unless it is present already. Names and digests are compared without regard to case.
    pub(super) fn add(&mut self, question: Question) {
        let name = match &question.subject {
            Subject::User(account) => account.as_given(),
            subject => subject.id(),
        };
        if self.seen.insert((Some(question.subject.kind()), name.to_lowercase())) && self.items.len() < MAX_SUBJECTS {
            self.items.push(Ok(question));
        }
    }

    /// Adds the content of a field: the subject, or the error.
    pub(super) fn add_field(
        &mut self,
        pointer: String,
        named: FieldMeaning,
        text: &str,
        read: Result<Question, SubjectError>,
    ) {
        match read {
            Ok(question) => self.add(question),
            Err(error) => {
                let kind = named.kind();
                if self.seen.insert((kind, text.to_lowercase())) && self.items.len() < MAX_SUBJECTS {
                    self.items.push(Err(Unusable { kind, pointer, text: text.to_owned(), error }));
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns kind and id of each subject.
    pub(crate) fn subject_ids(subjects: &ExtractedSubjects) -> Vec<String> {
        let line = |question: &Question| format!("{} {}", question.subject.kind().as_str(), question.subject.id());
        subjects.items().iter().flatten().map(line).collect()
    }

    /// Returns pointer and text of each unusable field.
    pub(crate) fn unusable(subjects: &ExtractedSubjects) -> Vec<String> {
        let line = |unusable: &Unusable| format!("{}={}", unusable.pointer, unusable.text);
        subjects.items().iter().filter_map(|item| item.as_ref().err()).map(line).collect()
    }

    #[test]
    fn items_are_unique_and_at_most_25() {
        let mut subjects = ExtractedSubjects::default();
        for name in ["desk-042", "DESK-042", "desk-043"] {
            subjects.add(Question::parse(Kind::Machine, name).expect("a name"));
        }
        for name in ["CONTOSO\\dana", "contoso\\DANA", "FABRIKAM\\dana"] {
            subjects.add(Question::parse(Kind::User, name).expect("a name"));
        }
        assert_eq!(subject_ids(&subjects), ["machine desk-042", "machine desk-043", "user dana", "user dana"]);
        for number in 1..=30 {
            for _ in 0..2 {
                subjects.add(Question::parse(Kind::Incident, &number.to_string()).expect("a number"));
            }
        }
        assert_eq!((subjects.items().len(), subjects.left_out()), (25, 9));
    }
}
