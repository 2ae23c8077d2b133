//! Rows about a subject itself: a row of `DeviceInfo`, a file's profile, and what only the alerts say of a device.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceinfo-table>,
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-fileprofile-function>.

use super::row::by_column;
use super::words::pascal_case;
use crate::client::ClientError;
use crate::domain::alert::Alert;
use crate::domain::context::{DeviceContext, FileContext, SubjectContext};
use crate::domain::extra::Extra;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceName, NameMatch};
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{MembersReader, list};
use crate::lenient_json::members::Members;

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
/// those whose record was not merged into another. Of several records of one name, the newest counts. `None`: there is no
/// row, or devices with different names are meant.
pub(in crate::backend::graph) fn device_context(
    body: &SharedStr,
    name: Option<&DeviceName>,
) -> Result<Option<SubjectContext>, ClientError> {
    let name_of = |device: &DeviceContext| device.name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut rows = rows_of(body, device)?;
    if let Some(name) = name {
        rows.retain(|(device, _)| name.matches(&name_of(device)).is_some());
    }
    let rank = |(device, is_merged): &(DeviceContext, bool)| {
        (name.is_some_and(|name| name.matches(&name_of(device)) != Some(NameMatch::Whole)), *is_merged)
    };
    let Some(best) = rows.iter().map(rank).min() else { return Ok(None) };
    let mut equal = rows.into_iter().filter(|row| rank(row) == best).map(|(device, _)| device);
    let Some(newest) = equal.next() else { return Ok(None) };
    let is_ambiguous = name.is_some() && equal.any(|other| name_of(&other) != name_of(&newest));
    Ok((!is_ambiguous).then(|| SubjectContext { device: Some(newest), ..SubjectContext::default() }))
}

/// Reads a file's profile. `None`: Microsoft has none.
pub(in crate::backend::graph) fn file_context(body: &SharedStr) -> Result<Option<SubjectContext>, ClientError> {
    let rows = rows_of(body, file)?;
    let file = rows.into_iter().next().transpose()?.flatten();
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

/// Reads each row of a response through a function of its columns. The texts are copied, because they are cached for longer
/// than the body is needed.
fn rows_of<T>(body: &SharedStr, read: fn(&mut Members<'_>) -> T) -> Result<Vec<T>, ClientError> {
    let ours = |name: &str| COLUMNS.into_iter().find(|column| column.eq_ignore_ascii_case(name));
    let read = |row: Members<'_>| read(&mut by_column(&row, body, ours).detached());
    Ok(list(body, "results", &mut MembersReader(read))?.items)
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

/// Reads a file's profile; `None` if Microsoft has none. A file without a known signature has no valid or invalid one.
fn file(members: &mut Members<'_>) -> Result<Option<FileContext>, ClientError> {
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
    let is = |word| availability.as_deref().is_some_and(|availability| availability.eq_ignore_ascii_case(word));
    if is("Available") || file.global_prevalence.is_some() {
        Ok(Some(file))
    } else if is("Missing") {
        Ok(None)
    } else {
        Err(ClientError::unavailable("the profile of the file could not be read"))
    }
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
        assert_eq!(chosen(&[row("e", "desk-1.fabrikam.com", "")]), None, "another device");
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
        assert_eq!(file(json!({"ProfileAvailability": "Missing", "GlobalPrevalence": null})), None);
        for availability in [json!("Error"), json!(""), Value::Null] {
            let body = rows(&json!([{"SHA1": "ab", "ProfileAvailability": availability, "GlobalPrevalence": null}]));
            assert!(file_context(&body).is_err(), "it is not known whether there is one: {availability}");
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
