//! The company in Graph's shapes.
//! <https://learn.microsoft.com/graph/api/resources/security-alert>

use serde::Serialize;
use serde_json::{Value, json};

use super::super::company::Company;
use super::super::company::evidence::{Entity, Evidence};
use super::super::company::model::{Account, Alert, Comment, Incident, Product};

/// Words that came later, and are told only to those who ask for them.
const LATE: &[&str] =
    &["active", "pendingApproval", "declined", "unremediated", "running", "partiallyRemediated", "awaitingAction"];

/// Puts `unknownFutureValue` in the place of words that came later.
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
        "status": word(alert.status),
        "severity": word(alert.severity),
        "classification": word(alert.classification),
        "determination": word(alert.determination),
        "serviceSource": source(alert.product).0,
        "detectionSource": detected_by(alert.detection_source),
        "productName": source(alert.product).1,
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
        "threatDisplayName": alert.threat.map(|(_, name)| name),
        "threatFamilyName": alert.threat.map(|(family, _)| family),
        "mitreTechniques": alert.techniques,
        "createdDateTime": alert.created,
        "lastUpdateDateTime": alert.updated,
        "resolvedDateTime": alert.resolved,
        "firstActivityDateTime": alert.activity.0,
        "lastActivityDateTime": alert.activity.1,
        "systemTags": [],
        "alertPolicyId": null,
        "additionalData": null,
        "investigationState": camel(alert.investigation.1),
        "comments": comments(alert.comments),
        "customDetails": {},
        "evidence": evidence(company, alert),
    })
}

pub(super) fn incident(company: &Company, incident: &Incident) -> Value {
    json!({
        "id": incident.id.to_string(),
        "tenantId": company.tenant,
        "status": word(incident.status),
        "incidentWebUrl": incident_page(incident.id, &company.tenant),
        "redirectIncidentId": incident.redirect.map(|id| id.to_string()),
        "displayName": incident.name,
        "createdDateTime": incident.created,
        "lastUpdateDateTime": incident.updated,
        "assignedTo": incident.assigned_to,
        "classification": word(incident.classification),
        "determination": word(incident.determination),
        "severity": word(incident.severity),
        "customTags": incident.tags,
        "systemTags": [],
        "description": null,
        "lastModifiedBy": incident.assigned_to,
        "resolvingComment": null,
        "summary": null,
        "priorityScore": null,
        "comments": comments(incident.comments),
    })
}

fn incident_page(id: u64, tenant: &str) -> String {
    format!("https://security.microsoft.com/incident2/{id}/overview?tid={tenant}")
}

fn comments(comments: &[Comment]) -> Value {
    let told = |comment: &Comment| {
        json!({"@odata.type": "microsoft.graph.security.alertComment", "comment": comment.text,
            "createdByDisplayName": comment.author, "createdDateTime": comment.at})
    };
    comments.iter().map(told).collect()
}

/// A word of an enumeration as Graph writes it; none is `unknown`.
fn word(word: impl Serialize) -> String {
    match json!(word).as_str() {
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

const fn source(product: Product) -> (&'static str, &'static str) {
    match product {
        Product::Endpoint => ("microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint"),
        Product::Office => ("microsoftDefenderForOffice365", "Microsoft Defender for Office 365"),
        Product::CloudApps => ("microsoftDefenderForCloudApps", "Microsoft Defender for Cloud Apps"),
        Product::Identity => ("azureAdIdentityProtection", "AAD Identity Protection"),
    }
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

/// Graph names the devices and the user of an alert among its evidence.
fn evidence(company: &Company, alert: &Alert) -> Vec<Value> {
    let is_shown = |account: Account| {
        alert.evidence.iter().any(|item| matches!(item.entity, Entity::User(shown) if shown == account))
    };
    let devices = alert.devices.iter().enumerate().filter_map(|(at, id)| device(company, alert, id, at == 0));
    let user = alert.user.filter(|account| !is_shown(*account)).map(|account| {
        common(
            "user",
            alert.created,
            ("Unknown", "None", None),
            json!({"userAccount": user(company, account), "stream": null}),
        )
    });
    let items = alert.evidence.iter().map(|one| item(company, one));
    devices.chain(user).chain(items).collect()
}

/// What every type of evidence has, and its own members.
fn common(kind: &str, observed: &str, found: (&str, &str, Option<&str>), own: Value) -> Value {
    let (verdict, remediation, detection) = found;
    let mut record = json!({
        "@odata.type": format!("#microsoft.graph.security.{kind}Evidence"),
        "createdDateTime": observed,
        "verdict": camel(verdict),
        "remediationStatus": camel(remediation),
        "remediationStatusDetails": null,
        "roles": [],
        "detailedRoles": [],
        "tags": [],
    });
    if let (Value::Object(record), Value::Object(own)) = (&mut record, own) {
        record.extend(own);
        if let Some(detection) = detection {
            record.insert("detectionStatus".to_owned(), camel(detection).into());
        }
    }
    record
}

fn device(company: &Company, alert: &Alert, id: &str, is_main: bool) -> Option<Value> {
    let device = company.device(id)?;
    let users: Vec<_> = alert
        .logged_on
        .iter()
        .map(|account| json!({"accountName": account.name, "domainName": account.domain}))
        .collect();
    let own = json!({
        "mdeDeviceId": device.id,
        "azureAdDeviceId": device.directory_id,
        "deviceDnsName": device.name,
        "hostName": device.name.split('.').next(),
        "osPlatform": device.platform,
        "osBuild": device.build,
        "version": device.version,
        "healthStatus": word(device.health),
        "riskScore": device.risk.map_or_else(|| "none".to_owned(), camel),
        "rbacGroupId": device.group.map_or(0, |(number, _)| number),
        "rbacGroupName": device.group.map(|(_, name)| name),
        "onboardingStatus": "onboarded",
        "defenderAvStatus": "updated",
        "firstSeenDateTime": device.first_seen,
        "lastIpAddress": device.address,
        "lastExternalIpAddress": device.external_address,
        "ipInterfaces": [device.address],
        "loggedOnUsers": users,
        "vmMetadata": null,
        "detailedRoles": if is_main { vec!["PrimaryDevice"] } else { Vec::new() },
    });
    Some(common("device", alert.created, ("Unknown", "None", None), own))
}

fn item(company: &Company, item: &Evidence) -> Value {
    let (kind, own) = own(company, item);
    common(kind, item.observed, (item.verdict, item.remediation, item.detection), own)
}

/// The type of a thing, and the members that it has of its own.
fn own(company: &Company, item: &Evidence) -> (&'static str, Value) {
    match item.entity {
        Entity::User(account) => ("user", json!({"userAccount": user(company, account), "stream": null})),
        Entity::Process(process) => {
            let parent = process.parent;
            let own = json!({
                "processId": process.id,
                "parentProcessId": parent.map(|parent| parent.id),
                "processCommandLine": process.command_line,
                "processCreationDateTime": process.created,
                "parentProcessCreationDateTime": parent.map(|parent| parent.created),
                "mdeDeviceId": item.device,
                "imageFile": file(company, process.sha1, process.folder),
                "parentProcessImageFile": parent.map(|parent| json!({"fileName": parent.name, "filePath": parent.folder})),
                "userAccount": process.account.map(|account| user(company, account)),
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
            let address = known.and_then(|user| user.principal_name);
            let own = json!({
                "primaryAddress": address,
                "displayName": known.map(|user| user.display_name),
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
    let known = company.file(sha1);
    json!({
        "sha1": sha1,
        "sha256": known.map(|file| file.sha256),
        "md5": null,
        "fileName": known.map(|file| file.name),
        "filePath": folder,
        "fileSize": known.map(|file| file.size),
        "filePublisher": known.and_then(|file| file.signer),
        "signer": null,
        "issuer": null,
    })
}

fn user(company: &Company, account: Account) -> Value {
    let known = company.user(account);
    json!({
        "accountName": account.name,
        "domainName": account.domain,
        "userSid": known.map(|user| user.sid),
        "azureAdUserId": known.and_then(|user| user.directory_id),
        "userPrincipalName": known.and_then(|user| user.principal_name),
        "displayName": known.map(|user| user.display_name),
        "resourceAccessEvents": [],
    })
}
