//! What one request has asked already: within a request, equal questions cost one call, remembered or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::timeout_at;

use super::cache_key::CacheKey;
use super::resolve::{Name, Resolution};
use super::{Context, EnrichError};
use crate::cache::Cached;
use crate::client::Deadline;
use crate::domain::findings::Findings;

/// Questions of each sort, about findings and about names, that are under way at once.
const IN_FLIGHT: usize = 8;

/// One item of a request, which may be the only one.
pub(super) struct RequestScope<'i> {
    pub(super) ctx: &'i Context,
    shared: Arc<Shared>,
    /// Whether it counts among those that may still ask for the same as another.
    may_ask: AtomicBool,
}

/// What the items of a request share.
pub(super) struct Shared {
    findings: OncePerRequest<CacheKey, Arc<Findings>>,
    names: OncePerRequest<Name, Resolution>,
    findings_at_once: Arc<Semaphore>,
    names_at_once: Arc<Semaphore>,
    /// How many items have asked for no findings yet.
    will_ask: watch::Sender<usize>,
}

impl<'i> RequestScope<'i> {
    /// The only item of a request.
    pub(super) fn new(ctx: &'i Context) -> Self {
        Self { ctx, shared: Shared::for_items(0), may_ask: AtomicBool::new(false) }
    }

    /// One of several items of a request.
    pub(super) fn of_an_item(ctx: &'i Context, shared: Arc<Shared>) -> Self {
        Self { ctx, shared, may_ask: AtomicBool::new(true) }
    }

    pub(super) fn names(&self) -> &OncePerRequest<Name, Resolution> {
        &self.shared.names
    }

    /// Where one question about a name waits until it may be asked.
    pub(super) fn names_at_once(&self) -> Arc<Semaphore> {
        self.shared.names_at_once.clone()
    }

    /// Where one question about findings waits until it may be asked.
    pub(super) fn findings_at_once(&self) -> Arc<Semaphore> {
        self.shared.findings_at_once.clone()
    }

    /// The findings of a question; `ask` is awaited only by the first who wants them.
    pub(super) async fn findings(
        &self,
        key: CacheKey,
        ask: impl Future<Output = Outcome<Arc<Findings>>>,
        are_kept: impl Fn(&Findings) -> bool,
    ) -> Outcome<Arc<Findings>> {
        let cell = self.shared.findings.cell(key.clone());
        // From here on they come to this item as well.
        self.has_asked();
        let outcome = cell.get_or_init(|| ask).await.clone();
        if outcome.as_ref().is_ok_and(|found| !are_kept(&found.value)) {
            self.all_have_asked(self.ctx.deadline).await;
            self.shared.findings.forget(&key, &cell);
        }
        outcome
    }

    /// Waits until every item of the request has asked for something, for half of the time that is left at most.
    async fn all_have_asked(&self, deadline: Deadline) {
        let until = deadline.within(deadline.remaining() / 2).instant();
        let mut will_ask = self.shared.will_ask.subscribe();
        // What is asked later costs another call.
        let _ = timeout_at(until, will_ask.wait_for(|items| *items == 0)).await;
    }

    fn has_asked(&self) {
        if self.may_ask.swap(false, Ordering::Relaxed) {
            self.shared.will_ask.send_modify(|items| *items -= 1);
        }
    }
}

impl Drop for RequestScope<'_> {
    fn drop(&mut self) {
        self.has_asked();
    }
}

impl Shared {
    /// For so many items. All of them count as unasked from now on.
    pub(super) fn for_items(items: usize) -> Arc<Self> {
        Arc::new(Self {
            findings: OncePerRequest::new(),
            names: OncePerRequest::new(),
            findings_at_once: Arc::new(Semaphore::new(IN_FLIGHT)),
            names_at_once: Arc::new(Semaphore::new(IN_FLIGHT)),
            will_ask: watch::Sender::new(items),
        })
    }
}

type Outcome<V> = Result<Cached<V>, EnrichError>;
type Cell<V> = Arc<OnceCell<Outcome<V>>>;

/// The outcome of each question, from the first time on.
pub(super) struct OncePerRequest<K, V> {
    outcomes: Mutex<HashMap<K, Cell<V>>>,
}

impl<K: Eq + Hash, V: Clone> OncePerRequest<K, V> {
    fn new() -> Self {
        Self { outcomes: Mutex::default() }
    }

    /// The outcome of this question; `ask` is awaited only by the first who wants it.
    pub(super) async fn once(&self, key: K, ask: impl Future<Output = Outcome<V>>) -> Outcome<V> {
        self.cell(key).get_or_init(|| ask).await.clone()
    }

    fn cell(&self, key: K) -> Cell<V> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    /// Keeps this outcome no longer: who waits for it gets it still.
    fn forget(&self, key: &K, cell: &Cell<V>) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if outcomes.get(key).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            outcomes.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, poll_fn, ready};
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::domain::enrichment::CacheState;
    use crate::domain::subject::IncidentId;
    use crate::domain::timestamp::Timestamp;

    fn key() -> CacheKey {
        CacheKey::Incident(crate::domain::enrichment::Backend::Graph, IncidentId::new(77).expect("an id"))
    }

    fn asked() -> Ready<Outcome<Arc<Findings>>> {
        let value = Arc::new(Findings::unknown());
        ready(Ok(Cached { value, fetched_at: Timestamp::now(), age: Duration::ZERO, state: CacheState::Miss }))
    }

    fn asked_again() -> impl Future<Output = Outcome<Arc<Findings>>> {
        poll_fn(|_| panic!("asked again"))
    }

    fn ctx() -> Context {
        Context::new(Deadline::after(Duration::from_secs(10)), "r", None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_waits_for_those_that_have_not_asked_yet() {
        let (ctx, shared) = (ctx(), Shared::for_items(3));
        let [first, second, third] = [(); 3].map(|()| RequestScope::of_an_item(&ctx, shared.clone()));
        let mut waiting = Box::pin(first.findings(key(), asked(), |_| false));
        assert!((&mut waiting).now_or_never().is_none(), "two have not asked");
        drop(third);
        assert!((&mut waiting).now_or_never().is_none(), "one has not asked");
        let equal = second.findings(key(), asked_again(), |_| false).await.expect("findings");
        assert!(Arc::ptr_eq(&equal.value, &waiting.await.expect("findings").value));
        assert!(shared.findings.outcomes.lock().expect("a lock").is_empty(), "nothing is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_waits_for_half_of_the_time_at_most() {
        let (ctx, shared) = (ctx(), Shared::for_items(2));
        let [first, _second] = [(); 2].map(|()| RequestScope::of_an_item(&ctx, shared.clone()));
        first.findings(key(), asked(), |_| false).await.expect("findings");
        assert_eq!(ctx.deadline.remaining(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_answer_is_kept_and_waits_for_nobody() {
        let (ctx, shared) = (ctx(), Shared::for_items(2));
        let [first, second] = [(); 2].map(|()| RequestScope::of_an_item(&ctx, shared.clone()));
        assert!(first.findings(key(), asked(), |_| true).now_or_never().is_some());
        assert!(second.findings(key(), asked_again(), |_| true).now_or_never().is_some());
    }
}
