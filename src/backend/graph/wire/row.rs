//! A row of advanced hunting: which alert it is of, and, where Graph gives out no more, what it tells of it.
//!
//! Microsoft's own page shows the keys of rows in `PascalCase` and in `camelCase`: any case is read.
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

/// The columns that are read, as they are called within.
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

/// One row.
pub(in crate::backend::graph) struct Row<'de> {
    alert_id: SharedStr,
    body: SharedStr,
    members: Members<'de>,
}

/// The rows of an answer, one for each alert, in their order.
pub(in crate::backend::graph) fn rows(body: &SharedStr) -> Result<Vec<Row<'_>>, ClientError> {
    let mut rows = list(body, "results", &mut RowReader)?.items;
    let mut seen = HashSet::new();
    rows.retain(|row| !row.alert_id.is_empty() && seen.insert(row.alert_id.clone()));
    Ok(rows)
}

struct RowReader;

impl<'de> ReadObject<'de> for RowReader {
    type Item = Row<'de>;

    fn weight(row: &Row<'de>) -> usize {
        row.alert_id.len() + row.members.weight()
    }

    fn read(&mut self, json: &mut Json<'de>) -> Result<Row<'de>, Malformed> {
        let row = json.value()?;
        let mut members = Members::within(json.body());
        Json::of_value(row, json.body()).object(|json| {
            let name = json.name()?;
            let value = json.value()?;
            let column = COLUMNS.iter().find(|(column, _)| column.eq_ignore_ascii_case(&name));
            // A column without a value is an empty text.
            if value.json() != "\"\"" {
                members.put(column.map_or(name, |(_, within)| Cow::Borrowed(*within)), value);
            }
            Ok(())
        })?;
        let alert_id = members.text(&["AlertId"], &mut Warnings::default()).unwrap_or_default();
        Ok(Row { alert_id, body: json.body().part(row.json()), members })
    }
}

impl Row<'_> {
    /// The alert that it is of.
    pub(in crate::backend::graph) fn alert_id(&self) -> &str {
        &self.alert_id
    }

    /// The address or the host that it shows.
    pub(in crate::backend::graph) fn remote_url(&self) -> Option<SharedStr> {
        self.members.peek_text("RemoteUrl")
    }

    /// The row as it came.
    pub(in crate::backend::graph) fn body(&self) -> SharedStr {
        self.body.clone()
    }

    /// What it tells of the alert: no status, no classification, no evidence but its own thing, which stays in `extra`.
    pub(in crate::backend::graph) fn into_alert(self, portal: Portal, notes: &mut Warnings) -> Alert {
        let mut members = self.members;
        let mut unfamiliar = UnknownWords::default();
        let severity = shared_fields::severity(&mut members, &mut unfamiliar, notes);
        let device = Device {
            id: members.text(&["DeviceId"], notes),
            name: members.text(&["DeviceName"], notes),
            group: members.text(&["MachineGroup"], notes),
        };
        let categories = categories_in(&members.text(&["Categories"], notes).unwrap_or_default());
        let techniques = members.text(&["AttackTechniques"], notes).unwrap_or_default();
        Alert {
            title: members.text(&["Title"], notes),
            severity,
            severity_id: severity.id(),
            category: categories.first().cloned(),
            categories,
            techniques: techniques_in(&techniques),
            threat_family: members.text(&["ThreatFamily"], notes),
            detection_source: members.text(&["DetectionSource"], notes),
            service_source: members.text(&["ServiceSource"], notes),
            device: (device != Device::default()).then_some(device),
            created_at: members.moment(&["Timestamp"], notes),
            url: portal.alert(&self.alert_id, None).map(SharedStr::from),
            extra: members.rest(notes),
            unfamiliar,
            id: Some(self.alert_id),
            ..Alert::default()
        }
    }
}

/// The categories in a text that is a JSON list of texts.
fn categories_in(list: &str) -> Vec<SharedStr> {
    let texts = serde_json::from_str::<Vec<String>>(list).unwrap_or_default();
    vocabulary::categories(texts.into_iter().map(SharedStr::from))
}

/// The MITRE ids in a text such as `["PowerShell (T1059.001)"]`.
fn techniques_in(text: &SharedStr) -> Vec<SharedStr> {
    let mut found: Vec<SharedStr> = Vec::new();
    for part in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.') {
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
    fn rows_of_either_case_tell_the_same() {
        let pascal = r#"{"schema":[],"results":[{"Timestamp":"2026-02-03T04:05:06.42Z","AlertId":"da1_1","Title":"Odd","Severity":"High","Categories":"[\"Execution\"]","AttackTechniques":"[\"PowerShell (T1059.001)\",\"Phishing(T1566)\"]","DeviceId":"ab","AccountSid":"","Rank":7}]}"#;
        let camel = r#"{"results":[{"timestamp":"2026-02-03T04:05:06.42Z","alertId":"da1_1","title":"Odd","severity":"High","categories":"[\"Execution\"]","attackTechniques":"[\"PowerShell (T1059.001)\",\"Phishing(T1566)\"]","deviceId":"ab","Rank":7}]}"#;
        let thin = |body: &str| {
            let body = SharedStr::from(body);
            let row = rows(&body).expect("rows").into_iter().next().expect("a row");
            assert!(row.body().starts_with('{') && row.body().ends_with(r#""Rank":7}"#), "{:?}", row.body());
            row.into_alert(Portal::Commercial, &mut Warnings::default())
        };
        let alert = thin(pascal);
        assert_eq!(alert, thin(camel));
        assert_eq!((alert.title.as_deref(), alert.category.as_deref()), (Some("Odd"), Some("Execution")));
        assert_eq!(alert.techniques, ["T1059.001", "T1566"]);
        assert_eq!((alert.status, alert.verdict), (AlertStatus::Unknown, AlertVerdict::Undetermined));
        assert!(!alert.evidence_loaded && alert.created_at.is_some() && alert.device.is_some());
        assert_eq!(alert.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Rank"]);
    }

    #[test]
    fn an_answer_without_results_is_none() {
        for body in [r#"{"schema":[]}"#, r#"{"results":null}"#, r#"{"results":[1]}"#, "[]", "<html>"] {
            assert!(rows(&body.into()).is_err(), "{body}");
        }
        assert!(rows(&SharedStr::of_static(r#"{"results":[]}"#)).is_ok_and(|rows| rows.is_empty()));
    }

    #[test]
    fn an_alert_is_named_once() {
        let body =
            SharedStr::of_static(r#"{"results":[{"AlertId":"a"},{"AlertId":"b"},{"AlertId":"a"},{"AlertId":""},{}]}"#);
        let rows = rows(&body);
        let ids: Vec<_> = rows.expect("rows").iter().map(|row| row.alert_id().to_owned()).collect();
        assert_eq!(ids, ["a", "b"]);
    }
}
