//! The company in the shapes of the Defender for Endpoint API.
//! <https://learn.microsoft.com/defender-endpoint/api/alerts>

use serde_json::{Value, json};

use super::company::Company;
use super::company::evidence::{Entity, Evidence};
use super::company::model::{Account, Alert, Comment, Device, File};

/// What `@odata.context` starts with, whichever host was asked.
const METADATA: &str = "https://api.securitycenter.microsoft.com/api/$metadata#";

/// An answer that is one record.
pub(super) fn entity(set: &str, mut record: Value) -> Value {
    if let Value::Object(members) = &mut record {
        members.insert("@odata.context".to_owned(), format!("{METADATA}{set}/$entity").into());
    }
    record
}

/// An answer that is a list.
pub(super) fn list(set: &str, records: &[Value]) -> Value {
    json!({"@odata.context": format!("{METADATA}{set}"), "value": records})
}

pub(super) fn alert(company: &Company, alert: &Alert) -> Value {
    let device = alert.devices.first().and_then(|id| company.device(id));
    json!({
        "id": alert.id,
        "incidentId": alert.incident,
        "investigationId": alert.investigation.0,
        "assignedTo": alert.assigned_to,
        "severity": alert.severity,
        "status": alert.status,
        "classification": alert.classification,
        "determination": alert.determination,
        "investigationState": alert.investigation.1,
        "detectionSource": alert.detection_source,
        "detectorId": alert.detector,
        "category": alert.category,
        "threatFamilyName": alert.threat.map(|(family, _)| family),
        "title": alert.title,
        "description": alert.description,
        "alertCreationTime": alert.created,
        "firstEventTime": alert.activity.0,
        "lastEventTime": alert.activity.1,
        "lastUpdateTime": alert.updated,
        "resolvedTime": alert.resolved,
        "machineId": alert.devices.first(),
        "computerDnsName": device.map(|device| device.name),
        "rbacGroupName": device.and_then(|device| device.group).map(|(_, name)| name),
        "aadTenantId": company.tenant,
        "threatName": alert.threat.map(|(_, name)| name),
        "mitreTechniques": alert.techniques,
        "relatedUser": alert.user.map(|user| json!({"userName": user.name, "domainName": user.domain})),
        "loggedOnUsers": accounts(alert.logged_on),
        "comments": comments(alert.comments),
        "evidence": alert.evidence.iter().map(|item| evidence(company, item)).collect::<Vec<_>>(),
        "domains": [],
    })
}

pub(super) fn accounts(accounts: &[Account]) -> Value {
    accounts.iter().map(|account| json!({"accountName": account.name, "domainName": account.domain})).collect()
}

pub(super) fn comments(comments: &[Comment]) -> Value {
    comments
        .iter()
        .map(|comment| json!({"comment": comment.text, "createdBy": comment.author, "createdTime": comment.at}))
        .collect()
}

/// Every member of every type is there; those of other types are null.
fn evidence(company: &Company, item: &Evidence) -> Value {
    let mut record = json!({
        "entityType": word(&item.entity),
        "evidenceCreationTime": item.observed,
        "sha1": null,
        "sha256": null,
        "fileName": null,
        "filePath": null,
        "processId": null,
        "processCommandLine": null,
        "processCreationTime": null,
        "parentProcessId": null,
        "parentProcessCreationTime": null,
        "parentProcessFileName": null,
        "parentProcessFilePath": null,
        "ipAddress": null,
        "url": null,
        "registryKey": null,
        "registryHive": null,
        "registryValueType": null,
        "registryValue": null,
        "registryValueName": null,
        "accountName": null,
        "domainName": null,
        "userSid": null,
        "aadUserId": null,
        "userPrincipalName": null,
        "detectionStatus": item.detection,
    });
    if let (Value::Object(record), Value::Object(own)) = (&mut record, members(company, &item.entity)) {
        record.extend(own);
    }
    record
}

/// Defender's word for the type of a thing.
pub(super) const fn word(entity: &Entity) -> &'static str {
    match entity {
        Entity::User(_) => "User",
        Entity::Process(_) => "Process",
        Entity::File { .. } => "File",
        Entity::Ip(_) => "Ip",
        Entity::Url(_) => "Url",
        Entity::Registry { .. } => "Registry",
        Entity::Mailbox(_) => "MailBox",
        Entity::Mail { .. } => "MailMessage",
        Entity::MailCluster(_) => "MailCluster",
        Entity::CloudApplication { .. } => "CloudApplication",
    }
}

/// The members that a thing has of its own, by the names that both Defender APIs give them.
pub(super) fn members(company: &Company, entity: &Entity) -> Value {
    match *entity {
        Entity::User(account) => user(company, account),
        Entity::Process(process) => {
            let file = company.file(process.sha1);
            let mut record = json!({
                "sha1": process.sha1,
                "sha256": file.map(|file| file.sha256),
                "fileName": file.map(|file| file.name),
                "filePath": process.folder,
                "processId": process.id,
                "processCommandLine": process.command_line,
                "processCreationTime": process.created,
                "parentProcessId": process.parent.map(|parent| parent.id),
                "parentProcessCreationTime": process.parent.map(|parent| parent.created),
                "parentProcessFileName": process.parent.map(|parent| parent.name),
                "parentProcessFilePath": process.parent.map(|parent| parent.folder),
            });
            if let (Value::Object(record), Some(Value::Object(account))) =
                (&mut record, process.account.map(|account| user(company, account)))
            {
                record.extend(account);
            }
            record
        }
        Entity::File { sha1, folder } => {
            let file = company.file(sha1);
            json!({"sha1": sha1, "sha256": file.map(|file| file.sha256), "fileName": file.map(|file| file.name), "filePath": folder})
        }
        Entity::Ip(address) => json!({"ipAddress": address}),
        Entity::Url(url) => json!({"url": url}),
        Entity::Registry { hive, key, name, value } => json!({
            "registryHive": hive,
            "registryKey": key,
            "registryValueType": "String",
            "registryValue": value,
            "registryValueName": name,
        }),
        Entity::Mailbox(account) => {
            let user = company.user(account);
            json!({
                "mailboxDisplayName": user.map(|user| user.display_name),
                "mailboxAddress": user.and_then(|user| user.principal_name),
                "userPrincipalName": user.and_then(|user| user.principal_name),
            })
        }
        Entity::Mail { sender, recipient, subject, delivery } => {
            json!({"sender": sender, "recipient": recipient, "subject": subject, "deliveryAction": delivery})
        }
        Entity::MailCluster(by) => json!({"clusterBy": by}),
        Entity::CloudApplication { id, name } => json!({"applicationId": id, "applicationName": name}),
    }
}

fn user(company: &Company, account: Account) -> Value {
    let user = company.user(account);
    json!({
        "accountName": account.name,
        "domainName": account.domain,
        "userSid": user.map(|user| user.sid),
        "aadUserId": user.and_then(|user| user.directory_id),
        "userPrincipalName": user.and_then(|user| user.principal_name),
    })
}

pub(super) fn machine(device: &Device) -> Value {
    let address = json!({"ipAddress": device.address, "macAddress": "00005E005342", "operationalStatus": "Up"});
    json!({
        "id": device.id,
        "mergedIntoMachineId": null,
        "isPotentialDuplication": device.duplicate,
        "isExcluded": false,
        "exclusionReason": null,
        "computerDnsName": device.name,
        "firstSeen": device.first_seen,
        "lastSeen": device.last_seen,
        "osPlatform": device.platform,
        "osVersion": null,
        "osProcessor": "x64",
        "version": device.version,
        "lastIpAddress": device.address,
        "lastExternalIpAddress": device.external_address,
        "agentVersion": "10.8760.26100.1742",
        "osBuild": device.build,
        "healthStatus": device.health,
        "deviceValue": "Normal",
        "rbacGroupId": device.group.map_or(0, |(number, _)| number),
        "rbacGroupName": device.group.map(|(_, name)| name),
        "riskScore": device.risk,
        "exposureLevel": device.exposure,
        "isAadJoined": device.directory_id.is_some(),
        "aadDeviceId": device.directory_id,
        "machineTags": device.tags,
        "defenderAvStatus": "Updated",
        "onboardingStatus": "Onboarded",
        "osArchitecture": "64-bit",
        "managedBy": "Intune",
        "managedByStatus": "Success",
        "ipAddresses": [address],
        "vmMetadata": null,
    })
}

pub(super) fn file(file: &File) -> Value {
    json!({
        "sha1": file.sha1,
        "sha256": file.sha256,
        "md5": file.md5,
        "globalPrevalence": file.prevalence,
        "globalFirstObserved": file.first_observed,
        "globalLastObserved": file.last_observed,
        "size": file.size,
        "fileType": null,
        "isPeFile": file.name.to_lowercase().ends_with(".exe"),
        "filePublisher": file.signer,
        "fileProductName": null,
        "signer": file.signer,
        "issuer": file.signer.map(|_| "Example Code Signing CA"),
        "signerHash": null,
        "isValidCertificate": file.signer.map(|_| true),
        "determinationType": file.determination,
        "determinationValue": file.threat.unwrap_or_default(),
    })
}
