//! Limits the bytes that one request holds in memory: response bodies, and the values parsed from them.
//!
//! The length of a body limits the size of the values parsed from it (`Json::spend`), and these values count against
//! the budget as soon as they exist. Therefore a limit on the bytes held is a limit on memory.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout_at};

use super::context::Deadline;
use super::error::ClientError;

/// Bytes that all items of a request together may hold.
const MAX_REQUEST_BYTES: usize = 56 << 20;
/// Bytes that one item may hold.
const MAX_ITEM_BYTES: usize = 40 << 20;
/// Bytes that an item may hold without waiting for its turn. Larger items are read one after the other.
const MAX_SMALL_ITEM_BYTES: usize = 512 << 10;

/// The byte budget that all items of one request share.
#[derive(Debug)]
struct Budget {
    available: Mutex<usize>,
    /// The item that holds more than `MAX_SMALL_ITEM_BYTES` holds its permit.
    turn: Arc<Semaphore>,
    /// The same for name lookups. They need their own semaphore because an item that has its turn may wait for a name
    /// lookup.
    name_lookup_turn: Arc<Semaphore>,
}

/// The bytes that one item holds of the budget of its request. Dropping the share releases all of them.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    turns: Arc<Semaphore>,
    held: Mutex<usize>,
    turn: AsyncMutex<Option<OwnedSemaphorePermit>>,
}

impl Share {
    /// The share of the first item of a request, with a new budget.
    pub(super) fn with_new_budget() -> Self {
        let budget = Budget {
            available: Mutex::new(MAX_REQUEST_BYTES),
            turn: Arc::new(Semaphore::new(1)),
            name_lookup_turn: Arc::new(Semaphore::new(1)),
        };
        Self::new(budget.turn.clone(), Arc::new(budget))
    }

    /// The share of another item of the same request.
    pub(super) fn for_another_item(&self) -> Self {
        Self::new(self.budget.turn.clone(), self.budget.clone())
    }

    /// The share of a name lookup.
    pub(super) fn for_name_lookup(&self) -> Self {
        Self::new(self.budget.name_lookup_turn.clone(), self.budget.clone())
    }

    fn new(turns: Arc<Semaphore>, budget: Arc<Budget>) -> Self {
        Self { budget, turns, held: Mutex::default(), turn: AsyncMutex::default() }
    }

    /// Reserves more bytes, and first waits for this item's turn if the item becomes large. Fails with `TooLarge` where
    /// the bytes exceed the limit of the item or the budget that the other items leave.
    async fn take(&self, bytes: usize, deadline: Deadline) -> Result<(), ClientError> {
        let total = self.held().saturating_add(bytes);
        if total > MAX_ITEM_BYTES {
            return Err(ClientError::TooLarge);
        }
        if total > MAX_SMALL_ITEM_BYTES {
            timeout_at(deadline.instant(), self.wait_for_turn()).await.map_err(|_| ClientError::TimedOut)?;
        }
        self.hold(bytes)
    }

    /// Waits for the turn of this item. An item that reads several bodies concurrently takes one permit for all of
    /// them.
    async fn wait_for_turn(&self) {
        let mut turn = self.turn.lock().await;
        if turn.is_none() {
            // `acquire_owned` fails only on a closed semaphore, and nothing closes this one.
            *turn = self.turns.clone().acquire_owned().await.ok();
        }
    }

    /// Reserves more bytes for values that exist already, without waiting.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), ClientError> {
        let mut held = self.held();
        if held.saturating_add(bytes) > MAX_ITEM_BYTES {
            return Err(ClientError::TooLarge);
        }
        let mut available = lock(&self.budget.available);
        *available = available.checked_sub(bytes).ok_or(ClientError::TooLarge)?;
        *held += bytes;
        Ok(())
    }

    /// Lets the next large item begin. This item keeps the bytes that it holds.
    pub(super) fn end_turn(&self) {
        // Only `take` locks it, and an item that ends its turn takes no more bytes.
        if let Ok(mut turn) = self.turn.try_lock() {
            *turn = None;
        }
    }

    /// Starts the reservation for one body.
    pub(super) fn reserve_for_body(&self) -> BodyReservation<'_> {
        BodyReservation { share: self, bytes: 0, is_too_late: false }
    }

    fn release(&self, bytes: usize) {
        let mut held = self.held();
        let bytes = bytes.min(*held);
        *held -= bytes;
        let is_small = *held <= MAX_SMALL_ITEM_BYTES;
        *lock(&self.budget.available) += bytes;
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
        self.release(usize::MAX);
    }
}

/// The reservation for a body that is being read. Dropping it before `keep` releases the bytes.
pub(super) struct BodyReservation<'s> {
    share: &'s Share,
    bytes: usize,
    is_too_late: bool,
}

impl BodyReservation<'_> {
    /// Raises the reservation to `bytes`. Fails with `TimedOut` where the time left is too short to render an answer of
    /// this size.
    pub(super) async fn take_up_to(&mut self, bytes: usize, deadline: Deadline) -> Result<(), ClientError> {
        let missing = bytes.saturating_sub(self.bytes);
        if missing > 0 {
            self.share.take(missing, deadline).await?;
            self.bytes += missing;
        }
        self.is_too_late = self.bytes > MAX_SMALL_ITEM_BYTES && deadline.remaining() < rendering_time(self.bytes);
        if self.is_too_late { Err(ClientError::TimedOut) } else { Ok(()) }
    }

    /// Releases the bytes of a body that was not read to its end.
    pub(super) async fn give_up(mut self, deadline: Deadline) {
        self.share.release(mem::take(&mut self.bytes));
        if self.is_too_late {
            // Waits for the deadline, so that no retry follows: it would take even longer.
            sleep_until(deadline.instant()).await;
        }
    }

    /// Leaves the bytes of a complete body with the item.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for BodyReservation<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.share.release(self.bytes);
        }
    }
}

/// The time that rendering an answer of this size takes on a seventh of a processor. Nothing can interrupt it.
fn rendering_time(bytes: usize) -> Duration {
    const RENDERING_TIME_PER_KIBIBYTE: Duration = Duration::from_micros(100);
    RENDERING_TIME_PER_KIBIBYTE.saturating_mul(u32::try_from(bytes >> 10).unwrap_or(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    /// Reserves and keeps bytes. Returns `None` if the reservation has to wait.
    fn take(share: &Share, bytes: usize) -> Option<Result<(), ClientError>> {
        let mut reservation = share.reserve_for_body();
        let outcome = reservation.take_up_to(bytes, Deadline::after(LONG)).now_or_never()?;
        reservation.keep();
        Some(outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn one_item_cannot_exceed_its_limit() {
        let share = Share::with_new_budget();
        assert_eq!(take(&share, 16 << 20), Some(Ok(())));
        assert_eq!(share.hold(MAX_ITEM_BYTES - (16 << 20)), Ok(()), "parsed values count");
        assert_eq!(take(&share, 1), Some(Err(ClientError::TooLarge)));
        assert_eq!(share.hold(1), Err(ClientError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn large_items_are_read_one_after_the_other_and_small_ones_concurrently() {
        let large = Share::with_new_budget();
        let (other, small) = (large.for_another_item(), large.for_another_item());
        assert_eq!(take(&large, 10 << 20), Some(Ok(())));
        assert_eq!(take(&small, MAX_SMALL_ITEM_BYTES), Some(Ok(())));
        assert_eq!(take(&other, MAX_SMALL_ITEM_BYTES + 1), None);
        assert_eq!(
            take(&large.for_name_lookup(), MAX_SMALL_ITEM_BYTES + 1),
            Some(Ok(())),
            "name lookups wait only for each other"
        );
        drop(large);
        assert_eq!(take(&other, 10 << 20), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_ends_at_the_deadline() {
        let large = Share::with_new_budget();
        assert_eq!(take(&large, 10 << 20), Some(Ok(())));
        let other = large.for_another_item();
        let waiting = other.take(MAX_SMALL_ITEM_BYTES + 1, Deadline::after(LONG)).await;
        assert_eq!(waiting, Err(ClientError::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_too_late_to_be_rendered_is_given_up() {
        let share = Share::with_new_budget();
        let deadline = Deadline::after(Duration::from_millis(1500));
        let mut reservation = share.reserve_for_body();
        assert_eq!(reservation.take_up_to(10 << 20, deadline).await, Ok(()));
        assert_eq!(reservation.take_up_to(16 << 20, deadline).await, Err(ClientError::TimedOut));
        let mut waiting = Box::pin(reservation.give_up(deadline));
        assert!((&mut waiting).now_or_never().is_none(), "there is no other attempt");
        assert_eq!(take(&share.for_another_item(), MAX_ITEM_BYTES), Some(Ok(())), "the next item has its turn");
        waiting.await;
        assert!(deadline.remaining().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_an_item_keeps_reduce_the_budget_of_the_others() {
        let first = Share::with_new_budget();
        let (second, third) = (first.for_another_item(), first.for_another_item());
        assert_eq!(take(&first, MAX_ITEM_BYTES), Some(Ok(())));
        first.end_turn();
        assert_eq!(take(&second, MAX_REQUEST_BYTES - MAX_ITEM_BYTES), Some(Ok(())));
        second.end_turn();
        assert_eq!(take(&third, 1), Some(Err(ClientError::TooLarge)));
        drop(first);
        assert_eq!(take(&third, 1), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn an_incomplete_body_releases_its_bytes() {
        let share = Share::with_new_budget();
        for _ in 0..3 {
            let mut reservation = share.reserve_for_body();
            assert_eq!(reservation.take_up_to(MAX_ITEM_BYTES, Deadline::after(LONG)).now_or_never(), Some(Ok(())));
        }
        assert_eq!(take(&share.for_another_item(), MAX_ITEM_BYTES), Some(Ok(())), "its turn has ended as well");
    }
}
