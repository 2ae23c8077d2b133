//! The company in the shape of the Defender XDR API: an incident with its alerts inside.
//! <https://learn.microsoft.com/defender-xdr/api-get-incident>

use serde_json::{Value, json};

use super::company::Company;
use super::company::evidence::Evidence;
use super::company::model::{Account, Alert, Incident, Product};
use super::mde;

pub(super) fn incident(company: &Company, incident: &Incident) -> Value {
    json!({
        "incidentId": incident.id,
        "incidentUri": format!("https://security.microsoft.com/incidents/{}?tid={}", incident.id, company.tenant),
        "redirectIncidentId": incident.redirect,
        "incidentName": incident.name,
        "createdTime": incident.created,
        "lastUpdateTime": incident.updated,
        "assignedTo": incident.assigned_to,
        "classification": incident.classification.map_or_else(|| "Unknown".into(), |word| json!(word)),
        "determination": incident.determination.map_or_else(|| "NotAvailable".into(), |word| json!(word)),
        "status": incident.status,
        "severity": incident.severity,
        "tags": incident.tags,
        "comments": mde::comments(incident.comments),
        "alerts": company.alerts_of(incident.id).map(|item| alert(company, incident, item)).collect::<Vec<_>>(),
    })
}

fn alert(company: &Company, incident: &Incident, alert: &Alert) -> Value {
    json!({
        "alertId": alert.id,
        "providerAlertId": alert.id.get(2..),
        "incidentId": incident.id,
        "serviceSource": source(alert.product),
        "creationTime": alert.created,
        "lastUpdatedTime": alert.updated,
        "resolvedTime": alert.resolved,
        "firstActivity": alert.activity.0,
        "lastActivity": alert.activity.1,
        "title": alert.title,
        "description": alert.description,
        "category": alert.category,
        "status": alert.status,
        "severity": alert.severity,
        "investigationId": alert.investigation.0,
        "investigationState": alert.investigation.1,
        "classification": alert.classification,
        "determination": alert.determination,
        "detectionSource": alert.detection_source,
        "detectorId": alert.detector,
        "assignedTo": alert.assigned_to,
        "actorName": null,
        "threatFamilyName": alert.threat.map(|(family, _)| family),
        "mitreTechniques": alert.techniques,
        "devices": alert.devices.iter().filter_map(|id| device(company, id, alert.logged_on)).collect::<Vec<_>>(),
        "entities": alert.evidence.iter().map(|item| entity(company, item)).collect::<Vec<_>>(),
    })
}

const fn source(product: Product) -> &'static str {
    match product {
        Product::Endpoint => "MicrosoftDefenderForEndpoint",
        Product::Office => "OfficeATP",
        Product::CloudApps => "MicrosoftCloudAppSecurity",
        Product::Identity => "AADIdentityProtection",
    }
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
        "rbacGroupName": device.group.map(|(_, name)| name),
        "firstSeen": device.first_seen,
        "tags": device.tags,
        "defenderAvStatus": "Updated",
        "onboardingStatus": "Onboarded",
        "vmMetadata": null,
        "loggedOnUsers": mde::accounts(logged_on),
    }))
}

/// What does not apply is left out, as in live answers; Microsoft's samples print it as null.
fn entity(company: &Company, item: &Evidence) -> Value {
    let mut record = json!({
        "entityType": mde::word(&item.entity),
        "evidenceCreationTime": item.observed,
        "verdict": item.verdict,
        "remediationStatus": item.remediation,
        "detectionStatus": item.detection,
        "deviceId": item.device,
    });
    if let (Value::Object(record), Value::Object(own)) = (&mut record, mde::members(company, &item.entity)) {
        record.extend(own);
        record.retain(|name, value| !value.is_null() && !name.starts_with("parentProcessFile"));
    }
    record
}
