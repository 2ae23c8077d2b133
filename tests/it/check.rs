//! `check`: what it tells an operator, and what it is worth by its exit status. It is run as a process.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    CALLER_SECRET, DEFENDER_AUDIENCE, DEFENDER_SECRET, DEMO_KEY, Fault, GRAPH_AUDIENCE, Route, Sandbox, TENANT_ID,
    Times, World, callers_with, changed, environment, new_sandbox,
};
use crate::receiver::{Receiver, Reply};

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
    run(&[], environment(sandbox, changes)).await
}

/// The lines about a part, without their columns.
fn lines<'a>(output: &'a str, mark: &str, part: &str) -> Vec<&'a str> {
    let head = format!("{mark:<6} {part:<34} ");
    output.lines().filter_map(|line| line.strip_prefix(&head)).collect()
}

#[track_caller]
fn assert_line(output: &str, mark: &str, part: &str, words: &[&str]) {
    let found = lines(output, mark, part);
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    assert!(found.iter().any(has_all), "{mark} {part}: {words:?}\n{output}");
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
async fn missing_credentials_profiles_and_settings_are_distinguished() {
    let sandbox = new_sandbox().await;
    let (status, output) = check(&sandbox, &NO_AWS).await;
    assert_eq!(status, Some(1), "{output}");
    assert_line(&output, "WRONG", "AWS credentials", &["none in this shell", "AWS_PROFILE"]);
    let profile = [NO_AWS.as_slice(), &[("AWS_PROFILE", "canary")]].concat();
    let (status, output) = check(&sandbox, &profile).await;
    assert_line(&output, "WRONG", "settings", &["AWS_PROFILE must name a profile", "list-profiles"]);
    assert!(status == Some(1) && !output.contains("canary"), "{output}");
    let (status, output) = check(&sandbox, &[("DEFENDER_SECRET_ID", "")]).await;
    assert_line(&output, "WRONG", "settings", &["DEFENDER_SECRET_ID must be set", "--demo"]);
    assert_eq!(status, Some(1));
    assert_eq!(sandbox.seen().len(), 0, "nothing is asked");
}

const SECRETS: [(&str, &str); 2] = [(DEFENDER_SECRET, "Defender secret"), (CALLER_SECRET, "callers")];

#[tokio::test]
async fn every_reason_why_a_secret_cannot_be_read_has_its_own_remedy() {
    let denied = "User: arn:aws:iam::111122223333:user/canary is not authorized to perform: secretsmanager:GetSecretValue on \
                  resource: Access to KMS";
    let key_denied = "User: canary is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:canary";
    let access_denied = |message: &str| aws_says_why("AccessDeniedException", message);
    let binary = Fault::body(json!({"Name": "x", "SecretBinary": "e30="}).to_string());
    for (fault, words) in [
        (access_denied(denied), ["may not read it", "secretsmanager:GetSecretValue"]),
        (access_denied("Access to KMS is not allowed"), ["may not use the KMS key", "kms:Decrypt"]),
        (access_denied(key_denied), ["may not use the KMS key", "policy of the key"]),
        (aws_says("ResourceNotFoundException"), ["no such secret", "AWS_REGION"]),
        (aws_says("UnrecognizedClientException"), ["does not accept the AWS credentials", "aws sso login"]),
        (aws_says("ExpiredTokenException"), ["have expired", "aws sso login"]),
        (aws_says("DecryptionFailure"), ["KMS key", "enable"]),
        (aws_says("InvalidRequestException"), ["marked for deletion", "restore-secret"]),
        (binary, ["SecretBinary", ""]),
    ] {
        for (secret, part) in SECRETS {
            let sandbox = new_sandbox().await;
            sandbox.fail(Route::Secret, Times::Always, fault.clone().only_for(secret));
            let (status, output) = check(&sandbox, &[]).await;
            assert_line(&output, "WRONG", part, &words);
            assert!(status == Some(1) && !output.contains("canary"), "{output}");
        }
    }
}

#[tokio::test]
async fn every_refusal_of_entra_has_its_own_remedy() {
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
        let (status, output) = check(&sandbox, &[]).await;
        let aadsts = format!("(AADSTS{number})");
        assert_line(&output, "WRONG", "Defender for Endpoint: token", &[words[0], words[1], &aadsts]);
        assert!(
            status == Some(1) && !output.contains("canary") && !output.contains("??") && !output.contains("?."),
            "{output}"
        );
    }
}

#[tokio::test]
async fn an_expired_token_and_an_outage_are_reported_for_operators() {
    let sandbox = new_sandbox().await;
    let token = json!({"access_token": "canary-token", "expires_at": "2020-01-01T00:00:00Z"});
    sandbox.put_secret(DEFENDER_SECRET, &token.to_string());
    let (_, output) = check(&sandbox, &[]).await;
    assert_line(&output, "WRONG", "Defender for Endpoint: token", &["has expired", "Store another token"]);
    assert!(!output.contains("canary"), "{output}");
    let sandbox = new_sandbox().await;
    sandbox.fail(Route::Alert, Times::Always, Fault::status(503));
    let (_, output) = check(&sandbox, &[]).await;
    assert_line(&output, "WRONG", "Defender for Endpoint: a call", &["Ask again in 10 seconds"]);
    assert!(!output.contains("Retry-After"), "{output}");
}

#[tokio::test]
async fn a_federated_credential_that_cannot_be_tried_here_is_not_wrong() {
    let sandbox = new_sandbox().await;
    let mut federated = changed(sandbox.client_credential(), json!({"federated": true}));
    federated.as_object_mut().expect("an object").remove("client_secret");
    sandbox.put_secret(DEFENDER_SECRET, &federated.to_string());
    let (status, output) = check(&sandbox, &[]).await;
    assert_line(&output, "-", "Defender for Endpoint: token", &["not from here", "--url"]);
    assert!(
        status == Some(0) && output.ends_with("Nothing is wrong, as far as it can be told from here.\n"),
        "{output}"
    );
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
    let (status, output) = check(&sandbox, &[]).await;
    assert_line(&output, "NOTE", "callers", &["a key of jira can be guessed", "openssl"]);
    assert_line(&output, "NOTE", "  Splunk", &["a secret of es can be guessed"]);
    assert_line(&output, "NOTE", "  Slack", &["a secret of slack can be guessed", "that Slack shows"]);
    assert_line(&output, "NOTE", "  PagerDuty", &["a secret of pagerduty can be guessed", "that PagerDuty shows"]);
    assert_line(&output, "NOTE", "caller secret", &["in destination soc, the member fromat", "did you mean format?"]);
    assert_line(
        &output,
        "NOTE",
        "caller secret",
        &["slack_signing_secret is not known: did you mean slack_signing_secrets?"],
    );
    assert_line(&output, "NOTE", "caller secret", &["not shown because it may be a key"]);
    assert!(status == Some(1) && !output.contains("canary"), "{output}");
    for (text, words) in [
        (json!({"api_keys": ["canary"]}), ["api_keys", "{\"jira\":[\"KEY\"]}"]),
        (json!({}), ["no keys", "{\"jira\":[\"KEY\"]}"]),
        (json!(["canary"]), ["JSON object", "{\"jira\":[\"KEY\"]}"]),
    ] {
        sandbox.put_secret(CALLER_SECRET, &text.to_string());
        let (status, output) = check(&sandbox, &[]).await;
        assert_line(&output, "WRONG", "callers", &words);
        assert!(status == Some(1) && !output.contains("canary"), "{output}");
    }
}

async fn with_destinations(destinations: &Value) -> Sandbox {
    let sandbox = new_sandbox().await;
    sandbox.put_secret(CALLER_SECRET, &callers_with(json!({"destinations": destinations})));
    sandbox
}

#[tokio::test]
async fn every_destination_is_checked() {
    let sandbox = with_destinations(&json!({
        "kind": {"kind": "slak", "url": "https://hooks.slack.com/canary"},
        "plain": {"kind": "slack", "url": "http://hooks.example/canary"},
        "private": {"kind": "slack", "url": "https://10.0.0.5/canary"},
        "local": {"kind": "slack", "url": "https://localhost/canary"},
        "gone": {"kind": "slack", "url": "https://canary.invalid/canary"},
        "two words": {"kind": "slack", "url": "https://hooks.example/canary"},
    }))
    .await;
    let (status, output) = check(&sandbox, &[]).await;
    for (name, words) in [
        ("kind", "has to be one of: slack, teams, splunk_hec, webhook"),
        ("plain", "has to be an https:// address"),
        ("private", "leads to an address that a destination may not have"),
        ("local", "ENRICH_ALLOW_PRIVATE_DESTINATIONS"),
        ("gone", "has no address"),
    ] {
        assert_line(&output, "WRONG", &format!("destination {name}"), &[words]);
    }
    assert_line(&output, "WRONG", "destinations", &["a name that is not"]);
    assert!(status == Some(1) && !output.contains("canary"), "{output}");
    assert!(output.ends_with("\n6 things are wrong.\n"), "{output}");
}

#[tokio::test]
async fn a_test_message_is_posted_on_request_only() {
    let good = Receiver::start(&[]).await;
    let collector = Receiver::start(&[Reply::body(200, "{\"text\":\"Success\",\"code\":0}")]).await;
    let gone = Receiver::start(&[Reply::status(404)]).await;
    let failing = Receiver::start(&[Reply::status(500)]).await;
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
    let (status, output) = check(&sandbox, &allowed).await;
    assert_line(&output, "ok", "destination siem", &["splunk_hec, in format ecs"]);
    assert_line(&output, "-", "  test message", &["--post-test"]);
    assert_eq!((status, good.connections() + collector.connections() + gone.connections()), (Some(0), 0), "{output}");

    let (status, output) = run(&["--post-test"], environment(&sandbox, &allowed)).await;
    assert_eq!(lines(&output, "ok", "  test message"), ["taken (HTTP 200)"; 4], "{output}");
    assert_line(&output, "WRONG", "  test message", &["refused (HTTP 404)", "check url and token"]);
    assert_line(&output, "WRONG", "  test message", &["no connection", "check host and port of url", "firewall"]);
    assert_line(&output, "WRONG", "  test message", &["a fault of its own (HTTP 500)", "status page"]);
    assert!(status == Some(1) && !output.contains("canary"), "{output}");
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
async fn missing_permissions_are_optional_where_another_api_answers() {
    let sandbox = new_sandbox().await;
    sandbox.set_roles(GRAPH_AUDIENCE, &["SecurityAlert.Read.All"]);
    let (status, output) = check(&sandbox, &[("DEFENDER_BACKEND", "auto")]).await;
    assert_line(&output, "-", "  ThreatHunting.Read.All", &["optional", "older APIs are asked", "Microsoft Graph"]);
    assert_eq!(status, Some(0), "{output}");
    sandbox.set_roles(DEFENDER_AUDIENCE, &["Alert.Read.All"]);
    let (status, output) = check(&sandbox, &[]).await;
    assert_line(&output, "WRONG", "  Machine.Read.All", &["missing, for machines by name", "WindowsDefenderATP"]);
    assert_eq!(status, Some(1), "{output}");
    let required = ["Alert.Read.All", "Machine.Read.All", "File.Read.All"];
    sandbox.set_roles(DEFENDER_AUDIENCE, &required);
    let (status, output) = check(&sandbox, &[]).await;
    for role in ["  Ip.Read.All", "  URL.Read.All"] {
        assert_line(&output, "-", role, &["optional, and missing", "answers come without it", "WindowsDefenderATP"]);
    }
    assert_eq!(status, Some(0), "{output}");
    sandbox.set_roles(DEFENDER_AUDIENCE, &[&required[..], &["Ip.Read.All", "URL.Read.All"]].concat());
    assert_line(&check(&sandbox, &[]).await.1, "ok", "  Ip.Read.All", &["how many devices"]);
}

async fn check_url(world: &World, more: &[&str]) -> (Option<i32>, String) {
    let url = format!("http://{}/v1/enrich", world.address);
    run(&[&["--url", &url], more].concat(), Vec::new()).await
}

#[tokio::test]
async fn a_deployed_service_is_checked_as_a_caller() {
    let world = World::start().await;
    let (status, output) = check_url(&world, &["--key", DEMO_KEY]).await;
    let good = output.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(status == Some(0) && good == 5 && !output.contains(DEMO_KEY), "{output}");
    assert_eq!(world.calls(Route::Alert), 1, "a wrong key asks nothing");

    let (status, output) = check_url(&world, &["--key", "canary"]).await;
    assert_line(&output, "WRONG", "the key", &["api_keys", "SECRET_TTL_S"]);
    assert!(status == Some(1) && !output.contains("canary"), "{output}");
    let (status, output) = check_url(&world, &[]).await;
    assert_line(&output, "-", "a lookup", &["no key"]);
    assert!(status == Some(0) && !output.contains("All is well"), "{output}");

    world.sandbox.fail(Route::Alert, Times::Always, Fault::status(403).with_body("{}"));
    let (status, output) = check_url(&world, &["--key", DEMO_KEY]).await;
    assert_line(&output, "ok", "the key", &["accepted"]);
    assert_line(&output, "WRONG", "a lookup", &["upstream_", "request_id"]);
    assert!(status == Some(1) && !output.contains(TENANT_ID), "{output}");

    world.sandbox.mend();
    let unreadable = World::start().await;
    unreadable.sandbox.fail(
        Route::Secret,
        Times::Always,
        aws_says("ResourceNotFoundException").only_for(CALLER_SECRET),
    );
    let (status, output) = check_url(&unreadable, &["--key", DEMO_KEY]).await;
    assert_line(&output, "-", "the key", &["not proven"]);
    assert_eq!(status, Some(1), "{output}");

    let open = World::with(&[("ENRICH_AUTH", "none")]).await;
    let (_, output) = check_url(&open, &["--key", DEMO_KEY]).await;
    assert_line(&output, "-", "the key", &["any key is let in"]);
    let (status, output) = check_url(&open, &[]).await;
    assert_line(&output, "NOTE", "a wrong key", &["everybody", "ENRICH_AUTH=none"]);
    assert_line(&output, "ok", "a lookup", &["answered"]);
    assert_eq!(status, Some(0), "{output}");
}

#[tokio::test]
async fn another_server_is_not_taken_for_the_service() {
    for (say, words) in [
        (Reply::body(404, "{\"message\":\"Not Found\"}"), "stage or the base path"),
        (Reply::body(403, "{\"message\":\"Forbidden\"}"), "AWS signatures"),
        (Reply::body(500, "{\"message\":\"Internal Server Error\"}"), "a setting is wrong"),
        (
            Reply::Status(301, "location: https://elsewhere.example/", String::new()),
            "a redirect, which is not followed",
        ),
        (Reply::body(200, "<html>\u{1b}[2Jcanary</html>"), "something else than defender-enrich"),
        (Reply::Close, "the connection broke"),
    ] {
        let other = Receiver::start(&[say]).await;
        let (status, output) = run(&["--url", &other.url("/prod"), "--key", "canary"], Vec::new()).await;
        assert_line(&output, "WRONG", "healthz", &[words]);
        assert!(status == Some(1) && !output.contains("canary") && !output.contains('\u{1b}'), "{output}");
        assert!(other.posts().iter().all(|post| post.target == "/prod/healthz"), "the key is not sent there");
    }
    let (status, output) = run(&["--url", "http://127.0.0.1:1"], Vec::new()).await;
    assert_line(&output, "WRONG", "healthz", &["no connection", "DNS"]);
    assert_eq!(status, Some(1), "{output}");
}

#[tokio::test]
async fn common_mistakes_in_a_secret_are_noted() {
    let sandbox = new_sandbox().await;
    assert!(!check(&sandbox, &[]).await.1.contains("secret                      it "));
    let credential = sandbox.client_credential().to_string();
    sandbox.put_secret(DEFENDER_SECRET, &format!("\u{feff}{},}}", credential.trim_end_matches('}')));
    sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": json!({"demo": ["canary-key\n"]}).to_string()}).to_string());
    let (status, output) = check(&sandbox, &[]).await;
    assert_eq!(status, Some(0), "{output}");
    for line in [
        "NOTE   Defender secret                    it begins with a byte order mark",
        "NOTE   Defender secret                    it has a comma before a closing brace or bracket",
        "NOTE   caller secret                      api_keys is encoded twice: JSON inside a JSON text",
        "NOTE   caller secret                      api_keys has white space around it",
    ] {
        assert!(output.contains(line), "{line}\n{output}");
    }
    assert!(!output.contains("canary"), "{output}");
}

#[tokio::test]
async fn a_syntax_error_in_a_secret_is_reported_by_its_position() {
    for (secret, part) in SECRETS {
        let sandbox = new_sandbox().await;
        sandbox.put_secret(secret, "{\n  \"canary\": 1\n  \"canary\": 2}");
        let (status, output) = check(&sandbox, &[]).await;
        assert_line(&output, "WRONG", part, &["line 3, column 3"]);
        assert!(status == Some(1) && !output.contains("canary"), "{output}");
    }
}
