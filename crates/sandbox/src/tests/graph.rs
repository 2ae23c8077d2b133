//! Microsoft Graph, as the stand-in plays it.

use serde_json::{Value, json};

use super::client::ask;
use crate::company::showcase;
use crate::{DEFENDER_AUDIENCE, Fault, GRAPH_AUDIENCE, Route, Sandbox, Service, Times};

const HUNT: &str = "/v1.0/security/runHuntingQuery";

fn query(condition: &str) -> String {
    let query = format!(
        "AlertEvidence\n| where Timestamp > ago(30d)\n| where {condition}\n| summarize arg_max(Timestamp, *) by AlertId\n\
         | top 3 by Timestamp desc\n| project-away AdditionalFields"
    );
    json!({"Query": query, "Timespan": "P30D"}).to_string()
}

fn items(ids: &[&str]) -> String {
    let requests: Vec<Value> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| json!({"id": at.to_string(), "method": "GET", "url": format!("/security/alerts_v2/{id}")}))
        .collect();
    json!({"requests": requests}).to_string()
}

#[tokio::test]
async fn alerts_and_incidents_come_by_id() {
    let sandbox = Sandbox::start().await.unwrap();
    let alert = sandbox.graph("GET", &format!("/v1.0/security/alerts_v2/{}", showcase::ALERT), "").await;
    assert_eq!((alert.status, &alert.json()["severity"]), (200, &json!("high")));
    let incident = sandbox.graph("GET", "/v1.0/security/incidents/3107", "").await.json();
    assert_eq!((&incident["status"], &incident["alerts"]), (&json!("inProgress"), &Value::Null));
    let expanded = sandbox.graph("GET", "/v1.0/security/incidents/3107?$expand=alerts", "").await.json();
    assert!(expanded["alerts"].as_array().is_some_and(|alerts| alerts.len() > 5));
    assert_eq!(sandbox.graph("GET", "/v1.0/security/alerts_v2/da0_0", "").await.status, 404);
    assert_eq!(sandbox.graph("GET", "/v1.0/security/alerts", "").await.status, 404);
}

#[tokio::test]
async fn words_that_were_added_later_are_sent_only_on_request() {
    let sandbox = Sandbox::start().await.unwrap();
    let target = format!("/v1.0/security/alerts_v2/{}", showcase::ALERT);
    let token = format!("Authorization: Bearer {}", sandbox.mint(GRAPH_AUDIENCE));
    let plain = ask(sandbox.origin(Service::Graph), "GET", &target, &[&token], "").await.unwrap().text();
    assert!(plain.contains("unknownFutureValue") && !plain.contains("\"active\",\"remediationStatusDetails"));
    assert!(!sandbox.graph("GET", &target, "").await.text().contains("unknownFutureValue"));
}

#[tokio::test]
async fn tokens_and_roles_are_checked() {
    let sandbox = Sandbox::start().await.unwrap();
    let token = format!("Authorization: Bearer {}", sandbox.mint(DEFENDER_AUDIENCE));
    let response =
        ask(sandbox.origin(Service::Graph), "GET", "/v1.0/security/incidents/3107", &[&token], "").await.unwrap();
    assert_eq!((response.status, response.code().as_str()), (401, "InvalidAuthenticationToken"));
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    assert_eq!(sandbox.graph("GET", "/v1.0/security/incidents/3107", "").await.status, 403);
    assert_eq!(sandbox.graph("POST", HUNT, &query("AccountName =~ \"a\"")).await.status, 403);
    let batch = sandbox.graph("POST", "/v1.0/$batch", &items(&[showcase::ALERT])).await.json();
    assert_eq!(batch["responses"][0]["status"], 200);
}

#[tokio::test]
async fn a_query_returns_alerts_newest_first() {
    let sandbox = Sandbox::start().await.unwrap();
    let response =
        sandbox.graph("POST", HUNT, &query(&format!("DeviceName =~ \"{}\"", showcase::MACHINE))).await.json();
    let rows = response["results"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let times: Vec<jiff::Timestamp> =
        rows.iter().map(|row| row["Timestamp"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next));
    assert!(rows.iter().all(|row| row["DeviceName"] == showcase::MACHINE && row.get("AdditionalFields").is_none()));
    let other = sandbox.graph("POST", HUNT, &json!({"query": "AlertInfo | take 10"}).to_string()).await;
    assert_eq!((other.status, other.code().as_str()), (400, "BadRequest"));
}

#[tokio::test]
async fn the_newest_report_of_a_device_can_lack_what_the_one_before_tells() {
    let sandbox = Sandbox::start().await.unwrap();
    let newest = async |condition: &str| {
        let query = format!(
            "DeviceInfo\n| where Timestamp > ago(30d)\n| where DeviceName =~ \"{}\"{condition}\n\
             | summarize arg_max(Timestamp, *) by DeviceId\n| top 1 by Timestamp desc",
            showcase::MACHINE
        );
        sandbox.graph("POST", HUNT, &json!({"Query": query}).to_string()).await.json()["results"][0].clone()
    };
    assert_eq!(newest("").await["OSPlatform"], "");
    let full = newest(" and isnotempty(OSPlatform)").await;
    assert_eq!((&full["OSVersionInfo"], &full["ExposureLevel"]), (&json!("24H2"), &json!("Medium")));
    assert_eq!((&full["DeviceManualTags"], &full["AssetValue"]), (&json!("[\"Finance\"]"), &Value::Null));
}

#[tokio::test]
async fn the_profile_of_an_unknown_hash_is_missing() {
    let sandbox = Sandbox::start().await.unwrap();
    let profile = async |column: &str, hash: &str| {
        let query = format!("print {column} = \"{hash}\"\n| invoke FileProfile({column}, 1)");
        sandbox.graph("POST", HUNT, &json!({"Query": query}).to_string()).await.json()["results"][0].clone()
    };
    let signed = profile("SHA1", showcase::SIGNED_FILE).await;
    assert_eq!((&signed["Signer"], &signed["IsCertificateValid"]), (&json!("Microsoft Windows"), &json!(true)));
    let rare = profile("SHA256", showcase::FILE).await;
    assert_eq!((&rare["GlobalPrevalence"], &rare["SignatureState"]), (&json!(12), &json!("Unsigned")));
    assert_eq!((&rare["SHA1"], &rare["SHA2561"]), (&json!(showcase::FILE_SHA1), &json!(showcase::FILE)));
    let unknown = profile("SHA1", &"0".repeat(40)).await;
    assert_eq!((&unknown["ProfileAvailability"], &unknown["GlobalPrevalence"]), (&json!("Missing"), &Value::Null));
}

#[tokio::test]
async fn a_batch_has_at_most_twenty_items_and_each_counts() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(sandbox.graph("POST", "/v1.0/$batch", &items(&["x"; 21])).await.status, 400);
    sandbox.set_graph_quota(3, 45);
    sandbox.fail(
        Route::GraphBatchItem,
        Times::Once,
        Fault::status(503).with_header("Retry-After", "1.5").only_for("d"),
    );
    let response = sandbox.graph("POST", "/v1.0/$batch", &items(&["a", "b", "c", "d", "e"])).await.json();
    let of = |id: &str| {
        let responses = response["responses"].as_array().unwrap();
        responses.iter().find(|item| item["id"] == id).unwrap().clone()
    };
    assert_eq!(of("3")["headers"]["Retry-After"], "1.5");
    let statuses: Vec<_> = ["0", "1", "2", "3", "4"].iter().map(|id| of(id)["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [429, 404, 404, 503, 404], "they are answered from the last to the first");
    assert!(of("0")["headers"]["retry-after"].as_str().unwrap().contains('.'), "a fraction");
}
