//! The Defender APIs.

use serde_json::json;

use super::client::ask;
use crate::company::showcase;
use crate::{DEFENDER_AUDIENCE, FEDERATION_AUDIENCE, Route, Sandbox, Service, Unfindable, XDR_AUDIENCE};

const DESK_042: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";

#[tokio::test]
async fn an_alert_has_every_member_of_every_type_of_evidence() {
    let sandbox = Sandbox::start().await.unwrap();
    let response = sandbox.mde(&format!("/api/alerts/{}", showcase::ALERT)).await;
    assert!(response.header("content-type").unwrap().starts_with("application/json; odata.metadata=minimal"));
    assert_eq!(response.header("odata-version"), Some("4.0"));
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    let alert = response.json();
    assert!(alert["@odata.context"].as_str().unwrap().ends_with("$metadata#Alerts/$entity"));
    let evidence = alert["evidence"].as_array().unwrap();
    assert!(evidence.iter().all(|item| item.as_object().unwrap().len() == 26));
    let words: Vec<_> = evidence.iter().map(|item| item["entityType"].as_str().unwrap()).collect();
    assert_eq!(words, ["User", "Process", "Process", "File", "Ip", "Url", "Registry"]);
    assert_eq!((&evidence[3]["sha256"], &evidence[3]["ipAddress"]), (&json!(showcase::FILE), &json!(null)));
}

#[tokio::test]
async fn an_unknown_subject_is_404_or_an_empty_list_depending_on_the_route() {
    let sandbox = Sandbox::start().await.unwrap();
    let nobody = "0123456789abcdef0123456789abcdef01234567";
    for target in
        [format!("/api/alerts/{nobody}"), format!("/api/machines/{nobody}/alerts"), format!("/api/files/{nobody}")]
    {
        let response = sandbox.mde(&target).await;
        assert_eq!((response.status, response.code().as_str()), (404, "ResourceNotFound"), "{target}");
    }
    assert_eq!(sandbox.xdr("/api/incidents/1").await.code(), "ResourceNotFound");
    for target in ["/api/users/nobody/alerts".to_owned(), format!("/api/files/{nobody}/alerts")] {
        assert!(sandbox.mde(&target).await.ids().is_empty(), "{target}");
    }
}

#[tokio::test]
async fn alerts_of_other_products_are_in_incidents_only() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(sandbox.mde("/api/alerts/fafcdf7234-b71e-41fc-9ca3-e5a434606d8a").await.status, 404);
    let incident = sandbox.xdr("/api/incidents/3107").await.json();
    let alerts = incident["alerts"].as_array().unwrap();
    let mail = alerts.iter().find(|alert| alert["alertId"].as_str().unwrap().starts_with("fafc")).unwrap();
    assert_eq!(mail["serviceSource"], "OfficeATP");
    let entities = mail["entities"].as_array().unwrap();
    let words: Vec<_> = entities.iter().map(|item| item["entityType"].as_str().unwrap()).collect();
    assert_eq!(words, ["MailBox", "MailMessage", "Url", "MailCluster"]);
    assert!(entities.iter().all(|item| item.as_object().unwrap().values().all(|value| !value.is_null())));
}

#[tokio::test]
async fn machines_are_filtered_by_name_and_by_nothing_else() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.set_page_size(Some(100));
    for (filter, count) in [
        ("computerDnsName+eq+'DESK-017.contoso.com'", 2),
        ("computerDnsName%20eq%20%27desk-042.contoso.com%27", 1),
        ("startswith(computerDnsName,'desk-')", 4),
        ("computerDnsName+eq+'Dana''s+iPad'", 1),
        ("computerDnsName+eq+'pc1'+or+startswith(computerDnsName,'pc1.')", 1),
        ("computerDnsName+eq+'nobody'", 0),
    ] {
        assert_eq!(sandbox.mde(&format!("/api/machines?$filter={filter}")).await.ids().len(), count, "{filter}");
    }
    for filter in [
        "computerDnsName+eq+'Dana's+iPad'",
        "osPlatform+eq+'iOS'",
        "computerDnsName+eq+x",
        "computerDnsName+eq+'pc1'+and+computerDnsName+eq+'pc1'",
        "startswith(",
        "",
        "'",
        "%00",
    ] {
        let response = sandbox.mde(&format!("/api/machines?$filter={filter}")).await;
        assert_eq!((response.status, response.code().as_str()), (400, "ODataError"), "{filter}");
    }
    for (query, status) in [("%24top=2", 200), ("$top=x", 400), ("$count=true", 400)] {
        assert_eq!(sandbox.mde(&format!("/api/machines?{query}")).await.status, status, "{query}");
    }
    sandbox.set_page_size(None);
    for target in ["/api/users/x/alerts?$top=1", "/api/users/x/alerts?%24skip=0"] {
        assert_eq!(sandbox.mde(target).await.code(), "BadRequest", "{target}");
    }
}

#[tokio::test]
async fn a_device_that_was_imaged_three_times_needs_two_pages() {
    let sandbox = Sandbox::start().await.unwrap();
    let first = sandbox.mde("/api/machines?$filter=computerDnsName+eq+'lap-021.contoso.com'").await.json();
    let next = first["@odata.nextLink"].as_str().expect("a link to the next page");
    let second = sandbox.mde(&next[next.find("/api/").unwrap()..]).await.json();
    let health = |page: &serde_json::Value| -> Vec<String> {
        let records = page["value"].as_array().unwrap().iter();
        records.map(|record| record["healthStatus"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((health(&first), health(&second)), (vec!["Inactive".to_owned(); 2], vec!["Active".to_owned()]));
    assert_eq!(second["@odata.nextLink"], json!(null));
}

#[tokio::test]
async fn an_invalid_hash_is_refused_and_both_hashes_find_a_file() {
    let sandbox = Sandbox::start().await.unwrap();
    for hash in [showcase::FILE.to_uppercase(), showcase::FILE_SHA1.to_owned()] {
        assert_eq!(sandbox.mde(&format!("/api/files/{hash}")).await.json()["sha256"], showcase::FILE);
    }
    for target in ["/api/files/xyz".to_owned(), format!("/api/files/{}/alerts", showcase::FILE)] {
        assert_eq!(sandbox.mde(&target).await.code(), "InvalidHashValue");
    }
}

#[tokio::test]
async fn statistics_have_each_count_twice_and_nothing_seen_is_0() {
    let sandbox = Sandbox::start().await.unwrap();
    let (address, domain) = (showcase::ADDRESS, showcase::DOMAIN);
    for (target, name, count) in [
        (format!("/api/files/{}/stats", showcase::FILE_SHA1), "sha1", 2),
        (format!("/api/files/{}/stats", showcase::SIGNED_FILE), "sha1", 412),
        (format!("/api/ips/{address}/stats?lookBackHours=720"), "ipAddress", 2),
        ("/api/ips/192.0.2.250/stats".to_owned(), "ipAddress", 0),
        (format!("/api/domains/{domain}/stats"), "host", 2),
        ("/api/domains/nowhere.example/stats".to_owned(), "host", 0),
    ] {
        let stats = sandbox.mde(&target).await.json();
        let counts = (&stats["organizationPrevalence"], &stats["orgPrevalence"]);
        assert_eq!(counts, (&json!(count), &json!(count.to_string())), "{target}");
        assert!(stats[name].is_string() && stats["orgLastSeen"].is_null() == (count == 0), "{target}: {stats}");
    }
    let unknown = format!("/api/files/{DESK_042}/stats");
    for (target, status) in [
        (unknown.as_str(), 404),
        ("/api/files/xyz/stats", 400),
        ("/api/ips/256.0.2.1/stats", 400),
        ("/api/ips/192.0.2.1/stats?lookBackHours=721", 400),
        ("/api/ips/192.0.2.1/machines", 404),
    ] {
        assert_eq!(sandbox.mde(target).await.status, status, "{target}");
    }
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Alert.Read.All", "Machine.Read.All"]);
    for (target, role) in
        [("files/xyz/stats", "File.Read.All"), ("ips/x/stats", "Ip.Read.All"), ("domains/x/stats", "URL.Read.All")]
    {
        let refused = sandbox.mde(&format!("/api/{target}")).await;
        assert!(refused.status == 403 && refused.text().contains(role), "{target}: {}", refused.text());
    }
}

#[tokio::test]
async fn what_nobody_has_signed_has_null_for_its_signature() {
    let sandbox = Sandbox::start().await.unwrap();
    let signature = async |hash| {
        let file = sandbox.mde(&format!("/api/files/{hash}")).await.json();
        ["filePublisher", "signer", "issuer", "isValidCertificate"].map(|name| !file[name].is_null())
    };
    assert_eq!(signature(showcase::FILE).await, [false; 4]);
    assert_eq!(signature(showcase::SIGNED_FILE).await, [true; 4]);
}

#[tokio::test]
async fn an_unknown_route_has_no_error_body() {
    let sandbox = Sandbox::start().await.unwrap();
    for target in ["/", "/api", "/api/alerts", "/api/alerts/", "/api/alerts/a/b", "/api/users/x", "/api/incidents/1"] {
        let response = sandbox.mde(target).await;
        assert_eq!((response.status, response.body.len()), (404, 0), "{target}");
    }
    assert_eq!(sandbox.xdr("/api/alerts/x").await.status, 404);
    let origin = sandbox.origin(Service::Defender);
    assert_eq!(ask(origin, "DELETE", "/api/machines", &[], "").await.unwrap().status, 404);
    assert!(sandbox.seen().iter().all(|seen| seen.route.is_none()));
}

#[tokio::test]
async fn tokens_and_roles_are_checked_before_the_quota() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.set_quota(2, 100);
    let (mde, xdr) = (sandbox.origin(Service::Defender), sandbox.origin(Service::Xdr));
    let bearer = |token: String| format!("Authorization: Bearer {token}");
    let unknown = bearer("no.such.token".to_owned());
    for headers in [&[][..], &["Authorization: Basic eDp5"], &[unknown.as_str()]] {
        let response = ask(mde, "GET", "/api/machines", headers, "").await.unwrap();
        assert_eq!((response.status, response.code().as_str()), (401, "Unauthorized"));
    }
    let foreign = bearer(sandbox.mint(XDR_AUDIENCE));
    assert_eq!(ask(mde, "GET", "/api/machines", &[&foreign], "").await.unwrap().status, 403);
    let foreign = bearer(sandbox.mint(DEFENDER_AUDIENCE));
    assert_eq!(ask(xdr, "GET", "/api/incidents/3107", &[&foreign], "").await.unwrap().status, 401);

    let earlier = bearer(sandbox.mint(DEFENDER_AUDIENCE));
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Machine.Read.All"]);
    let response = sandbox.mde("/api/users/x/alerts").await;
    let message = "Missing application roles. API required roles: Alert.Read.All,Alert.ReadWrite.All, application roles: Machine.Read.All.";
    assert_eq!((response.status, &response.json()["error"]["message"]), (403, &json!(message)));
    for status in [200, 200, 429] {
        assert_eq!(ask(mde, "GET", "/api/users/x/alerts", &[&earlier], "").await.unwrap().status, status);
    }
    let response = sandbox.mde("/api/machines").await;
    let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((response.code().as_str(), (50..=60).contains(&wait)), ("TooManyRequests", true), "{wait}");
    assert_eq!(sandbox.xdr("/api/incidents/3107").await.status, 200);
    sandbox.revoke_tokens();
    assert_eq!(ask(mde, "GET", "/api/machines", &[&earlier], "").await.unwrap().status, 401);
}

#[tokio::test]
async fn a_record_of_a_test_replaces_the_one_of_the_story() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_alert(json!({"id": showcase::ALERT, "machineId": DESK_042, "title": "Mine", "new": [1]})).unwrap();
    let alert = sandbox.mde(&format!("/api/alerts/{}", showcase::ALERT)).await.json();
    assert_eq!((&alert["title"], &alert["new"]), (&json!("Mine"), &json!([1])));
    assert_eq!(sandbox.mde(&format!("/api/machines/{DESK_042}/alerts")).await.ids().len(), 6);
    let evidence = json!([{"entityType": "File", "sha1": showcase::FILE_SHA1}, 7, null]);
    let related = json!({"userName": "øyvind", "domainName": null});
    sandbox.put_alert(json!({"id": "mine", "relatedUser": related, "evidence": evidence})).unwrap();
    assert_eq!(sandbox.mde("/api/users/%C3%98yvind/alerts").await.ids(), ["mine"]);
    let of_file = sandbox.mde(&format!("/api/files/{}/alerts", showcase::FILE_SHA1)).await.ids();
    assert!(of_file.contains(&"mine".to_owned()));
    sandbox.put_machine(json!({"id": DESK_042, "computerDnsName": "renamed"})).unwrap();
    assert_eq!(sandbox.mde("/api/machines/RENAMED").await.json()["id"], DESK_042);
    sandbox.put_incident(json!({"incidentId": 3107, "incidentName": "Mine"})).unwrap();
    assert_eq!(sandbox.xdr("/api/incidents/3107").await.json()["incidentName"], "Mine");
    assert_eq!(sandbox.put_alert(json!("text")), Err(Unfindable("id")));
    assert_eq!(sandbox.put_incident(json!({"incidentId": "1"})), Err(Unfindable("incidentId")));
}

#[tokio::test]
async fn requests_are_recorded_without_their_tokens() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.mde("/api/users/a%2Fb%20c+d/alerts?x=%20y").await;
    sandbox.xdr("/api/v1.0/incidents/3107").await;
    let token = format!("Authorization: Bearer {}", sandbox.mint(FEDERATION_AUDIENCE));
    ask(sandbox.origin(Service::Xdr), "GET", "/api/incidents/7", &["X-Test: yes", &token], "").await.unwrap();
    sandbox.revoke_tokens();
    ask(sandbox.origin(Service::Xdr), "GET", "/api/incidents/8", &[&token], "").await.unwrap();
    let seen = sandbox.seen();
    assert_eq!((seen[0].route, seen[0].service), (Some(Route::UserAlerts), Service::Defender));
    assert_eq!((seen[0].path.as_str(), seen[0].query.as_str()), ("/api/users/a%2Fb%20c+d/alerts", "x=%20y"));
    assert_eq!((seen[0].key.as_str(), seen[0].header("authorization")), ("a/b c+d", Some(DEFENDER_AUDIENCE)));
    assert_eq!((seen[1].route, seen[1].key.as_str()), (Some(Route::Incident), "3107"));
    assert_eq!((seen[2].header("X-Test"), seen[2].header("authorization")), (Some("yes"), Some(FEDERATION_AUDIENCE)));
    assert_eq!(seen[3].header("authorization"), Some("unknown"));
    sandbox.forget();
    assert!(sandbox.seen().is_empty());
}
