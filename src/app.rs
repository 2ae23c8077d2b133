//! The service, built from its settings.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use tokio::time::sleep;

use crate::auth::Callers;
use crate::backend::Backends;
use crate::backend::defender::RETIREMENT;
use crate::background::BackgroundTasks;
use crate::client::{Api, ApiClient, HttpClient, Quota};
use crate::clock::Clock;
use crate::config::{AllowedOrigins, SettingError, Settings, SplunkFields};
use crate::credentials::aws::AwsAccess;
use crate::credentials::{Authorized, SecretStore, TokenCache};
use crate::delivery::Notifier;
use crate::delivery::SlackMessages;
use crate::domain::portal::Portal;
use crate::integrations;
use crate::lookup::{Context, Deadline, Enricher};
use crate::repetitions::SeenDeliveries;
use crate::shared_state::{SharedState, Table};

/// The time that Lambda's initialisation may spend on secrets and tokens. After a failure, the first use retries.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// How long secrets and tokens may take before connections to Microsoft are opened meanwhile. If they come sooner, nothing is
/// gained by connections that compete with them.
const HEAD_START: Duration = Duration::from_millis(5);

/// Everything that a request needs.
pub struct Service {
    pub(crate) enricher: Enricher,
    pub(crate) callers: Callers,
    pub(crate) notifier: Notifier,
    pub(crate) timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) tokens: TokenCache,
    pub(crate) portal: Portal,
    pub(crate) splunk_fields: SplunkFields,
    pub(crate) deliveries: Arc<SeenDeliveries>,
    pub(crate) slack_messages: SlackMessages,
    pub(crate) serves_page: bool,
    /// The table that processes share, if there is one.
    state_table: Option<Arc<Table>>,
    pub(crate) mcp_origins: AllowedOrigins,
    client: ApiClient,
    tasks: BackgroundTasks,
}

impl Service {
    /// Builds the service. It reads no secret and makes no call yet.
    pub fn new(
        settings: &Settings,
        http: &HttpClient,
        aws: AwsAccess,
        clock: Clock,
    ) -> Result<Arc<Self>, SettingError> {
        let notifier = Notifier::new(http, settings.destination_addresses, clock)?;
        let members = integrations::ALL.iter().map(|integration| integration.secrets.describe());
        let table = settings.state_table.clone().map(|name| Arc::new(Table::new(&aws, name)));
        let store = SecretStore::new(aws);
        let slack_messages = SlackMessages::new(http.clone(), settings.slack_response_url.clone());
        let client = ApiClient::new(http, &settings.endpoints, Arc::new(Quota::new(settings.quota)))?;
        let tokens = TokenCache::new(settings, store.clone(), client.clone());
        let shared = table.clone().map(|table| SharedState::new(settings, table, tokens.clone(), clock));
        let (quota, shared_deliveries) = shared.map(|shared| (shared.quota, shared.deliveries)).unzip();
        let client = match quota {
            Some(quota) => client.with_quota(Quota::shared(quota, settings.quota)),
            None => client,
        };
        let backends = Backends::new(Authorized::new(client.clone(), tokens.clone()), tokens.clone(), settings);
        Ok(Arc::new(Self {
            enricher: Enricher::new(backends, settings, clock),
            callers: Callers::new(settings, store, members.chain([notifier.member()]).collect(), clock),
            notifier,
            timeout: settings.timeout,
            clock,
            tokens,
            portal: settings.portal,
            splunk_fields: settings.splunk_fields.clone(),
            deliveries: Arc::new(SeenDeliveries::new(clock, shared_deliveries)),
            slack_messages,
            serves_page: settings.page,
            state_table: table,
            mcp_origins: settings.mcp_origins.clone(),
            client,
            tasks: BackgroundTasks::new(settings.extensions_api.clone()),
        }))
    }

    /// Builds the service with AWS credentials from environment variables, as Lambda runs it.
    pub fn from_environment(settings: &Settings) -> Result<Arc<Self>, SettingError> {
        Self::with_clock(settings, Clock::SYSTEM)
    }

    /// The same with another wall clock.
    pub fn with_clock(settings: &Settings, clock: Clock) -> Result<Arc<Self>, SettingError> {
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_environment(&settings.aws, &http)?;
        Self::new(settings, &http, aws, clock)
    }

    /// Prefetches secrets and tokens, and opens the connections to Microsoft meanwhile. Logs once if the service uses
    /// APIs whose retirement Microsoft has announced.
    pub async fn warm_up(&self) {
        let early = async {
            sleep(HEAD_START).await;
            self.open_connections();
        };
        let apis = match select(pin!(self.prefetch()), pin!(early)).await {
            Either::Left((apis, _)) => apis,
            Either::Right(((), prefetch)) => prefetch.await,
        };
        if apis.iter().any(|api| api.is_older()) {
            tracing::info!("this deployment uses the older Defender APIs. {RETIREMENT}");
        }
    }

    /// Opens a connection to each API that the backend may use, and one to Entra for each token. Nothing waits for them.
    fn open_connections(&self) {
        let apis = self.enricher.backends().possible_apis().iter();
        let needs_token = |api: &&Api| **api != Api::Hunting;
        for host in apis.clone().copied().map(Some).chain(apis.filter(needs_token).map(|_| None)) {
            let client = self.client.clone();
            tokio::spawn(async move { client.open_connection(host).await });
        }
    }

    /// Fetches secrets and tokens for the first request, concurrently. Returns the APIs in use, or none if the backend
    /// is not chosen yet.
    pub(crate) async fn prefetch(&self) -> Vec<Api> {
        let ctx = &Context::new(Deadline::after(WARM_UP_TIMEOUT), "warm-up", None);
        if let Some(table) = self.state_table.clone() {
            tokio::spawn(async move { table.open_connection(WARM_UP_TIMEOUT).await });
        }
        let ((), apis) = tokio::join!(self.callers.warm(ctx), self.prefetch_tokens(ctx));
        // The first use retries what failed during initialisation.
        self.tokens.allow_retry();
        self.callers.allow_retry();
        apis
    }

    async fn prefetch_tokens(&self, ctx: &Context) -> Vec<Api> {
        for api in self.enricher.backends().possible_apis() {
            // Nothing waits for the token of an API that turns out not to be needed.
            let (tokens, ctx) = (self.tokens.clone(), ctx.clone());
            tokio::spawn(async move { drop(tokens.token(*api, &ctx).await) });
        }
        self.needed_tokens(ctx).await
    }

    async fn needed_tokens(&self, ctx: &Context) -> Vec<Api> {
        let apis = match self.enricher.backends().apis(ctx).await {
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
        self.callers.secret_may_fulfil(|secret| {
            let destinations = self.notifier.destinations(secret).unwrap_or_default();
            integrations::may_answer_late(secret, !destinations.is_empty())
        })
    }

    /// Which quota the calls of a request were taken from, for the log.
    pub(crate) fn quota_of(&self, ctx: &Context) -> &'static str {
        if self.state_table.is_some() && !ctx.counts_on_local_share() { "shared" } else { "local" }
    }

    /// The background tasks of the service.
    pub fn background_tasks(&self) -> &BackgroundTasks {
        &self.tasks
    }
}
