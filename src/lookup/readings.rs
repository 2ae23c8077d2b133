//! What a text can mean: a `value` is asked as everything that its form allows, until something is found.

use super::scope::RequestScope;
use super::{EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, Kind, Machine, Question, Subject};
use crate::domain::warning::{Warning, WarningCode};

/// One thing that a question can mean.
pub(super) struct Reading<'q> {
    pub(super) subject: &'q Subject,
    pub(super) input: &'q str,
    pub(super) steps: Vec<Step>,
    pub(super) names: Names,
}

/// Which devices a full name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those of the name, and where there are none, those that have no domain and are called like its first label.
    Any,
    /// Those of the name.
    Whole,
    /// Those that are called like its first label, where none has the name.
    FirstLabel,
}

impl<'q> Reading<'q> {
    fn new(question: &'q Question, subject: &'q Subject, names: Names) -> Self {
        let kind = subject.kind();
        let mut steps = question.steps.clone();
        for step in steps.iter_mut().filter(|step| step.step == StepName::DetectedKind) {
            kind.as_str().clone_into(&mut step.to);
        }
        Self { subject, input: &question.input, steps, names }
    }
}

/// What a question can mean: the first, and the others in the order in which they are asked. The first label of a full
/// name comes last.
fn readings(question: &Question) -> (Reading<'_>, Vec<Reading<'_>>) {
    if question.further.is_empty() {
        return (Reading::new(question, &question.subject, Names::Any), Vec::new());
    }
    let reading = |names| move |subject| Reading::new(question, subject, names);
    let is_full_name =
        |subject: &&Subject| matches!(subject, Subject::Machine(Machine::Name(name)) if !name.is_short());
    let full_names = std::iter::once(&question.subject).chain(&question.further).filter(is_full_name);
    let others = question.further.iter().map(reading(Names::Whole));
    (reading(Names::Whole)(&question.subject), others.chain(full_names.map(reading(Names::FirstLabel))).collect())
}

impl Enricher {
    /// Answers a question by the first of its readings that finds something. A reading that fails does not keep the
    /// others from being asked; but where they find nothing, nobody knows what it would have found.
    pub(super) async fn first_that_finds(
        &self,
        question: &Question,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let (first, others) = readings(question);
        let mut outcome = self.enrich_within(&first, scope).await;
        let mut partial: Vec<Warning> = Vec::new();
        for reading in &others {
            if outcome.as_ref().is_ok_and(|answer| answer.findings.found()) {
                return outcome;
            }
            match (self.enrich_within(reading, scope).await, &outcome) {
                (Ok(answer), _) if answer.findings.found() => return Ok(answer),
                // A device that is known by its first label tells more than that its full name is not known.
                (Ok(answer), Ok(before))
                    if reading.names == Names::FirstLabel && answer.findings.known && !before.findings.known =>
                {
                    outcome = Ok(answer);
                }
                // Who may have missed something does not tell that nothing is known.
                (Ok(answer), Ok(before)) if !before.findings.known && answer.partial().next().is_some() => {
                    outcome = Ok(answer);
                }
                (Ok(answer), Ok(_)) => partial.extend(answer.partial().cloned()),
                (Err(error), Ok(_)) => outcome = Err(error),
                (Ok(_) | Err(_), Err(_)) => {}
            }
        }
        let mut answer = outcome?;
        if !answer.findings.found() {
            partial.retain(|warning| !answer.warnings.contains(warning));
            answer.warnings.append(&mut partial);
            answer.warnings.extend(tried_as(&first, &others));
        }
        Ok(answer)
    }
}

/// As what a question was asked, where it was asked as several kinds.
fn tried_as(first: &Reading<'_>, others: &[Reading<'_>]) -> Option<Warning> {
    let readings = || std::iter::once(first).chain(others);
    let mut kinds: Vec<Kind> = Vec::new();
    for reading in readings() {
        let kind = reading.subject.kind();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let (last, others) = kinds.split_last().filter(|(_, others)| !others.is_empty())?;
    let others: Vec<_> = others.iter().map(|kind| kind.as_str()).collect();
    let mut detail = format!("Nothing was found: this was asked as {} and as {}.", others.join(", as "), last.as_str());
    if let Some(hint) = readings().find_map(|reading| display_name(reading.subject)) {
        detail.push(' ');
        detail.push_str(hint);
    }
    Some(Warning { code: WarningCode::TriedAs, detail })
}

/// What somebody should know who has asked for an account by what could be a person's name.
pub(super) fn display_name(subject: &Subject) -> Option<&'static str> {
    let has_blank = |account: &Account| account.name().contains(' ');
    matches!(subject, Subject::User(account) if has_blank(account)).then_some(
        "A display name is no account name: if this is one, ask for the account name or the user principal name.",
    )
}
