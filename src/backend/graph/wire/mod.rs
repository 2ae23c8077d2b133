//! The wire formats of Graph, converted to domain types. Private to this backend.

mod alert;
mod context;
mod evidence;
mod incident;
#[cfg(test)]
mod kinds;
mod row;
mod within;
mod words;

use crate::client::ClientError;
use crate::domain::alert::Alert;
use crate::domain::incident::Incident;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::IncidentId;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{Page, counted, object, page};
use alert::AlertReader;
use incident::IncidentReader;

pub(super) use context::{complete_device, device_context, file_context};
pub(super) use row::{Rows, rows};

/// Reads an alert: a response of its own, or an item of a batch.
pub(super) fn alert(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Alert, ClientError> {
    Ok(object(body, &mut AlertReader::new(portal, warnings))?)
}

/// Reads a page of alerts.
pub(super) fn alerts(body: &SharedStr, portal: Portal, warnings: &mut Warnings) -> Result<Page<Alert>, ClientError> {
    Ok(page(body, &mut AlertReader::new(portal, warnings))?)
}

/// Reads an incident, with the first page of its alerts if it was expanded.
pub(super) fn incident(
    body: &SharedStr,
    id: IncidentId,
    portal: Portal,
    warnings: &mut Warnings,
) -> Result<(Incident, Page<Alert>), ClientError> {
    let ((incident, mut alerts), made) = counted(body, &mut IncidentReader { id, portal, warnings })?;
    alerts.made = made;
    Ok((incident, alerts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vocabulary::{AlertStatus, IncidentStatus, Severity};

    #[test]
    fn alert_members_that_only_graph_sends_are_read() {
        let mut warnings = Warnings::default();
        let body = SharedStr::of_static(
            r#"{"id":"da1_1","category":"Execution","categories":["Execution","Persistence"],"productName":"Microsoft Defender for Endpoint",
                "actorDisplayName":"Marigold Sleet","recommendedActions":"1. Isolate.\n2. Ask.","customDetails":{"rule":["a",1.50]},
                "systemTags":["Defender Experts"]}"#,
        );
        let alert = alert(&body, Portal::Commercial, &mut warnings).expect("an alert");
        let text = serde_json::to_string(&alert).expect("JSON");
        assert!(text.contains(r#""custom_details":{"rule":["a",1.50]}"#), "{text}");
        let alert = serde_json::to_value(&alert).expect("JSON");
        assert_eq!(alert["category"], "Execution");
        assert_eq!(alert["categories"], serde_json::json!(["Execution", "Persistence"]));
        assert_eq!(alert["product_name"], "Microsoft Defender for Endpoint");
        assert_eq!(alert["actor"], "Marigold Sleet");
        assert_eq!(alert["recommended_actions"], "1. Isolate.\n2. Ask.");
        assert_eq!(
            (&alert["tags"], &alert["extra"]),
            (&serde_json::json!(["Defender Experts"]), &serde_json::json!({}))
        );
        assert!(warnings.into_vec().is_empty());
    }

    #[test]
    fn incident_members_that_only_graph_sends_are_read() {
        let mut warnings = Warnings::default();
        let id = IncidentId::new(77).expect("an id");
        let body = SharedStr::of_static(
            r#"{"id":"77","status":"awaitingAction","description":"","summary":"A long account.","resolvingComment":"Patched.",
                "priorityScore":85,"tenantId":"25278a73-1d0c-4f3a-9b7e-6a1f0c2d9e44"}"#,
        );
        let (incident, _) = incident(&body, id, Portal::Commercial, &mut warnings).expect("an incident");
        assert_eq!(incident.status, IncidentStatus::InProgress);
        assert_eq!((incident.description.as_deref(), incident.summary.as_deref()), (None, Some("A long account.")));
        assert_eq!((incident.resolving_comment.as_deref(), incident.priority_score), (Some("Patched."), Some(85)));
        assert_eq!(incident.tenant_id.as_deref(), Some("25278a73-1d0c-4f3a-9b7e-6a1f0c2d9e44"));
        assert!(warnings.into_vec().is_empty());
    }

    #[test]
    fn an_unknown_future_value_is_unknown_with_a_warning() {
        let mut warnings = Warnings::default();
        let body =
            SharedStr::of_static(r#"{"id":"da1_1","severity":"unknownFutureValue","status":"unknownFutureValue"}"#);
        let alert = alert(&body, Portal::Commercial, &mut warnings).expect("an alert");
        assert_eq!((alert.severity, alert.status), (Severity::Unknown, AlertStatus::Unknown));
        assert_eq!(warnings.into_vec().len(), 2);
    }
}
