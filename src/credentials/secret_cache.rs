//! The secret cache, for the Defender secret and for the caller secret: read once however many wait, kept for a time,
//! read again, and given up when Secrets Manager says definitely that it is gone.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::secret_text::{Mends, SecretProblem};
use super::single_flight::SingleFlight;
use super::store::{SecretStore, StoreError};
use super::timepoint::Timepoint;
use crate::client::{Context, Deadline};
use crate::config::SecretId;

/// One read. It goes on when the request that has started it is over; the SDK tries three times in it.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// While a content is known, a request waits no longer than this for the next one, nor than a third of its time.
const REFRESH_WAIT: Duration = Duration::from_secs(1);
/// Between failed reads while a content is known.
const REFRESH_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// Between failed reads while none is: strangers must not cost a call to AWS each.
const READ_RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// A refused credential makes the secret be read again immediately, but not more often than this: a revoked one must
/// not become a storm on Secrets Manager.
const FORCED_READ_INTERVAL: Duration = Duration::from_secs(5);

/// Why there is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It holds nothing that is known here.
    #[error("its content cannot be used: {0}")]
    Content(#[from] SecretProblem),
}

impl SecretError {
    /// Whether the secret may well be as it was, and only cannot be read for now.
    pub(super) fn is_passing(self) -> bool {
        match self {
            Self::Store(error) => error.is_passing(),
            Self::Content(_) => false,
        }
    }
}

/// How long a request waits for a read where no content is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until its deadline.
    UntilDeadline,
    /// Briefly: it can go on without.
    Brief,
}

/// One version of a secret.
#[derive(Debug)]
pub(crate) struct Secret<T> {
    /// What it holds.
    pub(crate) content: T,
    /// What had to be understood for that.
    pub(crate) mends: Mends,
    /// Differs from that of every other content.
    pub(super) version: u64,
    fingerprint: Vec<u8>,
}

type Outcome<T> = Result<Arc<Secret<T>>, SecretError>;
type Parse<T> = Box<dyn Fn(&str, &mut Mends) -> Result<T, SecretProblem> + Send + Sync>;

/// Which secret is cached, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretRules {
    /// What it is called in the log.
    pub(crate) name: &'static str,
    /// After this time it is read again.
    pub(crate) ttl: Duration,
    /// How long it may be used while Secrets Manager is out; `None`: until it is back.
    pub(crate) outage_limit: Option<Duration>,
}

/// A secret, and its content as it was read last.
pub(crate) struct SecretCache<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    store: SecretStore,
    id: SecretId,
    rules: SecretRules,
    parse: Parse<T>,
    state: Mutex<State<T>>,
    flight: SingleFlight<Outcome<T>>,
}

struct State<T> {
    known: Option<Arc<Secret<T>>>,
    /// Why the last read failed.
    failure: Option<SecretError>,
    /// Since when reads fail for a passing reason.
    out_since: Option<Timepoint>,
    /// No sooner than this the secret is read again; `None`: with the next request.
    read_after: Option<Timepoint>,
    forced_at: Option<Instant>,
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
    /// A cache of one secret. `parse` reads its text.
    pub(crate) fn new(
        store: SecretStore,
        id: SecretId,
        rules: SecretRules,
        parse: impl Fn(&str, &mut Mends) -> Result<T, SecretProblem> + Send + Sync + 'static,
    ) -> Self {
        let (parse, state, flight): (Parse<T>, _, _) = (Box::new(parse), Mutex::default(), SingleFlight::default());
        Self { inner: Arc::new(Inner { store, id, rules, parse, state, flight }) }
    }

    /// The content as it was read last, read again when its time is over. An outage of Secrets Manager is not noticed
    /// while a content is known.
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
                (Some(Err(error)), Some(known)) if error.is_passing() => return Ok(known),
                // It was read for somebody who came before us: there may be time for another read.
                (Some(Err(SecretError::Store(StoreError::TimedOut))), None)
                    if joined.was_running && !ctx.deadline.remaining().is_zero() => {}
                (Some(outcome), _) => return outcome,
                (None, Some(known)) => return Ok(known),
                (None, None) => return Err(StoreError::TimedOut.into()),
            }
        }
    }

    /// The content, read now: something that the version `seen` gave was refused.
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

    /// The content as it was read last, if there is one.
    pub(crate) fn known(&self) -> Option<Arc<Secret<T>>> {
        self.inner.lock().known.clone()
    }

    /// Lets the next request read the secret although reading it has failed just now.
    pub(crate) fn forgive(&self) {
        let mut state = self.inner.lock();
        if state.failure.is_some() {
            state.read_after = None;
            state.forced_at = None;
        }
    }

    fn read(&self, forced: bool) -> super::single_flight::Joined<Outcome<T>> {
        let deadline = Deadline::after(READ_TIMEOUT);
        let inner = self.inner.clone();
        self.inner.flight.join_or_start(deadline, || {
            if forced {
                inner.lock().forced_at = Some(Instant::now());
            }
            async move { inner.read(deadline).await }
        })
    }
}

/// Whether the secret is to be read.
enum Due<T> {
    /// Not yet: this is what is known.
    NotYet(Outcome<T>),
    /// Now; meanwhile, this content may still be used.
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

    /// What a forced read would find, where there was one not long ago, or the content is another already.
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
                if error.is_passing() {
                    state.out_since = state.out_since.or(Some(started));
                } else {
                    state.known = None;
                    state.out_since = None;
                }
                let kept = state.known.is_some();
                let interval = if kept { REFRESH_RETRY_INTERVAL } else { READ_RETRY_INTERVAL };
                // From the start: a read that was frozen with its process holds up nobody.
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
        let mut mends = Mends::default();
        let content = (self.parse)(text, &mut mends)?;
        for mend in mends.iter() {
            tracing::warn!(secret = self.rules.name, %mend, "the secret was understood, and should be corrected");
        }
        state.versions += 1;
        Ok(Arc::new(Secret { content, mends, version: state.versions, fingerprint }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
