//! An incident with its alerts, as both APIs send it.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/api-list-incidents>,
//! <https://learn.microsoft.com/graph/api/resources/security-incident>.

use serde::de::MapAccess;

use super::{Spelling, comments, incident_status, severity, verdict};
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::IncidentId;
use crate::domain::vocabulary::UnknownWords;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{Page, counted};
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;

/// Reads the body of an incident: its members, and the first page of its alerts.
pub(in crate::backend) fn read_incident<'de, S: ReadObject<'de, Item = Alert>>(
    body: &'de SharedStr,
    alerts: S,
) -> Result<(Members<'de>, Page<Alert>), Malformed> {
    let ((mut members, alerts), made) = counted(body, &mut IncidentReader(alerts))?;
    let next_link = members.link("alerts@odata.nextLink");
    Ok((members, Page { items: alerts, next_link, made }))
}

struct IncidentReader<S>(S);

impl<'de, S: ReadObject<'de>> ReadObject<'de> for IncidentReader<S> {
    type Item = (Members<'de>, Vec<S::Item>);

    fn read<A: MapAccess<'de>>(&mut self, object: A, json: &Json<'de>) -> Result<Self::Item, A::Error> {
        let mut members = Members::within(json.body());
        let alerts = members.read(object, json, &["alerts"], &mut self.0)?;
        Ok((members, alerts.items.unwrap_or_default()))
    }
}

/// Reads an incident that was requested by this id.
pub(in crate::backend) fn incident(
    members: &mut Members<'_>,
    id: IncidentId,
    portal: Portal,
    spelling: Spelling,
    warnings: &mut Warnings,
) -> Incident {
    let mut unknown_words = UnknownWords::default();
    let severity = severity(members, &mut unknown_words, warnings);
    let verdict = verdict(members, "incident classification", spelling, warnings);
    let merged_into = members.peek_text("redirectIncidentId").and_then(|text| IncidentId::parse(&text));
    let own_page = ["incidentUri", "incidentWebUrl"].into_iter().find_map(|name| {
        let page = members.peek_text(name).filter(|page| portal.is_incident_page(page, id))?;
        members.take(name);
        Some(page)
    });
    Incident {
        id: members.text(&["incidentId", "id"], warnings).unwrap_or_default(),
        name: members.text(&["incidentName", "displayName"], warnings),
        description: members.text(&["description"], warnings),
        summary: members.text(&["summary"], warnings),
        severity,
        severity_id: severity.id(),
        status: incident_status(members, &mut unknown_words, warnings),
        classification: verdict.classification,
        determination: verdict.determination,
        assigned_to: members.text(&["assignedTo"], warnings),
        resolving_comment: members.text(&["resolvingComment"], warnings),
        priority_score: members.integer(&["priorityScore"], warnings),
        tenant_id: members.text(&["tenantId"], warnings),
        created_at: members.timestamp(&["createdTime", "createdDateTime"], warnings),
        updated_at: members.timestamp(&["lastUpdateTime", "lastUpdateDateTime"], warnings),
        tags: members.texts(&["customTags", "tags"], warnings),
        comments: comments(members, warnings),
        url: Some(own_page.unwrap_or_else(|| portal.incident(id).into())),
        extra: members.rest(warnings),
        unknown_words,
        merged_into,
        ..Incident::default()
    }
}
