//! Authentication of callers: by a key in the caller secret, by a Standard Webhooks signature, by IAM, or not at all.
//! Other signatures are verified by the integrations, with the primitives of [`signature`] and [`secrets`].

mod caller_secret;
mod keys;
pub(crate) mod secrets;
pub(crate) mod signature;
pub(crate) mod standard_webhooks;

use std::sync::Arc;

use http::HeaderMap;

use crate::client::Context;
use crate::clock::Clock;
use crate::config::{CallerAuth, Settings};
use crate::credentials::Corrections;
use crate::credentials::{SecretError, SecretProblem, SecretStore, StoreError};
use caller_secret::CallerSecretCache;
pub(crate) use caller_secret::{CallerSecret, Member, MemberForm, UnknownMember};
pub(crate) use keys::KeyError;
use keys::Keys;
pub(crate) use secrets::MemberError;
pub(crate) use signature::SignatureError;
use signature::SignedRequest;

/// The principal whose SigV4 signature AWS has verified. It comes only from the context of the event, never from a
/// header.
#[derive(Clone, Debug)]
pub struct IamIdentity {
    /// The ARN of the user or role.
    pub arn: String,
}

/// An authenticated caller, with the name for logs.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: Arc<str>,
}

/// A caller authenticated by a Standard Webhooks signature.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) caller: Caller,
    /// The `webhook-id`. It is the same when the sender repeats the request.
    pub(crate) delivery: String,
}

/// Why a caller is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// No key, or a wrong one.
    #[error("not authorized")]
    Unauthorized,
    /// No identity that AWS has verified.
    #[error("not signed")]
    Unsigned,
    /// A missing or wrong signature or token.
    #[error(transparent)]
    SignatureError(#[from] SignatureError),
    /// The caller secret cannot be read.
    #[error("the caller secret cannot be read: {0}")]
    SecretUnavailable(StoreError),
    /// The caller secret is invalid.
    #[error("the caller secret cannot be used: {0}")]
    SecretMisconfigured(SecretProblem),
    /// The member `api_keys` of the caller secret is invalid.
    #[error("{0}")]
    KeysMisconfigured(MemberError),
    /// The member of a sender in the caller secret is invalid.
    #[error(transparent)]
    SenderMisconfigured(#[from] MemberError),
}

impl From<SecretError> for AuthError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => Self::SecretUnavailable(error),
            SecretError::Content(problem) => Self::SecretMisconfigured(problem),
        }
    }
}

/// Authenticates callers by the configured method. Integrations use the caller secret with every method.
#[derive(Debug)]
pub(crate) struct Callers {
    auth: CallerAuth,
    secret: CallerSecretCache,
    clock: Clock,
}

impl Callers {
    /// `members` are the members of the caller secret that other modules parse.
    pub(crate) fn new(settings: &Settings, store: SecretStore, members: Vec<Member>, clock: Clock) -> Self {
        Self { auth: settings.caller_auth, secret: CallerSecretCache::new(settings, store, members), clock }
    }

    /// Authenticates a caller by the request headers or the IAM identity.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        identity: Option<&IamIdentity>,
        ctx: &Context,
    ) -> Result<Caller, AuthError> {
        match self.auth {
            CallerAuth::ApiKey => {
                let key = keys::presented_key(headers).ok_or(AuthError::Unauthorized)?;
                let secret = self.secret.content(ctx).await?.ok_or(AuthError::Unauthorized)?;
                let Keys { secrets, .. } = secret.keys()?;
                secrets.owner(&key).map(|name| Caller { name }).map_err(|_| AuthError::Unauthorized)
            }
            CallerAuth::Iam => identity.map(IamIdentity::caller).ok_or(AuthError::Unsigned),
            CallerAuth::Nobody => Ok(Caller { name: "anonymous".into() }),
        }
    }

    /// Whether a request has neither the key nor the identity that the configured method needs.
    pub(crate) fn lacks_credential(&self, headers: &HeaderMap, identity: Option<&IamIdentity>) -> bool {
        match self.auth {
            CallerAuth::ApiKey => keys::presented_key(headers).is_none(),
            CallerAuth::Iam => identity.is_none(),
            CallerAuth::Nobody => false,
        }
    }

    /// Whether callers authenticate with a key.
    pub(crate) fn requires_key(&self) -> bool {
        match self.auth {
            CallerAuth::ApiKey => true,
            CallerAuth::Iam | CallerAuth::Nobody => false,
        }
    }

    /// Whether a request has a Standard Webhooks signature instead of a key, so that the body is needed to verify it.
    pub(crate) fn decides_by_body(&self, headers: &HeaderMap) -> bool {
        self.requires_key() && standard_webhooks::is_signed(headers) && keys::presented_key(headers).is_none()
    }

    /// Authenticates a caller by the Standard Webhooks signature of the body.
    pub(crate) async fn admit_signed(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        ctx: &Context,
    ) -> Result<Signed, AuthError> {
        let secret = self.required_secret(ctx).await?;
        let request = SignedRequest { headers, query: "", body, received_at: self.clock.now() };
        let delivery = standard_webhooks::verify(&standard_webhooks::SECRETS.read(&secret)?, &request)?;
        // The body belongs to the identity of a delivery: another question never gets a repeated answer.
        let content = ring::digest::digest(&ring::digest::SHA256, body);
        let id = format!("{}/{}", delivery.id, hex::encode(content));
        Ok(Signed { caller: Caller { name: delivery.caller }, delivery: id })
    }

    /// The content of the caller secret, for a sender that needs it: without one, none is accepted.
    pub(crate) async fn required_secret(&self, ctx: &Context) -> Result<Arc<CallerSecret>, AuthError> {
        Ok(self.secret.content(ctx).await?.ok_or(SignatureError::NotConfigured)?)
    }

    /// The content of the caller secret, if one is configured.
    pub(crate) async fn secret(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        self.secret.content(ctx).await
    }

    /// Whether the caller secret fulfils a condition. As long as it has not been read, it may do so.
    pub(crate) fn secret_may_fulfil(&self, condition: impl FnOnce(&CallerSecret) -> bool) -> bool {
        self.secret.may_fulfil(condition)
    }

    /// The mistakes that were corrected in the caller secret.
    pub(crate) fn corrections(&self) -> Corrections {
        self.secret.corrections()
    }

    /// Lets the next request read the secret immediately after a failed read.
    pub(crate) fn allow_retry(&self) {
        self.secret.allow_retry();
    }

    /// Reads the caller secret before the first request needs it.
    pub(crate) async fn warm(&self, ctx: &Context) {
        self.secret.warm(ctx).await;
    }
}

impl CallerSecret {
    fn keys(&self) -> Result<&Keys, AuthError> {
        self.keys.as_ref().map_err(|error| AuthError::KeysMisconfigured(*error))
    }

    /// The keys of callers, and the entries that are not keys.
    pub(crate) fn api_keys(&self) -> Result<(&secrets::Secrets, &[KeyError]), AuthError> {
        self.keys().map(|keys| (&keys.secrets, keys.errors.as_slice()))
    }
}

impl IamIdentity {
    /// The caller, named by the part of the ARN after the account: `role/soar`, `assumed-role/soar/session`.
    fn caller(&self) -> Caller {
        let name: String = self.arn.splitn(6, ':').last().unwrap_or_default().chars().take(128).collect();
        Caller { name: if name.is_empty() { "iam".into() } else { name.into() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iam_caller_is_named_without_the_account() {
        let name = |arn: &str| IamIdentity { arn: arn.to_owned() }.caller().name;
        assert_eq!(&*name("arn:aws:iam::123456789012:role/soar"), "role/soar");
        assert_eq!(&*name("arn:aws:sts::123456789012:assumed-role/soar/x"), "assumed-role/soar/x");
    }
}
