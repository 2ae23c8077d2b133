//! The company in the shapes of the Defender for Endpoint API.
//! <https://learn.microsoft.com/defender-endpoint/api/alerts>

use serde_json::{Map, Value, json};

use super::company::Company;
use super::company::model::{Account, Alert, Comment, Device, Entity, Evidence, File, Presence};

/// What `@odata.context` starts with, whichever host was asked.
const METADATA: &str = "https://api.securitycenter.microsoft.com/api/$metadata#";

/// A response with one record.
pub(crate) fn entity(set: &str, record: Value) -> Value {
    with(record, json!({"@odata.context": format!("{METADATA}{set}/$entity")}))
}

/// A response with statistics.
pub(crate) fn stats(kind: &str, record: Value) -> Value {
    with(record, json!({"@odata.context": format!("{METADATA}microsoft.windowsDefenderATP.api.{kind}")}))
}

/// A response with a list.
pub(crate) fn list(set: &str, records: &[Value]) -> Value {
    json!({"@odata.context": format!("{METADATA}{set}"), "value": records})
}

pub(crate) fn alert(company: &Company, alert: &Alert) -> Value {
    let device = alert.devices.first().and_then(|id| company.device(id));
    json!({
        "id": alert.id,
        "incidentId": alert.incident,
        "investigationId": alert.investigation_id,
        "assignedTo": alert.assigned_to,
        "severity": alert.severity,
        "status": alert.status,
        "classification": alert.classification,
        "determination": alert.determination,
        "investigationState": alert.investigation_state,
        "detectionSource": alert.detection_source,
        "detectorId": alert.detector,
        "category": alert.category,
        "threatFamilyName": alert.threat_family,
        "title": alert.title,
        "description": alert.description,
        "alertCreationTime": alert.created,
        "firstEventTime": alert.first_activity,
        "lastEventTime": alert.last_activity,
        "lastUpdateTime": alert.updated,
        "resolvedTime": alert.resolved,
        "machineId": alert.devices.first(),
        "computerDnsName": device.map(|device| &device.name),
        "rbacGroupName": device.and_then(|device| device.group_name.as_ref()),
        "aadTenantId": company.tenant,
        "threatName": alert.threat_name,
        "mitreTechniques": alert.techniques,
        "relatedUser": alert.user.as_ref().map(|user| json!({"userName": user.name, "domainName": user.domain})),
        "loggedOnUsers": accounts(&alert.logged_on),
        "comments": comments(&alert.comments),
        "evidence": alert.evidence.iter().map(|item| evidence(company, item)).collect::<Value>(),
        "domains": [],
    })
}

pub(crate) fn accounts(accounts: &[Account]) -> Value {
    accounts.iter().map(|account| json!({"accountName": account.name, "domainName": account.domain})).collect()
}

pub(crate) fn comments(comments: &[Comment]) -> Value {
    comments
        .iter()
        .map(|comment| json!({"comment": comment.text, "createdBy": comment.author, "createdTime": comment.at}))
        .collect()
}

/// The members of all types of evidence: each item has all of them, and those of other types are null.
const EVIDENCE_MEMBERS: &str = "sha1 sha256 fileName filePath processId processCommandLine processCreationTime \
    parentProcessId parentProcessCreationTime parentProcessFileName parentProcessFilePath ipAddress url registryKey \
    registryHive registryValueType registryValue registryValueName accountName domainName userSid aadUserId \
    userPrincipalName";

fn evidence(company: &Company, item: &Evidence) -> Value {
    let mut record: Map<String, Value> =
        EVIDENCE_MEMBERS.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
    record.extend([
        ("entityType".to_owned(), word(&item.entity).into()),
        ("evidenceCreationTime".to_owned(), item.observed.as_str().into()),
        ("detectionStatus".to_owned(), item.detection.as_deref().into()),
    ]);
    with(record.into(), members(company, &item.entity))
}

/// An object with the members of another.
pub(crate) fn with(mut object: Value, members: Value) -> Value {
    if let (Value::Object(object), Value::Object(members)) = (&mut object, members) {
        object.extend(members);
    }
    object
}

/// Defender's word for a type of evidence.
pub(crate) const fn word(entity: &Entity) -> &'static str {
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

/// The members that only this type of evidence has, by the names that both Defender APIs give them.
pub(crate) fn members(company: &Company, entity: &Entity) -> Value {
    match entity {
        Entity::User(account) => user(company, account),
        Entity::Process(process) => {
            let parent = process.parent.as_ref();
            let own = json!({
                "processId": process.id,
                "processCommandLine": process.command_line,
                "processCreationTime": process.created,
                "parentProcessId": parent.map(|parent| parent.id),
                "parentProcessCreationTime": parent.map(|parent| &parent.created),
                "parentProcessFileName": parent.map(|parent| &parent.name),
                "parentProcessFilePath": parent.map(|parent| &parent.folder),
            });
            let account = process.account.as_ref().map(|account| user(company, account));
            with(with(own, image(company, &process.sha1, &process.folder)), account.unwrap_or_default())
        }
        Entity::File { sha1, folder } => image(company, sha1, folder),
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
            let address = user.and_then(|user| user.principal_name.as_ref());
            let name = user.map(|user| &user.display_name);
            json!({"mailboxDisplayName": name, "mailboxAddress": address, "userPrincipalName": address})
        }
        Entity::Mail { sender, recipient, subject, delivery } => {
            json!({"sender": sender, "recipient": recipient, "subject": subject, "deliveryAction": delivery})
        }
        Entity::MailCluster(by) => json!({"clusterBy": by}),
        Entity::CloudApplication { id, name } => json!({"applicationId": id, "applicationName": name}),
    }
}

fn image(company: &Company, sha1: &str, folder: &str) -> Value {
    let file = company.file(sha1);
    let (sha256, name) = (file.map(|file| &file.sha256), file.map(|file| &file.name));
    json!({"sha1": sha1, "sha256": sha256, "fileName": name, "filePath": folder})
}

fn user(company: &Company, account: &Account) -> Value {
    let user = company.user(account);
    json!({
        "accountName": account.name,
        "domainName": account.domain,
        "userSid": user.map(|user| &user.sid),
        "aadUserId": user.and_then(|user| user.directory_id.as_ref()),
        "userPrincipalName": user.and_then(|user| user.principal_name.as_ref()),
    })
}

pub(crate) fn machine(device: &Device) -> Value {
    let interface = |address: &str, mac: Option<&str>, kind: &str, status: &str| json!({"ipAddress": address, "macAddress": mac, "type": kind, "operationalStatus": status});
    let mac = Some("00005E005342");
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
        "deviceValue": device.value.as_deref().unwrap_or("Normal"),
        "rbacGroupId": device.group_id.unwrap_or(0),
        "rbacGroupName": device.group_name,
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
        "ipAddresses": [
            interface(&device.address, mac, "Ethernet", "Up"),
            interface("fe80::5efe:5342", mac, "Ethernet", "Up"),
            interface("169.254.83.66", Some("00005E005343"), "Wireless80211", "Down"),
            interface("127.0.0.1", None, "SoftwareLoopback", "Up"),
            interface("::1", None, "SoftwareLoopback", "Up"),
        ],
        "vmMetadata": null,
    })
}

pub(crate) fn file(file: &File) -> Value {
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
        "fileProductName": file.product,
        "signer": file.signer,
        "issuer": file.issuer,
        "signerHash": null,
        "isValidCertificate": file.signer.as_ref().map(|_| true),
        "determinationType": file.determination,
        "determinationValue": file.threat.as_deref().unwrap_or_default(),
    })
}

/// What statistics tell of a file worldwide. Its count is there twice, as in [`presence`].
pub(crate) fn file_stats(file: &File) -> Value {
    json!({
        "sha1": file.sha1,
        "globalPrevalence": file.prevalence.to_string(),
        "globallyPrevalence": file.prevalence,
        "globalFirstObserved": file.first_observed,
        "globalLastObserved": file.last_observed,
        "topFileNames": [file.name],
    })
}

/// What statistics tell of the company. The count is there twice: as text under its old name, and as a number.
pub(crate) fn presence(presence: &Presence) -> Value {
    json!({
        "orgPrevalence": presence.devices.to_string(),
        "organizationPrevalence": presence.devices,
        "orgFirstSeen": presence.first_seen,
        "orgLastSeen": presence.last_seen,
    })
}
