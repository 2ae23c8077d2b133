//! `microsoft.defender`: the properties for which the schema has no field, so that nothing is lost.
//!
//! Not `microsoft.defender_endpoint`, which Elastic's integration maps with members of other names, and which would
//! be wrong for alerts of the other Defender products. `extra` is best mapped as `flattened`: it holds Microsoft's own
//! members, verbatim.

use serde::Serialize;

use super::context::{Context, WithoutField};
use super::related::distinct;
use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::Enrichment;
use crate::domain::incident;
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::{Warning, WarningCode};
use crate::formats::without::Without;

/// The properties without a field.
#[derive(Serialize)]
pub(super) struct Defender<'a> {
    subject: Subject<'a>,
    /// The members of the alert that have no field.
    #[serde(flatten)]
    alert: Without<'a, Alert>,
    categories: &'a [SharedStr],
    investigation: Investigation<'a>,
    incident: Incident<'a>,
    devices: Vec<&'a Device>,
    /// What Defender says of the subject itself.
    context: Option<WithoutField<'a>>,
    warnings: Vec<WarningCode>,
}

/// The subject of the request.
#[derive(Serialize)]
struct Subject<'a> {
    kind: &'static str,
    id: &'a str,
}

/// The automated investigation.
#[derive(Serialize)]
struct Investigation<'a> {
    id: &'a Option<SharedStr>,
    state: &'a Option<SharedStr>,
}

/// The incident of the alert, complete if it is the subject.
#[derive(Serialize)]
#[serde(untagged)]
enum Incident<'a> {
    Whole(Without<'a, incident::Incident>),
    Named { id: &'a Option<SharedStr> },
}

impl<'a> Defender<'a> {
    pub(super) fn of(alert: &'a Alert, enrichment: &'a Enrichment<'_>, context: Context<'a>) -> Self {
        Self {
            subject: Subject { kind: enrichment.kind.as_str(), id: enrichment.id },
            alert: Without { value: alert, is_left_out: has_a_place },
            categories: if alert.categories.len() > 1 { &alert.categories } else { &[] },
            investigation: Investigation { id: &alert.investigation_id, state: &alert.investigation_state },
            incident: match enrichment.incident.as_deref() {
                Some(value) => Incident::Whole(Without { value, is_left_out: |name| name == "severity_id" }),
                None => Incident::Named { id: &alert.incident_id },
            },
            devices: alert.devices().collect(),
            context: context.without_field(),
            warnings: codes(&enrichment.warnings),
        }
    }
}

/// Whether a member of an alert has a field, or another form here.
fn has_a_place(name: &str) -> bool {
    matches!(name, "id" | "title" | "description" | "severity_id" | "category" | "categories" | "techniques")
        || matches!(name, "detection_source" | "service_source" | "detector_id" | "tenant_id" | "url")
        || matches!(name, "investigation_id" | "investigation_state" | "incident_id" | "device" | "user")
        || matches!(name, "created_at" | "updated_at" | "first_seen" | "last_seen")
}

/// The codes of the warnings. The sentences are about the whole answer.
fn codes(warnings: &[Warning]) -> Vec<WarningCode> {
    distinct(warnings.iter().map(|warning| warning.code))
}
