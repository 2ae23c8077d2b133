//! The operations of the OpenAPI document.

use serde_json::{Map, Value, json};

use super::answers::{answer_content, json_content, problems, success};
use super::request::{batch_examples, examples, option_parameters, query_parameters};
use crate::api::routes::Endpoint;

/// The groups of operations, as tools display them.
pub(super) fn tags() -> Value {
    json!([
        {"name": "Lookups", "description": "Ask about alerts, machines, users, files, incidents, addresses and domains."},
        {"name": "Hooks", "description": "For senders who cannot speak our JSON: their bodies are their own, and so is their proof."},
        {"name": "Service", "description": "About the service itself: no key is needed."}
    ])
}

/// The operations by path and method.
pub(super) fn paths() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in Endpoint::ALL {
        let (verb, path) = endpoint.address();
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(verb.as_str().to_owned(), operation(endpoint));
        }
    }
    Value::Object(paths)
}

fn operation(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::Enrich => lookup_operation(
            "enrich",
            ["Ask about one subject", "Name exactly one subject. Options in the body come before those in the query."],
            option_parameters(),
        )
        .with_body("Request", &examples())
        .one_answer(),
        Endpoint::EnrichAtRoot => {
            lookup_operation("enrichAtRoot", ["The same as POST /v1/enrich", "For callers that cannot set a path."], option_parameters())
                .with_body("Request", &examples())
                .one_answer()
        }
        Endpoint::EnrichByQuery => lookup_operation(
            "enrichByQuery",
            ["Ask about one subject, named in the query", "The same as POST /v1/enrich, for callers that send no body."],
            query_parameters(),
        )
        .one_answer(),
        Endpoint::EnrichBatch => lookup_operation(
            "enrichBatch",
            ["Ask about up to 25 subjects", "One answer or problem for each subject, in their order, each in its own format."],
            option_parameters(),
        )
        .with_body("BatchRequest", &batch_examples())
        .answers("200", success("An answer or a problem for each subject.", &json_content("Batch"), &["X-Notified", "X-Repeated"])),
        Endpoint::HookSlack => hook_operation(
            "hookSlack",
            ["A slash command of Slack", "Proven by X-Slack-Signature. What takes longer than 2.5 seconds follows to its response_url."],
        )
        .with_foreign_body("application/x-www-form-urlencoded")
        .answers("200", success("A message, whatever happened; empty for ssl_check.", &json_content("SlackMessage"), &[])),
        Endpoint::HookTeams => {
            hook_operation("hookTeams", ["A message to an outgoing webhook of Teams", "Proven by Authorization: HMAC."])
                .with_foreign_body("application/json")
                .answers("200", success("A message, whatever happened.", &json_content("TeamsReply"), &[]))
        }
        Endpoint::HookSplunk => {
            let token = json!({
                "name": "token", "in": "query", "required": true, "description": "One of splunk_tokens of the caller secret.",
                "schema": {"type": "string"}
            });
            hook_operation(
                "hookSplunk",
                ["Splunk's webhook alert action", "Proven by the query parameter token. The subjects stand in result, by CIM names or by SPLUNK_FIELDS."],
            )
            .with_parameters([token].into_iter().chain(option_parameters()).collect())
            .with_foreign_body("application/json")
            .answers("200", success("An answer or a problem for each subject.", &json_content("Batch"), &["X-Notified"]))
        }
        Endpoint::HookPagerDuty => hook_operation(
            "hookPagerDuty",
            ["A V3 webhook of PagerDuty", "Proven by X-PagerDuty-Signature. The subjects stand in the incident's texts. A repeated event costs nothing."],
        )
        .with_parameters(option_parameters())
        .with_foreign_body("application/json")
        .answers("202", success("An answer or a problem for each subject.", &json_content("Batch"), &["X-Notified", "X-Repeated"])),
        Endpoint::OpenApi => service_operation("openapi", ["This document", "OpenAPI 3.1, as it was published with this version."])
            .answers("200", success("This document.", &object("The document."), &[])),
        Endpoint::Health => service_operation("health", ["Whether the process lives", "No authentication, no I/O. It says nothing of Defender."])
            .answers("200", success("It lives.", &json_content("Health"), &[])),
    }
}

/// An operation under construction.
struct Operation(Map<String, Value>);

impl Operation {
    fn new(tag: &str, id: &str, [summary, description]: [&str; 2]) -> Self {
        let operation = [
            ("tags", json!([tag])),
            ("operationId", id.into()),
            ("summary", summary.into()),
            ("description", description.into()),
        ];
        Self(operation.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn with_parameters(self, parameters: Vec<Value>) -> Self {
        self.with("parameters", parameters.into())
    }

    fn with_body(self, schema: &str, examples: &Value) -> Self {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let content = json!({"application/json": {"schema": schema, "examples": examples}});
        self.with("requestBody", json!({"required": true, "content": content}))
    }

    fn with_foreign_body(self, media_type: &str) -> Self {
        let content = json!({media_type: {"schema": {"type": "object", "additionalProperties": true}}});
        self.with("requestBody", json!({"required": true, "description": "The sender's own.", "content": content}))
    }

    fn one_answer(self) -> Value {
        self.answers(
            "200",
            success("The answer, in the format that was asked for.", &answer_content(), &["X-Notified", "X-Repeated"]),
        )
    }

    /// Adds the successful response to the problems.
    fn answers(mut self, status: &str, answer: Value) -> Value {
        if let Some(Value::Object(responses)) = self.0.get_mut("responses") {
            responses.insert(status.to_owned(), answer);
        }
        Value::Object(self.0)
    }
}

fn lookup_operation(id: &str, texts: [&str; 2], parameters: Vec<Value>) -> Operation {
    Operation::new("Lookups", id, texts).with_parameters(parameters).with("responses", problems(|_| true).into())
}

/// Builds the operation of a hook, which reports a subject's problem in its item or as a message.
fn hook_operation(id: &str, texts: [&str; 2]) -> Operation {
    let of_its_own = |status| matches!(status, 400 | 401 | 403 | 405 | 413 | 422 | 500 | 503 | 504);
    Operation::new("Hooks", id, texts).with("security", json!([])).with("responses", problems(of_its_own).into())
}

fn service_operation(id: &str, texts: [&str; 2]) -> Operation {
    let responses = problems(|status| matches!(status, 403 | 405 | 500 | 504));
    Operation::new("Service", id, texts).with("security", json!([])).with("responses", responses.into())
}

fn object(description: &str) -> Value {
    json!({"application/json": {"schema": {"type": "object", "description": description, "additionalProperties": true}}})
}
