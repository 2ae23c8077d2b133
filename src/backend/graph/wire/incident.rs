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
    /// The one that was asked for.
    pub(super) id: IncidentId,
    pub(super) portal: Portal,
    pub(super) notes: &'n mut Warnings,
}

impl<'de> ReadObject<'de> for IncidentReader<'_> {
    type Item = (Incident, Page<Alert>);

    fn weight((incident, _): &Self::Item) -> usize {
        // Its alerts were counted one by one.
        incident.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Self::Item, Malformed> {
        let mut members = Members::within(json.body());
        let mut alerts = Page::default();
        members.read(json, |name, json| {
            match name {
                "alerts" => {
                    let mut reader = AlertReader::new(self.portal, self.notes);
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
        let notes = &mut *self.notes;
        let mut unfamiliar = UnknownWords::default();
        let severity = shared_fields::severity(&mut members, &mut unfamiliar, notes);
        let status = shared_fields::incident_status(&mut members, &mut unfamiliar, notes);
        let as_it_came = members.peek_text("classification");
        let classification = word(&mut members, "classification", notes);
        let determination = determination(&mut members, notes);
        shared_fields::verdict(as_it_came.as_deref(), None, "incident classification", notes);
        let merged_into = members.peek_text("redirectIncidentId").and_then(|text| IncidentId::parse(&text));
        let own_page = members.peek_text("incidentWebUrl").filter(|page| self.portal.is_incident_page(page, self.id));
        if own_page.is_some() {
            members.take("incidentWebUrl");
        }
        Incident {
            id: members.text(&["id"], notes).unwrap_or_default(),
            name: members.text(&["displayName"], notes),
            description: members.text(&["description"], notes),
            summary: members.text(&["summary"], notes),
            severity,
            severity_id: severity.id(),
            status,
            classification,
            determination,
            assigned_to: members.text(&["assignedTo"], notes),
            resolving_comment: members.text(&["resolvingComment"], notes),
            priority_score: members.integer(&["priorityScore"], notes),
            tenant_id: members.text(&["tenantId"], notes),
            created_at: members.moment(&["createdDateTime"], notes),
            updated_at: members.moment(&["lastUpdateDateTime"], notes),
            tags: members.texts(&["customTags", "tags"], notes),
            comments: shared_fields::comments(&mut members, &COMMENT, notes),
            url: Some(own_page.unwrap_or_else(|| self.portal.incident(self.id).into())),
            extra: members.rest(notes),
            unfamiliar,
            merged_into,
            ..Incident::default()
        }
    }
}
