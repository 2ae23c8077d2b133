//! No confident "nothing found" that is wrong: names of devices and accounts, addresses and domains.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{ids, steps, warnings};
use crate::harness::company::Company;
use crate::harness::company::model::{Alert, Device, Entity, Evidence};
use crate::harness::{
    Fault, NO_CACHE, NO_QUOTA, Route, Sandbox, Service, Times, World, fast_forward, new_sandbox, seen,
};

pub(crate) fn device_id(number: u32) -> String {
    format!("{number:040x}")
}

pub(crate) fn alert_id(number: u32) -> String {
    format!("da{number:018}_1")
}

pub(crate) fn alert_ids(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|number| alert_id(*number)).collect()
}

/// An alert of this number, with this evidence.
pub(crate) fn alert(company: &mut Company, number: u32, evidence: Vec<Entity>) {
    let at = "2026-11-17T09:31:02Z";
    company.alerts.push(Alert {
        id: alert_id(number),
        title: "Something ran".to_owned(),
        severity: "UnSpecified".to_owned(),
        status: "New".to_owned(),
        investigation_state: "UnsupportedAlertType".to_owned(),
        detection_source: "WindowsDefenderAtp".to_owned(),
        category: "SuspiciousActivity".to_owned(),
        created: at.to_owned(),
        first_activity: at.to_owned(),
        last_activity: at.to_owned(),
        updated: at.to_owned(),
        evidence: evidence.into_iter().map(|entity| Evidence::suspicious(at, entity)).collect(),
        ..Alert::default()
    });
}

/// A device of this name, with an alert of its own. One with a higher number was seen later.
pub(crate) fn device(company: &mut Company, number: u32, name: &str) {
    let last_seen = format!("2026-01-01T00:00:{number:02}Z");
    let pattern = company.devices.first().expect("a device").clone();
    company.devices.push(Device { id: device_id(number), name: name.to_owned(), last_seen, ..pattern });
    alert(company, number, Vec::new());
    company.alerts.last_mut().expect("the alert").devices = vec![device_id(number)];
}

pub(crate) async fn sandbox_with(edit: impl FnOnce(&mut Company)) -> Sandbox {
    let sandbox = new_sandbox().await;
    sandbox.company(edit);
    sandbox.set_graph_quota(1000, 1000);
    sandbox
}

/// Without a cache and without a quota.
async fn uncached(sandbox: Sandbox, backend: &str) -> World {
    World::around(sandbox, &[NO_QUOTA, &[NO_CACHE, ("DEFENDER_BACKEND", backend)]].concat()).await
}

/// The older APIs, with devices of these names.
async fn with_devices(names: &[(u32, &'static str)]) -> World {
    let edit = |company: &mut Company| names.iter().for_each(|(number, name)| device(company, *number, name));
    uncached(sandbox_with(edit).await, "defender").await
}

const BACKENDS: [&str; 2] = ["defender", "graph"];

#[tokio::test]
async fn a_name_finds_its_own_device_and_no_other_through_either_backend() {
    let names = [
        (1, "bay1.example"),
        (2, "bay10.example"),
        (3, "bay1-old.example"),
        (4, "xbay1"),
        (5, "till41"),
        (6, "till410"),
        (7, "till42.example"),
        (8, "till42"),
        (9, "till43.other.example"),
        (10, "Ines's iPad"),
        (11, "Noor\u{2019}s phone"),
    ];
    let sandbox = with_devices(&names).await.sandbox;
    for backend in BACKENDS {
        let world = uncached(sandbox.clone(), backend).await;
        for (name, numbers, by_short_name) in [
            ("BAY1", &[1][..], false),
            ("bay10", &[2], false),
            ("bay", &[], false),
            ("TILL41.contoso.com", &[5], true),
            ("till42.example", &[7], false),
            ("till4.contoso.com", &[], false),
            ("till43.contoso.com", &[], false),
            ("Ines\u{2019}s iPad", &[10], false),
            ("ines's ipad", &[10], false),
            ("Noor's phone", &[11], false),
            ("Noor\u{2019}s phone", &[11], false),
        ] {
            sandbox.forget();
            let answer = world.post(json!({"machine": name, "not_found": 200})).await.answer();
            assert_eq!(ids(&answer), alert_ids(numbers), "{backend}: {name}");
            assert_eq!(warnings(&answer).contains(&"matched_short_name"), by_short_name, "{backend}: {name}");
            let queries = world.calls(Route::Machines) + world.calls(Route::Hunting);
            assert_eq!(queries, 1, "{backend}: {name}");
            if let [number] = numbers {
                assert_eq!((&answer["id"], steps(&answer)), (&json!(device_id(*number)), vec!["machine_name_to_id"]));
            }
        }
    }
}

#[tokio::test]
async fn addresses_and_domains_have_their_alerts_through_either_backend() {
    let sandbox = sandbox_with(|company| {
        alert(company, 1, vec![Entity::Ip(Some("192.0.2.177".to_owned()))]);
        alert(company, 2, vec![Entity::Ip(Some("2001:db8::177".to_owned()))]);
        alert(company, 3, vec![Entity::Url("https://a.shop.example:8080/".to_owned())]);
        alert(company, 4, vec![Entity::Url("https://other.example/?to=shop.example".to_owned())]);
        alert(company, 5, vec![Entity::Url("https://shop.example.other.example/".to_owned())]);
    })
    .await;
    for backend in BACKENDS {
        let world = uncached(sandbox.clone(), backend).await;
        for (field, value, id, numbers) in [
            ("ip", "192.0.2.177:8443", "192.0.2.177", &[1][..]),
            ("ip", "2001:DB8:0::177", "2001:db8::177", &[2]),
            ("ip", "192.0.2.178", "192.0.2.178", &[]),
            ("domain", "Shop.Example.", "shop.example", &[3]),
            ("domain", "other.example", "other.example", &[4, 5]),
            ("domain", "nobody.example", "nobody.example", &[]),
        ] {
            sandbox.forget();
            let answer = world.post(json!({field: value})).await.answer();
            assert_eq!((&answer["kind"], &answer["id"], &answer["url"]), (&json!(field), &json!(id), &Value::Null));
            let mut listed = ids(&answer);
            listed.sort_unstable();
            assert_eq!(listed, alert_ids(numbers), "{backend}: {value}");
            let is_empty = warnings(&answer).contains(&"unknown_or_no_alerts");
            assert_eq!((is_empty, &answer["found"]), (numbers.is_empty(), &json!(!numbers.is_empty())), "{value}");
            let paths = sandbox.seen().into_iter().map(|seen| seen.path).filter(|path| path.starts_with("/api/"));
            let path = format!("/api/{field}s/{id}/alerts");
            let expected = if backend == "defender" { vec![path] } else { Vec::new() };
            assert_eq!(paths.collect::<Vec<_>>(), expected);
            assert_eq!(world.calls(Route::Hunting), usize::from(backend == "graph"), "{value}");
        }
    }
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404));
    let answer = uncached(sandbox, "graph").await.post(json!({"domain": "shop.example"})).await.answer();
    assert_eq!(ids(&answer), alert_ids(&[3]), "by the rows alone");
}

#[tokio::test]
async fn an_incident_whose_alerts_come_in_pages_is_whole_through_either_backend() {
    for (backend, route) in [("defender", Route::IncidentAlerts), ("graph", Route::GraphIncidentAlerts)] {
        let world = uncached(sandbox_with(|_| {}).await, backend).await;
        let whole = world.incident("3107").await.answer();
        assert!(ids(&whole).len() > 2, "{whole}");
        world.sandbox.set_page_size(Some(2));
        let paged = world.incident("3107").await.answer();
        assert_eq!(
            (ids(&paged), &paged["counts"], warnings(&paged)),
            (ids(&whole), &whole["counts"], warnings(&whole))
        );
        assert_eq!(paged["incident"]["extra"], whole["incident"]["extra"], "no link is left over");
        assert!(paged["alerts"].as_array().unwrap().iter().all(|alert| alert["evidence_loaded"] == true));
        for status in [500, 404, 403] {
            world.sandbox.mend();
            world.sandbox.fail(route, Times::Always, Fault::status(status));
            let part = world.incident("3107").await.answer();
            assert_eq!((ids(&part).len(), warnings(&part).contains(&"partial")), (2, true), "{backend}: {status}");
        }
        world.sandbox.mend();
        world.sandbox.forget();
        world.sandbox.set_next_link(Some("https://evil.example/api/incidents/3107/alerts"));
        let part = world.incident("3107").await.answer();
        assert_eq!((ids(&part).len(), warnings(&part).contains(&"partial")), (2, true), "{backend}");
        assert_eq!(seen(&world.sandbox, route).len(), 0, "{backend}: a link elsewhere is not followed");
    }
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
async fn all_pages_of_devices_are_read() {
    let records = (1..6).map(|number| (number, "lab.example")).chain([(6, "lab.other.example")]);
    let world = with_devices(&records.collect::<Vec<_>>()).await;
    world.sandbox.set_page_size(Some(2));
    let answer = machine(&world, "lab.example").await;
    assert_eq!(answer["id"], device_id(5), "the one seen last stands on the last page");
    assert!(detail(&answer, "several_devices_match").starts_with("5 devices"), "{answer}");
    assert_eq!(machine(&world, "lab").await["id"], device_id(6));
}

#[tokio::test]
async fn a_page_of_devices_that_fails_leaves_what_came_and_is_not_cached() {
    let names = [(1, "rack.example"), (2, "rack.example"), (3, "shelf"), (4, "shelf.example")];
    let world = World::around(with_devices(&names).await.sandbox, NO_QUOTA).await;
    world.sandbox.set_page_size(Some(1));
    let fail = || {
        world.sandbox.mend();
        world.sandbox.fail(Route::Machines, Times::Once, Fault::default());
        world.sandbox.fail(Route::Machines, Times::Always, Fault::status(403));
    };
    fail();
    let answer = machine(&world, "rack.example").await;
    assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_id(1).as_str()], vec!["partial"]));
    world.sandbox.mend();
    assert_eq!(machine(&world, "rack.example").await["id"], device_id(2), "what was not read is asked for again");

    // A name that may stand on the page that failed is not reported as missing.
    fail();
    let answer = machine(&world, "shelf.example").await;
    assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_id(3).as_str()], vec!["matched_short_name", "partial"]));
    let elsewhere = format!("{}/other", world.sandbox.origin(Service::Defender));
    world.sandbox.mend();
    world.sandbox.set_next_link(Some(&elsewhere));
    assert!(warnings(&machine(&world, "shelf.example").await).contains(&"partial"));
}

#[tokio::test]
async fn a_page_of_devices_that_hangs_leaves_time_for_the_alerts() {
    for fault in [Fault::delay(Duration::from_secs(60)), Fault::drip(Duration::from_millis(1500))] {
        let world = with_devices(&[(1, "rack.example"), (2, "rack.example")]).await;
        world.sandbox.set_page_size(Some(1));
        world.sandbox.fail(Route::Machines, Times::Once, Fault::default());
        world.sandbox.fail(Route::Machines, Times::Always, fault.clone());
        let (response, waited) = fast_forward(world.post(json!({"machine": "rack.example"}))).await;
        let answer = response.answer();
        assert_eq!((ids(&answer), warnings(&answer)), (vec![alert_id(1).as_str()], vec!["partial"]), "{fault:?}");
        assert!(waited < Duration::from_secs(5), "a third of the time: {waited:?}");
    }
}

#[tokio::test]
async fn the_next_record_is_asked_where_one_has_gone() {
    let world = with_devices(&[1, 2, 3].map(|number| (number, "reborn.example"))).await;
    for gone in [3, 2] {
        world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(404).only_for(&device_id(gone)));
    }
    let answer = machine(&world, "reborn.example").await;
    assert_eq!((ids(&answer), &answer["id"]), (vec![alert_id(1).as_str()], &json!(device_id(1))));
    let step = json!({"step": "machine_name_to_id", "from": "reborn.example", "to": device_id(1)});
    assert_eq!(answer["resolution"], json!([step]));
    let told = detail(&answer, "several_devices_match");
    assert!([1, 2, 3].iter().all(|number| told.contains(&device_id(*number))), "{told}");
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(503).only_for(&device_id(1)));
    world.post(json!({"machine": "reborn.example"})).await.problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn records_that_have_all_gone_are_named_and_at_most_ten_are_asked_for() {
    let records: Vec<_> = (1..15).map(|number| (number, "reborn.example")).collect();
    for (count, calls) in [(2, 2), (14, 10)] {
        let world = with_devices(&records[..count]).await;
        world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::status(404));
        let problem = world.post(json!({"machine": "reborn.example"})).await.problem(404, "not_found");
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(world.calls(Route::MachineAlerts), calls);
        assert_eq!(detail.contains("4 more records"), count == 14, "{detail}");
        assert!(count > 2 || [1, 2].iter().all(|number| detail.contains(&device_id(*number))), "{detail}");
        let answer = world.post(json!({"machine": "reborn.example", "not_found": 200})).await.answer();
        assert!(count > 2 || steps(&answer) == ["machine_name_to_id"; 2], "{answer}");
    }
}

#[tokio::test]
async fn an_id_of_an_account_is_refused_with_what_to_send() {
    let world = with_devices(&[]).await;
    for user in ["S-1-5-21-41-42-43-1473", "s-1-5-18", "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f9"] {
        let problem = world.post(json!({"user": user})).await.problem(422, "invalid_id");
        assert!(problem["detail"].as_str().unwrap().contains("account name"), "{problem}");
    }
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn an_account_name_with_a_blank_that_finds_nothing_may_be_a_display_name() {
    let world = with_devices(&[]).await;
    let answer = world.post(json!({"user": "Dana Reyes"})).await.answer();
    assert!(detail(&answer, "unknown_or_no_alerts").contains("display name is no account name"), "{answer}");
    let answer = world.post(json!({"user": "dana"})).await.answer();
    assert!(!answer["warnings"].to_string().contains("display name"), "{answer}");
}

#[tokio::test]
async fn an_address_that_defender_refuses_is_not_reported_as_one_without_alerts() {
    let world = with_devices(&[]).await;
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

/// Three alerts of one device and of one user, on two pages.
async fn with_pages(changes: &[(&str, &str)]) -> World {
    let world = World::with(changes).await;
    for number in 1..4 {
        let user = json!({"userName": "busy", "domainName": "CONTOSO"});
        world.put_alert(&alert_id(number), json!({"machineId": device_id(1), "relatedUser": user}));
    }
    world.sandbox.put_machine(json!({"id": device_id(1), "computerDnsName": "busy.example"})).unwrap();
    world.sandbox.set_page_size(Some(2));
    world
}

#[tokio::test]
async fn a_later_page_that_fails_leaves_the_first() {
    let sandbox = with_pages(&[]).await.sandbox;
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
            [(Route::MachineAlerts, "machine", device_id(1)), (Route::UserAlerts, "user", "busy".to_owned())]
        {
            sandbox.mend();
            sandbox.fail(route, Times::Once, Fault::default());
            sandbox.fail(route, Times::Always, fault.clone());
            // A throttled API is left alone until it may be asked again.
            let world = World::around(sandbox.clone(), NO_QUOTA).await;
            let answer = world.post(json!({field: value})).await.answer();
            assert_eq!((ids(&answer).len(), warnings(&answer)), (2, vec!["partial"]), "{fault:?} {answer}");
            sandbox.mend();
            if fault.status != Some(429) {
                let again = world.post(json!({field: value})).await.answer();
                assert_eq!((ids(&again).len(), warnings(&again)), (3, vec![]), "a part is not cached: {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_later_page_that_hangs_leaves_the_first_in_time() {
    let world = with_pages(&[]).await;
    world.sandbox.fail(Route::MachineAlerts, Times::Once, Fault::default());
    world.sandbox.fail(Route::MachineAlerts, Times::Always, Fault::delay(Duration::from_secs(20)));
    let answer = fast_forward(world.post(json!({"machine": device_id(1)}))).await.0.answer();
    assert_eq!((ids(&answer).len(), warnings(&answer)), (2, vec!["partial"]));
}
