//! Requests that are delivered again: each is dealt with once, and a repetition gets the answer of the first time.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::problem::{Code, Problem};
use super::respond::{ItemCounts, RequestLog};
use crate::app::Service;
use crate::cache::{Claim, Delivery};
use crate::lookup::Context;

static X_REPEATED: HeaderName = HeaderName::from_static("x-repeated");

/// An answer that can be given again.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    items: Option<ItemCounts>,
    body: Bytes,
}

/// Marks a response of which something failed in a way that passes: the delivery is dealt with again when it comes again.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedForNow;

/// Deals with a delivery, unless that is done already or somebody else is at it: then the answer is the one of the first
/// time. `work` settles the claim, or drops it.
pub(super) async fn once(
    service: &Service,
    (sender, id): (&str, &[u8]),
    ctx: &Context,
    work: impl AsyncFnOnce(Claim<Reply>) -> Response,
) -> Response {
    loop {
        match service.deliveries.claim(sender, id) {
            Delivery::New(claim) => return work(claim).await,
            Delivery::Known(reply) => return repeated(reply),
            Delivery::Pending(first) => match first.settled(ctx.deadline).await {
                Ok(()) => {}
                Err(Some(reply)) => return repeated(Some(reply)),
                Err(None) => {
                    let detail = "This delivery came before, and is still being dealt with: deliver it again.";
                    return Problem::new(Code::UpstreamTimeout, detail).response(&ctx.request_id);
                }
            },
        }
    }
}

/// Settles a claim by a response that went well; any other leaves the delivery to be dealt with again.
pub(super) async fn settled(claim: Claim<Reply>, response: Response) -> Response {
    let went_well = response.status().is_success() && response.extensions().get::<FailedForNow>().is_none();
    let (response, reply) = kept(response).await;
    if let Some(reply) = reply.filter(|_| went_well) {
        let bytes = reply.body.len();
        claim.settle(reply, bytes);
    }
    response
}

/// Lets repetitions have this response until the delivery is dealt with.
pub(super) async fn answered_meanwhile(claim: &Claim<Reply>, response: Response) -> Response {
    let (response, reply) = kept(response).await;
    if let Some(reply) = reply {
        claim.answer_meanwhile(reply);
    }
    response
}

/// A response, and a copy of it. Its body is in memory already.
async fn kept(response: Response) -> (Response, Option<Reply>) {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return (Response::from_parts(parts, Body::empty()), None) };
    let body = body.to_bytes();
    let reply = Reply {
        status: parts.status,
        headers: parts.headers.clone(),
        items: parts.extensions.get::<RequestLog>().and_then(|request_log| request_log.items.clone()),
        body: body.clone(),
    };
    (Response::from_parts(parts, Body::from(body)), Some(reply))
}

/// The answer of the first time, or, where it is not remembered, none but its success.
fn repeated(reply: Option<Reply>) -> Response {
    let mut response = Response::new(Body::empty());
    let mut request_log = RequestLog { kind: Some("repeated"), ..RequestLog::default() };
    if let Some(reply) = reply {
        request_log.items = reply.items;
        response = Response::new(Body::from(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
    }
    response.headers_mut().insert(X_REPEATED.clone(), HeaderValue::from_static("true"));
    response.extensions_mut().insert(request_log);
    response
}
