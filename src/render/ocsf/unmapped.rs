//! What is told of an alert or an incident and has no home in OCSF: the member `unmapped`, which admits anything. Members
//! are called as in our own form; what has no home there either is in `extra`, under Defender's names.

use super::device;
use super::evidence::Artifact;
use super::moments::milliseconds;
use super::object::{Absent, filled, object};
use super::verbatim::Verbatim;
use crate::domain::alert::{self, Alert};
use crate::domain::incident::Incident;
use crate::domain::text::Text;
use crate::domain::words::Word;

object! {
    /// Of an alert.
    OfAlert<'a> {
        classification: Option<&'a str>,
        determination: Option<&'a str>,
        investigation_id: Option<&'a str>,
        investigation_state: Option<&'a str>,
        /// Only beside a threat's name, which has a home.
        threat_family: Option<&'a str>,
        product_name: Option<&'a str>,
        actor: Option<&'a str>,
        recommended_actions: Option<&'a str>,
        custom_details: Verbatim<'a>,
        tags: Vec<&'a str>,
        resolved_time: Option<i64>,
        device_groups: Vec<&'a str>,
        logged_on_users: Vec<LoggedOnUser<'a>>,
        comments: Vec<Comment<'a>>,
        /// Only where it is false: then no evidence says nothing.
        evidence_loaded: Option<bool>,
        extra: Verbatim<'a>,
    }
}

object! {
    /// Of an incident.
    OfIncident<'a> {
        status: &'static str,
        classification: Option<&'a str>,
        determination: Option<&'a str>,
        /// Beside a summary, which is the event's description.
        description: Option<&'a str>,
        resolving_comment: Option<&'a str>,
        priority_score: Option<i64>,
        tenant_id: Option<&'a str>,
        redirected_from: Vec<&'a str>,
        comments: Vec<Comment<'a>>,
        /// Where there are several.
        devices: Vec<NamedDevice<'a>>,
        /// Of all its alerts, listed or not.
        counts: Counts,
        alerts: Vec<IncidentAlert<'a>>,
        extra: Verbatim<'a>,
    }
}

object! {
    /// An alert of an incident, as far as `finding_info` has no home for it.
    IncidentAlert<'a> {
        uid: &'a str,
        severity: &'a str,
        status: &'a str,
        verdict: &'static str,
        assigned_to: Option<&'a str>,
        threat_name: Option<&'a str>,
        user: Option<String>,
        devices: Vec<NamedDevice<'a>>,
        evidences: Vec<Artifact<'a>>,
        #[serde(flatten)]
        unmapped: OfAlert<'a>,
    }
}

object! {
    /// A device.
    NamedDevice<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
        group: Option<&'a str>,
    }
}

object! {
    /// How many alerts an incident has.
    Counts {
        alerts: usize,
        open: usize,
        resolved: usize,
    }
}

object! {
    /// Somebody who was logged on.
    LoggedOnUser<'a> {
        name: Option<&'a str>,
        domain: Option<&'a str>,
    }
}

object! {
    /// What an analyst wrote.
    Comment<'a> {
        text: Option<&'a str>,
        author: Option<&'a str>,
        created_time: Option<i64>,
    }
}

impl<'a> OfAlert<'a> {
    pub(super) fn of(alert: &'a Alert) -> Self {
        Self {
            classification: alert.classification.as_deref(),
            determination: alert.determination.as_deref(),
            investigation_id: alert.investigation_id.as_deref(),
            investigation_state: alert.investigation_state.as_deref(),
            threat_family: alert.threat_family.as_deref().filter(|_| filled(alert.threat_name.as_deref()).is_some()),
            product_name: alert.product_name.as_deref(),
            actor: alert.actor.as_deref(),
            recommended_actions: alert.recommended_actions.as_deref(),
            custom_details: alert.custom_details.as_ref().map(Verbatim::of).unwrap_or_default(),
            tags: texts(&alert.tags),
            resolved_time: milliseconds(alert.resolved_at),
            device_groups: device::stray_groups(alert),
            logged_on_users: present(
                alert
                    .logged_on_users
                    .iter()
                    .map(|user| LoggedOnUser { name: user.name.as_deref(), domain: user.domain.as_deref() }),
            ),
            comments: comments(&alert.comments),
            evidence_loaded: Some(false).filter(|_| !alert.evidence_loaded),
            extra: Verbatim::of(&alert.extra),
        }
    }
}

impl<'a> OfIncident<'a> {
    pub(super) fn of(incident: &'a Incident, counts: Counts) -> Self {
        Self {
            status: incident.status.as_str(),
            classification: incident.classification.as_deref(),
            determination: incident.determination.as_deref(),
            description: incident.description.as_deref().filter(|_| incident.summary.is_some()),
            resolving_comment: incident.resolving_comment.as_deref(),
            priority_score: incident.priority_score,
            tenant_id: incident.tenant_id.as_deref(),
            redirected_from: incident.redirected_from.iter().map(String::as_str).collect(),
            comments: comments(&incident.comments),
            devices: Vec::new(),
            counts,
            alerts: Vec::new(),
            extra: Verbatim::of(&incident.extra),
        }
    }
}

impl<'a> IncidentAlert<'a> {
    /// An alert under the id that its finding has.
    pub(super) fn of(alert: &'a Alert, uid: &'a str, evidences: Vec<Artifact<'a>>) -> Self {
        Self {
            uid,
            severity: alert.unfamiliar.severity.as_deref().unwrap_or(alert.severity.as_str()),
            status: alert.unfamiliar.status.as_deref().unwrap_or(alert.status.as_str()),
            verdict: alert.verdict.as_str(),
            assigned_to: alert.assigned_to.as_deref(),
            threat_name: [&alert.threat_name, &alert.threat_family]
                .into_iter()
                .find_map(|name| filled(name.as_deref())),
            user: alert.user.as_ref().map(ToString::to_string),
            devices: present(alert.devices().map(|device| NamedDevice {
                id: device.id.as_deref(),
                name: device.name.as_deref(),
                group: device.group.as_deref(),
            })),
            evidences,
            unmapped: OfAlert { device_groups: Vec::new(), ..OfAlert::of(alert) },
        }
    }
}

fn texts(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(Text::as_str).collect()
}

fn comments(comments: &[alert::Comment]) -> Vec<Comment<'_>> {
    present(comments.iter().map(|comment| Comment {
        text: comment.text.as_deref(),
        author: comment.author.as_deref(),
        created_time: milliseconds(comment.created_at),
    }))
}

/// The items that say something.
pub(super) fn present<T: Absent>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.filter(|item| !item.is_absent()).collect()
}
