//! The interpretations of a question: a `value` is looked up as each kind that its form permits, until something is found.

use super::scope::RequestScope;
use super::{EnrichError, Enricher};
use crate::domain::enrichment::Answer;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Account, Kind, Machine, Question, Subject};
use crate::domain::warning::{Warning, WarningCode};

/// A question, interpreted as one kind of subject.
pub(super) struct Interpretation<'q> {
    pub(super) subject: &'q Subject,
    pub(super) input: &'q str,
    pub(super) steps: Vec<Step>,
    pub(super) names: NameFilter,
}

/// Which devices match a full name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameFilter {
    /// Devices with the full name. If there are none: devices without a domain that are named like its first label.
    Any,
    /// Only devices with the full name.
    Whole,
    /// Only devices that are named like its first label, if no device has the full name.
    FirstLabel,
}

impl<'q> Interpretation<'q> {
    fn new(question: &'q Question, subject: &'q Subject, names: NameFilter) -> Self {
        let kind = subject.kind();
        let mut steps = question.steps.clone();
        for step in steps.iter_mut().filter(|step| step.step == StepName::DetectedKind) {
            kind.as_str().clone_into(&mut step.to);
        }
        Self { subject, input: &question.input, steps, names }
    }
}

/// Returns the first interpretation of a question, and the others in the order in which they are tried. The first label of a
/// full name comes last.
fn interpretations(question: &Question) -> (Interpretation<'_>, Vec<Interpretation<'_>>) {
    if question.further.is_empty() {
        return (Interpretation::new(question, &question.subject, NameFilter::Any), Vec::new());
    }
    let interpreted = |names| move |subject| Interpretation::new(question, subject, names);
    let is_full_name =
        |subject: &&Subject| matches!(subject, Subject::Machine(Machine::Name(name)) if !name.is_short());
    let full_names = std::iter::once(&question.subject).chain(&question.further).filter(is_full_name);
    let others = question.further.iter().map(interpreted(NameFilter::Whole));
    (
        interpreted(NameFilter::Whole)(&question.subject),
        others.chain(full_names.map(interpreted(NameFilter::FirstLabel))).collect(),
    )
}

impl Enricher {
    /// Answers a question by the first of its interpretations that finds something. If one fails, the others are still
    /// tried. If these find nothing, the error is returned, because the failed one might have found something.
    pub(super) async fn first_that_finds(
        &self,
        question: &Question,
        scope: &RequestScope<'_>,
    ) -> Result<Answer, EnrichError> {
        let (first, others) = interpretations(question);
        let mut outcome = self.enrich_within(&first, scope).await;
        let mut partial: Vec<Warning> = Vec::new();
        for next in &others {
            if outcome.as_ref().is_ok_and(|answer| answer.findings.found()) {
                return outcome;
            }
            match (self.enrich_within(next, scope).await, &outcome) {
                (Ok(answer), _) if answer.findings.found() => return Ok(answer),
                // A device that is known by its first label is a better answer than an unknown full name.
                (Ok(answer), Ok(before))
                    if next.names == NameFilter::FirstLabel && answer.findings.known && !before.findings.known =>
                {
                    outcome = Ok(answer);
                }
                // An incomplete answer does not prove that nothing is known, so it replaces "unknown".
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

/// The warning that lists the kinds, if a question was tried as several kinds.
fn tried_as(first: &Interpretation<'_>, others: &[Interpretation<'_>]) -> Option<Warning> {
    let all = || std::iter::once(first).chain(others);
    let mut kinds: Vec<Kind> = Vec::new();
    for interpretation in all() {
        let kind = interpretation.subject.kind();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let (last, others) = kinds.split_last().filter(|(_, others)| !others.is_empty())?;
    let others: Vec<_> = others.iter().map(|kind| kind.as_str()).collect();
    let mut detail = format!("Nothing was found: this was asked as {} and as {}.", others.join(", as "), last.as_str());
    if let Some(hint) = all().find_map(|interpretation| display_name_hint(interpretation.subject)) {
        detail.push(' ');
        detail.push_str(hint);
    }
    Some(Warning { code: WarningCode::TriedAs, detail })
}

/// Returns a hint for a caller who may have sent a person's display name instead of an account name.
pub(super) fn display_name_hint(subject: &Subject) -> Option<&'static str> {
    let has_blank = |account: &Account| account.name().contains(' ');
    matches!(subject, Subject::User(account) if has_blank(account)).then_some(
        "A display name is no account name: if this is one, ask for the account name or the user principal name.",
    )
}
