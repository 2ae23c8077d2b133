//! `/v1/hooks/…`: runs the exchange with every integration. The sender is verified first, over the raw bytes; nothing
//! is parsed before that.

mod chat;
mod records;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;

use super::body;
use super::problem::Problem;
use super::respond::{self, Call, RequestLog, with_caller_name};
use crate::auth::AuthError;
use crate::auth::signature::SignedRequest;
use crate::integrations::{Exchange, Integration};
use crate::lookup::Context;

/// A request of an integration, with its body, and the deadline of the reply.
struct Delivery {
    call: Call,
    integration: &'static Integration,
    body: Bytes,
    /// The request's context, with the sender's timeout as its deadline.
    reply_ctx: Context,
}

/// Reads the body, verifies the sender, and answers the request.
pub(super) async fn answer(integration: &'static Integration, call: Call, body: Body) -> Response {
    let request_id = call.request_context.ctx.request_id.clone();
    let body = match body::read_limited(body).await {
        Ok(body) if (integration.is_probe)(&body) => {
            return respond::json(Vec::new(), RequestLog::of_kind("ssl_check"));
        }
        Ok(body) => body,
        Err(problem) => return problem.response(&request_id),
    };
    let reply_ctx = call.request_context.ctx.within(integration.reply_timeout);
    let delivery = Delivery { call, integration, body, reply_ctx };
    match delivery.verify().await {
        Ok(caller) => {
            let answered = match &integration.exchange {
                Exchange::Chat(chat) => Ok(delivery.answer_person(chat).await),
                Exchange::Records(records) => delivery.answer_record(records).await,
            };
            with_caller_name(caller, answered.unwrap_or_else(|problem| problem.response(&request_id)))
        }
        Err(problem) => problem.response(&request_id),
    }
}

impl Delivery {
    async fn verify(&self) -> Result<Arc<str>, Problem> {
        verify(self.integration, self.integration.requirement, &self.call, &self.body, &self.reply_ctx).await
    }
}

/// Verifies the integration's signature or token, and returns its holder. `requirement` says what a request needs.
pub(super) async fn verify(
    integration: &Integration,
    requirement: &'static str,
    call: &Call,
    body: &[u8],
    ctx: &Context,
) -> Result<Arc<str>, Problem> {
    let secret = call.service.callers.required_secret(ctx).await;
    let verified = secret.and_then(|secret| {
        let secrets = integration.secrets.read(&secret)?;
        let request = SignedRequest {
            headers: &call.parts.headers,
            query: call.query(),
            body,
            received_at: call.service.clock.now(),
        };
        Ok((integration.verify)(&secrets, &request)?)
    });
    verified.map_err(|error| match error {
        AuthError::SignatureError(reason) => Problem::invalid_signature(integration.challenge, requirement, reason),
        error => error.into(),
    })
}
