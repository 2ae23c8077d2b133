//! Advanced hunting over the company: the table `AlertEvidence`.
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::company::Company;
use super::super::company::model::{Account, Alert, Entity, Evidence};
use super::kql::{Query, REMOVED_COLUMN};

/// A row: its columns by name, without the empty ones.
pub(super) type Row = BTreeMap<&'static str, String>;

/// Every column is in every row of a response; most are empty in most.
pub(super) const COLUMNS: &str = "Timestamp AlertId Title Categories AttackTechniques ServiceSource DetectionSource \
    EntityType EvidenceRole FileName FolderPath SHA1 SHA256 ThreatFamily RemoteIP LocalIP RemoteUrl AccountName \
    AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName EmailSubject Application ProcessCommandLine \
    RegistryKey RegistryValueName RegistryValueData AdditionalFields Severity MachineGroup";

/// Returns the newest matching row of each alert, newest first.
pub(super) fn answer(company: &Company, query: &Query) -> Value {
    let newest = |alert| rows(company, alert).into_iter().filter(|row| query.matches(row)).max_by_key(time);
    let mut found: Vec<Row> = company.alerts.iter().filter_map(newest).collect();
    found.sort_by_key(|row| Reverse(time(row)));
    let columns: Vec<_> = COLUMNS.split_whitespace().filter(|column| *column != REMOVED_COLUMN).collect();
    let full = |row: Row| -> Value {
        columns.iter().map(|column| (*column, row.get(column).map_or("", String::as_str))).collect()
    };
    let results: Value = found.into_iter().take(query.max_rows).map(full).collect();
    let kind = |column: &str| if column == "Timestamp" { "DateTime" } else { "String" };
    let schema: Value = columns.iter().map(|column| json!({"name": column, "type": kind(column)})).collect();
    json!({"schema": schema, "results": results})
}

fn time(row: &Row) -> Timestamp {
    row.get("Timestamp").and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
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
    common.into_iter().chain(own).collect()
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
