//! The Defender APIs.

use serde_json::json;

use super::client::ask;
use crate::sandbox::company::showcase;
use crate::sandbox::{
    Company, DEFENDER_AUDIENCE, FEDERATION_AUDIENCE, Route, Sandbox, Service, Unfindable, XDR_AUDIENCE,
};

const DESK_042: &str = "362ded5edf49a09eff1a4645db892f3af1c2e2cd";

#[tokio::test]
async fn an_alert_carries_dense_evidence() {
    let sandbox = Sandbox::start().await.unwrap();
    let heard = sandbox.mde(&format!("/api/alerts/{}", showcase::ALERT)).await;
    assert_eq!(heard.status, 200);
    assert!(heard.header("content-type").unwrap().starts_with("application/json; odata.metadata=minimal"));
    assert_eq!(heard.header("odata-version"), Some("4.0"));
    assert_eq!(heard.header("transfer-encoding"), Some("chunked"));
    let alert = heard.json();
    assert!(alert["@odata.context"].as_str().unwrap().ends_with("$metadata#Alerts/$entity"));
    assert_eq!((&alert["severity"], &alert["status"]), (&json!("High"), &json!("New")));
    assert_eq!(alert["computerDnsName"], "desk-042.contoso.com");
    assert_eq!(alert["relatedUser"], json!({"userName": "dana.reyes", "domainName": "CONTOSO"}));
    assert_eq!(alert["resolvedTime"], json!(null));
    let evidence = alert["evidence"].as_array().unwrap();
    assert!(evidence.iter().all(|item| item.as_object().unwrap().len() == 26));
    let words: Vec<_> = evidence.iter().map(|item| item["entityType"].as_str().unwrap()).collect();
    assert_eq!(words, ["User", "Process", "Process", "File", "Ip", "Url", "Registry"]);
    assert_eq!(evidence[0]["userPrincipalName"], showcase::USER);
    assert_eq!(evidence[3]["sha256"], showcase::FILE);
    assert_eq!(evidence[3]["ipAddress"], json!(null));
}

#[tokio::test]
async fn lists_leave_evidence_out_unless_told() {
    let sandbox = Sandbox::start().await.unwrap();
    let target = format!("/api/machines/{DESK_042}/alerts");
    let evidence = |list: &serde_json::Value| list["value"][0]["evidence"].as_array().unwrap().len();
    assert_eq!(evidence(&sandbox.mde(&target).await.json()), 0);
    sandbox.set_list_evidence(true);
    assert_ne!(evidence(&sandbox.mde(&target).await.json()), 0);
}

#[tokio::test]
async fn lists_find_the_alerts_of_a_machine_a_user_and_a_file() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(sandbox.mde(&format!("/api/machines/{DESK_042}/alerts")).await.ids().len(), 6);
    assert_eq!(sandbox.mde(&format!("/api/machines/{}/alerts", DESK_042.to_uppercase())).await.ids().len(), 6);
    let list = sandbox.mde("/api/users/Dana.Reyes/alerts").await.json();
    let domains: std::collections::BTreeSet<_> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["relatedUser"]["domainName"].as_str().unwrap())
        .collect();
    assert!(domains.contains("CONTOSO") && domains.contains("FABRIKAM"));
    let list = sandbox.mde(&format!("/api/files/{}/alerts", showcase::FILE_SHA1)).await.json();
    let machines: std::collections::BTreeSet<_> =
        list["value"].as_array().unwrap().iter().map(|alert| alert["machineId"].as_str().unwrap()).collect();
    assert_eq!(machines.len(), 2);
}

#[tokio::test]
async fn what_nobody_knows_is_404_or_empty_as_the_route_has_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let nowhere = "0123456789abcdef0123456789abcdef01234567";
    for target in
        [format!("/api/alerts/{nowhere}"), format!("/api/machines/{nowhere}/alerts"), format!("/api/files/{nowhere}")]
    {
        let heard = sandbox.mde(&target).await;
        assert_eq!((heard.status, heard.code().as_str()), (404, "ResourceNotFound"), "{target}");
    }
    assert_eq!(sandbox.xdr("/api/incidents/1").await.code(), "ResourceNotFound");
    for target in ["/api/users/nobody/alerts".to_owned(), format!("/api/files/{nowhere}/alerts")] {
        assert!(sandbox.mde(&target).await.ids().is_empty(), "{target}");
    }
    let quiet = sandbox.mde(&format!("/api/machines/{}", showcase::QUIET_MACHINE)).await.json();
    let target = format!("/api/machines/{}/alerts", quiet["id"].as_str().unwrap());
    assert!(sandbox.mde(&target).await.ids().is_empty());
}

#[tokio::test]
async fn alerts_of_other_products_are_seen_in_incidents_only() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(sandbox.mde("/api/alerts/fafcdf7234-b71e-41fc-9ca3-e5a434606d8a").await.status, 404);
    let incident = sandbox.xdr("/api/incidents/3107").await.json();
    let alerts = incident["alerts"].as_array().unwrap();
    let sources: std::collections::BTreeSet<_> =
        alerts.iter().map(|alert| alert["serviceSource"].as_str().unwrap()).collect();
    assert!(sources.contains("MicrosoftDefenderForEndpoint") && sources.contains("OfficeATP"), "{sources:?}");
    let mail = alerts.iter().find(|alert| alert["alertId"].as_str().unwrap().starts_with("fafc")).unwrap();
    let words: Vec<_> =
        mail["entities"].as_array().unwrap().iter().map(|item| item["entityType"].as_str().unwrap()).collect();
    assert_eq!(words, ["MailBox", "MailMessage", "Url", "MailCluster"]);
    assert_eq!(mail["entities"][1]["deliveryAction"], "Delivered");
    let absent = mail["entities"].as_array().unwrap().iter().flat_map(|item| item.as_object().unwrap().values());
    assert!(absent.into_iter().all(|value| !value.is_null()));
    assert!(alerts.iter().any(|alert| alert["devices"].as_array().unwrap().len() == 2));
}

#[tokio::test]
async fn a_merged_incident_leads_to_its_target_in_two_hops() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut id = showcase::MERGED_INCIDENT.to_owned();
    for hop in ["Redirected", "Redirected", "InProgress"] {
        let incident = sandbox.xdr(&format!("/api/incidents/{id}")).await.json();
        assert_eq!(incident["status"], hop);
        id = incident["redirectIncidentId"].to_string();
    }
    assert_eq!(id, "null");
    assert_eq!(sandbox.xdr("/api/incidents/3102").await.json()["classification"], "Unknown");
}

#[tokio::test]
async fn machines_are_filtered_by_name() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.set_page_size(Some(100));
    for (filter, count) in [
        ("computerDnsName+eq+'DESK-017.contoso.com'", 2),
        ("computerDnsName%20eq%20%27desk-042.contoso.com%27", 1),
        ("startswith(computerDnsName,'desk-')", 4),
        ("startswith(computerDnsName,%20'Desk-042')", 1),
        ("computerDnsName+eq+'Dana''s+iPad'", 1),
        ("computerDnsName+eq+'nobody'", 0),
    ] {
        assert_eq!(sandbox.mde(&format!("/api/machines?$filter={filter}")).await.ids().len(), count, "{filter}");
    }
    for filter in [
        "computerDnsName+eq+'Dana's+iPad'",
        "osPlatform+eq+'iOS'",
        "computerDnsName+eq+x",
        "startswith(",
        "",
        "'",
        "%00",
    ] {
        let heard = sandbox.mde(&format!("/api/machines?$filter={filter}")).await;
        assert_eq!((heard.status, heard.code().as_str()), (400, "ODataError"), "{filter}");
    }
    assert_eq!(sandbox.mde("/api/machines?%24top=2").await.ids().len(), 2);
    assert_eq!(sandbox.mde("/api/machines?$top=x").await.status, 400);
    assert_eq!(sandbox.mde("/api/machines?$count=true").await.status, 400);
    let active = sandbox.mde("/api/machines?$filter=computerDnsName+eq+'desk-017.contoso.com'").await.json();
    let health: Vec<_> =
        active["value"].as_array().unwrap().iter().map(|machine| machine["healthStatus"].as_str().unwrap()).collect();
    assert_eq!(health, ["Inactive", "Active"]);
}

#[tokio::test]
async fn a_file_is_found_by_both_hashes() {
    let sandbox = Sandbox::start().await.unwrap();
    for hash in [showcase::FILE.to_uppercase(), showcase::FILE_SHA1.to_owned()] {
        let file = sandbox.mde(&format!("/api/files/{hash}")).await.json();
        assert_eq!((&file["sha1"], &file["sha256"]), (&json!(showcase::FILE_SHA1), &json!(showcase::FILE)));
    }
    for target in ["/api/files/xyz".to_owned(), format!("/api/files/{}/alerts", showcase::FILE)] {
        assert_eq!(sandbox.mde(&target).await.code(), "InvalidHashValue");
    }
}

#[tokio::test]
async fn lists_of_alerts_take_no_option() {
    let sandbox = Sandbox::start().await.unwrap();
    for target in ["/api/users/x/alerts?$top=1", "/api/users/x/alerts?%24skip=0", "/api/users/x/alerts?expand=evidence"]
    {
        assert_eq!(sandbox.mde(target).await.code(), "BadRequest", "{target}");
    }
}

#[tokio::test]
async fn pages_are_linked_to_their_end() {
    let sandbox = Sandbox::start().await.unwrap();
    let target = format!("/api/machines/{DESK_042}/alerts");
    let whole = sandbox.mde(&target).await.ids();
    sandbox.set_page_size(Some(3));
    let (mut next, mut ids, mut pages) = (target.clone(), Vec::new(), 0);
    loop {
        let heard = sandbox.mde(&next).await;
        ids.extend(heard.ids());
        pages += 1;
        let json = heard.json();
        let Some(link) = json["@odata.nextLink"].as_str() else { break };
        next = link.strip_prefix(sandbox.origin(Service::Defender)).unwrap().to_owned();
    }
    assert_eq!((pages, ids), (2, whole));
    sandbox.set_next_link(Some("https://elsewhere.example/"));
    assert_eq!(sandbox.mde(&target).await.json()["@odata.nextLink"], "https://elsewhere.example/");
    let filtered = sandbox.mde("/api/machines?$filter=startswith(computerDnsName,'desk-')").await.json();
    assert_eq!(filtered["value"].as_array().unwrap().len(), 3);
    sandbox.set_page_size(None);
    assert_eq!(sandbox.mde(&target).await.json()["@odata.nextLink"], json!(null));
}

#[tokio::test]
async fn a_route_that_does_not_exist_has_no_envelope() {
    let sandbox = Sandbox::start().await.unwrap();
    for target in [
        "/",
        "/api",
        "/api/machine",
        "/api/alerts",
        "/api/alerts/",
        "/api/alerts/a/b",
        "/api/users/x",
        "/api/incidents/1",
    ] {
        let heard = sandbox.mde(target).await;
        assert_eq!((heard.status, heard.body.len()), (404, 0), "{target}");
    }
    assert_eq!(sandbox.xdr("/api/alerts/x").await.status, 404);
    let origin = sandbox.origin(Service::Defender);
    assert_eq!(ask(origin, "DELETE", "/api/machines", &[], "").await.unwrap().status, 404);
    assert!(sandbox.seen().iter().all(|seen| seen.route.is_none()));
}

#[tokio::test]
async fn tokens_are_checked_before_anything_is_told() {
    let sandbox = Sandbox::start().await.unwrap();
    let (mde, xdr) = (sandbox.origin(Service::Defender), sandbox.origin(Service::Xdr));
    let bearer = |token: String| format!("Authorization: Bearer {token}");
    let unknown = bearer("no.such.token".to_owned());
    for headers in [&[][..], &["Authorization: Basic eDp5"], &[unknown.as_str()]] {
        let heard = ask(mde, "GET", "/api/machines", headers, "").await.unwrap();
        assert_eq!((heard.status, heard.code().as_str()), (401, "Unauthorized"));
    }
    let foreign = bearer(sandbox.mint(XDR_AUDIENCE));
    assert_eq!(ask(mde, "GET", "/api/machines", &[&foreign], "").await.unwrap().status, 403);
    let foreign = bearer(sandbox.mint(DEFENDER_AUDIENCE));
    assert_eq!(ask(xdr, "GET", "/api/incidents/3107", &[&foreign], "").await.unwrap().status, 401);

    let held = bearer(sandbox.mint(DEFENDER_AUDIENCE));
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Machine.Read.All"]);
    assert_eq!(ask(mde, "GET", "/api/users/x/alerts", &[&held], "").await.unwrap().status, 200);
    let heard = sandbox.mde("/api/users/x/alerts").await;
    assert_eq!(heard.status, 403);
    let message = heard.json()["error"]["message"].as_str().unwrap().to_owned();
    let wanted = "Missing application roles. API required roles: Alert.Read.All,Alert.ReadWrite.All, application roles: Machine.Read.All.";
    assert_eq!(message, wanted);

    sandbox.revoke_tokens();
    assert_eq!(ask(mde, "GET", "/api/machines", &[&held], "").await.unwrap().status, 401);
    sandbox.set_token_lifetime(std::time::Duration::ZERO);
    assert_eq!(sandbox.mde("/api/machines").await.status, 401);
}

#[tokio::test]
async fn the_quota_is_kept_after_the_roles_are_checked() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.set_quota(2, 100);
    let origin = sandbox.origin(Service::Defender);
    for _ in 0..3 {
        assert_eq!(ask(origin, "GET", "/api/machines", &[], "").await.unwrap().status, 401);
    }
    assert_eq!(sandbox.mde("/api/machines").await.status, 200);
    assert_eq!(sandbox.mde("/api/machines").await.status, 200);
    let heard = sandbox.mde("/api/machines").await;
    assert_eq!((heard.status, heard.code().as_str()), (429, "TooManyRequests"));
    let wait: u64 = heard.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(sandbox.xdr("/api/incidents/3107").await.status, 200);
    sandbox.set_quota(100, 100);
    assert_eq!(sandbox.mde("/api/machines").await.status, 200);
}

#[tokio::test]
async fn records_that_a_test_puts_stand_in_for_the_story() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_alert(json!({"id": showcase::ALERT, "machineId": DESK_042, "title": "Mine", "new": [1]})).unwrap();
    let alert = sandbox.mde(&format!("/api/alerts/{}", showcase::ALERT)).await.json();
    assert_eq!((&alert["title"], &alert["new"]), (&json!("Mine"), &json!([1])));
    assert_eq!(sandbox.mde(&format!("/api/machines/{DESK_042}/alerts")).await.ids().len(), 6);
    let evidence = json!([{"entityType": "File", "sha1": showcase::FILE_SHA1}, 7, null]);
    let related = json!({"userName": "øyvind", "domainName": null});
    sandbox.put_alert(json!({"id": "mine", "relatedUser": related, "evidence": evidence})).unwrap();
    assert_eq!(sandbox.mde("/api/users/%C3%98yvind/alerts").await.ids(), ["mine"]);
    assert!(
        sandbox.mde(&format!("/api/files/{}/alerts", showcase::FILE_SHA1)).await.ids().contains(&"mine".to_owned())
    );
    sandbox.put_machine(json!({"id": DESK_042, "computerDnsName": "renamed"})).unwrap();
    assert_eq!(sandbox.mde("/api/machines/RENAMED").await.json()["id"], DESK_042);
    sandbox.put_file(json!({"sha1": "a".repeat(40), "sha256": "b".repeat(64)})).unwrap();
    assert_eq!(sandbox.mde(&format!("/api/files/{}", "B".repeat(64))).await.json()["sha1"], "a".repeat(40));
    sandbox.put_incident(json!({"incidentId": 3107, "incidentName": "Mine"})).unwrap();
    assert_eq!(sandbox.xdr("/api/incidents/3107").await.json()["incidentName"], "Mine");
    assert_eq!(sandbox.put_alert(json!("text")), Err(Unfindable("id")));
    assert_eq!(sandbox.put_incident(json!({"incidentId": "1"})), Err(Unfindable("incidentId")));

    sandbox.company(|company| *company = Company::empty());
    assert!(sandbox.mde("/api/machines").await.ids().is_empty());
}

#[tokio::test]
async fn what_was_asked_is_on_record() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.mde("/api/users/a%2Fb%20c+d/alerts?x=%20y").await;
    sandbox.xdr("/api/v1.0/incidents/3107").await;
    let token = format!("Authorization: Bearer {}", sandbox.mint(FEDERATION_AUDIENCE));
    ask(sandbox.origin(Service::Xdr), "GET", "/api/incidents/7", &["X-Test: yes", &token], "").await.unwrap();
    sandbox.revoke_tokens();
    ask(sandbox.origin(Service::Xdr), "GET", "/api/incidents/8", &[&token], "").await.unwrap();
    let seen = sandbox.seen();
    assert_eq!(seen[0].route, Some(Route::UserAlerts));
    assert_eq!((seen[0].path.as_str(), seen[0].query.as_str()), ("/api/users/a%2Fb%20c+d/alerts", "x=%20y"));
    assert_eq!(seen[0].key, "a/b c+d");
    assert_eq!((seen[0].method.as_str(), seen[0].service), ("GET", Service::Defender));
    assert_eq!(seen[0].header("authorization"), Some(DEFENDER_AUDIENCE));
    assert_eq!((seen[1].route, seen[1].key.as_str()), (Some(Route::Incident), "3107"));
    assert_eq!((seen[2].header("X-Test"), seen[2].header("authorization")), (Some("yes"), Some(FEDERATION_AUDIENCE)));
    assert_eq!(seen[3].header("authorization"), Some("unknown"));
    sandbox.forget();
    assert!(sandbox.seen().is_empty());
}
