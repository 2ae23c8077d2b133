//! Invented bodies in the shapes of Defender's APIs, of any length.

use serde_json::{Value, json};

/// The body of a list of alerts, each with three items of evidence, with every member that Defender writes.
pub(crate) fn list(alerts: usize) -> Vec<u8> {
    let value: Vec<Value> = (0..alerts).map(alert).collect();
    bytes(&json!({"@odata.context": "https://api.security.microsoft.com/api/$metadata#Alerts", "value": value}))
}

/// The body of an incident of so many alerts.
pub(crate) fn incident(alerts: usize) -> Vec<u8> {
    let alerts: Vec<Value> = (0..alerts).map(incident_alert).collect();
    bytes(&json!({
        "incidentId": 924_565, "redirectIncidentId": null, "incidentName": "Hands-on-keyboard attack on several devices",
        "createdTime": "2026-11-03T08:15:42.0366667Z", "lastUpdateTime": "2026-11-03T10:02:11.7Z",
        "assignedTo": "soc@contoso.com", "classification": "TruePositive", "determination": "MultiStagedAttack",
        "status": "Active", "severity": "High", "tags": ["ransomware"], "comments": [],
        "incidentUri": "https://security.microsoft.com/incidents/924565?tid=00000000-0000-0000-0000-000000000001",
        "alerts": alerts
    }))
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn pick<'a>(of: &[&'a str], at: usize) -> &'a str {
    of.get(at % of.len()).copied().unwrap_or_default()
}

fn time(at: usize, second: usize) -> String {
    format!("2026-11-{:02}T{:02}:{:02}:{second:02}.{:07}Z", 1 + at % 21, at % 24, at % 60, (at * 7919) % 10_000_000)
}

/// A number that looks like a hash of `at`.
fn digest(at: usize, digits: usize) -> String {
    let mut text = String::new();
    let mut state = at as u64 + 1;
    while text.len() < digits {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&hex::encode(state.to_be_bytes()));
    }
    text.truncate(digits);
    text
}

const SEVERITIES: [&str; 4] = ["Informational", "Low", "Medium", "High"];
const STATUSES: [&str; 3] = ["New", "InProgress", "Resolved"];
const CATEGORIES: [&str; 4] = ["Execution", "CredentialAccess", "LateralMovement", "Persistence"];
const TITLES: [&str; 3] =
    ["Suspicious PowerShell command line", "Credentials read from memory", "Ungewöhnliche Anmeldung von „admin“"];

fn alert(at: usize) -> Value {
    json!({
        "id": format!("da{}_{at}", 639_305_048_212_385_104 + at), "incidentId": 900_000 + at / 7,
        "investigationId": null, "assignedTo": "soc@contoso.com", "severity": pick(&SEVERITIES, at),
        "status": pick(&STATUSES, at), "classification": null, "determination": null,
        "investigationState": "UnsupportedAlertType", "detectionSource": "WindowsDefenderAtp",
        "detectorId": "17e10bbc-3a68-474a-8aad-faef14d43952", "category": pick(&CATEGORIES, at),
        "threatFamilyName": null, "title": pick(&TITLES, at),
        "description": "A process behaved as an attacker's would. Somebody may be trying to\nmove on from this device.",
        "alertCreationTime": time(at, 30), "firstEventTime": time(at, 10), "lastEventTime": time(at, 20),
        "lastUpdateTime": time(at, 40), "resolvedTime": null, "machineId": digest(at / 5, 40),
        "computerDnsName": format!("desk-{:03}.contoso.com", at / 5), "rbacGroupName": "Workstations",
        "aadTenantId": "00000000-0000-0000-0000-000000000001", "threatName": null,
        "mitreTechniques": ["T1059.001", "T1003.001"],
        "relatedUser": {"userName": format!("user{}", at % 40), "domainName": "CONTOSO"},
        "loggedOnUsers": [{"accountName": format!("user{}", at % 40), "domainName": "CONTOSO"}], "comments": [],
        "evidence": [process(at), file(at), user(at)], "domains": []
    })
}

fn incident_alert(at: usize) -> Value {
    json!({
        "alertId": format!("da{}_{at}", 639_305_048_212_385_104 + at), "incidentId": 924_565,
        "serviceSource": "MicrosoftDefenderForEndpoint", "creationTime": time(at, 30), "lastUpdatedTime": time(at, 40),
        "firstActivity": time(at, 10), "lastActivity": time(at, 20), "title": pick(&TITLES, at),
        "description": "A process behaved as an attacker's would.", "category": pick(&CATEGORIES, at),
        "status": pick(&STATUSES, at), "severity": pick(&SEVERITIES, at), "detectionSource": "WindowsDefenderAtp",
        "mitreTechniques": ["T1059.001"],
        "devices": [{
            "mdatpDeviceId": digest(at / 5, 40), "deviceDnsName": format!("desk-{:03}.contoso.com", at / 5),
            "osPlatform": "Windows11", "healthStatus": "Active", "riskScore": "High", "onboardingStatus": "Onboarded"
        }],
        "entities": [process(at), file(at), user(at)]
    })
}

fn process(at: usize) -> Value {
    evidence(json!({
        "entityType": "Process", "evidenceCreationTime": time(at, 31), "sha1": digest(at, 40), "sha256": digest(at, 64),
        "fileName": "powershell.exe", "filePath": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
        "processId": 1000 + at, "processCommandLine": format!("powershell.exe -NoProfile -File \"C:\\Temp\\{at}.ps1\""),
        "processCreationTime": time(at, 9), "parentProcessId": 400, "parentProcessFileName": "explorer.exe",
        "parentProcessFilePath": "C:\\Windows", "parentProcessCreationTime": time(at, 1), "accountName": "user",
        "domainName": "CONTOSO", "userSid": "S-1-5-21-1-2-3-1104", "detectionStatus": "Detected"
    }))
}

fn file(at: usize) -> Value {
    evidence(json!({
        "entityType": "File", "evidenceCreationTime": time(at, 31), "sha1": digest(at + 1, 40),
        "sha256": digest(at + 1, 64), "fileName": format!("{at}.ps1"), "filePath": "C:\\Temp", "detectionStatus": "Detected"
    }))
}

fn user(at: usize) -> Value {
    evidence(json!({
        "entityType": "User", "evidenceCreationTime": time(at, 31), "accountName": format!("user{}", at % 40),
        "domainName": "CONTOSO", "userSid": format!("S-1-5-21-1-2-3-{}", 1100 + at % 40),
        "aadUserId": "00000000-0000-0000-0000-000000000002", "userPrincipalName": format!("user{}@contoso.com", at % 40)
    }))
}

/// An item of evidence as lists write it: the members of every type, null where they do not apply.
fn evidence(own: Value) -> Value {
    let mut item = json!({
        "entityType": null, "evidenceCreationTime": null, "sha1": null, "sha256": null, "fileName": null,
        "filePath": null, "processId": null, "processCommandLine": null, "processCreationTime": null,
        "parentProcessId": null, "parentProcessCreationTime": null, "parentProcessFileName": null,
        "parentProcessFilePath": null, "ipAddress": null, "url": null, "registryKey": null, "registryHive": null,
        "registryValueType": null, "registryValue": null, "registryValueName": null, "accountName": null,
        "domainName": null, "userSid": null, "aadUserId": null, "userPrincipalName": null, "detectionStatus": null
    });
    if let (Value::Object(item), Value::Object(own)) = (&mut item, own) {
        item.extend(own);
    }
    item
}
