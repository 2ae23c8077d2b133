//! Authentication of callers: by a key in the caller secret, by IAM, or not at all; and by signatures of integrations.

mod caller_secret;
mod headers;
mod keys;

use std::sync::Arc;

use http::HeaderMap;

use crate::client::Context;
use crate::clock::Clock;
use crate::config::{CallerAuth, Settings};
#[cfg(feature = "cli")]
use crate::credentials::Corrections;
use crate::credentials::{SecretError, SecretProblem, SecretStore, StoreError};
use crate::delivery::Destinations;
use crate::integrations::{HookSecrets, SecretsError, SignatureError, standard_webhooks};
#[cfg(feature = "cli")]
pub(crate) use caller_secret::CallerSecret;
use caller_secret::CallerSecretCache;
#[cfg(feature = "cli")]
use keys::Keys;
use keys::KeysError;

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
    /// A missing or wrong signature or token of an integration.
    #[error(transparent)]
    SignatureError(#[from] SignatureError),
    /// The caller secret cannot be read.
    #[error("the caller secret cannot be read: {0}")]
    SecretUnavailable(StoreError),
    /// The caller secret is invalid.
    #[error("the caller secret makes no sense: {0}")]
    SecretMisconfigured(SecretProblem),
    /// The member `api_keys` of the caller secret is invalid.
    #[error(transparent)]
    KeysMisconfigured(#[from] KeysError),
    /// The member of an integration in the caller secret is invalid.
    #[error(transparent)]
    HookMisconfigured(#[from] SecretsError),
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
    pub(crate) fn new(settings: &Settings, store: SecretStore, clock: Clock) -> Self {
        Self { auth: settings.caller_auth, secret: CallerSecretCache::new(settings, store), clock }
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
                let key = headers::key(headers).ok_or(AuthError::Unauthorized)?;
                let secret = self.secret.content(ctx).await?.ok_or(AuthError::Unauthorized)?;
                let owner = secret.keys.as_ref().map_err(|error| *error)?.owner(&key);
                owner.map(|name| Caller { name }).ok_or(AuthError::Unauthorized)
            }
            CallerAuth::Iam => identity.map(IamIdentity::caller).ok_or(AuthError::Unsigned),
            CallerAuth::Nobody => Ok(Caller { name: "anonymous".into() }),
        }
    }

    /// Whether a request has a Standard Webhooks signature instead of a key, so that the body is needed to verify it.
    pub(crate) fn decides_by_body(&self, headers: &HeaderMap) -> bool {
        let requires_key = match self.auth {
            CallerAuth::ApiKey => true,
            CallerAuth::Iam | CallerAuth::Nobody => false,
        };
        requires_key && standard_webhooks::is_signed(headers) && headers::key(headers).is_none()
    }

    /// Authenticates a caller by the Standard Webhooks signature of the body.
    pub(crate) async fn admit_signed(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        ctx: &Context,
    ) -> Result<Signed, AuthError> {
        let verify = |secrets: &HookSecrets| {
            let delivery = standard_webhooks::verify(
                secrets.standard_webhooks.as_ref().map_err(|error| *error)?,
                headers,
                body,
                self.clock.now(),
            )?;
            // The body belongs to the identity of a delivery: another question never gets a repeated answer.
            let content = ring::digest::digest(&ring::digest::SHA256, body);
            let id = format!("{}/{}", delivery.id, hex::encode(content));
            Ok(Signed { caller: Caller { name: delivery.caller }, delivery: id })
        };
        self.prove(ctx, verify).await
    }

    /// Runs the verification of an integration with its secrets. Without a caller secret, every integration is
    /// disabled.
    pub(crate) async fn prove<T>(
        &self,
        ctx: &Context,
        verify: impl FnOnce(&HookSecrets) -> Result<T, AuthError>,
    ) -> Result<T, AuthError> {
        match self.secret.content(ctx).await? {
            Some(secret) => verify(&secret.hooks),
            None => Err(SignatureError::NotConfigured.into()),
        }
    }

    /// The destinations of the caller secret.
    pub(crate) async fn destinations(&self, ctx: &Context) -> Result<Arc<Destinations>, AuthError> {
        let secret = self.secret.content(ctx).await?;
        Ok(secret.map(|secret| secret.destinations()).unwrap_or_default())
    }

    /// Whether some callers can get an answer after the response: chats, and integrations that can name a destination.
    /// Without a cached secret it returns true.
    pub(crate) fn may_send_late_answers(&self) -> bool {
        self.secret.may_send_late_answers()
    }

    /// The content of the caller secret.
    #[cfg(feature = "cli")]
    pub(crate) async fn secret(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        self.secret.content(ctx).await
    }

    /// The mistakes that were corrected in the caller secret.
    #[cfg(feature = "cli")]
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

#[cfg(feature = "cli")]
impl CallerSecret {
    /// The names of callers with keys.
    pub(crate) fn names(&self) -> Result<Vec<Arc<str>>, AuthError> {
        Ok(self.keys.as_ref().map_err(|error| *error)?.names())
    }

    /// The names of callers with a key that can be guessed.
    pub(crate) fn weak_holders(&self) -> &[Arc<str>] {
        self.keys.as_ref().map(Keys::weak_holders).unwrap_or_default()
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
