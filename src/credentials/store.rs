//! AWS: secrets out of Secrets Manager, and a web identity token from STS.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::timeout_at;

use super::aws::AwsAccess;
use crate::client::Context;
use crate::config::SecretId;

/// Why AWS gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no secret of that name in this account and region.
    #[error("there is no such secret")]
    NotFound,
    /// The secret is there, and nobody can read it: it is marked for deletion, or in another state of that kind.
    #[error("the secret is marked for deletion: restore it, or name another")]
    MarkedForDeletion,
    /// IAM or the key's policy does not allow it.
    #[error("access is denied")]
    Denied,
    /// The KMS key that encrypts the secret does not decrypt it.
    #[error("the key that encrypts the secret does not decrypt it")]
    NotDecrypted,
    /// AWS knows the credentials not, or no more.
    #[error("AWS does not accept the AWS credentials")]
    CredentialsRefused,
    /// There is nothing to sign a call to AWS with.
    #[error("there are no AWS credentials")]
    NoCredentials,
    /// AWS's own trouble, or no way to it.
    #[error("AWS did not answer")]
    Unavailable,
    /// No answer before the deadline.
    #[error("AWS did not answer in time")]
    TimedOut,
    /// The secret is stored as `SecretBinary`: bytes, not text.
    #[error("the secret is stored as SecretBinary, not as text")]
    NoText,
}

impl StoreError {
    /// Whether AWS is in trouble; else this is what it has to say, and asking again does not change it.
    pub(super) fn is_passing(self) -> bool {
        match self {
            Self::Unavailable | Self::TimedOut | Self::NoCredentials => true,
            Self::NotFound
            | Self::MarkedForDeletion
            | Self::Denied
            | Self::NotDecrypted
            | Self::CredentialsRefused
            | Self::NoText => false,
        }
    }
}

/// Reads secrets.
#[derive(Clone, Debug)]
pub struct SecretStore {
    secrets_manager: aws_sdk_secretsmanager::Client,
    access: AwsAccess,
}

/// What Entra asks for in an assertion that AWS signs; STS answers with ES384 unless told otherwise, which Entra refuses.
///
/// Source: <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>.
const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";
const FEDERATION_ALGORITHM: &str = "RS256";
/// The assertion is used at once.
const FEDERATION_SECONDS: i32 = 300;

impl SecretStore {
    /// Secrets of this account and region.
    pub fn new(access: AwsAccess) -> Self {
        Self { secrets_manager: access.secrets_manager(), access }
    }

    /// Reads the current version of a secret.
    pub(crate) async fn read(&self, id: &SecretId, ctx: &Context) -> Result<String, StoreError> {
        // The SDK's futures are large: boxed, they do not make every future around them so.
        let call = Box::pin(self.secrets_manager.get_secret_value().secret_id(id.as_str()).send());
        let output = timeout_at(ctx.deadline.instant(), call).await.map_err(|_| StoreError::TimedOut)?;
        let output = output.map_err(|error| meaning(&error))?;
        output.secret_string.ok_or(StoreError::NoText)
    }

    /// Gets a token of STS that says who we are, for Entra to believe.
    ///
    /// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>.
    pub(crate) async fn web_identity_token(&self, ctx: &Context) -> Result<String, StoreError> {
        let call = self
            .access
            .sts()
            .get_web_identity_token()
            .audience(FEDERATION_AUDIENCE)
            .signing_algorithm(FEDERATION_ALGORITHM)
            .duration_seconds(FEDERATION_SECONDS)
            .send();
        let output = timeout_at(ctx.deadline.instant(), Box::pin(call)).await.map_err(|_| StoreError::TimedOut)?;
        let output = output.map_err(|error| meaning(&error))?;
        output.web_identity_token.ok_or(StoreError::NoText)
    }
}

/// What an error of AWS means.
///
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors>.
fn meaning<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> StoreError {
    match error {
        SdkError::TimeoutError(_) => StoreError::TimedOut,
        SdkError::ServiceError(context) => match context.err().code() {
            Some("ResourceNotFoundException" | "InvalidParameterException") => StoreError::NotFound,
            Some("InvalidRequestException") => StoreError::MarkedForDeletion,
            Some("DecryptionFailure") => StoreError::NotDecrypted,
            Some(code) if is_throttle(code) => StoreError::Unavailable,
            Some(code) if is_about_credentials(code) => StoreError::CredentialsRefused,
            Some(_) if context.raw().status().is_client_error() => StoreError::Denied,
            Some(_) | None => StoreError::Unavailable,
        },
        other if lacks_credentials(other) => StoreError::NoCredentials,
        _ => StoreError::Unavailable,
    }
}

/// Whether a call was not sent because nothing could sign it.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

/// Whether AWS refuses the credentials themselves, and not what they may do.
///
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>.
fn is_about_credentials(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
    )
}

/// AWS throttles with status 400 as well as with 429.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
fn is_throttle(code: &str) -> bool {
    [
        "Throttl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "LimitExceeded",
        "SlowDown",
        "RequestTimeout",
        "RequestThrottled",
    ]
    .iter()
    .any(|word| code.starts_with(word))
}
