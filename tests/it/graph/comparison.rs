//! The same subject through both backends: the same answer, but for what only one of them knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{ask_graph, service};
use crate::harness::{
    ALERT, DESK_042, FALSE_ALARM, FILE, FILE_SHA1, MACHINE, SIGNED_FILE, field, new_sandbox, showcase,
};

/// What of an answer may differ: where it came from, what was resolved for it and came along, and what follows from Graph
/// knowing the alerts of all products, each with its evidence.
const OF_AN_ANSWER: &[&str] =
    &["source", "warnings", "resolution", "id", "url", "entities", "summary", "threats", "context"];
/// What more may differ of a list, where Graph has alerts of other products, or none of a namesake.
const OF_ANOTHER_LIST: &[&str] = &[
    "severity",
    "severity_id",
    "severity_open",
    "severity_open_id",
    "verdict",
    "status",
    "first_seen",
    "last_seen",
    "updated_at",
    "counts",
    "techniques",
    "categories",
    "threats",
    "truncated",
];
/// What of an alert may differ.
const OF_AN_ALERT: &[&str] = &[
    "comments",
    "detection_source",
    "evidence",
    "evidence_loaded",
    "extra",
    "investigation_id",
    "logged_on_users",
    "product_name",
    "recommended_actions",
    "service_source",
    "tenant_id",
    "threat_name",
    "url",
    "user",
];
/// What of a context may differ: hunting has no determination of a file, no counts of the organization, and no value of a
/// device that nobody has set; the evidence of the alerts has fewer addresses of a device.
const OF_A_CONTEXT: &[&str] =
    &["determination", "device_value", "ip_addresses", "org_first_seen", "org_last_seen", "org_prevalence"];
/// What of an incident may differ.
const OF_AN_INCIDENT: &[&str] = &["classification", "determination", "extra", "tenant_id", "url"];

fn differing(one: &Value, other: &Value) -> BTreeSet<String> {
    let (one, other) = (one.as_object().expect("an object"), other.as_object().expect("an object"));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "the same keys in the same order");
    one.iter().filter(|(name, value)| other.get(*name) != Some(value)).map(|(name, _)| name.clone()).collect()
}

fn by_id(answer: &Value) -> BTreeMap<&str, &Value> {
    let alerts = answer["alerts"].as_array().expect("alerts");
    alerts.iter().map(|alert| (alert["id"].as_str().expect("an id"), alert)).collect()
}

#[tokio::test]
async fn both_backends_give_the_same_answer() {
    let sandbox = new_sandbox().await;
    let [older, newer] = [service(&sandbox, "defender", &[]).await, service(&sandbox, "graph", &[]).await];
    let (mut of_alerts, mut of_incidents) = (BTreeSet::new(), BTreeSet::new());
    for subject in showcase() {
        let question = json!({field(subject.kind): subject.value, "limit": 500});
        let [one, two] = [older.post(question.clone()).await.answer(), newer.post(question).await.answer()];
        assert_eq!((&one["found"], &two["found"]), (&json!(true), &json!(true)), "{subject:?}");
        assert_eq!(one["source"]["backend"], "defender");
        assert_eq!(two["source"]["backend"], "graph");

        let (alerts, more) = (by_id(&one), by_id(&two));
        let mut namesakes = 0;
        for (id, alert) in &alerts {
            if let Some(twin) = more.get(id) {
                of_alerts.extend(differing(alert, twin));
                continue;
            }
            // Graph compares the whole sign-in name, the older APIs only the bare name, and say so.
            let told = one["warnings"].to_string();
            assert!(told.contains("namesake_in_another_domain") && told.contains(id), "{subject:?}: {id} is missing");
            namesakes += 1;
        }
        for (id, alert) in more.iter().filter(|(id, _)| !alerts.contains_key(*id)) {
            let is_of_another_product = alert["service_source"] != "microsoftDefenderForEndpoint";
            let has_another_main_device = subject.kind == "machine" && alert["device"]["id"] != two["id"];
            assert!(is_of_another_product || has_another_main_device, "{subject:?}: {id} only through Graph");
        }
        let is_another_list = namesakes > 0 || more.len() > alerts.len();
        for name in differing(&one, &two) {
            let may = OF_AN_ANSWER.contains(&name.as_str())
                || ["alerts", "incident"].contains(&name.as_str())
                || (is_another_list && OF_ANOTHER_LIST.contains(&name.as_str()));
            assert!(may, "{subject:?}: {name} is {} and {}", one[&name], two[&name]);
        }
        if one["incident"].is_object() {
            of_incidents.extend(differing(&one["incident"], &two["incident"]));
        }
    }
    let beyond = |found: &BTreeSet<String>, may: &[&str]| -> Vec<String> {
        found.iter().filter(|name| !may.contains(&name.as_str())).cloned().collect()
    };
    assert_eq!(beyond(&of_alerts, OF_AN_ALERT), Vec::<String>::new());
    assert_eq!(beyond(&of_incidents, OF_AN_INCIDENT), Vec::<String>::new());
}

#[tokio::test]
async fn both_backends_say_the_same_of_a_device_and_of_a_file() {
    let sandbox = new_sandbox().await;
    let [older, newer] = [service(&sandbox, "defender", &[]).await, service(&sandbox, "graph", &[]).await];
    for (field, value, member) in [
        ("machine", DESK_042, "device"),
        ("machine", MACHINE, "device"),
        ("file_hash", FILE, "file"),
        ("file_hash", FILE_SHA1, "file"),
        ("file_hash", SIGNED_FILE, "file"),
    ] {
        let question = json!({field: value, "include": "context"});
        let [one, two] = [older.post(question.clone()).await.answer(), newer.post(question).await.answer()];
        let (one, two) = (&one["context"][member], &two["context"][member]);
        for name in differing(one, two) {
            assert!(OF_A_CONTEXT.contains(&name.as_str()), "{value}: {name} is {} and {}", one[&name], two[&name]);
        }
    }
}

#[tokio::test]
async fn words_are_spelled_as_the_older_apis_spell_them() {
    let sandbox = new_sandbox().await;
    let incident = ask_graph(&sandbox, "incident_id", FALSE_ALARM).await.answer()["incident"].clone();
    assert_eq!((&incident["classification"], &incident["determination"]), (&json!("FalsePositive"), &json!("Clean")));
    let alert = ask_graph(&sandbox, "alert_id", ALERT).await.answer()["alerts"][0].clone();
    let types: Vec<_> = alert["evidence"].as_array().expect("evidence").iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["device", "user", "process", "process", "file", "ip", "url", "registry"]);
    assert_eq!(alert["investigation_state"], "PendingApproval");
}
