//! The company in Graph's shapes.
//! <https://learn.microsoft.com/graph/api/resources/security-alert>

use serde_json::{Value, json};

use super::super::company::Company;
use super::super::company::model::{Account, Alert, Comment, Entity, Evidence, Incident};
use super::super::mde::{accounts, with};

/// Words that were added later. Graph sends them only to clients that ask for them.
const LATE: &[&str] =
    &["active", "pendingApproval", "declined", "unremediated", "running", "partiallyRemediated", "awaitingAction"];

/// Replaces words that were added later by `unknownFutureValue`.
pub(super) fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(word) if name == "remediationStatus" && LATE.contains(&word.as_str()) => {
                        *value = "unknownFutureValue".into();
                    }
                    other => mask(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) fn alert(company: &Company, alert: &Alert) -> Value {
    let tenant = &company.tenant;
    json!({
        "id": alert.id,
        "providerAlertId": alert.id.get(2..),
        "incidentId": alert.incident.map(|id| id.to_string()),
        "status": camel(&alert.status),
        "severity": word(Some(&alert.severity)),
        "classification": word(alert.classification.as_deref()),
        "determination": word(alert.determination.as_deref()),
        "serviceSource": alert.product.names().graph,
        "detectionSource": detected_by(&alert.detection_source),
        "productName": alert.product.names().display,
        "detectorId": alert.detector,
        "tenantId": tenant,
        "title": alert.title,
        "description": alert.description,
        "recommendedActions": "Validate the alert.\nIsolate what is affected.",
        "category": alert.category,
        "assignedTo": alert.assigned_to,
        "alertWebUrl": format!("https://security.microsoft.com/alerts/{}?tid={tenant}", alert.id),
        "incidentWebUrl": alert.incident.map(|id| incident_page(id, tenant)),
        "actorDisplayName": null,
        "threatDisplayName": alert.threat_name,
        "threatFamilyName": alert.threat_family,
        "mitreTechniques": alert.techniques,
        "createdDateTime": alert.created,
        "lastUpdateDateTime": alert.updated,
        "resolvedDateTime": alert.resolved,
        "firstActivityDateTime": alert.first_activity,
        "lastActivityDateTime": alert.last_activity,
        "systemTags": [],
        "alertPolicyId": null,
        "additionalData": null,
        "investigationState": camel(&alert.investigation_state),
        "comments": comments(&alert.comments),
        "customDetails": {},
        "evidence": evidence(company, alert),
    })
}

pub(super) fn incident(company: &Company, incident: &Incident) -> Value {
    json!({
        "id": incident.id.to_string(),
        "tenantId": company.tenant,
        "status": camel(&incident.status),
        "incidentWebUrl": incident_page(incident.id, &company.tenant),
        "redirectIncidentId": incident.redirect.map(|id| id.to_string()),
        "displayName": incident.name,
        "createdDateTime": incident.created,
        "lastUpdateDateTime": incident.updated,
        "assignedTo": incident.assigned_to,
        "classification": word(incident.classification.as_deref()),
        "determination": word(incident.determination.as_deref()),
        "severity": word(Some(&incident.severity)),
        "customTags": incident.tags,
        "systemTags": [],
        "description": null,
        "lastModifiedBy": incident.assigned_to,
        "resolvingComment": null,
        "summary": null,
        "priorityScore": null,
        "comments": comments(&incident.comments),
    })
}

fn incident_page(id: u64, tenant: &str) -> String {
    format!("https://security.microsoft.com/incident2/{id}/overview?tid={tenant}")
}

fn comments(comments: &[Comment]) -> Value {
    let shape = |comment: &Comment| {
        json!({"@odata.type": "microsoft.graph.security.alertComment", "comment": comment.text,
            "createdByDisplayName": comment.author, "createdDateTime": comment.at})
    };
    comments.iter().map(shape).collect()
}

/// A word of an enumeration as Graph writes it; an absent one is `unknown`.
fn word(word: Option<&str>) -> String {
    match word {
        None | Some("UnSpecified") => "unknown".to_owned(),
        Some("Clean") => "notMalicious".to_owned(),
        Some("CompromisedUser") => "compromisedAccount".to_owned(),
        Some(word) => camel(word),
    }
}

fn camel(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn detected_by(source: &str) -> String {
    match source {
        "WindowsDefenderAtp" => "microsoftDefenderForEndpoint".to_owned(),
        "WindowsDefenderAv" => "antivirus".to_owned(),
        "CustomerTI" => "customTi".to_owned(),
        "OfficeATP" => "microsoftDefenderForOffice365".to_owned(),
        "MCAS" => "cloudAppSecurity".to_owned(),
        "AAD" => "azureAdIdentityProtection".to_owned(),
        other => camel(other),
    }
}

/// Graph lists the devices and the user of an alert among its evidence.
fn evidence(company: &Company, alert: &Alert) -> Vec<Value> {
    let is_listed = |account: &Account| {
        alert.evidence.iter().any(|item| matches!(&item.entity, Entity::User(listed) if listed == account))
    };
    let of_alert = |entity| Evidence { verdict: "Unknown".to_owned(), ..Evidence::suspicious(&alert.created, entity) };
    let devices = alert.devices.iter().enumerate().filter_map(|(at, id)| device(company, alert, id, at == 0));
    let user = alert.user.iter().filter(|account| !is_listed(account)).cloned().map(Entity::User).map(of_alert);
    let items = alert.evidence.iter().cloned();
    devices.chain(user.chain(items).map(|item| with_own_members(company, &item))).collect()
}

/// The members that all types of evidence have, and those of its own type.
fn common(kind: &str, observed: &str, verdict: &str, remediation: &str, own: Value) -> Value {
    let common = json!({
        "@odata.type": format!("#microsoft.graph.security.{kind}Evidence"),
        "createdDateTime": observed,
        "verdict": camel(verdict),
        "remediationStatus": camel(remediation),
        "remediationStatusDetails": null,
        "roles": [],
        "detailedRoles": [],
        "tags": [],
    });
    with(common, own)
}

fn device(company: &Company, alert: &Alert, id: &str, is_main: bool) -> Option<Value> {
    let device = company.device(id)?;
    let own = json!({
        "mdeDeviceId": device.id,
        "azureAdDeviceId": device.directory_id,
        "deviceDnsName": device.name,
        "hostName": device.name.split('.').next(),
        "osPlatform": device.platform,
        "osBuild": device.build,
        "version": device.version,
        "healthStatus": camel(&device.health),
        "riskScore": camel(device.risk.as_deref().unwrap_or("None")),
        "rbacGroupId": device.group_id.unwrap_or(0),
        "rbacGroupName": device.group_name,
        "onboardingStatus": "onboarded",
        "defenderAvStatus": "updated",
        "firstSeenDateTime": device.first_seen,
        "lastIpAddress": device.address,
        "lastExternalIpAddress": device.external_address,
        "ipInterfaces": [device.address],
        "loggedOnUsers": accounts(&alert.logged_on),
        "vmMetadata": null,
        "detailedRoles": if is_main { vec!["PrimaryDevice"] } else { Vec::new() },
    });
    Some(common("device", &alert.created, "Unknown", "None", own))
}

fn with_own_members(company: &Company, item: &Evidence) -> Value {
    let (kind, own) = own_members(company, item);
    let record = common(kind, &item.observed, &item.verdict, &item.remediation, own);
    match &item.detection {
        Some(detection) => with(record, json!({"detectionStatus": camel(detection)})),
        None => record,
    }
}

/// The type of an item, and the members that only this type has.
fn own_members(company: &Company, item: &Evidence) -> (&'static str, Value) {
    match &item.entity {
        Entity::User(account) => ("user", json!({"userAccount": user(company, account), "stream": null})),
        Entity::Process(process) => {
            let parent = process.parent.as_ref();
            let parent_image = parent.map(|parent| json!({"fileName": parent.name, "filePath": parent.folder}));
            let own = json!({
                "processId": process.id,
                "parentProcessId": parent.map(|parent| parent.id),
                "processCommandLine": process.command_line,
                "processCreationDateTime": process.created,
                "parentProcessCreationDateTime": parent.map(|parent| &parent.created),
                "mdeDeviceId": item.device,
                "imageFile": file(company, &process.sha1, &process.folder),
                "parentProcessImageFile": parent_image,
                "userAccount": process.account.as_ref().map(|account| user(company, account)),
            });
            ("process", own)
        }
        Entity::File { sha1, folder } => {
            ("file", json!({"fileDetails": file(company, sha1, folder), "mdeDeviceId": item.device}))
        }
        Entity::Ip(address) => ("ip", json!({"ipAddress": address, "countryLetterCode": null, "location": null})),
        Entity::Url(url) => ("url", json!({"url": url})),
        Entity::Registry { hive, key, name, value } => {
            let own = json!({
                "registryHive": hive,
                "registryKey": key,
                "registryValueName": name,
                "registryValue": value,
                "registryValueType": "String",
                "mdeDeviceId": item.device,
            });
            ("registryValue", own)
        }
        Entity::Mailbox(account) => {
            let known = company.user(account);
            let address = known.and_then(|user| user.principal_name.as_ref());
            let own = json!({
                "primaryAddress": address,
                "displayName": known.map(|user| &user.display_name),
                "upn": address,
                "userAccount": user(company, account),
            });
            ("mailbox", own)
        }
        Entity::Mail { sender, recipient, subject, delivery } => {
            let from = json!({"emailAddress": sender, "displayName": null, "domainName": sender.split('@').nth(1)});
            let own = json!({
                "p1Sender": from,
                "p2Sender": from,
                "recipientEmailAddress": recipient,
                "subject": subject,
                "deliveryAction": camel(delivery),
                "urls": [],
                "urlCount": 0,
                "attachmentsCount": 1,
            });
            ("analyzedMessage", own)
        }
        Entity::MailCluster(by) => ("mailCluster", json!({"clusterBy": by, "emailCount": 2, "networkMessageIds": []})),
        Entity::CloudApplication { id, name } => {
            ("cloudApplication", json!({"appId": id, "displayName": name, "instanceId": 0, "stream": null}))
        }
    }
}

fn file(company: &Company, sha1: &str, folder: &str) -> Value {
    let file = company.file(sha1);
    json!({
        "sha1": sha1,
        "sha256": file.map(|file| &file.sha256),
        "md5": null,
        "fileName": file.map(|file| &file.name),
        "filePath": folder,
        "fileSize": file.map(|file| file.size),
        "filePublisher": file.and_then(|file| file.signer.as_ref()),
        "signer": null,
        "issuer": null,
    })
}

fn user(company: &Company, account: &Account) -> Value {
    let user = company.user(account);
    json!({
        "accountName": account.name,
        "domainName": account.domain,
        "userSid": user.map(|user| &user.sid),
        "azureAdUserId": user.and_then(|user| user.directory_id.as_ref()),
        "userPrincipalName": user.and_then(|user| user.principal_name.as_ref()),
        "displayName": user.map(|user| &user.display_name),
        "resourceAccessEvents": [],
    })
}
