//! `auto`: by the roles in the token, Graph first.

use defender_enrich::sandbox::company::showcase;
use defender_enrich::sandbox::{DEFENDER_SECRET, Fault, GRAPH_AUDIENCE, Route, Sandbox, Times};
use serde_json::json;

use super::support::{ask, asked, service};
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
    let [defender, xdr] = [defender_enrich::sandbox::DEFENDER_AUDIENCE, defender_enrich::sandbox::XDR_AUDIENCE]
        .map(|api| sandbox.mint(api));
    sandbox.put_secret(DEFENDER_SECRET, &json!({"tokens": {"defender": defender, "xdr": xdr}}).to_string());
    assert_eq!(backends(&sandbox).await, ["defender"; 5]);
    let graph = sandbox.mint(GRAPH_AUDIENCE);
    sandbox.put_secret(DEFENDER_SECRET, &json!({"tokens": {"graph": graph}}).to_string());
    assert_eq!(backends(&sandbox).await, ["graph"; 5]);
}

#[tokio::test]
async fn the_choice_is_made_and_logged_once() {
    let (log, _guard) = Log::start(true);
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let service = service(&sandbox, "auto", &[("CACHE_TTL_S", "0")]);
    let question = json!({"alert_id": showcase::ALERT});
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    assert_eq!(ask(&service, question.clone()).await.body["source"]["backend"], "graph");
    // The next token carries no role, and the choice stands: nobody asks the older APIs.
    sandbox.set_roles(GRAPH_AUDIENCE, &[]);
    sandbox.fail(Route::GraphAlert, Times::Once, Fault::status(401));
    let refused = ask(&service, question).await;
    assert_eq!((refused.status, &refused.body["code"]), (502, &json!("upstream_forbidden")), "{}", refused.body);
    assert!(asked(&sandbox, Route::Alert).is_empty());
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains(r#""backend":"auto""#)).collect();
    assert_eq!(told.len(), 1, "{text}");
    assert!(told[0].contains("Graph answers alert, the older APIs machine, user, file, incident"), "{told:?}");
}
