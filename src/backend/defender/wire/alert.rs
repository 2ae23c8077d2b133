//! An alert as Defender for Endpoint sends it, and as Defender XDR nests it in an incident.
//!
//! The two differ in the names of some members (`id`/`alertId`, `alertCreationTime`/`creationTime`,
//! `lastUpdateTime`/`lastUpdatedTime`, `evidence`/`entities`); no member means one thing here and another there.

use std::mem;

use super::evidence::EvidenceReader;
use crate::domain::alert::{Account, Alert, Device};
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

/// Reads alerts, one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    notes: &'n mut Warnings,
    is_complete: bool,
    /// Those of the alert before.
    members: Members<'de>,
    /// Those of the item of evidence before.
    item: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    /// A reader of bodies that always carry evidence, of an alert by id or an incident, if `is_complete`. A list's `[]`
    /// means "not loaded".
    pub(super) fn new(portal: Portal, notes: &'n mut Warnings, is_complete: bool) -> Self {
        Self { portal, notes, is_complete, members: Members::default(), item: Members::default() }
    }
}

impl<'de> ReadObject<'de> for AlertReader<'_, 'de> {
    type Item = Alert;

    fn weight(alert: &Alert) -> usize {
        // Its evidence was counted item by item.
        alert.weight_without_evidence()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Alert, Malformed> {
        let mut members = mem::take(&mut self.members);
        let mut evidence: Option<Vec<Evidence>> = None;
        let mut odd = Extra::default();
        members.read(json, |name, json| {
            let is_evidence = matches!(name, "evidence" | "entities");
            if is_evidence {
                let item = mem::take(&mut self.item);
                let mut reader = EvidenceReader { notes: self.notes, members: item, passed_over: Vec::new() };
                let items = list_of(json, &mut reader)?;
                let EvidenceReader { members: item, passed_over, .. } = reader;
                self.item = item;
                keep_passed_over(&mut odd, name, &passed_over, items.is_some(), self.notes);
                let items = items.unwrap_or_default();
                match &mut evidence {
                    Some(evidence) => evidence.extend(items),
                    None => evidence = Some(items),
                }
            }
            Ok(is_evidence)
        })?;
        let evidence_loaded = evidence.as_ref().is_some_and(|items| self.is_complete || !items.is_empty());
        let alert = self.normalize(&mut members, evidence.unwrap_or_default(), evidence_loaded, odd);
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
        odd: Extra,
    ) -> Alert {
        let notes = &mut *self.notes;
        let mut unfamiliar = UnknownWords::default();
        let severity = shared_fields::severity(members, &mut unfamiliar, notes);
        let status = shared_fields::alert_status(members, &mut unfamiliar, notes);
        let classification = members.text(&["classification"], notes);
        let determination = shared_fields::determination(members, notes);
        let verdict =
            shared_fields::verdict(classification.as_deref(), determination.as_deref(), "classification", notes);
        let id = members.text(&["alertId", "id"], notes);
        let tenant_id = members.text(&["aadTenantId"], notes);
        let url = id.as_deref().and_then(|id| self.portal.alert(id, tenant_id.as_deref())).map(SharedStr::from);
        let (device, further_devices) = devices(members, notes);
        let category = members.text(&["category"], notes);
        Alert {
            title: members.text(&["title"], notes),
            description: members.text(&["description"], notes),
            severity,
            severity_id: severity.id(),
            status,
            verdict,
            classification,
            determination,
            categories: vocabulary::categories(category.iter().cloned()),
            category,
            techniques: members.texts(&["mitreTechniques"], notes),
            threat_name: members.text(&["threatName"], notes),
            threat_family: members.text(&["threatFamilyName"], notes),
            detection_source: members.text(&["detectionSource"], notes),
            service_source: members.text(&["serviceSource"], notes),
            detector_id: members.text(&["detectorId"], notes),
            investigation_id: members.text(&["investigationId"], notes),
            investigation_state: members.text(&["investigationState"], notes),
            actor: members.text(&["actorName"], notes),
            assigned_to: members.text(&["assignedTo"], notes),
            incident_id: members.text(&["incidentId"], notes),
            device,
            further_devices,
            user: related_user(members, notes),
            logged_on_users: shared_fields::logged_on_users(members, notes),
            created_at: members.moment(&["alertCreationTime", "creationTime"], notes),
            updated_at: members.moment(&["lastUpdateTime", "lastUpdatedTime"], notes),
            first_seen: members.moment(&["firstEventTime", "firstActivity"], notes),
            last_seen: members.moment(&["lastEventTime", "lastActivity"], notes),
            resolved_at: members.moment(&["resolvedTime"], notes),
            comments: shared_fields::comments(members, &COMMENT, notes),
            evidence,
            evidence_loaded,
            url,
            extra: members.rest(notes).and(odd),
            unfamiliar,
            id,
            tenant_id,
            // What these APIs do not tell.
            ..Alert::default()
        }
    }
}

/// The device of an alert, or the devices of an incident's alert; the latter stay whole in `extra` as well.
fn devices(members: &mut Members<'_>, notes: &mut Warnings) -> (Option<Device>, Vec<Device>) {
    let mut devices: Vec<_> = members
        .kept_objects("devices", notes)
        .into_iter()
        .map(|mut device| Device {
            id: device.text(&["mdatpDeviceId", "deviceId"], notes),
            name: device.text(&["deviceDnsName"], notes),
            group: device.text(&["rbacGroupName"], notes),
        })
        .collect();
    let own = Device {
        id: members.text(&["machineId"], notes),
        name: members.text(&["computerDnsName"], notes),
        group: members.text(&["rbacGroupName"], notes),
    };
    if own != Device::default() {
        devices.insert(0, own);
    }
    let mut devices = devices.into_iter();
    (devices.next(), devices.collect())
}

/// The related user; what else is told of one stays whole in `extra`.
fn related_user(members: &mut Members<'_>, notes: &mut Warnings) -> Option<Account> {
    let mut user = members.kept_objects("relatedUser", notes).into_iter().next()?;
    let domain = user.text(&["domainName"], notes);
    let name = user.text(&["userName"], notes);
    if user.is_empty() && (name.is_some() || domain.is_none()) {
        members.take("relatedUser");
    }
    name.map(|name| Account { domain, name })
}

/// The documented table says `createTime`, bodies say `createdTime`.
pub(super) const COMMENT: CommentNames =
    CommentNames { author: &["createdBy"], created: &["createdTime", "createTime"] };
