//! Callers who cannot speak our JSON. Requests are signed here by ring, as their senders do it, and not by the product.

mod events;
#[cfg(target_os = "linux")]
mod late;
mod pagerduty;
mod pending;
mod refused;
mod slack;
mod splunk;
mod standard_webhooks;
mod teams;

pub(crate) use standard_webhooks::signed;

use crate::harness::{
    DEMO_PAGERDUTY_SECRET, DEMO_SLACK_SECRET, DEMO_SPLUNK_TOKEN, DEMO_TEAMS_SECRET, DEMO_WEBHOOK_SECRET,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::client::Request;

const SLACK: &str = "/v1/hooks/slack";
const TEAMS: &str = "/v1/hooks/teams";
const PAGERDUTY: &str = "/v1/hooks/pagerduty";

fn splunk() -> String {
    format!("/v1/hooks/splunk?token={DEMO_SPLUNK_TOKEN}")
}

fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// So many seconds from now, as Teams and PagerDuty write it.
fn stamp(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}

fn post(target: &str, body: &str) -> Request {
    Request::post(target, body.to_owned()).anonymous()
}

/// The form of a slash command, as Slack sends it.
fn form(text: &str, more: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("token", "gIkuvaNzQIHg97ATvDxqgjtO"), ("team_id", "T0001"), ("team_domain", "contoso")])
        .extend_pairs([("channel_id", "C2147483705"), ("channel_name", "soc"), ("user_id", "U2147483697")])
        .extend_pairs([("user_name", "lee"), ("command", "/defender"), ("text", text)])
        .extend_pairs(more)
        .finish()
}

fn slack_headers(at: i64, body: &str) -> [(&'static str, String); 2] {
    let signature = hex::encode(mac(DEMO_SLACK_SECRET.as_bytes(), format!("v0:{at}:{body}").as_bytes()));
    [("x-slack-request-timestamp", at.to_string()), ("x-slack-signature", format!("v0={signature}"))]
}

fn slack(body: &str) -> Request {
    post(SLACK, body)
        .without("content-type")
        .with("content-type", "application/x-www-form-urlencoded")
        .with_all(slack_headers(now(), body))
}

fn teams_headers(body: &str) -> [(&'static str, String); 1] {
    let secret = STANDARD.decode(DEMO_TEAMS_SECRET).expect("base64");
    [("authorization", format!("HMAC {}", STANDARD.encode(mac(&secret, body.as_bytes()))))]
}

fn activity(text: &str) -> String {
    let text = format!("<at>Defender</at>&nbsp;{text}\n");
    json!({"type": "message", "id": "1762158942036", "timestamp": stamp(0), "channelId": "msteams", "text": text})
        .to_string()
}

fn teams(text: &str) -> Request {
    let body = activity(text);
    post(TEAMS, &body)
        .without("content-type")
        .with("content-type", "application/json; charset=utf-8")
        .with_all(teams_headers(&body))
}

fn pagerduty_headers(body: &str) -> [(&'static str, String); 1] {
    let signature = hex::encode(mac(DEMO_PAGERDUTY_SECRET.as_bytes(), body.as_bytes()));
    [("x-pagerduty-signature", format!("v1={},v1={signature}", "0".repeat(64)))]
}

pub(crate) fn pagerduty(body: &Value) -> Request {
    let body = body.to_string();
    post(PAGERDUTY, &body).with_all(pagerduty_headers(&body))
}

pub(crate) fn incident(id: &str, title: &str) -> Value {
    json!({"event": {
        "id": id, "event_type": "incident.triggered", "resource_type": "incident",
        "occurred_at": stamp(0),
        "data": {"id": "PGR0VU2", "type": "incident", "number": 2, "status": "triggered", "title": title}
    }})
}

fn webhook_headers(id: &str, at: i64, body: &str) -> [(&'static str, String); 3] {
    let secret = STANDARD.decode(DEMO_WEBHOOK_SECRET.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let signature = STANDARD.encode(mac(&secret, format!("{id}.{at}.{body}").as_bytes()));
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}
