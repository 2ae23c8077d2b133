//! Advanced hunting over the company: the table `AlertEvidence`.
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>
//!
//! The story stands still while the calendar does not: every row is as if of the last 30 days.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::company::Company;
use super::super::company::evidence::{Entity, Evidence};
use super::super::company::model::{Account, Alert, Product};
use super::kql::Query;

/// A row: its columns by name; those that are empty are left out until it is told.
pub(super) type Row = BTreeMap<&'static str, String>;

/// Every column is in every row; most are empty in most.
const COLUMNS: &[&str] = &[
    "Timestamp",
    "AlertId",
    "Title",
    "Categories",
    "AttackTechniques",
    "ServiceSource",
    "DetectionSource",
    "EntityType",
    "EvidenceRole",
    "FileName",
    "FolderPath",
    "SHA1",
    "SHA256",
    "ThreatFamily",
    "RemoteIP",
    "LocalIP",
    "RemoteUrl",
    "AccountName",
    "AccountDomain",
    "AccountSid",
    "AccountObjectId",
    "AccountUpn",
    "DeviceId",
    "DeviceName",
    "EmailSubject",
    "Application",
    "ProcessCommandLine",
    "RegistryKey",
    "RegistryValueName",
    "RegistryValueData",
    "AdditionalFields",
    "Severity",
    "MachineGroup",
];

/// What the query finds: of each alert the newest row that fits, newest first.
pub(super) fn answer(company: &Company, query: &Query) -> Value {
    let mut found: Vec<(Timestamp, Row)> = Vec::new();
    for alert in &company.alerts {
        let fitting = rows(company, alert).into_iter().filter(|row| query.fits(row));
        found.extend(fitting.map(|row| (time(&row), row)).max_by_key(|(at, _)| *at));
    }
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let columns: Vec<_> = COLUMNS.iter().filter(|column| !query.leaves_out(column)).collect();
    let told = |(_, row): (Timestamp, Row)| -> Value {
        columns
            .iter()
            .map(|column| ((**column).to_owned(), json!(row.get(**column).map_or("", String::as_str))))
            .collect()
    };
    let results: Vec<Value> = found.into_iter().take(query.most()).map(told).collect();
    let schema: Vec<_> = columns
        .iter()
        .map(|column| json!({"name": column, "type": if **column == "Timestamp" { "DateTime" } else { "String" }}))
        .collect();
    json!({"schema": schema, "results": results})
}

fn time(row: &Row) -> Timestamp {
    row.get("Timestamp").and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An alert as rows: devices on rows of their own, accounts on theirs.
fn rows(company: &Company, alert: &Alert) -> Vec<Row> {
    let mut rows: Vec<Row> = alert.devices.iter().filter_map(|id| device(company, alert, id)).collect();
    rows.extend(alert.user.map(|account| (row(alert, "User", alert.created), account)).map(|(mut row, account)| {
        row.extend(user(company, account));
        row
    }));
    rows.extend(alert.evidence.iter().map(|item| of_item(company, alert, item)));
    rows
}

fn row(alert: &Alert, entity: &str, at: &str) -> Row {
    let techniques: Vec<_> = alert.techniques.iter().map(|id| format!("Technique ({id})")).collect();
    let source = match alert.product {
        Product::Endpoint => "Microsoft Defender for Endpoint",
        Product::Office => "Microsoft Defender for Office 365",
        Product::CloudApps => "Microsoft Defender for Cloud Apps",
        Product::Identity => "AAD Identity Protection",
    };
    let severity = match json!(alert.severity).as_str() {
        Some("UnSpecified") | None => String::new(),
        Some(word) => word.to_owned(),
    };
    Row::from([
        ("Timestamp", at.to_owned()),
        ("AlertId", alert.id.to_owned()),
        ("Title", alert.title.to_owned()),
        ("Categories", json!([alert.category]).to_string()),
        ("AttackTechniques", if techniques.is_empty() { String::new() } else { json!(techniques).to_string() }),
        ("ServiceSource", source.to_owned()),
        ("DetectionSource", if alert.detection_source == "WindowsDefenderAv" { "Antivirus" } else { "EDR" }.to_owned()),
        ("EntityType", entity.to_owned()),
        (
            "EvidenceRole",
            if matches!(entity, "Machine" | "User" | "Mailbox") { "Impacted" } else { "Related" }.to_owned(),
        ),
        ("ThreatFamily", alert.threat.map(|(family, _)| family.to_owned()).unwrap_or_default()),
        ("Severity", severity),
    ])
}

fn device(company: &Company, alert: &Alert, id: &str) -> Option<Row> {
    let device = company.device(id)?;
    let mut row = row(alert, "Machine", alert.created);
    row.extend([
        ("DeviceId", device.id.to_owned()),
        ("DeviceName", device.name.to_owned()),
        ("MachineGroup", device.group.map(|(_, name)| name.to_owned()).unwrap_or_default()),
    ]);
    Some(row)
}

fn user(company: &Company, account: Account) -> Vec<(&'static str, String)> {
    let known = company.user(account);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    vec![
        ("AccountName", account.name.to_owned()),
        ("AccountDomain", text(account.domain)),
        ("AccountSid", text(known.map(|user| user.sid))),
        ("AccountObjectId", text(known.and_then(|user| user.directory_id))),
        ("AccountUpn", text(known.and_then(|user| user.principal_name))),
    ]
}

fn file(company: &Company, sha1: &str, folder: &str) -> Vec<(&'static str, String)> {
    let known = company.file(sha1);
    vec![
        ("SHA1", sha1.to_owned()),
        ("SHA256", known.map(|file| file.sha256.to_owned()).unwrap_or_default()),
        ("FileName", known.map(|file| file.name.to_owned()).unwrap_or_default()),
        ("FolderPath", folder.to_owned()),
    ]
}

fn of_item(company: &Company, alert: &Alert, item: &Evidence) -> Row {
    let (entity, own) = match item.entity {
        Entity::User(account) => ("User", user(company, account)),
        Entity::Mailbox(account) => ("Mailbox", user(company, account)),
        Entity::File { sha1, folder } => ("File", file(company, sha1, folder)),
        Entity::Process(process) => {
            let mut own = file(company, process.sha1, process.folder);
            own.push(("ProcessCommandLine", process.command_line.to_owned()));
            ("Process", own)
        }
        Entity::Ip(address) => ("Ip", vec![("RemoteIP", address.unwrap_or_default().to_owned())]),
        Entity::Url(url) => ("Url", vec![("RemoteUrl", url.to_owned())]),
        Entity::Registry { hive, key, name, value } => (
            "RegistryValue",
            vec![
                ("RegistryKey", format!("{hive}\\{key}")),
                ("RegistryValueName", name.to_owned()),
                ("RegistryValueData", value.to_owned()),
            ],
        ),
        Entity::Mail { subject, .. } => ("MailMessage", vec![("EmailSubject", subject.to_owned())]),
        Entity::MailCluster(_) => ("MailCluster", Vec::new()),
        Entity::CloudApplication { name, .. } => ("CloudApplication", vec![("Application", name.to_owned())]),
    };
    let mut row = row(alert, entity, item.observed);
    row.extend(own);
    row
}
