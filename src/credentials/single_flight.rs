//! One operation at a time: whoever asks for the same while it runs waits for its outcome.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::{Instant, timeout_at};

use crate::client::Deadline;

/// The operation that runs at the moment, if any.
///
/// It runs as a task of its own, until its own deadline: those who wait may leave, and its outcome is kept all the same.
pub(super) struct SingleFlight<T: Clone> {
    current: Mutex<Option<Current<T>>>,
}

struct Current<T: Clone> {
    outcome: WeakShared<BoxFuture<'static, T>>,
    started: Instant,
    deadline: Deadline,
}

/// An operation that was joined.
pub(super) struct Joined<T: Clone> {
    outcome: Shared<BoxFuture<'static, T>>,
    started: Instant,
    deadline: Deadline,
    /// Whether it was running before.
    pub(super) was_running: bool,
}

/// Deadlines that differ by less are one: a crowd of requests arrives within some milliseconds.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

impl<T: Clone> Default for SingleFlight<T> {
    fn default() -> Self {
        Self { current: Mutex::new(None) }
    }
}

impl<T: Clone> fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the operation that runs, or starts one, which keeps to this deadline. `start` is called under a lock.
    pub(super) fn join_or_start<F>(&self, deadline: Deadline, start: impl FnOnce() -> F) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut current = self.lock();
        if let Some(joined) = current.as_ref().and_then(Current::join) {
            return joined;
        }
        let outcome = start().boxed().shared();
        tokio::spawn(outcome.clone());
        let started = Instant::now();
        *current = outcome.downgrade().map(|outcome| Current { outcome, started, deadline });
        Joined { outcome, started, deadline, was_running: false }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current<T>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Send + Sync + 'static> Current<T> {
    /// `None` where it has ended.
    fn join(&self) -> Option<Joined<T>> {
        let outcome = self.outcome.upgrade().filter(|outcome| outcome.peek().is_none())?;
        Some(Joined { outcome, started: self.started, deadline: self.deadline, was_running: true })
    }
}

impl<T: Clone> Joined<T> {
    /// The outcome; `None` where there is none by then.
    pub(super) async fn by(&self, deadline: Deadline) -> Option<T> {
        timeout_at(deadline.instant(), self.outcome.clone()).await.ok()
    }

    /// Whether somebody else has started it with less time than this deadline leaves: with more, it may go well.
    pub(super) fn had_less_time_than(&self, deadline: Deadline) -> bool {
        self.was_running && self.deadline.instant() + DEADLINE_MARGIN < deadline.instant()
    }

    /// The outcome, as far as it comes within `span` of the operation's start, or in a third of the time that is left.
    pub(super) async fn briefly(&self, span: Duration, deadline: Deadline) -> Option<T> {
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
    async fn a_crowd_shares_one_operation_and_the_next_one_starts_another() {
        let (flight, runs) = (SingleFlight::default(), Arc::new(AtomicU32::new(0)));
        let ask = || async {
            let runs = runs.clone();
            let joined = flight.join_or_start(after(10), || async move {
                sleep(Duration::from_secs(1)).await;
                runs.fetch_add(1, Ordering::Relaxed)
            });
            joined.by(after(10)).await
        };
        assert_eq!(join_all((0..50).map(|_| ask())).await, vec![Some(0); 50]);
        assert_eq!(ask().await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_goes_on_when_nobody_waits_for_it() {
        let (flight, done) = (SingleFlight::default(), Arc::new(AtomicU32::new(0)));
        let inner = done.clone();
        let joined = flight.join_or_start(after(10), || async move {
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
        let ask = || flight.join_or_start(after(10), || sleep(Duration::from_secs(60)));
        let first = ask();
        assert_eq!(first.briefly(Duration::from_secs(1), after(30)).await, None);
        assert_eq!(start.elapsed().as_secs(), 1);
        assert_eq!(ask().briefly(Duration::from_secs(1), after(30)).await, None);
        assert_eq!(start.elapsed().as_secs(), 1, "who comes later does not wait again");
        assert!(ask().had_less_time_than(after(10)) && !first.had_less_time_than(after(30)));
    }
}
