//! Why a question has no answer, by what the caller or the operator can do about it.

use std::time::Duration;

use crate::backend::Query;
use crate::backend::defender::DefenderQuery;
use crate::cache::Outcome;
use crate::client::ClientError;
use crate::credentials::{CallError, CredentialError, Refusal, RefusalReason, SecretProblem, StoreError};

/// A question that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnrichError {
    /// Microsoft throttles, or our own quota is used up: retry later.
    #[error("throttled")]
    Throttled { retry_after: Duration },
    /// Defender or Entra is down or cannot be reached.
    #[error("{service} is unavailable: {reason}")]
    Unavailable { service: Service, reason: &'static str, retry_after: Duration },
    /// The host's name has no address.
    #[error("the host of {service} has no address")]
    NoAddress { service: Service },
    /// No answer before the deadline.
    #[error("{service} did not answer in time")]
    TimedOut { service: Service },
    /// The credential is refused.
    #[error("the credential is refused: {refusal}")]
    CredentialRefused { refusal: Refusal },
    /// The credential lacks a permission, or several.
    #[error("the credential lacks {}", permissions.join(", "))]
    Forbidden {
        /// The least permissions that suffice.
        permissions: Vec<&'static str>,
    },
    /// The answer differs from the documentation.
    #[error("{service} sent a malformed answer: {reason}")]
    Malformed { service: Service, reason: &'static str },
    /// The answer is larger than this program reads.
    #[error("the answer is too large")]
    TooLarge,
    /// Any other refusal.
    #[error("{service} answered with status {status}")]
    Failed { service: Service, status: u16 },
    /// The Defender secret cannot be read.
    #[error("the secret cannot be read: {}", store_reason(*.error))]
    SecretUnavailable { error: StoreError },
    /// The tenant or the app cannot see the tables of advanced hunting.
    #[error("advanced hunting does not show its tables")]
    HuntingNotVisible,
    /// The subject is valid, but this backend does not look it up.
    #[error("{0} is not looked up")]
    NotLookedUp(NotLookedUp),
    /// AWS STS issues no token for the federation with Entra.
    #[error("AWS STS gives no token for Entra: {reason}")]
    FederationFailed { reason: &'static str },
    /// The content of the Defender secret is invalid.
    #[error("the secret cannot be used: {reason}")]
    Misconfigured { reason: SecretProblem },
}

/// What a backend does not look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotLookedUp {
    /// A security identifier or an object id, where the API knows accounts only by name.
    #[error("an account's id")]
    AccountId,
    /// An address that the API refuses.
    #[error("this address")]
    Address,
    /// A domain that the API refuses.
    #[error("this domain")]
    Domain,
}

/// The service that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Defender,
    Entra,
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Defender => "Defender",
            Self::Entra => "Microsoft Entra",
        })
    }
}

/// The wait after a 429 without `Retry-After`: the shortest window of Microsoft's quota.
const THROTTLE_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The wait after an outage without `Retry-After`.
pub(crate) const OUTAGE_RETRY_AFTER: Duration = Duration::from_secs(10);

impl EnrichError {
    fn from_client_error(error: &ClientError, service: Service) -> Self {
        match *error {
            ClientError::Throttled { retry_after } => {
                Self::Throttled { retry_after: retry_after.unwrap_or(THROTTLE_RETRY_AFTER) }
            }
            ClientError::Unavailable { retry_after, reason, .. } => {
                Self::Unavailable { service, reason, retry_after: retry_after.unwrap_or(OUTAGE_RETRY_AFTER) }
            }
            ClientError::NoAddress => Self::NoAddress { service },
            ClientError::ServerError => Self::Failed { service, status: 500 },
            ClientError::TimedOut => Self::TimedOut { service },
            ClientError::Unauthorized => Self::CredentialRefused { refusal: RefusalReason::Token.into() },
            ClientError::Forbidden => Self::Failed { service, status: 403 },
            // The backends handle a missing entity; any other 404 is a route that does not exist.
            ClientError::NotFound => Self::Failed { service, status: 404 },
            ClientError::TableNotVisible => Self::HuntingNotVisible,
            ClientError::Rejected { status } => Self::Failed { service, status },
            ClientError::Malformed { reason } => Self::Malformed { service, reason },
            ClientError::TooLarge => Self::TooLarge,
        }
    }
}

impl EnrichError {
    /// Returns what an error of this query means for the caller.
    pub(super) fn of_query(query: &Query, error: CallError) -> Self {
        let is_refused = matches!(error, CallError::Client(ClientError::Rejected { status: 400 }));
        match query {
            // The form was checked before. Defender does not accept every address; no other reason for a 400 is known.
            Query::Defender(DefenderQuery::Ip(_)) if is_refused => Self::NotLookedUp(NotLookedUp::Address),
            Query::Defender(DefenderQuery::Domain(_)) if is_refused => Self::NotLookedUp(NotLookedUp::Domain),
            Query::Defender(_) | Query::Graph(_) => error.into(),
        }
    }
}

impl From<CallError> for EnrichError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Client(error) => Self::from_client_error(&error, Service::Defender),
            CallError::Forbidden { permission } => Self::Forbidden { permissions: vec![permission] },
            CallError::Credential(CredentialError::Entra(error)) => Self::from_client_error(&error, Service::Entra),
            CallError::Credential(CredentialError::Store(error)) => Self::SecretUnavailable { error },
            CallError::Credential(CredentialError::Federation(error)) => {
                Self::FederationFailed { reason: federation_reason(error) }
            }
            CallError::Credential(CredentialError::Unusable(reason)) => Self::Misconfigured { reason },
            CallError::Credential(CredentialError::NoTokenForApi) => {
                Self::Misconfigured { reason: SecretProblem::Other("it holds tokens, but none for this API") }
            }
            CallError::Credential(CredentialError::Refused(refusal)) => Self::CredentialRefused { refusal },
        }
    }
}

/// Why the Defender secret cannot be read.
pub(crate) fn store_reason(error: StoreError) -> &'static str {
    match error {
        StoreError::NotFound => "there is no such secret in this account and region",
        StoreError::MarkedForDeletion => {
            "it is marked for deletion: restore it (aws secretsmanager restore-secret), or name another"
        }
        StoreError::Denied => "the function's role may not read it",
        StoreError::KeyDenied => "the function's role may not use its KMS key: allow kms:Decrypt on that key",
        StoreError::NotDecrypted => "the key that encrypts it does not decrypt it: is it enabled?",
        StoreError::CredentialsRefused => {
            "AWS does not accept the AWS credentials: they have expired, or are of no account"
        }
        StoreError::NoCredentials => "there are no AWS credentials",
        StoreError::Unavailable => "AWS does not answer",
        StoreError::TimedOut => "AWS does not answer in time",
        StoreError::NoText => "it is stored as SecretBinary: store it as text (--secret-string)",
    }
}

fn federation_reason(error: StoreError) -> &'static str {
    match error {
        StoreError::Denied | StoreError::KeyDenied | StoreError::NotFound | StoreError::MarkedForDeletion => {
            "the role may not ask for one, or outbound web identity federation is off in this account"
        }
        StoreError::CredentialsRefused => "it does not accept the AWS credentials",
        StoreError::NoCredentials => "there are no AWS credentials",
        StoreError::Unavailable | StoreError::NotDecrypted | StoreError::NoText => "it does not answer",
        StoreError::TimedOut => "it does not answer in time",
    }
}

impl Outcome for EnrichError {
    fn is_outage(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::NoAddress { .. } | Self::TimedOut { .. } => true,
            Self::Failed { status, .. } => *status >= 500,
            Self::CredentialRefused { .. }
            | Self::Forbidden { .. }
            | Self::Malformed { .. }
            | Self::TooLarge
            | Self::SecretUnavailable { .. }
            | Self::HuntingNotVisible
            | Self::NotLookedUp(_)
            | Self::FederationFailed { .. }
            | Self::Misconfigured { .. } => false,
        }
    }

    fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    fn timed_out() -> Self {
        Self::TimedOut { service: Service::Defender }
    }
}
