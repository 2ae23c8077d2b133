//! An alert as Graph sends it: by id, in an incident, in a batch; everywhere the same.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-alert>.

use std::mem;

use super::evidence::EvidenceReader;
use super::words::{determination, word};
use crate::domain::alert::Alert;
use crate::domain::extra::Extra;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{self, UnknownWords};
use crate::domain::warning::Warnings;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::{ReadObject, keep_passed_over, list_of};
use crate::lenient_json::shared_fields::{self, CommentNames};

/// Documented samples of old say `createdBy` and `createdTime`.
pub(super) const COMMENT: CommentNames =
    CommentNames { author: &["createdByDisplayName", "createdBy"], created: &["createdDateTime", "createdTime"] };

/// Reads alerts, one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    notes: &'n mut Warnings,
    /// Those of the alert before.
    members: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    pub(super) fn new(portal: Portal, notes: &'n mut Warnings) -> Self {
        Self { portal, notes, members: Members::default() }
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
        let mut found = EvidenceReader::new(self.notes);
        let mut evidence = Vec::new();
        let mut odd = Extra::default();
        members.read(json, |name, json| {
            let is_evidence = name == "evidence";
            if is_evidence {
                let items = list_of(json, &mut found)?;
                let passed_over = found.passed_over();
                keep_passed_over(&mut odd, name, &passed_over, items.is_some(), found.notes);
                evidence.extend(items.unwrap_or_default());
            }
            Ok(is_evidence)
        })?;
        let (devices, logged_on_users) = found.seen();
        let alert = self.normalize(&mut members, odd);
        self.members = members;
        let mut devices = devices.into_iter();
        // Graph always sends evidence: none is none.
        Ok(Alert {
            evidence,
            evidence_loaded: true,
            device: devices.next(),
            further_devices: devices.collect(),
            logged_on_users,
            ..alert
        })
    }
}

impl AlertReader<'_, '_> {
    /// Everything but what the evidence tells.
    fn normalize(&mut self, members: &mut Members<'_>, odd: Extra) -> Alert {
        let notes = &mut *self.notes;
        let mut unfamiliar = UnknownWords::default();
        let severity = shared_fields::severity(members, &mut unfamiliar, notes);
        let status = shared_fields::alert_status(members, &mut unfamiliar, notes);
        let as_it_came = members.peek_text("classification");
        let classification = word(members, "classification", notes);
        let determination = determination(members, notes);
        let verdict = shared_fields::verdict(as_it_came.as_deref(), determination.as_deref(), "classification", notes);
        let id = members.text(&["id"], notes);
        let tenant_id = members.text(&["tenantId"], notes);
        let page = id.as_deref().and_then(|id| self.portal.alert(id, tenant_id.as_deref())).map(SharedStr::from);
        let own_page = members.peek_text("alertWebUrl");
        let is_own =
            own_page.as_deref().zip(id.as_deref()).is_some_and(|(page, id)| self.portal.is_alert_page(page, id));
        if is_own {
            members.take("alertWebUrl");
        }
        let (category, categories) = categories(members, notes);
        Alert {
            title: members.text(&["title"], notes),
            description: members.text(&["description"], notes),
            severity,
            severity_id: severity.id(),
            status,
            verdict,
            classification,
            determination,
            category,
            categories,
            techniques: members.texts(&["mitreTechniques"], notes),
            threat_name: members.text(&["threatDisplayName"], notes),
            threat_family: members.text(&["threatFamilyName"], notes),
            detection_source: members.text(&["detectionSource"], notes),
            service_source: members.text(&["serviceSource"], notes),
            detector_id: members.text(&["detectorId"], notes),
            product_name: members.text(&["productName"], notes),
            actor: members.text(&["actorDisplayName"], notes),
            recommended_actions: members.text(&["recommendedActions"], notes),
            custom_details: custom_details(members, notes),
            tags: members.texts(&["systemTags"], notes),
            investigation_state: word(members, "investigationState", notes),
            assigned_to: members.text(&["assignedTo"], notes),
            incident_id: members.text(&["incidentId"], notes),
            created_at: members.moment(&["createdDateTime"], notes),
            updated_at: members.moment(&["lastUpdateDateTime"], notes),
            first_seen: members.moment(&["firstActivityDateTime"], notes),
            last_seen: members.moment(&["lastActivityDateTime"], notes),
            resolved_at: members.moment(&["resolvedDateTime"], notes),
            comments: shared_fields::comments(members, &COMMENT, notes),
            url: if is_own { own_page } else { page },
            extra: members.rest(notes).and(odd),
            unfamiliar,
            id,
            tenant_id,
            // Graph tells neither an investigation's id nor a user: accounts are in the evidence.
            ..Alert::default()
        }
    }
}

/// What a custom detection adds, unchanged; an empty object is none.
fn custom_details(members: &mut Members<'_>, notes: &mut Warnings) -> Option<Extra> {
    let details = members.object("customDetails", notes)?.rest(notes);
    Some(details).filter(|details| !details.is_empty())
}

/// The category, and all of them: `category` was one, `categories` is to replace it.
fn categories(members: &mut Members<'_>, notes: &mut Warnings) -> (Option<SharedStr>, Vec<SharedStr>) {
    let one = members.text(&["category"], notes);
    let several = members.texts(&["categories"], notes);
    let category = one.or_else(|| several.first().cloned());
    let all = vocabulary::categories(category.iter().cloned().chain(several));
    (category, all)
}
