//! Calls to AWS: reads secrets from Secrets Manager, and gets a web identity token from STS.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::timeout_at;

use super::aws::AwsAccess;
use crate::client::Context;
use crate::config::SecretId;

/// The failure of a call to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no secret of that name in this account and region.
    #[error("there is no such secret")]
    NotFound,
    /// The secret exists but cannot be read: it is marked for deletion, or in a similar state.
    #[error("the secret is marked for deletion: restore it, or name another")]
    MarkedForDeletion,
    /// IAM or the policy of the secret does not allow it.
    #[error("access is denied")]
    Denied,
    /// IAM or the key's policy does not allow the use of the KMS key that encrypts the secret.
    #[error("access to the KMS key that encrypts the secret is denied")]
    KeyDenied,
    /// Decryption with the KMS key of the secret failed.
    #[error("the key that encrypts the secret does not decrypt it")]
    NotDecrypted,
    /// AWS does not accept the AWS credentials, or no longer does.
    #[error("AWS does not accept the AWS credentials")]
    CredentialsRefused,
    /// There are no AWS credentials to sign the call.
    #[error("there are no AWS credentials")]
    NoCredentials,
    /// AWS has an outage, or cannot be reached.
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
    /// Whether a later attempt may succeed. All other errors are definite answers of AWS.
    pub(super) fn is_transient(self) -> bool {
        match self {
            Self::Unavailable | Self::TimedOut | Self::NoCredentials => true,
            Self::NotFound
            | Self::MarkedForDeletion
            | Self::Denied
            | Self::KeyDenied
            | Self::NotDecrypted
            | Self::CredentialsRefused
            | Self::NoText => false,
        }
    }
}

/// A client for AWS Secrets Manager and STS.
#[derive(Clone, Debug)]
pub struct SecretStore {
    secrets_manager: aws_sdk_secretsmanager::Client,
    access: AwsAccess,
}

/// The audience that Entra requires in an assertion from AWS.
///
/// Source: <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>.
const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The algorithm of an assertion from AWS. The default of STS is ES384, which Entra refuses (same source).
const FEDERATION_ALGORITHM: &str = "RS256";
/// The lifetime of an assertion. It is short because the assertion is used immediately.
const FEDERATION_SECONDS: i32 = 300;

impl SecretStore {
    /// A client for the account and region of `access`.
    pub fn new(access: AwsAccess) -> Self {
        Self { secrets_manager: access.secrets_manager(), access }
    }

    /// Reads the current version of a secret.
    pub(crate) async fn read(&self, id: &SecretId, ctx: &Context) -> Result<String, StoreError> {
        // The futures of the SDK are large. Boxing keeps the futures that contain them small.
        let call = Box::pin(self.secrets_manager.get_secret_value().secret_id(id.as_str()).send());
        let output = timeout_at(ctx.deadline.instant(), call).await.map_err(|_| StoreError::TimedOut)?;
        let output = output.map_err(|error| meaning(&error))?;
        output.secret_string.ok_or(StoreError::NoText)
    }

    /// Gets a token from STS that proves the identity of this process to Entra.
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

/// The error that a failure of the SDK stands for.
///
/// Source:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors>.
fn meaning<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> StoreError {
    match error {
        SdkError::TimeoutError(_) => StoreError::TimedOut,
        SdkError::ServiceError(context) => match context.err().code() {
            Some("ResourceNotFoundException" | "InvalidParameterException") => StoreError::NotFound,
            Some("InvalidRequestException") => StoreError::MarkedForDeletion,
            Some("DecryptionFailure") => StoreError::NotDecrypted,
            Some(code) if is_throttle(code) => StoreError::Unavailable,
            Some(code) if is_credential_error(code) => StoreError::CredentialsRefused,
            Some(_) if is_key_denial(context.err().message()) => StoreError::KeyDenied,
            Some(_) if context.raw().status().is_client_error() => StoreError::Denied,
            Some(_) | None => StoreError::Unavailable,
        },
        other if lacks_credentials(other) => StoreError::NoCredentials,
        _ => StoreError::Unavailable,
    }
}

/// Whether the KMS key is denied rather than the secret. Both have the same error code, so the message tells them apart.
///
/// Source: <https://repost.aws/knowledge-center/secrets-manager-cross-account-key>.
fn is_key_denial(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.starts_with("Access to KMS") || message.contains("to perform: kms:"))
}

/// Whether a call was not sent because there were no credentials to sign it.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

/// Whether AWS refuses the credentials themselves, rather than their permissions.
///
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>.
fn is_credential_error(code: &str) -> bool {
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

/// Whether an error code means throttling. AWS sends it with status 400 as well as with 429.
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
