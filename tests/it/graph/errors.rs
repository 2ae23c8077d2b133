//! A test per way in which Graph fails.

use std::time::Duration;

use defender_sandbox::company::showcase;
use defender_sandbox::{Fault, GRAPH_AUDIENCE, Route, Sandbox, Times};
use serde_json::json;

use super::support::{Answer, ask, ask_graph, asked, service};
use crate::harness::hasten;

async fn sandbox() -> Sandbox {
    Sandbox::start().await.expect("a sandbox")
}

fn is(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{}", answer.body);
    answer.body["detail"].as_str().expect("a detail").to_owned()
}

#[tokio::test]
async fn a_table_that_the_tenant_cannot_see_is_a_matter_of_licence_and_permission() {
    let sandbox = sandbox().await;
    for inner in ["innerError", "innererror"] {
        let body = format!(
            r#"{{"error":{{"code":"BadRequest","message":"Failed to resolve table or column expression named 'AlertEvidence'. Fix semantic errors in your query.","{inner}":{{"request-id":"x"}}}}}}"#
        );
        sandbox.mend();
        sandbox.fail(Route::Hunting, Times::Always, Fault::status(400).with_body(body));
        let detail = is(&ask_graph(&sandbox, "machine", showcase::MACHINE).await, 503, "misconfigured");
        assert!(detail.contains("licence") && detail.contains("ThreatHunting.Read.All"), "{detail}");
    }
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 2, "it is not tried again");
}

#[tokio::test]
async fn another_400_is_an_error_of_graphs() {
    let sandbox = sandbox().await;
    sandbox.fail(Route::Hunting, Times::Always, Fault::status(400).with_body(r#"{"error":{"code":"","message":""}}"#));
    is(&ask_graph(&sandbox, "machine", showcase::MACHINE).await, 502, "upstream_error");
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let sandbox = sandbox().await;
    for (roles, field, value, missing) in [
        (&["ThreatHunting.Read.All"][..], "alert_id", showcase::ALERT, "SecurityAlert.Read.All"),
        (&["SecurityAlert.Read.All"], "incident_id", showcase::INCIDENT, "SecurityIncident.Read.All"),
        (&["SecurityAlert.Read.All"], "user", showcase::USER, "ThreatHunting.Read.All"),
        (&["ThreatHunting.Read.All"], "user", showcase::USER, "SecurityAlert.Read.All"),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        let detail = is(&ask_graph(&sandbox, field, value).await, 502, "upstream_forbidden");
        assert!(detail.contains(missing), "{roles:?}, {field}: {detail}");
    }
}

#[tokio::test]
async fn a_404_without_a_code_is_an_unknown_alert() {
    let sandbox = sandbox().await;
    is(&ask_graph(&sandbox, "alert_id", "da000000000000000000_1").await, 404, "not_found");
    sandbox.fail(
        Route::GraphIncidentExpanded,
        Times::Once,
        Fault::status(404).with_body(r#"{"error":{"code":"","message":""}}"#),
    );
    is(&ask_graph(&sandbox, "incident_id", showcase::INCIDENT).await, 404, "not_found");
}

#[tokio::test]
async fn a_404_that_is_not_graphs_own_is_an_error() {
    let sandbox = sandbox().await;
    sandbox.fail(Route::GraphAlert, Times::Always, Fault::status(404).with_body("<html>"));
    is(&ask_graph(&sandbox, "alert_id", showcase::ALERT).await, 502, "upstream_error");
}

#[tokio::test]
async fn a_fraction_of_a_second_is_waited_for_and_told_whole() {
    let sandbox = sandbox().await;
    sandbox.fail(Route::Hunting, Times::Once, Fault::status(429).with_header("Retry-After", "37.128"));
    let answer = ask_graph(&sandbox, "machine", showcase::MACHINE).await;
    is(&answer, 429, "throttled");
    assert_eq!(answer.headers.get("retry-after").and_then(|wait| wait.to_str().ok()), Some("38"));
}

#[tokio::test]
async fn an_unknown_error_with_an_empty_message_is_tried_once_more() {
    let sandbox = sandbox().await;
    let body = r#"{"error":{"code":"UnknownError","message":"","innerError":{"date":"2026-01-01T00:00:00"}}}"#;
    sandbox.fail(Route::Hunting, Times::Once, Fault::status(500).with_body(body));
    assert_eq!(ask_graph(&sandbox, "machine", showcase::MACHINE).await.status, 200);
    sandbox.fail(Route::Hunting, Times::Always, Fault::status(500).with_body(body));
    sandbox.forget();
    is(&ask_graph(&sandbox, "machine", showcase::MACHINE).await, 502, "upstream_error");
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 2);
    sandbox.mend();
    sandbox.fail(Route::Hunting, Times::Always, Fault::status(504).with_body(body));
    is(&ask_graph(&sandbox, "machine", showcase::MACHINE).await, 503, "upstream_unavailable");
}

#[tokio::test]
async fn an_answer_that_is_none_never_passes_for_no_alerts() {
    let sandbox = sandbox().await;
    for body in ["<html>", r#"{"schema":[]}"#, r#"{"results":null}"#, "{}", ""] {
        sandbox.mend();
        sandbox.fail(Route::Hunting, Times::Always, Fault::body(body));
        is(&ask_graph(&sandbox, "machine", showcase::MACHINE).await, 502, "upstream_malformed");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let sandbox = sandbox().await;
    sandbox.fail(Route::GraphAlert, Times::Once, Fault::status(401));
    assert_eq!(ask_graph(&sandbox, "alert_id", showcase::ALERT).await.status, 200);
    sandbox.fail(Route::GraphAlert, Times::Always, Fault::status(401));
    is(&ask_graph(&sandbox, "alert_id", showcase::ALERT).await, 502, "upstream_auth");
}

#[tokio::test]
async fn a_large_incident_comes_by_the_second_route() {
    let sandbox = sandbox().await;
    let whole = ask_graph(&sandbox, "incident_id", showcase::INCIDENT).await;
    sandbox.set_page_size(Some(4));
    sandbox.fail(Route::GraphIncidentExpanded, Times::Always, Fault::status(500));
    let paged = ask_graph(&sandbox, "incident_id", showcase::INCIDENT).await;
    assert_eq!(whole.body["alerts"], paged.body["alerts"]);
    assert_eq!(whole.body["incident"], paged.body["incident"]);
    assert!(asked(&sandbox, Route::GraphIncidentAlerts).len() > 2);
    assert!(!paged.warnings().contains(&"partial"));
}

#[tokio::test]
async fn an_incident_whose_alerts_fail_by_the_second_route_is_shown_without_them() {
    let sandbox = sandbox().await;
    let whole = ask_graph(&sandbox, "incident_id", showcase::INCIDENT).await;
    for fault in [
        Fault::status(500),
        Fault::status(503),
        Fault::status(403),
        Fault::status(404),
        Fault::body("<html>"),
        Fault::delay(Duration::from_secs(60)),
    ] {
        sandbox.mend();
        sandbox.fail(Route::GraphIncidentExpanded, Times::Always, Fault::status(500));
        sandbox.fail(Route::GraphIncidentAlerts, Times::Always, fault.clone());
        let service = service(&sandbox, "graph", &[]);
        let question = || ask(&service, json!({"incident_id": showcase::INCIDENT}));
        let (answer, _) = hasten(question()).await;
        assert_eq!((answer.status, answer.alert_ids().len()), (200, 0), "{fault:?}: {}", answer.body);
        assert_eq!(answer.body["incident"], whole.body["incident"], "{fault:?}");
        assert!(answer.warnings().contains(&"partial"), "{fault:?}: {:?}", answer.warnings());
        sandbox.mend();
        assert_eq!(question().await.alert_ids(), whole.alert_ids(), "a part is not remembered: {fault:?}");
    }
}

#[tokio::test]
async fn a_page_elsewhere_is_not_asked_for() {
    let sandbox = sandbox().await;
    sandbox.set_page_size(Some(4));
    sandbox.set_next_link(Some("https://evil.example/v1.0/security/incidents/3107/alerts?$skip=4"));
    sandbox.fail(Route::GraphIncidentExpanded, Times::Always, Fault::status(500));
    let answer = ask_graph(&sandbox, "incident_id", showcase::INCIDENT).await;
    assert_eq!((answer.status, answer.alert_ids().len()), (200, 4));
    assert!(answer.warnings().contains(&"partial"));
}

#[tokio::test]
async fn evidence_that_is_no_object_is_kept_and_told() {
    let sandbox = sandbox().await;
    let body = json!({
        "id": showcase::ALERT,
        "evidence": [7, {"@odata.type": 9, "verdict": "malicious"}, "a word",
                     {"@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": "192.0.2.7"}],
    });
    sandbox.fail(Route::GraphAlert, Times::Always, Fault::body(body.to_string()));
    let answer = ask_graph(&sandbox, "alert_id", showcase::ALERT).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let alert = &answer.body["alerts"][0];
    assert_eq!(alert["extra"]["evidence"], json!([7, "a word"]));
    let types: Vec<_> = alert["evidence"].as_array().expect("evidence").iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["unknown", "ip"], "{alert}");
    assert!(answer.warnings().contains(&"unknown_value"), "{:?}", answer.warnings());
}
