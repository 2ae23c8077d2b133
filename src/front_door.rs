//! Lambda's front doors: Function URL, HTTP API 2.0 and 1.0, REST API and ALB events in, the matching answers out.
//!
//! `lambda_http`'s own conversion panics on an invalid base64 body and on a `Host` header that is no host, and decodes
//! an ALB's query twice. Each of these can be had by one request from outside; so its event types are read, and turned
//! into a request here.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use lambda_http::aws_lambda_events::alb::{AlbTargetGroupRequest, AlbTargetGroupResponse};
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse,
};
use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime};
use lambda_http::request::LambdaRequest;
use lambda_http::{Context, Error, service_fn};
use serde::Serialize;
use tower::ServiceExt;
use tower::layer::layer_fn;

use crate::afterwards::{Afterwards, Extension, ExtensionError};
use crate::domain::time::Moment;
use crate::enrich::Deadline;
use crate::http::{AnswerLimit, IamIdentity, RequestId};

/// What is kept of an invocation's time to hand the answer over.
const MARGIN: Duration = Duration::from_millis(400);
/// An ALB takes 1 MB from Lambda.
const ALB_LIMIT: AnswerLimit = AnswerLimit(900_000);
/// A body that cannot be decoded is passed on as one that is surely no JSON: the edge answers it as any other such body.
const UNDECODABLE: &[u8] = b"\0";

/// Serves Lambda's events until the environment ends. With an extension, the environment is not frozen before the work
/// is done that outlives the answers.
pub async fn run(router: Router, extension: Option<Extension>) -> Result<(), Error> {
    let handler = service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, event.payload, &event.context).await) }
    });
    let afterwards = extension.as_ref().map(|extension| extension.afterwards().clone());
    let runtime = Runtime::new(handler).layer(layer_fn(move |inner| telling(inner, afterwards.clone())));
    tokio::select! {
        ended = runtime.run_concurrent() => ended,
        Err(broken) = listen(extension) => Err(broken.into()),
    }
}

async fn listen(extension: Option<Extension>) -> Result<Infallible, ExtensionError> {
    match extension {
        Some(extension) => extension.run().await,
        None => pending().await,
    }
}

/// The runtime's own service, which also tells when an answer is out: whatever the answer is, and whether or not the
/// event was one that the handler could be given.
fn telling<S>(
    inner: S,
    afterwards: Option<Afterwards>,
) -> impl tower::Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static
where
    S: tower::Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone + Send + 'static,
{
    service_fn(move |invocation: LambdaInvocation| {
        let (inner, afterwards) = (inner.clone(), afterwards.clone());
        async move {
            let id = invocation.context.request_id.clone();
            let outcome = inner.oneshot(invocation).await;
            if let Some(afterwards) = afterwards {
                afterwards.answered(id);
            }
            outcome
        }
    })
}

/// The answer to an event, in the form of its front door.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// HTTP API 1.0 and REST API.
    V1(ApiGatewayProxyResponse),
    /// Function URL and HTTP API 2.0.
    V2(ApiGatewayV2httpResponse),
    /// ALB.
    Alb(AlbTargetGroupResponse),
}

/// Answers one event.
pub async fn answer(router: Router, event: LambdaRequest, context: &Context) -> Reply {
    let (door, request) = match event {
        LambdaRequest::ApiGatewayV1(event) => (Door::V1, from_v1(event)),
        LambdaRequest::ApiGatewayV2(event) => (Door::V2, from_v2(event)),
        LambdaRequest::Alb(event) => (Door::Alb, from_alb(event)),
        // No other event is compiled in; its type only leaves room for more.
        _ => (Door::V2, Incoming::default()),
    };
    let mut request = request.into_request();
    let extensions = request.extensions_mut();
    extensions.insert(deadline(context));
    extensions.insert(RequestId(context.request_id.clone()));
    if door == Door::Alb {
        extensions.insert(ALB_LIMIT);
    }
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    door.reply(response).await
}

/// The invocation's deadline, less what it takes to hand the answer over.
fn deadline(context: &Context) -> Deadline {
    let end = Moment::from(UNIX_EPOCH + Duration::from_millis(context.deadline));
    let left = Moment::now().age_at(end);
    Deadline::after(left.saturating_sub(MARGIN.min(left / 4)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    V1,
    V2,
    Alb,
}

impl Door {
    async fn reply(self, response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        // Every body of ours is in memory already: there is nothing that could fail.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8(body.into()).unwrap_or_default();
        let (status, headers) = (i64::from(parts.status.as_u16()), parts.headers);
        match self {
            Self::V1 => {
                let mut reply = ApiGatewayProxyResponse::default();
                reply.status_code = status;
                reply.multi_value_headers = headers;
                reply.body = Some(body.into());
                Reply::V1(reply)
            }
            Self::V2 => {
                let mut reply = ApiGatewayV2httpResponse::default();
                reply.status_code = status;
                reply.headers = headers;
                reply.body = Some(body.into());
                Reply::V2(reply)
            }
            Self::Alb => {
                let mut reply = AlbTargetGroupResponse::default();
                reply.status_code = status;
                reply.status_description =
                    Some(format!("{status} {}", parts.status.canonical_reason().unwrap_or_default()));
                // A target group takes the one or the other, as it is set.
                reply.headers = headers.clone();
                reply.multi_value_headers = headers;
                reply.body = Some(body.into());
                Reply::Alb(reply)
            }
        }
    }
}

/// What matters of an event.
#[derive(Debug, Default)]
struct Incoming {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
    identity: Option<String>,
}

impl Incoming {
    fn into_request(self) -> Request<Body> {
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

fn from_v1(event: ApiGatewayProxyRequest) -> Incoming {
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

fn from_v2(event: ApiGatewayV2httpRequest) -> Incoming {
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

fn from_alb(event: AlbTargetGroupRequest) -> Incoming {
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
