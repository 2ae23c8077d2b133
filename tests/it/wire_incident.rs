//! Incidents as Defender XDR sends them: other names for the same things, and alerts of several products.

use serde_json::{Value, json};

use crate::client::warnings;
use crate::harness::{DESK_042, MACHINE, World, changed};

fn incident(id: u64) -> Value {
    json!({
        "incidentId": id, "incidentUri": format!("https://security.microsoft.com/incidents/{id}?tid=x"), "redirectIncidentId": null,
        "incidentName": "Something at Contoso", "createdTime": "2026-11-03T08:16:21.8133333Z", "lastUpdateTime": "2026-11-03T13:46:26.2Z",
        "assignedTo": null, "classification": "Unknown", "determination": "NotAvailable", "status": "Active", "severity": "Medium",
        "tags": ["Demo"], "comments": [], "alerts": [{
            "alertId": "caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC", "providerAlertId": "D70CFEE2-1F54-32DB-9988-3A868A1EBFAC", "incidentId": id,
            "serviceSource": "MicrosoftCloudAppSecurity", "creationTime": "2026-11-03T08:15:00.19Z", "lastUpdatedTime": "2026-11-03T08:17:00Z",
            "resolvedTime": null, "firstActivity": "2026-11-03T08:10:00Z", "lastActivity": "2026-11-03T08:12:00.9Z", "title": "Rare country",
            "category": "InitialAccess", "status": "Active", "severity": "Low", "classification": null, "mitreTechniques": ["T1078"],
            "devices": [
                {"mdatpDeviceId": DESK_042, "aadDeviceId": null, "deviceDnsName": MACHINE, "rbacGroupName": "Workstations", "riskScore": "High"},
                {"mdatpDeviceId": "a9919db6216ab940397a5e80f937fd1f45a05cec", "deviceDnsName": "srv-files-01.contoso.com"}
            ],
            "entities": [{"entityType": "User", "accountName": "dana.reyes", "userPrincipalName": "dana.reyes@contoso.com"}]
        }]
    })
}

async fn answered(record: Value) -> Value {
    let world = World::start().await;
    let id = record["incidentId"].clone();
    world.sandbox.put_incident(record).unwrap();
    world.post(json!({"incident_id": id})).await.answer()
}

#[tokio::test]
async fn members_of_an_incidents_alert_have_other_names_and_the_same_meaning() {
    let answer = answered(incident(924_565)).await;
    let alert = &answer["alerts"][0];
    assert_eq!(
        (&alert["id"], &alert["incident_id"]),
        (&json!("caD70CFEE2-1F54-32DB-9988-3A868A1EBFAC"), &json!("924565"))
    );
    assert_eq!(
        (&alert["created_at"], &alert["updated_at"]),
        (&json!("2026-11-03T08:15:00.190Z"), &json!("2026-11-03T08:17:00.000Z"))
    );
    assert_eq!(
        (&alert["first_seen"], &alert["last_seen"]),
        (&json!("2026-11-03T08:10:00.000Z"), &json!("2026-11-03T08:12:00.900Z"))
    );
    assert_eq!(
        (&alert["status"], &alert["service_source"]),
        (&json!("in_progress"), &json!("MicrosoftCloudAppSecurity"))
    );
    assert_eq!((&alert["evidence_loaded"], &alert["evidence"][0]["type"]), (&json!(true), &json!("user")));
    assert_eq!(alert["extra"]["providerAlertId"], "D70CFEE2-1F54-32DB-9988-3A868A1EBFAC");
    assert_eq!(warnings(&answer), Vec::<&str>::new());
}

#[tokio::test]
async fn severity_status_and_verdict_are_the_incidents_own() {
    let answer = answered(incident(924_565)).await;
    assert_eq!((&answer["severity"], &answer["severity_open"]), (&json!("medium"), &json!("low")));
    assert_eq!((&answer["status"], &answer["verdict"]), (&json!("active"), &json!("undetermined")));
    assert_eq!(
        (&answer["updated_at"], &answer["first_seen"]),
        (&json!("2026-11-03T13:46:26.200Z"), &json!("2026-11-03T08:10:00.000Z"))
    );
    assert_eq!(
        (&answer["incident"]["tags"], &answer["url"]),
        (&json!(["Demo"]), &json!("https://security.microsoft.com/incidents/924565?tid=x"))
    );
    let classified = answered(changed(incident(924_566), json!({"classification": "FalsePositive"}))).await;
    assert_eq!(classified["verdict"], "false_positive");
}

#[tokio::test]
async fn all_devices_of_an_incidents_alert_stay() {
    let answer = answered(incident(924_565)).await;
    let alert = &answer["alerts"][0];
    assert_eq!(alert["device"], json!({"id": DESK_042, "name": MACHINE, "group": "Workstations"}));
    assert_eq!(alert["extra"]["devices"].as_array().unwrap().len(), 2);
    assert_eq!(alert["extra"]["devices"][0]["riskScore"], "High");
    let names: Vec<_> =
        answer["entities"]["devices"].as_array().unwrap().iter().map(|device| &device["name"]).collect();
    assert_eq!(names, [MACHINE, "srv-files-01.contoso.com"]);
}

#[tokio::test]
async fn an_incident_without_alerts_has_no_activity() {
    let answer = answered(json!({
        "incidentId": 7, "incidentName": "Empty", "status": "Active", "createdTime": "2026-11-03T08:16:21Z",
        "lastUpdateTime": "2026-11-03T09:00:00Z", "mood": {"of": "the day"}
    }))
    .await;
    assert_eq!(
        (&answer["found"], &answer["alerts"], &answer["severity"]),
        (&json!(true), &json!([]), &json!("unknown"))
    );
    assert_eq!((&answer["first_seen"], &answer["updated_at"]), (&json!(null), &json!("2026-11-03T09:00:00.000Z")));
    assert_eq!(answer["incident"]["extra"], json!({"mood": {"of": "the day"}}));
}

#[tokio::test]
async fn only_an_address_of_the_portal_becomes_the_page() {
    for address in [
        "https://evil.example/incidents/7",
        "javascript:alert(1)",
        "https://security.microsoft.com/incidents/8",
        "https://security.microsoft.com/incidents/77",
    ] {
        let answer = answered(changed(incident(7), json!({"incidentUri": address}))).await;
        assert_eq!(answer["url"], "https://security.microsoft.com/incidents/7", "{address}");
        assert_eq!(answer["incident"]["extra"]["incidentUri"], address);
    }
}

#[tokio::test]
async fn unknown_words_of_an_incident_are_kept_with_a_warning() {
    let answer = answered(changed(
        incident(7),
        json!({"status": "Snoozed", "severity": "Purple", "classification": "Sideways"}),
    ))
    .await;
    assert_eq!(
        (&answer["status"], &answer["severity"], &answer["severity_id"]),
        (&json!("other"), &json!("other"), &json!(99))
    );
    assert_eq!(answer["verdict"], "other");
    assert_eq!(answer["incident"]["classification"], "Sideways");
    assert_eq!(warnings(&answer), ["unknown_value"; 3]);
}
