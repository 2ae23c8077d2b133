//! Calls that carry a token: one more try with a new token when the API refuses the old one.

use http::HeaderValue;
use url::Url;

use super::error::{CredentialError, RefusalReason};
use super::token_cache::TokenCache;
use crate::client::{Api, Attempts, Call, ClientError, Context, Reply, Upstream};
use crate::domain::shared_str::SharedStr;

/// A call that carries a token, and brought no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// There was no token to carry.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The token lacks an application permission.
    #[error("the token lacks {permission}")]
    Forbidden {
        /// The least permission that opens the route.
        permission: &'static str,
    },
    /// The call itself failed.
    #[error(transparent)]
    Upstream(ClientError),
}

impl CallError {
    /// `None` where the API says that it does not know the entity.
    pub(crate) fn known<T>(outcome: Result<T, Self>) -> Result<Option<T>, Self> {
        match outcome {
            Ok(body) => Ok(Some(body)),
            Err(Self::Upstream(ClientError::NotFound)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An alert or an incident that does not say which.
    pub(crate) fn without_id() -> Self {
        Self::Upstream(ClientError::malformed("an answer without an id"))
    }
}

/// Calls with the tokens of one credential.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    upstream: Upstream,
    tokens: TokenCache,
}

impl Authorized {
    pub(crate) fn new(upstream: Upstream, tokens: TokenCache) -> Self {
        Self { upstream, tokens }
    }

    /// Gets a document of an API. `permission` is what the route needs, to be named when it lacks.
    pub(crate) async fn get(
        &self,
        api: Api,
        url: &Url,
        permission: &'static str,
        ctx: &Context,
    ) -> Result<SharedStr, CallError> {
        self.send(api, permission, ctx, |token| Call::get(api, url.clone(), token), Reply::into_body).await
    }

    /// Makes any call of an API; `call` is given the token, and `read` says what the answer means.
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

    /// The same in so many attempts, the one with another token among them.
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
        let outcome = match self.upstream.send_within(&call(token.header()), &mut attempts, ctx, &read).await {
            Err(ClientError::Unauthorized) => {
                let renewed = self.tokens.renew(api, &token, ctx).await?;
                if attempts.are_spent() {
                    // Others had failed before: whoever asks again has a good token.
                    return Err(CallError::Upstream(ClientError::unavailable("the token was refused at last")));
                }
                self.upstream.send_within(&call(renewed.header()), &mut attempts, ctx, &read).await
            }
            outcome => outcome,
        };
        outcome.map_err(|error| match error {
            ClientError::Forbidden => CallError::Forbidden { permission },
            ClientError::Unauthorized => CallError::Credential(CredentialError::Refused(RefusalReason::Token.into())),
            error => CallError::Upstream(error),
        })
    }
}
