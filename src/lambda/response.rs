//! Converts an HTTP response to the reply that Lambda passes to the entry point.

use axum::body::Body;
use http::{HeaderMap, HeaderName, Response, header};
use http_body_util::{BodyExt, Collected};
use serde::{Serialize, Serializer};

/// The entry points, by the form of their events and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryPoint {
    /// HTTP API 1.0 and REST API.
    V1,
    /// Function URL and HTTP API 2.0.
    V2,
    /// ALB.
    Alb,
}

impl EntryPoint {
    /// Converts a response to the reply of this entry point.
    pub(super) async fn reply(self, response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        // All response bodies are in memory already, so collecting them cannot fail.
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let (status, mut headers) = (parts.status, parts.headers);
        // For HEAD, this header gives the length of the removed body. The entry point sets its own.
        headers.remove(header::CONTENT_LENGTH);
        // Moves the body, as all bodies are text.
        let body = String::from_utf8(body.into())
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let reply = Reply { status_code: status.as_u16(), body, ..Reply::default() };
        match self {
            Self::V1 => Reply { multi_value_headers: headers, ..reply },
            Self::V2 => Reply { headers, ..reply },
            Self::Alb => {
                let reason = status.canonical_reason().unwrap_or_default();
                let status_description = Some(format!("{} {reason}", status.as_str()));
                Reply { status_description, headers: headers.clone(), multi_value_headers: headers, ..reply }
            }
        }
    }
}

/// The reply to an invocation: JSON with the body as a string.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(serialize_with = "single_values", skip_serializing_if = "HeaderMap::is_empty")]
    headers: HeaderMap,
    /// An ALB target group reads either these or `headers`, depending on its settings.
    #[serde(serialize_with = "lists_of_values", skip_serializing_if = "HeaderMap::is_empty")]
    multi_value_headers: HeaderMap,
    is_base64_encoded: bool,
    body: String,
}

/// Joins the values of one name to one (RFC 9110, section 5.2). This is safe because no response has `Set-Cookie`.
fn single_values<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    let joined = |name: &HeaderName| values(headers, name).collect::<Vec<_>>().join(", ");
    serializer.collect_map(headers.keys().map(|name| (name.as_str(), joined(name))))
}

fn lists_of_values<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.keys().map(|name| (name.as_str(), values(headers, name).collect::<Vec<_>>())))
}

fn values<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}
