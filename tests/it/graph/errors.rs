//! How Graph fails, and what callers are told.

use std::time::Duration;

use serde_json::json;

use super::{ask_graph, service};
use crate::client::{ids, warnings};
use crate::harness::{
    ALERT, Fault, GRAPH_AUDIENCE, INCIDENT, MACHINE, Route, Times, USER, fast_forward, new_sandbox, seen,
};

#[tokio::test]
async fn every_failure_of_graph_has_its_problem() {
    let unseen_table = |inner: &str| {
        let message = "Failed to resolve table or column expression named 'AlertEvidence'. Fix semantic errors.";
        let error = json!({"code": "BadRequest", "message": message, inner: {"request-id": "x"}});
        Fault::status(400).with_body(json!({"error": error}).to_string())
    };
    let unnamed = |status| Fault::status(status).with_body(r#"{"error":{"code":"","message":""}}"#);
    let unknown_error = r#"{"error":{"code":"UnknownError","message":"","innerError":{"date":"2026-01-01T00:00:00"}}}"#;
    let unknown_error = |status| Fault::status(status).with_body(unknown_error);
    let no_page = Fault::status(404).with_body("<html>");
    let throttled = Fault::status(429).with_header("Retry-After", "37.128");
    let (alert, incident, machine) = (("alert_id", ALERT), ("incident_id", INCIDENT), ("machine", MACHINE));
    let (hunting, of_alert, of_incident) = (Route::Hunting, Route::GraphAlert, Route::GraphIncidentExpanded);
    for (case, route, fault, (field, value), problem, calls) in [
        ("a table that the tenant cannot see", hunting, unseen_table("innerError"), machine, (503, "misconfigured"), 1),
        ("the same, spelled differently", hunting, unseen_table("innererror"), machine, (503, "misconfigured"), 1),
        ("another 400", hunting, unnamed(400), machine, (502, "upstream_error"), 1),
        ("an incident that is not known", of_incident, unnamed(404), incident, (404, "not_found"), 1),
        ("a 404 of a proxy", of_alert, no_page, alert, (502, "upstream_error"), 1),
        ("a wait in fractions of a second", hunting, throttled, machine, (429, "throttled"), 1),
        ("an unknown error", hunting, unknown_error(500), machine, (502, "upstream_error"), 2),
        ("an unknown error of a gateway", hunting, unknown_error(504), machine, (503, "upstream_unavailable"), 1),
        ("a page for people", hunting, Fault::body("<html>"), machine, (502, "upstream_malformed"), 1),
        ("no results", hunting, Fault::body(r#"{"schema":[]}"#), machine, (502, "upstream_malformed"), 1),
        ("null results", hunting, Fault::body(r#"{"results":null}"#), machine, (502, "upstream_malformed"), 1),
        ("an empty object", hunting, Fault::body("{}"), machine, (502, "upstream_malformed"), 1),
        ("an empty body", hunting, Fault::body(""), machine, (502, "upstream_malformed"), 1),
    ] {
        let sandbox = new_sandbox().await;
        sandbox.fail(route, Times::Always, fault);
        let response = ask_graph(&sandbox, field, value).await;
        let body = response.json();
        assert_eq!((response.status, body["code"].as_str()), (problem.0, Some(problem.1)), "{case}: {body}");
        assert_eq!(seen(&sandbox, route).len(), calls, "{case}");
        let detail = body["detail"].as_str().expect("a detail");
        let names_both = detail.contains("licence") && detail.contains("ThreatHunting.Read.All");
        assert_eq!(names_both, problem.0 == 503 && problem.1 == "misconfigured", "{case}: {detail}");
        assert!(problem.0 != 429 || response.retry_after() == 38, "{case}: {response:?}");
    }
    let sandbox = new_sandbox().await;
    ask_graph(&sandbox, "alert_id", "da000000000000000000_1").await.problem(404, "not_found");
    sandbox.fail(hunting, Times::Once, unknown_error(500));
    ask_graph(&sandbox, "machine", MACHINE).await.answer();
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let sandbox = new_sandbox().await;
    for (roles, field, value, missing) in [
        (&["ThreatHunting.Read.All"][..], "alert_id", ALERT, "SecurityAlert.Read.All"),
        (&["SecurityAlert.Read.All"], "incident_id", INCIDENT, "SecurityIncident.Read.All"),
        (&["SecurityAlert.Read.All"], "user", USER, "ThreatHunting.Read.All"),
        (&["ThreatHunting.Read.All"], "user", USER, "SecurityAlert.Read.All"),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        let problem = ask_graph(&sandbox, field, value).await.problem(502, "upstream_forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(missing), "{roles:?}, {field}: {problem}");
    }
}

#[tokio::test]
async fn a_large_incident_comes_by_the_second_route() {
    let sandbox = new_sandbox().await;
    let whole = ask_graph(&sandbox, "incident_id", INCIDENT).await.answer();
    sandbox.set_page_size(Some(4));
    sandbox.fail(Route::GraphIncidentExpanded, Times::Always, Fault::status(500));
    let paged = ask_graph(&sandbox, "incident_id", INCIDENT).await.answer();
    assert_eq!((&whole["alerts"], &whole["incident"]), (&paged["alerts"], &paged["incident"]));
    assert!(seen(&sandbox, Route::GraphIncidentAlerts).len() > 2);
    assert!(!warnings(&paged).contains(&"partial"));

    sandbox.set_next_link(Some("https://evil.example/v1.0/security/incidents/3107/alerts?$skip=4"));
    let part = ask_graph(&sandbox, "incident_id", INCIDENT).await.answer();
    assert_eq!((ids(&part).len(), warnings(&part).contains(&"partial")), (4, true), "a link elsewhere is not followed");
}

#[tokio::test]
async fn an_incident_whose_alerts_fail_by_the_second_route_is_shown_without_them() {
    let sandbox = new_sandbox().await;
    let whole = ask_graph(&sandbox, "incident_id", INCIDENT).await.answer();
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
        let service = service(&sandbox, "graph", &[]).await;
        let answer = fast_forward(service.incident(INCIDENT)).await.0.answer();
        assert_eq!((ids(&answer).len(), &answer["incident"]), (0, &whole["incident"]), "{fault:?}: {answer}");
        assert!(warnings(&answer).contains(&"partial"), "{fault:?}: {answer}");
        sandbox.mend();
        assert_eq!(ids(&service.incident(INCIDENT).await.answer()), ids(&whole), "a part is not cached: {fault:?}");
    }
}

#[tokio::test]
async fn evidence_that_is_not_an_object_is_kept_with_a_warning() {
    let sandbox = new_sandbox().await;
    let body = json!({
        "id": ALERT,
        "evidence": [7, {"@odata.type": 9, "verdict": "malicious"}, "a word",
                     {"@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": "192.0.2.7"}],
    });
    sandbox.fail(Route::GraphAlert, Times::Always, Fault::body(body.to_string()));
    let answer = ask_graph(&sandbox, "alert_id", ALERT).await.answer();
    let alert = &answer["alerts"][0];
    assert_eq!(alert["extra"]["evidence"], json!([7, "a word"]));
    let types: Vec<_> = alert["evidence"].as_array().expect("evidence").iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["unknown", "ip"], "{alert}");
    assert!(warnings(&answer).contains(&"unknown_value"), "{answer}");
}
