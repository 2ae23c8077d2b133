//! The events of `events/`, as a Function URL hands them over.

use serde_json::{Value, json};

use super::{now, pagerduty_headers, slack_headers, stamp, teams_headers, webhook_headers};
use crate::entry_points::{context, event, reply};
use crate::harness::{ALERT, World};

/// An event whose body is of now, signed with the sandbox's secret.
fn signed(name: &str, headers: impl Fn(&str) -> Vec<(&'static str, String)>) -> Value {
    let mut event = event(name);
    let body = event["body"].as_str().expect("a body").replace("2026-03-02T09:14:08.312Z", &stamp(0));
    for (name, value) in headers(&body) {
        event["headers"][name] = json!(value);
    }
    event["body"] = json!(body);
    event
}

#[tokio::test]
async fn the_published_events_are_answered_once_they_are_signed_again() {
    let world = World::start().await;
    for name in ["hook_slack.json", "hook_teams.json", "hook_pagerduty.json"] {
        assert_eq!(reply(&world, &event(name), &context()).await["statusCode"], 401, "{name}: signed long ago");
    }
    for (event, status, shows) in [
        (signed("hook_slack.json", |body| slack_headers(now(), body).to_vec()), 200, "\"response_type\":\"ephemeral\""),
        (signed("hook_teams.json", |body| teams_headers(body).to_vec()), 200, "AdaptiveCard"),
        (event("hook_splunk.json"), 200, "\"ok\":2,"),
        (signed("hook_pagerduty.json", |body| pagerduty_headers(body).to_vec()), 202, "\"ok\":3,"),
    ] {
        let reply = reply(&world, &event, &context()).await;
        assert_eq!(reply["statusCode"], status, "{reply}");
        assert!(reply["body"].as_str().is_some_and(|body| body.contains(shows)), "{reply}");
    }
}

#[tokio::test]
async fn a_repeated_delivery_through_lambda_gets_the_same_answer() {
    let world = World::start().await;
    let body = json!({"alert_id": ALERT}).to_string();
    let mut event = event("hook_teams.json");
    for path in ["/rawPath", "/requestContext/http/path"] {
        *event.pointer_mut(path).expect("a path") = json!("/v1/enrich");
    }
    for (name, value) in webhook_headers("msg_1", now(), &body) {
        event["headers"][name] = json!(value);
    }
    event["headers"].as_object_mut().expect("headers").remove("authorization");
    event["body"] = json!(body);
    let (first, again) = (reply(&world, &event, &context()).await, reply(&world, &event, &context()).await);
    assert_eq!(first["statusCode"], 200, "{first}");
    assert_eq!((&again["body"], &again["headers"]["x-repeated"]), (&first["body"], &json!("true")));
}
