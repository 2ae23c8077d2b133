//! The house, put together from its settings.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::callers::Callers;
use crate::config::{BackendChoice, SettingError, Settings};
use crate::credentials::aws::AwsAccess;
use crate::credentials::{Authorized, SecretStore, Tokens};
use crate::defender::Defender;
use crate::enrich::{Backend, Context, Deadline, Enricher};
use crate::http;
use crate::upstream::{Api, HttpClient, Quota, Upstream};

/// What Lambda's initialisation may spend on secret, keys and tokens; a failure there is tried again on first use.
const WARM_UP: Duration = Duration::from_secs(3);

/// Everything that a request needs.
pub struct Service {
    pub(crate) enricher: Enricher,
    pub(crate) callers: Callers,
    pub(crate) timeout: Duration,
    pub(crate) tokens: Arc<Tokens>,
}

impl Service {
    /// Puts the service together; nothing is read or called yet.
    pub fn new(settings: &Settings, http: HttpClient, aws: AwsAccess) -> Arc<Self> {
        let store = SecretStore::new(aws);
        let upstream = Upstream::new(http, Arc::new(Quota::new(settings.quota)));
        let tokens = Arc::new(Tokens::new(settings, store.clone(), upstream.clone()));
        let calls = Authorized::new(upstream, tokens.clone());
        let backend = match settings.backend {
            BackendChoice::Defender => Backend::Defender(Defender::new(calls, &settings.endpoints, settings.portal)),
        };
        Arc::new(Self {
            enricher: Enricher::new(backend, settings),
            callers: Callers::new(settings, store),
            timeout: settings.timeout,
            tokens,
        })
    }

    /// The service as the settings of the environment want it: what Lambda runs.
    pub fn from_environment(settings: &Settings) -> Result<Arc<Self>, SettingError> {
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_environment(&settings.aws, &http)?;
        Ok(Self::new(settings, http, aws))
    }

    /// Fetches what the first request will need, all at once: keys, secret, tokens.
    pub async fn warm_up(&self) {
        let ctx = &Context::new(Deadline::after(WARM_UP), "warm-up", None);
        let token = async |api| {
            if let Err(error) = self.tokens.token(api, ctx).await {
                tracing::warn!(%error, ?api, "no token yet: it is tried again when it is needed");
            }
        };
        tokio::join!(self.callers.warm(ctx), token(Api::Endpoint), token(Api::Xdr));
    }

    /// All routes, for any front door.
    pub fn router(self: &Arc<Self>) -> Router {
        http::router(self.clone())
    }
}
