//! From an event to a request.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::{HeaderMap, Method, Request, Uri};
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::aws_lambda_events::query_map::QueryMap;

use crate::http::IamIdentity;

/// A body that cannot be decoded is passed on as one that is surely no JSON: the edge answers it as any other such body.
const UNDECODABLE: &[u8] = b"\0";

/// What matters of an event.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
    identity: Option<String>,
}

impl Incoming {
    pub(super) fn into_request(self) -> Request<Body> {
        let body = match (self.body, self.is_base64) {
            (None, _) => Vec::new(),
            (Some(text), false) => text.into_bytes(),
            (Some(text), true) => STANDARD.decode(text).unwrap_or_else(|_| UNDECODABLE.to_vec()),
        };
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = self.method;
        *request.uri_mut() = address(&self.path, &self.query);
        *request.headers_mut() = self.headers;
        if let Some(arn) = self.identity {
            request.extensions_mut().insert(IamIdentity { arn });
        }
        request
    }
}

/// Path and query as a request target; one that cannot be any leads to no route.
fn address(path: &str, query: &str) -> Uri {
    let path = if path.starts_with('/') { path } else { "/" };
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let escaped = if target.bytes().all(is_plain) {
        target
    } else {
        target
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    escaped.parse().unwrap_or_else(|_| Uri::from_static("/-"))
}

pub(super) fn from_v1(event: ApiGatewayProxyRequest) -> Incoming {
    let query = if event.multi_value_query_string_parameters.is_empty() {
        event.query_string_parameters
    } else {
        event.multi_value_query_string_parameters
    };
    Incoming {
        method: event.http_method,
        // Unlike the context's path, this one is without the stage.
        path: event.path.unwrap_or_default(),
        query: encoded(&query),
        headers: merged(event.multi_value_headers, &event.headers),
        body: event.body,
        is_base64: event.is_base64_encoded,
        identity: event.request_context.identity.user_arn.filter(|arn| !arn.is_empty()),
    }
}

pub(super) fn from_v2(event: ApiGatewayV2httpRequest) -> Incoming {
    let path = event.raw_path.unwrap_or_default();
    let stage = event.request_context.stage.filter(|stage| stage != "$default");
    let without_stage = stage.and_then(|stage| path.strip_prefix(&format!("/{stage}")).map(str::to_owned));
    let path = without_stage.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let iam = event.request_context.authorizer.and_then(|authorizer| authorizer.iam);
    Incoming {
        method: event.request_context.http.method,
        path: if path.is_empty() { "/".to_owned() } else { path },
        query: event.raw_query_string.unwrap_or_default(),
        headers: event.headers,
        body: event.body,
        is_base64: event.is_base64_encoded,
        identity: iam.and_then(|iam| iam.user_arn).filter(|arn| !arn.is_empty()),
    }
}

pub(super) fn from_alb(event: AlbTargetGroupRequest) -> Incoming {
    let query = if event.multi_value_query_string_parameters.is_empty() {
        event.query_string_parameters
    } else {
        event.multi_value_query_string_parameters
    };
    // An ALB hands the query over as it came, still encoded.
    let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Incoming {
        method: event.http_method,
        path: event.path.unwrap_or_default(),
        query: pairs.join("&"),
        headers: merged(event.multi_value_headers, &event.headers),
        body: event.body,
        is_base64: event.is_base64_encoded,
        identity: None,
    }
}

/// A decoded query, encoded again.
fn encoded(query: &QueryMap) -> String {
    let mut form = Serializer::new(String::new());
    for (name, value) in query.iter() {
        form.append_pair(name, value);
    }
    form.finish()
}

/// All values of all headers: single values only count where there are no lists.
fn merged(mut lists: HeaderMap, singles: &HeaderMap) -> HeaderMap {
    for (name, value) in singles {
        if !lists.contains_key(name) {
            lists.insert(name.clone(), value.clone());
        }
    }
    lists
}
