//! OCSF's numbers for our words, each with the caption that stands beside it.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/detection_finding>, <https://schema.ocsf.io/1.8.0/classes/incident_finding>.

use crate::domain::vocabulary::{AlertStatus, AlertVerdict, IncidentStatus, Severity, Verdict};

/// A number, and the caption or the source's own word that stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caption<'a> {
    pub(super) id: u8,
    pub(super) word: &'a str,
}

const fn spaced(id: u8, word: &str) -> Caption<'_> {
    Caption { id, word }
}

/// 99, which wants the source's word beside it, and any but its own caption.
fn other(word: Option<&str>) -> Caption<'_> {
    let word = word.filter(|word| !word.is_empty() && *word != "Other");
    spaced(99, word.unwrap_or("other"))
}

/// `severity_id`; `word`: Defender's own, where it is unknown.
pub(super) fn severity(severity: Severity, word: Option<&str>) -> Caption<'_> {
    let id = severity.id().number();
    match severity {
        Severity::Unknown => spaced(id, "Unknown"),
        Severity::Informational => spaced(id, "Informational"),
        Severity::Low => spaced(id, "Low"),
        Severity::Medium => spaced(id, "Medium"),
        Severity::High => spaced(id, "High"),
        Severity::Critical => spaced(id, "Critical"),
        Severity::Other => other(word),
    }
}

/// `status_id` of a Detection Finding.
pub(super) fn alert_status(status: AlertStatus, word: Option<&str>) -> Caption<'_> {
    match status {
        AlertStatus::Unknown => spaced(0, "Unknown"),
        AlertStatus::New => spaced(1, "New"),
        AlertStatus::InProgress => spaced(2, "In Progress"),
        AlertStatus::Resolved => spaced(4, "Resolved"),
        AlertStatus::Other => other(word),
    }
}

/// `status_id` of an Incident Finding, whose "New" is what nobody has been assigned to.
pub(super) fn incident_status(status: IncidentStatus, is_assigned: bool, word: Option<&str>) -> Caption<'_> {
    match status {
        IncidentStatus::Unknown => spaced(0, "Unknown"),
        IncidentStatus::Active if !is_assigned => spaced(1, "New"),
        IncidentStatus::Active | IncidentStatus::InProgress => spaced(2, "In Progress"),
        IncidentStatus::Resolved => spaced(4, "Resolved"),
        IncidentStatus::Redirected => spaced(5, "Closed"),
        IncidentStatus::Other => other(word),
    }
}

const UNKNOWN_ACTIVITY: Caption<'_> = spaced(0, "Unknown");
const CREATE: Caption<'_> = spaced(1, "Create");
const UPDATE: Caption<'_> = spaced(2, "Update");
const CLOSE: Caption<'_> = spaced(3, "Close");

/// `activity_id` of a Detection Finding: what its state says, so that the same state is the same event.
pub(super) fn alert_activity(status: AlertStatus) -> Caption<'static> {
    match status {
        AlertStatus::New => CREATE,
        AlertStatus::InProgress => UPDATE,
        AlertStatus::Resolved => CLOSE,
        AlertStatus::Unknown | AlertStatus::Other => UNKNOWN_ACTIVITY,
    }
}

/// `activity_id` of an Incident Finding.
pub(super) fn incident_activity(status: IncidentStatus, is_assigned: bool) -> Caption<'static> {
    match status {
        IncidentStatus::Active if !is_assigned => CREATE,
        IncidentStatus::Active | IncidentStatus::InProgress => UPDATE,
        IncidentStatus::Resolved | IncidentStatus::Redirected => CLOSE,
        IncidentStatus::Unknown | IncidentStatus::Other => UNKNOWN_ACTIVITY,
    }
}

/// `verdict_id` of one alert; `None` while it has no classification at all.
pub(super) fn alert_verdict(verdict: AlertVerdict, classification: Option<&str>) -> Option<Caption<'_>> {
    Some(match verdict {
        AlertVerdict::Undetermined => {
            classification?;
            spaced(0, "Unknown")
        }
        AlertVerdict::TruePositive | AlertVerdict::FalsePositive | AlertVerdict::Benign | AlertVerdict::Test => {
            verdict_of(verdict.into(), None)
        }
        AlertVerdict::Other => other(classification),
    })
}

/// `verdict_id` of an incident.
pub(super) fn verdict_of(verdict: Verdict, classification: Option<&str>) -> Caption<'_> {
    match verdict {
        Verdict::Undetermined | Verdict::None => spaced(0, "Unknown"),
        Verdict::FalsePositive => spaced(1, "False Positive"),
        Verdict::TruePositive => spaced(2, "True Positive"),
        Verdict::Benign => spaced(5, "Benign"),
        Verdict::Test => spaced(6, "Test"),
        Verdict::Mixed => spaced(99, "mixed"),
        Verdict::Other => other(classification),
    }
}

/// `verdict_id` of an item of evidence, whose words are Microsoft's.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>, `verdict`.
pub(super) fn evidence_verdict(word: &str) -> Caption<'_> {
    match word {
        "unknown" => spaced(0, "Unknown"),
        "malicious" => spaced(2, "True Positive"),
        "suspicious" => spaced(4, "Suspicious"),
        "clean" | "no_threats_found" => spaced(5, "Benign"),
        word => other(Some(word)),
    }
}

/// `action_id` and `disposition_id`, from what the detection did about the items of evidence that tell.
pub(super) fn outcome(detections: &[&str]) -> (Caption<'static>, Caption<'static>) {
    const OBSERVED: Caption<'_> = spaced(3, "Observed");
    let all = |words: &[&str]| !detections.is_empty() && detections.iter().all(|word| words.contains(word));
    if all(&["blocked", "prevented"]) {
        (spaced(2, "Denied"), spaced(2, "Blocked"))
    } else if all(&["detected"]) {
        (OBSERVED, spaced(15, "Detected"))
    } else {
        (OBSERVED, spaced(19, "Alert"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfamiliar_word_stands_beside_99() {
        assert_eq!(severity(Severity::Other, Some("Catastrophic")), spaced(99, "Catastrophic"));
        assert_eq!(alert_status(AlertStatus::Other, Some("Other")), spaced(99, "other"));
        assert_eq!(incident_status(IncidentStatus::Other, false, None), spaced(99, "other"));
        assert_eq!(alert_verdict(AlertVerdict::Other, Some("Contested")), Some(spaced(99, "Contested")));
        assert_eq!(evidence_verdict("odd"), spaced(99, "odd"));
    }

    #[test]
    fn an_incident_is_new_until_somebody_has_it() {
        assert_eq!(incident_status(IncidentStatus::Active, false, None), spaced(1, "New"));
        assert_eq!(incident_status(IncidentStatus::Active, true, None), spaced(2, "In Progress"));
        assert_eq!(incident_status(IncidentStatus::Redirected, true, None), spaced(5, "Closed"));
        assert_eq!(incident_activity(IncidentStatus::Active, false), CREATE);
        assert_eq!(incident_activity(IncidentStatus::Redirected, false), CLOSE);
        assert_eq!(alert_activity(AlertStatus::Other), UNKNOWN_ACTIVITY);
    }

    #[test]
    fn a_verdict_is_told_once_there_is_a_classification() {
        assert_eq!(alert_verdict(AlertVerdict::Undetermined, None), None);
        assert_eq!(alert_verdict(AlertVerdict::Undetermined, Some("Unknown")), Some(spaced(0, "Unknown")));
        assert_eq!(alert_verdict(AlertVerdict::Test, Some("BenignPositive")), Some(spaced(6, "Test")));
    }

    #[test]
    fn what_was_done_is_told_only_where_all_evidence_agrees() {
        let ids = |words: &[&str]| {
            let (action, disposition) = outcome(words);
            (action.id, disposition.id)
        };
        assert_eq!(ids(&["blocked", "prevented"]), (2, 2));
        assert_eq!(ids(&["detected"]), (3, 15));
        assert_eq!(ids(&["detected", "blocked"]), (3, 19));
        assert_eq!(ids(&[]), (3, 19));
    }
}
