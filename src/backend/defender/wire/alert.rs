//! An alert as Defender for Endpoint sends it, and as Defender XDR nests it in an incident.
//!
//! The two differ in the names of some members (`id`/`alertId`, `alertCreationTime`/`creationTime`,
//! `lastUpdateTime`/`lastUpdatedTime`, `evidence`/`entities`). No member has different meanings in the two.

use std::mem;

use super::evidence::EvidenceReader;
use crate::domain::alert::{Alert, AlertAccount, Device};
use crate::domain::evidence::Evidence;
use crate::domain::extra::Extra;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{self, UnknownWords};
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::{ReadObject, keep_passed_over, list_of};
use crate::lenient_json::shared_fields::{self, CommentNames};

/// Reads alerts one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    warnings: &'n mut Warnings,
    is_complete: bool,
    /// The members of the previous alert; their buffer is reused.
    members: Members<'de>,
    /// The members of the previous evidence item; their buffer is reused.
    item: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    /// Creates a reader. `is_complete`: the bodies always contain evidence, as an alert by id or an incident does. In a
    /// list, `[]` means that the evidence was not loaded.
    pub(super) fn new(portal: Portal, warnings: &'n mut Warnings, is_complete: bool) -> Self {
        Self { portal, warnings, is_complete, members: Members::default(), item: Members::default() }
    }
}

impl<'de> ReadObject<'de> for AlertReader<'_, 'de> {
    type Item = Alert;

    fn weight(alert: &Alert) -> usize {
        // The evidence was already counted item by item.
        alert.weight_without_evidence()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Alert, Malformed> {
        let mut members = mem::take(&mut self.members);
        let mut evidence: Option<Vec<Evidence>> = None;
        let mut unexpected = Extra::default();
        members.read(json, |name, json| {
            let is_evidence = matches!(name, "evidence" | "entities");
            if is_evidence {
                let item = mem::take(&mut self.item);
                let mut reader = EvidenceReader { warnings: self.warnings, members: item, passed_over: Vec::new() };
                let items = list_of(json, &mut reader)?;
                let EvidenceReader { members: item, passed_over, .. } = reader;
                self.item = item;
                keep_passed_over(&mut unexpected, name, &passed_over, items.is_some(), self.warnings);
                let items = items.unwrap_or_default();
                match &mut evidence {
                    Some(evidence) => evidence.extend(items),
                    None => evidence = Some(items),
                }
            }
            Ok(is_evidence)
        })?;
        let evidence_loaded = evidence.as_ref().is_some_and(|items| self.is_complete || !items.is_empty());
        let alert = self.normalize(&mut members, evidence.unwrap_or_default(), evidence_loaded, unexpected);
        self.members = members;
        Ok(alert)
    }
}

impl AlertReader<'_, '_> {
    fn normalize(
        &mut self,
        members: &mut Members<'_>,
        evidence: Vec<Evidence>,
        evidence_loaded: bool,
        unexpected: Extra,
    ) -> Alert {
        let warnings = &mut *self.warnings;
        let mut unknown_words = UnknownWords::default();
        let severity = shared_fields::severity(members, &mut unknown_words, warnings);
        let status = shared_fields::alert_status(members, &mut unknown_words, warnings);
        let classification = members.text(&["classification"], warnings);
        let determination = shared_fields::determination(members, warnings);
        let verdict =
            shared_fields::verdict(classification.as_deref(), determination.as_deref(), "classification", warnings);
        let id = members.text(&["alertId", "id"], warnings);
        let tenant_id = members.text(&["aadTenantId"], warnings);
        let url = id.as_deref().and_then(|id| self.portal.alert(id, tenant_id.as_deref())).map(SharedStr::from);
        let (device, further_devices) = devices(members, warnings);
        let category = members.text(&["category"], warnings);
        Alert {
            title: members.text(&["title"], warnings),
            description: members.text(&["description"], warnings),
            severity,
            severity_id: severity.id(),
            status,
            verdict,
            classification,
            determination,
            categories: vocabulary::categories(category.iter().cloned()),
            category,
            techniques: members.texts(&["mitreTechniques"], warnings),
            threat_name: members.text(&["threatName"], warnings),
            threat_family: members.text(&["threatFamilyName"], warnings),
            detection_source: members.text(&["detectionSource"], warnings),
            service_source: members.text(&["serviceSource"], warnings),
            detector_id: members.text(&["detectorId"], warnings),
            investigation_id: members.text(&["investigationId"], warnings),
            investigation_state: members.text(&["investigationState"], warnings),
            actor: members.text(&["actorName"], warnings),
            assigned_to: members.text(&["assignedTo"], warnings),
            incident_id: members.text(&["incidentId"], warnings),
            device,
            further_devices,
            user: related_user(members, warnings),
            logged_on_users: shared_fields::logged_on_users(members, warnings),
            created_at: members.timestamp(&["alertCreationTime", "creationTime"], warnings),
            updated_at: members.timestamp(&["lastUpdateTime", "lastUpdatedTime"], warnings),
            first_seen: members.timestamp(&["firstEventTime", "firstActivity"], warnings),
            last_seen: members.timestamp(&["lastEventTime", "lastActivity"], warnings),
            resolved_at: members.timestamp(&["resolvedTime"], warnings),
            comments: shared_fields::comments(members, &COMMENT, warnings),
            evidence,
            evidence_loaded,
            url,
            extra: members.rest(warnings).and(unexpected),
            unknown_words,
            id,
            tenant_id,
            // Members that these APIs do not send.
            ..Alert::default()
        }
    }
}

/// Reads the device of an alert, or the devices of an incident's alert. The latter also stay complete in `extra`.
fn devices(members: &mut Members<'_>, warnings: &mut Warnings) -> (Option<Device>, Vec<Device>) {
    let mut devices: Vec<_> = members
        .kept_objects("devices", warnings)
        .into_iter()
        .map(|mut device| Device {
            id: device.text(&["mdatpDeviceId", "deviceId"], warnings),
            name: device.text(&["deviceDnsName"], warnings),
            group: device.text(&["rbacGroupName"], warnings),
        })
        .collect();
    let own = Device {
        id: members.text(&["machineId"], warnings),
        name: members.text(&["computerDnsName"], warnings),
        group: members.text(&["rbacGroupName"], warnings),
    };
    if own != Device::default() {
        devices.insert(0, own);
    }
    let mut devices = devices.into_iter();
    (devices.next(), devices.collect())
}

/// Reads the related user. If it has other members, it also stays complete in `extra`.
fn related_user(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<AlertAccount> {
    let mut user = members.kept_objects("relatedUser", warnings).into_iter().next()?;
    let domain = user.text(&["domainName"], warnings);
    let name = user.text(&["userName"], warnings);
    if user.is_empty() && (name.is_some() || domain.is_none()) {
        members.take("relatedUser");
    }
    name.map(|name| AlertAccount { domain, name })
}

/// The documented table has `createTime`; real bodies have `createdTime`.
pub(super) const COMMENT: CommentNames =
    CommentNames { author: &["createdBy"], created: &["createdTime", "createTime"] };
