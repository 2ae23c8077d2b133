//! An incident as Defender XDR sends it, with its alerts.

use serde::de::MapAccess;

use super::alert::{AlertReader, COMMENT};
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::subject::IncidentId;
use crate::domain::text::Text;
use crate::domain::warning::Warnings;
use crate::domain::words::Unfamiliar;
use crate::upstream::members::{Members, Name};
use crate::upstream::objects::{ListOf, ReadObject};
use crate::upstream::triage;

/// Reads one incident.
pub(super) struct IncidentReader<'n> {
    /// The one that was asked for.
    pub(super) id: IncidentId,
    pub(super) portal: Portal,
    pub(super) notes: &'n mut Warnings,
}

impl<'de> ReadObject<'de> for IncidentReader<'_> {
    type Item = (Incident, Vec<Alert>);

    fn read<A: MapAccess<'de>>(&mut self, mut map: A, body: &'de Text) -> Result<Self::Item, A::Error> {
        let mut members = Members::of_many(body);
        let mut alerts = Vec::new();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if name.0 == "alerts" {
                let mut reader = AlertReader { portal: self.portal, notes: self.notes, is_complete: true };
                alerts = map.next_value_seed(ListOf(&mut reader, body))?.unwrap_or_default();
            } else {
                members.put(name.0, map.next_value()?);
            }
        }
        Ok((self.normalize(members), alerts))
    }
}

impl IncidentReader<'_> {
    fn normalize(&mut self, mut members: Members<'_>) -> Incident {
        let notes = &mut *self.notes;
        let mut unfamiliar = Unfamiliar::default();
        let severity = triage::severity(&mut members, &mut unfamiliar, notes);
        let status = triage::incident_status(&mut members, &mut unfamiliar, notes);
        let classification = members.text(&["classification"], notes);
        let determination = members.text(&["determination"], notes);
        triage::verdict(classification.as_deref(), None, "incident classification", notes);
        let merged_into = members.peek_text("redirectIncidentId").and_then(|text| IncidentId::parse(&text));
        let own_page = members.peek_text("incidentUri").filter(|page| self.portal.is_incident_page(page, self.id));
        if own_page.is_some() {
            members.take("incidentUri");
        }
        Incident {
            id: members.text(&["incidentId"], notes).unwrap_or_default(),
            name: members.text(&["incidentName"], notes),
            severity,
            severity_id: severity.id(),
            status,
            classification,
            determination,
            assigned_to: members.text(&["assignedTo"], notes),
            created_at: members.moment(&["createdTime"], notes),
            updated_at: members.moment(&["lastUpdateTime"], notes),
            redirected_from: Vec::new(),
            tags: members.texts(&["tags"], notes),
            comments: triage::comments(&mut members, &COMMENT, notes),
            url: Some(own_page.unwrap_or_else(|| self.portal.incident(self.id).into())),
            extra: members.rest(notes),
            unfamiliar,
            merged_into,
        }
    }
}
