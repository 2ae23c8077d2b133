//! Microsoft Graph security: alerts and incidents by id, an incident's alerts page by page, batches, advanced hunting.
//! <https://learn.microsoft.com/graph/api/resources/security-api-overview>

mod hunting;
mod kql;
mod shapes;

use std::collections::{HashMap, HashSet};

use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::company::model::Incident;
use super::exchange::{Answer, Call, Reply};
use super::journal::{self, Seen};
use super::mde::with;
use super::refusal::Refusal;
use super::script::Route;
use super::state::State;
use super::{CLIENT_ID, GRAPH_AUDIENCE, Service};

/// Calls a minute for alerts and incidents; every item of a batch counts.
pub(crate) const ALERT_QUOTA: u32 = 150;
/// Calls a minute for advanced hunting.
pub(crate) const HUNTING_QUOTA: u32 = 45;
/// Graph names no limit for an hour.
pub(crate) const NO_LIMIT: u32 = u32::MAX;
/// The largest number of items in a batch.
const MAX_ITEMS: usize = 20;
/// Alerts of an incident on one page, unless a test sets it.
const PAGE: usize = 50;
/// Without this preference, Graph replaces words that were added later.
const PREFERENCE: &str = "include-unknown-enum-members";
const VERSION: &str = "/v1.0";

const ALERT_ROLES: &[&str] = &[
    "SecurityAlert.Read.All",
    "SecurityAlert.ReadWrite.All",
    "SecurityIncident.Read.All",
    "SecurityIncident.ReadWrite.All",
];
const INCIDENT_ROLES: &[&str] = &["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"];
const HUNTING_ROLES: &[&str] = &["ThreatHunting.Read.All"];

/// A route, and what answers it.
struct Endpoint<'a> {
    route: Route,
    id: &'a str,
    /// Any one of them opens the route. A batch needs none for itself: its items do.
    roles: &'static [&'static str],
    handler: fn(&mut State, &Call, &str) -> Result<Reply, Refusal>,
}

pub(crate) fn answer(state: &mut State, call: &Call) -> Answer {
    let Some(endpoint) = endpoint(call) else { return Answer::not_found() };
    let result = check_token(state, call)
        .and_then(|()| check_access(state, call, &endpoint))
        .and_then(|()| (endpoint.handler)(state, call, endpoint.id));
    Answer::new(endpoint.route, endpoint.id, result)
}

fn endpoint(call: &Call) -> Option<Endpoint<'_>> {
    let path = call.path.strip_prefix(VERSION)?;
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let new = |route, id, roles, handler| Some(Endpoint { route, id, roles, handler });
    match (&call.method, segments.as_slice()) {
        (&Method::GET, ["security", "alerts_v2", id]) => new(Route::GraphAlert, id, ALERT_ROLES, alert),
        (&Method::GET, ["security", "incidents", id]) if call.query.contains("expand=") => {
            new(Route::GraphIncidentExpanded, id, INCIDENT_ROLES, expanded_incident)
        }
        (&Method::GET, ["security", "incidents", id]) => new(Route::GraphIncident, id, INCIDENT_ROLES, incident),
        (&Method::GET, ["security", "incidents", id, "alerts"]) => {
            new(Route::GraphIncidentAlerts, id, INCIDENT_ROLES, incident_alerts)
        }
        (&Method::POST, ["security", "runHuntingQuery"]) => new(Route::Hunting, "", HUNTING_ROLES, hunt),
        (&Method::POST, ["$batch"]) => new(Route::GraphBatch, "", &[], batch),
        _ => None,
    }
}

fn check_token(state: &State, call: &Call) -> Result<(), Refusal> {
    let message = match call.bearer().and_then(|token| state.entra.token(token)) {
        Some(token) if token.audience == GRAPH_AUDIENCE => return Ok(()),
        Some(_) => "Access token validation failure. Invalid audience.",
        None => "Access token has expired or is not yet valid.",
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message))
}

fn check_access(state: &mut State, call: &Call, endpoint: &Endpoint<'_>) -> Result<(), Refusal> {
    if endpoint.roles.is_empty() {
        return Ok(());
    }
    let token = call.bearer().and_then(|token| state.entra.token(token));
    if let Some(message) = token.and_then(|token| token.missing_roles(endpoint.roles)) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", format!("{message} App: {CLIENT_ID}.")));
    }
    let is_hunting = endpoint.route == Route::Hunting;
    let quota = if is_hunting { &mut state.hunting_quota } else { &mut state.graph_quota };
    // Graph writes the wait with a fraction.
    quota
        .spend(Instant::now())
        .map_err(|wait| Refusal::too_many_requests("Please retry again later.", format!("{:.3}", wait.as_secs_f64())))
}

fn alert(state: &mut State, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let alert = state.company.alerts.iter().find(|alert| alert.id == id).ok_or_else(not_found)?;
    Ok(reply(call, "alerts_v2", shapes::alert(&state.company, alert)))
}

fn incident(state: &mut State, call: &Call, id: &str) -> Result<Reply, Refusal> {
    Ok(reply(call, "incidents", shapes::incident(&state.company, incident_of(state, id)?)))
}

fn expanded_incident(state: &mut State, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let incident = incident_of(state, id)?;
    let (mut record, mut alerts) = (shapes::incident(&state.company, incident), alerts_of(state, incident));
    if let Some(size) = state.lists.page.filter(|size| *size < alerts.len()) {
        alerts.truncate(size);
        let link = state.next_link(Service::Graph, &format!("{}/alerts?$skip={size}", call.path));
        record = with(record, json!({"alerts@odata.nextLink": link}));
    }
    Ok(reply(call, "incidents(alerts())", with(record, json!({"alerts": alerts}))))
}

fn incident_alerts(state: &mut State, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let alerts = alerts_of(state, incident_of(state, id)?);
    Ok(reply(call, "incidents/alerts", page(state, call, alerts)))
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NotFound", "")
}

fn incident_of<'a>(state: &'a State, id: &str) -> Result<&'a Incident, Refusal> {
    id.parse().ok().and_then(|id| state.company.incident(id)).ok_or_else(not_found)
}

fn alerts_of(state: &State, incident: &Incident) -> Vec<Value> {
    state.company.alerts_of(incident.id).map(|alert| shapes::alert(&state.company, alert)).collect()
}

fn reply(call: &Call, set: &str, mut document: Value) -> Reply {
    if !call.header("prefer").contains(PREFERENCE) {
        shapes::mask(&mut document);
    }
    let context = format!("{GRAPH_AUDIENCE}{VERSION}/$metadata#security/{set}");
    Reply::odata(&with(document, json!({"@odata.context": context})))
}

fn page(state: &State, call: &Call, alerts: Vec<Value>) -> Value {
    let skip: usize = call.options().get("$skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let next = skip.saturating_add(state.lists.page.unwrap_or(PAGE));
    let is_last = next >= alerts.len();
    let page = json!({"value": alerts.into_iter().skip(skip).take(next - skip).collect::<Value>()});
    if is_last {
        return page;
    }
    let link = state.next_link(Service::Graph, &format!("{}?$skip={next}", call.path));
    with(page, json!({"@odata.nextLink": link}))
}

/// <https://learn.microsoft.com/graph/json-batching>
#[derive(Deserialize)]
struct Batch {
    requests: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
}

/// Answers up to twenty requests in one, in another order than they came in.
fn batch(state: &mut State, call: &Call, _: &str) -> Result<Reply, Refusal> {
    let items = serde_json::from_slice::<Batch>(&call.body).map(|batch| batch.requests).unwrap_or_default();
    let ids: HashSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    if items.is_empty() || items.len() > MAX_ITEMS || ids.len() != items.len() {
        return Err(Refusal::bad_request("BadRequest", "Invalid batch payload format."));
    }
    let responses: Vec<_> = items.iter().rev().map(|item| response(state, call, item)).collect();
    Ok(Reply::odata(&json!({"responses": responses})))
}

fn response(state: &mut State, batch: &Call, item: &Item) -> Value {
    let (path, query) = item.url.split_once('?').unwrap_or((&item.url, ""));
    let call = Call {
        service: Service::Graph,
        method: item.method.parse().unwrap_or_default(),
        path: format!("{VERSION}{path}"),
        query: query.to_owned(),
        headers: HeaderMap::try_from(&item.headers).unwrap_or_default(),
        body: bytes::Bytes::new(),
    };
    let endpoint = endpoint(&call).filter(|endpoint| endpoint.route == Route::GraphAlert);
    let key = endpoint.as_ref().map_or("", |endpoint| endpoint.id).to_owned();
    let fault = state.script.next(Some(Route::GraphBatchItem), &key);
    let scripted = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let result = match (scripted, endpoint) {
        (Some(status), _) => Err(Refusal::new(status, "", "")),
        (None, None) => Err(Refusal::bad_request("BadRequest", "This is not asked in a batch.")),
        (None, Some(endpoint)) => check_access(state, batch, &endpoint).and_then(|()| alert(state, &call, endpoint.id)),
    };
    let reply = result.unwrap_or_else(|refusal| refusal.reply(Service::Graph));
    let own = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    let scripted = fault.headers.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    let headers: Map<String, Value> = own.chain(scripted).collect();
    let body: Value = serde_json::from_slice(fault.body.as_ref().unwrap_or(&reply.body)).unwrap_or_default();
    let seen = Seen {
        service: Service::Graph,
        route: Some(Route::GraphBatchItem),
        key,
        method: call.method.to_string(),
        path: call.path,
        query: call.query,
        headers: call.headers,
    };
    journal::record(&mut state.requests, seen);
    json!({"id": item.id, "status": reply.status.as_u16(), "headers": headers, "body": body})
}

fn hunt(state: &mut State, call: &Call, _: &str) -> Result<Reply, Refusal> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(&call.body).ok();
    let query = body.and_then(|body| body.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("query")));
    let query = query.as_ref().and_then(|(_, query)| query.as_str());
    let query = query.ok_or_else(|| Refusal::bad_request("BadRequest", "Query is missing."))?;
    let query = kql::Query::parse(query).map_err(|problem| {
        Refusal::bad_request("BadRequest", format!("{problem}. Fix semantic errors in your query."))
    })?;
    Ok(Reply::odata(&hunting::answer(&state.company, &query)))
}
