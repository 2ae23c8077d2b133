//! Calls with a bearer token, retried once with a new token if the API refuses the old one.

use http::HeaderValue;
use url::Url;

use super::error::{CredentialError, RefusalReason};
use super::token_cache::TokenCache;
use crate::client::{Api, ApiClient, Attempts, Call, ClientError, Context, Reply};
use crate::domain::shared_str::SharedStr;

/// The failure of a call with a bearer token.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// There was no token.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The token lacks an application permission.
    #[error("the token lacks {permission}")]
    Forbidden {
        /// The least permission that the route requires.
        permission: &'static str,
    },
    /// The call itself failed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl CallError {
    /// Turns `NotFound` into `None`, for entities that may not exist.
    pub(crate) fn none_if_not_found<T>(outcome: Result<T, Self>) -> Result<Option<T>, Self> {
        match outcome {
            Ok(body) => Ok(Some(body)),
            Err(Self::Client(ClientError::NotFound)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The error for an alert or an incident without an id.
    pub(crate) fn without_id() -> Self {
        Self::Client(ClientError::malformed("an answer without an id"))
    }
}

/// Makes calls with the tokens of one credential.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    client: ApiClient,
    tokens: TokenCache,
}

impl Authorized {
    pub(crate) fn new(client: ApiClient, tokens: TokenCache) -> Self {
        Self { client, tokens }
    }

    /// Takes the cost of several calls, which are then made without a cost. Returns whether they are allowed now.
    pub(crate) async fn take_calls(&self, api: Api, calls: usize, ctx: &Context) -> bool {
        self.client.take_calls(api, u32::try_from(calls).unwrap_or(u32::MAX), ctx).await
    }

    /// Gets a document from an API. `permission` is the permission that the route needs, for the error if it is
    /// missing.
    pub(crate) async fn get(
        &self,
        api: Api,
        url: &Url,
        permission: &'static str,
        ctx: &Context,
    ) -> Result<SharedStr, CallError> {
        self.send(api, permission, ctx, |token| Call::get(api, url.clone(), token), Reply::into_body).await
    }

    /// Makes any call to an API. `call` builds the call from a token, and `read` interprets the response.
    pub(crate) async fn send<T>(
        &self,
        api: Api,
        permission: &'static str,
        ctx: &Context,
        call: impl Fn(HeaderValue) -> Call,
        read: impl Fn(Reply) -> Result<T, ClientError>,
    ) -> Result<T, CallError> {
        self.send_within(Attempts::until(ctx.deadline), api, permission, ctx, call, read).await
    }

    /// The same with the given attempts. The attempt with a new token counts as one of them.
    pub(crate) async fn send_within<T>(
        &self,
        mut attempts: Attempts,
        api: Api,
        permission: &'static str,
        ctx: &Context,
        call: impl Fn(HeaderValue) -> Call,
        read: impl Fn(Reply) -> Result<T, ClientError>,
    ) -> Result<T, CallError> {
        let token = self.tokens.token(api, ctx).await?;
        let outcome = match self.client.send_within(&call(token.header()), &mut attempts, ctx, &read).await {
            Err(ClientError::Unauthorized) => {
                let renewed = self.tokens.renew(api, &token, ctx).await?;
                if attempts.are_spent() {
                    // Earlier attempts failed for other reasons. The token is renewed, so the caller's next request can
                    // succeed.
                    return Err(CallError::Client(ClientError::unavailable("the token was refused at last")));
                }
                self.client.send_within(&call(renewed.header()), &mut attempts, ctx, &read).await
            }
            outcome => outcome,
        };
        outcome.map_err(|error| match error {
            ClientError::Forbidden => CallError::Forbidden { permission },
            ClientError::Unauthorized => CallError::Credential(CredentialError::Refused(RefusalReason::Token.into())),
            error => CallError::Client(error),
        })
    }
}
