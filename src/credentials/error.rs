//! Why there is no token.

use super::secret_cache::SecretError;
use super::secret_text::SecretProblem;
use super::store::StoreError;
use crate::upstream::UpstreamError;

/// A request that got no token.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    /// The secret could not be read.
    #[error("the secret store failed: {0}")]
    Store(#[source] StoreError),
    /// AWS STS gave no token that says who we are.
    #[error("AWS STS gave no token for Entra: {0}")]
    Federation(#[source] StoreError),
    /// The secret holds nothing that is known here.
    #[error("the secret makes no sense: {0}")]
    Unusable(SecretProblem),
    /// The secret holds tokens, but none for this API.
    #[error("the secret holds no token for this API")]
    NoTokenForApi,
    /// Entra, or the API itself, refuses the credential, also after the secret was read again.
    #[error("the credential is refused: {0}")]
    Refused(Refusal),
    /// Entra could not be reached, or talked nonsense.
    #[error("Entra did not answer: {0}")]
    Entra(#[source] UpstreamError),
}

impl From<SecretError> for CredentialError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => Self::Store(error),
            SecretError::Content(problem) => Self::Unusable(problem),
        }
    }
}

impl CredentialError {
    /// Whether it may be over with the next try.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) | Self::Federation(error) => error.is_passing(),
            Self::Entra(error) => match error {
                UpstreamError::Throttled { .. }
                | UpstreamError::Unavailable { .. }
                | UpstreamError::ServerError
                | UpstreamError::TimedOut => true,
                UpstreamError::Unauthorized
                | UpstreamError::Forbidden
                | UpstreamError::NotFound
                | UpstreamError::Rejected { .. }
                | UpstreamError::TableNotVisible
                | UpstreamError::Malformed { .. }
                | UpstreamError::TooLarge => false,
            },
            Self::Unusable(_) | Self::NoTokenForApi | Self::Refused(_) => false,
        }
    }
}

/// Why a credential was refused, as far as the operator can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// AADSTS90002.
    #[error("the tenant is not known")]
    UnknownTenant,
    /// AADSTS700016.
    #[error("the application is not known in this tenant")]
    UnknownApplication,
    /// AADSTS7000215.
    #[error("the client secret is wrong")]
    WrongSecret,
    /// AADSTS7000222.
    #[error("the client secret has expired")]
    ExpiredSecret,
    /// AADSTS700027 and its like.
    #[error("the certificate's assertion is not accepted")]
    WrongAssertion,
    /// AADSTS700211 to 700213, 70021.
    #[error("no federated credential of the application fits this role")]
    NoFederation,
    /// AADSTS500011, 70011, 1002012.
    #[error("the API is not known in this tenant")]
    UnknownApi,
    /// Any other refusal of Entra's.
    #[error("Entra refuses the credential")]
    Other,
    /// 401 by the API.
    #[error("the API refuses the token")]
    Token,
}
