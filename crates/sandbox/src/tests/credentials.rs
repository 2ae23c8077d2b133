//! Secrets Manager, STS and Entra.

use serde_json::{Value, json};

use super::client::{Response, ask};
use crate::{
    CALLER_SECRET, CLIENT_ID, DEFENDER_AUDIENCE, DEFENDER_SECRET, FEDERATION_AUDIENCE, Route, STS_ISSUER, Sandbox,
    Service, TENANT_ID, XDR_AUDIENCE, demo_callers,
};

const TARGET: &str = "X-Amz-Target: secretsmanager.GetSecretValue";

pub(super) fn signed_for(service: &str) -> String {
    let scope = format!("sandbox-access-key/20261117/eu-central-1/{service}/aws4_request");
    format!("Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00")
}

async fn secret(sandbox: &Sandbox, request: Value) -> Response {
    let headers = ["Content-Type: application/x-amz-json-1.1", TARGET, &signed_for("secretsmanager")];
    ask(sandbox.origin(Service::SecretsManager), "POST", "/", &headers, &request.to_string()).await.unwrap()
}

async fn form(
    sandbox: &Sandbox,
    service: Service,
    target: &str,
    headers: &[&str],
    fields: &[(&str, &str)],
) -> Response {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [&["Content-Type: application/x-www-form-urlencoded; charset=utf-8"], headers].concat();
    ask(sandbox.origin(service), "POST", target, &headers, &body).await.unwrap()
}

fn endpoint() -> String {
    format!("/{TENANT_ID}/oauth2/v2.0/token")
}

/// Asks for a token with the stored credential, some fields replaced.
async fn token(sandbox: &Sandbox, changed: &[(&str, &str)]) -> Response {
    let secret = sandbox.client_credential()["client_secret"].as_str().unwrap().to_owned();
    let scope = format!("{DEFENDER_AUDIENCE}/.default");
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", secret.as_str()),
        ("scope", scope.as_str()),
    ];
    fields.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
    fields.extend(changed);
    form(sandbox, Service::Login, &endpoint(), &[], &fields).await
}

#[tokio::test]
async fn the_settings_name_the_credential_and_the_caller_keys() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = sandbox.settings();
    let setting = |name: &str| settings.iter().find(|(other, _)| *other == name).unwrap().1.clone();
    assert_eq!(setting("AWS_ENDPOINT_URL_SECRETS_MANAGER"), sandbox.origin(Service::SecretsManager));
    let stored = secret(&sandbox, json!({"SecretId": setting("DEFENDER_SECRET_ID")})).await.json();
    assert_eq!(stored["SecretString"], sandbox.client_credential().to_string());
    assert_eq!(sandbox.secret(CALLER_SECRET).unwrap(), demo_callers().to_string());
}

#[tokio::test]
async fn a_new_version_of_a_secret_keeps_the_previous_one() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.put_secret("a/b", "one");
    let first = secret(&sandbox, json!({"SecretId": "a/b"})).await.json();
    sandbox.put_secret("a/b", "two");
    let second = secret(&sandbox, json!({"SecretId": "a/b"})).await.json();
    assert_eq!((&second["Name"], &second["SecretString"]), (&json!("a/b"), &json!("two")));
    assert_eq!(second["VersionStages"], json!(["AWSCURRENT"]));
    for mut request in [json!({"VersionStage": "AWSPREVIOUS"}), json!({"VersionId": first["VersionId"]})] {
        request["SecretId"] = json!("a/b");
        let previous = secret(&sandbox, request).await.json();
        assert_eq!((&previous["SecretString"], &previous["VersionId"]), (&json!("one"), &first["VersionId"]));
        assert_eq!(previous["VersionStages"], json!(["AWSPREVIOUS"]));
    }
    sandbox.remove_secret("a/c");
    for request in [
        json!({"SecretId": "a/b", "VersionStage": "X"}),
        json!({"SecretId": "a/b", "VersionId": "X"}),
        json!({"SecretId": "a/c"}),
    ] {
        let response = secret(&sandbox, request).await;
        assert_eq!((response.status, response.header("x-amzn-errortype")), (400, Some("ResourceNotFoundException")));
        assert_eq!(response.json()["__type"], "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn a_secret_is_found_by_its_arn_with_or_without_suffix() {
    let sandbox = Sandbox::start().await.unwrap();
    let arn = secret(&sandbox, json!({"SecretId": DEFENDER_SECRET})).await.json()["ARN"].as_str().unwrap().to_owned();
    let bare = arn.rsplit_once('-').unwrap().0.to_owned();
    for id in [arn.clone(), bare] {
        assert_eq!(secret(&sandbox, json!({"SecretId": id})).await.json()["ARN"], arn);
    }
    sandbox.put_secret("prod-secret", "hyphen and six letters");
    let bare = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:prod-secret";
    assert_eq!(secret(&sandbox, json!({"SecretId": bare})).await.json()["Name"], "prod-secret");
    assert_eq!(sandbox.seen().last().unwrap().key, "prod-secret");
}

#[tokio::test]
async fn secrets_manager_requires_a_signature_and_a_known_operation() {
    let sandbox = Sandbox::start().await.unwrap();
    let origin = sandbox.origin(Service::SecretsManager);
    let body = json!({"SecretId": DEFENDER_SECRET}).to_string();
    for (headers, code) in [
        (vec![TARGET.to_owned()], "MissingAuthenticationTokenException"),
        (vec![TARGET.to_owned(), "Authorization: Bearer x".to_owned()], "IncompleteSignatureException"),
        (vec![TARGET.to_owned(), signed_for("sts")], "InvalidSignatureException"),
        (vec![signed_for("secretsmanager")], "UnknownOperationException"),
        (
            vec!["X-Amz-Target: secretsmanager.ListSecrets".to_owned(), signed_for("secretsmanager")],
            "UnknownOperationException",
        ),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let response = ask(origin, "POST", "/", &headers, &body).await.unwrap();
        assert_eq!((response.status, response.header("x-amzn-errortype")), (400, Some(code)));
        assert!(!response.text().contains("client_secret"));
    }
    for body in ["", "[]", "{", "{\"SecretId\":7}", "\u{0}"] {
        let response = ask(origin, "POST", "/", &[TARGET, &signed_for("secretsmanager")], body).await.unwrap();
        assert_eq!(response.header("x-amzn-errortype"), Some("InvalidRequestException"), "{body:?}");
    }
    assert_eq!(ask(origin, "GET", "/", &[], "").await.unwrap().status, 404);
    assert_eq!(sandbox.seen()[2].header("authorization"), Some("sts"));
    assert_eq!(sandbox.seen()[1].header("authorization"), Some("unknown"));
}

#[tokio::test]
async fn a_client_secret_gets_a_token_for_its_api() {
    let sandbox = Sandbox::start().await.unwrap();
    let response = token(&sandbox, &[]).await;
    assert_eq!(response.status, 200);
    let answer = response.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3599)));
    let bearer = format!("Authorization: Bearer {}", answer["access_token"].as_str().unwrap());
    let response = ask(sandbox.origin(Service::Defender), "GET", "/api/machines", &[&bearer], "").await.unwrap();
    assert_eq!(response.status, 200);
    let seen = &sandbox.seen()[0];
    assert_eq!((seen.route, seen.key.as_str()), (Some(Route::Token), DEFENDER_AUDIENCE));
    assert_eq!(answer["access_token"].as_str().unwrap().split('.').count(), 3);
    let scope = format!("{XDR_AUDIENCE}/.default");
    assert_eq!(token(&sandbox, &[("scope", &scope)]).await.status, 200);
}

#[tokio::test]
async fn entra_refuses_with_the_number_of_each_error() {
    let sandbox = Sandbox::start().await.unwrap();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for (changed, status, number) in [
        (vec![("client_secret", "wrong")], 401, 7_000_215),
        (vec![("client_id", "11111111-1111-4111-8111-111111111111")], 400, 700_016),
        (vec![("grant_type", "password")], 400, 70_003),
        (vec![("scope", "https://nobody.example/.default")], 400, 500_011),
        (vec![("scope", DEFENDER_AUDIENCE)], 400, 1_002_012),
        (vec![("client_assertion", "a.b.c")], 400, 900_144),
        (vec![("client_assertion", "a.b.c"), ("client_assertion_type", kind)], 401, 700_027),
        (vec![("client_assertion", "e30.e30.e30"), ("client_assertion_type", kind)], 400, 700_211),
    ] {
        let response = token(&sandbox, &changed).await;
        let body = response.json();
        assert_eq!((response.status, &body["error_codes"]), (status, &json!([number])), "{changed:?}");
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
    }
    let response = form(&sandbox, Service::Login, "/someone/oauth2/v2.0/token", &[], &[]).await;
    assert_eq!((response.status, &response.json()["error_codes"]), (400, &json!([90_002])));
    assert_eq!(form(&sandbox, Service::Login, "/a/b/oauth2/v2.0/token", &[], &[]).await.status, 404);
    assert_eq!(ask(sandbox.origin(Service::Login), "GET", &endpoint(), &[], "").await.unwrap().status, 400);
}

#[tokio::test]
async fn sts_refuses_wrong_requests_and_has_no_federation_without_a_key() {
    let sandbox = Sandbox::start().await.unwrap();
    let fields = |audience, algorithm, seconds| {
        [
            ("Action", "GetWebIdentityToken"),
            ("Version", "2011-06-15"),
            ("Audience.member.1", audience),
            ("SigningAlgorithm", algorithm),
            ("DurationSeconds", seconds),
        ]
    };
    for (service, audience, algorithm, seconds, status, code) in [
        ("sts", FEDERATION_AUDIENCE, "RS256", "300", 403, "OutboundWebIdentityFederationDisabledException"),
        ("sts", "api://other", "RS256", "300", 403, "AccessDenied"),
        ("sts", FEDERATION_AUDIENCE, "ES384", "300", 400, "ValidationError"),
        ("sts", FEDERATION_AUDIENCE, "RS256", "3601", 400, "ValidationError"),
        ("s3", FEDERATION_AUDIENCE, "RS256", "300", 403, "SignatureDoesNotMatch"),
    ] {
        let fields = fields(audience, algorithm, seconds);
        let response = form(&sandbox, Service::Sts, "/", &[&signed_for(service)], &fields).await;
        assert_eq!((response.status, response.header("content-type")), (status, Some("text/xml")));
        assert!(response.text().contains(&format!("<Code>{code}</Code>")), "{}", response.text());
    }
    let response = form(&sandbox, Service::Sts, "/", &[], &[("Action", "GetCallerIdentity")]).await;
    assert!(response.text().contains("<Code>InvalidAction</Code>"));
    assert!(sandbox.set_sts_signer(b"no key", true).is_err());
    assert!(sandbox.trust_certificate(b"no certificate").is_err());
    sandbox.trust_federation(STS_ISSUER, "x", b"no key");
}
