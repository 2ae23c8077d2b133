//! Work that outlives the answer it belongs to: how much of it there may be, until when, and whether this process lives
//! on to do it.
//!
//! Where nothing freezes the process, a task is enough. Lambda freezes it as soon as the answer is out, unless an
//! [`Extension`] of this process still has something to do.

mod extension;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::Uri;
use tokio::sync::watch;
use tokio::time::timeout_at;

pub use extension::{Extension, ExtensionError};

use crate::upstream::Deadline;

/// Far more than one environment of Lambda has at a time; few enough that a caller in a loop does not fill the memory.
const MOST: usize = 64;
/// Answered invocations that are remembered for the extension: more than can be under way in one environment.
const MOST_ANSWERED: usize = 64;

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
pub struct Afterwards(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    extensions_api: Option<Uri>,
    board: watch::Sender<Board>,
}

#[derive(Debug)]
struct Board {
    /// Whether the process goes on when an answer is out.
    lasting: bool,
    under_way: usize,
    /// Invocations whose answer is out, of which the extension has not heard the end; the oldest first.
    answered: VecDeque<String>,
}

impl Afterwards {
    /// `extensions_api` is there where Lambda freezes the process: then nothing outlives an answer, until
    /// [`Afterwards::on_lambda`] has arranged for it.
    pub fn new(extensions_api: Option<Uri>) -> Self {
        let board = Board { lasting: extensions_api.is_none(), under_way: 0, answered: VecDeque::new() };
        Self(Arc::new(Shared { extensions_api, board: watch::Sender::new(board) }))
    }

    /// Arranges with Lambda that work may outlive an answer, if anybody wants that. Elsewhere there is nothing to do.
    ///
    /// To be called while Lambda initialises: once it has been asked for an invocation, it takes no extension. What is
    /// returned has to be [run](Extension::run). Where Lambda refuses, as a local stand-in for it may, the log says so,
    /// and nothing outlives an answer.
    pub async fn on_lambda(&self, wanted: bool) -> Option<Extension> {
        let api = self.0.extensions_api.as_ref().filter(|_| wanted)?;
        let extension = Extension::register(api.clone(), self.clone())
            .await
            .inspect_err(|error| tracing::warn!(%error, "no work can outlive an answer: Lambda takes no extension"))
            .ok()?;
        self.0.board.send_modify(|board| board.lasting = true);
        Some(extension)
    }

    /// Whether work that goes on after an answer will be done.
    pub fn can_outlive_an_answer(&self) -> bool {
        self.0.board.borrow().lasting
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
        self.until(|board| board.under_way == 0).await;
    }

    /// The answer to an invocation is out.
    pub(crate) fn answered(&self, invocation: String) {
        self.0.board.send_modify(|board| {
            if board.answered.len() == MOST_ANSWERED {
                board.answered.pop_front();
            }
            board.answered.push_back(invocation);
        });
    }

    /// Waits until an invocation is answered, and no work is left.
    async fn over(&self, invocation: &str) {
        self.until(|board| board.under_way == 0 && board.answered.iter().any(|answered| answered == invocation)).await;
        self.0.board.send_modify(|board| board.answered.retain(|answered| answered != invocation));
    }

    async fn until(&self, holds: impl FnMut(&Board) -> bool) {
        // The sender is ours: it is not closed while somebody waits.
        drop(self.0.board.subscribe().wait_for(holds).await);
    }

    fn take_place(&self) -> Result<Place, Refusal> {
        let mut refusal = None;
        self.0.board.send_if_modified(|board| {
            refusal = match board {
                Board { lasting: false, .. } => Some(Refusal::Frozen),
                Board { under_way: MOST.., .. } => Some(Refusal::Crowded),
                Board { .. } => None,
            };
            board.under_way += usize::from(refusal.is_none());
            refusal.is_none()
        });
        refusal.map_or_else(|| Ok(Place(self.clone())), Err)
    }
}

/// One piece of work that is under way.
struct Place(Afterwards);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.board.send_modify(|board| board.under_way -= 1);
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

    fn lasting() -> Afterwards {
        Afterwards::new(None)
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
        let afterwards = lasting();
        afterwards.idle().await;
        let (first, second) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        for end in [first.1, second.1] {
            let work = async { drop(end.await) };
            afterwards.spawn("test", Deadline::after(SOON), work).expect("a place");
        }
        drop(first.0);
        assert!(!is_ready(afterwards.idle()).await, "the second is under way");
        drop(second.0);
        assert!(is_ready(afterwards.idle()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_is_cut_off_at_its_deadline() {
        let afterwards = lasting();
        let (held, freed) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            pending::<()>().await;
        };
        let begin = Instant::now();
        afterwards.spawn("test", Deadline::after(SOON), work).expect("a place");
        afterwards.idle().await;
        assert_eq!(begin.elapsed().as_secs(), SOON.as_secs());
        assert!(freed.now_or_never().is_some(), "what it held is free before the place is");
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_and_nothing_else() {
        let afterwards = lasting();
        afterwards.spawn("test", Deadline::after(SOON), async { panic!("as a test wants it") }).expect("a place");
        afterwards.idle().await;
        assert_eq!(afterwards.spawn("test", Deadline::after(SOON), async {}), Ok(()));
    }

    #[tokio::test]
    async fn work_is_bounded_in_number() {
        let afterwards = lasting();
        let spawn = || afterwards.spawn("test", Deadline::after(SOON), pending());
        assert!((0..MOST).all(|_| spawn().is_ok()));
        assert_eq!(spawn(), Err(Refusal::Crowded));
    }

    #[tokio::test]
    async fn where_lambda_freezes_the_process_nothing_is_begun() {
        let afterwards = Afterwards::new(Some(Uri::from_static("127.0.0.1:9")));
        assert!(afterwards.on_lambda(false).await.is_none());
        assert!(!afterwards.can_outlive_an_answer());
        assert_eq!(afterwards.spawn("test", Deadline::after(SOON), async {}), Err(Refusal::Frozen));
    }

    #[tokio::test]
    async fn an_invocation_is_over_when_it_is_answered_and_its_work_is_done() {
        let afterwards = lasting();
        let (end, ended) = oneshot::channel::<()>();
        assert!(!is_ready(afterwards.over("a")).await, "it is not answered yet, though nothing is under way");
        afterwards.spawn("test", Deadline::after(SOON), async { drop(ended.await) }).expect("a place");
        afterwards.answered("a".to_owned());
        assert!(!is_ready(afterwards.over("a")).await, "its work is under way");
        drop(end);
        assert!(is_ready(afterwards.over("a")).await);
        assert!(!is_ready(afterwards.over("a")).await, "each is over once");
    }

    #[tokio::test]
    async fn of_invocations_at_once_each_is_over_by_its_own_answer() {
        let afterwards = lasting();
        afterwards.answered("b".to_owned());
        assert!(!is_ready(afterwards.over("a")).await);
        assert!(is_ready(afterwards.over("b")).await);
        afterwards.answered("a".to_owned());
        assert!(is_ready(afterwards.over("a")).await);
    }

    #[tokio::test]
    async fn invocations_that_nobody_asks_about_are_forgotten() {
        let afterwards = lasting();
        for number in 0..=MOST_ANSWERED {
            afterwards.answered(number.to_string());
        }
        assert!(!is_ready(afterwards.over("0")).await);
        assert!(is_ready(afterwards.over("1")).await);
    }
}
