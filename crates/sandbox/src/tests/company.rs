//! What the invented company has to have.

use std::collections::BTreeSet;

use crate::company::model::Entity;
use crate::company::showcase;
use crate::{Company, Sandbox};

#[test]
fn every_reference_leads_to_a_record() {
    let company = Company::contoso();
    for alert in &company.alerts {
        for device in &alert.devices {
            assert!(company.device(device).is_some(), "{}: device {device}", alert.id);
        }
        for account in alert.user.iter().chain(&alert.logged_on) {
            assert!(company.user(account).is_some(), "{}: {account:?}", alert.id);
        }
        assert!(alert.incident.is_none_or(|id| company.incident(id).is_some()), "{}: {:?}", alert.id, alert.incident);
        for item in &alert.evidence {
            let is_known = match &item.entity {
                Entity::User(account) | Entity::Mailbox(account) => company.user(account).is_some(),
                Entity::File { sha1, .. } => company.file(sha1).is_some(),
                Entity::Process(process) => company.file(&process.sha1).is_some(),
                _ => true,
            };
            assert!(is_known && item.device.as_ref().is_none_or(|id| company.device(id).is_some()), "{item:?}");
        }
    }
}

#[test]
fn ids_and_hashes_are_unique_and_well_formed() {
    let company = Company::contoso();
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(company.devices.iter().all(|device| hex(&device.id, 40)));
    assert!(company.files.iter().all(|file| hex(&file.sha1, 40) && hex(&file.sha256, 64) && hex(&file.md5, 32)));
    let ids: BTreeSet<_> = company.alerts.iter().map(|alert| &alert.id).collect();
    assert_eq!(ids.len(), company.alerts.len());
}

#[test]
fn times_are_in_order_and_have_from_no_to_seven_digits_of_a_second() {
    let company = Company::contoso();
    let read = |time: &str| time.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{time}: {error}"));
    for alert in &company.alerts {
        assert!(read(&alert.first_activity) <= read(&alert.last_activity), "{}", alert.id);
        assert!(read(&alert.created) <= read(&alert.updated), "{}", alert.id);
        assert_eq!(alert.resolved.is_some(), alert.status == "Resolved", "{}", alert.id);
    }
    let alerts = company.alerts.iter();
    let alerts = alerts.flat_map(|alert| [&alert.created, &alert.first_activity, &alert.last_activity, &alert.updated]);
    let incidents = company.incidents.iter().flat_map(|incident| [&incident.created, &incident.updated]);
    let devices = company.devices.iter().flat_map(|device| [&device.first_seen, &device.last_seen]);
    let times: Vec<_> = alerts.chain(incidents).chain(devices).collect();
    for time in &times {
        read(time);
    }
    let digits: BTreeSet<_> =
        times.iter().map(|time| time.split_once('.').map_or(0, |(_, fraction)| fraction.len() - 1)).collect();
    assert!([0, 1, 2, 3, 4, 6, 7].iter().all(|count| digits.contains(count)), "{digits:?}");
}

#[test]
fn users_and_devices_have_the_irregular_names_of_a_real_tenant() {
    let company = Company::contoso();
    let has_user = |domain: bool, upn: bool| {
        company.users.iter().any(|user| (user.account.domain.is_some(), user.principal_name.is_some()) == (domain, upn))
    };
    assert!(has_user(true, true) && has_user(true, false) && has_user(false, false));
    let guest = company.users.iter().find(|user| user.principal_name.as_deref() == Some(showcase::GUEST)).unwrap();
    assert!(guest.account.name.ends_with("#EXT#"));
    let names: Vec<_> = company.devices.iter().map(|device| device.name.as_str()).collect();
    assert!(names.contains(&"pc1") && names.iter().any(|name| name.starts_with("pc10")), "{names:?}");
}

#[test]
fn two_devices_connected_to_the_address_and_domain_and_a_third_only_names_the_domain() {
    let company = Company::contoso();
    let devices_of = |matches: &dyn Fn(&Entity) -> bool| -> Vec<&String> {
        let alerts = company.alerts.iter().filter(|alert| alert.evidence.iter().any(|item| matches(&item.entity)));
        alerts.filter_map(|alert| alert.devices.first()).collect()
    };
    let of_address = devices_of(&|entity| matches!(entity, Entity::Ip(Some(ip)) if ip == showcase::ADDRESS));
    assert!(of_address.len() == 2 && of_address[0] != of_address[1]);
    let is_at = |url: &str| crate::company::is_at_or_below(url, showcase::DOMAIN);
    assert_eq!(devices_of(&|entity| matches!(entity, Entity::Url(url) if is_at(url))), of_address);
    assert_eq!(devices_of(&|entity| matches!(entity, Entity::Url(url) if url.contains(showcase::DOMAIN))).len(), 3);
}

#[tokio::test]
async fn every_subject_of_the_showcase_is_answered() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut kinds = BTreeSet::new();
    for subject in showcase::showcase() {
        kinds.insert(subject.kind);
        let value = subject.value;
        let response = match subject.kind {
            "alert" => sandbox.mde(&format!("/api/alerts/{value}")).await,
            "machine" => {
                let name: String = url::form_urlencoded::byte_serialize(value.replace('\'', "''").as_bytes()).collect();
                sandbox.mde(&format!("/api/machines?$filter=computerDnsName+eq+'{name}'")).await
            }
            "user" => sandbox.mde(&format!("/api/users/{}/alerts", value.split('@').next().unwrap())).await,
            "file" => sandbox.mde(&format!("/api/files/{value}")).await,
            "incident" => sandbox.xdr(&format!("/api/incidents/{value}")).await,
            "ip" => sandbox.mde(&format!("/api/ips/{value}/alerts")).await,
            "domain" => sandbox.mde(&format!("/api/domains/{value}/alerts")).await,
            other => panic!("{other}"),
        };
        assert_eq!(response.status, 200, "{subject:?}");
        assert!(response.json()["value"].as_array().is_none_or(|list| !list.is_empty()), "{subject:?}");
    }
    assert_eq!(kinds.len(), 7);
}
