//! Advanced hunting over the company: the tables `AlertEvidence` and `DeviceInfo`, and the function `FileProfile`.
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::company::Company;
use super::super::company::model::{Account, Alert, Device, Entity, Evidence};
use super::super::records::instant;
use super::kql::Query;

/// A row: its columns by name.
pub(super) type Row = BTreeMap<String, Value>;

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
    /// Its rows, with all columns.
    pub(super) rows: fn(&Company) -> Vec<Row>,
}

impl Table {
    pub(super) const ALL: [Self; 2] = [
        Self {
            name: "AlertEvidence",
            columns: "Timestamp AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType EvidenceRole \
                FileName FolderPath SHA1 SHA256 ThreatFamily RemoteIP LocalIP RemoteUrl AccountName AccountDomain AccountSid \
                AccountObjectId AccountUpn DeviceId DeviceName EmailSubject Application ProcessCommandLine RegistryKey \
                RegistryValueName RegistryValueData AdditionalFields Severity MachineGroup",
            rows: |company| company.alerts.iter().flat_map(|alert| rows(company, alert)).collect(),
        },
        Self {
            name: "DeviceInfo",
            columns: "Timestamp DeviceId DeviceName PublicIP OSPlatform OSVersion OSVersionInfo OSBuild OSArchitecture \
                SensorHealthState OnboardingStatus ExposureLevel AssetValue MachineGroup RegistryDeviceTag DeviceManualTags \
                DeviceDynamicTags AadDeviceId IsAzureADJoined JoinType MergedToDeviceId MergedDeviceIds LoggedOnUsers ReportId",
            rows: |company| company.devices.iter().flat_map(device_rows).collect(),
        },
    ];
}

/// Answers a query.
pub(super) fn answer(company: &Company, query: &Query) -> Value {
    let results = query.run(company);
    let without_rows = || query.columns().into_iter().map(|name| column(name, &Value::Null)).collect::<Value>();
    let of_row = |row: &Row| row.iter().map(|(name, value)| column(name, value)).collect();
    json!({"schema": results.first().map_or_else(without_rows, of_row), "results": results})
}

fn column(name: &str, value: &Value) -> Value {
    let kind = match value {
        _ if name == "Timestamp" => "DateTime",
        Value::Number(_) => "Int64",
        Value::Bool(_) => "SByte",
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => "String",
    };
    json!({"name": name, "type": kind})
}

pub(super) fn time(row: &Row) -> Timestamp {
    row.get("Timestamp").and_then(Value::as_str).map_or(Timestamp::UNIX_EPOCH, instant)
}

/// Reports of a device: an older one, its last full one, and a newer one that lacks what the full one tells, as some do.
/// <https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceinfo-table>
fn device_rows(device: &Device) -> [Row; 3] {
    let tags = (!device.tags.is_empty()).then(|| json!(device.tags).to_string());
    let full = json!({
        "Timestamp": device.last_seen,
        "DeviceId": device.id,
        "DeviceName": device.name,
        "PublicIP": device.external_address,
        "OSPlatform": device.platform,
        "OSVersion": device.build.map_or("", |_| "10.0"),
        "OSVersionInfo": device.version,
        "OSBuild": device.build,
        "OSArchitecture": "64-bit",
        "SensorHealthState": device.health,
        "OnboardingStatus": "Onboarded",
        "ExposureLevel": device.exposure,
        "AssetValue": device.value,
        "MachineGroup": device.group_name.as_deref().unwrap_or("UnassignedGroup"),
        "RegistryDeviceTag": "",
        "DeviceManualTags": tags,
        "DeviceDynamicTags": null,
        "AadDeviceId": device.directory_id,
        "IsAzureADJoined": device.directory_id.is_some(),
        "JoinType": null,
        "MergedToDeviceId": "",
        "MergedDeviceIds": "",
        "LoggedOnUsers": "[]",
        "ReportId": 7,
    });
    let full: Row = full.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    let changed = |changes: &[(&str, Value)]| {
        let mut row = full.clone();
        row.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        row
    };
    let older = changed(&[("Timestamp", json!(device.first_seen)), ("ExposureLevel", json!("None"))]);
    let empty = [
        ("Timestamp", json!("2026-11-20T00:00:00Z")),
        ("OSPlatform", json!("")),
        ("OSVersion", json!("")),
        ("OSVersionInfo", json!("")),
        ("OSBuild", Value::Null),
        ("ExposureLevel", json!("")),
        ("DeviceManualTags", Value::Null),
    ];
    [older, changed(&empty), full]
}

/// The columns that `FileProfile` adds to a row with a hash. If the hash is no SHA-1, they have another name for its own column.
/// <https://learn.microsoft.com/defender-xdr/advanced-hunting-fileprofile-function>
pub(super) fn profile(company: &Company, column: &str, row: &Row) -> Row {
    let hash = row.get(column).and_then(Value::as_str).unwrap_or_default();
    let file = company.file(hash);
    let own = if column == "SHA256" { "SHA2561" } else { "SHA256" };
    let columns = json!({
        "SHA1": file.map_or(row.get("SHA1").and_then(Value::as_str), |file| Some(&file.sha1)),
        own: file.map(|file| &file.sha256),
        "MD5": file.map(|file| &file.md5),
        "FileSize": file.map(|file| file.size),
        "GlobalPrevalence": file.map(|file| file.prevalence),
        "GlobalFirstSeen": file.map(|file| &file.first_observed),
        "GlobalLastSeen": file.map(|file| &file.last_observed),
        "Signer": file.and_then(|file| file.signer.as_ref()),
        "Issuer": file.and_then(|file| file.issuer.as_ref()),
        "SignerHash": null,
        "IsCertificateValid": file.and_then(|file| file.signer.as_ref()).map(|_| true),
        "IsRootSignerMicrosoft": file.and_then(|file| file.issuer.as_ref()).map(|issuer| issuer.starts_with("Microsoft")),
        "SignatureState": file.map(|file| if file.signer.is_some() { "SignedValid" } else { "Unsigned" }),
        "IsExecutable": file.map(|file| file.name.to_lowercase().ends_with(".exe")),
        "ThreatName": file.and_then(|file| file.threat.as_ref()),
        "Publisher": file.and_then(|file| file.signer.as_ref()),
        "SoftwareName": file.and_then(|file| file.product.as_ref()),
        "ProfileAvailability": if file.is_some() { "Available" } else { "Missing" },
    });
    columns.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An alert has a row for each device, one for its user, and one for each item of evidence.
fn rows(company: &Company, alert: &Alert) -> Vec<Row> {
    let devices = alert.devices.iter().filter_map(|id| company.device(id)).map(|device| {
        let group = device.group_name.clone().unwrap_or_default();
        let own = [("DeviceId", device.id.clone()), ("DeviceName", device.name.clone()), ("MachineGroup", group)];
        row(alert, "Machine", &alert.created, own)
    });
    let user = alert.user.iter().map(|account| row(alert, "User", &alert.created, user(company, account)));
    let items = alert.evidence.iter().map(|item| evidence(company, alert, item));
    devices.chain(user).chain(items).collect()
}

/// A row has all columns, and most are empty.
fn row(alert: &Alert, entity: &str, at: &str, own: impl IntoIterator<Item = (&'static str, String)>) -> Row {
    let techniques: Vec<_> = alert.techniques.iter().map(|id| format!("Technique ({id})")).collect();
    let techniques = if techniques.is_empty() { String::new() } else { json!(techniques).to_string() };
    let detection_source = if alert.detection_source == "WindowsDefenderAv" { "Antivirus" } else { "EDR" };
    let role = if matches!(entity, "Machine" | "User" | "Mailbox") { "Impacted" } else { "Related" };
    let severity = if alert.severity == "UnSpecified" { "" } else { alert.severity.as_str() };
    let common = [
        ("Timestamp", at.to_owned()),
        ("AlertId", alert.id.clone()),
        ("Title", alert.title.clone()),
        ("Categories", json!([alert.category]).to_string()),
        ("AttackTechniques", techniques),
        ("ServiceSource", alert.product.names().display.to_owned()),
        ("DetectionSource", detection_source.to_owned()),
        ("EntityType", entity.to_owned()),
        ("EvidenceRole", role.to_owned()),
        ("ThreatFamily", alert.threat_family.clone().unwrap_or_default()),
        ("Severity", severity.to_owned()),
    ];
    let [table, _] = &Table::ALL;
    let empty = table.columns.split_whitespace().map(|column| (column, String::new()));
    empty.chain(common).chain(own).map(|(column, text)| (column.to_owned(), text.into())).collect()
}

fn user(company: &Company, account: &Account) -> Vec<(&'static str, String)> {
    let user = company.user(account).cloned().unwrap_or_default();
    vec![
        ("AccountName", account.name.clone()),
        ("AccountDomain", account.domain.clone().unwrap_or_default()),
        ("AccountSid", user.sid),
        ("AccountObjectId", user.directory_id.unwrap_or_default()),
        ("AccountUpn", user.principal_name.unwrap_or_default()),
    ]
}

fn file(company: &Company, sha1: &str, folder: &str) -> Vec<(&'static str, String)> {
    let file = company.file(sha1).cloned().unwrap_or_default();
    vec![("SHA1", sha1.to_owned()), ("SHA256", file.sha256), ("FileName", file.name), ("FolderPath", folder.to_owned())]
}

fn evidence(company: &Company, alert: &Alert, item: &Evidence) -> Row {
    let (entity, own) = match &item.entity {
        Entity::User(account) => ("User", user(company, account)),
        Entity::Mailbox(account) => ("Mailbox", user(company, account)),
        Entity::File { sha1, folder } => ("File", file(company, sha1, folder)),
        Entity::Process(process) => {
            let mut own = file(company, &process.sha1, &process.folder);
            own.push(("ProcessCommandLine", process.command_line.clone()));
            ("Process", own)
        }
        Entity::Ip(address) => ("Ip", vec![("RemoteIP", address.clone().unwrap_or_default())]),
        Entity::Url(url) => ("Url", vec![("RemoteUrl", url.clone())]),
        Entity::Registry { hive, key, name, value } => {
            let [key, name, value] = [format!("{hive}\\{key}"), name.clone(), value.clone()];
            let own = vec![("RegistryKey", key), ("RegistryValueName", name), ("RegistryValueData", value)];
            ("RegistryValue", own)
        }
        Entity::Mail { subject, .. } => ("MailMessage", vec![("EmailSubject", subject.clone())]),
        Entity::MailCluster(_) => ("MailCluster", Vec::new()),
        Entity::CloudApplication { name, .. } => ("CloudApplication", vec![("Application", name.clone())]),
    };
    row(alert, entity, &item.observed, own)
}
