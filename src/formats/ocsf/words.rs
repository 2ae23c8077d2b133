//! OCSF's numbers for our words, each with its caption.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/detection_finding>, <https://schema.ocsf.io/1.8.0/classes/incident_finding>.

use crate::domain::vocabulary::{AlertStatus, AlertVerdict, IncidentStatus, Severity, Verdict};
use crate::formats::context::is_system;

/// A number with its caption, or with the source's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caption<'a> {
    pub(super) id: u8,
    pub(super) word: &'a str,
}

const fn caption(id: u8, word: &str) -> Caption<'_> {
    Caption { id, word }
}

/// 99, which OCSF requires to have the source's word, not the caption "Other".
fn other(word: Option<&str>) -> Caption<'_> {
    let word = word.filter(|word| !word.is_empty() && *word != "Other");
    caption(99, word.unwrap_or("other"))
}

/// `severity_id`. `word` is Defender's own, if it is unknown.
pub(super) fn severity(severity: Severity, word: Option<&str>) -> Caption<'_> {
    let id = severity.id().number();
    match severity {
        Severity::Unknown => caption(id, "Unknown"),
        Severity::Informational => caption(id, "Informational"),
        Severity::Low => caption(id, "Low"),
        Severity::Medium => caption(id, "Medium"),
        Severity::High => caption(id, "High"),
        Severity::Critical => caption(id, "Critical"),
        Severity::Other => other(word),
    }
}

/// `status_id` of a Detection Finding.
pub(super) fn alert_status(status: AlertStatus, word: Option<&str>) -> Caption<'_> {
    match status {
        AlertStatus::Unknown => caption(0, "Unknown"),
        AlertStatus::New => caption(1, "New"),
        AlertStatus::InProgress => caption(2, "In Progress"),
        AlertStatus::Resolved => caption(4, "Resolved"),
        AlertStatus::Other => other(word),
    }
}

/// `status_id` of an Incident Finding. "New" means that nobody is assigned.
pub(super) fn incident_status(status: IncidentStatus, is_assigned: bool, word: Option<&str>) -> Caption<'_> {
    match status {
        IncidentStatus::Unknown => caption(0, "Unknown"),
        IncidentStatus::Active if !is_assigned => caption(1, "New"),
        IncidentStatus::Active | IncidentStatus::InProgress => caption(2, "In Progress"),
        IncidentStatus::Resolved => caption(4, "Resolved"),
        IncidentStatus::Redirected => caption(5, "Closed"),
        IncidentStatus::Other => other(word),
    }
}

const UNKNOWN_ACTIVITY: Caption<'_> = caption(0, "Unknown");
const CREATE: Caption<'_> = caption(1, "Create");
const UPDATE: Caption<'_> = caption(2, "Update");
const CLOSE: Caption<'_> = caption(3, "Close");

/// `activity_id` of a Detection Finding. It depends on the state alone, so that equal states give equal events.
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

/// `verdict_id` of an alert; `None` if it has no classification.
pub(super) fn alert_verdict(verdict: AlertVerdict, classification: Option<&str>) -> Option<Caption<'_>> {
    Some(match verdict {
        AlertVerdict::Undetermined => {
            classification?;
            caption(0, "Unknown")
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
        Verdict::Undetermined | Verdict::None => caption(0, "Unknown"),
        Verdict::FalsePositive => caption(1, "False Positive"),
        Verdict::TruePositive => caption(2, "True Positive"),
        Verdict::Benign => caption(5, "Benign"),
        Verdict::Test => caption(6, "Test"),
        Verdict::Mixed => caption(99, "mixed"),
        Verdict::Other => other(classification),
    }
}

/// `type_id` of an operating system, and its caption.
pub(super) fn operating_system(platform: Option<&str>) -> (u16, &str) {
    let Some(platform) = platform else { return (0, "Unknown") };
    let known = [(100, "Windows"), (200, "Linux"), (201, "Android"), (300, "macOS"), (301, "iOS"), (302, "iPadOS")];
    let known = known.into_iter().find(|(_, name)| is_system(platform, name));
    known.unwrap_or_else(|| (99, other(Some(platform)).word))
}

/// `risk_level_id` of a device.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/machine>, `riskScore`.
pub(super) fn risk(word: &str) -> Caption<'_> {
    match word {
        "Informational" => caption(0, "Info"),
        "Low" => caption(1, "Low"),
        "Medium" => caption(2, "Medium"),
        "High" => caption(3, "High"),
        word => other(Some(word)),
    }
}

/// `verdict_id` of an item of evidence, whose words are Microsoft's.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>, `verdict`.
pub(super) fn evidence_verdict(word: &str) -> Caption<'_> {
    match word {
        "unknown" => caption(0, "Unknown"),
        "malicious" => caption(2, "True Positive"),
        "suspicious" => caption(4, "Suspicious"),
        "clean" | "no_threats_found" => caption(5, "Benign"),
        word => other(Some(word)),
    }
}

/// `action_id` and `disposition_id`, from the detection statuses of the evidence.
pub(super) fn outcome(detections: &[&str]) -> (Caption<'static>, Caption<'static>) {
    const OBSERVED: Caption<'_> = caption(3, "Observed");
    let all = |words: &[&str]| !detections.is_empty() && detections.iter().all(|word| words.contains(word));
    if all(&["blocked", "prevented"]) {
        (caption(2, "Denied"), caption(2, "Blocked"))
    } else if all(&["detected"]) {
        (OBSERVED, caption(15, "Detected"))
    } else {
        (OBSERVED, caption(19, "Alert"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_classified_alert_has_a_verdict() {
        assert_eq!(alert_verdict(AlertVerdict::Undetermined, None), None);
        assert_eq!(alert_verdict(AlertVerdict::Undetermined, Some("Unknown")), Some(caption(0, "Unknown")));
        assert_eq!(alert_verdict(AlertVerdict::Test, Some("BenignPositive")), Some(caption(6, "Test")));
    }

    #[test]
    fn outcome_is_specific_only_if_all_evidence_agrees() {
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
