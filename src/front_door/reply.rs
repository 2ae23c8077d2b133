//! From a response to what Lambda hands to the front door.

use axum::body::Body;
use http::{HeaderMap, HeaderName, Response, header};
use http_body_util::{BodyExt, Collected};
use serde::{Serialize, Serializer};

use crate::http::BodyForm;

/// The doors, by the form of their replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// HTTP API 1.0 and REST API.
    V1,
    /// Function URL and HTTP API 2.0.
    V2,
    /// ALB.
    Alb,
}

impl Door {
    /// A response as this door takes it: JSON with the body as a string.
    pub(super) async fn reply(self, response: Response<Body>) -> Vec<u8> {
        let (parts, body) = response.into_parts();
        // Every body of ours is in memory already: there is nothing that could fail.
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        // Of an answer to HEAD the body was taken away, with its quotes.
        let form = parts.extensions.get().copied().filter(|_| !body.is_empty()).unwrap_or_default();
        let (status, mut headers) = (parts.status, parts.headers);
        // It counts the body as it was written, or the one that was taken away: the door counts what it sends.
        headers.remove(header::CONTENT_LENGTH);
        let head = Head { status_code: status.as_u16(), ..Head::default() };
        let head = match self {
            Self::V1 => Head { multi_value_headers: headers, ..head },
            Self::V2 => Head { headers, ..head },
            Self::Alb => {
                let reason = status.canonical_reason().unwrap_or_default();
                let status_description = Some(format!("{} {reason}", status.as_str()));
                Head { status_description, headers: headers.clone(), multi_value_headers: headers, ..head }
            }
        };
        head.with_body(&body, form)
    }
}

/// What a body that is escaped already takes beside itself in most cases, in bytes.
const USUAL: usize = 1 << 10;

/// A reply without its body.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(serialize_with = "single_values", skip_serializing_if = "HeaderMap::is_empty")]
    headers: HeaderMap,
    /// A target group takes these or the others, as it is set.
    #[serde(serialize_with = "lists_of_values", skip_serializing_if = "HeaderMap::is_empty")]
    multi_value_headers: HeaderMap,
    is_base64_encoded: bool,
}

impl Head {
    /// The whole reply. A body that is written as a string already is not looked at again: it may be long.
    fn with_body(&self, body: &[u8], form: BodyForm) -> Vec<u8> {
        let mut reply = Vec::with_capacity(body.len() + USUAL);
        // Numbers and texts always serialize, and memory takes them.
        let _ = serde_json::to_writer(&mut reply, self);
        let _brace = reply.pop();
        reply.extend_from_slice(b",\"body\":");
        match form {
            BodyForm::Quoted => reply.extend_from_slice(body),
            BodyForm::Plain => {
                let _ = serde_json::to_writer(&mut reply, &String::from_utf8_lossy(body));
            }
        }
        reply.push(b'}');
        reply
    }
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
