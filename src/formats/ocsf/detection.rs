//! One alert as a Detection Finding, class 2004.
//!
//! Source: <https://schema.ocsf.io/1.8.0/classes/detection_finding>.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::account::User;
use super::attacks::{self, Attack};
use super::context::Unmapped;
use super::device::{self, Device, Resource};
use super::evidence::{Artifact, artifacts};
use super::file::Fingerprint;
use super::finding::{self, FindingInfo};
use super::head::{DETECTION, Head};
use super::metadata::{Metadata, Product};
use super::observables::{self, Observable};
use super::timestamps::{first_of, milliseconds};
use super::unmapped::OfAlert;
use super::words;
use crate::domain::alert::{Alert, Comment};
use crate::domain::context::SubjectContext;
use crate::domain::timestamp::Timestamp;
use crate::domain::vocabulary::AlertVerdict;
use crate::formats::filled::Filled;

/// `security_control` adds the action and the attacks, `incident` the assignee and the verdict.
const PROFILES: [&str; 2] = ["incident", "security_control"];

/// The event.
#[derive(Serialize)]
pub(super) struct DetectionFinding<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    pub(super) is_alert: bool,
    pub(super) verdict_id: Option<u8>,
    pub(super) verdict: Option<&'a str>,
    pub(super) assignee: Option<User<'a>>,
    pub(super) src_url: Option<String>,
    pub(super) action_id: u8,
    pub(super) action: &'static str,
    pub(super) disposition_id: u8,
    pub(super) disposition: &'static str,
    pub(super) attacks: &'a [Attack<'a>],
    pub(super) malware: Vec<Malware<'a>>,
    pub(super) finding_info: FindingInfo<'a>,
    pub(super) device: Option<&'a Device<'a>>,
    pub(super) resources: &'a [Resource<'a>],
    pub(super) evidences: &'a [Artifact<'a>],
    pub(super) observables: Vec<Observable<'a>>,
    pub(super) metadata: Metadata<'a>,
    pub(super) unmapped: OfAlert<'a>,
    pub(super) raw_data: Option<&'a str>,
    pub(super) raw_data_size: Option<usize>,
    pub(super) raw_data_hash: Option<Fingerprint<'a>>,
}

/// A threat under Defender's name.
#[derive(Serialize)]
pub(super) struct Malware<'a> {
    pub(super) name: &'a str,
    pub(super) classification_ids: Vec<u8>,
    pub(super) classifications: Vec<&'static str>,
    pub(super) provider: &'a str,
}

/// An alert to serialize as an event.
pub(super) struct Detection<'a> {
    pub(super) alert: &'a Alert,
    /// The queried product.
    pub(super) product: &'a str,
    /// The time of the query, for an alert without any time.
    pub(super) retrieved_at: Timestamp,
    /// Whether parts of the alert are omitted.
    pub(super) is_truncated: bool,
    /// The warnings of the answer, if it is about this alert alone.
    pub(super) warnings: Vec<&'a str>,
    /// The upstream body of the alert.
    pub(super) raw: Option<Cow<'a, str>>,
    /// What Defender says of the subject of the answer.
    pub(super) context: Option<&'a SubjectContext>,
}

impl Detection<'_> {
    /// The time of the finding in milliseconds.
    pub(super) fn time(&self) -> i64 {
        let alert = self.alert;
        let times = [alert.created_at, alert.updated_at, alert.first_seen, alert.last_seen, alert.resolved_at];
        first_of(&times, self.retrieved_at)
    }

    fn head(&self) -> Head<'_> {
        let alert = self.alert;
        let severity = words::severity(alert.severity, alert.unknown_words.severity.as_deref());
        let status = words::alert_status(alert.status, alert.unknown_words.status.as_deref());
        Head {
            status_detail: alert.determination.as_deref(),
            start_time: milliseconds(alert.first_seen),
            end_time: milliseconds(alert.last_seen),
            message: alert.title.as_deref(),
            comment: newest(&alert.comments),
            ..Head::new(&DETECTION, words::alert_activity(alert.status), severity, status, self.time())
        }
    }

    fn metadata<'m>(&'m self, id: &'m str) -> Metadata<'m> {
        let product = Product::of(self.product, self.alert.detection_source.filled());
        Metadata {
            profiles: PROFILES.to_vec(),
            correlation_uid: self.alert.incident_id.as_deref(),
            tenant_uid: self.alert.tenant_id.as_deref(),
            log_name: "alerts",
            is_truncated: self.is_truncated.then_some(true),
            debug: self.warnings.clone(),
            ..Metadata::of(DETECTION.uid, id, self.alert.updated_at, product)
        }
    }

    fn malware(&self) -> Option<Malware<'_>> {
        let names = [&self.alert.threat_name, &self.alert.threat_family];
        let name = names.into_iter().find_map(|name| name.filled())?;
        let provider = self.alert.service_source.filled().unwrap_or(self.product);
        Some(Malware { name, classification_ids: vec![0], classifications: vec!["Unknown"], provider })
    }
}

impl Serialize for Detection<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alert = self.alert;
        let attacks = attacks::of(alert);
        let mut device = Device::of(alert);
        let has_subject = device.as_mut().is_some_and(|device| device.add_context(self.context));
        let resources = device::resources(alert, self.context);
        let mut evidences = artifacts(&alert.evidence);
        let files = evidences.iter_mut().flat_map(Artifact::files);
        let subject_files = files.map(|file| file.add_context(self.context)).filter(|is_subject| *is_subject).count();
        let id = finding::uid(alert);
        let detections = alert.evidence.iter().filter_map(|item| item.detection_status.filled());
        let (action, disposition) = words::outcome(&detections.collect::<Vec<_>>());
        let verdict = words::alert_verdict(alert.verdict, alert.classification.filled());
        let event = DetectionFinding {
            head: self.head(),
            is_alert: is_alert(alert),
            verdict_id: verdict.map(|verdict| verdict.id),
            verdict: verdict.map(|verdict| verdict.word),
            assignee: alert.assigned_to.filled().map(User::assigned),
            src_url: alert.incident_url(),
            action_id: action.id,
            action: action.word,
            disposition_id: disposition.id,
            disposition: disposition.word,
            attacks: &attacks,
            malware: self.malware().into_iter().collect(),
            finding_info: FindingInfo::of(alert, attacks.clone(), self.product),
            device: device.as_ref(),
            resources: &resources,
            observables: observables::of_detection(device.as_ref(), &resources, &evidences, &alert.evidence),
            evidences: &evidences,
            metadata: self.metadata(&id),
            unmapped: OfAlert::with_context(
                alert,
                self.context.map(|context| Unmapped::of(context, has_subject, subject_files > 0)),
            ),
            raw_data: self.raw.as_deref(),
            raw_data_size: self.raw.as_deref().map(str::len),
            raw_data_hash: self.raw.as_deref().map(Fingerprint::of),
        };
        event.serialize(serializer)
    }
}

/// Whether the alert needs attention: it is open and not dismissed.
fn is_alert(alert: &Alert) -> bool {
    let is_dismissed = match alert.verdict {
        AlertVerdict::FalsePositive | AlertVerdict::Benign | AlertVerdict::Test => true,
        AlertVerdict::TruePositive | AlertVerdict::Undetermined | AlertVerdict::Other => false,
    };
    alert.status.is_open() && !is_dismissed
}

/// The text of the newest comment.
pub(super) fn newest(comments: &[Comment]) -> Option<&str> {
    comments.iter().max_by_key(|comment| comment.created_at)?.text.as_deref()
}
