//! No confident "nothing found" that is wrong: names of devices and accounts, addresses and domains, through Graph.

use defender_sandbox::company::Company;
use defender_sandbox::company::model::{Account, Alert, Device, Entity, Evidence, User};
use defender_sandbox::{Fault, Route, Sandbox, Times};
use serde_json::{Value, json};

use super::support::{Answer, ask_graph, asked, many_alerts};

/// An alert of this number, with nothing but what it is built on.
fn alert(company: &mut Company, number: u32, evidence: Vec<Entity>) {
    let at = "2026-11-17T09:31:02Z";
    company.alerts.push(Alert {
        id: id(number),
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

/// A device of this name, with an alert of its own.
fn device(company: &mut Company, number: u32, name: &str) {
    let pattern = company.devices.first().expect("a device").clone();
    let device_id = format!("{number:040x}");
    company.devices.push(Device { id: device_id.clone(), name: name.to_owned(), ..pattern });
    alert(company, number, Vec::new());
    company.alerts.last_mut().expect("the alert").devices = vec![device_id];
}

/// An account as evidence names it, with an alert of its own.
fn account(company: &mut Company, number: u32, name: &str, domain: &str, upn: Option<&str>) {
    let account = Account { name: name.to_owned(), domain: Some(domain.to_owned()) };
    let principal_name = upn.map(str::to_owned);
    company.users.push(User { account: account.clone(), principal_name, ..User::default() });
    alert(company, number, vec![Entity::User(account)]);
}

fn id(number: u32) -> String {
    format!("da{number:018}_1")
}

fn found(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut ids: Vec<_> = answer.alert_ids().into_iter().map(str::to_owned).collect();
    ids.sort();
    ids
}

fn all(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|number| id(*number)).collect()
}

async fn sandbox(edit: impl FnOnce(&mut Company)) -> Sandbox {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    sandbox.company(edit);
    sandbox
}

#[tokio::test]
async fn a_full_name_falls_back_to_a_device_without_a_domain_and_says_so() {
    let sandbox = sandbox(|company| {
        for (number, name) in
            [(1, "till41"), (2, "till410"), (3, "till42.example"), (4, "till42"), (5, "till43.other.example")]
        {
            device(company, number, name);
        }
    })
    .await;
    let answer = ask_graph(&sandbox, "machine", "TILL41.contoso.com").await;
    assert_eq!(found(&answer), all(&[1]));
    assert!(answer.warnings().contains(&"matched_short_name"), "{:?}", answer.warnings());
    assert_eq!(answer.body["id"], format!("{:040x}", 1));
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 1);
    let answer = ask_graph(&sandbox, "machine", "till42.example").await;
    assert_eq!((found(&answer), answer.warnings()), (all(&[3]), vec!["hunting_window"]));
    for name in ["till4.contoso.com", "till43.contoso.com"] {
        assert_eq!(ask_graph(&sandbox, "machine", name).await.body["found"], false, "{name}");
    }
}

#[tokio::test]
async fn many_alerts_of_a_device_without_a_domain_do_not_hide_those_of_the_name() {
    let sandbox = sandbox(|company| {
        device(company, 1, "till42.example");
        device(company, 2, "till42");
        let pattern = company.alerts.last().expect("the alert").clone();
        company.alerts.extend((100..310).map(|number| Alert {
            id: id(number),
            created: "2026-11-18T00:00:00Z".to_owned(),
            ..pattern.clone()
        }));
    })
    .await;
    sandbox.set_graph_quota(1000, 1000);
    let answer = ask_graph(&sandbox, "machine", "till42.example").await;
    assert_eq!(found(&answer), all(&[1]));
    assert_eq!(asked(&sandbox, Route::Hunting).len(), 2);

    // Where the second query fails, what the first one has found stays.
    sandbox.fail(Route::Hunting, Times::Once, Fault::default());
    sandbox.fail(Route::Hunting, Times::Once, Fault::status(504));
    let answer = ask_graph(&sandbox, "machine", "till42.example").await;
    assert_eq!((answer.status, found(&answer).len()), (200, 200), "{}", answer.body);
    assert!(answer.warnings().contains(&"partial") && answer.warnings().contains(&"matched_short_name"));
}

#[tokio::test]
async fn either_apostrophe_finds_the_other() {
    let sandbox = sandbox(|company| {
        device(company, 1, "Ines's iPad");
        device(company, 2, "Noor\u{2019}s phone");
    })
    .await;
    for (name, number) in [("Ines\u{2019}s iPad", 1), ("Ines's iPad", 1), ("Noor's phone", 2)] {
        assert_eq!(found(&ask_graph(&sandbox, "machine", name).await), all(&[number]), "{name}");
    }
}

#[tokio::test]
async fn evidence_that_names_half_of_an_account_is_found_and_told_where_it_can_be_anothers() {
    let sandbox = sandbox(|company| {
        account(company, 1, "sami.v", "CONTOSO", None);
        account(company, 2, "sami.v", "", Some("sami.v@contoso.com"));
        account(company, 3, "sami.v", "FABRIKAM", Some("sami.v@fabrikam.com"));
        account(company, 4, "kofi.b", "FABRIKAM", None);
        account(company, 5, "lou.p", "contoso.com", None);
    })
    .await;
    let doubtful = "namesake_in_another_domain";
    for (user, numbers, is_doubtful) in [
        ("SAMI.V@contoso.com", &[1, 2][..], false),
        ("kofi.b@contoso.com", &[4], true),
        ("CONTOSO\\sami.v", &[1, 2], true),
        ("contoso.com\\sami.v", &[1, 2], true),
        ("CONTOSO\\Lou.P", &[5], false),
        ("contoso.com\\lou.p", &[5], false),
        ("CONTOSO\\kofi.b", &[], false),
    ] {
        let answer = ask_graph(&sandbox, "user", user).await;
        assert_eq!((found(&answer), answer.warnings().contains(&doubtful)), (all(numbers), is_doubtful), "{user}");
    }
    // What Graph does not complete is told by its row.
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404));
    for (user, is_doubtful) in [("sami.v@contoso.com", false), ("kofi.b@contoso.com", true), ("CONTOSO\\lou.p", false)]
    {
        let answer = ask_graph(&sandbox, "user", user).await;
        assert_eq!(answer.warnings().contains(&doubtful), is_doubtful, "{user}: {:?}", answer.body["warnings"]);
    }
}

#[tokio::test]
async fn addresses_and_domains_are_hunted_and_only_hosts_of_the_domain_count() {
    let sandbox = sandbox(|company| {
        alert(company, 1, vec![Entity::Ip(Some("192.0.2.177".to_owned()))]);
        alert(company, 2, vec![Entity::Ip(Some("2001:db8::177".to_owned()))]);
        alert(company, 3, vec![Entity::Url("https://a.shop.example:8080/".to_owned())]);
        alert(company, 4, vec![Entity::Url("https://other.example/?to=shop.example".to_owned())]);
        alert(company, 5, vec![Entity::Url("https://shop.example.other.example/".to_owned())]);
    })
    .await;
    for (field, value, numbers) in [
        ("ip", "192.0.2.177:443", &[1][..]),
        ("ip", "2001:DB8::0:177", &[2]),
        ("ip", "192.0.2.178", &[]),
        ("domain", "Shop.Example.", &[3]),
        ("domain", "other.example", &[4, 5]),
        ("domain", "nobody.example", &[]),
    ] {
        sandbox.forget();
        let answer = ask_graph(&sandbox, field, value).await;
        assert_eq!(found(&answer), all(numbers), "{value}");
        assert_eq!((&answer.body["kind"], &answer.body["url"]), (&json!(field), &Value::Null));
        assert_eq!(answer.body["counts"]["alerts"], numbers.len());
        assert!(answer.warnings().contains(&"hunting_window"));
        assert_eq!(answer.warnings().contains(&"unknown_or_no_alerts"), numbers.is_empty(), "{value}");
        assert_eq!(asked(&sandbox, Route::Hunting).len(), 1);
    }
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404));
    assert_eq!(found(&ask_graph(&sandbox, "domain", "shop.example").await), all(&[3]), "by the rows alone");
}

#[tokio::test]
async fn an_incident_whose_alerts_come_in_pages_is_whole() {
    let sandbox = sandbox(|_| {}).await;
    let whole = ask_graph(&sandbox, "incident_id", "3107").await;
    assert!(found(&whole).len() > 2);
    sandbox.set_page_size(Some(2));
    let paged = ask_graph(&sandbox, "incident_id", "3107").await;
    assert_eq!((found(&paged), paged.warnings()), (found(&whole), whole.warnings()));
    assert!(!paged.body["incident"].to_string().contains("nextLink"));
    for status in [500, 404, 403] {
        sandbox.mend();
        sandbox.fail(Route::GraphIncidentAlerts, Times::Always, Fault::status(status));
        let part = ask_graph(&sandbox, "incident_id", "3107").await;
        assert_eq!(found(&part).len(), 2, "{status}");
        assert!(part.warnings().contains(&"partial"), "{status}");
    }
    // The second route goes on as well.
    sandbox.mend();
    sandbox.fail(Route::GraphIncidentExpanded, Times::Always, Fault::status(500));
    sandbox.fail(Route::GraphIncidentAlerts, Times::Once, Fault::default());
    sandbox.fail(Route::GraphIncidentAlerts, Times::Always, Fault::status(404));
    let part = ask_graph(&sandbox, "incident_id", "3107").await;
    assert_eq!((found(&part).len(), part.warnings().contains(&"partial")), (2, true));
}

#[tokio::test]
async fn a_short_name_is_no_beginning_of_another() {
    let sandbox = sandbox(|company| {
        for (number, name) in [(1, "bay1.example"), (2, "bay10.example"), (3, "bay1-old.example")] {
            device(company, number, name);
        }
    })
    .await;
    many_alerts(&sandbox, 3);
    assert_eq!(found(&ask_graph(&sandbox, "machine", "BAY1").await), all(&[1]));
    assert_eq!(found(&ask_graph(&sandbox, "machine", "bay10").await), all(&[2]));
}
