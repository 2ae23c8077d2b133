//! The service, built from its settings.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;

use crate::api;
use crate::auth::Callers;
use crate::backend::defender::{Defender, RETIREMENT};
use crate::backend::graph::Graph;
use crate::background::BackgroundTasks;
use crate::cache::{SeenDeliveries, SeenMessages};
use crate::client::{Api, ApiClient, HttpClient, Quota};
use crate::config::{BackendChoice, SettingError, Settings};
use crate::credentials::aws::AwsAccess;
use crate::credentials::{Authorized, SecretStore, TokenCache};
use crate::delivery::Notifier;
use crate::delivery::SlackMessages;
use crate::domain::portal::Portal;
use crate::domain::timestamp::Timestamp;
use crate::integrations::splunk::Fields;
use crate::lookup::{Auto, Backend, Context, Deadline, Enricher};

/// The time that Lambda's initialisation may spend on secrets and tokens. After a failure, the first use retries.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that a request needs.
pub struct Service {
    pub(crate) enricher: Enricher,
    pub(crate) callers: Callers,
    pub(crate) notifier: Notifier,
    pub(crate) timeout: Duration,
    pub(crate) tokens: TokenCache,
    pub(crate) portal: Portal,
    pub(crate) splunk_fields: Fields,
    pub(crate) seen_messages: SeenMessages,
    pub(crate) deliveries: Arc<SeenDeliveries<api::Reply>>,
    pub(crate) slack_messages: SlackMessages,
    pub(crate) serves_page: bool,
    tasks: BackgroundTasks,
}

impl Service {
    /// Builds the service. It reads no secret and makes no call yet.
    pub fn new(
        settings: &Settings,
        http: HttpClient,
        aws: AwsAccess,
        clock: fn() -> Timestamp,
    ) -> Result<Arc<Self>, SettingError> {
        let notifier = Notifier::new(&http, settings.destination_addresses)?;
        let store = SecretStore::new(aws);
        let slack_messages = SlackMessages::new(http.clone(), settings.slack_response_url.clone());
        let client = ApiClient::new(http, Arc::new(Quota::new(settings.quota)));
        let tokens = TokenCache::new(settings, store.clone(), client.clone());
        let calls = Authorized::new(client, tokens.clone());
        let defender = Arc::new(Defender::new(calls.clone(), &settings.endpoints, settings.portal));
        let graph = Arc::new(Graph::new(calls, settings));
        let backend = match settings.backend {
            BackendChoice::Defender => Backend::Defender(defender),
            BackendChoice::Graph => Backend::Graph(graph),
            BackendChoice::Auto => Backend::Auto(Box::new(Auto::new(defender, graph, tokens.clone()))),
        };
        Ok(Arc::new(Self {
            enricher: Enricher::new(backend, settings, clock),
            callers: Callers::new(settings, store),
            notifier,
            timeout: settings.timeout,
            tokens,
            portal: settings.portal,
            splunk_fields: settings.splunk_fields.clone(),
            seen_messages: SeenMessages::new(),
            deliveries: Arc::new(SeenDeliveries::new()),
            slack_messages,
            serves_page: settings.page,
            tasks: BackgroundTasks::new(settings.extensions_api.clone()),
        }))
    }

    /// Builds the service with AWS credentials from environment variables, as Lambda runs it.
    pub fn from_environment(settings: &Settings) -> Result<Arc<Self>, SettingError> {
        Self::with_clock(settings, Timestamp::now)
    }

    /// The same with another wall clock for the age of cached answers, so that tests can advance it.
    pub fn with_clock(settings: &Settings, clock: fn() -> Timestamp) -> Result<Arc<Self>, SettingError> {
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_environment(&settings.aws, &http)?;
        Self::new(settings, http, aws, clock)
    }

    /// Prefetches secrets and tokens. Logs once if the service uses APIs whose retirement Microsoft has announced.
    pub async fn warm_up(&self) {
        if self.prefetch().await.iter().any(|api| api.is_older()) {
            tracing::info!("this deployment uses the older Defender APIs. {RETIREMENT}");
        }
    }

    /// Fetches secrets and tokens for the first request, concurrently. Returns the APIs in use, or none if the backend
    /// is not chosen yet.
    pub(crate) async fn prefetch(&self) -> Vec<Api> {
        let ctx = &Context::new(Deadline::after(WARM_UP_TIMEOUT), "warm-up", None);
        let ((), apis) = tokio::join!(self.callers.warm(ctx), self.prefetch_tokens(ctx));
        // The first use retries what failed during initialisation.
        self.tokens.allow_retry();
        self.callers.allow_retry();
        apis
    }

    async fn prefetch_tokens(&self, ctx: &Context) -> Vec<Api> {
        let apis = match self.enricher.backend().apis(ctx).await {
            Ok(apis) => apis,
            Err(error) => {
                tracing::warn!(%error, "no backend is chosen yet: the next request retries");
                return Vec::new();
            }
        };
        let token = async |api| {
            if let Err(error) = self.tokens.token(api, ctx).await {
                tracing::warn!(%error, ?api, "no token yet: the next request retries");
            }
        };
        join_all(apis.iter().copied().map(token)).await;
        apis
    }

    /// Whether the service needs background tasks. Integrations wait only a few seconds for a response. If Defender
    /// takes longer, the answer is posted to the chat or to a destination later.
    pub fn wants_time_after_answers(&self) -> bool {
        self.callers.may_send_late_answers()
    }

    /// The background tasks of the service.
    pub fn background_tasks(&self) -> &BackgroundTasks {
        &self.tasks
    }

    /// All routes, for any entry point.
    pub fn router(self: &Arc<Self>) -> Router {
        api::router(self.clone())
    }
}
