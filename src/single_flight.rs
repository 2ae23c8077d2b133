//! Single flight: while an operation runs, requests for the same key share its outcome.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::{Instant, timeout_at};

use crate::client::Deadline;

/// The operations that currently run, by key.
pub(crate) struct SingleFlight<K, T: Clone> {
    running: Mutex<HashMap<K, Running<T>>>,
}

struct Running<T: Clone> {
    outcome: WeakShared<BoxFuture<'static, T>>,
    started: Instant,
    deadline: Deadline,
}

/// A running operation that a request waits for. Every waiter polls it. So it continues when the request that started it is
/// dropped, and is dropped with the last waiter.
pub(crate) struct Joined<T: Clone> {
    outcome: Shared<BoxFuture<'static, T>>,
    started: Instant,
    deadline: Deadline,
    /// Whether it was already running when this request joined it.
    pub(crate) was_running: bool,
}

/// Deadlines that differ by less count as equal, because concurrent requests arrive within some milliseconds.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

impl<K, T: Clone> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self { running: Mutex::default() }
    }
}

impl<K, T: Clone> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, T: Clone + Send + Sync + 'static> SingleFlight<K, T> {
    /// Joins the running operation of this key, or starts one with this deadline. `start` is called under a lock.
    pub(crate) fn join_or_start<F>(&self, key: K, deadline: Deadline, start: impl FnOnce() -> F) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, operation| operation.join().is_some());
        if let Some(joined) = running.get(&key).and_then(Running::join) {
            return joined;
        }
        let outcome = start().boxed().shared();
        let started = Instant::now();
        if let Some(outcome) = outcome.downgrade() {
            running.insert(key, Running { outcome, started, deadline });
        }
        Joined { outcome, started, deadline, was_running: false }
    }

    /// The same. An operation that starts runs as a separate task until its own deadline. It completes even if all waiters
    /// give up.
    pub(crate) fn join_or_spawn<F>(&self, key: K, deadline: Deadline, start: impl FnOnce() -> F) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let joined = self.join_or_start(key, deadline, start);
        if !joined.was_running {
            tokio::spawn(joined.outcome.clone());
        }
        joined
    }
}

impl<T: Clone + Send + Sync + 'static> Running<T> {
    /// Joins the operation, or returns `None` if it has ended.
    fn join(&self) -> Option<Joined<T>> {
        let outcome = self.outcome.upgrade().filter(|outcome| outcome.peek().is_none())?;
        Some(Joined { outcome, started: self.started, deadline: self.deadline, was_running: true })
    }
}

impl<T: Clone> Joined<T> {
    /// The outcome, or `None` if there is none by the deadline.
    pub(crate) async fn by(&self, deadline: Deadline) -> Option<T> {
        timeout_at(deadline.instant(), self.outcome.clone()).await.ok()
    }

    /// Whether another request started it with an earlier deadline than this one, so that a new attempt may succeed.
    pub(crate) fn had_less_time_than(&self, deadline: Deadline) -> bool {
        self.was_running && self.deadline.instant() + DEADLINE_MARGIN < deadline.instant()
    }

    /// The outcome, if it arrives within `span` of the start of the operation and within a third of the time left.
    pub(crate) async fn briefly(&self, span: Duration, deadline: Deadline) -> Option<T> {
        let end = (self.started + span).min(Instant::now() + deadline.remaining() / 3);
        timeout_at(end, self.outcome.clone()).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    fn after(seconds: u64) -> Deadline {
        Deadline::after(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_for_one_key_share_one_operation() {
        let (flight, runs) = (SingleFlight::default(), Arc::new(AtomicU32::new(0)));
        let request = || async {
            let runs = runs.clone();
            let joined = flight.join_or_start((), after(10), || async move {
                sleep(Duration::from_secs(1)).await;
                runs.fetch_add(1, Ordering::Relaxed)
            });
            joined.by(after(10)).await
        };
        assert_eq!(join_all((0..50).map(|_| request())).await, vec![Some(0); 50]);
        assert_eq!(request().await, Some(1), "a later request starts another operation");
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_continues_without_waiters() {
        let (flight, done) = (SingleFlight::default(), Arc::new(AtomicU32::new(0)));
        let inner = done.clone();
        let joined = flight.join_or_spawn((), after(10), || async move {
            sleep(Duration::from_secs(5)).await;
            inner.fetch_add(1, Ordering::Relaxed)
        });
        assert_eq!(joined.briefly(Duration::from_secs(1), after(10)).await, None);
        drop(joined);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_brief_wait_counts_from_the_start_of_the_operation() {
        let flight = SingleFlight::default();
        let start = Instant::now();
        let join = || flight.join_or_start((), after(10), || sleep(Duration::from_secs(60)));
        let first = join();
        assert_eq!(first.briefly(Duration::from_secs(1), after(30)).await, None);
        assert_eq!(start.elapsed().as_secs(), 1);
        assert_eq!(join().briefly(Duration::from_secs(1), after(30)).await, None);
        assert_eq!(start.elapsed().as_secs(), 1, "a later request does not wait again");
        assert!(join().had_less_time_than(after(10)) && !first.had_less_time_than(after(30)));
    }
}
