//! `/v1/hooks/…`: webhooks of senders with their own body formats. The sender is verified first, over the raw bytes;
//! nothing is parsed before that.

mod chat;
pub(super) mod pagerduty;
pub(super) mod slack;
pub(super) mod splunk;
pub(super) mod teams;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use tokio::time::timeout_at;

use super::batch::Item;
use super::body;
use super::decode::EnrichRequest;
use super::deliveries;
use super::middleware::RequestContext;
use super::options::Options;
use super::problem::{Code, Problem, Sender};
use super::respond::with_caller_name;
use super::work::Work;
use crate::app::Service;
use crate::auth::AuthError;
use crate::domain::subject::Question;
use crate::domain::timestamp::Timestamp;
use crate::domain::warning::Warning;
use crate::integrations::{ExtractedSubjects, HookSecrets, Unusable};
use crate::lookup::Context;
use crate::repetitions::Claim;

/// A webhook request without its body, and the deadline of the reply.
struct Call {
    service: Arc<Service>,
    request_context: RequestContext,
    parts: Parts,
    /// The request's context, with the sender's timeout as its deadline.
    reply_ctx: Context,
}

/// Reads the body, verifies the sender, and answers the request.
async fn answer_verified(
    (service, request_context, request): (Arc<Service>, RequestContext, Request),
    (sender, reply_timeout): (Sender, Duration),
    verify: impl FnOnce(&HookSecrets, &Parts, &[u8], Timestamp) -> Result<Arc<str>, AuthError>,
    answer: impl AsyncFnOnce(&Call, &Bytes) -> Result<Response, Problem>,
) -> Response {
    let (parts, body) = request.into_parts();
    let reply_ctx = request_context.ctx.within(reply_timeout);
    let call = Call { service, request_context, parts, reply_ctx };
    let request_id = &*call.request_context.ctx.request_id;
    let verified = async {
        let bytes = body::read_limited(body).await?;
        let verified: Result<_, AuthError> = call
            .service
            .callers
            .prove(&call.reply_ctx, |secrets| verify(secrets, &call.parts, &bytes, call.service.clock.now()))
            .await;
        let name = verified.map_err(|refused| match refused {
            AuthError::SignatureError(reason) => Problem::invalid_signature(sender, reason),
            AuthError::Unauthorized
            | AuthError::Unsigned
            | AuthError::SecretUnavailable(_)
            | AuthError::SecretMisconfigured(_)
            | AuthError::KeysMisconfigured(_)
            | AuthError::HookMisconfigured(_) => Problem::from(refused),
        })?;
        Ok::<_, Problem>((name, bytes))
    };
    match verified.await {
        Ok((name, bytes)) => {
            let answered = answer(&call, &bytes).await;
            with_caller_name(name, answered.unwrap_or_else(|problem| problem.response(request_id)))
        }
        Err(problem) => problem.response(request_id),
    }
}

/// Makes batch items of the extracted subjects. `pointer` returns the location of a field.
fn items(
    found: &ExtractedSubjects,
    options: &Options,
    warnings: &[Warning],
    pointer: impl Fn(&str) -> String,
) -> Vec<Item> {
    let item = |item: &Result<Question, Unusable>| match item {
        Ok(question) => {
            let question = question.clone();
            Item::from(Ok(EnrichRequest { question, options: options.clone(), warnings: warnings.to_vec() }))
        }
        Err(Unusable { kind, field, text, error }) => {
            let problem = Problem::of_subject(error, pointer(field)).with_kind(*kind);
            Item { input: Some(text.clone()), request: Err(problem) }
        }
    };
    let omitted = (found.left_out() > 0).then(|| {
        let detail = format!("{} more subjects were found: a batch has at most 25.", found.left_out());
        Item { input: None, request: Err(Problem::new(Code::TooManyRequestsInBatch, detail)) }
    });
    found.items().iter().map(item).chain(omitted).collect()
}

/// Answers items as a batch, within the sender's timeout. If a destination also gets the answers, slower lookups
/// continue in the background. A success settles the claim of the delivery.
async fn answer_items(
    items: Vec<Item>,
    options: &Options,
    call: &Call,
    claim: Option<Claim>,
    finish: fn(Response) -> Response,
) -> Result<Response, Problem> {
    let Call { service, request_context, reply_ctx, .. } = call;
    let work = Work::new(service.clone(), items, options, request_context).await?;
    let settled = async |claim: Option<Claim>, response| match claim {
        Some(claim) => deliveries::settle(claim, response).await,
        None => response,
    };
    if !(work.has_destinations() && service.background_tasks().can_outlive_an_answer()) {
        work.run(reply_ctx).await;
        return Ok(settled(claim, finish(work.response())).await);
    }
    let mut run = {
        let (work, ctx) = (work.clone(), request_context.ctx.clone());
        async move { work.run(&ctx).await }.boxed()
    };
    if timeout_at(reply_ctx.deadline.instant(), &mut run).await.is_ok() {
        return Ok(settled(claim, finish(work.response())).await);
    }
    let mut response = finish(work.response());
    if let Some(claim) = &claim {
        response = deliveries::answer_meanwhile(claim, response).await;
    }
    let follow_up = {
        let (work, request_id) = (work.clone(), request_context.ctx.request_id.clone());
        async move {
            run.await;
            work.log(&request_id);
            if let Some(claim) = claim {
                deliveries::settle(claim, finish(work.response())).await;
            }
        }
    };
    if service.background_tasks().spawn("lookups of a hook", request_context.ctx.deadline, follow_up).is_err() {
        work.give_up();
        response = finish(work.response());
    }
    Ok(response)
}
