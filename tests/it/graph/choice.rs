//! `auto`: by the roles in the token, Graph first, and one API for another that has ended or sees less.

use std::time::Duration;

use defender_sandbox::company::showcase;
use defender_sandbox::{
    DEFENDER_AUDIENCE, DEFENDER_SECRET, Fault, GRAPH_AUDIENCE, Route, Sandbox, Service, Times, XDR_AUDIENCE,
};
use serde_json::json;

use super::support::{ask, asked, service};
use crate::harness::pass;
use crate::log::Log;

const SUBJECTS: [(&str, &str); 5] = [
    ("alert_id", showcase::ALERT),
    ("machine", showcase::MACHINE),
    ("user", showcase::USER),
    ("file_hash", showcase::FILE),
    ("incident_id", showcase::INCIDENT),
];

async fn backends(sandbox: &Sandbox) -> Vec<String> {
    let service = service(sandbox, "auto", &[]);
    let mut backends = Vec::new();
    for (field, value) in SUBJECTS {
        let answer = ask(&service, json!({field: value})).await;
        assert_eq!(answer.status, 200, "{field}: {}", answer.body);
        backends.push(answer.body["source"]["backend"].as_str().expect("a backend").to_owned());
    }
    backends
}

#[tokio::test]
async fn graph_answers_what_its_roles_allow_and_the_older_apis_the_rest() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
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
    let sandbox = Sandbox::start().await.expect("a sandbox");
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
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0"), ("SECRET_TTL_S", "1")]);
    let backend = async |field: &str, value: &str| {
        let answer = ask(&service, json!({field: value})).await;
        answer.body["source"]["backend"].as_str().unwrap_or_default().to_owned()
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
        pass(Duration::from_secs(2)).await;
        let asked = [backend("alert_id", showcase::ALERT).await, backend("user", showcase::USER).await];
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
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.fail(Route::Hunting, Times::Always, Fault::body(NOTHING));
    sandbox
}

#[tokio::test]
async fn what_hunting_does_not_see_is_asked_of_the_older_api_once() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[]);
    for (field, value, route) in [
        ("machine", showcase::MACHINE, Route::MachineAlerts),
        ("user", showcase::USER, Route::UserAlerts),
        ("file_hash", showcase::FILE, Route::FileAlerts),
    ] {
        let answer = ask(&service, json!({field: value})).await;
        assert_eq!((answer.status, &answer.body["found"]), (200, &json!(true)), "{field}: {}", answer.body);
        assert_eq!(answer.body["source"]["backend"], "defender");
        assert!(answer.warnings().contains(&"beyond_hunting_window"), "{:?}", answer.warnings());
        assert_eq!(asked(&sandbox, route).len(), 1, "{field}");
    }
}

#[tokio::test]
async fn what_neither_sees_is_an_empty_answer_and_an_unknown_machine_is_not_found() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[]);
    let nobody = ask(&service, json!({"user": "nobody"})).await;
    assert_eq!(
        (nobody.status, &nobody.body["found"], &nobody.body["source"]["backend"]),
        (200, &json!(false), &json!("graph"))
    );
    assert_eq!(nobody.warnings(), ["unknown_or_no_alerts", "hunting_window"]);
    for machine in ["no-such-host", "0000000000000000000000000000000000000000"] {
        let unknown = ask(&service, json!({"machine": machine})).await;
        assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("not_found")), "{}", unknown.body);
    }
}

#[tokio::test]
async fn what_an_older_api_may_have_missed_is_told() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0")]);
    let cut = json!({"value": [], "@odata.nextLink": "https://evil.example/api/users/nobody/alerts"}).to_string();
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(cut));
    let answer = ask(&service, json!({"user": "nobody"})).await;
    assert_eq!((answer.status, &answer.body["source"]["backend"]), (200, &json!("graph")), "{}", answer.body);
    assert!(answer.warnings().contains(&"partial"), "{:?}", answer.warnings());

    // A page that is not there is no API that has ended.
    let own = format!("{}/api/users/nobody/alerts?$skip=1", sandbox.origin(Service::Defender));
    let list = json!({"value": [], "@odata.nextLink": own}).to_string();
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::body(list));
    sandbox.fail(Route::UserAlerts, Times::Once, Fault::status(404).with_body("<html>"));
    let answer = ask(&service, json!({"user": "nobody"})).await;
    assert!(answer.body["warnings"].to_string().contains("did not answer"), "{}", answer.body);

    // As a device it is not known, and as an account nobody knows: that is no 404.
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(503));
    let answer = ask(&service, json!({"value": "nobody"})).await;
    assert_eq!((answer.status, &answer.body["kind"]), (200, &json!("user")), "{}", answer.body);
    assert!(answer.warnings().contains(&"partial"), "{:?}", answer.warnings());
}

#[tokio::test]
async fn an_application_without_the_older_permissions_is_not_asked_for_more() {
    let sandbox = beyond_the_window().await;
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Ip.Read.All"]);
    let answer = ask(&service(&sandbox, "auto", &[]), json!({"user": showcase::USER})).await;
    assert_eq!(answer.warnings(), ["unknown_or_no_alerts", "hunting_window"]);
    assert!(asked(&sandbox, Route::UserAlerts).is_empty());
}

#[tokio::test]
async fn an_older_api_that_has_ended_is_left_alone_for_an_hour() {
    for end in [410, 404, 403] {
        let (log, _guard) = Log::start(true);
        let sandbox = beyond_the_window().await;
        sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(end).with_body("<html>"));
        let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0")]);
        for user in [showcase::USER, "nobody"] {
            let answer = ask(&service, json!({"user": user})).await;
            assert_eq!((answer.status, &answer.body["source"]["backend"]), (200, &json!("graph")), "{}", answer.body);
            assert!(answer.warnings().contains(&"partial"), "{end}: {:?}", answer.warnings());
        }
        assert_eq!(asked(&sandbox, Route::UserAlerts).len(), 1, "{end}");
        let text = log.text();
        let warnings = text.lines().filter(|line| line.contains(r#""level":"WARN""#)).count();
        assert_eq!(warnings, 1, "{text}");
        pass(Duration::from_secs(3600)).await;
        ask(&service, json!({"user": showcase::USER})).await;
        assert_eq!(asked(&sandbox, Route::UserAlerts).len(), 2, "{end}");
    }
}

#[tokio::test]
async fn a_bad_moment_of_an_older_api_is_no_end() {
    let sandbox = beyond_the_window().await;
    let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0")]);
    for fault in [Fault::status(400), Fault::status(403), Fault::status(500), Fault::reset()] {
        sandbox.fail(Route::UserAlerts, Times::Exactly(3), fault.clone());
        let answer = ask(&service, json!({"user": showcase::USER})).await;
        assert_eq!((answer.status, &answer.body["found"]), (200, &json!(false)), "{fault:?}: {}", answer.body);
        assert!(answer.warnings().contains(&"partial"), "{fault:?}");
        sandbox.mend();
        sandbox.fail(Route::Hunting, Times::Always, Fault::body(NOTHING));
        let answer = ask(&service, json!({"user": showcase::USER})).await;
        assert_eq!(answer.body["source"]["backend"], "defender", "{fault:?}");
    }
}

#[tokio::test]
async fn where_no_api_is_left_the_permission_for_graph_is_named() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(410));
    let service = service(&sandbox, "auto", &[]);
    for _ in 0..2 {
        let answer = ask(&service, json!({"user": showcase::USER})).await;
        assert_eq!((answer.status, &answer.body["code"]), (502, &json!("upstream_forbidden")), "{}", answer.body);
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains("ThreatHunting.Read.All")));
    }
    assert_eq!(asked(&sandbox, Route::UserAlerts).len(), 2, "it is the only one that could answer");
    for (roles, missing) in [
        (&[][..], "permissions SecurityAlert.Read.All and ThreatHunting.Read.All: add them"),
        (&["ThreatHunting.Read.All"], "permission SecurityAlert.Read.All: add it"),
    ] {
        sandbox.set_roles(GRAPH_AUDIENCE, roles);
        let service = super::support::service(&sandbox, "auto", &[]);
        let answer = ask(&service, json!({"user": showcase::USER})).await;
        let detail = answer.body["detail"].as_str().expect("a detail");
        assert!(answer.status == 502 && detail.contains(missing), "{detail}");
    }
}

#[tokio::test]
async fn a_token_that_is_renewed_with_other_roles_within_a_request_chooses_again() {
    let all = &["SecurityAlert.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"][..];
    for (field, value) in SUBJECTS {
        for roles in [&[][..], &["ThreatHunting.Read.All"]] {
            let sandbox = Sandbox::start().await.expect("a sandbox");
            sandbox.set_roles(GRAPH_AUDIENCE, all);
            let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0")]);
            let answer = ask(&service, json!({field: value})).await;
            assert_eq!(answer.body["source"]["backend"], "graph", "{field}: {}", answer.body);
            sandbox.set_roles(GRAPH_AUDIENCE, roles);
            sandbox.revoke_tokens();
            let answer = ask(&service, json!({field: value})).await;
            assert_eq!(
                (answer.status, answer.body["source"]["backend"].as_str()),
                (200, Some("defender")),
                "{field} {roles:?}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_tells_no_roles_is_for_the_older_apis_until_they_have_ended() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let [defender, xdr] = [DEFENDER_AUDIENCE, XDR_AUDIENCE].map(|api| sandbox.mint(api));
    let tokens = json!({"tokens": {"defender": defender, "xdr": xdr, "graph": "opaque"}});
    sandbox.put_secret(DEFENDER_SECRET, &tokens.to_string());
    let service = service(&sandbox, "auto", &[]);
    let answer = ask(&service, json!({"alert_id": showcase::ALERT})).await;
    assert_eq!(answer.body["source"]["backend"], "defender");
    sandbox.fail(Route::Incident, Times::Always, Fault::status(410));
    sandbox.forget();
    let answer = ask(&service, json!({"incident_id": showcase::INCIDENT})).await;
    // The stand-in takes no such token, and was asked.
    assert_eq!(answer.status, 502, "{}", answer.body);
    let on_graph = sandbox.seen().iter().filter(|seen| seen.service == Service::Graph).count();
    assert_eq!((on_graph, asked(&sandbox, Route::Incident).len()), (1, 1), "{:?}", sandbox.seen());
}

#[tokio::test]
async fn a_backend_that_is_chosen_is_the_only_one() {
    let sandbox = beyond_the_window().await;
    let answer = ask(&service(&sandbox, "graph", &[]), json!({"user": showcase::USER})).await;
    assert_eq!((answer.status, &answer.body["found"]), (200, &json!(false)));
    assert!(asked(&sandbox, Route::UserAlerts).is_empty());
    sandbox.fail(Route::UserAlerts, Times::Always, Fault::status(410));
    sandbox.forget();
    let answer = ask(&service(&sandbox, "defender", &[]), json!({"user": showcase::USER})).await;
    assert_eq!((answer.status, &answer.body["code"]), (502, &json!("upstream_error")));
    assert!(asked(&sandbox, Route::Hunting).is_empty());
}
