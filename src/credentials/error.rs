//! The errors of getting a token.

use std::fmt;

use super::secret_cache::SecretError;
use super::secret_text::SecretProblem;
use super::store::StoreError;
use crate::client::ClientError;

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    /// The secret could not be read.
    #[error("the secret store failed: {0}")]
    Store(#[source] StoreError),
    /// AWS STS gave no identity token for Entra.
    #[error("AWS STS gave no token for Entra: {0}")]
    Federation(#[source] StoreError),
    /// The content of the secret is invalid.
    #[error("the content of the secret is invalid: {0}")]
    Unusable(SecretProblem),
    /// The secret holds tokens, but none for this API.
    #[error("the secret holds no token for this API")]
    NoTokenForApi,
    /// Entra or the API refused the credential, also after the secret was read again.
    #[error("the credential is refused: {0}")]
    Refused(Refusal),
    /// Entra could not be reached, or sent an invalid response.
    #[error("Entra did not answer: {0}")]
    Entra(#[source] ClientError),
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
    /// Whether a later attempt may succeed without a change by the operator.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::Federation(error) => error.is_transient(),
            Self::Entra(error) => match error {
                ClientError::Throttled { .. }
                | ClientError::Unavailable { .. }
                | ClientError::NoAddress
                | ClientError::ServerError
                | ClientError::TimedOut => true,
                ClientError::Unauthorized
                | ClientError::Forbidden
                | ClientError::NotFound
                | ClientError::Rejected { .. }
                | ClientError::TableNotVisible
                | ClientError::Malformed { .. }
                | ClientError::TooLarge => false,
            },
            Self::Unusable(_) | Self::NoTokenForApi | Self::Refused(_) => false,
        }
    }
}

/// A refused credential, with the error code that Entra's documentation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason.
    pub(crate) reason: RefusalReason,
    /// The number after `AADSTS`, if Entra gave one.
    pub(crate) number: Option<i64>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{} (AADSTS{number})", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        Self { reason, number: None }
    }
}

/// Why a credential was refused, by what the operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusalReason {
    /// AADSTS90002.
    #[error("the tenant is not known")]
    UnknownTenant,
    /// AADSTS700016.
    #[error("the application is not known in this tenant")]
    UnknownApplication,
    /// AADSTS7000112.
    #[error("the application is disabled")]
    DisabledApplication,
    /// AADSTS7000215.
    #[error("the client secret is wrong")]
    WrongSecret,
    /// AADSTS7000222.
    #[error("the client secret has expired")]
    ExpiredSecret,
    /// AADSTS700027 and its like.
    #[error("the certificate is not registered with the application, or has expired")]
    WrongAssertion,
    /// AADSTS700211 to 700213, 70021.
    #[error("no federated credential of the application fits this function's role")]
    NoFederation,
    /// AADSTS500011, 70011, 1002012.
    #[error("the API is not known in this tenant")]
    UnknownApi,
    /// AADSTS53003.
    #[error("a Conditional Access policy blocks the application")]
    ConditionalAccess,
    /// Any other refusal by Entra.
    #[error("Entra refuses it")]
    Other,
    /// 401 from the API.
    #[error("the API refuses the token")]
    Token,
    /// The token in the secret has expired, and was not sent.
    #[error("the token in the secret has expired")]
    ExpiredToken,
}

impl RefusalReason {
    /// What the operator can do.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::UnknownTenant => "Correct tenant_id in the Defender secret, and check DEFENDER_CLOUD.",
            Self::UnknownApplication => {
                "Correct client_id and tenant_id in the Defender secret, and check DEFENDER_CLOUD."
            }
            Self::DisabledApplication => {
                "Enable it in Entra: Enterprise applications, this application, Properties, Enabled for users to sign-in."
            }
            Self::WrongSecret => "Store the value of a client secret, not its id, in the Defender secret.",
            Self::ExpiredSecret => "Create a client secret in Entra, and store its value in the Defender secret.",
            Self::WrongAssertion => {
                "Upload the certificate to the app registration in Entra, and store it with its key in the Defender secret."
            }
            Self::NoFederation => {
                "Add a federated credential to the app registration: issuer and subject of the role, and the audience \
                 api://AzureADTokenExchange."
            }
            Self::UnknownApi => "Check DEFENDER_CLOUD, and whether the tenant has a licence for Defender.",
            Self::ConditionalAccess => "Exclude the application from that policy.",
            Self::Other => {
                "Look its number up at https://login.microsoftonline.com/error, or store another credential in the \
                 Defender secret."
            }
            Self::Token | Self::ExpiredToken => "Store another token in the Defender secret.",
        }
    }
}
