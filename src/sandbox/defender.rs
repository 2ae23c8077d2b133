//! The Defender APIs: Endpoint (alerts, machines, users, files) and XDR (incidents).
//!
//! An answer depends, in this order, on the route, the token, its audience, its roles, the quota and the company.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::exchange::{Answer, Call, Reply};
use super::records::{is_about, shows, tells_of_address, tells_of_host, text};
use super::script::Route;
use super::state::State;
use super::{Service, mde};

/// How lists are told.
#[derive(Default)]
pub(super) struct Lists {
    /// With their evidence; the API leaves it out.
    pub(super) evidence: bool,
    /// At most so many at a time.
    pub(super) page: Option<usize>,
    /// Where the link to the next page points, if not there.
    pub(super) next_link: Option<String>,
}

/// Devices on a page, where nothing else is said: few, so that a name of the company's has more records than one page.
const MACHINES_ON_A_PAGE: usize = 2;

/// Why there is no record.
enum Refusal {
    BadRequest(&'static str, String),
    NotFound(String),
}

type Found = Result<Value, Refusal>;

pub(super) fn answer(state: &mut State, call: &Call) -> Answer {
    let Some((route, key)) = route(call) else { return Answer::nowhere() };
    let tracking_id = state.random.uuid();
    let reply = refusal(state, call, route, &tracking_id).unwrap_or_else(|| match record(state, call, route, &key) {
        Ok(document) => Reply::odata(&document),
        Err(Refusal::BadRequest(code, message)) => {
            Reply::envelope(StatusCode::BAD_REQUEST, code, &message, &tracking_id)
        }
        Err(Refusal::NotFound(message)) => {
            Reply::envelope(StatusCode::NOT_FOUND, "ResourceNotFound", &message, &tracking_id)
        }
    });
    Answer::new(route, key, reply)
}

/// The route and the decoded id. Versioned paths are the same routes.
fn route(call: &Call) -> Option<(Route, String)> {
    if call.method != Method::GET {
        return None;
    }
    let path = call.path.strip_prefix("/api/")?;
    let segments: Vec<&str> = path.strip_prefix("v1.0/").unwrap_or(path).split('/').collect();
    let (route, segment) = match (call.service, segments.as_slice()) {
        (Service::Defender, ["machines"]) => (Route::Machines, ""),
        (_, [_, "", ..]) => return None,
        (Service::Defender, ["alerts", id]) => (Route::Alert, *id),
        (Service::Defender, ["machines", id]) => (Route::Machine, *id),
        (Service::Defender, ["machines", id, "alerts"]) => (Route::MachineAlerts, *id),
        (Service::Defender, ["users", name, "alerts"]) => (Route::UserAlerts, *name),
        (Service::Defender, ["files", hash]) => (Route::File, *hash),
        (Service::Defender, ["files", hash, "alerts"]) => (Route::FileAlerts, *hash),
        (Service::Defender, ["ips", address, "alerts"]) => (Route::IpAlerts, *address),
        (Service::Defender, ["domains", name, "alerts"]) => (Route::DomainAlerts, *name),
        (Service::Xdr, ["incidents", id]) => (Route::Incident, *id),
        (Service::Xdr, ["incidents", id, "alerts"]) => (Route::IncidentAlerts, *id),
        _ => return None,
    };
    Some((route, decoded(segment)))
}

/// A path segment without its percent-encoding. In a path, a plus sign is a plus sign.
fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// What stands between a caller and any record.
fn refusal(state: &mut State, call: &Call, route: Route, tracking_id: &str) -> Option<Reply> {
    let refuse = |status, code, message: &str| Some(Reply::envelope(status, code, message, tracking_id));
    let Some(token) = call.bearer().and_then(|token| state.entra.token(token)) else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "Unauthorized request - reason of failure: Invalid or expired token.",
        );
    };
    if Some(token.audience.as_str()) != call.service.audience() {
        // the two APIs differ in how they take it
        return match call.service {
            Service::Xdr => {
                let message =
                    format!("Invalid Authorization payload. AppId: {}, Audience: {}", super::CLIENT_ID, token.audience);
                refuse(StatusCode::UNAUTHORIZED, "Unauthorized", &message)
            }
            _ => refuse(StatusCode::FORBIDDEN, "Forbidden", "The audience of the token is not accepted."),
        };
    }
    let wanted = roles(route);
    if !wanted.iter().any(|role| token.roles.iter().any(|held| held == role)) {
        let message = format!(
            "Missing application roles. API required roles: {}, application roles: {}.",
            wanted.join(","),
            token.roles.join(",")
        );
        return refuse(StatusCode::FORBIDDEN, "Forbidden", &message);
    }
    let quota = if call.service == Service::Xdr { &mut state.incident_quota } else { &mut state.quota };
    let wait = quota.spend(Instant::now()).err()?;
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let message = format!("API calls quota exceeded. The quota will be reset in {seconds} seconds.");
    refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", &message)
        .map(|reply| reply.with("retry-after", seconds.to_string()))
}

/// Any one of these opens a route.
const fn roles(route: Route) -> [&'static str; 2] {
    match route {
        Route::Machine | Route::Machines => ["Machine.Read.All", "Machine.ReadWrite.All"],
        Route::File => ["File.Read.All", "File.ReadWrite.All"],
        Route::Incident | Route::IncidentAlerts => ["Incident.Read.All", "Incident.ReadWrite.All"],
        Route::Alert
        | Route::MachineAlerts
        | Route::UserAlerts
        | Route::FileAlerts
        | Route::IpAlerts
        | Route::DomainAlerts
        | Route::Secret
        | Route::WebIdentity
        | Route::Token
        | Route::GraphAlert
        | Route::GraphIncident
        | Route::GraphIncidentExpanded
        | Route::GraphIncidentAlerts
        | Route::GraphBatch
        | Route::GraphBatchItem
        | Route::Hunting => ["Alert.Read.All", "Alert.ReadWrite.All"],
    }
}

fn record(state: &State, call: &Call, route: Route, key: &str) -> Found {
    let company = &state.company;
    let missing = |what: &str| Refusal::NotFound(format!("{what} {key} was not found"));
    match route {
        Route::Alert => company
            .alert_record(key)
            .map(|record| mde::entity("Alerts", record))
            .ok_or_else(|| Refusal::NotFound(format!("Alert {key} not found"))),
        Route::Machine => {
            company.machine_record(key).map(|record| mde::entity("Machines", record)).ok_or_else(|| missing("Machine"))
        }
        Route::Machines => machines(state, call),
        Route::MachineAlerts => {
            company.machine_record(key).filter(|_| is_hash(key, &[40])).ok_or_else(|| missing("Machine"))?;
            alerts(
                state,
                call,
                company.alert_records(
                    |alert| alert.is_on(key),
                    |record| text(record, "machineId").eq_ignore_ascii_case(key),
                ),
            )
        }
        Route::UserAlerts => {
            alerts(state, call, company.alert_records(|alert| alert.is_about(key), |record| is_about(record, key)))
        }
        Route::FileAlerts if is_hash(key, &[40]) => {
            alerts(state, call, company.alert_records(|alert| alert.shows(key), |record| shows(record, key)))
        }
        Route::File if is_hash(key, &[40, 64]) => {
            company.file_record(key).map(|record| mde::entity("Files", record)).ok_or_else(|| missing("File"))
        }
        Route::File | Route::FileAlerts => {
            Err(Refusal::BadRequest("InvalidHashValue", format!("The hash value {key} is not valid.")))
        }
        Route::IpAlerts => match key.parse::<IpAddr>() {
            Ok(_) => alerts(
                state,
                call,
                company.alert_records(|alert| alert.tells_of_address(key), |record| tells_of_address(record, key)),
            ),
            Err(_) => Err(Refusal::BadRequest("InvalidIpAddress", format!("The address {key} is not valid."))),
        },
        Route::DomainAlerts => alerts(
            state,
            call,
            company.alert_records(|alert| alert.tells_of_host(key), |record| tells_of_host(record, key)),
        ),
        Route::Incident | Route::IncidentAlerts => match key.parse() {
            Ok(id) => {
                let record = company.incident_record(id).ok_or_else(|| missing("Incident"))?;
                if route == Route::Incident {
                    return Ok(mde::entity("Incidents", first_page(state, call, record)));
                }
                let skip = call.options().remove("$skip");
                let alerts = record.get("alerts").and_then(Value::as_array).cloned().unwrap_or_default();
                page(state, call, "Alerts", alerts, skip, None)
            }
            Err(_) => Err(Refusal::BadRequest("BadRequest", format!("The incident id {key} is not a number."))),
        },
        Route::Secret
        | Route::WebIdentity
        | Route::Token
        | Route::GraphAlert
        | Route::GraphIncident
        | Route::GraphIncidentExpanded
        | Route::GraphIncidentAlerts
        | Route::GraphBatch
        | Route::GraphBatchItem
        | Route::Hunting => Err(missing("Route")),
    }
}

fn is_hash(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A list of alerts takes no query option, except those of its own link to the next page.
fn alerts(state: &State, call: &Call, mut records: Vec<Value>) -> Found {
    if !state.lists.evidence {
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            record.insert("evidence".to_owned(), Value::Array(Vec::new()));
        }
    }
    let mut options = call.options();
    let skip = if state.lists.page.is_some() { options.remove("$skip") } else { None };
    match options.keys().next() {
        Some(option) => {
            Err(Refusal::BadRequest("BadRequest", format!("The query option {option} is not supported here.")))
        }
        None => page(state, call, "Alerts", records, skip, None),
    }
}

fn machines(state: &State, call: &Call) -> Found {
    let mut options: BTreeMap<String, String> = call.options();
    let [filter, skip, top] = ["$filter", "$skip", "$top"].map(|name| options.remove(name));
    if let Some(option) = options.keys().next() {
        return Err(Refusal::BadRequest("ODataError", format!("The query option {option} is not supported here.")));
    }
    let records = match filter.as_deref().map(Filter::parse) {
        None => state.company.machine_records(|_| true),
        Some(Some(filter)) => state.company.machine_records(|name| filter.fits(name)),
        Some(None) => return Err(Refusal::BadRequest("ODataError", "Invalid filter clause.".to_owned())),
    };
    page(state, call, "Machines", records, skip, top)
}

/// An incident with no more alerts than fit on a page, and the link to the others.
fn first_page(state: &State, call: &Call, mut incident: Value) -> Value {
    let Some(size) = state.lists.page else { return incident };
    let all = incident.get("alerts").and_then(Value::as_array).map_or(0, Vec::len);
    if let Some(members) = incident.as_object_mut().filter(|_| all > size) {
        if let Some(Value::Array(alerts)) = members.get_mut("alerts") {
            alerts.truncate(size);
        }
        let here = format!("{}{}/alerts?$skip={size}", state.origin(call.service), call.path);
        let link = state.lists.next_link.clone().unwrap_or(here);
        members.insert("alerts@odata.nextLink".to_owned(), link.into());
    }
    incident
}

/// A filter on the name of a machine, lower case.
enum Filter {
    Equals(String),
    StartsWith(String),
    Any(Vec<Self>),
}

impl Filter {
    fn parse(text: &str) -> Option<Self> {
        let is_or = |at: &usize| text.get(..*at).is_some_and(|before| before.matches('\'').count().is_multiple_of(2));
        if let Some(at) = text.match_indices(" or ").map(|(at, _)| at).find(is_or) {
            let (one, other) = text.split_at(at);
            return Some(Self::Any(vec![Self::parse(one)?, Self::parse(other.strip_prefix(" or ")?)?]));
        }
        let text = text.trim();
        if let Some(arguments) = text.strip_prefix("startswith") {
            let arguments = arguments.trim_start().strip_prefix('(')?.trim_start().strip_prefix("computerDnsName")?;
            return literal(arguments.trim_start().strip_prefix(',')?.strip_suffix(')')?).map(Self::StartsWith);
        }
        let rest = text.strip_prefix("computerDnsName")?.strip_prefix(' ')?;
        literal(rest.trim_start().strip_prefix("eq ")?).map(Self::Equals)
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Equals(wanted) => name.to_lowercase() == *wanted,
            Self::StartsWith(wanted) => name.to_lowercase().starts_with(wanted),
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(name)),
        }
    }
}

/// A string of `OData` in single quotes; a quote inside is doubled.
fn literal(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().strip_prefix('\'')?.strip_suffix('\'')?.split("''").collect();
    (!parts.iter().any(|part| part.contains('\''))).then(|| parts.join("'").to_lowercase())
}

fn page(
    state: &State,
    call: &Call,
    set: &str,
    records: Vec<Value>,
    skip: Option<String>,
    top: Option<String>,
) -> Found {
    let number = |option: Option<String>| option.map_or(Ok(None), |text| text.parse::<usize>().map(Some));
    let (Ok(skip), Ok(top)) = (number(skip), number(top)) else {
        return Err(Refusal::BadRequest("ODataError", "A query option is not a number.".to_owned()));
    };
    let (skip, total) = (skip.unwrap_or(0), records.len());
    let usual = if set == "Machines" && top.is_none() { MACHINES_ON_A_PAGE } else { usize::MAX };
    let size = top.unwrap_or(usize::MAX).min(state.lists.page.unwrap_or(usual));
    let records: Vec<Value> = records.into_iter().skip(skip).take(size).collect();
    let mut document = mde::list(set, &records);
    let next = skip.saturating_add(size);
    if let (true, None, Some(members)) = (next < total, top, document.as_object_mut()) {
        let here = || following(state.origin(call.service), call, next);
        members.insert("@odata.nextLink".to_owned(), state.lists.next_link.clone().unwrap_or_else(here).into());
    }
    Ok(document)
}

/// The address of the next page.
fn following(origin: &str, call: &Call, skip: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .extend_pairs(call.options().into_iter().filter(|(name, _)| name != "$skip"))
        .append_pair("$skip", &skip.to_string());
    format!("{origin}{}?{}", call.path, query.finish())
}
