//! Warnings in an answer that is otherwise valid.

use schemars::JsonSchema;
use serde::Serialize;

use super::vocabulary::ClosedVocabulary;

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Defender answered about another alert or incident than was asked for.
    AnotherSubject,
    /// Fewer alerts were listed, or the raw body was left out, to keep the answer within the entry point's size limit.
    AnswerCapped,
    /// Advanced hunting found nothing in its 30 days; an older API, which sees further back, was asked.
    BeyondHuntingWindow,
    /// Information about the subject itself was requested, and is not available.
    ContextUnavailable,
    /// One id came with two different alerts; both are listed.
    DuplicateAlertId,
    /// More than 100 different entities of one sort: the list holds the first.
    EntitiesCapped,
    /// Advanced hunting was asked, which sees the last 30 days.
    HuntingWindow,
    /// Nothing has the full name; a device with its first label was taken.
    MatchedShortName,
    /// Alerts of an account of the same name in another domain are among these.
    NamesakeInAnotherDomain,
    /// Not all that Defender has could be read.
    Partial,
    /// A merged incident could not be followed to its end.
    RedirectNotFollowed,
    /// The name fits several devices; one was chosen.
    SeveralDevicesMatch,
    /// Nothing was found; the value was asked as each kind that its form allows.
    TriedAs,
    /// The request holds a field that this service does not know.
    UnknownField,
    /// Defender answers the same for an unknown name and one without alerts.
    UnknownOrNoAlerts,
    /// Defender used a word, or a type of value, that this version does not know.
    UnknownValue,
    /// There were more warnings than an answer holds.
    WarningsCapped,
}

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Warning {
    /// What it is about: stable, for programs.
    pub code: WarningCode,
    /// What happened: for people.
    pub detail: String,
}

/// The distinct warnings of one answer, in the order in which they occurred, at most 100.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    list: Vec<Warning>,
}

/// The most warnings in an answer. A hostile body could cause one for each of its members.
const MAX_WARNINGS: usize = 100;
/// The longest quotation of an upstream word in a warning.
const MAX_QUOTED_CHARS: usize = 80;

impl Warnings {
    /// Adds a warning, unless it is already present.
    pub fn add(&mut self, code: WarningCode, detail: impl Into<String>) {
        let warning = Warning { code, detail: detail.into() };
        if self.list.len() > MAX_WARNINGS || self.list.contains(&warning) {
            return;
        }
        if self.list.len() == MAX_WARNINGS {
            let detail = format!("There were more than {MAX_WARNINGS} warnings; the rest is left out.");
            self.list.push(Warning { code: WarningCode::WarningsCapped, detail });
            return;
        }
        self.list.push(warning);
    }

    /// Adds "MEMBER is WORD, which is none of …".
    pub fn unknown_word<W: ClosedVocabulary>(&mut self, member: &str, word: &str) {
        let known: Vec<_> = W::ALL.iter().map(|word| word.as_str()).collect();
        let detail = format!("{member} is {:?}, which is none of {}.", quoted(word), known.join(", "));
        self.add(WarningCode::UnknownValue, detail);
    }

    /// Adds "MEMBER is not WHAT; it is kept under `extra`".
    pub fn unexpected_type(&mut self, member: &str, expected: &str) {
        let detail = format!("{} is not {expected}; it is kept under extra.", quoted(member));
        self.add(WarningCode::UnknownValue, detail);
    }

    /// Adds "MEMBER is left out".
    pub fn left_out(&mut self, member: &str) {
        let detail = format!("{} is left out: it is nested too deep.", quoted(member));
        self.add(WarningCode::UnknownValue, detail);
    }

    /// Adds other warnings.
    pub fn extend(&mut self, others: &[Warning]) {
        for other in others {
            self.add(other.code, other.detail.clone());
        }
    }

    /// Returns the warnings.
    pub fn into_vec(self) -> Vec<Warning> {
        self.list
    }
}

/// Returns an upstream word, short enough for a sentence.
pub fn quoted(word: &str) -> String {
    let mut short: String = word.chars().take(MAX_QUOTED_CHARS).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_distinct_and_bounded() {
        let mut warnings = Warnings::default();
        for n in 0..500 {
            warnings.add(WarningCode::UnknownValue, format!("word {}", n / 2));
        }
        let list = warnings.into_vec();
        assert_eq!(list.len(), MAX_WARNINGS + 1);
        assert_eq!(list.last().map(|last| last.code), Some(WarningCode::WarningsCapped));
    }
}
