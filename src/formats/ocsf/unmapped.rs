//! The member `unmapped`: properties of an alert or an incident for which OCSF has no place. They are named as in the
//! answer's own form. Unknown properties are in `extra`, under Defender's names.

use std::borrow::Cow;

use serde::Serialize;

use super::evidence::{Artifact, artifacts};
use super::timestamps::milliseconds;
use super::{context, device};
use crate::domain::alert::{self, Alert, Device, LoggedOnUser};
use crate::domain::enrichment::{Counts, Enrichment};
use crate::domain::entities::DeviceEntity;
use crate::domain::extra::Extra;
use crate::domain::incident::Incident;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{ClosedVocabulary, IncidentStatus};
use crate::formats::filled::Filled;
use crate::formats::without::Without;

/// The unmapped properties of an alert.
#[derive(Serialize)]
pub(super) struct OfAlert<'a> {
    classification: &'a Option<SharedStr>,
    determination: &'a Option<SharedStr>,
    investigation_id: &'a Option<SharedStr>,
    investigation_state: &'a Option<SharedStr>,
    /// Only if there is a threat name as well, which is the name of the malware.
    threat_family: Option<&'a str>,
    product_name: &'a Option<SharedStr>,
    actor: &'a Option<SharedStr>,
    recommended_actions: &'a Option<SharedStr>,
    custom_details: &'a Option<Extra>,
    tags: &'a [SharedStr],
    resolved_time: Option<i64>,
    device_groups: Vec<&'a str>,
    logged_on_users: &'a [LoggedOnUser],
    comments: Vec<Comment<'a>>,
    /// Only if it is false: then missing evidence has no meaning.
    evidence_loaded: Option<bool>,
    /// What Defender says of the subject itself.
    context: Option<context::Unmapped<'a>>,
    extra: &'a Extra,
}

/// The unmapped properties of an incident.
#[derive(Serialize)]
pub(super) struct OfIncident<'a> {
    status: IncidentStatus,
    classification: &'a Option<SharedStr>,
    determination: &'a Option<SharedStr>,
    /// Only if there is a summary as well, which is the event's description.
    description: Option<&'a str>,
    resolving_comment: &'a Option<SharedStr>,
    priority_score: Option<i64>,
    tenant_id: &'a Option<SharedStr>,
    redirected_from: &'a [String],
    comments: Vec<Comment<'a>>,
    /// Only if there are several.
    devices: &'a [DeviceEntity<'a>],
    /// The counts over all alerts, including those that are not listed.
    counts: Without<'a, Counts>,
    alerts: Vec<IncidentAlert<'a>>,
    extra: &'a Extra,
}

/// The properties of an alert for which `finding_info` has no place.
#[derive(Serialize)]
struct IncidentAlert<'a> {
    uid: &'a str,
    severity: &'a str,
    status: &'a str,
    verdict: &'static str,
    assigned_to: Option<&'a str>,
    threat_name: Option<&'a str>,
    user: &'a Option<alert::AlertAccount>,
    devices: Vec<&'a Device>,
    evidences: Vec<Artifact<'a>>,
    #[serde(flatten)]
    unmapped: OfAlert<'a>,
}

/// An analyst's comment.
#[derive(Serialize)]
struct Comment<'a> {
    text: Option<&'a str>,
    author: Option<&'a str>,
    created_time: Option<i64>,
}

impl<'a> OfAlert<'a> {
    pub(super) fn with_context(alert: &'a Alert, context: Option<context::Unmapped<'a>>) -> Self {
        Self { context, ..Self::of(alert) }
    }

    fn of(alert: &'a Alert) -> Self {
        Self {
            classification: &alert.classification,
            determination: &alert.determination,
            investigation_id: &alert.investigation_id,
            investigation_state: &alert.investigation_state,
            threat_family: alert.threat_family.as_deref().filter(|_| alert.threat_name.filled().is_some()),
            product_name: &alert.product_name,
            actor: &alert.actor,
            recommended_actions: &alert.recommended_actions,
            custom_details: &alert.custom_details,
            tags: &alert.tags,
            resolved_time: milliseconds(alert.resolved_at),
            device_groups: device::groups_without_device(alert),
            logged_on_users: &alert.logged_on_users,
            comments: comments(&alert.comments),
            evidence_loaded: Some(false).filter(|_| !alert.evidence_loaded),
            context: None,
            extra: &alert.extra,
        }
    }
}

impl<'a> OfIncident<'a> {
    /// `ids` are those of the findings of the listed alerts.
    pub(super) fn of(
        incident: &'a Incident,
        enrichment: &'a Enrichment<'_>,
        ids: &'a [Cow<'_, str>],
        has_device: bool,
    ) -> Self {
        let alerts = enrichment.alerts.iter().zip(ids);
        Self {
            status: incident.status,
            classification: &incident.classification,
            determination: &incident.determination,
            description: incident.description.as_deref().filter(|_| incident.summary.is_some()),
            resolving_comment: &incident.resolving_comment,
            priority_score: incident.priority_score,
            tenant_id: &incident.tenant_id,
            redirected_from: &incident.redirected_from,
            comments: comments(&incident.comments),
            devices: if has_device { &[] } else { &enrichment.entities.devices },
            counts: Without { value: &enrichment.counts, is_left_out: |name| name.starts_with("by_") },
            alerts: alerts.map(|(alert, id)| IncidentAlert::of(alert, id)).collect(),
            extra: &incident.extra,
        }
    }
}

impl<'a> IncidentAlert<'a> {
    /// An alert, under the id of its finding.
    fn of(alert: &'a Alert, uid: &'a str) -> Self {
        Self {
            uid,
            severity: alert.unknown_words.severity.as_deref().unwrap_or(alert.severity.as_str()),
            status: alert.unknown_words.status.as_deref().unwrap_or(alert.status.as_str()),
            verdict: alert.verdict.as_str(),
            assigned_to: alert.assigned_to.as_deref(),
            threat_name: alert.threat_name.filled().or(alert.threat_family.filled()),
            user: &alert.user,
            devices: alert.devices().collect(),
            evidences: artifacts(&alert.evidence),
            unmapped: OfAlert { device_groups: Vec::new(), ..OfAlert::of(alert) },
        }
    }
}

fn comments(comments: &[alert::Comment]) -> Vec<Comment<'_>> {
    let comments = comments.iter().map(|comment| Comment {
        text: comment.text.as_deref(),
        author: comment.author.as_deref(),
        created_time: milliseconds(comment.created_at),
    });
    comments.collect()
}
