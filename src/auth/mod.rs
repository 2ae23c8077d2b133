//! Who may call: by a key of the caller secret, by IAM, or everybody; and what proves a sender who has no key.

mod caller_secret;
mod headers;
mod keys;

use std::sync::Arc;

use http::HeaderMap;

use crate::client::Context;
use crate::config::{CallerAuth, Settings};
#[cfg(feature = "cli")]
use crate::credentials::Mends;
use crate::credentials::{SecretError, SecretProblem, SecretStore, StoreError};
use crate::delivery::Destinations;
use crate::domain::timestamp::Timestamp;
use crate::integrations::{HookSecrets, SecretsError, SignatureError, standard_webhooks};
#[cfg(feature = "cli")]
pub(crate) use caller_secret::CallerSecret;
use caller_secret::SecretHolder;
#[cfg(feature = "cli")]
use keys::Keys;
use keys::KeysError;

/// The principal that a front door has verified by SigV4; only the event's own context tells it, never a header.
#[derive(Clone, Debug)]
pub struct IamIdentity {
    /// The ARN of the user or role.
    pub arn: String,
}

/// A caller who is let in, by the name that logs show.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: Arc<str>,
}

/// A caller who is let in by a signature of Standard Webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) caller: Caller,
    /// The `webhook-id`: equal when the request is sent again.
    pub(crate) delivery: String,
}

/// A caller who is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// No key, or a wrong one.
    #[error("not authorized")]
    Unauthorized,
    /// No identity that the front door has verified.
    #[error("not signed")]
    Unsigned,
    /// No proof of the sender, or a wrong one.
    #[error(transparent)]
    SignatureError(#[from] SignatureError),
    /// The caller secret cannot be read.
    #[error("the caller secret cannot be read: {0}")]
    SecretUnavailable(StoreError),
    /// The caller secret makes no sense.
    #[error("the caller secret makes no sense: {0}")]
    SecretMisconfigured(SecretProblem),
    /// `api_keys` of the caller secret makes no sense.
    #[error(transparent)]
    KeysMisconfigured(#[from] KeysError),
    /// A hook's member of the caller secret makes no sense.
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

/// The rule by which callers are let in, and the secret that it needs. Hooks have secrets whatever the rule is.
#[derive(Debug)]
pub(crate) struct Callers {
    auth: CallerAuth,
    secret: SecretHolder,
}

impl Callers {
    pub(crate) fn new(settings: &Settings, store: SecretStore) -> Self {
        Self { auth: settings.caller_auth, secret: SecretHolder::new(settings, store) }
    }

    /// Tells who calls, by what stands in the headers.
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

    /// Whether a caller presents a signature of Standard Webhooks where others present a key: then the body decides.
    pub(crate) fn decides_by_body(&self, headers: &HeaderMap) -> bool {
        let is_asked = match self.auth {
            CallerAuth::ApiKey => true,
            CallerAuth::Iam | CallerAuth::Nobody => false,
        };
        is_asked && standard_webhooks::is_signed(headers) && headers::key(headers).is_none()
    }

    /// Tells who signed this body by Standard Webhooks.
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
                Timestamp::now(),
            )?;
            Ok(Signed { caller: Caller { name: delivery.caller }, delivery: delivery.id })
        };
        self.prove(ctx, verify).await
    }

    /// Lets a hook prove its sender by its own secrets. Without a caller secret every hook is closed.
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

    /// Whether somebody may ask whose answer can come after that to the request: a chat, or a hook that can name a
    /// destination. While the secret is not known, they may.
    pub(crate) fn may_ask_for_later(&self) -> bool {
        self.secret.may_ask_for_later()
    }

    /// What the caller secret holds.
    #[cfg(feature = "cli")]
    pub(crate) async fn secret(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        self.secret.content(ctx).await
    }

    /// What had to be understood in the caller secret.
    #[cfg(feature = "cli")]
    pub(crate) fn mends(&self) -> Mends {
        self.secret.mends()
    }

    /// Lets the next request read the secret although reading it has failed just now.
    pub(crate) fn forgive(&self) {
        self.secret.forgive();
    }

    /// Reads what will be needed, before it is.
    pub(crate) async fn warm(&self, ctx: &Context) {
        self.secret.warm(ctx).await;
    }
}

#[cfg(feature = "cli")]
impl CallerSecret {
    /// The names of those who hold keys.
    pub(crate) fn names(&self) -> Result<Vec<Arc<str>>, AuthError> {
        Ok(self.keys.as_ref().map_err(|error| *error)?.names())
    }

    /// The names of those who hold a key that can be guessed.
    pub(crate) fn weak_holders(&self) -> &[Arc<str>] {
        self.keys.as_ref().map(Keys::weak_holders).unwrap_or_default()
    }
}

impl IamIdentity {
    /// The part of the ARN after the account: `role/soar`, `assumed-role/soar/session`.
    fn caller(&self) -> Caller {
        let name: String = self.arn.splitn(6, ':').last().unwrap_or_default().chars().take(128).collect();
        Caller { name: if name.is_empty() { "iam".into() } else { name.into() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_named_without_its_account() {
        let name = |arn: &str| IamIdentity { arn: arn.to_owned() }.caller().name;
        assert_eq!(&*name("arn:aws:iam::123456789012:role/soar"), "role/soar");
        assert_eq!(&*name("arn:aws:sts::123456789012:assumed-role/soar/x"), "assumed-role/soar/x");
    }
}
