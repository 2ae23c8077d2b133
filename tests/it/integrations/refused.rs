//! Requests whose sender is not proven: 401, and they cost nothing.

use axum::body::Body;
use defender_sandbox::{CALLER_SECRET, DEMO_KEY};
use http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::{
    PAGERDUTY, SLACK, TEAMS, activity, form, incident, now, pagerduty, pagerduty_headers, post, slack, slack_headers,
    teams, teams_headers, with_all,
};
use crate::client::Ask;
use crate::harness::{ALERT, World, new_sandbox};

/// A right request of each hook.
fn right() -> [Ask; 4] {
    let row = json!({"result": {"user": "dana.reyes"}}).to_string();
    let event = incident("1", &format!("alert {ALERT}"));
    [slack(&form("help", &[])), teams("help"), post(&super::splunk(), &row), pagerduty(&event)]
}

/// Requests that are almost right.
fn wrong() -> Vec<Ask> {
    let slash = form(&format!("alert {ALERT}"), &[]);
    let message = activity(&format!("alert {ALERT}"));
    let event = incident("1", &format!("alert {ALERT}")).to_string();
    let row = json!({"result": {"user": "dana.reyes"}}).to_string();
    vec![
        post(SLACK, &slash),
        with_all(post(SLACK, &format!("{slash}+")), slack_headers(now(), &slash)),
        with_all(post(SLACK, &slash), slack_headers(now() - 301, &slash)),
        with_all(post(SLACK, &slash), slack_headers(now() + 330, &slash)),
        post(SLACK, &slash).with("x-api-key", DEMO_KEY),
        post(SLACK, &format!("ssl_check=1&{slash}")),
        post(TEAMS, &message),
        with_all(post(TEAMS, &format!("{message} ")), teams_headers(&message)),
        post(TEAMS, &message).with("authorization", format!("Bearer {DEMO_KEY}")),
        post("/v1/hooks/splunk", &row),
        post("/v1/hooks/splunk?token=demo-splunk-toke", &row),
        post("/v1/hooks/splunk?token=", &row).with("authorization", "Bearer demo-splunk-token"),
        post(PAGERDUTY, &event),
        with_all(post(PAGERDUTY, &event.replace("triggered", "resolved")), pagerduty_headers(&event)),
    ]
}

#[tokio::test]
async fn what_is_not_proven_is_refused_before_it_is_looked_at() {
    let world = World::start().await;
    for ask in wrong() {
        let heard = world.send(ask.clone()).await;
        heard.problem(401, "unauthorized");
        assert!(!heard.header("www-authenticate").is_empty(), "{ask:?}");
    }
    assert_eq!((world.defender_calls(), world.reads(CALLER_SECRET)), (0, 1));
}

#[tokio::test]
async fn each_is_told_what_its_hook_needs() {
    let world = World::start().await;
    for (target, needed) in [
        (SLACK, "X-Slack-Signature"),
        (TEAMS, "Authorization: HMAC"),
        ("/v1/hooks/splunk", "query parameter token"),
        (PAGERDUTY, "X-PagerDuty-Signature"),
    ] {
        let problem = world.send(post(target, "{}")).await.problem(401, "unauthorized");
        let text = format!("{} {}", problem["title"], problem["detail"]);
        assert!(text.contains(needed) && !text.contains("key"), "{text}");
    }
}

#[tokio::test]
async fn a_thousand_strangers_at_each_door_cost_no_call() {
    let world = World::start().await;
    world.send(Ask::get(&format!("/v1/enrich?alert_id={ALERT}"))).await.answer();
    let before = world.sandbox.seen().len();
    let router = world.service.router();
    let body = form(&format!("alert {ALERT}"), &[]);
    for target in [SLACK, TEAMS, PAGERDUTY, "/v1/hooks/splunk", "/v1/enrich", "/v1/enrich/batch"] {
        for number in 0..1000 {
            let mut request = Request::post(if target.ends_with("splunk") {
                format!("{target}?token=wrong-{number}")
            } else {
                target.to_owned()
            });
            // Every other one carries a signature of the right form.
            if number % 2 == 0 {
                let tag = format!("{number:064x}");
                request = request
                    .header("x-slack-request-timestamp", now().to_string())
                    .header("x-slack-signature", format!("v0={tag}"))
                    .header("x-pagerduty-signature", format!("v1={tag}"))
                    .header("webhook-id", "msg_1")
                    .header("webhook-timestamp", now().to_string())
                    .header("webhook-signature", format!("v1,{}=", &tag[..43]));
            }
            let request = request.body(Body::from(body.clone())).expect("a request");
            let response = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(response.status(), 401, "{target} {number}");
        }
    }
    assert_eq!(world.sandbox.seen().len(), before);
}

#[tokio::test]
async fn a_hook_without_secrets_is_closed_and_without_a_caller_secret_all_are() {
    let sandbox = new_sandbox().await;
    sandbox.put_secret(CALLER_SECRET, &json!({"api_keys": {"demo": [DEMO_KEY]}}).to_string());
    let world = World::around(sandbox, &[]).await;
    let none = World::with(&[("CALLER_SECRET_ID", "")]).await;
    for ask in right() {
        world.send(ask.clone()).await.problem(401, "unauthorized");
        none.send(ask).await.problem(401, "unauthorized");
    }
    assert_eq!((world.defender_calls(), none.sandbox.seen().len()), (0, 0));
}

#[tokio::test]
async fn a_member_that_makes_no_sense_closes_its_hook_and_no_other_door() {
    let sandbox = new_sandbox().await;
    let mut callers = defender_sandbox::demo_callers();
    callers["teams_hmac_secrets"] = json!(["CANARY is no base64"]);
    sandbox.put_secret(CALLER_SECRET, &callers.to_string());
    let world = World::around(sandbox, &[]).await;
    for (number, ask) in right().into_iter().enumerate() {
        let heard = world.send(ask).await;
        match number {
            1 => {
                let problem = heard.problem(503, "misconfigured");
                assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("teams_hmac_secrets")));
                assert!(!heard.text().contains("CANARY"));
            }
            _ => assert!(heard.status < 300, "{heard:?}"),
        }
    }
    world.send(Ask::get(&format!("/v1/enrich?alert_id={ALERT}"))).await.answer();
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_and_other_methods_are_not_taken() {
    let world = World::start().await;
    for target in [SLACK, TEAMS, PAGERDUTY, "/v1/hooks/splunk?token=x"] {
        let request = Request::post(target).body(Body::from("x".repeat((64 << 10) + 1))).expect("a request");
        let response = world.service.router().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 413, "{target}");
        world.send(Ask::get(target)).await.problem(405, "method_not_allowed");
    }
}
