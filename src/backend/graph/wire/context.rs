//! Rows about a subject itself: a row of `DeviceInfo`, a file's profile, and what only the alerts say of a device.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceinfo-table>,
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-fileprofile-function>.

use super::row::members_of_row;
use super::words::pascal_case;
use crate::client::ClientError;
use crate::domain::alert::Alert;
use crate::domain::context::{DeviceContext, FileContext, SubjectContext};
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceName, NameMatch};
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::list;
use crate::lenient_json::json::{Json, Malformed};
use crate::lenient_json::members::Members;
use crate::lenient_json::objects::ReadObject;

const COLUMNS: [&str; 33] = [
    "AadDeviceId",
    "AssetValue",
    "DeviceDynamicTags",
    "DeviceId",
    "DeviceManualTags",
    "DeviceName",
    "ExposureLevel",
    "FileSize",
    "GlobalFirstSeen",
    "GlobalLastSeen",
    "GlobalPrevalence",
    "IsCertificateValid",
    "Issuer",
    "MachineGroup",
    "MD5",
    "MergedToDeviceId",
    "OnboardingStatus",
    "OSPlatform",
    "OSVersion",
    "OSVersionInfo",
    "ProfileAvailability",
    "PublicIP",
    "Publisher",
    "RegistryDeviceTag",
    "SensorHealthState",
    "SHA1",
    "SHA256",
    "SHA2561",
    "SignatureState",
    "Signer",
    "SoftwareName",
    "ThreatName",
    "Timestamp",
];

/// Reads the rows about a device, newest first. Of several devices with a name, those with the full name come first, then
/// those whose record was not merged into another.
pub(in crate::backend::graph) fn device_context(
    body: &SharedStr,
    name: Option<&DeviceName>,
) -> Result<Option<SubjectContext>, ClientError> {
    let rows = list(body, "results", &mut RowReader(device))?.items;
    let by_label = |device: &DeviceContext| {
        let known = device.name.as_deref().unwrap_or_default();
        name.is_some_and(|name| name.matches(known) != Some(NameMatch::Whole))
    };
    let best = rows.into_iter().min_by_key(|(device, is_merged)| (by_label(device), *is_merged));
    Ok(best.map(|(device, _)| SubjectContext { device: Some(device), ..SubjectContext::default() }))
}

/// Reads a file's profile. `None`: the profile is missing.
pub(in crate::backend::graph) fn file_context(body: &SharedStr) -> Result<Option<SubjectContext>, ClientError> {
    let rows = list(body, "results", &mut RowReader(file))?.items;
    let file = rows.into_iter().flatten().next();
    Ok(file.map(|file| SubjectContext { file: Some(file), ..SubjectContext::default() }))
}

/// Fills in what `DeviceInfo` lacks from the evidence of the device's newest alert that has it.
pub(in crate::backend::graph) fn complete_device(device: &mut DeviceContext, alerts: &[Alert]) {
    let Some(id) = device.id.clone() else { return };
    let evidence = alerts.iter().flat_map(|alert| &alert.evidence).filter(|item| item.kind == "device");
    let is_same = |extra: &&Extra| extra.text("mdeDeviceId").is_some_and(|known| known.eq_ignore_ascii_case(&id));
    let text = |extra: &Extra, name| extra.text(name).filter(|text| !text.is_empty());
    for extra in evidence.map(|item| &item.extra).filter(is_same) {
        let risk = || text(extra, "riskScore").map(|word| pascal_case(&word).into());
        device.risk_score = device.risk_score.take().or_else(risk);
        device.first_seen = device.first_seen.or_else(|| Timestamp::parse(&extra.text("firstSeenDateTime")?));
        if device.ip_addresses.is_empty() {
            let interfaces: Option<Vec<String>> = extra.json("ipInterfaces");
            let last = || text(extra, "lastIpAddress").map(|address| vec![address]);
            let addresses = interfaces.filter(|addresses| !addresses.is_empty()).or_else(last);
            device.ip_addresses = addresses.into_iter().flatten().map(SharedStr::from).collect();
        }
    }
}

/// Reads a row through a function of its columns. The texts are copied, because they are cached for longer than the body is
/// needed.
struct RowReader<F>(F);

impl<'de, T, F: Fn(&mut Members<'de>) -> T> ReadObject<'de> for RowReader<F> {
    type Item = T;

    fn read(&mut self, json: &mut Json<'de>) -> Result<T, Malformed> {
        let row = json.value()?;
        let members = members_of_row(row, json.body(), |name| {
            COLUMNS.into_iter().find(|column| column.eq_ignore_ascii_case(name))
        })?;
        Ok((self.0)(&mut members.detached()))
    }
}

/// Reads a row of `DeviceInfo`, and whether the record was merged into another.
fn device(members: &mut Members<'_>) -> (DeviceContext, bool) {
    let warnings = &mut Warnings::default();
    let tags = ["DeviceManualTags", "RegistryDeviceTag", "DeviceDynamicTags"];
    let tags = tags.into_iter().flat_map(|column| tags_in(&members.texts(&[column], warnings))).collect();
    let device = DeviceContext {
        id: members.text(&["DeviceId"], warnings),
        name: members.text(&["DeviceName"], warnings),
        os_platform: members.text(&["OSPlatform"], warnings),
        os_version: members.text(&["OSVersionInfo", "OSVersion"], warnings),
        health_status: members.text(&["SensorHealthState"], warnings),
        onboarding_status: members.text(&["OnboardingStatus"], warnings),
        risk_score: None,
        exposure_level: members.text(&["ExposureLevel"], warnings),
        device_value: members.text(&["AssetValue"], warnings),
        group: members.text(&["MachineGroup"], warnings).filter(|group| *group != "UnassignedGroup"),
        tags,
        ip_addresses: Vec::new(),
        public_ip: members.text(&["PublicIP"], warnings),
        aad_device_id: members.text(&["AadDeviceId"], warnings),
        first_seen: None,
        last_seen: members.timestamp(&["Timestamp"], warnings),
    };
    (device, members.text(&["MergedToDeviceId"], warnings).is_some())
}

/// Returns the tags of a column: a list, or a text that holds a JSON list or tags between commas.
fn tags_in(texts: &[SharedStr]) -> Vec<SharedStr> {
    let [text] = texts else { return texts.to_vec() };
    let tags: Vec<String> =
        serde_json::from_str(text).unwrap_or_else(|_| text.split(',').map(|tag| tag.trim().to_owned()).collect());
    tags.into_iter().filter(|tag| !tag.is_empty()).map(SharedStr::from).collect()
}

/// Reads a file's profile; `None` if it is missing. A file without a known signature has no valid or invalid one.
fn file(members: &mut Members<'_>) -> Option<FileContext> {
    let warnings = &mut Warnings::default();
    let availability = members.text(&["ProfileAvailability"], warnings);
    let signature = members.text(&["SignatureState"], warnings);
    let file = FileContext {
        sha1: members.text(&["SHA1"], warnings),
        sha256: members.text(&["SHA256", "SHA2561"], warnings),
        md5: members.text(&["MD5"], warnings),
        size: members.integer(&["FileSize"], warnings),
        publisher: members.text(&["Publisher"], warnings),
        product: members.text(&["SoftwareName"], warnings),
        signer: members.text(&["Signer"], warnings),
        issuer: members.text(&["Issuer"], warnings),
        signature_valid: members
            .boolean("IsCertificateValid", warnings)
            .filter(|_| signature.is_none_or(|state| state.starts_with("Signed"))),
        determination_value: members.text(&["ThreatName"], warnings),
        global_prevalence: members.integer(&["GlobalPrevalence"], warnings),
        global_first_seen: members.timestamp(&["GlobalFirstSeen"], warnings),
        global_last_seen: members.timestamp(&["GlobalLastSeen"], warnings),
        ..FileContext::default()
    };
    let is_available = availability.is_some_and(|word| word.eq_ignore_ascii_case("Available"));
    (is_available || file.global_prevalence.is_some()).then_some(file)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::evidence::Evidence;

    fn rows(rows: &Value) -> SharedStr {
        json!({"schema": [], "results": rows}).to_string().into()
    }

    #[test]
    fn of_several_devices_with_a_name_the_newest_with_the_full_name_is_chosen() {
        let name = DeviceName::parse("desk-1.contoso.com").expect("a name");
        let row = |id: &str, name: &str, merged: &str| json!({"DeviceId": id, "DeviceName": name, "MergedToDeviceId": merged});
        let chosen = |all: &[Value]| {
            let context = device_context(&rows(&json!(all)), Some(&name)).expect("rows");
            context.and_then(|context| context.device?.id).as_deref().map(str::to_owned)
        };
        let short = row("a", "desk-1", "");
        let merged = row("b", "DESK-1.contoso.com", "c");
        let [newer, older] = ["c", "d"].map(|id| row(id, "desk-1.contoso.com", ""));
        let all = [short.clone(), merged.clone(), newer, older];
        assert_eq!(chosen(&all).as_deref(), Some("c"));
        assert_eq!(chosen(&all[..2]).as_deref(), Some("b"));
        assert_eq!(chosen(&all[..1]).as_deref(), Some("a"));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn tags_are_read_from_lists_json_texts_and_plain_texts() {
        for (column, right) in [
            (json!("[\"a\",\"b\"]"), &["a", "b"][..]),
            (json!(["a", "b"]), &["a", "b"]),
            (json!("a, b"), &["a", "b"]),
            (json!("a"), &["a"]),
            (json!("[]"), &[]),
            (json!(""), &[]),
            (Value::Null, &[]),
        ] {
            let body = rows(&json!([{"DeviceId": "a", "RegistryDeviceTag": column}]));
            let device = device_context(&body, None).expect("rows").and_then(|context| context.device);
            assert_eq!(device.expect("a device").tags, right, "{column}");
        }
    }

    #[test]
    fn columns_are_read_in_any_case_and_an_unassigned_group_is_none() {
        let body = rows(&json!([{"deviceId": "a", "osPlatform": "Linux", "OSVersionInfo": "", "osVersion": "9.4",
            "machineGroup": "UnassignedGroup", "timestamp": "2026-11-03T00:00:00Z"}]));
        let device = device_context(&body, None).expect("rows").and_then(|context| context.device).expect("a device");
        assert_eq!((device.os_platform.as_deref(), device.os_version.as_deref()), (Some("Linux"), Some("9.4")));
        assert_eq!((device.group, device.last_seen.is_some()), (None, true));
    }

    #[test]
    fn a_missing_profile_is_none_and_an_unknown_signature_is_null() {
        let file = |members: Value| {
            let mut row = json!({"SHA1": "ab", "ProfileAvailability": "Available", "GlobalPrevalence": 0});
            row.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
            file_context(&rows(&json!([row]))).expect("rows").map(|context| context.file.expect("a file"))
        };
        let valid = |state, valid| file(json!({"SignatureState": state, "IsCertificateValid": valid}))?.signature_valid;
        assert_eq!(valid("SignedValid", json!(true)), Some(true));
        assert_eq!(valid("SignedInvalid", json!(0)), Some(false));
        assert_eq!(valid("Unsigned", json!(false)), None);
        assert_eq!(valid("Unknown", json!(false)), None);
        assert_eq!(valid("SignedValid", Value::Null), None);
        assert_eq!(file(json!({})).and_then(|file| file.global_prevalence), Some(0));
        for availability in [json!("Missing"), json!("Error"), json!(""), Value::Null] {
            assert_eq!(file(json!({"ProfileAvailability": availability, "GlobalPrevalence": null})), None);
        }
    }

    #[test]
    fn a_device_is_completed_from_its_newest_alert_that_has_a_member() {
        let alert = |id: &str, members: Value| {
            let mut extra = Extra::default();
            extra.keep("mdeDeviceId", serde_json::value::to_raw_value(id).expect("JSON"));
            for (name, value) in members.as_object().expect("an object") {
                extra.keep(name.as_str(), serde_json::value::to_raw_value(value).expect("JSON"));
            }
            let evidence = vec![Evidence { kind: "device".into(), extra, ..Evidence::default() }];
            Alert { evidence, ..Alert::default() }
        };
        let alerts = [
            alert("b", json!({"riskScore": "low"})),
            alert("A", json!({"riskScore": "", "firstSeenDateTime": null, "ipInterfaces": []})),
            alert(
                "A",
                json!({"riskScore": "high", "firstSeenDateTime": "2026-01-12T07:55:03Z", "lastIpAddress": "192.0.2.7"}),
            ),
            alert("a", json!({"riskScore": "medium", "ipInterfaces": ["192.0.2.8"]})),
        ];
        let mut device = DeviceContext { id: Some("a".into()), ..DeviceContext::default() };
        complete_device(&mut device, &alerts);
        assert_eq!((device.risk_score.as_deref(), device.first_seen.is_some()), (Some("High"), true));
        assert_eq!(device.ip_addresses, ["192.0.2.7"]);
    }
}
