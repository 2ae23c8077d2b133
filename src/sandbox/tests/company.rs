//! What the invented company must have to show.

use std::collections::BTreeSet;

use super::super::company::evidence::Entity;
use super::super::company::model::User;
use crate::sandbox::company::showcase;
use crate::sandbox::{Company, Sandbox};

#[test]
fn what_is_referred_to_exists() {
    let company = Company::contoso();
    for alert in &company.alerts {
        for device in alert.devices {
            assert!(company.device(device).is_some(), "{}: device {device}", alert.id);
        }
        let accounts = alert.user.iter().chain(alert.logged_on);
        assert!(accounts.clone().all(|account| company.user(*account).is_some()), "{}: {accounts:?}", alert.id);
        let incident = alert.incident.map(|id| company.incidents.iter().any(|incident| incident.id == id));
        assert_ne!(incident, Some(false), "{}: incident {:?}", alert.id, alert.incident);
        for item in alert.evidence {
            let known = match item.entity {
                Entity::User(account) | Entity::Mailbox(account) => company.user(account).is_some(),
                Entity::File { sha1, .. } => company.file(sha1).is_some(),
                Entity::Process(process) => company.file(process.sha1).is_some(),
                _ => true,
            };
            assert!(known, "{}: {item:?}", alert.id);
        }
    }
}

#[test]
fn ids_and_hashes_are_unique_and_well_formed() {
    let company = Company::contoso();
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(company.devices.iter().all(|device| hex(device.id, 40)));
    assert!(company.files.iter().all(|file| hex(file.sha1, 40) && hex(file.sha256, 64) && hex(file.md5, 32)));
    let ids: BTreeSet<_> = company.alerts.iter().map(|alert| alert.id).collect();
    assert_eq!(ids.len(), company.alerts.len());
}

#[test]
fn times_can_be_read_and_have_from_no_to_seven_digits_of_a_second() {
    let company = Company::contoso();
    let times: Vec<_> = company
        .alerts
        .iter()
        .flat_map(|alert| [alert.created, alert.activity.0, alert.activity.1, alert.updated])
        .chain(company.incidents.iter().flat_map(|incident| [incident.created, incident.updated]))
        .chain(company.devices.iter().flat_map(|device| [device.first_seen, device.last_seen]))
        .collect();
    let digits: BTreeSet<_> = times
        .iter()
        .map(|time| {
            assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
            time.split_once('.').map_or(0, |(_, fraction)| fraction.len() - 1)
        })
        .collect();
    assert!([0, 1, 2, 3, 4, 6, 7].iter().all(|count| digits.contains(count)), "{digits:?}");
}

#[test]
fn every_alert_ends_after_it_began() {
    for alert in Company::contoso().alerts {
        let read = |time: &str| time.parse::<jiff::Timestamp>().unwrap();
        assert!(read(alert.activity.0) <= read(alert.activity.1), "{}", alert.id);
        assert!(read(alert.created) <= read(alert.updated), "{}", alert.id);
        assert_eq!(alert.resolved.is_some(), format!("{:?}", alert.status) == "Resolved", "{}", alert.id);
    }
}

#[test]
fn its_records_are_as_irregular_as_those_of_others() {
    let company = Company::contoso();
    let users = |wanted: fn(&User) -> bool| company.users.iter().filter(|user| wanted(user)).count();
    assert!(users(|user| user.principal_name.is_none() && user.account.domain.is_some()) > 0);
    assert!(users(|user| user.account.domain.is_none()) > 0);
    assert!(users(|user| user.principal_name == Some(showcase::GUEST) && user.account.name.ends_with("#EXT#")) > 0);
    let names: Vec<_> = company.devices.iter().map(|device| device.name).collect();
    assert!(names.contains(&"pc1") && names.iter().any(|name| name.starts_with("pc10")), "{names:?}");
    let every_account_has_alerts =
        company.users.iter().all(|user| company.alerts.iter().any(|alert| alert.is_about(user.account.name)));
    assert!(every_account_has_alerts);
}

#[test]
fn two_devices_have_talked_to_one_address_and_its_domain() {
    let is_host = |url: &str| {
        let host = url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
        host.strip_suffix(showcase::DOMAIN).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let devices_of = |wanted: &dyn Fn(&Entity) -> bool| -> Vec<&str> {
        let company = Company::contoso();
        let alerts = company.alerts.iter().filter(|alert| alert.evidence.iter().any(|item| wanted(&item.entity)));
        alerts.filter_map(|alert| alert.devices.first().copied()).collect()
    };
    let of_address = devices_of(&|entity| matches!(entity, Entity::Ip(Some(showcase::ADDRESS))));
    let of_domain = devices_of(&|entity| matches!(entity, Entity::Url(url) if is_host(url)));
    assert_eq!(of_address.len(), 2);
    assert_ne!(of_address[0], of_address[1]);
    assert_eq!(of_domain, of_address);
    let named = devices_of(&|entity| matches!(entity, Entity::Url(url) if url.contains(showcase::DOMAIN)));
    assert_eq!(named.len(), 3, "one only names it in a query");
}

#[tokio::test]
async fn a_device_that_was_imaged_three_times_comes_over_two_pages() {
    let sandbox = Sandbox::start().await.unwrap();
    let first = sandbox.mde("/api/machines?$filter=computerDnsName+eq+'lap-021.contoso.com'").await.json();
    let next = first["@odata.nextLink"].as_str().expect("a link to the next page");
    let second = sandbox.mde(&next[next.find("/api/").unwrap()..]).await.json();
    let health = |page: &serde_json::Value| -> Vec<String> {
        let records = page["value"].as_array().unwrap().iter();
        records.map(|record| record["healthStatus"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((health(&first), health(&second)), (vec!["Inactive".to_owned(); 2], vec!["Active".to_owned()]));
    assert_eq!(second["@odata.nextLink"], serde_json::Value::Null);
}

#[tokio::test]
async fn every_subject_of_the_showcase_is_there() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut kinds = BTreeSet::new();
    for subject in showcase::showcase() {
        kinds.insert(subject.kind);
        let heard = match subject.kind {
            "alert" => sandbox.mde(&format!("/api/alerts/{}", subject.value)).await,
            "machine" => {
                let name: String =
                    url::form_urlencoded::byte_serialize(subject.value.replace('\'', "''").as_bytes()).collect();
                sandbox.mde(&format!("/api/machines?$filter=computerDnsName+eq+'{name}'")).await
            }
            "user" => sandbox.mde(&format!("/api/users/{}/alerts", subject.value.split('@').next().unwrap())).await,
            "file" => sandbox.mde(&format!("/api/files/{}", subject.value)).await,
            "incident" => sandbox.xdr(&format!("/api/incidents/{}", subject.value)).await,
            "ip" => sandbox.mde(&format!("/api/ips/{}/alerts", subject.value)).await,
            "domain" => sandbox.mde(&format!("/api/domains/{}/alerts", subject.value)).await,
            other => panic!("{other}"),
        };
        assert_eq!(heard.status, 200, "{subject:?}");
        assert!(heard.json()["value"].as_array().is_none_or(|list| !list.is_empty()), "{subject:?}");
    }
    assert_eq!(kinds.len(), 7);
}
