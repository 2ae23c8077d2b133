//! An alert as Graph sends it. It has the same format by id, in an incident and in a batch.
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

/// The older documented samples have `createdBy` and `createdTime`.
pub(super) const COMMENT: CommentNames =
    CommentNames { author: &["createdByDisplayName", "createdBy"], created: &["createdDateTime", "createdTime"] };

/// Reads alerts one after the other.
pub(super) struct AlertReader<'n, 'de> {
    portal: Portal,
    warnings: &'n mut Warnings,
    /// The members of the previous alert; their buffer is reused.
    members: Members<'de>,
}

impl<'n> AlertReader<'n, '_> {
    pub(super) fn new(portal: Portal, warnings: &'n mut Warnings) -> Self {
        Self { portal, warnings, members: Members::default() }
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
        let mut reader = EvidenceReader::new(self.warnings);
        let mut evidence = Vec::new();
        let mut unexpected = Extra::default();
        members.read(json, |name, json| {
            let is_evidence = name == "evidence";
            if is_evidence {
                let items = list_of(json, &mut reader)?;
                let passed_over = reader.passed_over();
                keep_passed_over(&mut unexpected, name, &passed_over, items.is_some(), reader.warnings);
                evidence.extend(items.unwrap_or_default());
            }
            Ok(is_evidence)
        })?;
        let (devices, logged_on_users) = reader.into_devices_and_users();
        let alert = self.normalize(&mut members, unexpected);
        self.members = members;
        let mut devices = devices.into_iter();
        // Graph always sends evidence, so an empty list means that there is none.
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
    /// Converts the members of an alert, without its evidence.
    fn normalize(&mut self, members: &mut Members<'_>, unexpected: Extra) -> Alert {
        let warnings = &mut *self.warnings;
        let mut unknown_words = UnknownWords::default();
        let severity = shared_fields::severity(members, &mut unknown_words, warnings);
        let status = shared_fields::alert_status(members, &mut unknown_words, warnings);
        let raw_classification = members.peek_text("classification");
        let classification = word(members, "classification", warnings);
        let determination = determination(members, warnings);
        let verdict =
            shared_fields::verdict(raw_classification.as_deref(), determination.as_deref(), "classification", warnings);
        let id = members.text(&["id"], warnings);
        let tenant_id = members.text(&["tenantId"], warnings);
        let page = id.as_deref().and_then(|id| self.portal.alert(id, tenant_id.as_deref())).map(SharedStr::from);
        let own_page = members.peek_text("alertWebUrl");
        let is_own =
            own_page.as_deref().zip(id.as_deref()).is_some_and(|(page, id)| self.portal.is_alert_page(page, id));
        if is_own {
            members.take("alertWebUrl");
        }
        let (category, categories) = categories(members, warnings);
        Alert {
            title: members.text(&["title"], warnings),
            description: members.text(&["description"], warnings),
            severity,
            severity_id: severity.id(),
            status,
            verdict,
            classification,
            determination,
            category,
            categories,
            techniques: members.texts(&["mitreTechniques"], warnings),
            threat_name: members.text(&["threatDisplayName"], warnings),
            threat_family: members.text(&["threatFamilyName"], warnings),
            detection_source: members.text(&["detectionSource"], warnings),
            service_source: members.text(&["serviceSource"], warnings),
            detector_id: members.text(&["detectorId"], warnings),
            product_name: members.text(&["productName"], warnings),
            actor: members.text(&["actorDisplayName"], warnings),
            recommended_actions: members.text(&["recommendedActions"], warnings),
            custom_details: custom_details(members, warnings),
            tags: members.texts(&["systemTags"], warnings),
            investigation_state: word(members, "investigationState", warnings),
            assigned_to: members.text(&["assignedTo"], warnings),
            incident_id: members.text(&["incidentId"], warnings),
            created_at: members.timestamp(&["createdDateTime"], warnings),
            updated_at: members.timestamp(&["lastUpdateDateTime"], warnings),
            first_seen: members.timestamp(&["firstActivityDateTime"], warnings),
            last_seen: members.timestamp(&["lastActivityDateTime"], warnings),
            resolved_at: members.timestamp(&["resolvedDateTime"], warnings),
            comments: shared_fields::comments(members, &COMMENT, warnings),
            url: if is_own { own_page } else { page },
            extra: members.rest(warnings).and(unexpected),
            unknown_words,
            id,
            tenant_id,
            // Graph sends no investigation id and no user: accounts are in the evidence.
            ..Alert::default()
        }
    }
}

/// Reads the members that a custom detection adds, unchanged. An empty object counts as null.
fn custom_details(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<Extra> {
    let details = members.object("customDetails", warnings)?.rest(warnings);
    Some(details).filter(|details| !details.is_empty())
}

/// Reads the first category and all categories: in Graph, `categories` replaces `category`.
fn categories(members: &mut Members<'_>, warnings: &mut Warnings) -> (Option<SharedStr>, Vec<SharedStr>) {
    let one = members.text(&["category"], warnings);
    let several = members.texts(&["categories"], warnings);
    let category = one.or_else(|| several.first().cloned());
    let all = vocabulary::categories(category.iter().cloned().chain(several));
    (category, all)
}
