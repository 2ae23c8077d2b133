//! One quota for all processes: each API of an application has an item with its ledger, which every process reads,
//! changes and writes back if no other process has written meanwhile.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::item_key;
use super::table::{Item, Seen, TABLE_TIMEOUT, Table, TableError, Write};
use crate::client::{Api, CallLimits, Ledger, MINUTE, SharedQuota, call_limits};
use crate::clock::Clock;
use crate::config::QuotaLimits;
use crate::credentials::{ApplicationId, TokenCache};
use crate::domain::timestamp::Timestamp;

/// The shortest and the longest pause after a write.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(60)];
/// How long a process tries to write while others are faster, counted from the oldest request that waits. It ends before the
/// time that this request has for the table.
const MAX_CONTENTION: Duration = Duration::from_millis(100);
/// After it, the requests ask again in one to two times this, at random: processes that wait for the same moment, when a
/// window has room again, must neither meet again nor take a table that works for one that does not.
const CONTENTION_PAUSE: Duration = Duration::from_millis(100);
/// How often a process tries to tell the others about a 429 while they are faster.
const MAX_CLOSE_ATTEMPTS: usize = 3;
/// How far the clocks of processes may differ. AWS refuses a signature whose time is further away.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(300);
/// The longest wait after a 429 that other processes hear of.
const MAX_CLOSED: Duration = Duration::from_secs(3600);
/// How long an item without new calls is kept: longer than anything in it counts.
const LEDGER_LIFETIME: Duration = Duration::from_secs(3 * 3600);

/// The quota that all processes share.
#[derive(Debug)]
pub(super) struct TableQuota {
    table: Arc<Table>,
    tokens: TokenCache,
    /// The limits of all processes together.
    limits: QuotaLimits,
    clock: Clock,
    ledgers: Mutex<HashMap<(ApplicationId, Api), Arc<SharedLedger>>>,
}

impl TableQuota {
    pub(super) fn new(table: Arc<Table>, tokens: TokenCache, limits: QuotaLimits, clock: Clock) -> Self {
        Self { table, tokens, limits, clock, ledgers: Mutex::default() }
    }

    /// The ledger of this API for the application of the present credential.
    fn ledger(&self, api: Api) -> Option<Arc<SharedLedger>> {
        let application = self.tokens.application(api)?;
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match ledgers.entry((application, api)) {
            Entry::Occupied(ledger) => ledger.get().clone(),
            Entry::Vacant(place) => {
                let key = key(application, api);
                let limits = call_limits(api, self.limits);
                place.insert(Arc::new(SharedLedger::new(self.table.clone(), self.clock, key, limits))).clone()
            }
        })
    }
}

impl SharedQuota for TableQuota {
    fn take(&self, api: Api, cost: u32, required_calls: Option<u32>) -> BoxFuture<'_, Option<Decision>> {
        async move { self.ledger(api)?.ask(Request::Take { cost, required_calls }).await }.boxed()
    }

    fn close(&self, api: Api, wait: Duration) -> BoxFuture<'_, ()> {
        async move {
            let Some(ledger) = self.ledger(api) else { return };
            for _ in 0..MAX_CLOSE_ATTEMPTS {
                match ledger.clone().ask(Request::Close(wait.min(MAX_CLOSED))).await {
                    Some(Err(pause)) if pause <= CONTENTION_PAUSE * 2 => sleep(pause).await,
                    Some(_) | None => return,
                }
            }
        }
        .boxed()
    }
}

fn key(application: ApplicationId, api: Api) -> String {
    let api = match api {
        Api::Endpoint => "endpoint",
        Api::Xdr => "xdr",
        Api::Graph => "graph",
        Api::Hunting => "hunting",
    };
    item_key("quota", &[application.as_bytes(), api.as_bytes()])
}

/// What a request of this process wants of a ledger.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// The permits for a call, which is optional if others are required.
    Take { cost: u32, required_calls: Option<u32> },
    /// That nobody calls for this time.
    Close(Duration),
}

/// What becomes of a request: done, or the time to wait.
pub(super) type Decision = Result<(), Duration>;

/// One ledger in the table. One task at a time writes it, for all requests that wait.
#[derive(Debug)]
pub(super) struct SharedLedger {
    table: Arc<Table>,
    clock: Clock,
    key: String,
    limits: CallLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    waiting: Vec<Waiting>,
    /// Whether a task writes the ledger.
    is_written: bool,
    /// The end of the time in which the item is not used, because what it counted is lost.
    avoided_until: Option<Instant>,
}

/// A request that waits for its decision.
#[derive(Debug)]
struct Waiting {
    request: Request,
    since: Instant,
    sender: oneshot::Sender<Option<Decision>>,
}

/// What this process knows of an item.
#[derive(Clone, Debug, Default)]
struct Known {
    ledger: Ledger,
    seen: Seen,
    /// How far the clock of another process is ahead of ours. All processes go by the clock that is furthest ahead.
    ahead: Duration,
}

/// Why the requests that wait get no decision.
enum Failure {
    Table(TableError),
    /// What the item counted is lost: its calls may have been made, by whomever, for this time.
    Lost(Duration),
}

impl SharedLedger {
    pub(super) fn new(table: Arc<Table>, clock: Clock, key: String, limits: CallLimits) -> Self {
        Self { table, clock, key, limits, state: Mutex::default() }
    }

    /// Asks together with the other requests that wait. `None`: the share of this process counts.
    pub(super) async fn ask(self: Arc<Self>, request: Request) -> Option<Decision> {
        let (sender, decision) = oneshot::channel();
        {
            let mut state = self.state();
            if self.table.is_avoided() || state.is_avoided() {
                return self.closed(&state.known);
            }
            state.waiting.push(Waiting { request, since: Instant::now(), sender });
            if !std::mem::replace(&mut state.is_written, true) {
                tokio::spawn(self.clone().write_until_nobody_waits());
            }
        }
        let decision = timeout(TABLE_TIMEOUT, decision).await;
        decision.ok().and_then(Result::ok).flatten().or_else(|| self.closed(&self.state().known))
    }

    /// What is decided without the table: a wait that Microsoft asked for counts for every process that knows of it.
    fn closed(&self, known: &Known) -> Option<Decision> {
        known.ledger.closed(known.now(self.clock)).map(Err)
    }

    async fn write_until_nobody_waits(self: Arc<Self>) {
        loop {
            // So that the calls of a list, which start one after another, are taken together.
            yield_now().await;
            let (waiting, is_avoided) = {
                let mut state = self.state();
                let mut waiting = std::mem::take(&mut state.waiting);
                waiting.retain(|waiting| !waiting.sender.is_closed());
                if waiting.is_empty() {
                    state.is_written = false;
                    return;
                }
                (waiting, state.is_avoided())
            };
            // Requests that came before it was known that the item is lost must not replace it either.
            let (decisions, pause) = if is_avoided { (Vec::new(), None) } else { self.decide(&waiting).await };
            let mut decisions = decisions.into_iter();
            for waiting in waiting {
                // Whoever asked may have left.
                let _ = waiting.sender.send(decisions.next());
            }
            if let Some(pause) = pause {
                sleep(pause).await;
            }
        }
    }

    /// Decides about requests with at most one successful write, and returns the pause after it. There are no decisions if
    /// the share of this process counts.
    async fn decide(self: &Arc<Self>, waiting: &[Waiting]) -> (Vec<Decision>, Option<Duration>) {
        let oldest = waiting.iter().map(|waiting| waiting.since).min().unwrap_or_else(Instant::now);
        let (this, requests) = (self.clone(), waiting.iter().map(|waiting| waiting.request).collect::<Vec<_>>());
        let attempt = async move {
            match this.write(&requests, oldest).await {
                Err(Failure::Table(error)) => Err(error),
                Err(Failure::Lost(span)) => Ok(Err(span)),
                Ok(decided) => Ok(Ok(decided)),
            }
        };
        match self.table.attempt(attempt).await {
            Some(Ok(decided)) => decided,
            Some(Err(span)) => {
                tracing::warn!(seconds = span.as_secs(), "an item of the shared quota is gone, or is no ledger");
                self.state().avoided_until = Some(Instant::now() + span);
                (Vec::new(), None)
            }
            None => (Vec::new(), None),
        }
    }

    /// Writes until it succeeds. Whoever loses against another process has its newer ledger from the refusal, and tries
    /// again immediately: each round has a winner, who then pauses, so that few rounds are lost. In a simulation, three
    /// rounds are too few for four processes that start together; without pauses in between, twenty succeed in time.
    ///
    /// `oldest` is the time of the request that waits longest.
    async fn write(&self, requests: &[Request], oldest: Instant) -> Result<(Vec<Decision>, Option<Duration>), Failure> {
        let (begin, mut has_reconnected) = (Instant::now(), false);
        loop {
            let mut known = self.state().known.clone();
            let now = known.now(self.clock);
            let before = known.ledger.clone();
            let decisions = requests.iter().map(|request| match *request {
                Request::Take { cost, required_calls } => {
                    known.ledger.take(now, cost, CallLimits { required_calls, ..self.limits })
                }
                Request::Close(wait) => {
                    known.ledger.close(now, wait);
                    Ok(())
                }
            });
            let decisions: Vec<_> = decisions.collect();
            if known.ledger == before {
                return Ok((decisions, None));
            }
            let (bytes, end) = (known.ledger.to_bytes(), now.later(LEDGER_LIFETIME));
            match self.table.swap_ledger(&self.key, &known.seen, bytes, end).await {
                Ok(Write::Done(seen)) => {
                    self.state().known = Known { seen, ..known };
                    return Ok((decisions, Some(pause(begin.elapsed()))));
                }
                Ok(Write::Lost(item)) => {
                    self.state().known.learn(item, self.clock).map_err(Failure::Lost)?;
                    if oldest.elapsed() >= MAX_CONTENTION {
                        let pauses = requests.iter().map(|_| Err(CONTENTION_PAUSE.mul_f64(1.0 + fastrand::f64())));
                        return Ok((pauses.collect(), None));
                    }
                }
                // The connection may have been dead since Lambda froze this process.
                Err(TableError::BrokenConnection) if !has_reconnected => has_reconnected = true,
                Err(error) => return Err(Failure::Table(error)),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_avoided(&self) -> bool {
        self.avoided_until.is_some_and(|until| Instant::now() < until)
    }
}

impl Known {
    /// The present time by the clock that all processes go by.
    fn now(&self, clock: Clock) -> Timestamp {
        clock.now().later(self.ahead)
    }

    /// Takes over what another process has written. The error is the time for which an item that is not a ledger, or is
    /// gone, is not used. Then the next write replaces it.
    fn learn(&mut self, item: Option<Item>, clock: Clock) -> Result<(), Duration> {
        let now = clock.now();
        let Some(item) = item else {
            self.seen = Seen::NoItem;
            // An item whose calls have expired may be deleted: that loses nothing.
            return match self.ledger.newest().map(|newest| self.now(clock).age_at(newest.later(MINUTE))) {
                Some(rest) if !rest.is_zero() => Err(rest),
                _ => Ok(()),
            };
        };
        self.seen = Seen::of(&item);
        let ledger = self.seen.bytes().and_then(Ledger::from_bytes);
        let Some(ledger) = ledger.filter(|ledger| ledger.is_plausible(now, MAX_CLOCK_DIFFERENCE, MAX_CLOSED)) else {
            return Err(MINUTE);
        };
        if !ledger.continues(&self.ledger) {
            // Whoever wrote it did not know the calls that were in the item before.
            return Err(MINUTE);
        }
        let ahead = ledger.newest().map_or(Duration::ZERO, |newest| now.age_at(newest));
        self.ahead = self.ahead.max(ahead);
        self.ledger = ledger;
        Ok(())
    }
}

/// A random pause of one to two times the span that a write took. So it is longer if others write as well, and leaves
/// them their turn.
fn pause(span: Duration) -> Duration {
    let [shortest, longest] = PAUSES;
    span.mul_f64(1.0 + fastrand::f64()).clamp(shortest, longest)
}
