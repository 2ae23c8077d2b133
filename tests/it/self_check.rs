//! `{"check":true}`: the shipped program checks itself, with its own role, and only for whoever may invoke it directly.

use std::process::Command;

use defender_enrich::domain::timestamp::Timestamp;
use defender_sandbox::{
    CALLER_SECRET, DEFENDER_AUDIENCE, DEFENDER_SECRET, DEMO_KEY, Fault, Route, Sandbox, Times, demo_callers,
};
use serde_json::{Value, json};

use crate::freezing::{Environment, Extensions, request};
use crate::harness::{ALERT, changed, new_sandbox};

async fn start(sandbox: &Sandbox) -> Environment {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lambda"));
    program
        .env_clear()
        .envs(sandbox.settings())
        .env("DEFENDER_BACKEND", "defender")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    Environment::start(program, Extensions::Taken).await
}

/// The line of each check.
fn lines(environment: &Environment) -> Vec<Value> {
    let log = environment.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "check").collect()
}

/// The rows of a table with this status, as `NAME: DETAIL`.
fn rows(table: &Value, status: &str) -> Vec<String> {
    let rows = table["checks"].as_array().expect("rows").iter().filter(|row| row["status"] == status);
    rows.map(|row| format!("{}: {}", row["name"].as_str().unwrap(), row["detail"].as_str().unwrap())).collect()
}

async fn checked(environment: &Environment) -> Value {
    environment.frozen().await;
    environment.invoke(&json!({"check": true, "time": "2026-11-21T12:00:00Z"})).await.expect("a table")
}

/// A sandbox whose keys nobody can guess, so that nothing is to be said of it.
async fn sound_sandbox() -> Sandbox {
    let sandbox = new_sandbox().await;
    let callers = json!({"api_keys": {"soc": ["0123456789abcdef0123456789abcdef"]}});
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    sandbox
}

#[tokio::test]
async fn the_function_checks_itself_and_says_so_in_one_line() {
    let sandbox = sound_sandbox().await;
    let environment = start(&sandbox).await;
    let table = checked(&environment).await;
    assert_eq!(table["ok"], true, "{table}");
    let good = rows(&table, "ok").join("\n");
    for role in ["Alert.Read.All", "Machine.Read.All", "File.Read.All", "Incident.Read.All"] {
        assert!(good.contains(role), "{role}: {table}");
    }
    let lines = lines(&environment);
    assert_eq!(lines.len(), 1, "{}", environment.log());
    let line = &lines[0];
    assert_eq!(
        (&line["ok"], &line["failed"], &line["warnings"], &line["codes"]),
        (&json!(true), &json!(0), &json!(0), &json!(""))
    );
}

#[tokio::test]
async fn a_check_of_a_running_function_does_not_answer_from_its_caches() {
    let sandbox = new_sandbox().await;
    let environment = start(&sandbox).await;
    environment.frozen().await;
    let event = request("POST", "/v1/enrich", Some(&json!({"alert_id": ALERT})));
    environment.invoke(&event).await.expect("an answer");
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Machine.Read.All"]);
    sandbox.fail(Route::Alert, Times::Always, Fault::status(403));
    let table = checked(&environment).await;
    assert_eq!(table["ok"], false, "{table}");
    let wrong = rows(&table, "wrong").join("\n");
    assert!(wrong.contains("Alert.Read.All") && wrong.contains("File.Read.All"), "{wrong}");
    let line = &lines(&environment)[0];
    assert_eq!((&line["ok"], &line["codes"]), (&json!(false), &json!("upstream_forbidden")), "{line}");
    assert!(line["findings"].as_str().is_some_and(|findings| findings.contains("Alert.Read.All")), "{line}");
}

#[tokio::test]
async fn a_refused_credential_is_told_of_the_role_and_without_a_secret() {
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Secret, Times::Always, denied());
    let environment = start(&sandbox).await;
    let table = checked(&environment).await;
    assert_eq!(table["ok"], false, "{table}");
    let wrong = rows(&table, "wrong").join("\n");
    assert!(wrong.contains("the function's role may not read it") && !wrong.contains("shell"), "{wrong}");
    assert_eq!(lines(&environment)[0]["codes"], "secret_unavailable");
    let told = format!("{table}{}", environment.log());
    assert!(!told.contains("canary") && !told.contains(DEMO_KEY), "{told}");
}

fn denied() -> Fault {
    let body = json!({"__type": "AccessDeniedException", "Message": "canary"}).to_string();
    Fault::status(400).with_body(body).with_header("x-amzn-errortype", "AccessDeniedException")
}

#[tokio::test]
async fn a_credential_that_ends_within_14_days_is_a_warning() {
    for (days, status) in [(9, "warning"), (13, "warning"), (15, "ok")] {
        let sandbox = sound_sandbox().await;
        let end = Timestamp::now().unix_seconds() + days * 86_400 + 3_600;
        sandbox
            .put_secret(DEFENDER_SECRET, &changed(sandbox.client_credential(), json!({"expires_at": end})).to_string());
        let environment = start(&sandbox).await;
        let table = checked(&environment).await;
        assert_eq!(table["ok"], true, "{table}");
        let row = rows(&table, status).into_iter().find(|row| row.starts_with("end of the credential"));
        assert!(row.is_some_and(|row| row.contains(&format!("in {days} days"))), "{days}: {table}");
        assert_eq!(lines(&environment)[0]["warnings"], i64::from(status == "warning"), "{days}");
    }
}

#[tokio::test]
async fn an_unreadable_end_is_reported_and_disables_nothing() {
    let sandbox = sound_sandbox().await;
    sandbox.put_secret(
        DEFENDER_SECRET,
        &changed(sandbox.client_credential(), json!({"expires_at": "next spring"})).to_string(),
    );
    let table = checked(&start(&sandbox).await).await;
    assert_eq!(table["ok"], true, "{table}");
    assert!(rows(&table, "warning").join("\n").contains("expires_at is no time"), "{table}");
}

#[tokio::test]
async fn no_caller_can_make_the_function_check_itself() {
    let sandbox = new_sandbox().await;
    sandbox.put_secret(CALLER_SECRET, &demo_callers().to_string());
    let environment = start(&sandbox).await;
    environment.frozen().await;
    let body = json!({"check": true});
    for mut event in [request("POST", "/", Some(&body)), request("POST", "/v1/enrich", Some(&body))] {
        // An entry point adds no member of its own with this name; whoever could would still be a caller.
        event["check"] = json!(true);
        let reply = environment.invoke(&event).await.expect("a reply");
        assert_eq!(reply["statusCode"], 422, "{reply}");
    }
    for other in [json!({"check": false}), json!({"check": "yes"}), json!({"check": null}), json!({}), json!([true])] {
        environment.invoke(&other).await.expect_err("an unknown event");
    }
    assert!(lines(&environment).is_empty(), "{}", environment.log());
}
