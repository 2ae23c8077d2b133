//! The Defender APIs: Endpoint (alerts, machines, users, files) and XDR (incidents).
//!
//! An answer depends, in this order, on the route, the token, its audience, its roles, the quota and the company.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::company::model::Presence;
use super::exchange::{Answer, Call, Reply};
use super::records::{has_address, has_file, has_host, is_about_user, is_machine, text};
use super::refusal::Refusal;
use super::script::Route;
use super::state::State;
use super::{Service, mde};

/// The longest that statistics look back, in hours, and how long they do unless asked otherwise.
const MAX_LOOK_BACK_HOURS: u32 = 720;
/// The number of devices on a page, unless a test sets it: few, so that one name of the company needs two pages.
const MACHINES_ON_A_PAGE: usize = 2;

/// Any one of the roles opens the route.
const ALERT_ROLES: &[&str] = &["Alert.Read.All", "Alert.ReadWrite.All"];
const MACHINE_ROLES: &[&str] = &["Machine.Read.All", "Machine.ReadWrite.All"];
const FILE_ROLES: &[&str] = &["File.Read.All", "File.ReadWrite.All"];
const IP_ROLES: &[&str] = &["Ip.Read.All"];
const DOMAIN_ROLES: &[&str] = &["URL.Read.All"];
const INCIDENT_ROLES: &[&str] = &["Incident.Read.All", "Incident.ReadWrite.All"];

type Document = Result<Value, Refusal>;

/// A route, and what answers it.
struct Endpoint<'a> {
    route: Route,
    /// The id, as sent.
    segment: &'a str,
    roles: &'static [&'static str],
    handler: fn(&State, &Call, &str) -> Document,
}

pub(crate) fn answer(state: &mut State, call: &Call) -> Answer {
    let Some(endpoint) = endpoint(call) else { return Answer::not_found() };
    // In a path, a plus sign is a plus sign.
    let key = percent_encoding::percent_decode_str(endpoint.segment).decode_utf8_lossy().into_owned();
    let result = check_access(state, call, endpoint.roles).and_then(|()| (endpoint.handler)(state, call, &key));
    Answer::new(endpoint.route, key, result.map(|document| Reply::odata(&document)))
}

/// Versioned paths are the same routes.
fn endpoint(call: &Call) -> Option<Endpoint<'_>> {
    let path = call.path.strip_prefix("/api/").filter(|_| call.method == Method::GET)?;
    let segments: Vec<&str> = path.strip_prefix("v1.0/").unwrap_or(path).split('/').collect();
    let new = |route, segment, roles, handler| Some(Endpoint { route, segment, roles, handler });
    match (call.service, segments.as_slice()) {
        (Service::Defender, ["machines"]) => new(Route::Machines, "", MACHINE_ROLES, machines),
        (_, [_, "", ..]) => None,
        (Service::Defender, ["alerts", id]) => new(Route::Alert, id, ALERT_ROLES, alert),
        (Service::Defender, ["machines", id]) => new(Route::Machine, id, MACHINE_ROLES, machine),
        (Service::Defender, ["machines", id, "alerts"]) => new(Route::MachineAlerts, id, ALERT_ROLES, machine_alerts),
        (Service::Defender, ["users", name, "alerts"]) => new(Route::UserAlerts, name, ALERT_ROLES, user_alerts),
        (Service::Defender, ["files", hash]) => new(Route::File, hash, FILE_ROLES, file),
        (Service::Defender, ["files", hash, "alerts"]) => new(Route::FileAlerts, hash, ALERT_ROLES, file_alerts),
        (Service::Defender, ["files", hash, "stats"]) => new(Route::FileStats, hash, FILE_ROLES, file_stats),
        (Service::Defender, ["ips", address, "alerts"]) => new(Route::IpAlerts, address, ALERT_ROLES, ip_alerts),
        (Service::Defender, ["ips", address, "stats"]) => new(Route::IpStats, address, IP_ROLES, ip_stats),
        (Service::Defender, ["domains", name, "alerts"]) => new(Route::DomainAlerts, name, ALERT_ROLES, domain_alerts),
        (Service::Defender, ["domains", name, "stats"]) => new(Route::DomainStats, name, DOMAIN_ROLES, domain_stats),
        (Service::Xdr, ["incidents", id]) => new(Route::Incident, id, INCIDENT_ROLES, incident),
        (Service::Xdr, ["incidents", id, "alerts"]) => new(Route::IncidentAlerts, id, INCIDENT_ROLES, incident_alerts),
        _ => None,
    }
}

fn check_access(state: &mut State, call: &Call, roles: &[&str]) -> Result<(), Refusal> {
    let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", message);
    let forbidden = |message: &str| Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message);
    let token = call.bearer().and_then(|token| state.entra.token(token));
    let token =
        token.ok_or_else(|| unauthorized("Unauthorized request - reason of failure: Invalid or expired token."))?;
    let (audience, is_xdr) = (&token.audience, call.service == Service::Xdr);
    if Some(audience.as_str()) != call.service.audience() {
        // The two APIs refuse a foreign audience differently.
        let client = super::CLIENT_ID;
        return Err(if is_xdr {
            unauthorized(&format!("Invalid Authorization payload. AppId: {client}, Audience: {audience}"))
        } else {
            forbidden("The audience of the token is not accepted.")
        });
    }
    if let Some(message) = token.missing_roles(roles) {
        return Err(forbidden(&message));
    }
    let quota = if is_xdr { &mut state.incident_quota } else { &mut state.quota };
    quota.spend(Instant::now()).map_err(|wait| {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let message = format!("API calls quota exceeded. The quota will be reset in {seconds} seconds.");
        Refusal::too_many_requests(message, seconds.to_string())
    })
}

fn not_found(message: String) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
}

fn one(set: &str, record: Option<Value>, what: &str, key: &str) -> Document {
    let record = record.ok_or_else(|| not_found(format!("{what} {key} was not found")))?;
    Ok(mde::entity(set, record))
}

fn alert(state: &State, _: &Call, id: &str) -> Document {
    let record = state.company.alert_record(id).ok_or_else(|| not_found(format!("Alert {id} not found")))?;
    Ok(mde::entity("Alerts", record))
}

fn machine(state: &State, _: &Call, key: &str) -> Document {
    let record = state.company.machine_records(|record| is_machine(record, key)).into_iter().next();
    one("Machines", record, "Machine", key)
}

fn machine_alerts(state: &State, call: &Call, id: &str) -> Document {
    let is_known = is_hash(id, &[40]) && !state.company.machine_records(|record| is_machine(record, id)).is_empty();
    if !is_known {
        return Err(not_found(format!("Machine {id} was not found")));
    }
    alerts(state, call, |record| text(record, "machineId").eq_ignore_ascii_case(id))
}

fn user_alerts(state: &State, call: &Call, name: &str) -> Document {
    alerts(state, call, |record| is_about_user(record, name))
}

fn file(state: &State, _: &Call, hash: &str) -> Document {
    check_hash(hash, &[40, 64])?;
    one("Files", state.company.file(hash).map(mde::file), "File", hash)
}

fn file_alerts(state: &State, call: &Call, hash: &str) -> Document {
    check_hash(hash, &[40])?;
    alerts(state, call, |record| has_file(record, hash))
}

fn file_stats(state: &State, call: &Call, hash: &str) -> Document {
    check_hash(hash, &[40, 64])?;
    let file = state.company.file(hash).ok_or_else(|| not_found(format!("File {hash} was not found")))?;
    let of_alerts = || state.company.presence(|record| has_file(record, &file.sha1));
    let presence = file.presence.clone().unwrap_or_else(of_alerts);
    stats(call, "InOrgFileStats", mde::file_stats(file), &presence)
}

fn ip_alerts(state: &State, call: &Call, address: &str) -> Document {
    check_address(address)?;
    alerts(state, call, |record| has_address(record, address))
}

/// An address that no device has met is not unknown: its count is 0.
fn ip_stats(state: &State, call: &Call, address: &str) -> Document {
    check_address(address)?;
    let presence = state.company.presence(|record| has_address(record, address));
    stats(call, "InOrgIPStats", json!({"ipAddress": address}), &presence)
}

fn check_address(address: &str) -> Result<(), Refusal> {
    let invalid = |_| Refusal::bad_request("InvalidIpAddress", format!("The address {address} is not valid."));
    address.parse::<IpAddr>().map(|_| ()).map_err(invalid)
}

fn domain_alerts(state: &State, call: &Call, domain: &str) -> Document {
    alerts(state, call, |record| has_host(record, domain))
}

fn domain_stats(state: &State, call: &Call, domain: &str) -> Document {
    let presence = state.company.presence(|record| has_host(record, domain));
    stats(call, "InOrgDomainStats", json!({"host": domain}), &presence)
}

/// <https://learn.microsoft.com/defender-endpoint/api/get-ip-statistics>
fn stats(call: &Call, kind: &str, own: Value, presence: &Presence) -> Document {
    let mut options = call.options();
    let hours = options.remove("lookBackHours").map(|hours| hours.parse::<u32>());
    refuse_options(&options, "BadRequest")?;
    if hours.is_some_and(|hours| !hours.is_ok_and(|hours| hours <= MAX_LOOK_BACK_HOURS)) {
        return Err(Refusal::bad_request("InvalidInput", "lookBackHours is out of range."));
    }
    Ok(mde::stats(kind, mde::with(own, mde::presence(presence))))
}

fn incident_record(state: &State, key: &str) -> Document {
    let not_a_number = |_| Refusal::bad_request("BadRequest", format!("The incident id {key} is not a number."));
    let record = state.company.incident_record(key.parse().map_err(not_a_number)?);
    record.ok_or_else(|| not_found(format!("Incident {key} was not found")))
}

/// The alerts that do not fit on the first page are behind a link.
fn incident(state: &State, call: &Call, key: &str) -> Document {
    let mut record = incident_record(state, key)?;
    if let (Some(size), Some(Value::Array(alerts))) = (state.lists.page, record.get_mut("alerts"))
        && alerts.len() > size
    {
        alerts.truncate(size);
        let link = state.next_link(call.service, &format!("{}/alerts?$skip={size}", call.path));
        record = mde::with(record, json!({"alerts@odata.nextLink": link}));
    }
    Ok(mde::entity("Incidents", record))
}

fn incident_alerts(state: &State, call: &Call, key: &str) -> Document {
    let record = incident_record(state, key)?;
    let alerts = record.get("alerts").and_then(Value::as_array).cloned().unwrap_or_default();
    page(state, call, "Alerts", alerts, call.options().remove("$skip"), None)
}

fn is_hash(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_hash(hash: &str, lengths: &[usize]) -> Result<(), Refusal> {
    let invalid = || Refusal::bad_request("InvalidHashValue", format!("The hash value {hash} is not valid."));
    is_hash(hash, lengths).then_some(()).ok_or_else(invalid)
}

/// A list of alerts takes no query option, except those of its own link to the next page.
fn alerts(state: &State, call: &Call, matches: impl Fn(&Value) -> bool) -> Document {
    let mut records = state.company.alert_records(matches);
    if !state.lists.evidence {
        for record in records.iter_mut().filter_map(Value::as_object_mut) {
            record.insert("evidence".to_owned(), Value::Array(Vec::new()));
        }
    }
    let mut options = call.options();
    let skip = if state.lists.page.is_some() { options.remove("$skip") } else { None };
    refuse_options(&options, "BadRequest")?;
    page(state, call, "Alerts", records, skip, None)
}

fn refuse_options(options: &BTreeMap<String, String>, code: &str) -> Result<(), Refusal> {
    options.keys().next().map_or(Ok(()), |option| {
        Err(Refusal::bad_request(code, format!("The query option {option} is not supported here.")))
    })
}

fn machines(state: &State, call: &Call, _: &str) -> Document {
    let mut options = call.options();
    let [filter, skip, top] = ["$filter", "$skip", "$top"].map(|name| options.remove(name));
    refuse_options(&options, "ODataError")?;
    let invalid = || Refusal::bad_request("ODataError", "Invalid filter clause.");
    let conditions = filter.map(|filter| conditions(&filter).ok_or_else(invalid)).transpose()?;
    let records = state.company.machine_records(|record| {
        let name = text(record, "computerDnsName").to_lowercase();
        conditions.as_ref().is_none_or(|conditions| conditions.iter().any(|condition| condition.matches(&name)))
    });
    page(state, call, "Machines", records, skip, top)
}

/// A condition of a `$filter` on a machine's name in lower case.
enum Condition {
    Equals(String),
    StartsWith(String),
}

impl Condition {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == text,
            Self::StartsWith(text) => name.starts_with(text),
        }
    }
}

/// Reads `computerDnsName eq 'NAME'` and `startswith(computerDnsName,'TEXT')`, joined by `or`; nothing else is a filter.
fn conditions(filter: &str) -> Option<Vec<Condition>> {
    let (condition, rest) = if let Some(rest) = filter.strip_prefix("computerDnsName eq ") {
        let (text, rest) = literal(rest)?;
        (Condition::Equals(text), rest)
    } else {
        let (text, rest) = literal(filter.strip_prefix("startswith(computerDnsName,")?)?;
        (Condition::StartsWith(text), rest.strip_prefix(')')?)
    };
    let mut all = vec![condition];
    if !rest.is_empty() {
        all.extend(conditions(rest.strip_prefix(" or ")?)?);
    }
    Some(all)
}

/// Reads a string in single quotes, in lower case, and what follows it. A quote inside is doubled.
fn literal(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), text.strip_prefix('\'')?);
    loop {
        let (part, after) = rest.split_once('\'')?;
        value += part;
        let Some(more) = after.strip_prefix('\'') else { return Some((value.to_lowercase(), after)) };
        value.push('\'');
        rest = more;
    }
}

fn page(
    state: &State,
    call: &Call,
    set: &str,
    records: Vec<Value>,
    skip: Option<String>,
    top: Option<String>,
) -> Document {
    let number = |option: Option<String>| option.map(|text| text.parse::<usize>()).transpose();
    let (Ok(skip), Ok(top)) = (number(skip), number(top)) else {
        return Err(Refusal::bad_request("ODataError", "A query option is not a number."));
    };
    let (skip, total) = (skip.unwrap_or(0), records.len());
    let default = if set == "Machines" && top.is_none() { MACHINES_ON_A_PAGE } else { usize::MAX };
    let size = top.unwrap_or(usize::MAX).min(state.lists.page.unwrap_or(default));
    let records: Vec<Value> = records.into_iter().skip(skip).take(size).collect();
    let document = mde::list(set, &records);
    let next = skip.saturating_add(size);
    if next >= total || top.is_some() {
        return Ok(document);
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(call.options().into_iter().filter(|(name, _)| name != "$skip"));
    query.append_pair("$skip", &next.to_string());
    let link = state.next_link(call.service, &format!("{}?{}", call.path, query.finish()));
    Ok(mde::with(document, json!({"@odata.nextLink": link})))
}
