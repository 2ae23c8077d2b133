//! `auto`: by the roles in the token, Graph first, and one API for another that has ended or sees less.

use std::time::Duration;

use serde_json::json;

use super::service;
use crate::client::warnings;
use crate::harness::{
    ALERT, DEFENDER_AUDIENCE, DEFENDER_SECRET, FILE, Fault, GRAPH_AUDIENCE, INCIDENT, MACHINE, NO_CACHE, Route,
    Sandbox, Service, Times, USER, XDR_AUDIENCE, advance, new_sandbox, seen,
};
use crate::log::Log;

const SUBJECTS: [(&str, &str); 5] =
    [("alert_id", ALERT), ("machine", MACHINE), ("user", USER), ("file_hash", FILE), ("incident_id", INCIDENT)];

async fn backends(sandbox: &Sandbox) -> Vec<String> {
    let service = service(sandbox, "auto", &[]).await;
    let mut backends = Vec::new();
    for (field, value) in SUBJECTS {
        let answer = service.post(json!({field: value})).await.answer();
        backends.push(answer["source"]["backend"].as_str().expect("a backend").to_owned());
    }
    backends
}

#[tokio::test]
async fn graph_answers_what_its_roles_allow_and_the_older_apis_the_rest() {
    let sandbox = new_sandbox().await;
    for (roles, right) in [
        (&["SecurityAlert.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"][..], ["graph"; 5]),
        (&["SecurityAlert.Read.All"], ["graph", "defender", "defender", "defender", "defender"]),
        (&["SecurityIncident.ReadWrite.All"], ["graph", "defender", "defender", "defender", "graph"]),
        (&["SecurityAlert.ReadWrite.All", "ThreatHunting.Read.All"], ["graph", "graph", "graph", "graph", "defender"]),
        (&["ThreatHunting.Read.All"], ["defender"; 5]),
        (&[], ["defender"; 5]),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        assert_eq!(backends(&sandbox).await, right, "{roles:?}");
    }
}

#[tokio::test]
async fn a_secret_without_a_token_for_graph_is_for_the_older_apis() {
    let sandbox = new_sandbox().await;
    let [defender, xdr] = [DEFENDER_AUDIENCE, XDR_AUDIENCE].map(|api| sandbox.mint(api));
    sandbox.put_secret(DEFENDER_SECRET, &json!({"tokens": {"defender": defender, "xdr": xdr}}).to_string());
    assert_eq!(backends(&sandbox).await, ["defender"; 5]);
    let graph = sandbox.mint(GRAPH_AUDIENCE);
    sandbox.put_secret(DEFENDER_SECRET, &json!({"tokens": {"graph": graph}}).to_string());
    assert_eq!(backends(&sandbox).await, ["graph"; 5]);
}

#[tokio::test]
async fn a_consent_counts_from_the_next_token_and_is_logged() {
    let (log, _guard) = Log::start(true);
    let sandbox = new_sandbox().await;
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    let service = service(&sandbox, "auto", &[NO_CACHE, ("SECRET_TTL_S", "1")]).await;
    let backend = async |field: &str, value: &str| {
        let answer = service.post(json!({field: value})).await.answer();
        answer["source"]["backend"].as_str().unwrap_or_default().to_owned()
    };
    for (roles, right) in [
        (&["SecurityAlert.Read.All"][..], ["graph", "defender"]),
        (&["SecurityAlert.Read.All", "ThreatHunting.Read.All"], ["graph", "graph"]),
        (&[], ["defender", "defender"]),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        // A secret that reads differently makes every token be fetched anew.
        let text = sandbox.secret(DEFENDER_SECRET).expect("a secret") + " ";
        sandbox.put_secret(DEFENDER_SECRET, &text);
        advance(Duration::from_secs(2)).await;
        let asked = [backend("alert_id", ALERT).await, backend("user", USER).await];
        assert_eq!(asked, right, "{roles:?}");
    }
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains(r#""backend":"auto""#)).collect();
    assert_eq!(told.len(), 3, "{text}");
    assert!(told[0].contains("Graph answers alert, the older APIs machine, user, file, incident"), "{told:?}");
}

const NOTHING: &str = r#"{"schema":[],"results":[]}"#;

/// A sandbox whose hunting sees nothing.
async fn beyond_the_window() -> Sandbox {
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(NOTHING));
    sandbox
}

#[tokio::test]
async fn what_hunting_does_not_see_is_asked_of_the_older_api_once() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[]).await;
    for (field, value, route) in [
        ("machine", MACHINE, Route::MachineAlerts),
        ("user", USER, Route::UserAlerts),
        ("file_hash", FILE, Route::FileAlerts),
    ] {
        let answer = service.post(json!({field: value})).await.answer();
        assert_eq!(answer["found"], true, "{field}: {answer}");
        assert_eq!(answer["source"]["backend"], "defender");
        assert!(warnings(&answer).contains(&"beyond_hunting_window"), "{:?}", warnings(&answer));
        assert_eq!(seen(&sandbox, route).len(), 1, "{field}");
    }
}

#[tokio::test]
async fn what_neither_sees_is_an_empty_answer_and_an_unknown_machine_is_not_found() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[]).await;
    let nobody = service.post(json!({"user": "nobody"})).await.answer();
    assert_eq!((&nobody["found"], &nobody["source"]["backend"]), (&json!(false), &json!("graph")));
    assert_eq!(warnings(&nobody), ["unknown_or_no_alerts", "hunting_window"]);
    for machine in ["no-such-host", "0000000000000000000000000000000000000000"] {
        service.post(json!({"machine": machine})).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_an_older_api_may_have_missed_is_told() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[NO_CACHE]).await;
    let cut = json!({"value": [], "@odata.nextLink": "https://evil.example/api/users/nobody/alerts"}).to_string();
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(cut));
    let answer = service.post(json!({"user": "nobody"})).await.answer();
    assert_eq!(answer["source"]["backend"], "graph", "{answer}");
    assert!(warnings(&answer).contains(&"partial"), "{:?}", warnings(&answer));

    // A page that is not there is no API that has ended.
    let own = format!("{}/api/users/nobody/alerts?$skip=1", sandbox.origin(Service::Defender));
    let list = json!({"value": [], "@odata.nextLink": own}).to_string();
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(list));
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::status(404).with_body("<html>"));
    let answer = service.post(json!({"user": "nobody"})).await.answer();
    assert!(answer["warnings"].to_string().contains("did not answer"), "{answer}");

    // As a device it is not known, and as an account nobody knows: that is no 404.
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(503));
    let answer = service.post(json!({"value": "nobody"})).await.answer();
    assert_eq!(answer["kind"], "user", "{answer}");
    assert!(warnings(&answer).contains(&"partial"), "{:?}", warnings(&answer));
}

#[tokio::test]
async fn an_application_without_the_older_permissions_is_not_asked_for_more() {
    let sandbox = beyond_the_window().await;
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Ip.Read.All"]);
    let answer = service(&sandbox, "auto", &[]).await.post(json!({"user": USER})).await.answer();
    assert_eq!(warnings(&answer), ["unknown_or_no_alerts", "hunting_window"]);
    assert!(seen(&sandbox, Route::UserAlerts).is_empty());
}

#[tokio::test]
async fn an_older_api_that_has_ended_is_left_alone_for_an_hour() {
    for end in [410, 404, 403] {
        let (log, _guard) = Log::start(true);
        let sandbox = beyond_the_window().await;
        sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(end).with_body("<html>"));
        let service = service(&sandbox, "auto", &[NO_CACHE]).await;
        for user in [USER, "nobody"] {
            let answer = service.post(json!({"user": user})).await.answer();
            assert_eq!(answer["source"]["backend"], "graph", "{answer}");
            assert!(warnings(&answer).contains(&"partial"), "{end}: {:?}", warnings(&answer));
        }
        assert_eq!(seen(&sandbox, Route::UserAlerts).len(), 1, "{end}");
        let text = log.text();
        let warnings = text.lines().filter(|line| line.contains(r#""level":"WARN""#)).count();
        assert_eq!(warnings, 1, "{text}");
        advance(Duration::from_secs(3600)).await;
        service.post(json!({"user": USER})).await;
        assert_eq!(seen(&sandbox, Route::UserAlerts).len(), 2, "{end}");
    }
}

#[tokio::test]
async fn a_bad_moment_of_an_older_api_is_no_end() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[NO_CACHE]).await;
    for fault in [Fault::status(400), Fault::status(403), Fault::status(500), Fault::reset()] {
        sandbox.fail(Route::UserAlerts, Times::Exactly(3), fault.clone());
        let answer = service.post(json!({"user": USER})).await.answer();
        assert_eq!(answer["found"], false, "{fault:?}: {answer}");
        assert!(warnings(&answer).contains(&"partial"), "{fault:?}");
        sandbox.mend();
        sandbox.fail(Route::Hunting, Times::Always, Fault::body(NOTHING));
        let answer = service.post(json!({"user": USER})).await.answer();
        assert_eq!(answer["source"]["backend"], "defender", "{fault:?}");
    }
}

#[tokio::test]
async fn where_no_api_is_left_the_permission_for_graph_is_named() {
    let sandbox = new_sandbox().await;
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(410));
    let service = service(&sandbox, "auto", &[]).await;
    for _ in 0..2 {
        let problem = service.post(json!({"user": USER})).await.problem(502, "upstream_forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("ThreatHunting.Read.All"), "{problem}");
    }
    assert_eq!(seen(&sandbox, Route::UserAlerts).len(), 2, "it is the only one that could answer");
    for (roles, missing) in [
        (&[][..], "permissions SecurityAlert.Read.All and ThreatHunting.Read.All: add them"),
        (&["ThreatHunting.Read.All"], "permission SecurityAlert.Read.All: add it"),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        let service = super::service(&sandbox, "auto", &[]).await;
        let problem = service.post(json!({"user": USER})).await.problem(502, "upstream_forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(missing), "{problem}");
    }
}

#[tokio::test]
async fn a_token_that_is_renewed_with_other_roles_within_a_request_chooses_again() {
    let all = &["SecurityAlert.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"][..];
    for (field, value) in SUBJECTS {
        for roles in [&[][..], &["ThreatHunting.Read.All"]] {
            let sandbox = new_sandbox().await;
            sandbox.set_roles(GRAPH_AUDIENCE, all);
            let service = service(&sandbox, "auto", &[NO_CACHE]).await;
            let answer = service.post(json!({field: value})).await.answer();
            assert_eq!(answer["source"]["backend"], "graph", "{field}: {answer}");
            sandbox.set_roles(GRAPH_AUDIENCE, roles);
            sandbox.revoke_tokens();
            let answer = service.post(json!({field: value})).await.answer();
            assert_eq!(answer["source"]["backend"], "defender", "{field} {roles:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_token_that_tells_no_roles_is_for_the_older_apis_until_they_have_ended() {
    let sandbox = new_sandbox().await;
    let [defender, xdr] = [DEFENDER_AUDIENCE, XDR_AUDIENCE].map(|api| sandbox.mint(api));
    let tokens = json!({"tokens": {"defender": defender, "xdr": xdr, "graph": "opaque"}});
    sandbox.put_secret(DEFENDER_SECRET, &tokens.to_string());
    let service = service(&sandbox, "auto", &[]).await;
    let answer = service.post(json!({"alert_id": ALERT})).await.answer();
    assert_eq!(answer["source"]["backend"], "defender");
    sandbox.fail(Route::Incident, Times::Always, Fault::status(410));
    sandbox.forget();
    // The stand-in takes no such token, and was asked.
    assert_eq!(service.incident(INCIDENT).await.status, 502);
    let on_graph = sandbox.seen().iter().filter(|seen| seen.service == Service::Graph).count();
    assert_eq!((on_graph, seen(&sandbox, Route::Incident).len()), (1, 1), "{:?}", sandbox.seen());
}

#[tokio::test]
async fn a_backend_that_is_chosen_is_the_only_one() {
    let sandbox = beyond_the_window().await;
    let answer = service(&sandbox, "graph", &[]).await.post(json!({"user": USER})).await.answer();
    assert_eq!(answer["found"], false);
    assert!(seen(&sandbox, Route::UserAlerts).is_empty());
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(410));
    sandbox.forget();
    service(&sandbox, "defender", &[]).await.post(json!({"user": USER})).await.problem(502, "upstream_error");
    assert!(seen(&sandbox, Route::Hunting).is_empty());
}
