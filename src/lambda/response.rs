//! From a response to what Lambda hands to the front door.

use axum::body::Body;
use http::{HeaderMap, HeaderName, Response, header};
use http_body_util::{BodyExt, Collected};
use serde::{Serialize, Serializer};

/// The doors, by the form of their replies.
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
    /// A response as this door takes it.
    pub(super) async fn reply(self, response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        // Every body of ours is in memory already: there is nothing that could fail.
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let (status, mut headers) = (parts.status, parts.headers);
        // Of an answer to HEAD it counts the body that was taken away: the door counts what it sends.
        headers.remove(header::CONTENT_LENGTH);
        let body = String::from_utf8_lossy(&body).into_owned();
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

/// What Lambda hands to the front door: JSON that holds the body as a string.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(serialize_with = "single_values", skip_serializing_if = "HeaderMap::is_empty")]
    headers: HeaderMap,
    /// A target group takes these or the others, as it is set.
    #[serde(serialize_with = "lists_of_values", skip_serializing_if = "HeaderMap::is_empty")]
    multi_value_headers: HeaderMap,
    is_base64_encoded: bool,
    body: String,
}

/// Lines of one name become one, as RFC 9110 5.2 has it. Of ours, none is `Set-Cookie`.
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
