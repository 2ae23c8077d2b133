//! The events of `events/`, as a Function URL hands them over.

use std::fs;
use std::path::Path;
use std::time::Duration;

use defender_enrich::front_door::{self, Event};
use lambda_http::Context;
use serde_json::{Value, json};

use super::{now, slack_headers};
use crate::harness::World;

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

async fn reply(world: &World, event: Value) -> Value {
    let mut context = Context::default();
    let end = jiff::Timestamp::now() + Duration::from_secs(10);
    context.deadline = u64::try_from(end.as_millisecond()).expect("a time after 1970");
    let event = Event::read(event.to_string().as_bytes()).expect("an event of a front door");
    let reply = front_door::answer(world.service.router(), event, &context).await;
    serde_json::from_slice(&reply).expect("JSON")
}

#[tokio::test]
async fn each_is_signed_with_the_sandboxs_secret_and_slacks_only_for_its_time() {
    let world = World::start().await;
    let sent = event("hook_slack.json");
    assert_eq!(reply(&world, sent.clone()).await["statusCode"], 401, "signed long ago");
    let mut signed = sent;
    for (name, value) in slack_headers(now(), signed["body"].as_str().expect("a body")) {
        signed["headers"][name] = json!(value);
    }
    for (event, status, shows) in [
        (signed, 200, "\"response_type\":\"ephemeral\""),
        (event("hook_teams.json"), 200, "AdaptiveCard"),
        (event("hook_splunk.json"), 200, "\"ok\":2,"),
        (event("hook_pagerduty.json"), 202, "\"ok\":3,"),
    ] {
        let reply = reply(&world, event).await;
        assert_eq!(reply["statusCode"], status, "{reply}");
        assert!(reply["body"].as_str().is_some_and(|body| body.contains(shows)), "{reply}");
    }
}
