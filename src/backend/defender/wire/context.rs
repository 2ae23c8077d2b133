//! What is known of a subject itself: records of devices and files, and statistics.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/machine>,
//! <https://learn.microsoft.com/defender-endpoint/api/files>,
//! <https://learn.microsoft.com/defender-endpoint/api/get-file-statistics>. Files have an `md5` too, which the page does not
//! name. Each count of the statistics comes twice: as a number under its new name, as text under its old one.

use crate::client::ClientError;
use crate::domain::context::{DeviceContext, DomainContext, FileContext, IpContext, SubjectContext};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;
use crate::lenient_json::body::{MembersReader, object};
use crate::lenient_json::members::Members;

const GLOBAL_PREVALENCE: [&str; 2] = ["globallyPrevalence", "globalPrevalence"];
const ORG_PREVALENCE: [&str; 2] = ["organizationPrevalence", "orgPrevalence"];

/// Reads the body of `GET /api/machines/{id}`.
pub(in crate::backend::defender) fn device_context(body: &SharedStr) -> Result<SubjectContext, ClientError> {
    Ok(SubjectContext { device: Some(read(body, device)?), ..SubjectContext::default() })
}

/// Reads the body of `GET /api/files/{sha1}`, or of `GET /api/files/{sha1}/stats`.
pub(in crate::backend::defender) fn file_context(body: &SharedStr) -> Result<SubjectContext, ClientError> {
    Ok(SubjectContext { file: Some(read(body, file)?), ..SubjectContext::default() })
}

/// Reads the body of `GET /api/ips/{ip}/stats`.
pub(in crate::backend::defender) fn ip_context(body: &SharedStr) -> Result<SubjectContext, ClientError> {
    Ok(SubjectContext { ip: Some(read(body, ip)?), ..SubjectContext::default() })
}

/// Reads the body of `GET /api/domains/{domain}/stats`.
pub(in crate::backend::defender) fn domain_context(body: &SharedStr) -> Result<SubjectContext, ClientError> {
    Ok(SubjectContext { domain: Some(read(body, domain)?), ..SubjectContext::default() })
}

/// Reads a body. Its texts are copied, because they are cached for longer than the body is needed. An object without any
/// known member is malformed.
pub(super) fn read<T: Default + PartialEq>(
    body: &SharedStr,
    read: fn(&mut Members<'_>) -> T,
) -> Result<T, ClientError> {
    let item = object(body, &mut MembersReader(|members: Members<'_>| read(&mut members.detached())))?;
    if item == T::default() { Err(ClientError::malformed("JSON of another shape")) } else { Ok(item) }
}

/// Reads a device record. Members of an unexpected type are null.
pub(super) fn device(members: &mut Members<'_>) -> DeviceContext {
    let warnings = &mut Warnings::default();
    let addresses = members.objects(&["ipAddresses"], warnings).into_iter();
    DeviceContext {
        id: members.text(&["id"], warnings),
        name: members.text(&["computerDnsName"], warnings),
        os_platform: members.text(&["osPlatform"], warnings),
        os_version: members.text(&["version"], warnings),
        health_status: members.text(&["healthStatus"], warnings),
        onboarding_status: members.text(&["onboardingStatus"], warnings),
        risk_score: members.text(&["riskScore"], warnings),
        exposure_level: members.text(&["exposureLevel"], warnings),
        device_value: members.text(&["deviceValue"], warnings),
        group: members.text(&["rbacGroupName"], warnings),
        tags: members.texts(&["machineTags"], warnings),
        ip_addresses: addresses.filter_map(|mut address| address.text(&["ipAddress"], warnings)).collect(),
        public_ip: members.text(&["lastExternalIpAddress"], warnings),
        aad_device_id: members.text(&["aadDeviceId"], warnings),
        first_seen: members.timestamp(&["firstSeen"], warnings),
        last_seen: members.timestamp(&["lastSeen"], warnings),
    }
}

/// Reads a file record or the statistics of a file, which have different members.
pub(super) fn file(members: &mut Members<'_>) -> FileContext {
    let warnings = &mut Warnings::default();
    FileContext {
        sha1: members.text(&["sha1"], warnings),
        sha256: members.text(&["sha256"], warnings),
        md5: members.text(&["md5"], warnings),
        size: members.integer(&["size"], warnings),
        publisher: members.text(&["filePublisher"], warnings),
        product: members.text(&["fileProductName"], warnings),
        signer: members.text(&["signer"], warnings),
        issuer: members.text(&["issuer"], warnings),
        signature_valid: members.boolean("isValidCertificate", warnings),
        determination: members.text(&["determinationType"], warnings),
        determination_value: members.text(&["determinationValue"], warnings),
        global_prevalence: members.integer(&GLOBAL_PREVALENCE, warnings),
        global_first_seen: members.timestamp(&["globalFirstObserved"], warnings),
        global_last_seen: members.timestamp(&["globalLastObserved"], warnings),
        org_prevalence: members.integer(&ORG_PREVALENCE, warnings),
        org_first_seen: members.timestamp(&["orgFirstSeen"], warnings),
        org_last_seen: members.timestamp(&["orgLastSeen"], warnings),
    }
}

fn ip(members: &mut Members<'_>) -> IpContext {
    let warnings = &mut Warnings::default();
    IpContext {
        address: members.text(&["ipAddress"], warnings),
        org_prevalence: members.integer(&ORG_PREVALENCE, warnings),
        org_first_seen: members.timestamp(&["orgFirstSeen"], warnings),
        org_last_seen: members.timestamp(&["orgLastSeen"], warnings),
    }
}

fn domain(members: &mut Members<'_>) -> DomainContext {
    let warnings = &mut Warnings::default();
    DomainContext {
        name: members.text(&["host"], warnings),
        org_prevalence: members.integer(&ORG_PREVALENCE, warnings),
        org_first_seen: members.timestamp(&["orgFirstSeen"], warnings),
        org_last_seen: members.timestamp(&["orgLastSeen"], warnings),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_count_is_read_under_either_name_as_text_or_number() {
        for (name, other, counts) in [
            ("organizationPrevalence", "orgPrevalence", (Some(7), None)),
            ("globallyPrevalence", "globalPrevalence", (None, Some(7))),
        ] {
            for body in [
                json!({name: 7}),
                json!({other: "7"}),
                json!({other: 7}),
                json!({name: "7"}),
                json!({name: 7, other: "7"}),
            ] {
                let file = read(&body.to_string().into(), file).expect("statistics");
                assert_eq!((file.org_prevalence, file.global_prevalence), counts, "{body}");
            }
        }
        let none = read(&json!({"organizationPrevalence": 0, "orgFirstSeen": null}).to_string().into(), ip);
        assert_eq!(none.expect("statistics").org_prevalence, Some(0));
    }

    #[test]
    fn a_missing_signature_is_null_and_an_unknown_determination_keeps_its_value() {
        let body = json!({"sha1": "ab", "signer": null, "isValidCertificate": null, "filePublisher": "",
            "determinationType": "Unknown", "determinationValue": "Virus:DOS/EICAR_Test_File"});
        let file = read(&body.to_string().into(), file).expect("a file");
        assert_eq!((file.signature_valid, file.publisher), (None, None));
        assert_eq!(file.determination.as_deref(), Some("Unknown"));
        assert_eq!(file.determination_value.as_deref(), Some("Virus:DOS/EICAR_Test_File"));
    }

    #[test]
    fn a_member_of_an_unexpected_type_is_null_and_an_object_without_known_members_is_malformed() {
        let body = json!({"id": "ab", "osPlatform": {"x": 1}, "machineTags": "one", "ipAddresses": [{"ipAddress": null}, null],
            "lastSeen": "yesterday", "riskScore": 7});
        let device_of = |body: &str| read(&body.into(), device);
        let device = device_of(&body.to_string()).expect("a device");
        assert_eq!((device.os_platform, device.last_seen, device.ip_addresses), (None, None, Vec::new()));
        assert_eq!((device.tags, device.risk_score.as_deref()), (vec!["one".into()], Some("7")));
        for body in ["{}", r#"{"error":{}}"#, "[]", "<html>", ""] {
            assert!(device_of(body).is_err(), "{body}");
        }
    }
}
