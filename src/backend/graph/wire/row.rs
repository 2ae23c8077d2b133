//! A row of advanced hunting: the id of an alert, and the alert itself if Graph does not return it by id.
//!
//! Microsoft's documentation has the keys of rows in `PascalCase` and in `camelCase`, so any case is read.
//!
//! Source: <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::client::ClientError;
use crate::domain::alert::{Alert, Device};
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary::{self, UnknownWords};
use crate::domain::warning::Warnings;
use crate::lenient_json::body::list;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;
use crate::lenient_json::shared_fields;
use crate::lenient_json::value::Value;

/// The columns that are read, and their names in this module.
const COLUMNS: [(&str, &str); 16] = [
    ("AccountDomain", "AccountDomain"),
    ("AccountName", "AccountName"),
    ("AccountUpn", "AccountUpn"),
    ("AlertId", "AlertId"),
    ("AttackTechniques", "AttackTechniques"),
    ("Categories", "Categories"),
    ("DetectionSource", "DetectionSource"),
    ("DeviceId", "DeviceId"),
    ("DeviceName", "DeviceName"),
    ("MachineGroup", "MachineGroup"),
    ("RemoteUrl", "RemoteUrl"),
    ("ServiceSource", "ServiceSource"),
    ("Severity", "severity"),
    ("ThreatFamily", "ThreatFamily"),
    ("Timestamp", "Timestamp"),
    ("Title", "Title"),
];

/// One row of a hunting response.
pub(in crate::backend::graph) struct Row<'de> {
    alert_id: SharedStr,
    body: SharedStr,
    members: Members<'de>,
}

/// The rows of a response.
pub(in crate::backend::graph) struct Rows<'de> {
    /// One row for each alert, in the order of the response.
    pub(in crate::backend::graph) by_alert: Vec<Row<'de>>,
    /// The number of rows that name no alert.
    pub(in crate::backend::graph) without_id: usize,
}

/// Reads the rows of a response. If none of them names an alert, the response is malformed: it is not "no alerts".
pub(in crate::backend::graph) fn rows(body: &SharedStr) -> Result<Rows<'_>, ClientError> {
    let all = list(body, "results", &mut RowReader)?.items;
    let count = all.len();
    let mut by_alert: Vec<_> = all.into_iter().filter(|row| !row.alert_id.is_empty()).collect();
    let without_id = count - by_alert.len();
    if by_alert.is_empty() && without_id > 0 {
        return Err(ClientError::malformed("hunting rows without an alert id"));
    }
    let mut seen = HashSet::new();
    by_alert.retain(|row| seen.insert(row.alert_id.clone()));
    Ok(Rows { by_alert, without_id })
}

struct RowReader;

impl<'de> ReadObject<'de> for RowReader {
    type Item = Row<'de>;

    fn weight(row: &Row<'de>) -> usize {
        row.alert_id.len() + row.members.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Row<'de>, Malformed> {
        let row = json.value()?;
        let mut members = members_of_row(row, json.body(), |name| {
            let column = COLUMNS.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
            column.map(|(_, ours)| *ours)
        })?;
        let alert_id = members.text(&["AlertId"], &mut Warnings::default()).unwrap_or_default();
        Ok(Row { alert_id, body: json.body().part(row.json()), members })
    }
}

/// Reads the columns of a row. `ours` returns our name of a column, whose name may be in any case.
pub(super) fn members_of_row<'de>(
    row: Value<'de>,
    body: &'de SharedStr,
    ours: impl Fn(&str) -> Option<&'static str>,
) -> Result<Members<'de>, Malformed> {
    let mut members = Members::within(body);
    Json::of_value(row, body).object(|json| {
        let name = json.name()?;
        let value = json.value()?;
        // Hunting sends an empty text for a column without a value.
        if value.json() != "\"\"" {
            members.put(ours(&name).map_or(name, Cow::Borrowed), value);
        }
        Ok(())
    })?;
    Ok(members)
}

impl Row<'_> {
    /// Returns the id of the alert.
    pub(in crate::backend::graph) fn alert_id(&self) -> &str {
        &self.alert_id
    }

    /// Returns the URL or host in the row.
    pub(in crate::backend::graph) fn remote_url(&self) -> Option<SharedStr> {
        self.members.peek_text("RemoteUrl")
    }

    /// Returns the row as Graph sent it.
    pub(in crate::backend::graph) fn body(&self) -> SharedStr {
        self.body.clone()
    }

    /// Converts the row to an incomplete alert: without status, classification and evidence. The entity of the row stays
    /// in `extra`.
    pub(in crate::backend::graph) fn into_alert(self, portal: Portal, warnings: &mut Warnings) -> Alert {
        let mut members = self.members;
        let mut unknown_words = UnknownWords::default();
        let severity = shared_fields::severity(&mut members, &mut unknown_words, warnings);
        let device = Device {
            id: members.text(&["DeviceId"], warnings),
            name: members.text(&["DeviceName"], warnings),
            group: members.text(&["MachineGroup"], warnings),
        };
        let categories = categories_in(&members.text(&["Categories"], warnings).unwrap_or_default());
        let techniques = members.text(&["AttackTechniques"], warnings).unwrap_or_default();
        Alert {
            title: members.text(&["Title"], warnings),
            severity,
            severity_id: severity.id(),
            category: categories.first().cloned(),
            categories,
            techniques: techniques_in(&techniques),
            threat_family: members.text(&["ThreatFamily"], warnings),
            detection_source: members.text(&["DetectionSource"], warnings),
            service_source: members.text(&["ServiceSource"], warnings),
            device: (device != Device::default()).then_some(device),
            created_at: members.timestamp(&["Timestamp"], warnings),
            url: portal.alert(&self.alert_id, None).map(SharedStr::from),
            extra: members.rest(warnings),
            unknown_words,
            id: Some(self.alert_id),
            ..Alert::default()
        }
    }
}

/// Returns the categories in a text that contains a JSON array.
fn categories_in(list: &str) -> Vec<SharedStr> {
    let texts = serde_json::from_str::<Vec<String>>(list).unwrap_or_default();
    vocabulary::categories(texts.into_iter().map(SharedStr::from))
}

/// Returns the MITRE ids in a text such as `["PowerShell (T1059.001)"]`.
fn techniques_in(text: &SharedStr) -> Vec<SharedStr> {
    let mut found: Vec<SharedStr> = Vec::new();
    for part in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
        let (technique, sub) = part.split_once('.').unwrap_or((part, "000"));
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_id = technique.strip_prefix('T').is_some_and(|number| digits(number, 4)) && digits(sub, 3);
        if is_id && !found.iter().any(|known| *known == *part) {
            found.push(text.part(part));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vocabulary::{AlertStatus, AlertVerdict};

    #[test]
    fn rows_with_either_case_of_keys_are_read_alike() {
        let pascal = r#"{"schema":[],"results":[{"Timestamp":"2026-02-03T04:05:06.42Z","AlertId":"da1_1","Title":"Odd","Severity":"High","Categories":"[\"Execution\"]","AttackTechniques":"[\"PowerShell (T1059.001)\",\"Phishing(T1566)\"]","DeviceId":"ab","AccountSid":"","Rank":7}]}"#;
        let camel = r#"{"results":[{"timestamp":"2026-02-03T04:05:06.42Z","alertId":"da1_1","title":"Odd","severity":"High","categories":"[\"Execution\"]","attackTechniques":"[\"PowerShell (T1059.001)\",\"Phishing(T1566)\"]","deviceId":"ab","Rank":7}]}"#;
        let read = |body: &str| {
            let body = SharedStr::from(body);
            let row = rows(&body).expect("rows").by_alert.into_iter().next().expect("a row");
            assert!(row.body().starts_with('{') && row.body().ends_with(r#""Rank":7}"#), "{:?}", row.body());
            row.into_alert(Portal::Commercial, &mut Warnings::default())
        };
        let alert = read(pascal);
        assert_eq!(alert, read(camel));
        assert_eq!((alert.title.as_deref(), alert.category.as_deref()), (Some("Odd"), Some("Execution")));
        assert_eq!(alert.techniques, ["T1059.001", "T1566"]);
        assert_eq!((alert.status, alert.verdict), (AlertStatus::Unknown, AlertVerdict::Undetermined));
        assert!(!alert.evidence_loaded && alert.created_at.is_some() && alert.device.is_some());
        assert_eq!(alert.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Rank"]);
    }

    #[test]
    fn a_response_without_results_is_malformed() {
        for body in [r#"{"schema":[]}"#, r#"{"results":null}"#, r#"{"results":[1]}"#, "[]", "<html>"] {
            assert!(rows(&body.into()).is_err(), "{body}");
        }
        assert!(rows(&SharedStr::of_static(r#"{"results":[]}"#)).is_ok_and(|rows| rows.by_alert.is_empty()));
    }

    #[test]
    fn rows_of_one_alert_count_once() {
        let body =
            SharedStr::of_static(r#"{"results":[{"AlertId":"a"},{"AlertId":"b"},{"AlertId":"a"},{"AlertId":""},{}]}"#);
        let rows = rows(&body);
        let ids: Vec<_> = rows.expect("rows").by_alert.iter().map(|row| row.alert_id().to_owned()).collect();
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn rows_that_name_no_alert_are_counted_and_alone_are_malformed() {
        let some = SharedStr::of_static(r#"{"results":[{"AlertId":"a"},{"AlertId":null},{}]}"#);
        assert!(rows(&some).is_ok_and(|rows| (rows.by_alert.len(), rows.without_id) == (1, 2)));
        for body in [r#"{"results":[{}]}"#, r#"{"results":[{"AlertId":["x"]},{"AlertId":""}]}"#] {
            assert!(matches!(rows(&SharedStr::of_static(body)), Err(ClientError::Malformed { .. })), "{body}");
        }
    }
}
