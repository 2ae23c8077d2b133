//! Work that outlives the answer it belongs to: how much of it there may be, until when, and whether this process lives
//! on to do it.
//!
//! Where nothing freezes the process, a task is enough. Lambda freezes it as soon as the answer is out, unless an
//! extension of this process still has something to do.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::Uri;
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::client::Deadline;

/// Far more than one environment of Lambda has at a time; few enough that a caller in a loop does not fill the memory.
const MOST: usize = 64;
/// Answered invocations that are remembered for the extension: more than can be under way in one environment.
const MAX_ANSWERED: usize = 64;

/// Why work was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The process is frozen as soon as its answer is out.
    #[error("nothing here outlives an answer")]
    Frozen,
    /// There is too much of it already.
    #[error("too much is under way already")]
    Crowded,
}

/// The work of this process that outlives its answers.
#[derive(Clone, Debug)]
pub struct BackgroundTasks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    extensions_api: Option<Uri>,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct State {
    /// Whether the process goes on when an answer is out.
    lasting: bool,
    under_way: usize,
    /// Invocations whose answer is out, of which the extension has not heard the end; the oldest first.
    answered: VecDeque<String>,
}

impl BackgroundTasks {
    /// `extensions_api` is there where Lambda freezes the process: then nothing outlives an answer, until
    /// an extension of this process has arranged for it.
    pub fn new(extensions_api: Option<Uri>) -> Self {
        let state = State { lasting: extensions_api.is_none(), under_way: 0, answered: VecDeque::new() };
        Self(Arc::new(Shared { extensions_api, state: watch::Sender::new(state) }))
    }

    /// Where Lambda takes extensions, if it freezes this process.
    pub(crate) fn extensions_api(&self) -> Option<&Uri> {
        self.0.extensions_api.as_ref()
    }

    /// From now on an extension of this process makes Lambda wait for the work.
    pub(crate) fn outlive_answers(&self) {
        self.0.state.send_modify(|state| state.lasting = true);
    }

    /// Whether work that goes on after an answer will be done.
    pub fn can_outlive_an_answer(&self) -> bool {
        self.0.state.borrow().lasting
    }

    /// Begins work that may outlive the answer to the request it belongs to; at the deadline it is cut off. `name` is for
    /// the log. A deadline after the invocation's own is of no use: Lambda's end comes first.
    pub fn spawn(
        &self,
        name: &'static str,
        deadline: Deadline,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Refusal> {
        let place = self.take_place()?;
        tokio::spawn(async move {
            // Left after the work is dropped, with all that it holds.
            let _place = place;
            match timeout_at(deadline.instant(), AssertUnwindSafe(work).catch_unwind()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!(name, "work after an answer has panicked"),
                Err(_) => tracing::warn!(name, "work after an answer was cut off at its deadline"),
            }
        });
        Ok(())
    }

    /// Waits until no work is left.
    pub async fn idle(&self) {
        self.until(|state| state.under_way == 0).await;
    }

    /// The answer to an invocation is out.
    pub(crate) fn answered(&self, invocation: String) {
        self.0.state.send_modify(|state| {
            if state.answered.len() == MAX_ANSWERED {
                state.answered.pop_front();
            }
            state.answered.push_back(invocation);
        });
    }

    /// Waits until an invocation is answered, and no work is left.
    pub(crate) async fn over(&self, invocation: &str) {
        self.until(|state| state.under_way == 0 && state.answered.iter().any(|answered| answered == invocation)).await;
        self.0.state.send_modify(|state| state.answered.retain(|answered| answered != invocation));
    }

    async fn until(&self, holds: impl FnMut(&State) -> bool) {
        // The sender is ours: it is not closed while somebody waits.
        drop(self.0.state.subscribe().wait_for(holds).await);
    }

    fn take_place(&self) -> Result<Place, Refusal> {
        let mut refusal = None;
        self.0.state.send_if_modified(|state| {
            refusal = match state {
                State { lasting: false, .. } => Some(Refusal::Frozen),
                State { under_way: MOST.., .. } => Some(Refusal::Crowded),
                State { .. } => None,
            };
            state.under_way += usize::from(refusal.is_none());
            refusal.is_none()
        });
        refusal.map_or_else(|| Ok(Place(self.clone())), Err)
    }
}

/// One piece of work that is under way.
struct Place(BackgroundTasks);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn lasting() -> BackgroundTasks {
        BackgroundTasks::new(None)
    }

    /// Whether something has come to pass by itself.
    async fn is_ready(waiting: impl Future<Output = ()>) -> bool {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        waiting.now_or_never().is_some()
    }

    #[tokio::test]
    async fn idle_comes_when_the_last_work_is_done() {
        let tasks = lasting();
        tasks.idle().await;
        let (first, second) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        for end in [first.1, second.1] {
            let work = async { drop(end.await) };
            tasks.spawn("test", Deadline::after(SOON), work).expect("a place");
        }
        drop(first.0);
        assert!(!is_ready(tasks.idle()).await, "the second is under way");
        drop(second.0);
        assert!(is_ready(tasks.idle()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_is_cut_off_at_its_deadline() {
        let tasks = lasting();
        let (held, freed) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            pending::<()>().await;
        };
        let begin = Instant::now();
        tasks.spawn("test", Deadline::after(SOON), work).expect("a place");
        tasks.idle().await;
        assert_eq!(begin.elapsed().as_secs(), SOON.as_secs());
        assert!(freed.now_or_never().is_some(), "what it held is free before the place is");
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_and_nothing_else() {
        let tasks = lasting();
        tasks.spawn("test", Deadline::after(SOON), async { panic!("as a test wants it") }).expect("a place");
        tasks.idle().await;
        assert_eq!(tasks.spawn("test", Deadline::after(SOON), async {}), Ok(()));
    }

    #[tokio::test]
    async fn work_is_bounded_in_number() {
        let tasks = lasting();
        let spawn = || tasks.spawn("test", Deadline::after(SOON), pending());
        assert!((0..MOST).all(|_| spawn().is_ok()));
        assert_eq!(spawn(), Err(Refusal::Crowded));
    }

    #[tokio::test]
    async fn where_lambda_freezes_the_process_nothing_is_begun() {
        let tasks = BackgroundTasks::new(Some(Uri::from_static("127.0.0.1:9")));
        assert!(!tasks.can_outlive_an_answer());
        assert_eq!(tasks.spawn("test", Deadline::after(SOON), async {}), Err(Refusal::Frozen));
    }

    #[tokio::test]
    async fn an_invocation_is_over_when_it_is_answered_and_its_work_is_done() {
        let tasks = lasting();
        let (end, ended) = oneshot::channel::<()>();
        assert!(!is_ready(tasks.over("a")).await, "it is not answered yet, though nothing is under way");
        tasks.spawn("test", Deadline::after(SOON), async { drop(ended.await) }).expect("a place");
        tasks.answered("a".to_owned());
        assert!(!is_ready(tasks.over("a")).await, "its work is under way");
        drop(end);
        assert!(is_ready(tasks.over("a")).await);
        assert!(!is_ready(tasks.over("a")).await, "each is over once");
    }

    #[tokio::test]
    async fn of_invocations_at_once_each_is_over_by_its_own_answer() {
        let tasks = lasting();
        tasks.answered("b".to_owned());
        assert!(!is_ready(tasks.over("a")).await);
        assert!(is_ready(tasks.over("b")).await);
        tasks.answered("a".to_owned());
        assert!(is_ready(tasks.over("a")).await);
    }

    #[tokio::test]
    async fn invocations_that_nobody_asks_about_are_forgotten() {
        let tasks = lasting();
        for number in 0..=MAX_ANSWERED {
            tasks.answered(number.to_string());
        }
        assert!(!is_ready(tasks.over("0")).await);
        assert!(is_ready(tasks.over("1")).await);
    }
}
