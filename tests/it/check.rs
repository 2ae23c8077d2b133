//! `check`: what an operator is told, and what it is worth by its exit status. It is run as a process.

use std::process::Command;

use defender_sandbox::{
    CALLER_SECRET, DEFENDER_AUDIENCE, DEFENDER_SECRET, DEMO_KEY, Fault, GRAPH_AUDIENCE, Route, Sandbox, TENANT_ID,
    Times, demo_callers,
};
use serde_json::{Value, json};

use crate::harness::{World, changed, new_sandbox};
use crate::receiver::{Receiver, Say};

/// Runs `check` with arguments and an environment of its own: its exit status, and what it prints.
async fn run(arguments: &[&str], environment: Vec<(&'static str, String)>) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_defender-enrich"));
    program.arg("check").args(arguments).env_clear().envs(environment);
    let output = tokio::task::spawn_blocking(move || program.output()).await.expect("a thread").expect("a process");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Runs `check` against a sandbox, with other settings than its own; an empty one is not set.
async fn check(sandbox: &Sandbox, changes: &[(&'static str, &str)]) -> (Option<i32>, String) {
    run(&[], settings(sandbox, changes)).await
}

fn settings(sandbox: &Sandbox, changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut settings = sandbox.settings();
    settings.push(("DEFENDER_BACKEND", "defender".to_owned()));
    for (name, value) in changes {
        settings.retain(|(known, _)| known != name);
        settings.push((*name, (*value).to_owned()));
    }
    settings
}

/// The lines about a part, without their columns.
fn lines<'a>(told: &'a str, mark: &str, part: &str) -> Vec<&'a str> {
    let head = format!("{mark:<6} {part:<34} ");
    told.lines().filter_map(|line| line.strip_prefix(&head)).collect()
}

#[track_caller]
fn assert_told(told: &str, mark: &str, part: &str, words: &[&str]) {
    let found = lines(told, mark, part);
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    assert!(found.iter().any(has_all), "{mark} {part}: {words:?}\n{told}");
}

/// What Secrets Manager says.
fn aws_says(code: &str) -> Fault {
    aws_says_why(code, "canary")
}

fn aws_says_why(code: &str, message: &str) -> Fault {
    let body = json!({"__type": code, "Message": message}).to_string();
    Fault::status(400).with_body(body).with_header("x-amzn-errortype", code)
}

/// What Entra says.
fn entra_says(number: u32) -> Fault {
    let text = format!("AADSTS{number}: canary");
    let body = json!({"error": "unauthorized_client", "error_description": text, "error_codes": [number]});
    Fault::status(401).with_body(body.to_string())
}

const NO_AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_CONFIG_FILE", "/nonexistent/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"),
];

#[tokio::test]
async fn missing_aws_credentials_a_missing_profile_and_a_missing_setting_are_told_apart() {
    let sandbox = new_sandbox().await;
    let (status, told) = check(&sandbox, &NO_AWS).await;
    assert_eq!(status, Some(1), "{told}");
    assert_told(&told, "WRONG", "AWS credentials", &["none in this shell", "AWS_PROFILE"]);
    let profile = [NO_AWS.as_slice(), &[("AWS_PROFILE", "canary")]].concat();
    let (status, told) = check(&sandbox, &profile).await;
    assert_told(&told, "WRONG", "settings", &["AWS_PROFILE must name a profile", "list-profiles"]);
    assert!(status == Some(1) && !told.contains("canary"), "{told}");
    let (status, told) = check(&sandbox, &[("DEFENDER_SECRET_ID", "")]).await;
    assert_told(&told, "WRONG", "settings", &["DEFENDER_SECRET_ID must be set", "--demo"]);
    assert_eq!(status, Some(1));
    assert_eq!(sandbox.seen().len(), 0, "nothing is asked");
}

#[tokio::test]
async fn every_reason_why_a_secret_cannot_be_read_has_its_own_remedy() {
    let denied = "User: arn:aws:iam::111122223333:user/canary is not authorized to perform: secretsmanager:GetSecretValue on \
                  resource: Access to KMS";
    let key_denied = "User: canary is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:canary";
    for (code, message, words) in [
        ("AccessDeniedException", denied, ["may not read it", "secretsmanager:GetSecretValue"]),
        ("AccessDeniedException", "Access to KMS is not allowed", ["may not use the KMS key", "kms:Decrypt"]),
        ("AccessDeniedException", key_denied, ["may not use the KMS key", "policy of the key"]),
        ("ResourceNotFoundException", "canary", ["no such secret", "AWS_REGION"]),
        ("UnrecognizedClientException", "canary", ["does not accept the AWS credentials", "aws sso login"]),
        ("ExpiredTokenException", "canary", ["have expired", "aws sso login"]),
        ("DecryptionFailure", "canary", ["KMS key", "enable"]),
        ("InvalidRequestException", "canary", ["marked for deletion", "restore-secret"]),
    ] {
        for (secret, part) in [(DEFENDER_SECRET, "Defender secret"), (CALLER_SECRET, "callers")] {
            let sandbox = new_sandbox().await;
            sandbox.fail(Route::Secret, Times::Always, aws_says_why(code, message).only_for(secret));
            let (status, told) = check(&sandbox, &[]).await;
            assert_told(&told, "WRONG", part, &words);
            assert!(status == Some(1) && !told.contains("canary"), "{told}");
        }
    }
}

#[tokio::test]
async fn refusals_of_entra_are_told_apart_with_their_numbers() {
    for (number, words) in [
        (90002, ["the tenant is not known", "tenant_id"]),
        (700_016, ["the application is not known", "client_id"]),
        (7_000_112, ["the application is disabled", "Enterprise applications"]),
        (7_000_215, ["the client secret is wrong", "not its id"]),
        (7_000_222, ["the client secret has expired", "Create a client secret"]),
        (53003, ["Conditional Access", "Exclude"]),
        (500_011, ["the API is not known", "DEFENDER_CLOUD"]),
        (50_105, ["Entra refuses it", "login.microsoftonline.com/error"]),
    ] {
        let sandbox = new_sandbox().await;
        sandbox.fail(Route::Token, Times::Always, entra_says(number));
        let (status, told) = check(&sandbox, &[]).await;
        let aadsts = format!("(AADSTS{number})");
        assert_told(&told, "WRONG", "Defender for Endpoint: token", &[words[0], words[1], &aadsts]);
        assert!(
            status == Some(1) && !told.contains("canary") && !told.contains("??") && !told.contains("?."),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_token_that_has_expired_and_an_api_that_is_down_are_told_for_a_command_line() {
    let sandbox = new_sandbox().await;
    let token = json!({"access_token": "canary-token", "expires_at": "2020-01-01T00:00:00Z"});
    sandbox.put_secret(DEFENDER_SECRET, &token.to_string());
    let (_, told) = check(&sandbox, &[]).await;
    assert_told(&told, "WRONG", "Defender for Endpoint: token", &["has expired", "Store another token"]);
    assert!(!told.contains("canary"), "{told}");
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    let (_, told) = check(&sandbox, &[]).await;
    assert_told(&told, "WRONG", "Defender for Endpoint: a call", &["Ask again in 10 seconds"]);
    assert!(!told.contains("Retry-After"), "{told}");
}

#[tokio::test]
async fn a_federated_credential_is_not_wrong_because_it_cannot_be_proven_here() {
    let sandbox = new_sandbox().await;
    let mut federated = changed(sandbox.client_credential(), json!({"federated": true}));
    federated.as_object_mut().expect("an object").remove("client_secret");
    sandbox.put_secret(DEFENDER_SECRET, &federated.to_string());
    let (status, told) = check(&sandbox, &[]).await;
    assert_told(&told, "-", "Defender for Endpoint: token", &["not from here", "--url"]);
    assert!(status == Some(0) && told.ends_with("Nothing is wrong, as far as it can be told from here.\n"), "{told}");
}

#[tokio::test]
async fn unknown_members_and_weak_keys_of_the_caller_secret_are_noted() {
    let sandbox = new_sandbox().await;
    let callers = json!({
        "api_keys": {"jira": ["canary-short"], "siem": ["canary:3f9c1de07b5a4482c6d1e90fa7b82354"]},
        "splunk_tokens": {"es": ["canary"]},
        "slack_signing_secrets": ["canary"],
        "pagerduty_secrets": ["canary", "canary-2"],
        "slack_signing_secret": ["canary"],
        "destinations": {"soc": {"kind": "slack", "url": "https://canary.invalid/canary", "fromat": "canary"}},
        "canary3f9c1de07b5a4482c6d1": "siem",
    });
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    let (status, told) = check(&sandbox, &[]).await;
    assert_told(&told, "NOTE", "callers", &["a key of jira can be guessed", "openssl"]);
    assert_told(&told, "NOTE", "  Splunk", &["a token of es can be guessed"]);
    assert_told(&told, "NOTE", "  Slack", &["a secret of slack can be guessed", "that Slack shows"]);
    assert_told(&told, "NOTE", "  PagerDuty", &["a secret of pagerduty can be guessed", "that PagerDuty shows"]);
    assert_told(&told, "NOTE", "caller secret", &["in destination soc, the member fromat", "did you mean format?"]);
    assert_told(
        &told,
        "NOTE",
        "caller secret",
        &["slack_signing_secret is not known: did you mean slack_signing_secrets?"],
    );
    assert_told(&told, "NOTE", "caller secret", &["not shown because it may be a key"]);
    assert!(status == Some(1) && !told.contains("canary"), "{told}");
    for (text, words) in [
        (json!({"api_keys": ["canary"]}), ["api_keys", "{\"jira\":[\"KEY\"]}"]),
        (json!({}), ["no keys", "{\"jira\":[\"KEY\"]}"]),
        (json!(["canary"]), ["JSON object", "{\"jira\":[\"KEY\"]}"]),
    ] {
        sandbox.put_secret(CALLER_SECRET, &text.to_string());
        let (status, told) = check(&sandbox, &[]).await;
        assert_told(&told, "WRONG", "callers", &words);
        assert!(status == Some(1) && !told.contains("canary"), "{told}");
    }
}

async fn with_destinations(destinations: &Value) -> Sandbox {
    let sandbox = new_sandbox().await;
    let callers = changed(demo_callers(), json!({"destinations": destinations}));
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    sandbox
}

#[tokio::test]
async fn every_destination_is_looked_at() {
    let sandbox = with_destinations(&json!({
        "kind": {"kind": "slak", "url": "https://hooks.slack.com/canary"},
        "plain": {"kind": "slack", "url": "http://hooks.example/canary"},
        "private": {"kind": "slack", "url": "https://10.0.0.5/canary"},
        "local": {"kind": "slack", "url": "https://localhost/canary"},
        "gone": {"kind": "slack", "url": "https://canary.invalid/canary"},
        "two words": {"kind": "slack", "url": "https://hooks.example/canary"},
    }))
    .await;
    let (status, told) = check(&sandbox, &[]).await;
    for (name, words) in [
        ("kind", "has to be one of: slack, teams, splunk_hec, webhook"),
        ("plain", "has to be an https:// address"),
        ("private", "leads to an address that a destination may not have"),
        ("local", "ENRICH_ALLOW_PRIVATE_DESTINATIONS"),
        ("gone", "has no address"),
    ] {
        assert_told(&told, "WRONG", &format!("destination {name}"), &[words]);
    }
    assert_told(&told, "WRONG", "destinations", &["a name that is not"]);
    assert!(status == Some(1) && !told.contains("canary"), "{told}");
    assert!(told.ends_with("\n6 things are wrong.\n"), "{told}");
}

#[tokio::test]
async fn a_test_message_is_posted_on_request_only() {
    let good = Receiver::start(&[]).await;
    let collector = Receiver::start(&[Say::body(200, "{\"text\":\"Success\",\"code\":0}")]).await;
    let gone = Receiver::start(&[Say::status(404)]).await;
    let failing = Receiver::start(&[Say::status(500)]).await;
    let closed = format!("http://{}/", std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    let token = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let sandbox = with_destinations(&json!({
        "slack": {"kind": "slack", "url": good.url("/slack")},
        "teams": {"kind": "teams", "url": good.url("/teams")},
        "signed": {"kind": "webhook", "url": good.url("/signed"), "token": token, "format": "markdown"},
        "siem": {"kind": "splunk_hec", "url": collector.url("/hec"), "token": "canary", "format": "ecs"},
        "gone": {"kind": "slack", "url": gone.url("/canary")},
        "closed": {"kind": "slack", "url": closed},
        "failing": {"kind": "slack", "url": failing.url("/canary")},
    }))
    .await;
    let allowed = [("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true")];
    let (status, told) = check(&sandbox, &allowed).await;
    assert_told(&told, "ok", "destination siem", &["splunk_hec, in format ecs"]);
    assert_told(&told, "-", "  test message", &["--post-test"]);
    assert_eq!((status, good.connections() + collector.connections() + gone.connections()), (Some(0), 0), "{told}");

    let (status, told) = run(&["--post-test"], settings(&sandbox, &allowed)).await;
    assert_eq!(lines(&told, "ok", "  test message"), ["taken (HTTP 200)"; 4], "{told}");
    assert_told(&told, "WRONG", "  test message", &["refused (HTTP 404)", "check url and token"]);
    assert_told(&told, "WRONG", "  test message", &["no connection", "check host and port of url", "firewall"]);
    assert_told(&told, "WRONG", "  test message", &["a fault of its own (HTTP 500)", "status page"]);
    assert!(status == Some(1) && !told.contains("canary"), "{told}");
    let mut targets: Vec<_> = good.posts().iter().map(|post| post.target.clone()).collect();
    targets.sort();
    assert_eq!(targets, ["/signed", "/slack", "/teams"]);
    for post in good.posts().into_iter().chain(collector.posts()) {
        let body = String::from_utf8(post.body.clone()).expect("UTF-8");
        assert!(body.contains("test message of defender-enrich"), "{body}");
        assert!(serde_json::from_str::<Value>(&body).is_ok_and(|body| body.is_object()), "{body}");
        assert_eq!(post.header("webhook-signature").is_empty(), post.target != "/signed");
    }
}

#[tokio::test]
async fn permissions_that_need_not_be_there_are_called_optional() {
    let sandbox = new_sandbox().await;
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    let (status, told) = check(&sandbox, &[("DEFENDER_BACKEND", "auto")]).await;
    assert_told(&told, "-", "  ThreatHunting.Read.All", &["optional", "older APIs are asked", "Microsoft Graph"]);
    assert_eq!(status, Some(0), "{told}");
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Alert.Read.All"]);
    let (status, told) = check(&sandbox, &[]).await;
    assert_told(&told, "WRONG", "  Machine.Read.All", &["missing, for machines by name", "WindowsDefenderATP"]);
    assert_eq!(status, Some(1), "{told}");
    let required = ["Alert.Read.All", "Machine.Read.All", "File.Read.All"];
    sandbox.set_roles(DEFENDER_AUDIENCE, &required);
    let (status, told) = check(&sandbox, &[]).await;
    for role in ["  Ip.Read.All", "  URL.Read.All"] {
        assert_told(&told, "-", role, &["optional, and missing", "answers come without it", "WindowsDefenderATP"]);
    }
    assert_eq!(status, Some(0), "{told}");
    sandbox.set_roles(DEFENDER_AUDIENCE, &[&required[..], &["Ip.Read.All", "URL.Read.All"]].concat());
    assert_told(&check(&sandbox, &[]).await.1, "ok", "  Ip.Read.All", &["how many devices"]);
}

async fn ask(world: &World, more: &[&str]) -> (Option<i32>, String) {
    let url = format!("http://{}/v1/enrich", world.address);
    run(&[&["--url", &url], more].concat(), Vec::new()).await
}

#[tokio::test]
async fn a_deployed_service_is_asked_as_a_caller_would_ask_it() {
    let world = World::start().await;
    let (status, told) = ask(&world, &["--key", DEMO_KEY]).await;
    let good = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(status == Some(0) && good == 5 && !told.contains(DEMO_KEY), "{told}");
    assert_eq!(world.calls(Route::Alert), 1, "a wrong key asks nothing");

    let (status, told) = ask(&world, &["--key", "canary"]).await;
    assert_told(&told, "WRONG", "the key", &["api_keys", "SECRET_TTL_S"]);
    assert!(status == Some(1) && !told.contains("canary"), "{told}");
    let (status, told) = ask(&world, &[]).await;
    assert_told(&told, "-", "a lookup", &["no key"]);
    assert!(status == Some(0) && !told.contains("All is well"), "{told}");

    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(403).with_body("{}"));
    let (status, told) = ask(&world, &["--key", DEMO_KEY]).await;
    assert_told(&told, "ok", "the key", &["accepted"]);
    assert_told(&told, "WRONG", "a lookup", &["upstream_", "request_id"]);
    assert!(status == Some(1) && !told.contains(TENANT_ID), "{told}");

    world.sandbox.mend();
    let unreadable = World::start().await;
    unreadable.sandbox.fail(
        Route::Secret,
        Times::Always,
        aws_says("ResourceNotFoundException").only_for(CALLER_SECRET),
    );
    let (status, told) = ask(&unreadable, &["--key", DEMO_KEY]).await;
    assert_told(&told, "-", "the key", &["not proven"]);
    assert_eq!(status, Some(1), "{told}");

    let open = World::with(&[("ENRICH_AUTH", "none")]).await;
    let (_, told) = ask(&open, &["--key", DEMO_KEY]).await;
    assert_told(&told, "-", "the key", &["any key is let in"]);
    let (status, told) = ask(&open, &[]).await;
    assert_told(&told, "NOTE", "a wrong key", &["everybody", "ENRICH_AUTH=none"]);
    assert_told(&told, "ok", "a lookup", &["answered"]);
    assert_eq!(status, Some(0), "{told}");
}

#[tokio::test]
async fn what_is_no_deployed_service_is_told_apart() {
    for (say, words) in [
        (Say::body(404, "{\"message\":\"Not Found\"}"), "stage or the base path"),
        (Say::body(403, "{\"message\":\"Forbidden\"}"), "AWS signatures"),
        (Say::body(500, "{\"message\":\"Internal Server Error\"}"), "a setting is wrong"),
        (Say::Status(301, "location: https://elsewhere.example/", String::new()), "a redirect, which is not followed"),
        (Say::body(200, "<html>\u{1b}[2Jcanary</html>"), "something else than defender-enrich"),
        (Say::Goodbye, "the connection broke"),
    ] {
        let other = Receiver::start(&[say]).await;
        let (status, told) = run(&["--url", &other.url("/prod"), "--key", "canary"], Vec::new()).await;
        assert_told(&told, "WRONG", "healthz", &[words]);
        assert!(status == Some(1) && !told.contains("canary") && !told.contains('\u{1b}'), "{told}");
        assert!(other.posts().iter().all(|post| post.target == "/prod/healthz"), "the key is not sent there");
    }
    let (status, told) = run(&["--url", "http://127.0.0.1:1"], Vec::new()).await;
    assert_told(&told, "WRONG", "healthz", &["no connection", "DNS"]);
    assert_eq!(status, Some(1), "{told}");
}

#[tokio::test]
async fn slips_in_a_secret_are_reported() {
    let sandbox = new_sandbox().await;
    assert!(!check(&sandbox, &[]).await.1.contains("secret                      it "));
    let credential = sandbox.client_credential().to_string();
    sandbox.put_secret(DEFENDER_SECRET, &format!("\u{feff}{},}}", credential.trim_end_matches('}')));
    sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": json!({"demo": ["canary-key\n"]}).to_string()}).to_string());
    let (status, told) = check(&sandbox, &[]).await;
    assert_eq!(status, Some(0), "{told}");
    for line in [
        "NOTE   Defender secret                    it begins with a byte order mark",
        "NOTE   Defender secret                    it has a comma before a closing brace or bracket",
        "NOTE   caller secret                      api_keys is encoded twice: JSON inside a JSON text",
        "NOTE   caller secret                      api_keys has white space around it",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_understood_is_named_by_its_place() {
    let binary = Fault::body(json!({"Name": "x", "SecretBinary": "e30="}).to_string());
    let deleted = aws_says("InvalidRequestException");
    for (fault, word) in [(binary, "SecretBinary"), (deleted, "marked for deletion")] {
        for (secret, part) in [(DEFENDER_SECRET, "Defender secret"), (CALLER_SECRET, "callers")] {
            let sandbox = new_sandbox().await;
            sandbox.fail(Route::Secret, Times::Always, fault.clone().only_for(secret));
            let (status, told) = check(&sandbox, &[]).await;
            assert_eq!(status, Some(1), "{told}");
            let line = told.lines().find(|line| line.starts_with(&format!("WRONG  {part} ")));
            assert!(line.is_some_and(|line| line.contains(word)), "{word}: {told}");
        }
    }
    for (secret, part) in [(DEFENDER_SECRET, "Defender secret"), (CALLER_SECRET, "callers")] {
        let sandbox = new_sandbox().await;
        sandbox.put_secret(secret, "{\n  \"canary\": 1\n  \"canary\": 2}");
        let (status, told) = check(&sandbox, &[]).await;
        let line = told.lines().find(|line| line.starts_with(&format!("WRONG  {part} "))).unwrap_or_default();
        assert!(status == Some(1) && line.contains("line 3, column 3") && !told.contains("canary"), "{told}");
    }
}
