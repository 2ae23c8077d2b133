//! The company in the shape of the Defender XDR API: an incident with its alerts inside.
//! <https://learn.microsoft.com/defender-xdr/api-get-incident>

use serde_json::{Value, json};

use super::company::Company;
use super::company::model::{Account, Alert, Evidence, Incident};
use super::mde;

pub(crate) fn incident(company: &Company, incident: &Incident) -> Value {
    json!({
        "incidentId": incident.id,
        "incidentUri": format!("https://security.microsoft.com/incidents/{}?tid={}", incident.id, company.tenant),
        "redirectIncidentId": incident.redirect,
        "incidentName": incident.name,
        "createdTime": incident.created,
        "lastUpdateTime": incident.updated,
        "assignedTo": incident.assigned_to,
        "classification": incident.classification.as_deref().unwrap_or("Unknown"),
        "determination": incident.determination.as_deref().unwrap_or("NotAvailable"),
        "status": incident.status,
        "severity": incident.severity,
        "tags": incident.tags,
        "comments": mde::comments(&incident.comments),
        "alerts": company.alerts_of(incident.id).map(|item| alert(company, incident, item)).collect::<Value>(),
    })
}

fn alert(company: &Company, incident: &Incident, alert: &Alert) -> Value {
    json!({
        "alertId": alert.id,
        "providerAlertId": alert.id.get(2..),
        "incidentId": incident.id,
        "serviceSource": alert.product.names().xdr,
        "creationTime": alert.created,
        "lastUpdatedTime": alert.updated,
        "resolvedTime": alert.resolved,
        "firstActivity": alert.first_activity,
        "lastActivity": alert.last_activity,
        "title": alert.title,
        "description": alert.description,
        "category": alert.category,
        "status": alert.status,
        "severity": alert.severity,
        "investigationId": alert.investigation_id,
        "investigationState": alert.investigation_state,
        "classification": alert.classification,
        "determination": alert.determination,
        "detectionSource": alert.detection_source,
        "detectorId": alert.detector,
        "assignedTo": alert.assigned_to,
        "actorName": null,
        "threatFamilyName": alert.threat_family,
        "mitreTechniques": alert.techniques,
        "devices": alert.devices.iter().filter_map(|id| device(company, id, &alert.logged_on)).collect::<Value>(),
        "entities": alert.evidence.iter().map(|item| entity(company, item)).collect::<Value>(),
    })
}

fn device(company: &Company, id: &str, logged_on: &[Account]) -> Option<Value> {
    let device = company.device(id)?;
    Some(json!({
        "mdatpDeviceId": device.id,
        "aadDeviceId": device.directory_id,
        "deviceDnsName": device.name,
        "osPlatform": device.platform,
        "version": device.version,
        "osProcessor": "x64",
        "osBuild": device.build,
        "healthStatus": device.health,
        "riskScore": device.risk,
        "rbacGroupName": device.group_name,
        "firstSeen": device.first_seen,
        "tags": device.tags,
        "defenderAvStatus": "Updated",
        "onboardingStatus": "Onboarded",
        "vmMetadata": null,
        "loggedOnUsers": mde::accounts(logged_on),
    }))
}

/// Members that do not apply are left out, as in live answers; Microsoft's samples print them as null.
fn entity(company: &Company, item: &Evidence) -> Value {
    let common = json!({
        "entityType": mde::word(&item.entity),
        "evidenceCreationTime": item.observed,
        "verdict": item.verdict,
        "remediationStatus": item.remediation,
        "detectionStatus": item.detection,
        "deviceId": item.device,
    });
    let mut record = mde::with(common, mde::members(company, &item.entity));
    if let Value::Object(members) = &mut record {
        members.retain(|name, value| !value.is_null() && !name.starts_with("parentProcessFile"));
    }
    record
}
