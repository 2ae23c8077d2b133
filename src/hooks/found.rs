//! The subjects that were found in somebody else's record: each once, in the order of sight, within the bound of a batch;
//! and what should have named one, and cannot be asked.

use std::collections::HashSet;

use crate::domain::subject::{Kind, Question, Subject, SubjectError};

/// As many as a batch takes.
const MOST: usize = 25;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundItem {
    /// It can be asked about.
    Subject(Question),
    /// A field that names a subject, and is filled with what cannot be asked.
    Unusable {
        /// The field's name, as the record has it.
        field: String,
        /// Why.
        error: SubjectError,
    },
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    items: Vec<FoundItem>,
    seen: HashSet<(Kind, String)>,
    unusable: HashSet<(String, String)>,
}

impl Found {
    /// All, at most 25.
    pub fn items(&self) -> &[FoundItem] {
        &self.items
    }

    /// What can be asked about.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.items.iter().filter_map(|item| match item {
            FoundItem::Subject(question) => Some(question),
            FoundItem::Unusable { .. } => None,
        })
    }

    /// How many distinct ones there were beyond these.
    pub fn left_out(&self) -> usize {
        self.seen.len() + self.unusable.len() - self.items.len()
    }

    /// Adds a subject, unless it is there already. Names and digests are the same in either case.
    pub(super) fn add(&mut self, question: Question) {
        let name = match &question.subject {
            Subject::User(account) => account.as_given(),
            subject => subject.id(),
        };
        if self.seen.insert((question.subject.kind(), name.to_lowercase())) && self.items.len() < MOST {
            self.items.push(FoundItem::Subject(question));
        }
    }

    /// Adds a field that is filled with what cannot be asked.
    pub(super) fn add_unusable(&mut self, field: &str, text: &str, error: SubjectError) {
        if self.unusable.insert((field.to_owned(), text.to_owned())) && self.items.len() < MOST {
            self.items.push(FoundItem::Unusable { field: field.to_owned(), error });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Kind and id of each.
    pub(crate) fn listed(found: &Found) -> Vec<String> {
        let line = |question: &Question| format!("{} {}", question.subject.kind().as_str(), question.subject.id());
        found.questions().map(line).collect()
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
        assert_eq!((found.items().len(), found.left_out()), (25, 9));
        let error = SubjectError::Invalid("none".to_owned());
        found.add_unusable("user", "${user}", error.clone());
        found.add_unusable("user", "${user}", error);
        assert_eq!((found.items().len(), found.left_out()), (25, 10));
    }
}
