//! The token for each API: fetched once however many wait, renewed before it ends, and got anew when it is refused.

use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::credential::Credential;
use super::entra::Entra;
use super::error::{CredentialError, Refusal};
use super::store::{SecretStore, StoreError};
use super::token::Token;
use crate::config::{SecretId, Settings};
use crate::domain::time::Moment;
use crate::upstream::{Api, Context, Upstream, UpstreamError};

/// A refused credential makes the secret be read again at once, but not more often than this: a revoked one must not
/// become a storm on Secrets Manager.
const BETWEEN_FORCED_READS: Duration = Duration::from_secs(5);
/// While a token lives, a look at the secret may take this long.
const LOOK: Duration = Duration::from_secs(1);
/// After a look that failed, the next one comes no sooner.
const BETWEEN_FAILED_LOOKS: Duration = Duration::from_secs(30);

/// The tokens of one credential.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: Source,
    endpoint: Slot,
    xdr: Slot,
    /// One for alerts, incidents and hunting.
    graph: Slot,
}

/// The token of one API. The lock is the single flight: whoever holds it fetches, the others wait for the outcome.
#[derive(Debug)]
struct Slot {
    api: Api,
    audience: String,
    state: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// The version of the secret from which the token came.
    version: u64,
    /// The last failure, for those who were waiting when it happened.
    failure: Option<(Instant, CredentialError)>,
}

impl Tokens {
    pub(crate) fn new(settings: &Settings, store: SecretStore, upstream: Upstream) -> Self {
        let slot = |api, audience: &str| Slot { api, audience: audience.to_owned(), state: Mutex::default() };
        Self {
            source: Source {
                store,
                secret: settings.defender_secret.clone(),
                ttl: settings.secret_ttl,
                entra: Entra { upstream, login: settings.endpoints.login.clone() },
                latest: Mutex::default(),
            },
            endpoint: slot(Api::Endpoint, &settings.endpoints.api_audience),
            xdr: slot(Api::Xdr, &settings.endpoints.xdr_audience),
            graph: slot(Api::Graph, &settings.endpoints.graph_audience),
        }
    }

    /// A token that is good for an API.
    pub(crate) async fn token(&self, api: Api, ctx: &Context) -> Result<Token, CredentialError> {
        let slot = self.slot(api);
        let arrived = Instant::now();
        let mut held = self.hold(slot, ctx).await?;
        if let Some((at, failure)) = &held.failure
            && *at >= arrived
        {
            return Err(failure.clone());
        }
        let outcome = self.current(slot, &mut held, ctx).await;
        held.failure = outcome.as_ref().err().map(|failure| (Instant::now(), failure.clone()));
        outcome
    }

    /// Another token than the one that the API has refused: after the secret was read again, once.
    pub(crate) async fn renew(&self, api: Api, refused: &Token, ctx: &Context) -> Result<Token, CredentialError> {
        let slot = self.slot(api);
        let mut held = self.hold(slot, ctx).await?;
        if let Some(token) = &held.token
            && !token.is_same(refused)
        {
            return Ok(token.clone());
        }
        held.token = None;
        let secret = self.source.read_again(ctx).await?;
        let token = Box::pin(self.source.token(&secret, slot, ctx)).await?;
        if token.is_same(refused) {
            return Err(CredentialError::Refused(Refusal::Token));
        }
        held.version = secret.version;
        held.token = Some(token.clone());
        Ok(token)
    }

    /// Which form of credential the secret holds, read now.
    #[cfg(feature = "cli")]
    pub(crate) async fn form(&self, ctx: &Context) -> Result<&'static str, CredentialError> {
        let secret = self.source.latest(false, ctx).await?;
        Ok(secret.credential.form())
    }

    fn slot(&self, api: Api) -> &Slot {
        match api {
            Api::Endpoint => &self.endpoint,
            Api::Xdr => &self.xdr,
            Api::Graph | Api::Hunting => &self.graph,
        }
    }

    async fn hold<'a>(&self, slot: &'a Slot, ctx: &Context) -> Result<MutexGuard<'a, Held>, CredentialError> {
        let held = timeout_at(ctx.deadline.instant(), slot.state.lock()).await;
        held.map_err(|_| {
            // Whoever holds the token's lock waits for the secret, or for Entra.
            match self.source.latest.try_lock() {
                Ok(latest) if latest.secret.is_some() => CredentialError::Entra(UpstreamError::TimedOut),
                _ => CredentialError::Store(StoreError::TimedOut),
            }
        })
    }

    async fn current(&self, slot: &Slot, held: &mut Held, ctx: &Context) -> Result<Token, CredentialError> {
        let alive = held.token.clone().filter(|token| token.is_alive(Moment::now()));
        let secret = self.source.latest(alive.is_some(), ctx).await?;
        if let Some(token) = &alive
            && held.version == secret.version
            && token.is_fresh(Moment::now())
        {
            return Ok(token.clone());
        }
        // Boxed: a token is fetched once an hour, and the future of it is large.
        match Box::pin(self.source.fresh_token(secret, slot, ctx)).await {
            Ok((token, version)) => {
                held.token = Some(token.clone());
                held.version = version;
                Ok(token)
            }
            // Too early to give up: the old one is good until its end.
            Err(failure) => alive.ok_or(failure),
        }
    }
}

/// The secret, and what is made of it.
#[derive(Debug)]
struct Source {
    store: SecretStore,
    secret: SecretId,
    ttl: Duration,
    entra: Entra,
    /// The lock is the single flight of reading.
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    secret: Option<Arc<Secret>>,
    look_after: Option<Instant>,
    forced_at: Option<Instant>,
}

/// One version of the secret.
#[derive(Debug)]
struct Secret {
    credential: Credential,
    fingerprint: Vec<u8>,
    version: u64,
}

impl Source {
    /// The secret as it was read last, read again when its time is over; while a token lives, trouble with reading
    /// does not matter.
    async fn latest(&self, token_lives: bool, ctx: &Context) -> Result<Arc<Secret>, CredentialError> {
        let mut latest = self.lock(ctx).await?;
        let Some(known) = latest.secret.clone() else { return self.read(&mut latest, ctx).await };
        if latest.look_after.is_none_or(|at| Instant::now() < at) {
            return Ok(known);
        }
        let look = if token_lives { &ctx.within(LOOK.min(ctx.deadline.remaining() / 3)) } else { ctx };
        match self.read(&mut latest, look).await {
            Ok(secret) => Ok(secret),
            Err(error) if token_lives || is_passing(&error) => {
                tracing::warn!(%error, "the secret could not be read again; what it held before is used");
                latest.look_after = Some(Instant::now() + self.ttl.min(BETWEEN_FAILED_LOOKS));
                Ok(known)
            }
            Err(error) => Err(error),
        }
    }

    /// The secret, read now: something that it gave was refused.
    async fn read_again(&self, ctx: &Context) -> Result<Arc<Secret>, CredentialError> {
        let mut latest = self.lock(ctx).await?;
        let recently = latest.forced_at.is_some_and(|at| at.elapsed() < BETWEEN_FORCED_READS);
        if let Some(known) = latest.secret.clone()
            && recently
        {
            return Ok(known);
        }
        latest.forced_at = Some(Instant::now());
        match (self.read(&mut latest, ctx).await, latest.secret.clone()) {
            (Err(CredentialError::Store(_)), Some(known)) if matches!(known.credential, Credential::App(_)) => {
                Ok(known)
            }
            (outcome, _) => outcome,
        }
    }

    async fn lock(&self, ctx: &Context) -> Result<MutexGuard<'_, Latest>, CredentialError> {
        let locked = timeout_at(ctx.deadline.instant(), self.latest.lock()).await;
        locked.map_err(|_| CredentialError::Store(StoreError::TimedOut))
    }

    async fn read(&self, latest: &mut Latest, ctx: &Context) -> Result<Arc<Secret>, CredentialError> {
        let text = self.store.read(&self.secret, ctx).await.map_err(CredentialError::Store)?;
        latest.look_after = Some(Instant::now() + self.ttl);
        let fingerprint = digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        if let Some(known) = &latest.secret
            && known.fingerprint == fingerprint
        {
            return Ok(known.clone());
        }
        let version = latest.secret.as_ref().map_or(1, |known| known.version + 1);
        let secret = Arc::new(Secret { credential: Credential::parse(&text, Moment::now())?, fingerprint, version });
        latest.secret = Some(secret.clone());
        Ok(secret)
    }

    /// A token from this secret, or from the next where this one is refused or over.
    async fn fresh_token(
        &self,
        secret: Arc<Secret>,
        slot: &Slot,
        ctx: &Context,
    ) -> Result<(Token, u64), CredentialError> {
        let outcome = self.token(&secret, slot, ctx).await;
        let over = match &outcome {
            Ok(token) => !token.is_fresh(Moment::now()),
            Err(CredentialError::Refused(_)) => true,
            Err(_) => false,
        };
        if !over {
            return outcome.map(|token| (token, secret.version));
        }
        let next = match self.read_again(ctx).await {
            Ok(next) if next.version != secret.version => next,
            Ok(_) | Err(_) => return usable(outcome?).map(|token| (token, secret.version)),
        };
        usable(self.token(&next, slot, ctx).await?).map(|token| (token, next.version))
    }

    async fn token(&self, secret: &Secret, slot: &Slot, ctx: &Context) -> Result<Token, CredentialError> {
        match &secret.credential {
            Credential::Token(token) => Ok(token.clone()),
            Credential::Tokens(tokens) => tokens.token(slot.api).cloned().ok_or(CredentialError::NoTokenForApi),
            Credential::App(app) => self.entra.token(app, &slot.audience, &self.store, ctx).await,
        }
    }
}

/// Whether the secret may well be as it was, and only cannot be read for now.
fn is_passing(error: &CredentialError) -> bool {
    matches!(error, CredentialError::Store(error) if *error != StoreError::NotFound)
}

/// A token that has ended is not sent.
fn usable(token: Token) -> Result<Token, CredentialError> {
    if token.is_alive(Moment::now()) { Ok(token) } else { Err(CredentialError::Refused(Refusal::Token)) }
}
