//! Who may call: by a key of the caller secret, by IAM, or everybody.

mod keys;
mod presented;

use std::sync::Arc;

use http::HeaderMap;

use crate::config::{CallerAuth, Settings};
use crate::credentials::SecretStore;
use crate::upstream::Context;
use keys::KeyRing;

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

/// A caller who is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// No key, or a wrong one.
    #[error("not authorized")]
    Unauthorized,
    /// No identity that the front door has verified.
    #[error("not signed")]
    Unsigned,
    /// The keys cannot be read.
    #[error("the caller keys cannot be read")]
    KeysUnavailable,
    /// The caller secret makes no sense.
    #[error("the caller secret makes no sense")]
    KeysMisconfigured,
}

/// The rule by which callers are let in.
#[derive(Debug)]
pub(crate) enum Callers {
    Keys(Box<KeyRing>),
    Iam,
    Everybody,
}

impl Callers {
    pub(crate) fn new(settings: &Settings, store: SecretStore) -> Self {
        match settings.caller_auth {
            CallerAuth::ApiKey => Self::Keys(Box::new(KeyRing::new(settings, store))),
            CallerAuth::Iam => Self::Iam,
            CallerAuth::Nobody => Self::Everybody,
        }
    }

    /// Tells who calls.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        identity: Option<&IamIdentity>,
        ctx: &Context,
    ) -> Result<Caller, NotAdmitted> {
        match self {
            Self::Keys(ring) => {
                let key = presented::key(headers).ok_or(NotAdmitted::Unauthorized)?;
                ring.owner(&key, ctx).await
            }
            Self::Iam => identity.map(IamIdentity::caller).ok_or(NotAdmitted::Unsigned),
            Self::Everybody => Ok(Caller { name: "anonymous".into() }),
        }
    }

    /// The names of those who hold keys; `None` where no key is asked for.
    #[cfg(feature = "cli")]
    pub(crate) async fn names(&self, ctx: &Context) -> Option<Result<Vec<Arc<str>>, NotAdmitted>> {
        match self {
            Self::Keys(ring) => Some(ring.names(ctx).await),
            Self::Iam | Self::Everybody => None,
        }
    }

    /// Reads what will be needed, before it is.
    pub(crate) async fn warm(&self, ctx: &Context) {
        if let Self::Keys(ring) = self {
            ring.warm(ctx).await;
        }
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
