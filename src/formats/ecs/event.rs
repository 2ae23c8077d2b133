//! What an alert is as an event: its place in the schema's categories, its times, its tactic and techniques.

use super::fields::{Event, Subtechnique, Tactic, Technique, Threat};
use super::related::distinct;
use crate::domain::alert::Alert;
use crate::domain::evidence::{Entity, Evidence};
use crate::domain::tactic;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::Severity;
use crate::formats::filled::Filled;

pub(super) fn of<'a>(alert: &'a Alert, provider: &'a str) -> Event<'a> {
    Event {
        kind: "alert",
        category: categories(alert),
        types: types(alert),
        id: alert.id.filled(),
        action: alert.named_categories().next(),
        provider: Some(provider),
        severity: severity(alert),
        created: alert.created_at,
        start: alert.first_seen,
        end: alert.last_seen,
        duration: alert.first_seen.zip(alert.last_seen).and_then(|(start, end)| nanoseconds(start, end)),
        url: alert.url.filled(),
    }
}

/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-allowed-values-event-category.html>.
fn categories(alert: &Alert) -> Vec<&'static str> {
    let has = |sort: fn(Entity<'_>) -> bool| alert.evidence.iter().flat_map(Evidence::entities).any(sort);
    let is_malware = alert.threat_name.filled().is_some()
        || alert.named_categories().any(|category| matches!(category, "Malware" | "Ransomware"));
    let all = [
        ("intrusion_detection", true),
        ("malware", is_malware),
        ("host", alert.device.is_some()),
        ("process", has(|entity| matches!(entity, Entity::Process(_)))),
        ("file", has(|entity| matches!(entity, Entity::File(_)))),
        ("email", has(|entity| matches!(entity, Entity::Mail(_)))),
    ];
    all.into_iter().filter(|(_, fits)| *fits).map(|(word, _)| word).collect()
}

/// `info`, which goes with every category; `denied` if all that tells what became of it was stopped.
///
/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-allowed-values-event-type.html>.
fn types(alert: &Alert) -> Vec<&'static str> {
    let mut told = alert.evidence.iter().filter_map(|item| item.detection_status.filled()).peekable();
    let stopped = told.peek().is_some() && told.all(|status| matches!(status, "blocked" | "prevented"));
    if stopped { vec!["info", "denied"] } else { vec!["info"] }
}

/// The number of the severity; a word that is not known has none, so that it outranks nothing.
fn severity(alert: &Alert) -> Option<u8> {
    (alert.severity != Severity::Other).then(|| alert.severity.id().number())
}

/// From the one to the other, if that is later.
fn nanoseconds(start: Timestamp, end: Timestamp) -> Option<i64> {
    let span = end.unix_milliseconds().checked_sub(start.unix_milliseconds())?;
    span.checked_mul(1_000_000).filter(|span| *span >= 0)
}

/// The tactics that the categories name, and the techniques; an id of another form is kept without a page.
pub(super) fn threat(alert: &Alert) -> Threat<'_> {
    let tactics = distinct(alert.named_categories().filter_map(tactic::Tactic::of_category));
    let (known, others): (Vec<_>, Vec<_>) = alert
        .techniques
        .iter()
        .filter(|id| !id.is_empty())
        .map(|id| tactic::Technique::parse(id).ok_or(id.as_str()))
        .partition(Result::is_ok);
    let known: Vec<_> = known.into_iter().flatten().collect();
    let techniques = distinct(known.iter().map(|technique| technique.whole()));
    let parts = distinct(known.into_iter().filter(|technique| technique.subtechnique.is_some()));
    let others = others.into_iter().filter_map(Result::err);
    let is_told = !tactics.is_empty() || !techniques.is_empty();
    Threat {
        framework: is_told.then_some("MITRE ATT&CK"),
        tactic: Tactic {
            id: tactics.iter().map(|tactic| tactic.id).collect(),
            name: tactics.iter().map(|tactic| tactic.name).collect(),
            reference: tactics.iter().map(|tactic| tactic.url()).collect(),
        },
        technique: Technique {
            id: techniques.iter().map(|technique| technique.id).chain(others).collect(),
            reference: techniques.iter().map(|technique| technique.url()).collect(),
            subtechnique: Subtechnique {
                id: parts.iter().map(|part| part.id).collect(),
                reference: parts.iter().map(|part| part.url()).collect(),
            },
        },
    }
}
