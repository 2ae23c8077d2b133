//! The house, put together from its settings.

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
use crate::client::{Api, HttpClient, Quota, Upstream};
use crate::config::{BackendChoice, SettingError, Settings};
use crate::credentials::aws::AwsAccess;
use crate::credentials::{Authorized, SecretStore, TokenCache};
use crate::delivery::Notifier;
use crate::delivery::SlackMessages;
use crate::domain::portal::Portal;
use crate::domain::timestamp::Timestamp;
use crate::integrations::splunk::Fields;
use crate::lookup::{Auto, Backend, Context, Deadline, Enricher};

/// What Lambda's initialisation may spend on secret, keys and tokens; a failure there is tried again on first use.
const WARM_UP: Duration = Duration::from_secs(3);

/// Everything that a request needs.
pub struct Service {
    pub(crate) enricher: Enricher,
    pub(crate) callers: Callers,
    pub(crate) notifier: Notifier,
    pub(crate) timeout: Duration,
    pub(crate) tokens: TokenCache,
    pub(crate) portal: Portal,
    pub(crate) splunk_fields: Fields,
    pub(crate) repetitions: SeenMessages,
    pub(crate) deliveries: Arc<SeenDeliveries<api::Reply>>,
    pub(crate) slack_messages: SlackMessages,
    tasks: BackgroundTasks,
}

impl Service {
    /// Puts the service together; nothing is read or called yet.
    pub fn new(
        settings: &Settings,
        http: HttpClient,
        aws: AwsAccess,
        clock: fn() -> Timestamp,
    ) -> Result<Arc<Self>, SettingError> {
        let notifier = Notifier::new(&http, settings.destination_addresses)?;
        let store = SecretStore::new(aws);
        let slack_messages = SlackMessages::new(http.clone(), settings.slack_response_url.clone());
        let upstream = Upstream::new(http, Arc::new(Quota::new(settings.quota)));
        let tokens = TokenCache::new(settings, store.clone(), upstream.clone());
        let calls = Authorized::new(upstream, tokens.clone());
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
            repetitions: SeenMessages::new(),
            deliveries: Arc::new(SeenDeliveries::new()),
            slack_messages,
            tasks: BackgroundTasks::new(settings.extensions_api.clone()),
        }))
    }

    /// The service as the settings of the environment want it: what Lambda runs.
    pub fn from_environment(settings: &Settings) -> Result<Arc<Self>, SettingError> {
        Self::with_clock(settings, Timestamp::now)
    }

    /// The same with another wall clock for the age of remembered answers: tests let it go on without waiting.
    pub fn with_clock(settings: &Settings, clock: fn() -> Timestamp) -> Result<Arc<Self>, SettingError> {
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_environment(&settings.aws, &http)?;
        Self::new(settings, http, aws, clock)
    }

    /// Prefetches, and says once in the log where APIs are asked whose end Microsoft has announced.
    pub async fn warm_up(&self) {
        if self.prefetch().await.iter().any(|api| api.is_older()) {
            tracing::info!("this deployment asks the older Defender APIs. {RETIREMENT}");
        }
    }

    /// Fetches what the first request will need, concurrently: keys, secret, tokens. Returns the APIs that are asked, as
    /// far as they are known.
    pub(crate) async fn prefetch(&self) -> Vec<Api> {
        let ctx = &Context::new(Deadline::after(WARM_UP), "warm-up", None);
        let ((), apis) = tokio::join!(self.callers.warm(ctx), self.prefetch_tokens(ctx));
        // What has failed while the environment started is tried again on first use.
        self.tokens.forgive();
        self.callers.forgive();
        apis
    }

    async fn prefetch_tokens(&self, ctx: &Context) -> Vec<Api> {
        let apis = match self.enricher.backend().apis(ctx).await {
            Ok(apis) => apis,
            Err(error) => {
                tracing::warn!(%error, "no backend is chosen yet: it is tried again when it is needed");
                return Vec::new();
            }
        };
        let token = async |api| {
            if let Err(error) = self.tokens.token(api, ctx).await {
                tracing::warn!(%error, ?api, "no token yet: it is tried again when it is needed");
            }
        };
        join_all(apis.iter().copied().map(token)).await;
        apis
    }

    /// Whether Lambda has to be told of work that outlives its answers: hooks wait for an answer for a few seconds, and
    /// what takes Defender longer is told to a chat, or posted to a destination, later.
    pub fn wants_time_after_answers(&self) -> bool {
        self.callers.may_ask_for_later()
    }

    /// The work that outlives its answers.
    pub fn background_tasks(&self) -> &BackgroundTasks {
        &self.tasks
    }

    /// All routes, for any front door.
    pub fn router(self: &Arc<Self>) -> Router {
        api::router(self.clone())
    }
}
