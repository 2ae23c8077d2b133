//! How many bytes one request may hold at a time of what comes back: bodies, and what is made of them.
//!
//! What is made of one body is bounded by its length (`Json::spend`), and counted when it is made. So a bound on what is
//! held is a bound on memory.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout_at};

use super::context::Deadline;
use super::error::ClientError;

/// Bytes that all items of a request hold at a time.
const MAX_OF_ALL: usize = 56 << 20;
/// Bytes that one item holds.
const MAX_OF_ONE: usize = 40 << 20;
/// Bytes that an item holds while another has more. Beyond, items go one after the other.
const SMALL: usize = 512 << 10;

/// The bytes that the items of a request share.
#[derive(Debug)]
struct Budget {
    left: Mutex<usize>,
    /// Whichever item reads more than is small holds it.
    turn: Arc<Semaphore>,
    /// The same for what names stand for: items that have their turn may wait for names.
    turn_of_names: Arc<Semaphore>,
}

/// What one item holds of its request's budget. All of it is given back when the share is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    turns: Arc<Semaphore>,
    held: Mutex<usize>,
    turn: AsyncMutex<Option<OwnedSemaphorePermit>>,
}

impl Share {
    /// The share of the only item of a request, or of its first.
    pub(super) fn of_a_new_budget() -> Self {
        let budget = Budget {
            left: Mutex::new(MAX_OF_ALL),
            turn: Arc::new(Semaphore::new(1)),
            turn_of_names: Arc::new(Semaphore::new(1)),
        };
        Self::new(budget.turn.clone(), Arc::new(budget))
    }

    /// The share of another item of the same request.
    pub(super) fn of_the_same_budget(&self) -> Self {
        Self::new(self.budget.turn.clone(), self.budget.clone())
    }

    /// The share of a lookup of what a name stands for.
    pub(super) fn of_a_name(&self) -> Self {
        Self::new(self.budget.turn_of_names.clone(), self.budget.clone())
    }

    fn new(turns: Arc<Semaphore>, budget: Arc<Budget>) -> Self {
        Self { budget, turns, held: Mutex::default(), turn: AsyncMutex::default() }
    }

    /// Takes so many bytes more, when it is this item's turn. `TooLarge`: it would be too much for the item, or for what
    /// the others hold.
    async fn take(&self, bytes: usize, deadline: Deadline) -> Result<(), ClientError> {
        let wanted = self.held().saturating_add(bytes);
        if wanted > MAX_OF_ONE {
            return Err(ClientError::TooLarge);
        }
        if wanted > SMALL {
            timeout_at(deadline.instant(), self.wait_for_turn()).await.map_err(|_| ClientError::TimedOut)?;
        }
        self.hold(bytes)
    }

    /// One item reads several bodies at once, and waits for its turn once.
    async fn wait_for_turn(&self) {
        let mut turn = self.turn.lock().await;
        if turn.is_none() {
            // Never closed.
            *turn = self.turns.clone().acquire_owned().await.ok();
        }
    }

    /// Takes so many bytes more, for something that is there already.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), ClientError> {
        let mut held = self.held();
        if held.saturating_add(bytes) > MAX_OF_ONE {
            return Err(ClientError::TooLarge);
        }
        let mut left = lock(&self.budget.left);
        *left = left.checked_sub(bytes).ok_or(ClientError::TooLarge)?;
        *held += bytes;
        Ok(())
    }

    /// The item is dealt with, and what it holds is kept: another may have its turn.
    pub(super) fn end_turn(&self) {
        // Locked only by who takes: an item that is dealt with takes no more.
        if let Ok(mut turn) = self.turn.try_lock() {
            *turn = None;
        }
    }

    /// Begins to read a body.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { share: self, bytes: 0, is_too_late: false }
    }

    fn give_back(&self, bytes: usize) {
        let mut held = self.held();
        let bytes = bytes.min(*held);
        *held -= bytes;
        let is_small = *held <= SMALL;
        *lock(&self.budget.left) += bytes;
        drop(held);
        if is_small {
            self.end_turn();
        }
    }

    fn held(&self) -> MutexGuard<'_, usize> {
        lock(&self.held)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(usize::MAX);
    }
}

/// A body that is being read. What it has taken is given back, unless it comes to its end.
pub(super) struct Reading<'s> {
    share: &'s Share,
    bytes: usize,
    is_too_late: bool,
}

impl Reading<'_> {
    /// Takes what is missing to so many bytes of the body. `TimedOut`: what comes so late could not be shown in time.
    pub(super) async fn take_up_to(&mut self, bytes: usize, deadline: Deadline) -> Result<(), ClientError> {
        let missing = bytes.saturating_sub(self.bytes);
        if missing > 0 {
            self.share.take(missing, deadline).await?;
            self.bytes += missing;
        }
        self.is_too_late = self.bytes > SMALL && deadline.remaining() < time_to_show(self.bytes);
        if self.is_too_late { Err(ClientError::TimedOut) } else { Ok(()) }
    }

    /// The body did not come to its end, and is dropped.
    pub(super) async fn give_up(mut self, deadline: Deadline) {
        self.share.give_back(mem::take(&mut self.bytes));
        if self.is_too_late {
            // To send it again would take longer still.
            sleep_until(deadline.instant()).await;
        }
    }

    /// The body is whole: the item holds it.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.share.give_back(self.bytes);
        }
    }
}

/// How long it takes at a seventh of a processor to make an answer of so many bytes, which nothing interrupts.
fn time_to_show(bytes: usize) -> Duration {
    const OF_A_KIBIBYTE: Duration = Duration::from_micros(100);
    OF_A_KIBIBYTE.saturating_mul(u32::try_from(bytes >> 10).unwrap_or(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    /// Takes and keeps; `None`: it waits.
    fn take(share: &Share, bytes: usize) -> Option<Result<(), ClientError>> {
        let mut reading = share.reading();
        let outcome = reading.take_up_to(bytes, Deadline::after(LONG)).now_or_never()?;
        reading.keep();
        Some(outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn one_item_holds_so_much_and_no_more() {
        let share = Share::of_a_new_budget();
        assert_eq!(take(&share, 16 << 20), Some(Ok(())));
        assert_eq!(share.hold(MAX_OF_ONE - (16 << 20)), Ok(()), "what is made of a body counts");
        assert_eq!(take(&share, 1), Some(Err(ClientError::TooLarge)));
        assert_eq!(share.hold(1), Err(ClientError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn large_items_go_one_after_the_other_and_small_ones_beside_them() {
        let large = Share::of_a_new_budget();
        let (other, small) = (large.of_the_same_budget(), large.of_the_same_budget());
        assert_eq!(take(&large, 10 << 20), Some(Ok(())));
        assert_eq!(take(&small, SMALL), Some(Ok(())));
        assert_eq!(take(&other, SMALL + 1), None);
        assert_eq!(take(&large.of_a_name(), SMALL + 1), Some(Ok(())), "names wait for names only");
        drop(large);
        assert_eq!(take(&other, 10 << 20), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_turn_past_the_deadline() {
        let large = Share::of_a_new_budget();
        assert_eq!(take(&large, 10 << 20), Some(Ok(())));
        let other = large.of_the_same_budget();
        let waiting = other.take(SMALL + 1, Deadline::after(LONG)).await;
        assert_eq!(waiting, Err(ClientError::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_late_to_be_shown_is_not_read() {
        let share = Share::of_a_new_budget();
        let deadline = Deadline::after(Duration::from_millis(1500));
        let mut reading = share.reading();
        assert_eq!(reading.take_up_to(10 << 20, deadline).await, Ok(()));
        assert_eq!(reading.take_up_to(16 << 20, deadline).await, Err(ClientError::TimedOut));
        let mut waiting = Box::pin(reading.give_up(deadline));
        assert!((&mut waiting).now_or_never().is_none(), "there is no other attempt");
        assert_eq!(take(&share.of_the_same_budget(), MAX_OF_ONE), Some(Ok(())), "it is another's turn");
        waiting.await;
        assert!(deadline.remaining().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_leaves_the_others_less() {
        let first = Share::of_a_new_budget();
        let (second, third) = (first.of_the_same_budget(), first.of_the_same_budget());
        assert_eq!(take(&first, MAX_OF_ONE), Some(Ok(())));
        first.end_turn();
        assert_eq!(take(&second, MAX_OF_ALL - MAX_OF_ONE), Some(Ok(())));
        second.end_turn();
        assert_eq!(take(&third, 1), Some(Err(ClientError::TooLarge)));
        drop(first);
        assert_eq!(take(&third, 1), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_not_read_to_its_end_costs_nothing() {
        let share = Share::of_a_new_budget();
        for _ in 0..3 {
            let mut reading = share.reading();
            assert_eq!(reading.take_up_to(MAX_OF_ONE, Deadline::after(LONG)).now_or_never(), Some(Ok(())));
        }
        assert_eq!(take(&share.of_the_same_budget(), MAX_OF_ONE), Some(Ok(())), "its turn is over as well");
    }
}
