//! One incident as an Incident Finding, class 2005.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/incident_finding>.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::account::User;
use super::attacks::{self, Attack};
use super::detection::newest;
use super::device::Device;
use super::file::Fingerprint;
use super::finding::{self, FindingInfo};
use super::head::{Head, INCIDENT};
use super::metadata::{Metadata, Product};
use super::observables::{self, Observable};
use super::timestamps::{first_of, milliseconds};
use super::unmapped::OfIncident;
use super::words;
use crate::domain::enrichment::Enrichment;
use crate::domain::incident::Incident;
use crate::domain::raw::Raw;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{Severity, Verdict};
use crate::formats::filled::{Filled, filled};

/// The event.
#[derive(Serialize)]
pub(super) struct IncidentFinding<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    pub(super) desc: Option<&'a str>,
    pub(super) verdict_id: u8,
    pub(super) verdict: &'a str,
    pub(super) assignee: User<'a>,
    pub(super) src_url: Option<&'a str>,
    pub(super) attacks: Vec<Attack<'a>>,
    pub(super) finding_info_list: Vec<FindingInfo<'a>>,
    pub(super) device: Option<&'a Device<'a>>,
    pub(super) observables: Vec<Observable<'a>>,
    pub(super) metadata: Metadata<'a>,
    pub(super) unmapped: OfIncident<'a>,
    pub(super) raw_data: Option<Cow<'a, str>>,
    pub(super) raw_data_size: Option<usize>,
    pub(super) raw_data_hash: Option<Fingerprint<'a>>,
}

/// An incident to serialize as an event.
pub(super) struct IncidentEvent<'a> {
    pub(super) incident: &'a Incident,
    pub(super) enrichment: &'a Enrichment<'a>,
}

impl<'a> IncidentEvent<'a> {
    /// The time of the incident in milliseconds.
    pub(super) fn time(&self) -> i64 {
        let (incident, enrichment) = (self.incident, self.enrichment);
        let times = [incident.created_at, incident.updated_at, enrichment.first_seen, enrichment.last_seen];
        first_of(&times, enrichment.source.retrieved_at)
    }

    fn head(&self) -> Head<'a> {
        let (incident, enrichment) = (self.incident, self.enrichment);
        let is_assigned = incident.assigned_to.filled().is_some();
        let severity = words::severity(enrichment.severity, self.unknown_severity_word());
        let status = words::incident_status(incident.status, is_assigned, incident.unknown_words.status.as_deref());
        let activity = words::incident_activity(incident.status, is_assigned);
        Head {
            status_detail: incident.determination.as_deref(),
            start_time: milliseconds(enrichment.first_seen),
            end_time: milliseconds(enrichment.last_seen),
            message: incident.name.as_deref(),
            comment: newest(&incident.comments),
            ..Head::new(&INCIDENT, activity, severity, status, self.time())
        }
    }

    /// Defender's word for an unknown severity: the incident's, or else that of an alert.
    fn unknown_severity_word(&self) -> Option<&'a str> {
        let own = self.incident.unknown_words.severity.as_deref();
        let of_an_alert = || self.enrichment.alerts.iter().find_map(|alert| alert.unknown_words.severity.as_deref());
        if self.incident.severity == Severity::Other { own } else { of_an_alert() }
    }

    /// The verdict of the answer: the incident's own, or else the roll-up of its alerts.
    fn verdict(&self) -> words::Caption<'a> {
        let own = self.incident.classification.as_deref().filter(|_| self.incident.verdict() == Verdict::Other);
        let of_an_alert = || self.enrichment.alerts.iter().find_map(|alert| alert.classification.as_deref());
        words::verdict_of(self.enrichment.verdict, own.or_else(of_an_alert))
    }

    /// The device, if there is exactly one.
    fn device(&self) -> Option<Device<'a>> {
        let [only] = &*self.enrichment.entities.devices else { return None };
        filled(only.id).or(filled(only.name))?;
        Some(Device::named(only.id, only.name, None))
    }

    fn metadata(&self, has_device: bool) -> Metadata<'a> {
        let (incident, enrichment) = (self.incident, self.enrichment);
        Metadata {
            profiles: if has_device { vec!["incident", "host"] } else { vec!["incident"] },
            tenant_uid: enrichment.alerts.iter().find_map(|alert| alert.tenant_id.filled()),
            correlation_uid: Some(&incident.id),
            log_name: "incidents",
            labels: incident.tags.iter().map(SharedStr::as_str).filter(|tag| !tag.is_empty()).collect(),
            is_truncated: Some(true).filter(|_| enrichment.truncated),
            debug: enrichment.warnings.iter().map(|warning| warning.detail.as_str()).collect(),
            ..Metadata::of(
                INCIDENT.uid,
                &incident.id,
                incident.updated_at,
                Product::of(enrichment.source.product, None),
            )
        }
    }

    /// One finding for each listed alert. OCSF requires at least one.
    fn findings(&self) -> Vec<FindingInfo<'a>> {
        let product = self.enrichment.source.product;
        if self.enrichment.alerts.is_empty() {
            return vec![FindingInfo::of_incident(self.incident, product)];
        }
        let finding = |alert| FindingInfo {
            // The finding is already part of this incident.
            related_events: Vec::new(),
            ..FindingInfo::of(alert, attacks::of(alert), product)
        };
        self.enrichment.alerts.iter().copied().map(finding).collect()
    }
}

impl Serialize for IncidentEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (incident, enrichment) = (self.incident, self.enrichment);
        let device = self.device();
        let ids: Vec<_> = enrichment.alerts.iter().map(|alert| finding::uid(alert)).collect();
        let verdict = self.verdict();
        let raw = enrichment.raw.and_then(Raw::text);
        let event = IncidentFinding {
            head: self.head(),
            desc: [&incident.summary, &incident.description, &incident.name].into_iter().find_map(|text| text.filled()),
            verdict_id: verdict.id,
            verdict: verdict.word,
            assignee: incident.assigned_to.filled().map_or_else(User::nobody, User::assigned),
            src_url: incident.url.as_deref(),
            attacks: attacks::distinct(enrichment.alerts.iter().flat_map(|alert| attacks::of(alert))),
            finding_info_list: self.findings(),
            device: device.as_ref(),
            observables: observables::of_incident(device.as_ref(), &enrichment.entities),
            metadata: self.metadata(device.is_some()),
            unmapped: OfIncident::of(incident, enrichment, &ids, device.is_some()),
            raw_data_size: raw.as_deref().map(str::len),
            raw_data_hash: raw.as_deref().map(Fingerprint::of),
            raw_data: raw,
        };
        event.serialize(serializer)
    }
}
