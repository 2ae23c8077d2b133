//! Access to AWS: credentials, region, and the SDK's calls over the HTTP client of the process.

use std::time::Duration;

#[cfg(feature = "cli")]
use aws_config::{profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
#[cfg(feature = "cli")]
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
#[cfg(feature = "cli")]
use tokio::time::timeout;
use url::Url;

use crate::client::HttpClient;
use crate::config::{Aws, SettingError};

/// The time for one attempt of an SDK call. The SDK makes up to three attempts within the deadline of the request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// The base of the SDK's first pause between attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Builds a client of a service. The builders of the services have the same methods, but no common trait.
macro_rules! sdk_client {
    ($service:ident, $access:ident, $url:expr, $retries:expr) => {{
        let mut config = $service::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region($access.region.clone())
            .credentials_provider($access.credentials.clone())
            .http_client($access.http.clone())
            .retry_config($retries)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build());
        config.set_endpoint_url($url.as_ref().map(Url::to_string));
        $service::Client::from_conf(config.build())
    }};
}

/// The region, the credentials and the endpoints for calls to AWS.
#[derive(Clone, Debug)]
pub struct AwsAccess {
    region: Region,
    credentials: SharedCredentialsProvider,
    http: SharedHttpClient,
    /// `AWS_PROFILE`.
    #[cfg(feature = "cli")]
    profile: Option<String>,
    secrets_manager_url: Option<Url>,
    sts_url: Option<Url>,
    dynamodb_url: Option<Url>,
}

impl AwsAccess {
    /// Takes credentials and region from environment variables, as Lambda sets them.
    pub fn from_environment(aws: &Aws, http: &HttpClient) -> Result<Self, SettingError> {
        let keys = aws.keys.as_ref().ok_or_else(|| {
            SettingError::new("AWS_ACCESS_KEY_ID", "and AWS_SECRET_ACCESS_KEY must be set, as Lambda sets them")
        })?;
        let region = aws.region.clone().ok_or_else(|| SettingError::new("AWS_REGION", "must be set"))?;
        let credentials = Credentials::new(
            &keys.access_key_id,
            &keys.secret_access_key,
            keys.session_token.clone(),
            None,
            "environment",
        );
        Ok(Self::new(aws, http, Region::new(region), SharedCredentialsProvider::new(credentials)))
    }

    /// Finds credentials and region as the AWS CLI does: environment, profile, SSO, instance metadata.
    #[cfg(feature = "cli")]
    pub async fn from_profile(aws: &Aws, http: &HttpClient) -> Result<Self, SettingError> {
        if aws.keys.is_some() && aws.region.is_some() {
            return Self::from_environment(aws, http);
        }
        if let Some(profile) = aws.profile.as_deref().filter(|_| aws.keys.is_none())
            && !has_credentials(profile, sdk_http_client(http)).await
        {
            let problem = "must name a profile that has credentials: aws configure list-profiles shows the profiles of \
                           this machine, aws configure --profile and aws configure sso make one";
            return Err(SettingError::new("AWS_PROFILE", problem));
        }
        let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(sdk_http_client(http)).load().await;
        let region = shared.region().cloned().ok_or_else(|| {
            SettingError::new("AWS_REGION", "must be set, or the profile must name a region (aws configure)")
        })?;
        let credentials = shared.credentials_provider().ok_or_else(|| {
            SettingError::new("AWS_PROFILE", "must name a profile with credentials (aws configure, aws sso login)")
        })?;
        Ok(Self::new(aws, http, region, credentials))
    }

    /// Why calls to AWS from this shell cannot be signed, or `None` if they can.
    #[cfg(feature = "cli")]
    pub(crate) async fn missing_credentials(&self, within: Duration) -> Option<MissingCredentials> {
        match timeout(within, self.credentials.provide_credentials()).await {
            Ok(Ok(_)) => None,
            Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => Some(MissingCredentials::None),
            // The SDK asks the instance metadata last. Without a profile, no answer means that there are no
            // credentials.
            Ok(Err(_)) | Err(_) if self.profile.is_none() && !has_credentials("default", self.http.clone()).await => {
                Some(MissingCredentials::None)
            }
            Ok(Err(CredentialsError::ProviderTimedOut(_))) | Err(_) => Some(MissingCredentials::TimedOut),
            Ok(Err(_)) => Some(MissingCredentials::Unusable),
        }
    }

    fn new(aws: &Aws, http: &HttpClient, region: Region, credentials: SharedCredentialsProvider) -> Self {
        Self {
            region,
            credentials,
            http: sdk_http_client(http),
            #[cfg(feature = "cli")]
            profile: aws.profile.clone(),
            secrets_manager_url: aws.secrets_manager_url.clone(),
            sts_url: aws.sts_url.clone(),
            dynamodb_url: aws.dynamodb_url.clone(),
        }
    }

    /// Access through another HTTP client.
    #[cfg(test)]
    pub(crate) fn through(http: SharedHttpClient) -> Self {
        let credentials = SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test"));
        Self {
            region: Region::new("eu-central-1"),
            credentials,
            http,
            #[cfg(feature = "cli")]
            profile: None,
            secrets_manager_url: None,
            sts_url: None,
            dynamodb_url: None,
        }
    }

    pub(super) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        sdk_client!(aws_sdk_secretsmanager, self, self.secrets_manager_url, retries())
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        sdk_client!(aws_sdk_sts, self, self.sts_url, retries())
    }

    /// A client that never retries: who uses it waits only briefly.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        sdk_client!(aws_sdk_dynamodb, self, self.dynamodb_url, RetryConfig::disabled())
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_initial_backoff(FIRST_BACKOFF)
}

/// Why there are no AWS credentials.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MissingCredentials {
    /// No source of credentials is configured.
    #[error("there are none in this shell: set AWS_PROFILE, or run aws configure or aws configure sso")]
    None,
    /// A source is configured but gives none: the session has expired, or the role may not be assumed.
    #[error("the profile gives none: run aws sso login, or see what aws sts get-caller-identity says")]
    Unusable,
    /// The configured source does not answer.
    #[error("their source does not answer in time: see what aws sts get-caller-identity says")]
    TimedOut,
}

/// Whether a profile exists and names a source of credentials.
#[cfg(feature = "cli")]
async fn has_credentials(profile: &str, http: SharedHttpClient) -> bool {
    let configuration = ProviderConfig::default().with_http_client(http);
    let provider = ProfileFileCredentialsProvider::builder().configure(&configuration).profile_name(profile).build();
    !matches!(provider.provide_credentials().await, Err(CredentialsError::CredentialsNotLoaded(_)))
}

/// The HTTP client for the SDK. It is our own, so that there is one TLS stack, one pool and one set of trust roots.
fn sdk_http_client(http: &HttpClient) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(http.pooled().clone()));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Clone, Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            // No service streams requests, so the body is always in memory.
            let body = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
            let request = reqwest::Request::try_from(http::Request::from_parts(parts, body))
                .map_err(|error| ConnectorError::user(error.without_url().into()))?;
            let response = client.execute(request).await.map_err(connector_error)?;
            let mut answer = http::Response::new(SdkBody::empty());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = SdkBody::from(response.bytes().await.map_err(connector_error)?);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}
