//! The error bodies of all services, one function for each.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::Service;
use super::dynamodb;
use super::exchange::Reply;
use super::random::uuid;

/// Why a service does not answer a request. [`Refusal::reply`] writes it in the words of the service.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    /// Entra's number of the error. The other services have none.
    number: u32,
    /// Seconds, as the service writes them.
    retry_after: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), number: 0, retry_after: None }
    }

    pub(crate) fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// An error of Entra.
    pub(crate) fn numbered(status: StatusCode, code: &str, number: u32, message: impl Into<String>) -> Self {
        Self { number, ..Self::new(status, code, message) }
    }

    pub(crate) fn too_many_requests(message: impl Into<String>, retry_after: String) -> Self {
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// What a service says when a test has asked for this status.
    pub(crate) fn scripted(service: Service, status: StatusCode) -> Self {
        let code: String = status.canonical_reason().unwrap_or("Error").split(' ').collect();
        let (code, number) = match service {
            Service::SecretsManager if status.is_server_error() => ("InternalServiceError".to_owned(), 0),
            Service::SecretsManager => (format!("{code}Exception"), 0),
            Service::DynamoDb if status.is_client_error() => ("ProvisionedThroughputExceededException".to_owned(), 0),
            Service::Login if status.is_server_error() => ("temporarily_unavailable".to_owned(), 90_033),
            Service::Login => ("invalid_request".to_owned(), 90_100),
            Service::Sts | Service::DynamoDb | Service::Defender | Service::Xdr | Service::Graph => (code, 0),
        };
        Self::numbered(status, &code, number, "This went wrong because a script said so.")
    }

    pub(crate) fn reply(&self, service: Service) -> Reply {
        let reply = match service {
            Service::SecretsManager => self.aws_json(&uuid()),
            Service::Sts => self.aws_query(&uuid()),
            Service::DynamoDb => {
                let name = format!("{}{}", dynamodb::ERROR_PREFIX, self.code);
                dynamodb::reply(self.status, &json!({"__type": name, "message": self.message}))
            }
            Service::Login => self.entra(&uuid(), &uuid()),
            Service::Defender | Service::Xdr => self.defender(&uuid()),
            Service::Graph => self.graph(&uuid()),
        };
        match &self.retry_after {
            Some(seconds) => reply.with("retry-after", seconds),
            None => reply,
        }
    }

    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>
    fn aws_json(&self, request_id: &str) -> Reply {
        let document = json!({"__type": self.code, "Message": self.message});
        Reply::aws_json(self.status, &document, request_id).with("x-amzn-errortype", &self.code)
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
    fn aws_query(&self, request_id: &str) -> Reply {
        let Self { status, code, message, .. } = self;
        let side = if status.is_server_error() { "Receiver" } else { "Sender" };
        let document = format!(
            "<ErrorResponse xmlns=\"{}\"><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            super::sts::NAMESPACE
        );
        Reply::aws_xml(*status, document, request_id)
    }

    /// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    fn entra(&self, trace: &str, correlation: &str) -> Reply {
        let (Self { number, message, .. }, time) = (self, Timestamp::now().strftime("%F %TZ").to_string());
        let document = json!({
            "error": self.code,
            "error_description": format!("AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
            "error_codes": [number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        });
        Reply::json(self.status, &document)
    }

    /// <https://learn.microsoft.com/defender-endpoint/api/common-errors>
    fn defender(&self, tracking_id: &str) -> Reply {
        let error = json!({"code": self.code, "message": self.message, "target": tracking_id});
        Reply::json(self.status, &json!({"error": error}))
    }

    /// <https://learn.microsoft.com/graph/errors>
    fn graph(&self, id: &str) -> Reply {
        let inner = json!({"date": "2026-11-18T08:00:00", "request-id": id, "client-request-id": id});
        let error = json!({"code": self.code, "message": self.message, "innerError": inner});
        Reply::json(self.status, &json!({"error": error}))
    }
}
