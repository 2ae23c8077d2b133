//! Records as the APIs tell them: those that a test has put, and those that are made from the story.

use serde_json::Value;

use super::company::model::Alert;
use super::company::{Company, equal_names, is_at_or_below};
use super::{mde, xdr};

/// A record lacks the member, named here, that it would be found by.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a record is found by its `{0}`, and this one has none")]
pub struct Unfindable(pub &'static str);

/// Records in an API's own shape. Each stands in for whatever else has its id.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    alerts: Vec<Value>,
    machines: Vec<Value>,
    files: Vec<Value>,
    incidents: Vec<Value>,
}

impl Records {
    pub(super) fn put_alert(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.alerts, record, "id", Value::is_string)
    }

    pub(super) fn put_machine(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.machines, record, "id", Value::is_string)
    }

    pub(super) fn put_file(&mut self, record: Value) -> Result<(), Unfindable> {
        put(&mut self.files, record, "sha1", Value::is_string)
    }

    pub(super) fn put_incident(&mut self, record: Value) -> Result<(), Unfindable> {
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

impl Company {
    pub(super) fn alert_record(&self, id: &str) -> Option<Value> {
        let put = self.records.alerts.iter().find(|record| text(record, "id") == id);
        put.cloned()
            .or_else(|| self.endpoint_alerts().find(|alert| alert.id == id).map(|alert| mde::alert(self, alert)))
    }

    pub(super) fn alert_records(
        &self,
        of_story: impl Fn(&Alert) -> bool,
        of_test: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let is_put = |id: &str| self.records.alerts.iter().any(|record| text(record, "id") == id);
        let made = self
            .endpoint_alerts()
            .filter(|alert| of_story(alert) && !is_put(alert.id))
            .map(|alert| mde::alert(self, alert));
        self.records.alerts.iter().filter(|record| of_test(record)).cloned().chain(made).collect()
    }

    pub(super) fn machine_records(&self, fits: impl Fn(&str) -> bool) -> Vec<Value> {
        let is_put = |id: &str| self.records.machines.iter().any(|record| text(record, "id").eq_ignore_ascii_case(id));
        let made = self.devices.iter().filter(|device| fits(device.name) && !is_put(device.id)).map(mde::machine);
        self.records
            .machines
            .iter()
            .filter(|record| fits(text(record, "computerDnsName")))
            .cloned()
            .chain(made)
            .collect()
    }

    /// By id or by name.
    pub(super) fn machine_record(&self, key: &str) -> Option<Value> {
        let is_asked = |id: &str, name: &str| id.eq_ignore_ascii_case(key) || equal_names(name, key);
        let put =
            self.records.machines.iter().find(|record| is_asked(text(record, "id"), text(record, "computerDnsName")));
        put.cloned().or_else(|| self.devices.iter().find(|device| is_asked(device.id, device.name)).map(mde::machine))
    }

    /// By SHA-1 or SHA-256.
    pub(super) fn file_record(&self, hash: &str) -> Option<Value> {
        let put = self
            .records
            .files
            .iter()
            .find(|record| ["sha1", "sha256"].iter().any(|name| text(record, name).eq_ignore_ascii_case(hash)));
        put.cloned().or_else(|| self.file(hash).map(mde::file))
    }

    pub(super) fn incident_record(&self, id: u64) -> Option<Value> {
        let put =
            self.records.incidents.iter().find(|record| record.get("incidentId").and_then(Value::as_u64) == Some(id));
        put.cloned().or_else(|| {
            self.incidents.iter().find(|incident| incident.id == id).map(|incident| xdr::incident(self, incident))
        })
    }
}

/// A member of a record, if it is text; else empty.
pub(super) fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// By account name alone, whatever the domain.
pub(super) fn is_about(record: &Value, name: &str) -> bool {
    let related = record.get("relatedUser").is_some_and(|user| equal_names(text(user, "userName"), name));
    related
        || evidence(record)
            .any(|item| text(item, "entityType") == "User" && equal_names(text(item, "accountName"), name))
}

pub(super) fn shows(record: &Value, sha1: &str) -> bool {
    evidence(record).any(|item| text(item, "sha1").eq_ignore_ascii_case(sha1))
}

pub(super) fn tells_of_address(record: &Value, address: &str) -> bool {
    evidence(record).any(|item| text(item, "ipAddress").eq_ignore_ascii_case(address))
}

/// By the host of an address: the domain, or one below it.
pub(super) fn tells_of_host(record: &Value, domain: &str) -> bool {
    evidence(record).any(|item| is_at_or_below(text(item, "url"), domain))
}

fn evidence(record: &Value) -> impl Iterator<Item = &Value> {
    record.get("evidence").and_then(Value::as_array).into_iter().flatten()
}
