//! The operations of the OpenAPI document.

use serde_json::{Map, Value, json};

use super::answers::{answer_content, json_content, problems, success};
use super::request::{batch_examples, examples, option_parameters, query_parameters};
use crate::api::routes::Endpoint;
use crate::integrations::{Description, Exchange, Integration};

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
    for endpoint in Endpoint::all() {
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
        Endpoint::EnrichAtRoot => lookup_operation(
            "enrichAtRoot",
            ["The same as POST /v1/enrich", "For callers that cannot set a path."],
            option_parameters(),
        )
        .with_body("Request", &examples())
        .one_answer(),
        Endpoint::EnrichByQuery => lookup_operation(
            "enrichByQuery",
            [
                "Ask about one subject, named in the query",
                "The same as POST /v1/enrich, for callers that send no body.",
            ],
            query_parameters(),
        )
        .one_answer(),
        Endpoint::EnrichBatch => lookup_operation(
            "enrichBatch",
            [
                "Ask about up to 25 subjects",
                "One answer or problem for each subject, in their order, each in its own format.",
            ],
            option_parameters(),
        )
        .with_body("BatchRequest", &batch_examples())
        .answers(
            "200",
            success("An answer or a problem for each subject.", &json_content("Batch"), &["X-Notified", "X-Repeated"]),
        ),
        Endpoint::Integration(integration) => integration_operation(integration),
        Endpoint::OpenApi => {
            service_operation("openapi", ["This document", "OpenAPI 3.1, as it was published with this version."])
                .answers("200", success("This document.", &object("The document."), &[]))
        }
        Endpoint::Health => service_operation(
            "health",
            ["Whether the process lives", "No authentication, no I/O. It says nothing of Defender."],
        )
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

/// Builds the operation of an integration, which reports a subject's problem in its item or as a message.
fn integration_operation(integration: &Integration) -> Value {
    let of_its_own = |status| matches!(status, 400 | 401 | 403 | 405 | 413 | 422 | 500 | 503 | 504);
    let Description { id, texts, media_type, response: [response, schema] } = integration.description;
    let operation = Operation::new("Hooks", id, texts)
        .with("security", json!([]))
        .with("responses", problems(of_its_own).into())
        .with_foreign_body(media_type);
    let Exchange::Records(records) = &integration.exchange else {
        return operation.answers("200", success(response, &json_content(schema), &[]));
    };
    let secret = records.secret_parameter.map(|name| {
        let description = format!("One of {} of the caller secret.", integration.secrets.member);
        json!({"name": name, "in": "query", "required": true, "description": description, "schema": {"type": "string"}})
    });
    let headers: &[_] = if records.has_delivery_ids { &["X-Notified", "X-Repeated"] } else { &["X-Notified"] };
    operation
        .with_parameters(secret.into_iter().chain(option_parameters()).collect())
        .answers(records.status.as_str(), success(response, &json_content(schema), headers))
}

fn service_operation(id: &str, texts: [&str; 2]) -> Operation {
    let responses = problems(|status| matches!(status, 403 | 405 | 500 | 504));
    Operation::new("Service", id, texts).with("security", json!([])).with("responses", responses.into())
}

fn object(description: &str) -> Value {
    json!({"application/json": {"schema": {"type": "object", "description": description, "additionalProperties": true}}})
}
