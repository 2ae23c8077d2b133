//! Represents an alert that is too large for the entry point by the summary of the answer.

use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::Enrichment;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::Kind;
use crate::domain::vocabulary::{AlertStatus, AlertVerdict, Status, Verdict};

/// The alert without its details, if one was found and is not listed. The summary replaces the title.
pub(super) fn of(enrichment: &Enrichment<'_>) -> Option<Alert> {
    let is_needed = enrichment.kind == Kind::Alert && enrichment.found && enrichment.alerts.is_empty();
    is_needed.then(|| without_details(enrichment))
}

fn without_details(enrichment: &Enrichment<'_>) -> Alert {
    let mut devices = enrichment.entities.devices.iter().map(|device| Device {
        id: device.id.map(SharedStr::from),
        name: device.name.map(SharedStr::from),
        group: None,
    });
    Alert {
        id: Some(enrichment.id.into()),
        title: Some(enrichment.summary.as_str().into()),
        severity: enrichment.severity,
        severity_id: enrichment.severity_id,
        status: match enrichment.status {
            Status::Alert(status) => status,
            Status::Incident(_) | Status::List(_) => AlertStatus::Unknown,
        },
        verdict: match enrichment.verdict {
            Verdict::TruePositive => AlertVerdict::TruePositive,
            Verdict::FalsePositive => AlertVerdict::FalsePositive,
            Verdict::Benign => AlertVerdict::Benign,
            Verdict::Test => AlertVerdict::Test,
            Verdict::Other => AlertVerdict::Other,
            Verdict::Undetermined | Verdict::Mixed | Verdict::None => AlertVerdict::Undetermined,
        },
        category: enrichment.categories.first().copied().map(SharedStr::from),
        categories: enrichment.categories.iter().copied().map(SharedStr::from).collect(),
        techniques: enrichment.techniques.iter().copied().map(SharedStr::from).collect(),
        threat_name: enrichment.threats.first().copied().map(SharedStr::from),
        device: devices.next(),
        further_devices: devices.collect(),
        updated_at: enrichment.updated_at,
        first_seen: enrichment.first_seen,
        last_seen: enrichment.last_seen,
        url: enrichment.url.map(SharedStr::from),
        ..Alert::default()
    }
}
