//! Names of devices and accounts, as far as Graph has rules of its own for them.

use serde_json::Value;

use super::ask_graph;
use crate::client::{ids, warnings};
use crate::harness::company::Company;
use crate::harness::company::model::{Account, Alert, Entity, User};
use crate::harness::{Fault, Route, Times, seen};
use crate::naming::{alert, alert_id, alert_ids, device, sandbox_with};

/// An account as evidence names it, with an alert of its own.
fn account(company: &mut Company, number: u32, name: &str, domain: &str, upn: Option<&str>) {
    let account = Account { name: name.to_owned(), domain: Some(domain.to_owned()) };
    let principal_name = upn.map(str::to_owned);
    company.users.push(User { account: account.clone(), principal_name, ..User::default() });
    alert(company, number, vec![Entity::User(account)]);
}

fn sorted_ids(answer: &Value) -> Vec<String> {
    let mut ids: Vec<_> = ids(answer).into_iter().map(str::to_owned).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn many_alerts_of_a_device_without_a_domain_do_not_hide_those_of_the_name() {
    let sandbox = sandbox_with(|company| {
        device(company, 1, "till42.example");
        device(company, 2, "till42");
        let pattern = company.alerts.last().expect("the alert").clone();
        company.alerts.extend((100..310).map(|number| Alert {
            id: alert_id(number),
            created: "2026-11-18T00:00:00Z".to_owned(),
            ..pattern.clone()
        }));
    })
    .await;
    let answer = ask_graph(&sandbox, "machine", "till42.example").await.answer();
    assert_eq!(sorted_ids(&answer), alert_ids(&[1]));
    assert_eq!(seen(&sandbox, Route::Hunting).len(), 2);

    // Where the second query fails, what the first one has found stays.
    sandbox.fail(Route::Hunting, Times::Once, Fault::default());
    sandbox.fail(Route::Hunting, Times::Once, Fault::status(504));
    let answer = ask_graph(&sandbox, "machine", "till42.example").await.answer();
    assert_eq!(ids(&answer).len(), 200, "{answer}");
    assert!(warnings(&answer).contains(&"partial") && warnings(&answer).contains(&"matched_short_name"));
}

#[tokio::test]
async fn evidence_that_names_half_of_an_account_is_found_and_told_where_it_can_be_anothers() {
    let sandbox = sandbox_with(|company| {
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
        let answer = ask_graph(&sandbox, "user", user).await.answer();
        assert_eq!(
            (sorted_ids(&answer), warnings(&answer).contains(&doubtful)),
            (alert_ids(numbers), is_doubtful),
            "{user}"
        );
    }
    // What Graph does not complete is told by its row.
    sandbox.fail(Route::GraphBatchItem, Times::Always, Fault::status(404));
    for (user, is_doubtful) in [("sami.v@contoso.com", false), ("kofi.b@contoso.com", true), ("CONTOSO\\lou.p", false)]
    {
        let answer = ask_graph(&sandbox, "user", user).await.answer();
        assert_eq!(warnings(&answer).contains(&doubtful), is_doubtful, "{user}: {answer}");
    }
}
