//! The token cache: one token for each API. Concurrent requests share one fetch. A token is renewed before it expires,
//! and replaced when it is refused.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::application::ApplicationId;
use super::credential::Credential;
use super::entra::Entra;
use super::error::{CredentialError, RefusalReason};
use super::secret_cache::{Patience, Secret, SecretCache, SecretRules};
use super::store::{SecretStore, StoreError};
use super::token::Token;
use crate::client::{Api, ApiClient, ClientError, Context, Deadline};
use crate::config::Settings;
use crate::domain::timestamp::Timestamp;
use crate::single_flight::{Joined, SingleFlight};

/// The longest wait for a renewal while the current token is valid. A request also waits no longer than a third of its
/// time.
const RENEWAL_WAIT: Duration = Duration::from_secs(1);
/// The time for the renewal itself. It is a task of its own, which Lambda may freeze after the response.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The interval after a failed renewal while the current token is valid.
const RENEWAL_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// How long a refusal is cached. It does not change unless the secret does.
const REFUSAL_TTL: Duration = Duration::from_secs(5);

/// The tokens of one credential.
#[derive(Clone)]
pub(crate) struct TokenCache {
    inner: Arc<Inner>,
}

struct Inner {
    secret: SecretCache<Credential>,
    store: SecretStore,
    entra: Entra,
    endpoint: Slot,
    xdr: Slot,
    /// One token for alerts, incidents and hunting.
    graph: Slot,
}

/// The cached token of one API.
struct Slot {
    audience: String,
    state: Mutex<State>,
    flight: SingleFlight<(), Result<Token, CredentialError>>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The version of the secret that the token was fetched with.
    version: u64,
    /// The version of the secret that the last renewal used, and its time.
    renewal: Option<(u64, Instant)>,
    refusal: Option<Refused>,
}

/// A cached refusal.
struct Refused {
    error: CredentialError,
    /// The version of the secret that was refused.
    version: u64,
    until: Instant,
}

/// The next step for a request that needs a token.
enum Step {
    Use(Token),
    Fail(CredentialError),
    /// The token is valid, but due for renewal.
    Renew(Token),
    Fetch,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("secret", &self.inner.secret).finish_non_exhaustive()
    }
}

impl TokenCache {
    pub(crate) fn new(settings: &Settings, store: SecretStore, client: ApiClient) -> Self {
        let slot = |audience: &str| Slot {
            audience: audience.to_owned(),
            state: Mutex::default(),
            flight: SingleFlight::default(),
        };
        let rules = SecretRules { name: "Defender secret", ttl: settings.secret_ttl, outage_limit: None };
        let secret = SecretCache::new(store.clone(), settings.defender_secret.clone(), rules, |text, corrections| {
            Credential::parse(text, Timestamp::now(), corrections)
        });
        Self {
            inner: Arc::new(Inner {
                secret,
                store,
                entra: Entra::new(client, settings.endpoints.login.clone()),
                endpoint: slot(&settings.endpoints.api_audience),
                xdr: slot(&settings.endpoints.xdr_audience),
                graph: slot(&settings.endpoints.graph_audience),
            }),
        }
    }

    /// Returns a valid token for an API.
    pub(crate) async fn token(&self, api: Api, ctx: &Context) -> Result<Token, CredentialError> {
        let slot = self.inner.slot(api);
        loop {
            let alive = slot.lock().valid_token();
            let patience = if alive.is_some() { Patience::Brief } else { Patience::UntilDeadline };
            let secret = match (self.inner.secret.get(patience, ctx).await, alive) {
                (Ok(secret), _) => secret,
                // An error of the secret does not matter while the token is valid.
                (Err(_), Some(token)) => return Ok(token),
                (Err(error), None) => return Err(error.into()),
            };
            let step = slot.lock().step(secret.version);
            match step {
                Step::Use(token) => return Ok(token),
                Step::Fail(error) => return Err(error),
                Step::Renew(token) => {
                    let renewal = context_until(Deadline::after(RENEWAL_TIMEOUT), ctx);
                    let joined = self.start(api, &renewal, move |inner, slot, ctx| {
                        slot.lock().renewal = Some((secret.version, Instant::now()));
                        async move {
                            let outcome = inner.fetch(api, secret, &ctx).await;
                            if let Err(error) = &outcome {
                                tracing::warn!(%error, ?api, "a token is not renewed: the current one is used until it expires");
                            }
                            outcome
                        }
                    });
                    let outcome = joined.briefly(RENEWAL_WAIT, ctx.deadline).await;
                    return Ok(outcome.and_then(Result::ok).unwrap_or(token));
                }
                Step::Fetch => {
                    let joined =
                        self.start(api, ctx, |inner, _, ctx| async move { inner.fetch(api, secret, &ctx).await });
                    match joined.by(ctx.deadline).await {
                        // The fetch had an earlier deadline than this request, so another attempt may succeed.
                        Some(Err(error)) if error.is_transient() && joined.had_less_time_than(ctx.deadline) => {}
                        Some(outcome) => return outcome,
                        None => return Err(self.inner.timed_out()),
                    }
                }
            }
        }
    }

    /// Returns another token than the one that the API refused. It first reads the secret again.
    pub(crate) async fn renew(&self, api: Api, refused: &Token, ctx: &Context) -> Result<Token, CredentialError> {
        let slot = self.inner.slot(api);
        loop {
            let version = self.inner.secret.known().map(|secret| secret.version);
            if let Some(outcome) = slot.lock().instead_of(refused, version) {
                return outcome;
            }
            let other = refused.clone();
            let joined =
                self.start(api, ctx, |inner, _, ctx| async move { inner.fetch_instead_of(api, &other, &ctx).await });
            match joined.by(ctx.deadline).await {
                // The joined operation renewed an expired token and did not know that this one is refused.
                Some(Ok(token)) if joined.was_running && token.is_same(refused) => {}
                Some(Err(error)) if error.is_transient() && joined.had_less_time_than(ctx.deadline) => {}
                Some(outcome) => return outcome,
                None => return Err(self.inner.timed_out()),
            }
        }
    }

    /// Lets the next request retry immediately after a failure.
    pub(crate) fn allow_retry(&self) {
        self.inner.secret.allow_retry();
        for slot in [&self.inner.endpoint, &self.inner.xdr, &self.inner.graph] {
            slot.lock().refusal = None;
        }
    }

    /// The Defender secret, read again if its TTL has ended.
    pub(crate) async fn secret(&self, ctx: &Context) -> Result<Arc<Secret<Credential>>, CredentialError> {
        Ok(self.inner.secret.get(Patience::UntilDeadline, ctx).await?)
    }

    /// The application whose quota the calls to an API use, as far as the secret is known. Without another name for it,
    /// the secret's own is taken.
    pub(crate) fn application(&self, api: Api) -> Option<ApplicationId> {
        let application = self.inner.secret.known()?.content.application(api);
        Some(application.unwrap_or_else(|| ApplicationId::new("", self.inner.secret.id().as_str())))
    }

    /// Joins the running operation for an API, or starts this one.
    fn start<F>(
        &self,
        api: Api,
        ctx: &Context,
        begin: impl FnOnce(Arc<Inner>, &Slot, Context) -> F,
    ) -> Joined<Result<Token, CredentialError>>
    where
        F: Future<Output = Result<Token, CredentialError>> + Send + 'static,
    {
        let slot = self.inner.slot(api);
        slot.flight.join_or_spawn((), ctx.deadline, || begin(self.inner.clone(), slot, ctx.for_required_calls()))
    }
}

fn context_until(deadline: Deadline, ctx: &Context) -> Context {
    let mut own = ctx.clone();
    own.deadline = deadline;
    own
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn valid_token(&self) -> Option<Token> {
        self.token.clone().filter(|token| token.is_valid(Timestamp::now()))
    }

    fn step(&self, version: u64) -> Step {
        let Some(token) = self.valid_token() else {
            return self.refusal_of(version).map_or(Step::Fetch, Step::Fail);
        };
        let is_current = self.version == version && token.is_fresh(Timestamp::now());
        let was_tried =
            self.renewal.is_some_and(|(tried, at)| tried == version && at.elapsed() < RENEWAL_RETRY_INTERVAL);
        if is_current || was_tried { Step::Use(token) } else { Step::Renew(token) }
    }

    fn refusal_of(&self, version: u64) -> Option<CredentialError> {
        let refused = self.refusal.as_ref()?;
        (refused.version == version && Instant::now() < refused.until).then(|| refused.error.clone())
    }

    /// Discards a token that an API refused. Returns another cached token, or the cached refusal of this version of the
    /// secret, if there is one.
    fn instead_of(&mut self, refused: &Token, version: Option<u64>) -> Option<Result<Token, CredentialError>> {
        match self.valid_token() {
            Some(token) if !token.is_same(refused) => return Some(Ok(token)),
            Some(_) => self.token = None,
            None => {}
        }
        version.and_then(|version| self.refusal_of(version)).map(Err)
    }
}

impl Inner {
    fn slot(&self, api: Api) -> &Slot {
        match api {
            Api::Endpoint => &self.endpoint,
            Api::Xdr => &self.xdr,
            Api::Graph | Api::Hunting => &self.graph,
        }
    }

    /// The error of a timeout: of Entra if the secret holds an app registration, otherwise of Secrets Manager.
    fn timed_out(&self) -> CredentialError {
        match self.secret.known() {
            Some(secret) if matches!(secret.content, Credential::App(_)) => {
                CredentialError::Entra(ClientError::TimedOut)
            }
            Some(_) | None => CredentialError::Store(StoreError::TimedOut),
        }
    }

    /// Gets a token with this secret. If it is refused or the token is due for renewal, the secret is read again and
    /// used if it has changed.
    async fn fetch(&self, api: Api, secret: Arc<Secret<Credential>>, ctx: &Context) -> Result<Token, CredentialError> {
        let outcome = self.exchange(api, &secret, ctx).await;
        let needs_new_secret = match &outcome {
            Ok(token) => !token.is_fresh(Timestamp::now()),
            Err(error) => matches!(error, CredentialError::Refused(_)),
        };
        if !needs_new_secret {
            return self.keep(api, secret.version, outcome);
        }
        match self.secret.read_again(secret.version, Patience::UntilDeadline, ctx).await {
            Ok(next) if next.version != secret.version => {
                self.keep(api, next.version, self.exchange(api, &next, ctx).await)
            }
            Ok(_) | Err(_) => self.keep(api, secret.version, outcome),
        }
    }

    /// Reads the secret again and gets a token with it. If the secret cannot be read, the cached app registration is
    /// used.
    async fn fetch_instead_of(&self, api: Api, refused: &Token, ctx: &Context) -> Result<Token, CredentialError> {
        let known = self.secret.known();
        let application = known.clone().filter(|secret| matches!(secret.content, Credential::App(_)));
        let patience = if application.is_some() { Patience::Brief } else { Patience::UntilDeadline };
        let seen = known.map_or(0, |secret| secret.version);
        let secret = match (self.secret.read_again(seen, patience, ctx).await, application) {
            (Ok(secret), _) => secret,
            (Err(error), Some(application)) if error.is_transient() => application,
            (Err(error), _) => return Err(error.into()),
        };
        let outcome = match self.exchange(api, &secret, ctx).await {
            Ok(token) if token.is_same(refused) => Err(CredentialError::Refused(RefusalReason::Token.into())),
            outcome => outcome,
        };
        self.keep(api, secret.version, outcome)
    }

    /// Caches the outcome: a valid token, or a refusal for a short time.
    fn keep(&self, api: Api, version: u64, outcome: Result<Token, CredentialError>) -> Result<Token, CredentialError> {
        // An expired token is not sent.
        let outcome = outcome.and_then(|token| {
            if token.is_valid(Timestamp::now()) {
                Ok(token)
            } else {
                Err(CredentialError::Refused(RefusalReason::ExpiredToken.into()))
            }
        });
        let mut state = self.slot(api).lock();
        match &outcome {
            Ok(token) => {
                // A token that is stored in the secret may be due for renewal although there is no other. Keeping the
                // time of the last renewal prevents constant reads.
                let renewal = state.renewal.filter(|_| !token.is_fresh(Timestamp::now()));
                *state = State { token: Some(token.clone()), version, renewal, refusal: None };
            }
            Err(error @ CredentialError::Refused(_)) => {
                let until = Instant::now() + REFUSAL_TTL;
                state.refusal = Some(Refused { error: error.clone(), version, until });
            }
            Err(_) => {}
        }
        outcome
    }

    async fn exchange(&self, api: Api, secret: &Secret<Credential>, ctx: &Context) -> Result<Token, CredentialError> {
        match &secret.content {
            Credential::Token(token) => Ok(token.clone()),
            Credential::Tokens(tokens) => tokens.token(api).cloned().ok_or(CredentialError::NoTokenForApi),
            Credential::App(app) => self.entra.token(app, &self.slot(api).audience, &self.store, ctx).await,
        }
    }
}
