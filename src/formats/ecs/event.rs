//! An alert as an event: its categories, times, tactics and techniques.

use serde_json::{Value, json};

use super::related::distinct;
use crate::domain::alert::Alert;
use crate::domain::evidence::{Entity, Evidence};
use crate::domain::tactic::{Tactic, Technique};
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::Severity;
use crate::formats::filled::Filled;

pub(super) fn of(alert: &Alert, provider: &str) -> Value {
    json!({
        "kind": "alert",
        "category": categories(alert),
        "type": types(alert),
        "id": alert.id,
        "action": alert.named_categories().next(),
        "provider": provider,
        "severity": severity(alert),
        "created": alert.created_at,
        "start": alert.first_seen,
        "end": alert.last_seen,
        "duration": alert.first_seen.zip(alert.last_seen).and_then(|(start, end)| nanoseconds(start, end)),
        "url": alert.url,
    })
}

/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-allowed-values-event-category.html>.
fn categories(alert: &Alert) -> Vec<&'static str> {
    let has = |is_type: fn(Entity<'_>) -> bool| alert.evidence.iter().flat_map(Evidence::entities).any(is_type);
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

/// `info`, which fits every category, and `denied` if all evidence with a detection status was blocked.
///
/// Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-allowed-values-event-type.html>.
fn types(alert: &Alert) -> Vec<&'static str> {
    let mut statuses = alert.evidence.iter().filter_map(|item| item.detection_status.filled()).peekable();
    let is_denied = statuses.peek().is_some() && statuses.all(|status| matches!(status, "blocked" | "prevented"));
    if is_denied { vec!["info", "denied"] } else { vec!["info"] }
}

/// The number of the severity. An unknown word has none, so that it does not outrank others.
fn severity(alert: &Alert) -> Option<u8> {
    (alert.severity != Severity::Other).then(|| alert.severity.id().number())
}

/// The duration, unless it is negative.
fn nanoseconds(start: Timestamp, end: Timestamp) -> Option<i64> {
    let span = end.unix_milliseconds().checked_sub(start.unix_milliseconds())?;
    span.checked_mul(1_000_000).filter(|span| *span >= 0)
}

/// The tactics that the categories name, and the techniques. An id of another form has no page.
pub(super) fn threat(alert: &Alert) -> Value {
    let tactics = distinct(alert.named_categories().filter_map(Tactic::of_category));
    let ids = alert.techniques.iter().filter(|id| !id.is_empty());
    let (known, others): (Vec<_>, Vec<_>) =
        ids.map(|id| Technique::parse(id).ok_or(id.as_str())).partition(Result::is_ok);
    let known: Vec<_> = known.into_iter().flatten().collect();
    let techniques = distinct(known.iter().map(|technique| technique.whole()));
    let subtechniques = distinct(known.into_iter().filter(|technique| technique.subtechnique.is_some()));
    let ids = techniques.iter().map(|technique| technique.id).chain(others.into_iter().filter_map(Result::err));
    json!({
        "framework": (!tactics.is_empty() || !techniques.is_empty()).then_some("MITRE ATT&CK"),
        "tactic": {
            "id": tactics.iter().map(|tactic| tactic.id).collect::<Vec<_>>(),
            "name": tactics.iter().map(|tactic| tactic.name).collect::<Vec<_>>(),
            "reference": tactics.iter().map(|tactic| tactic.url()).collect::<Vec<_>>(),
        },
        "technique": {
            "id": ids.collect::<Vec<_>>(),
            "reference": techniques.iter().map(|technique| technique.url()).collect::<Vec<_>>(),
            "subtechnique": {
                "id": subtechniques.iter().map(|technique| technique.id).collect::<Vec<_>>(),
                "reference": subtechniques.iter().map(|technique| technique.url()).collect::<Vec<_>>(),
            },
        },
    })
}
