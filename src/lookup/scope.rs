//! The queries of one request: equal queries cost one call, also if the answer is not cached.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::timeout_at;

use super::resolve::{ResolvedDevice, ResolvedFile};
use super::{Context, EnrichError};
use crate::backend::{ComparedBy, ContextQuery, Query};
use crate::cache::Cached;
use crate::client::Deadline;
use crate::domain::context::SubjectContext;
use crate::domain::findings::Findings;
use crate::domain::subject::{DeviceName, Sha256};

/// How many calls for findings, for names and for contexts each run concurrently in one request.
const MAX_CONCURRENT_CALLS: usize = 8;

/// One item of a request, which may be the only one.
pub(super) struct RequestScope<'i> {
    pub(super) ctx: &'i Context,
    pub(super) shared: Arc<Shared>,
    /// Whether the request asks for what Defender says of the subject itself.
    pub(super) with_context: bool,
    /// Whether this item still counts in `will_request`.
    is_counted: AtomicBool,
    /// Whether this item still counts in `awaiting_findings`.
    awaits_findings: AtomicBool,
}

/// What the items of a request share.
pub(super) struct Shared {
    findings: OncePerRequest<Query, Arc<Findings>>,
    pub(super) devices: OncePerRequest<ComparedBy<DeviceName>, Option<ResolvedDevice>>,
    pub(super) hashes: OncePerRequest<Sha256, Option<ResolvedFile>>,
    pub(super) contexts: OncePerRequest<ContextQuery, Option<Arc<SubjectContext>>>,
    pub(super) finding_permits: Arc<Semaphore>,
    pub(super) name_permits: Arc<Semaphore>,
    pub(super) context_permits: Arc<Semaphore>,
    /// How many items have not requested any findings yet.
    will_request: watch::Sender<usize>,
    /// How many items have not received any findings yet.
    pub(super) awaiting_findings: Arc<AtomicUsize>,
}

impl<'i> RequestScope<'i> {
    /// The only item of a request.
    pub(super) fn new(ctx: &'i Context) -> Self {
        Self::of(ctx, Shared::for_items(0), false, false)
    }

    /// One of several items of a request.
    pub(super) fn for_item(ctx: &'i Context, shared: Arc<Shared>, with_context: bool) -> Self {
        Self::of(ctx, shared, with_context, true)
    }

    /// The same item, without its wish for a context unless `with_context`.
    pub(super) fn within(&self, with_context: bool) -> Self {
        Self::of(self.ctx, self.shared.clone(), self.with_context && with_context, false)
    }

    fn of(ctx: &'i Context, shared: Arc<Shared>, with_context: bool, is_counted: bool) -> Self {
        let [is_counted, awaits_findings] = [(); 2].map(|()| AtomicBool::new(is_counted));
        Self { ctx, shared, with_context, is_counted, awaits_findings }
    }

    /// Returns the findings of a query. Only the first request for a query awaits `fetch`.
    pub(super) async fn findings(
        &self,
        query: Query,
        fetch: impl Future<Output = Outcome<Arc<Findings>>>,
        is_kept: impl Fn(&Findings) -> bool,
    ) -> Outcome<Arc<Findings>> {
        let cell = self.shared.findings.cell(query.clone());
        // This item has joined the call, so others need not wait for it.
        self.mark_requested();
        let outcome = cell.get_or_init(|| fetch).await.clone();
        self.mark_received();
        if outcome.as_ref().is_ok_and(|found| !is_kept(&found.value)) {
            self.all_have_requested(self.ctx.deadline).await;
            self.shared.findings.forget(&query, &cell);
        }
        outcome
    }

    /// Waits until every item of the request has requested something, but at most half of the remaining time.
    async fn all_have_requested(&self, deadline: Deadline) {
        let until = deadline.within(deadline.remaining() / 2).instant();
        let mut will_request = self.shared.will_request.subscribe();
        // A later request for the same key costs another call.
        let _ = timeout_at(until, will_request.wait_for(|items| *items == 0)).await;
    }

    fn mark_requested(&self) {
        if self.is_counted.swap(false, Ordering::Relaxed) {
            self.shared.will_request.send_modify(|items| *items -= 1);
        }
    }

    fn mark_received(&self) {
        if self.awaits_findings.swap(false, Ordering::Relaxed) {
            self.shared.awaiting_findings.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for RequestScope<'_> {
    fn drop(&mut self) {
        self.mark_requested();
        self.mark_received();
    }
}

impl Shared {
    /// Creates the shared state for this number of items, none of which has requested findings yet.
    pub(super) fn for_items(items: usize) -> Arc<Self> {
        Arc::new(Self {
            findings: OncePerRequest::default(),
            devices: OncePerRequest::default(),
            hashes: OncePerRequest::default(),
            contexts: OncePerRequest::default(),
            finding_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            name_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            context_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            will_request: watch::Sender::new(items),
            awaiting_findings: Arc::new(AtomicUsize::new(items)),
        })
    }
}

type Outcome<V> = Result<Cached<V>, EnrichError>;
type Cell<V> = Arc<OnceCell<Outcome<V>>>;

/// The outcome of each key, computed once.
pub(super) struct OncePerRequest<K, V> {
    outcomes: Mutex<HashMap<K, Cell<V>>>,
}

impl<K, V> Default for OncePerRequest<K, V> {
    fn default() -> Self {
        Self { outcomes: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> OncePerRequest<K, V> {
    /// Returns the outcome of this key. Only the first request for a key awaits `fetch`.
    pub(super) async fn get_or_init(&self, key: K, fetch: impl Future<Output = Outcome<V>>) -> Outcome<V> {
        self.cell(key).get_or_init(|| fetch).await.clone()
    }

    fn cell(&self, key: K) -> Cell<V> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    /// Removes this outcome. Tasks that wait for it still receive it.
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
    use crate::domain::enrichment::{BackendName, CacheState};
    use crate::domain::subject::IncidentId;
    use crate::domain::timestamp::Timestamp;

    fn query() -> Query {
        Query::incident(BackendName::Graph, IncidentId::new(77).expect("an id"))
    }

    fn fetched() -> Ready<Outcome<Arc<Findings>>> {
        let value = Arc::new(Findings::unknown());
        ready(Ok(Cached { value, fetched_at: Timestamp::now(), age: Duration::ZERO, state: CacheState::Miss }))
    }

    fn fetched_again() -> impl Future<Output = Outcome<Arc<Findings>>> {
        poll_fn(|_| panic!("fetched again"))
    }

    fn ctx() -> Context {
        Context::new(Deadline::after(Duration::from_secs(10)), "r", None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_is_kept_until_every_item_has_requested_something() {
        let (ctx, shared) = (ctx(), Shared::for_items(3));
        let [first, second, third] = [(); 3].map(|()| RequestScope::for_item(&ctx, shared.clone(), false));
        let mut waiting = Box::pin(first.findings(query(), fetched(), |_| false));
        assert!((&mut waiting).now_or_never().is_none(), "two items have requested nothing");
        drop(third);
        assert!((&mut waiting).now_or_never().is_none(), "one item has requested nothing");
        let equal = second.findings(query(), fetched_again(), |_| false).await.expect("findings");
        assert!(Arc::ptr_eq(&equal.value, &waiting.await.expect("findings").value));
        assert!(shared.findings.outcomes.lock().expect("a lock").is_empty(), "nothing is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_is_kept_for_at_most_half_of_the_time() {
        let (ctx, shared) = (ctx(), Shared::for_items(2));
        let [first, _second] = [(); 2].map(|()| RequestScope::for_item(&ctx, shared.clone(), false));
        first.findings(query(), fetched(), |_| false).await.expect("findings");
        assert_eq!(ctx.deadline.remaining(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_answer_is_kept_without_waiting() {
        let (ctx, shared) = (ctx(), Shared::for_items(2));
        let [first, second] = [(); 2].map(|()| RequestScope::for_item(&ctx, shared.clone(), false));
        assert!(first.findings(query(), fetched(), |_| true).now_or_never().is_some());
        assert!(second.findings(query(), fetched_again(), |_| true).now_or_never().is_some());
    }
}
