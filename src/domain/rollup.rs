//! Aggregates all alerts of an answer.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::alert::Alert;
use super::timestamp::Timestamp;
use super::vocabulary::{AlertStatus, AlertVerdict, ClosedVocabulary, Severity, Verdict};

/// How many alerts there are, listed or not.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// All of them.
    pub alerts: usize,
    /// Those that are not resolved.
    pub open: usize,
    /// Those that are.
    pub resolved: usize,
    /// By severity.
    pub by_severity: Tally<Severity>,
    /// By status.
    pub by_status: Tally<AlertStatus>,
    /// By verdict.
    pub by_verdict: Tally<AlertVerdict>,
}

impl Counts {
    /// Counts these alerts.
    pub(super) fn of(alerts: &[Alert]) -> Self {
        let (mut by_severity, mut by_status, mut by_verdict) = (Tally::new(), Tally::new(), Tally::new());
        let mut open = 0;
        for alert in alerts {
            by_severity.add(alert.severity);
            by_status.add(alert.status);
            by_verdict.add(alert.verdict);
            open += usize::from(alert.status.is_open());
        }
        Self { alerts: alerts.len(), open, resolved: alerts.len() - open, by_severity, by_status, by_verdict }
    }
}

/// A count for each word of a closed vocabulary. Every word is a key, also with count 0.
#[derive(Clone, Debug)]
pub struct Tally<W: ClosedVocabulary> {
    times: Vec<(W, usize)>,
}

impl<W: ClosedVocabulary> Tally<W> {
    fn new() -> Self {
        Self { times: W::ALL.iter().map(|word| (*word, 0)).collect() }
    }

    fn add(&mut self, word: W) {
        for (_, times) in self.times.iter_mut().filter(|(known, _)| *known == word) {
            *times += 1;
        }
    }

    /// Returns the count of this word.
    pub fn count(&self, word: W) -> usize {
        self.times.iter().find(|(known, _)| *known == word).map_or(0, |(_, times)| *times)
    }
}

impl<W: ClosedVocabulary> Serialize for Tally<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.times.len()))?;
        for (word, times) in &self.times {
            map.serialize_entry(word.as_str(), times)?;
        }
        map.end()
    }
}

impl<W: ClosedVocabulary + JsonSchema> JsonSchema for Tally<W> {
    fn schema_name() -> Cow<'static, str> {
        format!("TallyOf{}", W::schema_name()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let keys: Vec<_> = W::ALL.iter().map(|word| word.as_str()).collect();
        let properties: serde_json::Map<_, _> =
            keys.iter().map(|key| ((*key).to_owned(), serde_json::json!({"type": "integer", "minimum": 0}))).collect();
        json_schema!({"type": "object", "properties": properties, "required": keys})
    }
}

/// Returns the highest severity of these alerts; `None` if there are none.
pub(super) fn highest<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Option<Severity> {
    alerts.map(|alert| alert.severity).max_by_key(|severity| severity.rank())
}

/// Returns the verdict over all these alerts.
pub(super) fn verdict(alerts: &[Alert]) -> Verdict {
    let Some(first) = alerts.first() else { return Verdict::None };
    let any = |verdict| alerts.iter().any(|alert| alert.verdict == verdict);
    if any(AlertVerdict::TruePositive) {
        Verdict::TruePositive
    } else if alerts.iter().all(|alert| alert.verdict == first.verdict) {
        first.verdict.into()
    } else if any(AlertVerdict::Undetermined) {
        Verdict::Undetermined
    } else {
        Verdict::Mixed
    }
}

/// The times of these alerts: first activity, last activity and last change.
pub(super) struct Span {
    pub(super) first_seen: Option<Timestamp>,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
}

impl Span {
    pub(super) fn of(alerts: &[Alert]) -> Self {
        Self {
            first_seen: alerts.iter().filter_map(|alert| alert.first_seen).min(),
            last_seen: alerts.iter().filter_map(|alert| alert.last_seen).max(),
            updated_at: alerts.iter().filter_map(|alert| alert.updated_at).max(),
        }
    }
}

/// Returns the alerts in the order of the answer: open first, then severity, then `last_seen` newest first, then id.
pub(super) fn ordered(alerts: &[Alert]) -> Vec<&Alert> {
    let mut ordered: Vec<&Alert> = alerts.iter().collect();
    ordered.sort_by_key(|alert| {
        (
            !alert.status.is_open(),
            Reverse(alert.severity.rank()),
            Reverse(alert.last_seen),
            alert.id.as_deref().unwrap_or_default(),
        )
    });
    ordered
}

/// Returns the distinct texts in the order of first occurrence.
pub(super) fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    texts.filter(|text| seen.insert(*text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_without_an_attack_are_undetermined_or_mixed() {
        use AlertVerdict::{Benign, FalsePositive, TruePositive, Undetermined};
        for (verdicts, together) in [
            ([Benign, Undetermined, FalsePositive], Verdict::Undetermined),
            ([Benign, FalsePositive, Benign], Verdict::Mixed),
            ([Benign, Undetermined, TruePositive], Verdict::TruePositive),
        ] {
            let alerts = verdicts.map(|verdict| Alert { verdict, ..Alert::default() });
            assert_eq!(super::verdict(&alerts), together);
        }
    }
}
