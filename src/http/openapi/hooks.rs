//! The hooks in the OpenAPI document: for whoever sets a sender up. Their bodies are the senders' own.

use serde_json::{Value, json};

/// The proof that takes the place of a key.
pub(super) fn standard_webhook() -> Value {
    json!({
        "type": "apiKey", "in": "header", "name": "webhook-signature",
        "description": "Standard Webhooks 1.0.0, v1: webhook-id, webhook-timestamp and webhook-signature over the body."
    })
}

/// The routes.
pub(super) fn paths() -> [(String, Value); 4] {
    let message =
        json!({"type": "object", "description": "A message, whatever happened: also where there is no answer."});
    let batch = json!({"$ref": "#/components/schemas/Batch"});
    [
        route(&Hook {
            name: "slack",
            summary: "A slash command of Slack's. What takes longer than 2.5 seconds follows to its response_url.",
            proof: "X-Slack-Signature",
            media_type: "application/x-www-form-urlencoded",
            status: "200",
            answer: message.clone(),
        }),
        route(&Hook {
            name: "teams",
            summary: "A message to an outgoing webhook of Teams.",
            proof: "Authorization: HMAC",
            media_type: "application/json",
            status: "200",
            answer: message,
        }),
        route(&Hook {
            name: "splunk",
            summary: "Splunk's webhook alert action: the subjects of result, by CIM names or SPLUNK_FIELDS.",
            proof: "the query parameter token",
            media_type: "application/json",
            status: "200",
            answer: batch.clone(),
        }),
        route(&Hook {
            name: "pagerduty",
            summary: "A V3 webhook of PagerDuty: the subjects of an incident's texts. A repeated event costs nothing.",
            proof: "X-PagerDuty-Signature",
            media_type: "application/json",
            status: "202",
            answer: batch,
        }),
    ]
}

struct Hook {
    name: &'static str,
    summary: &'static str,
    proof: &'static str,
    media_type: &'static str,
    status: &'static str,
    answer: Value,
}

fn route(hook: &Hook) -> (String, Value) {
    let problem = || json!({"$ref": "#/components/responses/Problem"});
    let mut responses = json!({"401": problem(), "413": problem(), "422": problem(), "503": problem()});
    let answer = json!({"description": "The answer.", "content": {"application/json": {"schema": hook.answer}}});
    if let Some(responses) = responses.as_object_mut() {
        responses.insert(hook.status.to_owned(), answer);
    }
    let operation = json!({
        "operationId": format!("hook_{}", hook.name),
        "summary": hook.summary,
        "description": format!("The sender is proven by {}.", hook.proof),
        "security": [],
        "requestBody": {"required": true, "content": {hook.media_type: {"schema": {"type": "object"}}}},
        "responses": responses
    });
    (format!("/v1/hooks/{}", hook.name), json!({"post": operation}))
}
