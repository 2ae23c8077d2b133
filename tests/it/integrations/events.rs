//! The events of `events/`, as a Function URL hands them over.

use std::fs;
use std::path::Path;
use std::time::Duration;

use defender_enrich::lambda::{self, Event};
use lambda_http::Context;
use serde_json::{Value, json};

use super::{now, pagerduty_headers, slack_headers, stamp, teams_headers, webhook_headers};
use crate::harness::{ALERT, World};

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

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

async fn reply(world: &World, event: Value) -> Value {
    let mut context = Context::default();
    let end = jiff::Timestamp::now() + Duration::from_secs(10);
    context.deadline = u64::try_from(end.as_millisecond()).expect("a time after 1970");
    let event = Event::read(event.to_string().as_bytes()).expect("an event of an entry point");
    let reply = lambda::answer(world.service.router(), event, &context).await;
    serde_json::to_value(&reply).expect("JSON")
}

#[tokio::test]
async fn each_is_answered_when_it_is_signed_anew_and_all_but_splunks_are_refused_as_they_are() {
    let world = World::start().await;
    for name in ["hook_slack.json", "hook_teams.json", "hook_pagerduty.json"] {
        assert_eq!(reply(&world, event(name)).await["statusCode"], 401, "{name}: signed long ago");
    }
    for (event, status, shows) in [
        (signed("hook_slack.json", |body| slack_headers(now(), body).to_vec()), 200, "\"response_type\":\"ephemeral\""),
        (signed("hook_teams.json", |body| teams_headers(body).to_vec()), 200, "AdaptiveCard"),
        (event("hook_splunk.json"), 200, "\"ok\":2,"),
        (signed("hook_pagerduty.json", |body| pagerduty_headers(body).to_vec()), 202, "\"ok\":3,"),
    ] {
        let reply = reply(&world, event).await;
        assert_eq!(reply["statusCode"], status, "{reply}");
        assert!(reply["body"].as_str().is_some_and(|body| body.contains(shows)), "{reply}");
    }
}

#[tokio::test]
async fn a_repetition_is_the_same_through_a_front_door() {
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
    let (first, again) = (reply(&world, event.clone()).await, reply(&world, event).await);
    assert_eq!(first["statusCode"], 200, "{first}");
    assert_eq!((&again["body"], &again["headers"]["x-repeated"]), (&first["body"], &json!("true")));
}
