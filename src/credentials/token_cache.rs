//! The token cache: a token for each API, fetched once however many wait, renewed before it ends, and replaced when it
//! is refused.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::credential::Credential;
use super::entra::Entra;
use super::error::{CredentialError, RefusalReason};
use super::secret_cache::{Patience, Secret, SecretCache, SecretRules};
use super::single_flight::SingleFlight;
use super::store::{SecretStore, StoreError};
use super::token::Token;
use crate::client::{Api, ClientError, Context, Deadline, Upstream};
use crate::config::Settings;
use crate::domain::timestamp::Timestamp;

/// While a token is good, a request waits no longer than this for the next one, nor than a third of its time.
const RENEWAL_WAIT: Duration = Duration::from_secs(1);
/// The renewal itself goes on for so long.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between renewals of a token that is good, if one has failed.
const RENEWAL_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// For so long a refusal counts for everybody: it does not change unless the secret does.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

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
    /// One for alerts, incidents and hunting.
    graph: Slot,
}

/// The token of one API.
struct Slot {
    audience: String,
    state: Mutex<State>,
    flight: SingleFlight<Result<Token, CredentialError>>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The version of the secret from which the token came.
    version: u64,
    /// The version of the secret from which it was to be renewed last, and when.
    renewal: Option<(u64, Instant)>,
    refusal: Option<Refused>,
}

/// A refusal that counts for everybody.
struct Refused {
    error: CredentialError,
    /// The version of the secret that was refused.
    version: u64,
    until: Instant,
}

/// What to do for a request that needs a token.
enum Step {
    Use(Token),
    Fail(CredentialError),
    /// There is a token, and it is time for the next one.
    Renew(Token),
    Fetch,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("secret", &self.inner.secret).finish_non_exhaustive()
    }
}

impl TokenCache {
    pub(crate) fn new(settings: &Settings, store: SecretStore, upstream: Upstream) -> Self {
        let slot = |audience: &str| Slot {
            audience: audience.to_owned(),
            state: Mutex::default(),
            flight: SingleFlight::default(),
        };
        let rules = SecretRules { name: "Defender secret", ttl: settings.secret_ttl, outage_limit: None };
        let secret = SecretCache::new(store.clone(), settings.defender_secret.clone(), rules, |text, mends| {
            Credential::parse(text, Timestamp::now(), mends)
        });
        Self {
            inner: Arc::new(Inner {
                secret,
                store,
                entra: Entra::new(upstream, settings.endpoints.login.clone()),
                endpoint: slot(&settings.endpoints.api_audience),
                xdr: slot(&settings.endpoints.xdr_audience),
                graph: slot(&settings.endpoints.graph_audience),
            }),
        }
    }

    /// A token that is good for an API.
    pub(crate) async fn token(&self, api: Api, ctx: &Context) -> Result<Token, CredentialError> {
        let slot = self.inner.slot(api);
        loop {
            let alive = slot.lock().alive();
            let patience = if alive.is_some() { Patience::Brief } else { Patience::UntilDeadline };
            let secret = match (self.inner.secret.get(patience, ctx).await, alive) {
                (Ok(secret), _) => secret,
                // Trouble with the secret does not matter while a token is good.
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
                        async move { inner.fetch(api, secret, &ctx).await }
                    });
                    let outcome = joined.briefly(RENEWAL_WAIT, ctx.deadline).await;
                    return Ok(outcome.and_then(Result::ok).unwrap_or(token));
                }
                Step::Fetch => {
                    let joined =
                        self.start(api, ctx, |inner, _, ctx| async move { inner.fetch(api, secret, &ctx).await });
                    match joined.by(ctx.deadline).await {
                        // Whoever began had less time than we have: now it is our turn.
                        Some(Err(error)) if error.is_passing() && joined.had_less_time_than(ctx.deadline) => {}
                        Some(outcome) => return outcome,
                        None => return Err(self.inner.timed_out()),
                    }
                }
            }
        }
    }

    /// Another token than the one that the API has refused: after the secret was read again, once.
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
                // Somebody renewed a token that had come to its end, and did not know that it is refused.
                Some(Ok(token)) if joined.was_running && token.is_same(refused) => {}
                Some(Err(error)) if error.is_passing() && joined.had_less_time_than(ctx.deadline) => {}
                Some(outcome) => return outcome,
                None => return Err(self.inner.timed_out()),
            }
        }
    }

    /// Lets the next request try again what has failed just now.
    pub(crate) fn forgive(&self) {
        self.inner.secret.forgive();
        for slot in [&self.inner.endpoint, &self.inner.xdr, &self.inner.graph] {
            slot.lock().refusal = None;
        }
    }

    /// The secret, read if it is time.
    #[cfg(feature = "cli")]
    pub(crate) async fn secret(&self, ctx: &Context) -> Result<Arc<Secret<Credential>>, CredentialError> {
        Ok(self.inner.secret.get(Patience::UntilDeadline, ctx).await?)
    }

    /// Joins what is under way for an API, or starts this.
    fn start<F>(
        &self,
        api: Api,
        ctx: &Context,
        begin: impl FnOnce(Arc<Inner>, &Slot, Context) -> F,
    ) -> super::single_flight::Joined<Result<Token, CredentialError>>
    where
        F: Future<Output = Result<Token, CredentialError>> + Send + 'static,
    {
        let slot = self.inner.slot(api);
        slot.flight.join_or_start(ctx.deadline, || begin(self.inner.clone(), slot, ctx.clone()))
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
    fn alive(&self) -> Option<Token> {
        self.token.clone().filter(|token| token.is_alive(Timestamp::now()))
    }

    fn step(&self, version: u64) -> Step {
        let Some(token) = self.alive() else {
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

    /// What is known instead of a token that an API has refused, which is good no more.
    fn instead_of(&mut self, refused: &Token, version: Option<u64>) -> Option<Result<Token, CredentialError>> {
        match self.alive() {
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

    /// Whoever was waited for in vain: Entra, if the secret is one to ask it with.
    fn timed_out(&self) -> CredentialError {
        match self.secret.known() {
            Some(secret) if matches!(secret.content, Credential::App(_)) => {
                CredentialError::Entra(ClientError::TimedOut)
            }
            Some(_) | None => CredentialError::Store(StoreError::TimedOut),
        }
    }

    /// A token from this secret, or from the next where this one is refused or over.
    async fn fetch(&self, api: Api, secret: Arc<Secret<Credential>>, ctx: &Context) -> Result<Token, CredentialError> {
        let outcome = self.exchange(api, &secret, ctx).await;
        let is_over = match &outcome {
            Ok(token) => !token.is_fresh(Timestamp::now()),
            Err(error) => matches!(error, CredentialError::Refused(_)),
        };
        if !is_over {
            return self.keep(api, secret.version, outcome);
        }
        match self.secret.read_again(secret.version, Patience::UntilDeadline, ctx).await {
            Ok(next) if next.version != secret.version => {
                self.keep(api, next.version, self.exchange(api, &next, ctx).await)
            }
            Ok(_) | Err(_) => self.keep(api, secret.version, outcome),
        }
    }

    /// A token from the secret as it is read now. Where it cannot be read, an application may still get one.
    async fn fetch_instead_of(&self, api: Api, refused: &Token, ctx: &Context) -> Result<Token, CredentialError> {
        let known = self.secret.known();
        let application = known.clone().filter(|secret| matches!(secret.content, Credential::App(_)));
        let patience = if application.is_some() { Patience::Brief } else { Patience::UntilDeadline };
        let seen = known.map_or(0, |secret| secret.version);
        let secret = match (self.secret.read_again(seen, patience, ctx).await, application) {
            (Ok(secret), _) => secret,
            (Err(error), Some(application)) if error.is_passing() => application,
            (Err(error), _) => return Err(error.into()),
        };
        let outcome = match self.exchange(api, &secret, ctx).await {
            Ok(token) if token.is_same(refused) => Err(CredentialError::Refused(RefusalReason::Token.into())),
            outcome => outcome,
        };
        self.keep(api, secret.version, outcome)
    }

    /// Keeps the outcome for everybody: a token that is good, or a refusal for a short time.
    fn keep(&self, api: Api, version: u64, outcome: Result<Token, CredentialError>) -> Result<Token, CredentialError> {
        // A token that has ended is not sent.
        let outcome = outcome.and_then(|token| {
            if token.is_alive(Timestamp::now()) {
                Ok(token)
            } else {
                Err(CredentialError::Refused(RefusalReason::ExpiredToken.into()))
            }
        });
        let mut state = self.slot(api).lock();
        match &outcome {
            Ok(token) => {
                // A token of the secret's own may be near its end, and be all that there is.
                let renewal = state.renewal.filter(|_| !token.is_fresh(Timestamp::now()));
                *state = State { token: Some(token.clone()), version, renewal, refusal: None };
            }
            Err(error @ CredentialError::Refused(_)) => {
                let until = Instant::now() + REFUSAL_TIME;
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
