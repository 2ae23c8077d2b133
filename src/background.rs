//! Background tasks that outlive the answer they belong to: their number, their deadlines, and whether the process runs
//! long enough for them.
//!
//! Outside Lambda a spawned task is enough. Lambda freezes the process as soon as the answer is sent, unless an
//! extension in this process still waits for work.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::Uri;
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::client::Deadline;

/// Far more tasks than one Lambda environment has at a time, and few enough that a caller in a loop cannot fill the
/// memory.
const MAX_TASKS: usize = 64;
/// Answered invocations that are remembered for the extension: more than one environment serves concurrently.
const MAX_ANSWERED: usize = 64;

/// Why a task was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// Lambda freezes the process as soon as the answer is sent.
    #[error("nothing here outlives an answer")]
    Frozen,
    /// Too many tasks are running.
    #[error("too much is under way already")]
    TooManyTasks,
}

/// The background tasks of this process.
#[derive(Clone, Debug)]
pub struct BackgroundTasks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    extensions_api: Option<Uri>,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct State {
    /// Whether the process continues to run after an answer is sent.
    outlives_answers: bool,
    running: usize,
    /// Answered invocations that the extension has not completed, the oldest first.
    answered: VecDeque<String>,
}

impl BackgroundTasks {
    /// `extensions_api` is set if Lambda freezes the process. Then no task outlives an answer until an extension is
    /// registered.
    pub fn new(extensions_api: Option<Uri>) -> Self {
        let state = State { outlives_answers: extensions_api.is_none(), running: 0, answered: VecDeque::new() };
        Self(Arc::new(Shared { extensions_api, state: watch::Sender::new(state) }))
    }

    /// The address of Lambda's Extensions API, if Lambda freezes this process.
    pub(crate) fn extensions_api(&self) -> Option<&Uri> {
        self.0.extensions_api.as_ref()
    }

    /// Allows tasks to outlive answers, because a registered extension makes Lambda wait for them.
    pub(crate) fn outlive_answers(&self) {
        self.0.state.send_modify(|state| state.outlives_answers = true);
    }

    /// Whether a task can run to its end after an answer is sent.
    pub fn can_outlive_an_answer(&self) -> bool {
        self.0.state.borrow().outlives_answers
    }

    /// Starts a task that may outlive the answer to its request. It is cancelled at the deadline. `name` is for the
    /// log. A deadline after that of the invocation has no effect, because Lambda ends the environment first.
    pub fn spawn(
        &self,
        name: &'static str,
        deadline: Deadline,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), SpawnError> {
        let slot = self.take_slot()?;
        tokio::spawn(async move {
            // Released after the work and everything that it holds are dropped.
            let _slot = slot;
            match timeout_at(deadline.instant(), AssertUnwindSafe(work).catch_unwind()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!(name, "work after an answer has panicked"),
                Err(_) => tracing::warn!(name, "work after an answer was cut off at its deadline"),
            }
        });
        Ok(())
    }

    /// Waits until no task is running.
    pub async fn idle(&self) {
        self.wait_until(|state| state.running == 0).await;
    }

    /// Records that the answer to an invocation is sent.
    pub(crate) fn answered(&self, invocation: String) {
        self.0.state.send_modify(|state| {
            if state.answered.len() == MAX_ANSWERED {
                state.answered.pop_front();
            }
            state.answered.push_back(invocation);
        });
    }

    /// Waits until an invocation is answered and no task is running.
    pub(crate) async fn completed(&self, invocation: &str) {
        self.wait_until(|state| state.running == 0 && state.answered.iter().any(|answered| answered == invocation))
            .await;
        self.0.state.send_modify(|state| state.answered.retain(|answered| answered != invocation));
    }

    async fn wait_until(&self, holds: impl FnMut(&State) -> bool) {
        // `self` owns the sender, so the channel is not closed while anyone waits.
        drop(self.0.state.subscribe().wait_for(holds).await);
    }

    fn take_slot(&self) -> Result<TaskSlot, SpawnError> {
        let mut error = None;
        self.0.state.send_if_modified(|state| {
            error = match state {
                State { outlives_answers: false, .. } => Some(SpawnError::Frozen),
                State { running: MAX_TASKS.., .. } => Some(SpawnError::TooManyTasks),
                State { .. } => None,
            };
            state.running += usize::from(error.is_none());
            error.is_none()
        });
        error.map_or_else(|| Ok(TaskSlot(self.clone())), Err)
    }
}

/// A running task. Dropping it frees its slot.
struct TaskSlot(BackgroundTasks);

impl Drop for TaskSlot {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    const TASK_TIME: Duration = Duration::from_secs(5);

    fn unfrozen() -> BackgroundTasks {
        BackgroundTasks::new(None)
    }

    /// Whether a future completes without further events.
    async fn is_ready(waiting: impl Future<Output = ()>) -> bool {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        waiting.now_or_never().is_some()
    }

    #[tokio::test]
    async fn idle_waits_for_the_last_task() {
        let tasks = unfrozen();
        tasks.idle().await;
        let (first, second) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        for end in [first.1, second.1] {
            let work = async { drop(end.await) };
            tasks.spawn("test", Deadline::after(TASK_TIME), work).expect("a slot");
        }
        drop(first.0);
        assert!(!is_ready(tasks.idle()).await, "the second task is running");
        drop(second.0);
        assert!(is_ready(tasks.idle()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_task_is_cancelled_at_its_deadline() {
        let tasks = unfrozen();
        let (held, freed) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            pending::<()>().await;
        };
        let begin = Instant::now();
        tasks.spawn("test", Deadline::after(TASK_TIME), work).expect("a slot");
        tasks.idle().await;
        assert_eq!(begin.elapsed().as_secs(), TASK_TIME.as_secs());
        assert!(freed.now_or_never().is_some(), "the values that the task holds are dropped before its slot is free");
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_task() {
        let tasks = unfrozen();
        tasks.spawn("test", Deadline::after(TASK_TIME), async { panic!("as a test wants it") }).expect("a slot");
        tasks.idle().await;
        assert_eq!(tasks.spawn("test", Deadline::after(TASK_TIME), async {}), Ok(()));
    }

    #[tokio::test]
    async fn the_number_of_tasks_is_limited() {
        let tasks = unfrozen();
        let spawn = || tasks.spawn("test", Deadline::after(TASK_TIME), pending());
        assert!((0..MAX_TASKS).all(|_| spawn().is_ok()));
        assert_eq!(spawn(), Err(SpawnError::TooManyTasks));
    }

    #[tokio::test]
    async fn no_task_is_started_if_lambda_freezes_the_process() {
        let tasks = BackgroundTasks::new(Some(Uri::from_static("127.0.0.1:9")));
        assert!(!tasks.can_outlive_an_answer());
        assert_eq!(tasks.spawn("test", Deadline::after(TASK_TIME), async {}), Err(SpawnError::Frozen));
    }

    #[tokio::test]
    async fn an_invocation_is_completed_when_it_is_answered_and_its_tasks_are_done() {
        let tasks = unfrozen();
        let (end, ended) = oneshot::channel::<()>();
        assert!(!is_ready(tasks.completed("a")).await, "it is not answered yet, though no task is running");
        tasks.spawn("test", Deadline::after(TASK_TIME), async { drop(ended.await) }).expect("a slot");
        tasks.answered("a".to_owned());
        assert!(!is_ready(tasks.completed("a")).await, "its task is running");
        drop(end);
        assert!(is_ready(tasks.completed("a")).await);
        assert!(!is_ready(tasks.completed("a")).await, "an invocation is completed only once");
    }

    #[tokio::test]
    async fn concurrent_invocations_are_completed_by_their_own_answers() {
        let tasks = unfrozen();
        tasks.answered("b".to_owned());
        assert!(!is_ready(tasks.completed("a")).await);
        assert!(is_ready(tasks.completed("b")).await);
        tasks.answered("a".to_owned());
        assert!(is_ready(tasks.completed("a")).await);
    }

    #[tokio::test]
    async fn the_oldest_answered_invocations_are_forgotten() {
        let tasks = unfrozen();
        for number in 0..=MAX_ANSWERED {
            tasks.answered(number.to_string());
        }
        assert!(!is_ready(tasks.completed("0")).await);
        assert!(is_ready(tasks.completed("1")).await);
    }
}
