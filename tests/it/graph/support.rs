//! A service beside a sandbox, asked through its router.

use std::sync::Arc;

use axum::body::Body;
use defender_enrich::app::Service;
use defender_enrich::config::Settings;
use defender_sandbox::{DEMO_KEY, Route, Sandbox, Seen};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::hasten;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    /// The codes of its warnings.
    pub(super) fn warnings(&self) -> Vec<&str> {
        let list = self.body["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|warning| warning["code"].as_str()).collect()
    }

    /// The ids of the alerts that it lists.
    pub(super) fn alert_ids(&self) -> Vec<&str> {
        let list = self.body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|alert| alert["id"].as_str()).collect()
    }
}

/// A service with this backend, and whatever else is set.
pub(super) fn service(sandbox: &Sandbox, backend: &str, more: &[(&str, &str)]) -> Arc<Service> {
    let environment = sandbox.settings();
    let settings = Settings::from_lookup(|name| {
        let set = more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let given = environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        set.or_else(|| (name == "DEFENDER_BACKEND").then(|| backend.to_owned())).or(given)
    });
    Service::from_environment(&settings.expect("settings")).expect("a service")
}

/// Asks one question.
pub(super) async fn ask(service: &Arc<Service>, question: Value) -> Answer {
    let request = Request::post("/v1/enrich")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-api-key", DEMO_KEY)
        .body(Body::from(question.to_string()))
        .expect("a request");
    let response = service.router().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let body = serde_json::from_slice(&bytes).expect("JSON");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Asks one question of a fresh sandbox and service, with Graph.
pub(super) async fn ask_graph(sandbox: &Sandbox, field: &str, value: &str) -> Answer {
    hasten(ask(&service(sandbox, "graph", &[]), json!({field: value, "limit": 500}))).await.0
}

/// What was asked of a route.
pub(super) fn asked(sandbox: &Sandbox, route: Route) -> Vec<Seen> {
    sandbox.seen().into_iter().filter(|seen| seen.route == Some(route)).collect()
}

/// Adds so many copies of the showcase's alert to the company, with ids of their own.
pub(super) fn many_alerts(sandbox: &Sandbox, count: usize) {
    sandbox.company(|company| {
        let pattern = company.alerts[0].clone();
        for at in 0..count {
            let id = format!("da6393050482123{at:05}_{at}");
            company.alerts.push(defender_sandbox::company::model::Alert { id, ..pattern.clone() });
        }
    });
}
