//! Microsoft Graph as the backend.

mod choice;
mod comparison;
mod errors;
mod lists;
mod naming;

use serde_json::json;

use crate::client::Response;
use crate::harness::{Sandbox, World, company::model::Alert, fast_forward};

/// A new service with this backend.
async fn service(sandbox: &Sandbox, backend: &str, changes: &[(&str, &str)]) -> World {
    World::around(sandbox.clone(), &[&[("DEFENDER_BACKEND", backend)], changes].concat()).await
}

/// Asks a new service with Graph about a subject.
async fn ask_graph(sandbox: &Sandbox, field: &str, value: &str) -> Response {
    let service = service(sandbox, "graph", &[]).await;
    fast_forward(service.post(json!({field: value, "limit": 500}))).await.0
}

/// Adds so many copies of the showcase's alert to the company, with ids of their own.
fn many_alerts(sandbox: &Sandbox, count: usize) {
    sandbox.company(|company| {
        let pattern = company.alerts[0].clone();
        company.alerts.extend(
            (0..count).map(|number| Alert { id: format!("da6393050482123{number:05}_{number}"), ..pattern.clone() }),
        );
    });
}
