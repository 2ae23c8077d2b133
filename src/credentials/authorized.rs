//! Calls that carry a token: one more try with a new token when the API refuses the old one.

use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use super::error::CredentialError;
use super::token::Token;
use super::tokens::Tokens;
use crate::upstream::{Api, Call, Context, Upstream, UpstreamError};

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
    Upstream(UpstreamError),
}

/// Calls with the tokens of one credential.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    upstream: Upstream,
    tokens: Arc<Tokens>,
}

impl Authorized {
    pub(crate) fn new(upstream: Upstream, tokens: Arc<Tokens>) -> Self {
        Self { upstream, tokens }
    }

    /// Gets a document of an API. `permission` is what the route needs, to be named when it lacks.
    pub(crate) async fn get(
        &self,
        api: Api,
        url: &Url,
        permission: &'static str,
        ctx: &Context,
    ) -> Result<Bytes, CallError> {
        let token = self.tokens.token(api, ctx).await?;
        let outcome = match self.try_get(api, url, &token, ctx).await {
            Err(UpstreamError::Unauthorized) => {
                let renewed = self.tokens.renew(api, &token, ctx).await?;
                self.try_get(api, url, &renewed, ctx).await
            }
            outcome => outcome,
        };
        outcome.map_err(|error| match error {
            UpstreamError::Forbidden => CallError::Forbidden { permission },
            UpstreamError::Unauthorized => CallError::Credential(CredentialError::Refused(super::Refusal::Token)),
            error => CallError::Upstream(error),
        })
    }

    async fn try_get(&self, api: Api, url: &Url, token: &Token, ctx: &Context) -> Result<Bytes, UpstreamError> {
        self.upstream.fetch(&Call::get(api, url.clone(), token.header()), ctx).await
    }
}
