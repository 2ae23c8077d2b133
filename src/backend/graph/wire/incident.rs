//! An incident as Graph sends it.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/security-incident>.

use super::alert::{AlertReader, COMMENT};
use super::words::{determination, word};
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::subject::IncidentId;
use crate::domain::vocabulary::UnknownWords;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{Page, link};
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::{ReadObject, list_of};
use crate::lenient_json::shared_fields;

/// Reads one incident.
pub(super) struct IncidentReader<'n> {
    /// The requested id.
    pub(super) id: IncidentId,
    pub(super) portal: Portal,
    pub(super) warnings: &'n mut Warnings,
}

impl<'de> ReadObject<'de> for IncidentReader<'_> {
    type Item = (Incident, Page<Alert>);

    fn weight((incident, _): &Self::Item) -> usize {
        // The alerts were already counted one by one.
        incident.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Self::Item, Malformed> {
        let mut members = Members::within(json.body());
        let mut alerts = Page::default();
        members.read(json, |name, json| {
            match name {
                "alerts" => {
                    let mut reader = AlertReader::new(self.portal, self.warnings);
                    alerts.items = list_of(json, &mut reader)?.unwrap_or_default();
                }
                "alerts@odata.nextLink" => alerts.next_link = link(&json.value()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((self.normalize(members), alerts))
    }
}

impl IncidentReader<'_> {
    fn normalize(&mut self, mut members: Members<'_>) -> Incident {
        let warnings = &mut *self.warnings;
        let mut unknown_words = UnknownWords::default();
        let severity = shared_fields::severity(&mut members, &mut unknown_words, warnings);
        let status = shared_fields::incident_status(&mut members, &mut unknown_words, warnings);
        let raw_classification = members.peek_text("classification");
        let classification = word(&mut members, "classification", warnings);
        let determination = determination(&mut members, warnings);
        shared_fields::verdict(raw_classification.as_deref(), None, "incident classification", warnings);
        let merged_into = members.peek_text("redirectIncidentId").and_then(|text| IncidentId::parse(&text));
        let own_page = members.peek_text("incidentWebUrl").filter(|page| self.portal.is_incident_page(page, self.id));
        if own_page.is_some() {
            members.take("incidentWebUrl");
        }
        Incident {
            id: members.text(&["id"], warnings).unwrap_or_default(),
            name: members.text(&["displayName"], warnings),
            description: members.text(&["description"], warnings),
            summary: members.text(&["summary"], warnings),
            severity,
            severity_id: severity.id(),
            status,
            classification,
            determination,
            assigned_to: members.text(&["assignedTo"], warnings),
            resolving_comment: members.text(&["resolvingComment"], warnings),
            priority_score: members.integer(&["priorityScore"], warnings),
            tenant_id: members.text(&["tenantId"], warnings),
            created_at: members.timestamp(&["createdDateTime"], warnings),
            updated_at: members.timestamp(&["lastUpdateDateTime"], warnings),
            tags: members.texts(&["customTags", "tags"], warnings),
            comments: shared_fields::comments(&mut members, &COMMENT, warnings),
            url: Some(own_page.unwrap_or_else(|| self.portal.incident(self.id).into())),
            extra: members.rest(warnings),
            unknown_words,
            merged_into,
            ..Incident::default()
        }
    }
}
