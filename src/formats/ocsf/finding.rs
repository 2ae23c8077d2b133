//! The object `finding_info`, which describes an alert in both classes.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/finding_info>.

use std::borrow::Cow;

use serde::Serialize;

use super::attacks::Attack;
use super::metadata::{Product, uuid_of};
use super::timestamps::milliseconds;
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::formats::filled::Filled;

/// The description of a finding.
#[derive(Default, Serialize)]
pub(super) struct FindingInfo<'a> {
    pub(super) uid: Cow<'a, str>,
    pub(super) uid_alt: Option<String>,
    pub(super) title: Option<&'a str>,
    pub(super) desc: Option<&'a str>,
    pub(super) types: Vec<&'a str>,
    pub(super) created_time: Option<i64>,
    pub(super) modified_time: Option<i64>,
    pub(super) first_seen_time: Option<i64>,
    pub(super) last_seen_time: Option<i64>,
    pub(super) attacks: Vec<Attack<'a>>,
    pub(super) analytic: Option<Analytic<'a>>,
    pub(super) data_sources: Vec<&'a str>,
    pub(super) product: Product<'a>,
    pub(super) src_url: Option<&'a str>,
    pub(super) related_events: Vec<RelatedEvent<'a>>,
}

/// The detector. Microsoft does not send its type.
#[derive(Serialize)]
pub(super) struct Analytic<'a> {
    pub(super) uid: &'a str,
    pub(super) r#type: &'static str,
    pub(super) type_id: u8,
}

/// An incident that belongs to a finding.
#[derive(Serialize)]
pub(super) struct RelatedEvent<'a> {
    pub(super) uid: Cow<'a, str>,
    pub(super) r#type: &'static str,
}

const INCIDENT: &str = "Microsoft Defender XDR incident";

impl<'a> FindingInfo<'a> {
    /// An alert. `product` is its source, unless the alert names one.
    pub(super) fn of(alert: &'a Alert, attacks: Vec<Attack<'a>>, product: &'a str) -> Self {
        let [service, detection] = [&alert.service_source, &alert.detection_source].map(|word| word.filled());
        let data_sources = service.into_iter().chain(detection.filter(|word| Some(*word) != service)).collect();
        let analytic = alert.detector_id.filled().map(|uid| Analytic { uid, r#type: "Unknown", type_id: 0 });
        Self {
            uid: uid(alert),
            uid_alt: alert.provider_id(),
            title: alert.title.as_deref(),
            desc: alert.description.as_deref(),
            types: alert.named_categories().collect(),
            created_time: milliseconds(alert.created_at),
            modified_time: milliseconds(alert.updated_at),
            first_seen_time: milliseconds(alert.first_seen),
            last_seen_time: milliseconds(alert.last_seen),
            attacks,
            analytic,
            data_sources,
            product: Product::of(service.unwrap_or(product), detection),
            src_url: alert.url.as_deref(),
            related_events: alert.incident_id.filled().into_iter().map(RelatedEvent::incident).collect(),
        }
    }

    /// An incident without listed alerts, for example one that was merged into another.
    pub(super) fn of_incident(incident: &'a Incident, product: &'a str) -> Self {
        let target = incident.merged_into.map(|id| RelatedEvent::incident(id.to_string()));
        Self {
            uid: incident.id.as_str().into(),
            title: incident.name.as_deref(),
            created_time: milliseconds(incident.created_at),
            modified_time: milliseconds(incident.updated_at),
            product: Product::of(product, None),
            src_url: incident.url.as_deref(),
            related_events: target.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl<'a> RelatedEvent<'a> {
    fn incident(uid: impl Into<Cow<'a, str>>) -> Self {
        Self { uid: uid.into(), r#type: INCIDENT }
    }
}

/// The id of an alert. An alert without an id is identified by a digest of its content.
pub(super) fn uid(alert: &Alert) -> Cow<'_, str> {
    match alert.id.filled() {
        Some(id) => Cow::Borrowed(id),
        // Every part of an alert is made of strings, numbers and lists: it always serializes.
        None => Cow::Owned(uuid_of(&serde_json::to_vec(alert).unwrap_or_default())),
    }
}
