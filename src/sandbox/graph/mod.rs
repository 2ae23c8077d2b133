//! Microsoft Graph security: alerts and incidents by id, an incident's alerts page by page, batches, advanced hunting.
//! <https://learn.microsoft.com/graph/api/resources/security-api-overview>

mod hunting;
mod kql;
mod shapes;

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::exchange::{Answer, Call, Reply};
use super::journal::Seen;
use super::script::Route;
use super::state::State;
use super::{CLIENT_ID, GRAPH_AUDIENCE, Service};

/// Calls a minute for alerts and incidents; every item of a batch counts.
pub(super) const ALERT_QUOTA: u32 = 150;
/// Calls a minute for advanced hunting.
pub(super) const HUNTING_QUOTA: u32 = 45;
/// Graph names no limit for an hour.
pub(super) const NO_LIMIT: u32 = u32::MAX;
/// Items of one batch.
const MAX_ITEMS: usize = 20;
/// Alerts of an incident on one page, unless a test wants others.
const PAGE: usize = 50;
/// Without it, words that were added later are not told.
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

pub(super) fn answer(state: &mut State, call: &Call) -> Answer {
    let Some((route, key)) = route(&call.method, &call.path, &call.query) else { return Answer::nowhere() };
    let reply = refusal(state, call.bearer(), route).unwrap_or_else(|| match route {
        Route::GraphBatch => batch(state, call),
        Route::Hunting => hunt(state, call),
        _ => record(state, route, &key, call),
    });
    Answer::new(route, key, reply)
}

fn route(method: &Method, path: &str, query: &str) -> Option<(Route, String)> {
    let path = path.strip_prefix(VERSION)?;
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (route, key) = match (method, segments.as_slice()) {
        (&Method::GET, ["security", "alerts_v2", id]) => (Route::GraphAlert, *id),
        (&Method::GET, ["security", "incidents", id]) if query.contains("expand=") => {
            (Route::GraphIncidentExpanded, *id)
        }
        (&Method::GET, ["security", "incidents", id]) => (Route::GraphIncident, *id),
        (&Method::GET, ["security", "incidents", id, "alerts"]) => (Route::GraphIncidentAlerts, *id),
        (&Method::POST, ["security", "runHuntingQuery"]) => (Route::Hunting, ""),
        (&Method::POST, ["$batch"]) => (Route::GraphBatch, ""),
        _ => return None,
    };
    Some((route, key.to_owned()))
}

/// An error of Graph's.
pub(super) fn error(status: StatusCode, code: &str, message: &str, id: &str) -> Reply {
    let inner = json!({"date": "2026-11-18T08:00:00", "request-id": id, "client-request-id": id});
    Reply::json(status, &json!({"error": {"code": code, "message": message, "innerError": inner}}))
}

fn refused(state: &mut State, status: StatusCode, code: &str, message: &str) -> Reply {
    let id = state.random.uuid();
    error(status, code, message, &id)
}

/// What stands between a caller and any record.
fn refusal(state: &mut State, token: Option<&str>, route: Route) -> Option<Reply> {
    const DENIED: StatusCode = StatusCode::UNAUTHORIZED;
    let Some(token) = token.and_then(|token| state.entra.token(token)).cloned() else {
        let message = "Access token has expired or is not yet valid.";
        return Some(refused(state, DENIED, "InvalidAuthenticationToken", message));
    };
    if token.audience != GRAPH_AUDIENCE {
        let message = "Access token validation failure. Invalid audience.";
        return Some(refused(state, DENIED, "InvalidAuthenticationToken", message));
    }
    let wanted = match route {
        Route::Hunting => HUNTING_ROLES,
        Route::GraphIncident | Route::GraphIncidentExpanded | Route::GraphIncidentAlerts => INCIDENT_ROLES,
        // Whoever asks in a batch is asked for each item.
        Route::GraphBatch => return None,
        _ => ALERT_ROLES,
    };
    if !wanted.iter().any(|role| token.roles.iter().any(|held| held == role)) {
        let message = format!(
            "Missing application roles. API required roles: {}, application roles: {}. App: {CLIENT_ID}.",
            wanted.join(","),
            token.roles.join(",")
        );
        return Some(refused(state, StatusCode::FORBIDDEN, "Forbidden", &message));
    }
    let quota = if route == Route::Hunting { &mut state.hunting_quota } else { &mut state.graph_quota };
    let wait = quota.spend(Instant::now()).err()?;
    let reply = refused(state, StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Please retry again later.");
    // Graph tells the wait with a fraction.
    Some(reply.with("retry-after", format!("{:.3}", wait.as_secs_f64())))
}

/// An alert, an incident, or the alerts of one.
fn record(state: &mut State, route: Route, key: &str, call: &Call) -> Reply {
    let company = &state.company;
    let incident = key.parse().ok().and_then(|id: u64| company.incidents.iter().find(|incident| incident.id == id));
    let document = match route {
        Route::GraphIncident => incident.map(|incident| ("incidents", shapes::incident(company, incident))),
        Route::GraphIncidentExpanded => incident.map(|incident| {
            let mut record = shapes::incident(company, incident);
            let mut alerts: Vec<_> =
                company.alerts_of(incident.id).map(|alert| shapes::alert(company, alert)).collect();
            if let Value::Object(members) = &mut record {
                if let Some(size) = state.lists.page.filter(|size| *size < alerts.len()) {
                    alerts.truncate(size);
                    let here = format!("{}{}/alerts?$skip={size}", state.origin(Service::Graph), call.path);
                    let link = state.lists.next_link.clone().unwrap_or(here);
                    members.insert("alerts@odata.nextLink".to_owned(), link.into());
                }
                members.insert("alerts".to_owned(), alerts.into());
            }
            ("incidents(alerts())", record)
        }),
        Route::GraphIncidentAlerts => incident.map(|incident| {
            let alerts: Vec<_> = company.alerts_of(incident.id).map(|alert| shapes::alert(company, alert)).collect();
            ("incidents/alerts", page(state, call, alerts))
        }),
        _ => company
            .alerts
            .iter()
            .find(|alert| alert.id == key)
            .map(|alert| ("alerts_v2", shapes::alert(company, alert))),
    };
    let Some((set, mut document)) = document else { return refused(state, StatusCode::NOT_FOUND, "NotFound", "") };
    if !call.header("prefer").contains(PREFERENCE) {
        shapes::mask(&mut document);
    }
    if let Value::Object(members) = &mut document {
        members
            .insert("@odata.context".to_owned(), format!("{GRAPH_AUDIENCE}{VERSION}/$metadata#security/{set}").into());
    }
    Reply::odata(&document)
}

fn page(state: &State, call: &Call, alerts: Vec<Value>) -> Value {
    let skip: usize = call.options().get("$skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let size = state.lists.page.unwrap_or(PAGE);
    let is_last = skip.saturating_add(size) >= alerts.len();
    let mut page = json!({"value": alerts.into_iter().skip(skip).take(size).collect::<Vec<_>>()});
    if let (false, Value::Object(members)) = (is_last, &mut page) {
        let next = format!("{}{}?$skip={}", state.origin(Service::Graph), call.path, skip.saturating_add(size));
        members.insert("@odata.nextLink".to_owned(), state.lists.next_link.clone().unwrap_or(next).into());
    }
    page
}

/// Up to twenty questions in one, answered in another order than they were asked in.
fn batch(state: &mut State, call: &Call) -> Reply {
    let body: Option<Value> = serde_json::from_slice(&call.body).ok();
    let items =
        body.as_ref().and_then(|body| body.get("requests")).and_then(Value::as_array).cloned().unwrap_or_default();
    let ids: Vec<&str> = items.iter().filter_map(|item| item.get("id").and_then(Value::as_str)).collect();
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    if items.is_empty() || items.len() > MAX_ITEMS || distinct.len() != items.len() {
        return refused(state, StatusCode::BAD_REQUEST, "BadRequest", "Invalid batch payload format.");
    }
    let responses: Vec<_> = items.iter().rev().map(|one| item(state, call, one)).collect();
    Reply::odata(&json!({"responses": responses}))
}

fn item(state: &mut State, call: &Call, item: &Value) -> Value {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let (path, query) = text("url").split_once('?').unwrap_or((text("url"), ""));
    let mut headers = HeaderMap::new();
    for (name, value) in item.get("headers").and_then(Value::as_object).into_iter().flatten() {
        if let (Ok(name), Some(Ok(value))) =
            (HeaderName::from_bytes(name.as_bytes()), value.as_str().map(HeaderValue::from_str))
        {
            headers.insert(name, value);
        }
    }
    let inner = Call {
        service: Service::Graph,
        method: text("method").parse().unwrap_or(Method::GET),
        path: format!("{VERSION}{path}"),
        query: query.to_owned(),
        headers: headers.clone(),
        body: bytes::Bytes::new(),
    };
    let asked = route(&inner.method, &inner.path, query).filter(|(route, _)| *route == Route::GraphAlert);
    let key = asked.as_ref().map_or("", |(_, key)| key.as_str()).to_owned();
    let fault = state.script.next(Some(Route::GraphBatchItem), &key);
    let scripted = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let reply = match (scripted, asked) {
        (Some(status), _) => refused(state, status, "", ""),
        (None, None) => refused(state, StatusCode::BAD_REQUEST, "BadRequest", "This is not asked in a batch."),
        (None, Some((route, key))) => {
            refusal(state, call.bearer(), route).unwrap_or_else(|| record(state, route, &key, &inner))
        }
    };
    let told: serde_json::Map<String, Value> = reply
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
        .chain(fault.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())))
        .collect();
    state.journal.note(Seen {
        service: Service::Graph,
        route: Some(Route::GraphBatchItem),
        method: inner.method.to_string(),
        path: inner.path,
        query: inner.query,
        headers,
        key,
    });
    let body: Value = serde_json::from_slice(fault.body.as_ref().unwrap_or(&reply.body)).unwrap_or_default();
    json!({"id": text("id"), "status": reply.status.as_u16(), "headers": told, "body": body})
}

fn hunt(state: &mut State, call: &Call) -> Reply {
    let body: Option<serde_json::Map<String, Value>> = serde_json::from_slice(&call.body).ok();
    let query = body.and_then(|body| {
        let member = body.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("query"));
        member.and_then(|(_, query)| query.as_str().map(str::to_owned))
    });
    let Some(query) = query else { return refused(state, StatusCode::BAD_REQUEST, "BadRequest", "Query is missing.") };
    match kql::Query::parse(&query) {
        Ok(query) => Reply::odata(&hunting::answer(&state.company, &query)),
        Err(problem) => {
            let message = format!("{problem}. Fix semantic errors in your query.");
            refused(state, StatusCode::BAD_REQUEST, "BadRequest", &message)
        }
    }
}
