//! A `value` of several possible kinds, through both backends: which kind answers, in which order they are asked, and
//! what a failure does.

use defender_sandbox::company::model::{Alert, Device};
use defender_sandbox::{Fault, Route, Sandbox, Times};
use serde_json::Value;

use crate::client::{Heard, steps, warnings};
use crate::harness::{DESK_042, MACHINE, NO_QUOTA, USER, World, new_sandbox};

const BACKENDS: [&str; 2] = ["defender", "graph"];

/// Asks a new service, which has nothing in its cache.
async fn ask(sandbox: &Sandbox, backend: &str, value: &str) -> Heard {
    let changes = [NO_QUOTA, &[("DEFENDER_BACKEND", backend)]].concat();
    World::around(sandbox.clone(), &changes).await.get(&[("value", value), ("not_found", "200")]).await
}

async fn answer(sandbox: &Sandbox, backend: &str, value: &str) -> Value {
    let answer = ask(sandbox, backend, value).await.answer();
    assert_eq!(steps(&answer).iter().filter(|step| **step == "detected_kind").count(), 1, "{answer}");
    assert_eq!(answer["resolution"][0]["to"], answer["kind"], "the answer says which kind it is");
    answer
}

fn detail(answer: &Value, code: &str) -> Option<String> {
    let warnings = answer["warnings"].as_array().expect("warnings");
    let warning = warnings.iter().find(|warning| warning["code"] == code)?;
    warning["detail"].as_str().map(str::to_owned)
}

fn calls(sandbox: &Sandbox, route: Route) -> usize {
    sandbox.seen().iter().filter(|seen| seen.route == Some(route)).count()
}

#[tokio::test]
async fn first_kind_with_findings_is_the_answer_and_the_last_lookup() {
    let sandbox = new_sandbox().await;
    let (account, _) = USER.split_once('@').expect("a user principal name");
    for backend in BACKENDS {
        assert_eq!(answer(&sandbox, backend, MACHINE).await["kind"], "machine", "{backend}");
        assert_eq!(calls(&sandbox, Route::UserAlerts), 0, "no other kind is looked up");
        let found = answer(&sandbox, backend, account).await;
        assert!(found["kind"] == "user" && found["found"] == true, "{backend}: {found}");
        assert!(!warnings(&found).contains(&"tried_as"), "{backend}");
        let found = answer(&sandbox, backend, DESK_042).await;
        assert_eq!((&found["kind"], &found["id"]), (&"machine".into(), &DESK_042.into()), "40 digits may be a file");
        sandbox.forget();
    }
}

#[tokio::test]
async fn device_with_only_the_first_label_is_looked_up_last() {
    const KIOSK: &str = "00000000000000000000000000000000000000c9";
    let sandbox = new_sandbox().await;
    sandbox.company(|company| {
        let device = company.devices.first().expect("a device").clone();
        company.devices.push(Device { id: KIOSK.to_owned(), name: "kiosk9".to_owned(), ..device });
        let alert = company.alerts.first().expect("an alert").clone();
        let devices = vec![KIOSK.to_owned()];
        company.alerts.push(Alert { id: "da639305048212300009_9".to_owned(), devices, ..alert });
    });
    for backend in BACKENDS {
        sandbox.forget();
        let found = answer(&sandbox, backend, "kiosk9.contoso.com").await;
        assert_eq!((&found["kind"], &found["id"]), (&"machine".into(), &KIOSK.into()), "{backend}");
        assert_eq!(found["alerts"].as_array().map(Vec::len), Some(1), "{backend}");
        assert!(detail(&found, "matched_short_name").is_some_and(|detail| detail.contains("kiosk9")), "{backend}");
        if backend == "defender" {
            let routes = [Route::Machines, Route::UserAlerts, Route::DomainAlerts, Route::MachineAlerts];
            assert_eq!(routes.map(|route| calls(&sandbox, route)), [1; 4], "the list of devices is asked for once");
        } else {
            assert_eq!(calls(&sandbox, Route::Hunting), 3, "one query finds devices by the full and the short name");
        }
    }
}

#[tokio::test]
async fn empty_answer_names_all_kinds_that_were_looked_up() {
    let sandbox = new_sandbox().await;
    for backend in BACKENDS {
        let empty = answer(&sandbox, backend, "nobody.contoso.com").await;
        assert!(empty["kind"] == "machine" && empty["found"] == false, "{backend}: {empty}");
        let sentence = "Nothing was found: this was asked as machine, as user and as domain.";
        assert_eq!(detail(&empty, "tried_as").as_deref(), Some(sentence), "{backend}");
        let empty = answer(&sandbox, backend, "Petra Gundersen").await;
        let detail = detail(&empty, "tried_as").expect("a warning");
        assert!(detail.contains("machine and as user") && detail.contains("display name"), "{backend}: {detail}");
        let empty = answer(&sandbox, backend, "nobody@contoso.com").await;
        assert!(empty["found"] == false && !warnings(&empty).contains(&"tried_as"), "only a user has this form");
    }
}

#[tokio::test]
async fn failed_lookup_is_reported_only_when_no_other_kind_is_found() {
    let sandbox = new_sandbox().await;
    let (account, _) = USER.split_once('@').expect("a user principal name");
    for (route, value, fault, status) in [
        (Route::Machines, "nobody", 403, 502),
        (Route::UserAlerts, "nobody", 503, 503),
        (Route::Machines, account, 503, 200),
        (Route::UserAlerts, MACHINE, 503, 200),
    ] {
        sandbox.mend();
        sandbox.forget();
        sandbox.fail(route, Times::Always, Fault::status(fault));
        let outcome = ask(&sandbox, "defender", value).await;
        assert_eq!(outcome.status, status, "{route:?} {value}: {}", outcome.text());
        assert!(
            calls(&sandbox, Route::UserAlerts) > 0 || value == MACHINE,
            "the other kinds are looked up all the same"
        );
    }
    sandbox.mend();
    sandbox.fail(Route::Hunting, Times::Always, Fault::status(503));
    ask(&sandbox, "graph", "nobody.contoso.com").await.problem(503, "upstream_unavailable");
}
