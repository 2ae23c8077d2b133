//! Deduplicates deliveries: each is handled once, and a repetition gets the first response.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;

use super::problem::{Code, Problem};
use super::respond::{ItemCounts, RequestLog};
use crate::app::Service;
use crate::lookup::Context;
use crate::repetitions::{Claim, DeliveryState, Reply};

static X_REPEATED: HeaderName = HeaderName::from_static("x-repeated");

/// Marks a response in which something failed transiently. A repeated delivery is then handled again.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransientFailure;

/// Handles a delivery, unless it was handled already or is being handled: then the first response is replayed. `work`
/// settles the claim or drops it.
pub(super) async fn answer_once(
    service: &Service,
    (sender, id): (&str, &[u8]),
    ctx: &Context,
    work: impl AsyncFnOnce(Claim) -> Response,
) -> Response {
    loop {
        match service.deliveries.claim(sender, id) {
            DeliveryState::New(claim) if claim.is_answered_elsewhere().await => return repeated(None),
            DeliveryState::New(claim) => return work(claim).await,
            DeliveryState::Known(reply) => return repeated(reply),
            DeliveryState::Pending(first) => match first.settled(ctx.deadline).await {
                Ok(()) => {}
                Err(Some(reply)) => return repeated(Some(reply)),
                Err(None) => {
                    let detail = "This delivery came before, and is still being handled: deliver it again.";
                    return Problem::new(Code::UpstreamTimeout, detail).response(&ctx.request_id);
                }
            },
        }
    }
}

/// Settles a claim with a successful response. After any other response, a repeated delivery is handled again.
pub(super) async fn settle(claim: Option<Claim>, response: Response) -> Response {
    let is_success = response.status().is_success() && response.extensions().get::<TransientFailure>().is_none();
    let Some(claim) = claim.filter(|_| is_success) else { return response };
    let (response, reply) = copied(response).await;
    if let Some(reply) = reply {
        claim.settle(reply).await;
    }
    response
}

/// Lets repetitions have this response until the claim is settled.
pub(super) async fn answer_meanwhile(claim: Option<&Claim>, response: Response) -> Response {
    let Some(claim) = claim else { return response };
    let (response, reply) = copied(response).await;
    if let Some(reply) = reply {
        claim.answer_meanwhile(reply);
    }
    response
}

/// Copies a response. Its body is in memory already.
async fn copied(response: Response) -> (Response, Option<Reply>) {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return (Response::from_parts(parts, Body::empty()), None) };
    let body = body.to_bytes();
    let mut reply = Reply::new(body.clone());
    *reply.status_mut() = parts.status;
    parts.headers.clone_into(reply.headers_mut());
    if let Some(items) = parts.extensions.get::<RequestLog>().and_then(|request_log| request_log.items.clone()) {
        reply.extensions_mut().insert(items);
    }
    (Response::from_parts(parts, Body::from(body)), Some(reply))
}

/// Replays the first response. Where it is not cached any more, returns an empty 200.
fn repeated(reply: Option<Reply>) -> Response {
    let mut response = reply.unwrap_or_default().map(Body::from);
    let items = response.extensions_mut().remove::<ItemCounts>();
    response.extensions_mut().insert(RequestLog { items, ..RequestLog::of_kind("repeated") });
    response.headers_mut().insert(X_REPEATED.clone(), HeaderValue::from_static("true"));
    response
}
