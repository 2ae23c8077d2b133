//! One request and one answer, as the stand-ins see them: complete, without the wire.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::Service;
use super::refusal::Refusal;
use super::script::Route;

/// A request.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    /// As sent, still percent-encoded.
    pub(crate) path: String,
    /// As sent, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The AWS service that a request was signed for. The signature itself is not verified: the stand-ins hold no AWS keys.
pub(crate) enum Signed<'a> {
    Unsigned,
    Malformed,
    For(&'a str),
}

impl Call {
    /// A header as text; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as a form; of a repeated field the last counts.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        if !self.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return BTreeMap::new();
        }
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The query, decoded.
    pub(crate) fn options(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The bearer token.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization").split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Reads `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…`.
    pub(crate) fn signed(&self) -> Signed<'_> {
        let authorization = self.header("authorization");
        if authorization.is_empty() {
            return Signed::Unsigned;
        }
        let scope = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .filter(|rest| rest.contains("SignedHeaders=") && rest.contains("Signature="))
            .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")));
        let mut parts = scope.unwrap_or_default().rsplit('/');
        match (parts.next(), parts.next()) {
            (Some("aws4_request"), Some(service)) => Signed::For(service),
            _ => Signed::Malformed,
        }
    }

    /// Refuses a request that was not signed for this service, in the words of AWS's JSON protocol.
    pub(crate) fn check_signature(&self, service: &str) -> Result<(), Refusal> {
        let (code, message) = match self.signed() {
            Signed::For(other) if other == service => return Ok(()),
            Signed::Unsigned => ("MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()),
            Signed::Malformed => {
                let message = "The request signature does not conform to AWS standards.";
                ("IncompleteSignatureException", message.to_owned())
            }
            Signed::For(_) => {
                let message = format!("Credential should be scoped to correct service: '{service}'.");
                ("InvalidSignatureException", message)
            }
        };
        Err(Refusal::bad_request(code, message))
    }
}

/// A stand-in's answer, and the route that was asked for, if it exists.
pub(crate) struct Answer {
    pub(crate) route: Option<Route>,
    /// The decoded id, the secret's name, or the audience that was asked for.
    pub(crate) key: String,
    pub(crate) result: Result<Reply, Refusal>,
}

impl Answer {
    pub(crate) fn new(route: Route, key: impl Into<String>, result: Result<Reply, Refusal>) -> Self {
        Self { route: Some(route), key: key.into(), result }
    }

    /// To a request that fits no route.
    pub(crate) fn of_no_route(result: Result<Reply, Refusal>) -> Self {
        Self { route: None, key: String::new(), result }
    }

    pub(crate) fn not_found() -> Self {
        Self::of_no_route(Ok(Reply::new(StatusCode::NOT_FOUND, "", Bytes::new())))
    }
}

/// An answer before it goes out.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// Sent in chunks, without a `Content-Length`.
    pub(crate) chunked: bool,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), chunked: false }
    }

    pub(crate) fn json(status: StatusCode, document: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", document.to_string())
    }

    /// A document of the Defender APIs.
    pub(crate) fn odata(document: &Value) -> Self {
        let content_type = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8";
        let reply = Self::new(StatusCode::OK, content_type, document.to_string());
        Self { chunked: true, ..reply }.with("odata-version", "4.0")
    }

    /// An answer of AWS's JSON protocol.
    pub(crate) fn aws_json(status: StatusCode, document: &Value, request_id: &str) -> Self {
        Self::new(status, "application/x-amz-json-1.1", document.to_string()).with("x-amzn-requestid", request_id)
    }

    /// An answer of AWS's query protocol.
    pub(crate) fn aws_xml(status: StatusCode, document: String, request_id: &str) -> Self {
        Self::new(status, "text/xml", document).with("x-amzn-requestid", request_id)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
