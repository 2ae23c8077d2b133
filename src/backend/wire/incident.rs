//! An incident with its alerts, as both APIs send it.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/api-list-incidents>,
//! <https://learn.microsoft.com/graph/api/resources/security-incident>.

use super::{Spelling, comments, incident_status, severity, verdict};
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::IncidentId;
use crate::domain::vocabulary::UnknownWords;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::Page;
use crate::lenient_json::json::Malformed;
use crate::lenient_json::members::Members;

/// Reads the body of an incident that was requested by this id, with the first page of its alerts.
pub(in crate::backend) fn incident<'de>(
    body: &'de SharedStr,
    id: IncidentId,
    portal: Portal,
    spelling: Spelling,
    warnings: &mut Warnings,
    read_alert: impl FnMut(Members<'de>, &mut Warnings) -> Result<Alert, Malformed>,
) -> Result<(Incident, Page<Alert>), Malformed> {
    let mut members = Members::of_body(body)?;
    let alerts = members.objects_and_others("alerts", Alert::weight, warnings, read_alert)?.unwrap_or_default();
    let next_link = members.link("alerts@odata.nextLink");
    let incident = normalize(&mut members, id, portal, spelling, warnings);
    let incident = Incident { extra: members.rest(warnings).and(alerts.others), ..incident };
    let made = alerts.made + incident.weight() + body.in_escaped_strings();
    Ok((incident, Page { items: alerts.items, next_link, made }))
}

fn normalize(
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
        unknown_words,
        merged_into,
        ..Incident::default()
    }
}
