//! The same subject through both backends: the same answer, but for what only one of them knows.

use std::collections::{BTreeMap, BTreeSet};

use defender_sandbox::company::showcase;
use defender_sandbox::{Sandbox, showcase as subjects};
use serde_json::{Value, json};

use super::support::{ask, service};

/// What of an answer may differ: where it came from, what was resolved for it, and what follows from Graph knowing the
/// alerts of all products, each with its evidence.
const OF_AN_ANSWER: &[&str] = &["source", "warnings", "resolution", "id", "url", "entities", "summary", "threats"];
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
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let (older, newer) = (service(&sandbox, "defender", &[]), service(&sandbox, "graph", &[]));
    let (mut of_alerts, mut of_incidents, mut of_answers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for subject in subjects() {
        let field = match subject.kind {
            "alert" => "alert_id",
            "incident" => "incident_id",
            "file" => "file_hash",
            kind => kind,
        };
        let question = json!({field: subject.value, "limit": 500});
        let (one, two) = (ask(&older, question.clone()).await, ask(&newer, question).await);
        assert_eq!((one.status, two.status), (200, 200), "{subject:?}");
        assert_eq!((&one.body["found"], &two.body["found"]), (&json!(true), &json!(true)), "{subject:?}");
        assert_eq!(one.body["source"]["backend"], "defender");
        assert_eq!(two.body["source"]["backend"], "graph");

        let (alerts, more) = (by_id(&one.body), by_id(&two.body));
        let mut namesakes = 0;
        for (id, alert) in &alerts {
            if let Some(twin) = more.get(id) {
                of_alerts.extend(differing(alert, twin));
                continue;
            }
            // Graph compares the whole sign-in name, the older APIs only the bare name, and say so.
            let told = one.body["warnings"].to_string();
            assert!(told.contains("namesake_in_another_domain") && told.contains(id), "{subject:?}: {id} is missing");
            namesakes += 1;
        }
        for (id, alert) in more.iter().filter(|(id, _)| !alerts.contains_key(*id)) {
            let is_of_another_product = alert["service_source"] != "microsoftDefenderForEndpoint";
            let has_another_main_device = subject.kind == "machine" && alert["device"]["id"] != two.body["id"];
            assert!(is_of_another_product || has_another_main_device, "{subject:?}: {id} only through Graph");
        }
        let is_another_list = namesakes > 0 || more.len() > alerts.len();
        for name in differing(&one.body, &two.body) {
            let may = OF_AN_ANSWER.contains(&name.as_str())
                || ["alerts", "incident"].contains(&name.as_str())
                || (is_another_list && OF_ANOTHER_LIST.contains(&name.as_str()));
            assert!(may, "{subject:?}: {name} is {} and {}", one.body[&name], two.body[&name]);
            of_answers.insert(name);
        }
        if one.body["incident"].is_object() {
            of_incidents.extend(differing(&one.body["incident"], &two.body["incident"]));
        }
    }
    println!("answers: {of_answers:?}\nalerts: {of_alerts:?}\nincidents: {of_incidents:?}");
    let beyond = |found: &BTreeSet<String>, may: &[&str]| -> Vec<String> {
        found.iter().filter(|name| !may.contains(&name.as_str())).cloned().collect()
    };
    assert_eq!(beyond(&of_alerts, OF_AN_ALERT), Vec::<String>::new());
    assert_eq!(beyond(&of_incidents, OF_AN_INCIDENT), Vec::<String>::new());
}

#[tokio::test]
async fn words_are_spelled_as_the_older_apis_spell_them() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let service = service(&sandbox, "graph", &[]);
    let incident = ask(&service, json!({"incident_id": showcase::FALSE_ALARM})).await.body["incident"].clone();
    assert_eq!((&incident["classification"], &incident["determination"]), (&json!("FalsePositive"), &json!("Clean")));
    let answer = ask(&service, json!({"alert_id": showcase::ALERT})).await.body;
    let types: Vec<_> =
        answer["alerts"][0]["evidence"].as_array().expect("evidence").iter().map(|item| item["type"].clone()).collect();
    assert_eq!(types, ["device", "user", "process", "process", "file", "ip", "url", "registry"]);
    assert_eq!(answer["alerts"][0]["investigation_state"], "PendingApproval");
}
