//! The Defender secret in its stored forms: how tokens are got, kept, renewed and replaced.

use std::time::Duration;

use defender_sandbox::{
    CLIENT_ID, DEFENDER_AUDIENCE, DEFENDER_SECRET, Fault, Route, Sandbox, TENANT_ID, Times, XDR_AUDIENCE,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{ALERT, INCIDENT, MACHINE, USER, World, hasten, new_sandbox, pass};

/// A world whose Defender secret holds this.
async fn holding(secret: impl Fn(&Sandbox) -> String, changes: &[(&str, &str)]) -> World {
    let sandbox = new_sandbox().await;
    let text = secret(&sandbox);
    sandbox.put_secret(DEFENDER_SECRET, &text);
    World::around(sandbox, changes).await
}

#[tokio::test]
async fn a_bare_token_is_used_as_it_is() {
    let world = holding(|sandbox| format!(" {}\n", sandbox.mint(DEFENDER_AUDIENCE)), &[]).await;
    world.alert(ALERT).await.answer();
    world.post(json!({"user": USER})).await.answer();
    assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (0, 1));
    assert_eq!(world.seen(Route::Alert)[0].header("authorization"), Some(DEFENDER_AUDIENCE));
    world.incident(INCIDENT).await.problem(502, "upstream_auth");
}

#[tokio::test]
async fn an_access_token_is_used_until_it_ends() {
    let token = |sandbox: &Sandbox| sandbox.mint(DEFENDER_AUDIENCE);
    for end in [json!(null), json!(4_102_444_800_i64), json!("4102444800"), json!("2100-01-01T00:00:00Z")] {
        let world =
            holding(|sandbox| json!({"access_token": token(sandbox), "expires_at": end}).to_string(), &[]).await;
        world.alert(ALERT).await.answer();
        assert_eq!(world.calls(Route::Token), 0);
    }
    let over =
        |sandbox: &Sandbox| json!({"access_token": token(sandbox), "expires_at": "2020-01-01T00:00:00Z"}).to_string();
    let world = holding(over, &[]).await;
    world.alert(ALERT).await.problem(502, "upstream_auth");
    assert_eq!(world.defender_calls(), 0, "a token that has ended is not sent");
}

#[tokio::test]
async fn a_secret_may_hold_a_token_for_each_api() {
    let both = |sandbox: &Sandbox| {
        json!({"tokens": {"defender": sandbox.mint(DEFENDER_AUDIENCE), "xdr": sandbox.mint(XDR_AUDIENCE)}}).to_string()
    };
    let world = holding(both, &[]).await;
    world.alert(ALERT).await.answer();
    world.incident(INCIDENT).await.answer();
    assert_eq!(world.calls(Route::Token), 0);
    let one = |sandbox: &Sandbox| json!({"tokens": {"defender": sandbox.mint(DEFENDER_AUDIENCE)}}).to_string();
    let world = holding(one, &[]).await;
    world.alert(ALERT).await.answer();
    world.incident(INCIDENT).await.problem(503, "misconfigured");
    assert_eq!(world.calls(Route::Incident), 0);
}

#[tokio::test]
async fn a_client_secret_costs_one_token_per_audience_however_many_wait() {
    let world = World::start().await;
    let alerts = (0..20).map(|number| {
        let id = format!("da{number:018}_1");
        world.sandbox.put_alert(crate::harness::dense_alert(&id)).unwrap();
        let world = &world;
        async move { world.alert(&id).await.answer() }
    });
    let incidents = ["3107", "3085", "3061", "2990"].map(|id| world.incident(id));
    let (alerts, incidents) = tokio::join!(join_all(alerts), join_all(incidents));
    assert_eq!((alerts.len(), incidents.iter().filter(|heard| heard.status == 200).count()), (20, 4));
    let mut scopes: Vec<_> = world.seen(Route::Token).into_iter().map(|seen| (seen.path, seen.key)).collect();
    scopes.sort();
    let endpoint = format!("/{TENANT_ID}/oauth2/v2.0/token");
    assert_eq!(scopes, [(endpoint.clone(), XDR_AUDIENCE.to_owned()), (endpoint, DEFENDER_AUDIENCE.to_owned())]);
    assert_eq!(world.reads(DEFENDER_SECRET), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_the_old_one_serves_if_that_fails() {
    let sandbox = new_sandbox().await;
    sandbox.set_token_lifetime(Duration::from_secs(300));
    let world = World::around(sandbox, &[("CACHE_TTL_S", "0")]).await;
    world.alert(ALERT).await.answer();
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Token), 1);
    pass(Duration::from_secs(160)).await;
    world.sandbox.fail(Route::Token, Times::Always, Fault::status(400));
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Token), 2, "renewed in its second half");
    world.sandbox.mend();
    pass(Duration::from_secs(31)).await;
    world.alert(ALERT).await.answer();
    assert_eq!((world.calls(Route::Token), world.calls(Route::Alert)), (3, 4));
}

#[tokio::test]
async fn a_rotated_token_costs_no_failed_request() {
    let world = holding(|sandbox| sandbox.mint(DEFENDER_AUDIENCE), &[("CACHE_TTL_S", "0")]).await;
    world.alert(ALERT).await.answer();
    world.sandbox.revoke_tokens();
    world.sandbox.put_secret(DEFENDER_SECRET, &world.sandbox.mint(DEFENDER_AUDIENCE));
    world.sandbox.forget();
    let crowd = join_all((0..10).map(|_| world.alert(ALERT))).await;
    assert!(crowd.iter().all(|heard| heard.status == 200));
    world.post(json!({"machine": MACHINE})).await.answer();
    assert_eq!(world.reads(DEFENDER_SECRET), 1);
}

#[tokio::test]
async fn a_rotated_client_secret_costs_no_failed_request() {
    let world = World::with(&[("CACHE_TTL_S", "0")]).await;
    world.alert(ALERT).await.answer();
    world.sandbox.set_client_secret("the-one-after");
    world.sandbox.revoke_tokens();
    world.sandbox.put_secret(DEFENDER_SECRET, &world.sandbox.client_credential().to_string());
    world.sandbox.forget();
    world.alert(ALERT).await.answer();
    assert_eq!(world.reads(DEFENDER_SECRET), 1);
    // The other audience, whose token was never fetched, meets the rotation in Entra's refusal.
    let world = World::start().await;
    world.alert(ALERT).await.answer();
    world.sandbox.set_client_secret("the-one-after-that");
    world.sandbox.put_secret(DEFENDER_SECRET, &world.sandbox.client_credential().to_string());
    world.sandbox.forget();
    world.incident(INCIDENT).await.answer();
    assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (2, 1));
}

#[tokio::test]
async fn the_secret_is_read_again_when_its_time_is_over() {
    let world = World::with(&[("SECRET_TTL_S", "60"), ("CACHE_TTL_S", "0")]).await;
    world.alert(ALERT).await.answer();
    pass(Duration::from_secs(59)).await;
    world.alert(ALERT).await.answer();
    assert_eq!(world.reads(DEFENDER_SECRET), 1);
    pass(Duration::from_secs(2)).await;
    world.alert(ALERT).await.answer();
    assert_eq!(
        (world.reads(DEFENDER_SECRET), world.calls(Route::Token)),
        (2, 1),
        "an unchanged secret keeps its token"
    );
    world.sandbox.put_secret(DEFENDER_SECRET, &world.sandbox.mint(DEFENDER_AUDIENCE));
    pass(Duration::from_secs(61)).await;
    world.alert(ALERT).await.answer();
    assert_eq!((world.reads(DEFENDER_SECRET), world.calls(Route::Token)), (3, 1));
}

#[tokio::test]
async fn while_a_token_lives_an_outage_of_secrets_manager_is_not_noticed() {
    for fault in [Fault::status(500), Fault::reset(), Fault::delay(Duration::from_secs(60))] {
        let world = World::with(&[("SECRET_TTL_S", "60"), ("CACHE_TTL_S", "0")]).await;
        world.alert(ALERT).await.answer();
        world.sandbox.fail(Route::Secret, Times::Always, fault.only_for(DEFENDER_SECRET));
        pass(Duration::from_secs(61)).await;
        let (heard, _) = hasten(world.alert(ALERT)).await;
        assert_eq!(heard.status, 200, "{}", heard.text());
        let reads = world.reads(DEFENDER_SECRET);
        for _ in 0..5 {
            world.alert(ALERT).await.answer();
        }
        assert_eq!(world.reads(DEFENDER_SECRET), reads, "it is not looked for on every request");
    }
}

#[tokio::test]
async fn a_secret_store_that_hangs_is_told_before_the_deadline() {
    let world = World::with(&[("ENRICH_TIMEOUT_MS", "700")]).await;
    world.sandbox.fail(Route::Secret, Times::Always, Fault::delay(Duration::from_secs(60)).only_for(DEFENDER_SECRET));
    let subjects = [json!({"alert_id": ALERT}), json!({"incident_id": INCIDENT}), json!({"user": USER})];
    let (heard, waited) = hasten(join_all(subjects.map(|subject| world.post(subject)))).await;
    for heard in heard {
        heard.problem(503, "secret_unavailable");
        assert!(heard.retry_after() >= 1);
    }
    assert!(waited < Duration::from_millis(1000), "{waited:?}");
    assert_eq!(world.defender_calls(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_told_without_its_name() {
    let world = World::start().await;
    world.sandbox.remove_secret(DEFENDER_SECRET);
    let denied =
        json!({"__type": "AccessDeniedException", "Message": "arn:aws:iam::000000000000:role/x is not authorized"});
    let denied =
        Fault::status(400).with_body(denied.to_string()).with_header("x-amzn-errortype", "AccessDeniedException");
    let told = world.alert(ALERT).await.problem(503, "secret_unavailable");
    world.sandbox.fail(Route::Secret, Times::Always, denied.only_for(DEFENDER_SECRET));
    pass(Duration::from_secs(6)).await;
    let also = world.alert(ALERT).await.problem(503, "secret_unavailable");
    assert_ne!(told["detail"], also["detail"]);
    for problem in [told, also] {
        let text = problem.to_string();
        assert!(!text.contains("arn:") && !text.contains(DEFENDER_SECRET) && !text.contains("000000000000"), "{text}");
    }
    assert_eq!(world.calls(Route::Token), 0);
}

#[tokio::test]
async fn a_secret_that_makes_no_sense_is_told_without_its_content() {
    for secret in [
        json!({"canary": 1}),
        json!({"tenant_id": "canary"}),
        json!({"tenant_id": TENANT_ID, "client_id": "canary"}),
        json!(["canary"]),
        json!({"tokens": {}}),
        json!({"access_token": 7, "canary": 1}),
        json!({"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "certificate_pem": "canary", "private_key_pem": "canary"}),
    ] {
        let world = holding(|_| secret.to_string(), &[]).await;
        let problem = world.alert(ALERT).await.problem(503, "misconfigured");
        assert!(!problem.to_string().contains("canary"), "{secret}: {problem}");
        assert_eq!((world.calls(Route::Token), world.defender_calls()), (0, 0));
    }
}

#[tokio::test]
async fn a_refused_credential_says_why_and_makes_no_storm() {
    let credential = |changes: Value| {
        move |sandbox: &Sandbox| crate::harness::changed(sandbox.client_credential(), changes.clone()).to_string()
    };
    let mut details = Vec::new();
    for changes in [
        json!({"client_secret": "wrong"}),
        json!({"client_id": "11111111-1111-4111-8111-111111111111"}),
        json!({"tenant_id": "fabrikam.example"}),
    ] {
        let world = holding(credential(changes), &[]).await;
        let problem = world.alert(ALERT).await.problem(502, "upstream_auth");
        assert!(!problem.to_string().contains("AADSTS") && !problem.to_string().contains(CLIENT_ID), "{problem}");
        details.push(problem["detail"].clone());
        assert_eq!((world.calls(Route::Token), world.reads(DEFENDER_SECRET)), (1, 2));
        let crowd = join_all((0..10).map(|number| {
            let world = &world;
            async move { world.alert(&format!("da{number:018}_1")).await }
        }))
        .await;
        assert!(crowd.iter().all(|heard| heard.status == 502));
        assert_eq!(world.reads(DEFENDER_SECRET), 2, "a wrong credential is no reason to read it on every request");
        assert!(world.calls(Route::Token) <= 3, "{}: those who wait share the outcome", world.calls(Route::Token));
        assert_eq!(world.defender_calls(), 0);
    }
    details.dedup();
    assert_eq!(details.len(), 3, "{details:?}");
}

#[tokio::test]
async fn entra_in_trouble_is_tried_again_and_told_as_an_outage() {
    let world = World::start().await;
    world.sandbox.fail(Route::Token, Times::Exactly(2), Fault::status(503));
    world.alert(ALERT).await.answer();
    assert_eq!(world.calls(Route::Token), 3);
    world.sandbox.fail(Route::Token, Times::Always, Fault::status(503));
    world.incident(INCIDENT).await.problem(503, "upstream_unavailable");
    world.sandbox.mend();
    for body in ["", "<html>", "{}", "{\"access_token\":\"a b\",\"expires_in\":3599}"] {
        world.sandbox.fail(Route::Token, Times::Once, Fault::body(body));
        world.incident(INCIDENT).await.problem(502, "upstream_malformed");
    }
    world.incident(INCIDENT).await.answer();
}
