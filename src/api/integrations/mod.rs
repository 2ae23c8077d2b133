//! `/v1/hooks/…`: runs the exchange with every integration. The sender is verified first, over the raw bytes; nothing
//! is parsed before that.

mod chat;
mod records;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;

use super::body;
use super::middleware::RequestContext;
use super::problem::Problem;
use super::respond::{self, RequestLog, with_caller_name};
use crate::app::Service;
use crate::auth::AuthError;
use crate::auth::signature::SignedRequest;
use crate::domain::timestamp::Timestamp;
use crate::integrations::{Exchange, Integration};
use crate::lookup::Context;

/// A verified request, and the deadline of the reply.
struct Call {
    service: Arc<Service>,
    request_context: RequestContext,
    /// The request's context, with the sender's timeout as its deadline.
    reply_ctx: Context,
    integration: &'static Integration,
    parts: Parts,
    body: Bytes,
}

/// Reads the body, verifies the sender, and answers the request.
pub(super) async fn answer(
    integration: &'static Integration,
    service: Arc<Service>,
    request_context: RequestContext,
    request: Request,
) -> Response {
    let request_id = request_context.ctx.request_id.clone();
    let (parts, body) = request.into_parts();
    let body = match body::read_limited(body).await {
        Ok(body) if (integration.is_probe)(&body) => {
            return respond::json(Vec::new(), RequestLog::of_kind("ssl_check"));
        }
        Ok(body) => body,
        Err(problem) => return problem.response(&request_id),
    };
    let reply_ctx = request_context.ctx.within(integration.reply_timeout);
    let call = Call { service, request_context, reply_ctx, integration, parts, body };
    match call.verify().await {
        Ok(caller) => {
            let answered = match &integration.exchange {
                Exchange::Chat(chat) => Ok(call.answer_person(chat).await),
                Exchange::Records(records) => call.answer_record(records).await,
            };
            with_caller_name(caller, answered.unwrap_or_else(|problem| problem.response(&request_id)))
        }
        Err(problem) => problem.response(&request_id),
    }
}

impl Call {
    async fn verify(&self) -> Result<Arc<str>, Problem> {
        let secret = self.service.callers.required_secret(&self.reply_ctx).await;
        let verified = secret.and_then(|secret| {
            let secrets = self.integration.secrets.read(&secret)?;
            let request = SignedRequest {
                headers: &self.parts.headers,
                query: self.parts.uri.query().unwrap_or_default(),
                body: &self.body,
                received_at: Timestamp::now(),
            };
            Ok((self.integration.verify)(&secrets, &request)?)
        });
        verified.map_err(|error| match error {
            AuthError::SignatureError(reason) => {
                Problem::invalid_signature(self.integration.challenge, self.integration.requirement, reason)
            }
            error => error.into(),
        })
    }
}
