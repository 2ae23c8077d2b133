//! The secret cache, for the Defender secret and for the caller secret. Concurrent requests share one read. The content
//! is cached for a time and then read again, and it is discarded when Secrets Manager reports a permanent error.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::secret_text::{Corrections, SecretProblem};
use super::store::{SecretStore, StoreError};
use super::timepoint::Timepoint;
use crate::client::{Context, Deadline};
use crate::config::SecretId;
use crate::single_flight::{Joined, SingleFlight};

/// The time for one read, in which the SDK makes up to three attempts. A read continues after the request that started
/// it.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for a refresh while a cached content exists. A request also waits no longer than a third of its
/// time.
const REFRESH_WAIT: Duration = Duration::from_secs(1);
/// The interval after a failed read while a cached content exists.
const REFRESH_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// The interval after a failed read without a cached content. Without it, each request of an unauthenticated caller
/// would cost a call to AWS.
const READ_RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// The shortest interval between reads that refused credentials cause. It protects Secrets Manager from a flood of
/// reads when a credential is revoked.
const FORCED_READ_INTERVAL: Duration = Duration::from_secs(5);

/// Why the content of a secret is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its content is invalid.
    #[error("its content cannot be used: {0}")]
    Content(#[from] SecretProblem),
}

impl SecretError {
    /// Whether the secret may be unchanged and only cannot be read for now.
    pub(super) fn is_transient(self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Content(_) => false,
        }
    }
}

/// How long a request waits for a read if no content is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until its deadline.
    UntilDeadline,
    /// Briefly, because the request can continue without the content.
    Brief,
}

/// One version of a secret.
#[derive(Debug)]
pub(crate) struct Secret<T> {
    /// The parsed content.
    pub(crate) content: T,
    /// The mistakes that were corrected while it was parsed.
    pub(crate) corrections: Corrections,
    /// A number that differs for every content.
    pub(super) version: u64,
    fingerprint: Vec<u8>,
}

type Outcome<T> = Result<Arc<Secret<T>>, SecretError>;
type Parse<T> = Box<dyn Fn(&str, &mut Corrections) -> Result<T, SecretProblem> + Send + Sync>;

/// The name of a cached secret and its cache times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretRules {
    /// The name of the secret in the log.
    pub(crate) name: &'static str,
    /// The time after which the secret is read again.
    pub(crate) ttl: Duration,
    /// How long the content may be used during an outage of Secrets Manager. `None` is without limit.
    pub(crate) outage_limit: Option<Duration>,
}

/// A cache for the content of one secret.
pub(crate) struct SecretCache<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    store: SecretStore,
    id: SecretId,
    rules: SecretRules,
    parse: Parse<T>,
    state: Mutex<State<T>>,
    flight: SingleFlight<(), Outcome<T>>,
}

struct State<T> {
    known: Option<Arc<Secret<T>>>,
    /// Why the last read failed.
    failure: Option<SecretError>,
    /// The start of the current outage: the first of the reads that failed with a transient error.
    out_since: Option<Timepoint>,
    /// The earliest time for the next read. `None` is immediately.
    read_after: Option<Timepoint>,
    /// The time of the last read that a refused credential caused.
    forced_at: Option<Instant>,
    /// The number of different contents so far.
    versions: u64,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { known: None, failure: None, out_since: None, read_after: None, forced_at: None, versions: 0 }
    }
}

impl<T> fmt::Debug for SecretCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCache").field("rules", &self.inner.rules).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> SecretCache<T> {
    /// A cache of one secret. `parse` parses its text.
    pub(crate) fn new(
        store: SecretStore,
        id: SecretId,
        rules: SecretRules,
        parse: impl Fn(&str, &mut Corrections) -> Result<T, SecretProblem> + Send + Sync + 'static,
    ) -> Self {
        let (parse, state, flight): (Parse<T>, _, _) = (Box::new(parse), Mutex::default(), SingleFlight::default());
        Self { inner: Arc::new(Inner { store, id, rules, parse, state, flight }) }
    }

    /// Returns the cached content, and reads the secret first if the TTL has ended. During an outage of Secrets Manager
    /// it returns the cached content.
    pub(crate) async fn get(&self, patience: Patience, ctx: &Context) -> Outcome<T> {
        loop {
            let known = match self.inner.lock().due(self.inner.rules) {
                Due::NotYet(outcome) => return outcome,
                Due::Now(known) => known,
            };
            let joined = self.read(false);
            let outcome = match (&known, patience) {
                (None, Patience::UntilDeadline) => joined.by(ctx.deadline).await,
                (Some(_), _) | (None, Patience::Brief) => joined.briefly(REFRESH_WAIT, ctx.deadline).await,
            };
            match (outcome, known) {
                (Some(Err(error)), Some(known)) if error.is_transient() => return Ok(known),
                // The read began before this request, so there may be time for another read.
                (Some(Err(SecretError::Store(StoreError::TimedOut))), None)
                    if joined.was_running && !ctx.deadline.remaining().is_zero() => {}
                (Some(outcome), _) => return outcome,
                (None, Some(known)) => return Ok(known),
                (None, None) => return Err(StoreError::TimedOut.into()),
            }
        }
    }

    /// Reads the secret now, because a credential from the version `seen` was refused.
    pub(super) async fn read_again(&self, seen: u64, patience: Patience, ctx: &Context) -> Outcome<T> {
        let recent = self.inner.lock().read_since(seen);
        if let Some(outcome) = recent {
            return outcome;
        }
        let joined = self.read(true);
        let outcome = match patience {
            Patience::UntilDeadline => joined.by(ctx.deadline).await,
            Patience::Brief => joined.briefly(REFRESH_WAIT, ctx.deadline).await,
        };
        outcome.unwrap_or(Err(StoreError::TimedOut.into()))
    }

    /// The name or ARN of the secret.
    pub(super) fn id(&self) -> &SecretId {
        &self.inner.id
    }

    /// The cached content, if there is one.
    pub(crate) fn known(&self) -> Option<Arc<Secret<T>>> {
        self.inner.lock().known.clone()
    }

    /// Lets the next request read the secret immediately after a failed read.
    pub(crate) fn allow_retry(&self) {
        let mut state = self.inner.lock();
        if state.failure.is_some() {
            state.read_after = None;
            state.forced_at = None;
        }
    }

    fn read(&self, forced: bool) -> Joined<Outcome<T>> {
        let deadline = Deadline::after(READ_TIMEOUT);
        let inner = self.inner.clone();
        self.inner.flight.join_or_spawn((), deadline, || {
            if forced {
                inner.lock().forced_at = Some(Instant::now());
            }
            async move { inner.read(deadline).await }
        })
    }
}

/// Whether the secret has to be read.
enum Due<T> {
    /// Not yet. This is the cached outcome.
    NotYet(Outcome<T>),
    /// Now. The cached content may be used if the read fails or takes too long.
    Now(Option<Arc<Secret<T>>>),
}

impl<T> State<T> {
    fn due(&self, rules: SecretRules) -> Due<T> {
        let outage = self.out_since.zip(rules.outage_limit);
        let is_over = outage.is_some_and(|(since, limit)| since.later(limit).has_passed());
        let known = self.known.clone().filter(|_| !is_over);
        let waits = self.read_after.is_some_and(|at| !at.has_passed());
        match (known, self.failure) {
            (Some(known), _) if waits => Due::NotYet(Ok(known)),
            (None, Some(failure)) if waits => Due::NotYet(Err(failure)),
            (known, _) => Due::Now(known),
        }
    }

    /// The cached outcome, if it replaces another forced read: there was one recently, or the content has changed since
    /// version `seen`.
    fn read_since(&self, seen: u64) -> Option<Outcome<T>> {
        let known = self.known.clone().map(Ok).or(self.failure.map(Err))?;
        let is_new = known.as_ref().is_ok_and(|known| known.version != seen);
        let is_recent = self.forced_at.is_some_and(|at| at.elapsed() < FORCED_READ_INTERVAL);
        (is_new || is_recent).then_some(known)
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    async fn read(&self, deadline: Deadline) -> Outcome<T> {
        let started = Timepoint::now();
        let text = self.store.read(&self.id, &Context::new(deadline, "secret", None)).await;
        let mut state = self.lock();
        let outcome = text.map_err(SecretError::from).and_then(|text| self.parsed(&text, &mut state));
        match &outcome {
            Ok(secret) => {
                state.known = Some(secret.clone());
                state.failure = None;
                state.out_since = None;
                state.read_after = Some(Timepoint::now().later(self.rules.ttl));
            }
            Err(error) => {
                state.failure = Some(*error);
                if error.is_transient() {
                    state.out_since = state.out_since.or(Some(started));
                } else {
                    state.known = None;
                    state.out_since = None;
                }
                let kept = state.known.is_some();
                let interval = if kept { REFRESH_RETRY_INTERVAL } else { READ_RETRY_INTERVAL };
                // The interval counts from the start of the read, so that a read that was frozen with its process does
                // not delay the next one.
                state.read_after = Some(started.later(interval.min(self.rules.ttl)));
                drop(state);
                tracing::warn!(secret = self.rules.name, %error, kept, "the secret could not be read");
            }
        }
        outcome
    }

    fn parsed(&self, text: &str, state: &mut State<T>) -> Outcome<T> {
        let fingerprint = digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        if let Some(known) = state.known.as_ref().filter(|known| known.fingerprint == fingerprint) {
            return Ok(known.clone());
        }
        let mut corrections = Corrections::default();
        let content = (self.parse)(text, &mut corrections)?;
        for correction in corrections.iter() {
            tracing::warn!(secret = self.rules.name, %correction, "the secret has a mistake that is tolerated and should be corrected");
        }
        state.versions += 1;
        Ok(Arc::new(Secret { content, corrections, version: state.versions, fingerprint }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
