//! Credentials that sign: a certificate's assertion, and a token of AWS that Entra was told to trust.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use defender_sandbox::{CLIENT_ID, DEFENDER_SECRET, Fault, Route, STS_ISSUER, Sandbox, TENANT_ID, Times};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::harness::{ALERT, INCIDENT, World, new_sandbox};
use crate::rsa_keys::{REGISTERED, STRANGER};

/// Bytes of a PKCS #8 key of 2048 bits before the PKCS #1 key in it.
const PKCS8_HEAD: usize = 26;

fn certificate(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate").to_vec()
}

fn pkcs8(pem: &str) -> Vec<u8> {
    PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a key").secret_pkcs8_der().to_vec()
}

fn by_certificate(certificate: &str, key: &str) -> Value {
    json!({"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "certificate_pem": certificate, "private_key_pem": key})
}

async fn holding(secret: &Value, prepare: impl Fn(&Sandbox)) -> World {
    let sandbox = new_sandbox().await;
    sandbox.put_secret(DEFENDER_SECRET, &secret.to_string());
    prepare(&sandbox);
    World::around(sandbox, &[("CACHE_TTL_S", "0")]).await
}

#[tokio::test]
async fn a_registered_certificate_opens_both_apis() {
    let pkcs1 = STANDARD.encode(&pkcs8(&REGISTERED.private_key_pem)[PKCS8_HEAD..]);
    let pkcs1 = format!("-----BEGIN RSA PRIVATE KEY-----\n{pkcs1}\n-----END RSA PRIVATE KEY-----\n");
    for key in [&REGISTERED.private_key_pem, &pkcs1] {
        let trust = |sandbox: &Sandbox| sandbox.trust_certificate(&certificate(&REGISTERED.certificate_pem)).unwrap();
        let world = holding(&by_certificate(&REGISTERED.certificate_pem, key), trust).await;
        world.alert(ALERT).await.answer();
        world.incident(INCIDENT).await.answer();
        // Entra takes an assertion once: each token needed its own.
        assert_eq!(world.calls(Route::Token), 2);
        world.sandbox.revoke_tokens();
        world.alert(ALERT).await.answer();
        assert_eq!(world.calls(Route::Token), 3);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_refused() {
    for (secret, trusted) in [
        (by_certificate(&REGISTERED.certificate_pem, &REGISTERED.private_key_pem), &STRANGER.certificate_pem),
        (by_certificate(&REGISTERED.certificate_pem, &STRANGER.private_key_pem), &REGISTERED.certificate_pem),
        (by_certificate(&STRANGER.certificate_pem, &REGISTERED.private_key_pem), &REGISTERED.certificate_pem),
    ] {
        let world = holding(&secret, |sandbox| sandbox.trust_certificate(&certificate(trusted)).unwrap()).await;
        let problem = world.alert(ALERT).await.problem(502, "upstream_auth");
        assert!(problem["detail"].as_str().unwrap().contains("certificate"), "{problem}");
        assert_eq!((world.calls(Route::Token), world.defender_calls()), (1, 0));
    }
}

#[tokio::test]
async fn a_rotated_certificate_costs_no_failed_request() {
    let trust = |sandbox: &Sandbox| sandbox.trust_certificate(&certificate(&REGISTERED.certificate_pem)).unwrap();
    let world = holding(&by_certificate(&STRANGER.certificate_pem, &STRANGER.private_key_pem), trust).await;
    world.alert(ALERT).await.problem(502, "upstream_auth");
    let world = holding(&by_certificate(&REGISTERED.certificate_pem, &REGISTERED.private_key_pem), trust).await;
    world.alert(ALERT).await.answer();
    world
        .sandbox
        .put_secret(DEFENDER_SECRET, &by_certificate(&STRANGER.certificate_pem, &STRANGER.private_key_pem).to_string());
    world.sandbox.trust_certificate(&certificate(&STRANGER.certificate_pem)).unwrap();
    world.sandbox.revoke_tokens();
    world.alert(ALERT).await.answer();
}

#[tokio::test]
async fn a_key_that_is_none_is_told_without_it() {
    let (own, key) = (REGISTERED.certificate_pem.as_str(), REGISTERED.private_key_pem.as_str());
    for (certificate, key) in [(own, &key[..key.len() / 2]), (own, own), (key, key), ("", key), (own, "")] {
        let world = holding(&by_certificate(certificate, key), |_| ()).await;
        let problem = world.alert(ALERT).await.problem(503, "misconfigured");
        assert!(!problem.to_string().contains("MII"), "{problem}");
        assert_eq!(world.calls(Route::Token), 0);
    }
}

fn federated() -> Value {
    json!({"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "federated": true})
}

#[tokio::test]
async fn a_federated_credential_needs_no_stored_key() {
    let world =
        holding(&federated(), |sandbox| sandbox.set_sts_signer(&pkcs8(&REGISTERED.private_key_pem), true).unwrap())
            .await;
    world.alert(ALERT).await.answer();
    world.incident(INCIDENT).await.answer();
    assert_eq!((world.calls(Route::WebIdentity), world.calls(Route::Token)), (2, 2));
    for seen in world.seen(Route::WebIdentity) {
        assert_eq!((seen.key.as_str(), seen.header("authorization")), ("api://AzureADTokenExchange", Some("sts")));
    }
}

#[tokio::test]
async fn a_federation_that_entra_does_not_know_is_refused() {
    let nobody = |sandbox: &Sandbox| sandbox.set_sts_signer(&pkcs8(&REGISTERED.private_key_pem), false).unwrap();
    let another_subject = |sandbox: &Sandbox| {
        sandbox.set_sts_signer(&pkcs8(&REGISTERED.private_key_pem), false).unwrap();
        sandbox.trust_federation(STS_ISSUER, "arn:aws:iam::000000000000:role/other", b"any key");
    };
    let another_key = |sandbox: &Sandbox| {
        sandbox.set_sts_signer(&pkcs8(&STRANGER.private_key_pem), true).unwrap();
        sandbox.set_sts_signer(&pkcs8(&REGISTERED.private_key_pem), false).unwrap();
    };
    for prepare in [&nobody as &dyn Fn(&Sandbox), &another_subject, &another_key] {
        let world = holding(&federated(), prepare).await;
        let problem = world.alert(ALERT).await.problem(502, "upstream_auth");
        assert!(!problem.to_string().contains("arn:"), "{problem}");
        assert_eq!(world.defender_calls(), 0);
    }
}

#[tokio::test]
async fn aws_that_gives_no_identity_is_told_as_that() {
    let world = holding(&federated(), |_| ()).await;
    let problem = world.alert(ALERT).await.problem(503, "misconfigured");
    assert!(problem["detail"].as_str().unwrap().contains("STS"), "{problem}");
    assert_eq!((world.calls(Route::Token), world.defender_calls()), (0, 0));
    world.sandbox.set_sts_signer(&pkcs8(&REGISTERED.private_key_pem), true).unwrap();
    world.sandbox.fail(Route::WebIdentity, Times::Once, Fault::status(503));
    world.alert(ALERT).await.answer();
}
