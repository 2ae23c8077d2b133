//! Requests whose sender is not proven: 401, and they cost nothing.

use serde_json::{Value, json};

use super::{
    PAGERDUTY, SLACK, TEAMS, activity, form, incident, now, pagerduty, pagerduty_headers, post, slack, slack_headers,
    splunk, teams, teams_headers, webhook_headers,
};
use crate::client::Request;
use crate::harness::{ALERT, CALLER_SECRET, DEMO_KEY, World, callers_with};

/// A right request of each hook.
fn right() -> [Request; 4] {
    let row = json!({"result": {"user": "dana.reyes"}}).to_string();
    let event = incident("1", &format!("alert {ALERT}"));
    [slack(&form("help", &[])), teams("help"), post(&splunk(), &row), pagerduty(&event)]
}

/// Requests that are almost right.
fn wrong() -> Vec<Request> {
    let slash = form(&format!("alert {ALERT}"), &[]);
    let message = activity(&format!("alert {ALERT}"));
    let event = incident("1", &format!("alert {ALERT}")).to_string();
    let row = json!({"result": {"user": "dana.reyes"}}).to_string();
    let of_2020 = |body: &str, time: &str| {
        let mut body: Value = serde_json::from_str(body).expect("JSON");
        *body.pointer_mut(time).expect("a time") = json!("2020-01-01T00:00:00Z");
        body.to_string()
    };
    let (old_message, old_event) = (of_2020(&message, "/timestamp"), of_2020(&event, "/event/occurred_at"));
    let question = json!({"alert_id": ALERT}).to_string();
    vec![
        post(TEAMS, &old_message).with_all(teams_headers(&old_message)),
        post(PAGERDUTY, &old_event).with_all(pagerduty_headers(&old_event)),
        post("/v1/enrich", &question).with_all(webhook_headers("msg_1", now(), "{}")),
        post("/v1/enrich", &question).with_all(webhook_headers("msg_1", now() - 301, &question)),
        post(SLACK, &slash),
        post(SLACK, &format!("{slash}+")).with_all(slack_headers(now(), &slash)),
        post(SLACK, &slash).with_all(slack_headers(now() - 301, &slash)),
        post(SLACK, &slash).with_all(slack_headers(now() + 330, &slash)),
        post(SLACK, &slash).with("x-api-key", DEMO_KEY),
        post(SLACK, &format!("ssl_check=1&{slash}")),
        post(TEAMS, &message),
        post(TEAMS, &format!("{message} ")).with_all(teams_headers(&message)),
        post(TEAMS, &message).with("authorization", format!("Bearer {DEMO_KEY}")),
        post("/v1/hooks/splunk", &row),
        post("/v1/hooks/splunk?token=demo-splunk-toke", &row),
        post("/v1/hooks/splunk?token=", &row).with("authorization", "Bearer demo-splunk-token"),
        post(PAGERDUTY, &event),
        post(PAGERDUTY, &event.replace("triggered", "resolved")).with_all(pagerduty_headers(&event)),
    ]
}

#[tokio::test]
async fn an_unproven_request_is_refused_before_anything_is_read_of_it() {
    let world = World::start().await;
    for ask in wrong() {
        let response = world.send(ask.clone()).await;
        response.problem(401, "unauthorized");
        assert!(!response.header("www-authenticate").is_empty(), "{ask:?}");
    }
    assert_eq!((world.defender_calls(), world.reads(CALLER_SECRET)), (0, 1));
}

#[tokio::test]
async fn a_refusal_names_the_proof_that_the_hook_needs() {
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
async fn a_thousand_strangers_at_each_route_cost_no_call() {
    let world = World::start().await;
    world.send(Request::get(&format!("/v1/enrich?alert_id={ALERT}"))).await.answer();
    let before = world.sandbox.seen().len();
    let body = form(&format!("alert {ALERT}"), &[]);
    for target in [SLACK, TEAMS, PAGERDUTY, "/v1/hooks/splunk", "/v1/enrich", "/v1/enrich/batch"] {
        for number in 0..1000 {
            let mut request = post(target, &body);
            if target.ends_with("splunk") {
                request = request.at(&format!("{target}?token=wrong-{number}"));
            }
            // Every other one carries a signature of the right form.
            if number % 2 == 0 {
                let tag = format!("{number:064x}");
                request = request.with_all([
                    ("x-slack-request-timestamp", now().to_string()),
                    ("x-slack-signature", format!("v0={tag}")),
                    ("x-pagerduty-signature", format!("v1={tag}")),
                    ("webhook-id", "msg_1".to_owned()),
                    ("webhook-timestamp", now().to_string()),
                    ("webhook-signature", format!("v1,{}=", &tag[..43])),
                ]);
            }
            let response = request.send_through(world.service.router()).await;
            assert_eq!(response.status, 401, "{target} {number}");
        }
    }
    assert_eq!(world.sandbox.seen().len(), before);
}

#[tokio::test]
async fn a_hook_without_secrets_is_closed_and_without_a_caller_secret_all_are() {
    let callers = json!({"api_keys": {"demo": [DEMO_KEY]}}).to_string();
    let world = World::with_secret(CALLER_SECRET, &callers, &[]).await;
    let none = World::with(&[("CALLER_SECRET_ID", "")]).await;
    for ask in right() {
        world.send(ask.clone()).await.problem(401, "unauthorized");
        none.send(ask).await.problem(401, "unauthorized");
    }
    assert_eq!((world.defender_calls(), none.sandbox.seen().len()), (0, 0));
}

#[tokio::test]
async fn an_invalid_member_disables_only_the_hook_that_it_belongs_to() {
    let callers = callers_with(json!({"teams_hmac_secrets": ["CANARY is no base64"]}));
    let world = World::with_secret(CALLER_SECRET, &callers, &[]).await;
    for (number, ask) in right().into_iter().enumerate() {
        let response = world.send(ask).await;
        match number {
            1 => {
                let problem = response.problem(503, "misconfigured");
                assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("teams_hmac_secrets")));
                assert!(!response.text().contains("CANARY"));
            }
            _ => assert!(response.status < 300, "{response:?}"),
        }
    }
    world.send(Request::get(&format!("/v1/enrich?alert_id={ALERT}"))).await.answer();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_other_methods_are_not_allowed() {
    let world = World::start().await;
    for target in [SLACK, TEAMS, PAGERDUTY, "/v1/hooks/splunk?token=x"] {
        let large = Request::post(target, "x".repeat((64 << 10) + 1));
        assert_eq!(large.send_through(world.service.router()).await.status, 413, "{target}");
        world.send(Request::get(target)).await.problem(405, "method_not_allowed");
    }
}
