//! Settings: read once at the start through a lookup function, and parsed into checked types.
//!
//! The error of a wrong setting names the variable and says what its value should be. It never contains the value.

mod cloud;
mod origins;
mod source;
mod splunk_fields;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use url::Url;

pub use cloud::{Cloud, Region};
pub use origins::AllowedOrigins;
pub use splunk_fields::{SplunkFields, SplunkFieldsError};

use crate::domain::portal::Portal;
use source::Source;
#[cfg(feature = "cli")]
pub(crate) use source::is_loopback;

/// The error of a wrong setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {problem}")]
pub struct SettingError {
    name: &'static str,
    problem: String,
}

impl SettingError {
    /// An error that reads as a sentence: "NAME must be …".
    pub fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into() }
    }

    /// The name of the variable.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// Reads only `ENRICH_EXTRA_CA_FILE`, for commands that need no other setting.
#[cfg(feature = "cli")]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn extra_ca_file() -> Option<PathBuf> {
    Source(&|name| std::env::var(name).ok()).text("ENRICH_EXTRA_CA_FILE").map(PathBuf::from)
}

/// The name or ARN of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretId(String);

impl SecretId {
    /// The name or ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name or ARN of a table in Amazon `DynamoDB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName(String);

impl TableName {
    /// The name or ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How callers authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerAuth {
    /// By a key in the caller secret.
    ApiKey,
    /// By IAM, which AWS verifies.
    Iam,
    /// Not at all: everyone who can reach the service may call it.
    Nobody,
}

/// Which network addresses a destination may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationAddresses {
    /// Addresses of the public internet.
    Public,
    /// Also addresses of private networks and of this machine.
    PublicAndPrivate,
}

/// Which APIs are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    /// Defender for Endpoint and Defender XDR.
    Defender,
    /// Microsoft Graph security.
    Graph,
    /// Graph where the roles of its token allow it, and the older APIs otherwise.
    Auto,
}

/// The addresses of Microsoft's APIs, and the audience of the token for each.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Defender for Endpoint.
    pub api: Url,
    /// Audience of its tokens. It differs from the host in some clouds.
    pub api_audience: String,
    /// Defender XDR.
    pub xdr: Url,
    /// Audience of its tokens.
    pub xdr_audience: String,
    /// Microsoft Graph.
    pub graph: Url,
    /// Audience of its tokens.
    pub graph_audience: String,
    /// Entra.
    pub login: Url,
}

/// The AWS settings.
#[derive(Clone)]
pub struct Aws {
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// The keys in environment variables, as Lambda sets them.
    pub keys: Option<AwsKeys>,
    /// `AWS_PROFILE`, for the command line.
    pub profile: Option<String>,
    /// Another endpoint for Secrets Manager.
    pub secrets_manager_url: Option<Url>,
    /// Another endpoint for STS.
    pub sts_url: Option<Url>,
    /// Another endpoint for `DynamoDB`.
    pub dynamodb_url: Option<Url>,
}

/// AWS credentials from environment variables.
#[derive(Clone)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

/// The calls that this process may make to Microsoft: its share of the documented limits, or the limits that the
/// operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaLimits {
    /// The number of processes that share the documented limits. Limits that the operator sets are not divided.
    pub share: NonZeroU32,
    /// The operator's limit for calls in any 60 seconds.
    pub per_minute: Option<u32>,
    /// The operator's limit for calls in any 3600 seconds.
    pub per_hour: Option<u32>,
}

/// How long answers are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTimes {
    /// How long an answer is fresh. Zero disables the cache.
    pub fresh: Duration,
    /// How long an answer may be served while Microsoft throttles or is unavailable.
    pub stale: Duration,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEFENDER_SECRET_ID`.
    pub defender_secret: SecretId,
    /// `CALLER_SECRET_ID`.
    pub caller_secret: Option<SecretId>,
    /// `ENRICH_AUTH`.
    pub caller_auth: CallerAuth,
    /// `ENRICH_ALLOW_ANONYMOUS`.
    pub allow_anonymous: bool,
    /// `ENRICH_ALLOW_PRIVATE_DESTINATIONS`.
    pub destination_addresses: DestinationAddresses,
    /// `DEFENDER_BACKEND`.
    pub backend: BackendChoice,
    /// The portal of `DEFENDER_CLOUD`.
    pub portal: Portal,
    /// From `DEFENDER_CLOUD`, `DEFENDER_REGION` and their overrides.
    pub endpoints: Endpoints,
    /// `ENRICH_TIMEOUT_MS`.
    pub timeout: Duration,
    /// `SECRET_TTL_S`.
    pub secret_ttl: Duration,
    /// `CACHE_TTL_S`, `CACHE_STALE_S`.
    pub cache: CacheTimes,
    /// `QUOTA_SHARE`, `QUOTA_PER_MINUTE`, `QUOTA_PER_HOUR`.
    pub quota: QuotaLimits,
    /// `STATE_TABLE`: through it, processes share their quota and the deliveries that they have answered.
    pub state_table: Option<TableName>,
    /// `SPLUNK_FIELDS`.
    pub splunk_fields: SplunkFields,
    /// `SLACK_RESPONSE_URL`: replaces `https://hooks.slack.com` in tests, on loopback.
    pub slack_response_url: Option<Url>,
    /// `MCP_ORIGINS`: web pages whose browsers may call `/mcp`.
    pub mcp_origins: AllowedOrigins,
    /// `ENRICH_PAGE`: browsers get the page for people.
    pub page: bool,
    /// `ENRICH_EXTRA_CA_FILE`.
    pub extra_ca_file: Option<PathBuf>,
    /// The variables of the AWS SDK.
    pub aws: Aws,
    /// The address of Lambda's Extensions API, if Lambda freezes this process between invocations.
    pub extensions_api: Option<Uri>,
}

impl Settings {
    /// Reads the settings of the process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn read() -> Result<Self, SettingError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads the settings of a demonstration: the given values, and only `DEFENDER_BACKEND` from the process. The
    /// default is the older APIs, because the documentation shows their answers.
    #[cfg(feature = "cli")]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub(crate) fn for_demo(given: &[(&'static str, String)]) -> Result<Self, SettingError> {
        let backend = std::env::var("DEFENDER_BACKEND").unwrap_or_else(|_| "defender".to_owned());
        Self::from_lookup(|name| {
            let known = given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            known.or_else(|| (name == "DEFENDER_BACKEND").then(|| backend.clone()))
        })
    }

    /// Reads the settings from any source. An empty value counts as absent.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let source = Source(&lookup);
        let cloud = source.word("DEFENDER_CLOUD", Cloud::WORDS, Cloud::Commercial)?;
        let region = source.optional_word("DEFENDER_REGION", Region::WORDS)?;
        if region.is_some() && cloud != Cloud::Commercial {
            let problem = "must not be set with this DEFENDER_CLOUD: only the commercial cloud has regional hosts";
            return Err(SettingError::new("DEFENDER_REGION", problem));
        }
        let defender_secret = source.secret("DEFENDER_SECRET_ID")?.ok_or_else(|| {
            SettingError::new(
                "DEFENDER_SECRET_ID",
                "must be set: the name or ARN of the secret with the Defender credential",
            )
        })?;
        Ok(Self {
            defender_secret,
            caller_secret: source.secret("CALLER_SECRET_ID")?,
            caller_auth: source.word(
                "ENRICH_AUTH",
                &[("api_key", CallerAuth::ApiKey), ("iam", CallerAuth::Iam), ("none", CallerAuth::Nobody)],
                CallerAuth::ApiKey,
            )?,
            allow_anonymous: source.word("ENRICH_ALLOW_ANONYMOUS", &[("true", true), ("false", false)], false)?,
            destination_addresses: source.destination_addresses()?,
            backend: source.backend()?,
            portal: cloud.portal(),
            endpoints: source.endpoints(cloud, region)?,
            timeout: Duration::from_millis(source.number("ENRICH_TIMEOUT_MS", 100..=120_000, 10_000)?),
            secret_ttl: Duration::from_secs(source.number("SECRET_TTL_S", 1..=86_400, 300)?),
            cache: CacheTimes {
                fresh: Duration::from_secs(source.number("CACHE_TTL_S", 0..=86_400, 60)?),
                stale: Duration::from_secs(source.number("CACHE_STALE_S", 0..=86_400, 900)?),
            },
            quota: QuotaLimits {
                share: source.count("QUOTA_SHARE")?.unwrap_or(NonZeroU32::MIN),
                per_minute: source.count("QUOTA_PER_MINUTE")?.map(NonZeroU32::get),
                per_hour: source.count("QUOTA_PER_HOUR")?.map(NonZeroU32::get),
            },
            state_table: source.table("STATE_TABLE")?,
            splunk_fields: source.splunk_fields()?,
            slack_response_url: source.loopback("SLACK_RESPONSE_URL")?,
            mcp_origins: source.mcp_origins()?,
            page: source.page()?,
            extra_ca_file: source.text("ENRICH_EXTRA_CA_FILE").map(PathBuf::from),
            aws: source.aws()?,
            extensions_api: source.extensions_api()?,
        })
    }

    /// The limits of the calls to Microsoft: those of this process, or with a table those of all processes together.
    pub(crate) fn call_limits(&self) -> QuotaLimits {
        let share = if self.state_table.is_some() { NonZeroU32::MIN } else { self.quota.share };
        QuotaLimits { share, ..self.quota }
    }

    /// Rejects a service that everyone can reach and that authenticates nobody, unless the operator allows it
    /// explicitly.
    pub fn require_callers(&self) -> Result<(), SettingError> {
        if self.caller_auth == CallerAuth::Nobody && !self.allow_anonymous {
            let problem =
                "must not be none beyond loopback, unless ENRICH_ALLOW_ANONYMOUS=true says that this is meant";
            return Err(SettingError::new("ENRICH_AUTH", problem));
        }
        Ok(())
    }
}

/// Settings that combine several variables or have a form of their own.
impl Source<'_> {
    fn destination_addresses(&self) -> Result<DestinationAddresses, SettingError> {
        let words = &[("true", DestinationAddresses::PublicAndPrivate), ("false", DestinationAddresses::Public)];
        self.word("ENRICH_ALLOW_PRIVATE_DESTINATIONS", words, DestinationAddresses::Public)
    }

    fn mcp_origins(&self) -> Result<AllowedOrigins, SettingError> {
        let Some(list) = self.text("MCP_ORIGINS") else { return Ok(AllowedOrigins::default()) };
        AllowedOrigins::parse(&list).ok_or_else(|| {
            SettingError::new("MCP_ORIGINS", "must be origins separated by commas, such as https://chat.contoso.com")
        })
    }

    /// Reads `ENRICH_PAGE`. A server on a laptop has the page by default, a Lambda function has not.
    fn page(&self) -> Result<bool, SettingError> {
        let is_lambda = self.text("AWS_LAMBDA_RUNTIME_API").is_some();
        self.word("ENRICH_PAGE", &[("true", true), ("false", false)], !is_lambda)
    }

    fn backend(&self) -> Result<BackendChoice, SettingError> {
        let words =
            &[("auto", BackendChoice::Auto), ("graph", BackendChoice::Graph), ("defender", BackendChoice::Defender)];
        self.word("DEFENDER_BACKEND", words, BackendChoice::Auto)
    }

    fn endpoints(&self, cloud: Cloud, region: Option<Region>) -> Result<Endpoints, SettingError> {
        let defaults = cloud.endpoints(region);
        let audience = |name, default: &str| self.text(name).unwrap_or_else(|| default.to_owned());
        Ok(Endpoints {
            api: self.url("DEFENDER_API_URL", &defaults.api)?,
            api_audience: audience("DEFENDER_API_AUDIENCE", defaults.api_audience),
            xdr: self.url("DEFENDER_XDR_URL", &defaults.xdr)?,
            xdr_audience: audience("DEFENDER_XDR_AUDIENCE", defaults.xdr_audience),
            graph: self.url("DEFENDER_GRAPH_URL", defaults.graph)?,
            graph_audience: audience("DEFENDER_GRAPH_AUDIENCE", defaults.graph),
            login: self.url("DEFENDER_LOGIN_URL", defaults.login)?,
        })
    }

    fn aws(&self) -> Result<Aws, SettingError> {
        let keys = match (self.text("AWS_ACCESS_KEY_ID"), self.text("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Some(AwsKeys { access_key_id, secret_access_key, session_token: self.text("AWS_SESSION_TOKEN") })
            }
            _ => None,
        };
        Ok(Aws {
            region: self.text("AWS_REGION").or_else(|| self.text("AWS_DEFAULT_REGION")),
            keys,
            profile: self.text("AWS_PROFILE"),
            secrets_manager_url: self.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
            sts_url: self.optional_url("AWS_ENDPOINT_URL_STS")?,
            dynamodb_url: self.optional_url("AWS_ENDPOINT_URL_DYNAMODB")?,
        })
    }

    /// Reads `AWS_LAMBDA_RUNTIME_API`, but not on Lambda Managed Instances. Lambda never freezes those, and accepts no
    /// extension there that registers for invocations.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>.
    fn extensions_api(&self) -> Result<Option<Uri>, SettingError> {
        if self.text("AWS_LAMBDA_INITIALIZATION_TYPE").is_some_and(|kind| kind == "lambda-managed-instances") {
            return Ok(None);
        }
        let name = "AWS_LAMBDA_RUNTIME_API";
        let Some(value) = self.text(name) else { return Ok(None) };
        let uri = value.parse().ok().filter(|uri: &Uri| uri.authority().is_some());
        uri.map(Some).ok_or_else(|| SettingError::new(name, "must be a host and a port, as Lambda sets it"))
    }

    fn splunk_fields(&self) -> Result<SplunkFields, SettingError> {
        let name = "SPLUNK_FIELDS";
        let Some(value) = self.text(name) else { return Ok(SplunkFields::default()) };
        let wrong =
            |error| SettingError::new(name, format!("must be of the form machine=dest,host;user=src_user: {error}"));
        SplunkFields::parse(&value).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changes: &[(&str, &str)]) -> Result<Settings, SettingError> {
        Settings::from_lookup(|name| {
            let given = changes.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            given.or_else(|| (name == "DEFENDER_SECRET_ID").then(|| "sandbox/defender".to_owned()))
        })
    }

    #[test]
    fn settings_have_the_documented_defaults() {
        let settings = settings(&[]).expect("only the secret is required");
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!(settings.secret_ttl, Duration::from_secs(300));
        assert_eq!(settings.cache, CacheTimes { fresh: Duration::from_secs(60), stale: Duration::from_secs(900) });
        assert_eq!(settings.quota, QuotaLimits { share: NonZeroU32::MIN, per_minute: None, per_hour: None });
        assert_eq!(settings.caller_auth, CallerAuth::ApiKey);
        assert_eq!(settings.destination_addresses, DestinationAddresses::Public);
        assert_eq!(settings.endpoints.api_audience, "https://api.securitycenter.microsoft.com");
        assert_eq!(settings.endpoints.xdr_audience, "https://api.security.microsoft.com");
        assert_eq!(settings.endpoints.graph_audience, "https://graph.microsoft.com");
        assert_eq!(settings.backend, BackendChoice::Auto);
    }

    #[test]
    fn the_error_of_a_wrong_setting_names_it_and_hides_its_value() {
        for (name, value) in [
            ("DEFENDER_SECRET_ID", ""),
            ("DEFENDER_SECRET_ID", "has spaces canary"),
            ("ENRICH_AUTH", "canary"),
            ("ENRICH_ALLOW_ANONYMOUS", "canary"),
            ("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "canary"),
            ("DEFENDER_BACKEND", "canary"),
            ("DEFENDER_CLOUD", "canary"),
            ("DEFENDER_REGION", "canary"),
            ("ENRICH_TIMEOUT_MS", "99"),
            ("ENRICH_TIMEOUT_MS", "120001"),
            ("ENRICH_TIMEOUT_MS", "canary"),
            ("SECRET_TTL_S", "-1"),
            ("QUOTA_SHARE", "0"),
            ("QUOTA_SHARE", "1.5"),
            ("QUOTA_PER_MINUTE", "0"),
            ("STATE_TABLE", "a canary"),
            ("STATE_TABLE", "ab"),
            ("STATE_TABLE", &"canary".repeat(50)),
            ("STATE_TABLE", "arn:aws:s3:::canary"),
            ("STATE_TABLE", "arn:aws:dynamodb:eu-central-1:1:table/canary"),
            ("STATE_TABLE", "arn:aws:dynamodb:eu-central-1:000000000000:table/canary/index/x"),
            ("DEFENDER_API_URL", "http://canary.example"),
            ("DEFENDER_API_URL", "https://user:canary@defender.example"),
            ("DEFENDER_XDR_URL", "ftp://127.0.0.1"),
            ("DEFENDER_GRAPH_URL", "http://canary.example"),
            ("DEFENDER_LOGIN_URL", "https://login.example/?canary"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "canary"),
            ("AWS_LAMBDA_RUNTIME_API", "/canary"),
            ("SLACK_RESPONSE_URL", "https://canary.example"),
            ("SLACK_RESPONSE_URL", "http://canary.example"),
        ] {
            let error = settings(&[(name, value)]).expect_err(name).to_string();
            assert!(error.starts_with(name), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_table_has_a_name_or_an_arn() {
        for table in ["enrich-state_1.x", "arn:aws-us-gov:dynamodb:us-gov-west-1:000000000000:table/enrich-state"] {
            let settings = settings(&[("STATE_TABLE", table), ("QUOTA_SHARE", "4")]).expect("a table");
            assert_eq!(settings.state_table.as_ref().map(TableName::as_str), Some(table));
            assert_eq!(settings.call_limits().share, NonZeroU32::MIN, "no limit is divided");
        }
        assert_eq!(settings(&[]).expect("no table").state_table, None);
    }

    #[test]
    fn only_the_commercial_cloud_has_regions() {
        let eu = settings(&[("DEFENDER_REGION", "eu")]).expect("a region");
        assert_eq!(eu.endpoints.api.as_str(), "https://eu.api.security.microsoft.com/");
        assert_eq!(eu.endpoints.api_audience, "https://api.securitycenter.microsoft.com");
        let error = settings(&[("DEFENDER_REGION", "eu"), ("DEFENDER_CLOUD", "gcc")]).expect_err("no regions there");
        assert!(error.to_string().starts_with("DEFENDER_REGION"));
    }

    #[test]
    fn government_clouds_have_their_own_hosts() {
        let gcc = settings(&[("DEFENDER_CLOUD", "gcc")]).expect("a cloud").endpoints;
        assert_eq!(gcc.api.as_str(), "https://api-gcc.securitycenter.microsoft.us/");
        assert_eq!(gcc.login.as_str(), "https://login.microsoftonline.com/");
        assert_eq!(gcc.graph.as_str(), "https://graph.microsoft.com/", "GCC has no Graph of its own");
        for (cloud, graph) in [("gcc_high", "https://graph.microsoft.us"), ("dod", "https://dod-graph.microsoft.us")] {
            let gov = settings(&[("DEFENDER_CLOUD", cloud)]).expect("a cloud").endpoints;
            assert_eq!(gov.graph.as_str().trim_end_matches('/'), graph);
            assert_eq!(gov.graph_audience, graph);
            assert_eq!(gov.xdr.as_str(), "https://api-gov.security.microsoft.us/");
            assert_eq!(gov.xdr_audience, "https://api-gov.security.microsoft.us");
            assert_eq!(gov.login.as_str(), "https://login.microsoftonline.us/");
        }
    }

    #[test]
    fn http_is_allowed_only_on_loopback() {
        for url in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://proxy.example"] {
            assert!(settings(&[("DEFENDER_API_URL", url)]).is_ok(), "{url}");
        }
    }

    #[test]
    fn anonymous_access_requires_an_explicit_setting() {
        assert!(settings(&[("ENRICH_AUTH", "none")]).is_ok_and(|settings| settings.require_callers().is_err()));
        let explicit = settings(&[("ENRICH_AUTH", "none"), ("ENRICH_ALLOW_ANONYMOUS", "true")]);
        assert!(explicit.is_ok_and(|settings| settings.require_callers().is_ok()));
    }

    #[test]
    fn lambda_managed_instances_use_no_extensions_api() {
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        for (kind, freezes) in [("", true), ("on-demand", true), ("lambda-managed-instances", false)] {
            let api = settings(&[lambda, ("AWS_LAMBDA_INITIALIZATION_TYPE", kind)]).expect("settings").extensions_api;
            assert_eq!(api.is_some(), freezes, "{kind}");
        }
        assert_eq!(settings(&[]).expect("settings").extensions_api, None);
    }

    #[test]
    fn debug_output_does_not_contain_keys() {
        let settings =
            settings(&[("AWS_ACCESS_KEY_ID", "canary"), ("AWS_SECRET_ACCESS_KEY", "canary")]).expect("settings");
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
