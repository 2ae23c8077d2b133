//! Records in the shapes of the Defender APIs: those that a test has put, and those that are made from the story.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::company::model::Presence;
use super::company::{Company, equal_names, is_at_or_below};
use super::{mde, xdr};

/// A record lacks the member, named here, that it would be found by.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a record is found by its `{0}`, and this one has none")]
pub struct Unfindable(pub &'static str);

/// Records in an API's own shape. Each replaces the story's record of the same id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    alerts: Vec<Value>,
    machines: Vec<Value>,
    incidents: Vec<Value>,
}

impl Records {
    pub(crate) fn put_alert(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.alerts, record, "id", Value::is_string)
    }

    pub(crate) fn put_machine(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.machines, record, "id", Value::is_string)
    }

    pub(crate) fn put_incident(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.incidents, record, "incidentId", Value::is_u64)
    }
}

fn put(records: &mut Vec<Value>, record: Value, id: &'static str, is_id: fn(&Value) -> bool) -> Result<(), Unfindable> {
    if !record.get(id).is_some_and(is_id) {
        return Err(Unfindable(id));
    }
    records.retain(|other| other.get(id) != record.get(id));
    records.push(record);
    Ok(())
}

/// The records that match, those of tests first.
fn select(put: &[Value], id: &str, story: impl Iterator<Item = Value>, matches: impl Fn(&Value) -> bool) -> Vec<Value> {
    let is_replaced = |record: &Value| put.iter().any(|other| text(other, id).eq_ignore_ascii_case(text(record, id)));
    let mut records: Vec<Value> = put.iter().filter(|record| matches(record)).cloned().collect();
    records.extend(story.filter(|record| matches(record) && !is_replaced(record)));
    records
}

impl Company {
    pub(crate) fn alert_record(&self, id: &str) -> Option<Value> {
        let story = self.endpoint_alerts().filter(|alert| alert.id == id).map(|alert| mde::alert(self, alert));
        select(&self.records.alerts, "id", story, |record| text(record, "id") == id).into_iter().next()
    }

    pub(crate) fn alert_records(&self, matches: impl Fn(&Value) -> bool) -> Vec<Value> {
        let story = self.endpoint_alerts().map(|alert| mde::alert(self, alert));
        select(&self.records.alerts, "id", story, matches)
    }

    /// Where something was, as far as the alerts that it is in tell.
    pub(crate) fn presence(&self, matches: impl Fn(&Value) -> bool) -> Presence {
        let records = self.alert_records(matches);
        let devices: BTreeSet<_> = records.iter().map(|record| text(record, "machineId")).collect();
        let first = records.iter().map(|record| text(record, "firstEventTime")).min_by_key(|at| instant(at));
        let last = records.iter().map(|record| text(record, "lastEventTime")).max_by_key(|at| instant(at));
        let [first_seen, last_seen] = [first, last].map(|at| at.map(str::to_owned));
        Presence { devices: devices.len(), first_seen, last_seen }
    }

    pub(crate) fn machine_records(&self, matches: impl Fn(&Value) -> bool) -> Vec<Value> {
        select(&self.records.machines, "id", self.devices.iter().map(mde::machine), matches)
    }

    pub(crate) fn incident_record(&self, id: u64) -> Option<Value> {
        let has_id = |record: &&Value| record.get("incidentId").and_then(Value::as_u64) == Some(id);
        let put = self.records.incidents.iter().find(has_id).cloned();
        put.or_else(|| self.incident(id).map(|incident| xdr::incident(self, incident)))
    }
}

/// A time of any number of digits.
pub(crate) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A member of a record, if it is text; else empty.
pub(crate) fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// By id or by name.
pub(crate) fn is_machine(record: &Value, key: &str) -> bool {
    text(record, "id").eq_ignore_ascii_case(key) || equal_names(text(record, "computerDnsName"), key)
}

/// By account name alone, whatever the domain: two people of one name share their alerts.
pub(crate) fn is_about_user(record: &Value, name: &str) -> bool {
    let related = record.get("relatedUser").is_some_and(|user| equal_names(text(user, "userName"), name));
    related
        || evidence(record)
            .any(|item| text(item, "entityType") == "User" && equal_names(text(item, "accountName"), name))
}

/// Whether the file, or an image of a process, has this hash.
pub(crate) fn has_file(record: &Value, sha1: &str) -> bool {
    evidence(record).any(|item| text(item, "sha1").eq_ignore_ascii_case(sha1))
}

pub(crate) fn has_address(record: &Value, address: &str) -> bool {
    evidence(record).any(|item| text(item, "ipAddress").eq_ignore_ascii_case(address))
}

/// Whether the host of a URL is the domain or below it.
pub(crate) fn has_host(record: &Value, domain: &str) -> bool {
    evidence(record).any(|item| is_at_or_below(text(item, "url"), domain))
}

fn evidence(record: &Value) -> impl Iterator<Item = &Value> {
    record.get("evidence").and_then(Value::as_array).into_iter().flatten()
}
