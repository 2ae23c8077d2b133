//! One request and one answer, as the stand-ins see them: read to the end, not yet on the wire.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::Service;
use super::script::Route;

/// A request.
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) method: Method,
    /// As sent, still percent-encoded.
    pub(super) path: String,
    /// As sent, without the question mark.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Which AWS service a request was signed for. The signature itself is not verified: the stand-ins hold no AWS keys.
pub(super) enum Signed<'a> {
    No,
    Badly,
    For(&'a str),
}

impl Call {
    /// A header as text; empty if it is absent.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as a form; of a repeated field the last counts.
    pub(super) fn form(&self) -> BTreeMap<String, String> {
        if !self.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return BTreeMap::new();
        }
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The query, decoded.
    pub(super) fn options(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization").split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Reads `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…`.
    pub(super) fn signed(&self) -> Signed<'_> {
        let authorization = self.header("authorization");
        if authorization.is_empty() {
            return Signed::No;
        }
        let scope = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .filter(|rest| rest.contains("SignedHeaders=") && rest.contains("Signature="))
            .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")));
        let mut parts = scope.unwrap_or_default().rsplit('/');
        match (parts.next(), parts.next()) {
            (Some("aws4_request"), Some(service)) => Signed::For(service),
            _ => Signed::Badly,
        }
    }
}

/// What a stand-in makes of a request: the route that it asked for, if there is such a route, and the answer.
pub(super) struct Answer {
    pub(super) route: Option<Route>,
    /// The decoded id, the secret's name, or the audience that was asked for.
    pub(super) key: String,
    pub(super) reply: Reply,
}

impl Answer {
    pub(super) fn new(route: Route, key: impl Into<String>, reply: Reply) -> Self {
        Self { route: Some(route), key: key.into(), reply }
    }

    /// No route is like this one.
    pub(super) fn nowhere() -> Self {
        Self { route: None, key: String::new(), reply: Reply::bare(StatusCode::NOT_FOUND) }
    }
}

/// An answer before it goes out.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Sent in chunks, its length not told.
    pub(super) chunked: bool,
}

impl Reply {
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), chunked: false }
    }

    pub(super) fn bare(status: StatusCode) -> Self {
        Self::new(status, "", Bytes::new())
    }

    pub(super) fn json(status: StatusCode, document: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", document.to_string())
    }

    /// A document of the Defender APIs.
    pub(super) fn odata(document: &Value) -> Self {
        let content_type = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8";
        let reply = Self::new(StatusCode::OK, content_type, document.to_string());
        Self { chunked: true, ..reply }.with("odata-version", "4.0")
    }

    /// An error of the Defender APIs.
    pub(super) fn envelope(status: StatusCode, code: &str, message: &str, tracking_id: &str) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message, "target": tracking_id}}))
    }

    /// An answer of AWS's JSON protocol.
    pub(super) fn aws_json(status: StatusCode, document: &Value, request_id: &str) -> Self {
        Self::new(status, "application/x-amz-json-1.1", document.to_string()).with("x-amzn-requestid", request_id)
    }

    /// An error of AWS's JSON protocol.
    pub(super) fn aws_error(status: StatusCode, kind: &str, message: &str, request_id: &str) -> Self {
        Self::aws_json(status, &json!({"__type": kind, "Message": message}), request_id).with("x-amzn-errortype", kind)
    }

    /// An answer of AWS's query protocol.
    pub(super) fn aws_xml(status: StatusCode, document: String, request_id: &str) -> Self {
        Self::new(status, "text/xml", document).with("x-amzn-requestid", request_id)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
