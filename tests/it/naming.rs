//! No confident "nothing found" that is wrong: names of devices and accounts, addresses and domains, on the older APIs.

use std::time::Duration;

use defender_sandbox::{Fault, Route, Times};
use serde_json::{Value, json};

use crate::client::{ids, steps, warnings};
use crate::harness::{NO_QUOTA, World, alert_with, hasten};

/// An id of 40 digits.
fn id(number: u32) -> String {
    format!("{number:040x}")
}

fn alert_of(number: u32) -> String {
    format!("da{number:018}_1")
}

/// A device of this name, seen last so many seconds into the year, with an alert of its own.
fn device(world: &World, number: u32, name: &str, seen: u32) {
    let record = json!({
        "id": id(number), "computerDnsName": name, "healthStatus": "Active", "onboardingStatus": "Onboarded",
        "lastSeen": format!("2026-01-01T00:{:02}:{:02}Z", seen / 60, seen % 60)
    });
    world.sandbox.put_machine(record).unwrap();
    let alert = alert_with(&alert_of(number), json!({"machineId": id(number), "computerDnsName": name}));
    world.sandbox.put_alert(alert).unwrap();
}

/// Nothing is remembered, and nothing is too much.
async fn forgetful() -> World {
    World::with(&[NO_QUOTA, &[("CACHE_TTL_S", "0")]].concat()).await
}

async fn machine(world: &World, name: &str) -> Value {
    world.post(json!({"machine": name})).await.answer()
}

fn detail(answer: &Value, code: &str) -> String {
    let all = answer["warnings"].as_array().unwrap();
    let warning = all.iter().find(|warning| warning["code"] == code).unwrap_or_else(|| panic!("{code}: {answer}"));
    warning["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_short_name_is_no_beginning_of_another() {
    let world = forgetful().await;
    for (number, name) in [(1, "bay1.example"), (2, "bay10.example"), (3, "bay1-old.example"), (4, "xbay1")] {
        device(&world, number, name, number);
    }
    assert_eq!(ids(&machine(&world, "BAY1").await), [alert_of(1)]);
    assert_eq!(ids(&machine(&world, "bay10").await), [alert_of(2)]);
    world.post(json!({"machine": "bay"})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_full_name_falls_back_to_a_device_without_a_domain_and_says_so() {
    let world = forgetful().await;
    for (number, name) in
        [(1, "till41"), (2, "till410"), (3, "till42.example"), (4, "till42"), (5, "till43.other.example")]
    {
        device(&world, number, name, number);
    }
    let answer = machine(&world, "TILL41.contoso.com").await;
    assert_eq!((ids(&answer), &answer["id"]), (vec![alert_of(1).as_str()], &json!(id(1))));
    assert_eq!(warnings(&answer), ["matched_short_name"]);
    assert_eq!(steps(&answer), ["machine_name_to_id"]);
    let whole = machine(&world, "till42.example").await;
    assert_eq!((ids(&whole), warnings(&whole)), (vec![alert_of(3).as_str()], vec![]));
    for name in ["till4.contoso.com", "till43.contoso.com"] {
        world.post(json!({"machine": name})).await.problem(404, "not_found");
    }
    let asked = world.calls(Route::Machines);
    assert_eq!(asked, 4, "one call for each name");
}

#[tokio::test]
async fn either_apostrophe_finds_the_other() {
    let world = forgetful().await;
    device(&world, 1, "Ines's iPad", 1);
    device(&world, 2, "Noor\u{2019}s phone", 2);
    for (name, number) in
        [("Ines\u{2019}s iPad", 1), ("ines's ipad", 1), ("Noor's phone", 2), ("Noor\u{2019}s phone", 2)]
    {
        assert_eq!(ids(&machine(&world, name).await), [alert_of(number)], "{name}");
    }
}

#[tokio::test]
async fn all_pages_of_devices_are_read() {
    let world = forgetful().await;
    for number in 1..6 {
        device(&world, number, "lab.example", number);
    }
    device(&world, 6, "lab.other.example", 100);
    world.sandbox.set_page_size(Some(2));
    let answer = machine(&world, "lab.example").await;
    assert_eq!(answer["id"], id(5), "the one seen last stands on the last page");
    assert!(detail(&answer, "several_devices_match").starts_with("5 devices"), "{answer}");
    assert_eq!(machine(&world, "lab").await["id"], id(6));
}

#[tokio::test]
async fn a_page_of_devices_that_fails_leaves_what_came_and_is_not_remembered() {
    let world = World::with(NO_QUOTA).await;
    device(&world, 1, "rack.example", 1);
    device(&world, 2, "rack.example", 2);
    world.sandbox.set_page_size(Some(1));
    let fail = || {
        world.sandbox.mend();
        world.sandbox.fail(Route::Machines, Times::Once, Fault::default());
        world.sandbox.fail(Route::Machines, Times::Always, Fault::status(403));
    };
    fail();
    let answer = machine(&world, "rack.example").await;
    assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_of(1).as_str()], vec!["partial"]));
    world.sandbox.mend();
    assert_eq!(machine(&world, "rack.example").await["id"], id(2), "what was not read is asked for again");

    // A name that may stand on the page that failed is not told as missing.
    device(&world, 3, "shelf", 3);
    device(&world, 4, "shelf.example", 4);
    fail();
    let answer = machine(&world, "shelf.example").await;
    assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_of(3).as_str()], vec!["matched_short_name", "partial"]));
    let elsewhere = format!("{}/other", world.sandbox.origin(defender_sandbox::Service::Defender));
    world.sandbox.mend();
    world.sandbox.set_next_link(Some(&elsewhere));
    assert!(warnings(&machine(&world, "shelf.example").await).contains(&"partial"));
}

#[tokio::test]
async fn a_page_of_devices_that_hangs_leaves_time_for_the_alerts() {
    for fault in [Fault::delay(Duration::from_secs(60)), Fault::drip(Duration::from_millis(1500))] {
        let world = World::with(NO_QUOTA).await;
        device(&world, 1, "rack.example", 1);
        device(&world, 2, "rack.example", 2);
        world.sandbox.set_page_size(Some(1));
        world.sandbox.fail(Route::Machines, Times::Once, Fault::default());
        world.sandbox.fail(Route::Machines, Times::Always, fault.clone());
        let (heard, waited) = hasten(world.post(json!({"machine": "rack.example"}))).await;
        let answer = heard.answer();
        assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_of(1).as_str()], vec!["partial"]), "{fault:?}");
        assert!(waited < Duration::from_secs(5), "a third of the time: {waited:?}");
    }
}

#[tokio::test]
async fn the_next_record_is_asked_where_one_has_gone() {
    let world = forgetful().await;
    for number in 1..4 {
        device(&world, number, "reborn.example", 10 - number);
    }
    for gone in [1, 2] {
        world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(404).only_for(&id(gone)));
    }
    let answer = machine(&world, "reborn.example").await;
    assert_eq!((ids(&answer), &answer["id"]), (vec![alert_of(3).as_str()], &json!(id(3))));
    assert_eq!(answer["resolution"], json!([{"step": "machine_name_to_id", "from": "reborn.example", "to": id(3)}]));
    let told = detail(&answer, "several_devices_match");
    assert!([1, 2, 3].iter().all(|number| told.contains(&id(*number))), "{told}");
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(503).only_for(&id(3)));
    world.post(json!({"machine": "reborn.example"})).await.problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn records_that_have_all_gone_are_named() {
    let world = forgetful().await;
    for number in 1..3 {
        device(&world, number, "reborn.example", number);
    }
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(404));
    let problem = world.post(json!({"machine": "reborn.example"})).await.problem(404, "not_found");
    let told = problem["detail"].as_str().unwrap();
    assert!(told.contains(&id(1)) && told.contains(&id(2)), "{told}");
    let answer = world.post(json!({"machine": "reborn.example", "not_found": 200})).await.answer();
    assert_eq!(steps(&answer), ["machine_name_to_id", "machine_name_to_id"]);
}

#[tokio::test]
async fn more_records_that_have_gone_than_are_asked_for_are_told() {
    let world = forgetful().await;
    for number in 1..15 {
        device(&world, number, "reborn.example", number);
    }
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(404));
    let problem = world.post(json!({"machine": "reborn.example"})).await.problem(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("4 more records"), "{problem}");
    assert_eq!(world.calls(Route::MachineAlerts), 10);
}

#[tokio::test]
async fn an_id_of_an_account_is_refused_with_what_to_send() {
    let world = forgetful().await;
    for user in ["S-1-5-21-41-42-43-1473", "s-1-5-18", "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f9"] {
        let problem = world.post(json!({"user": user})).await.problem(422, "invalid_id");
        assert!(problem["detail"].as_str().unwrap().contains("account name"), "{problem}");
    }
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn an_account_name_with_a_blank_that_finds_nothing_may_be_a_display_name() {
    let world = forgetful().await;
    let answer = world.post(json!({"user": "Dana Reyes"})).await.answer();
    assert!(detail(&answer, "unknown_or_no_alerts").contains("display name is no account name"), "{answer}");
    let answer = world.post(json!({"user": "dana"})).await.answer();
    assert!(!answer["warnings"].to_string().contains("display name"), "{answer}");
}

#[tokio::test]
async fn addresses_and_domains_have_their_alerts() {
    let world = forgetful().await;
    let evidence = |item: Value| json!({"evidence": [item]});
    let url = |url: &str| evidence(json!({"entityType": "Url", "url": url}));
    for (number, members) in [
        (1, evidence(json!({"entityType": "Ip", "ipAddress": "192.0.2.77"}))),
        (2, evidence(json!({"entityType": "Ip", "ipAddress": "2001:db8::77"}))),
        (3, url("https://a.shop.example/x")),
        (4, url("https://notshop.example/")),
    ] {
        world.sandbox.put_alert(alert_with(&alert_of(number), members)).unwrap();
    }
    for (field, value, id, path, number) in [
        ("ip", "192.0.2.77:8443", "192.0.2.77", "/api/ips/192.0.2.77/alerts", Some(1)),
        ("ip", "2001:DB8:0::77", "2001:db8::77", "/api/ips/2001:db8::77/alerts", Some(2)),
        ("ip", "192.0.2.78", "192.0.2.78", "/api/ips/192.0.2.78/alerts", None),
        ("domain", "Shop.Example.", "shop.example", "/api/domains/shop.example/alerts", Some(3)),
        ("domain", "nobody.example", "nobody.example", "/api/domains/nobody.example/alerts", None),
    ] {
        world.sandbox.forget();
        let answer = world.post(json!({field: value})).await.answer();
        assert_eq!((&answer["kind"], &answer["id"], &answer["url"]), (&json!(field), &json!(id), &Value::Null));
        let found: Vec<_> = number.map(alert_of).into_iter().collect();
        assert_eq!(
            (ids(&answer), &answer["found"]),
            (found.iter().map(String::as_str).collect(), &json!(number.is_some()))
        );
        let expected = if number.is_some() { vec![] } else { vec!["unknown_or_no_alerts"] };
        assert_eq!(warnings(&answer), expected, "{value}");
        let asked: Vec<_> = world.sandbox.seen().into_iter().filter(|seen| seen.path.starts_with("/api/")).collect();
        assert_eq!(asked.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), [path]);
    }
}

#[tokio::test]
async fn an_address_that_defender_refuses_is_not_told_to_be_none() {
    let world = forgetful().await;
    for (field, value, route) in
        [("ip", "2001:db8::77", Route::IpAlerts), ("domain", "odd.example", Route::DomainAlerts)]
    {
        world.sandbox.fail(route, Times::Always, Fault::status(400));
        let problem = world.post(json!({field: value})).await.problem(422, "invalid_id");
        assert!(problem["detail"].as_str().unwrap().contains("does not look up"), "{problem}");
        assert_eq!(world.calls(route), 1);
        for (fault, status, code) in [
            (Fault::status(403), 502, "upstream_forbidden"),
            (Fault::status(429).with_header("Retry-After", "30"), 429, "throttled"),
            (Fault::status(503), 503, "upstream_unavailable"),
            (Fault::body("<html>"), 502, "upstream_malformed"),
        ] {
            world.sandbox.mend();
            world.sandbox.fail(route, Times::Always, fault);
            // A throttled API is left alone until it may be asked again.
            let own = World::around(world.sandbox.clone(), NO_QUOTA).await;
            let problem = own.post(json!({field: value})).await.problem(status, code);
            let names = problem["detail"].as_str().unwrap().contains("Alert.Read.All");
            assert_eq!(names, status == 502 && code == "upstream_forbidden", "{problem}");
        }
    }
}

#[tokio::test]
async fn a_later_page_that_fails_leaves_the_first() {
    let world = forgetful().await;
    for number in 1..4 {
        let members = json!({"machineId": id(1), "relatedUser": {"userName": "busy", "domainName": "CONTOSO"}});
        world.sandbox.put_alert(alert_with(&alert_of(number), members)).unwrap();
    }
    world.sandbox.put_machine(json!({"id": id(1), "computerDnsName": "busy.example"})).unwrap();
    world.sandbox.set_page_size(Some(2));
    for fault in [
        Fault::status(500),
        Fault::status(403),
        Fault::status(404),
        Fault::status(401),
        Fault::status(429).with_header("Retry-After", "60"),
        Fault::status(503),
        Fault::reset(),
        Fault::body("<html>"),
        Fault::body("{}"),
    ] {
        for (route, field, value) in
            [(Route::MachineAlerts, "machine", id(1)), (Route::UserAlerts, "user", "busy".to_owned())]
        {
            world.sandbox.mend();
            world.sandbox.fail(route, Times::Once, Fault::default());
            world.sandbox.fail(route, Times::Always, fault.clone());
            // A throttled API is left alone until it may be asked again.
            let own = World::around(world.sandbox.clone(), NO_QUOTA).await;
            let answer = own.post(json!({field: value})).await.answer();
            assert_eq!((ids(&answer).len(), warnings(&answer)), (2, vec!["partial"]), "{fault:?} {answer}");
            own.sandbox.mend();
            if fault.status != Some(429) {
                let again = own.post(json!({field: value})).await.answer();
                assert_eq!((ids(&again).len(), warnings(&again)), (3, vec![]), "a part is not remembered: {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_later_page_that_hangs_leaves_the_first_in_time() {
    let world = World::start().await;
    for number in 1..4 {
        world.sandbox.put_alert(alert_with(&alert_of(number), json!({"machineId": id(1)}))).unwrap();
    }
    world.sandbox.put_machine(json!({"id": id(1), "computerDnsName": "busy.example"})).unwrap();
    world.sandbox.set_page_size(Some(2));
    world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::default());
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::delay(Duration::from_secs(20)));
    let answer = hasten(world.post(json!({"machine": id(1)}))).await.0.answer();
    assert_eq!((ids(&answer).len(), warnings(&answer)), (2, vec!["partial"]));
}

#[tokio::test]
async fn an_incident_whose_alerts_come_in_pages_is_whole() {
    let world = forgetful().await;
    let whole = world.incident("3107").await.answer();
    assert!(ids(&whole).len() > 2, "{whole}");
    world.sandbox.set_page_size(Some(2));
    let paged = world.incident("3107").await.answer();
    assert_eq!((ids(&paged), &paged["counts"]), (ids(&whole), &whole["counts"]));
    assert_eq!(warnings(&paged), warnings(&whole));
    assert_eq!(paged["incident"]["extra"], whole["incident"]["extra"]);
    assert!(paged["alerts"].as_array().unwrap().iter().all(|alert| alert["evidence_loaded"] == true));

    for status in [500, 404, 403] {
        world.sandbox.mend();
        world.sandbox.fail(Route::IncidentAlerts, Times::Always, Fault::status(status));
        let part = world.incident("3107").await.answer();
        assert_eq!(ids(&part).len(), 2, "{status}");
        assert!(warnings(&part).contains(&"partial"), "{status}");
    }
    world.sandbox.mend();
    world.sandbox.forget();
    world.sandbox.set_next_link(Some("https://evil.example/api/incidents/3107/alerts"));
    let part = world.incident("3107").await.answer();
    assert!(ids(&part).len() == 2 && warnings(&part).contains(&"partial"));
    assert_eq!(world.defender_calls(), 1);
}
