//! Deliveries that were here before: each is dealt with once, and a repetition gets the answer of the first time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::lru::LruCache;
use crate::client::Deadline;
use crate::domain::timestamp::Timestamp;

/// Deliveries that are remembered: more than come in the time in which one is repeated, and little memory.
const MAX_DELIVERIES: usize = 4096;
/// `PagerDuty` delivers again for two days, but an environment of Lambda hardly lives for hours.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of answers that are kept for repetitions: two of the largest that a front door lets through.
const MAX_REPLY_BYTES: usize = 10 << 20;
/// What an answer takes beside its body.
const REPLY_OVERHEAD_BYTES: usize = 512;

/// A digest, so that nobody's ids can be long.
type Key = [u8; 32];

/// What was delivered, and what was answered.
#[derive(Debug)]
pub(crate) struct SeenDeliveries<R> {
    /// Dealt with.
    known: LruCache<Key, ()>,
    /// Their answers, as far as there is room for them.
    replies: LruCache<Key, R>,
    /// Being dealt with, each with an answer for the time being.
    pending: Mutex<HashMap<Key, watch::Sender<Option<R>>>>,
}

/// What is known of a delivery.
#[derive(Debug)]
pub(crate) enum Delivery<R> {
    /// Nothing: it is the claim's holder who deals with it.
    New(Claim<R>),
    /// Somebody deals with it.
    Pending(Pending<R>),
    /// It was dealt with; `None`: the answer is not remembered any more.
    Known(Option<R>),
}

/// The right to deal with a delivery. Dropped, the delivery counts as never seen, and is dealt with when it comes again.
#[derive(Debug)]
pub(crate) struct Claim<R> {
    deliveries: Arc<SeenDeliveries<R>>,
    key: Key,
}

/// A delivery that somebody else deals with.
#[derive(Debug)]
pub(crate) struct Pending<R>(watch::Receiver<Option<R>>);

impl<R: Clone> SeenDeliveries<R> {
    pub(crate) fn new() -> Self {
        Self {
            known: LruCache::new(MAX_DELIVERIES, REMEMBERED),
            replies: LruCache::new(MAX_REPLY_BYTES, REMEMBERED),
            pending: Mutex::default(),
        }
    }

    /// What is known of this sender's delivery; from now on it is known.
    pub(crate) fn claim(self: &Arc<Self>, sender: &str, id: &[u8]) -> Delivery<R> {
        let key = key(sender, id);
        let mut pending = self.pending();
        if let Some(first) = pending.get(&key) {
            return Delivery::Pending(Pending(first.subscribe()));
        }
        if self.known.get(&key, Timestamp::now()).is_some() {
            return Delivery::Known(self.replies.get(&key, Timestamp::now()));
        }
        pending.insert(key, watch::Sender::new(None));
        Delivery::New(Claim { deliveries: self.clone(), key })
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<Option<R>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Claim<R> {
    /// What a repetition is answered until the delivery is dealt with.
    pub(crate) fn answer_meanwhile(&self, reply: R)
    where
        R: Clone,
    {
        if let Some(pending) = self.deliveries.pending().get(&self.key) {
            pending.send_replace(Some(reply));
        }
    }

    /// The delivery is dealt with: repetitions get this answer, of so many bytes.
    pub(crate) fn settle(self, reply: R, bytes: usize)
    where
        R: Clone,
    {
        let now = Timestamp::now();
        self.deliveries.replies.put(self.key, reply, bytes + REPLY_OVERHEAD_BYTES, now);
        self.deliveries.known.put(self.key, (), 1, now);
    }
}

impl<R> Drop for Claim<R> {
    fn drop(&mut self) {
        self.deliveries.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<R: Clone> Pending<R> {
    /// Waits until the delivery is dealt with, or given up: then it can be claimed again. If that takes longer: what it
    /// was answered so far.
    pub(crate) async fn settled(mut self, until: Deadline) -> Result<(), Option<R>> {
        // The sender is dropped with the claim.
        let ended = async { while self.0.changed().await.is_ok() {} };
        match timeout_at(until.instant(), ended).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.0.borrow().clone()),
        }
    }
}

fn key(sender: &str, id: &[u8]) -> Key {
    let digest = digest(&SHA256, &[sender.as_bytes(), b"\0", id].concat());
    let mut key = Key::default();
    key.copy_from_slice(digest.as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliveries() -> Arc<SeenDeliveries<&'static str>> {
        Arc::new(SeenDeliveries::new())
    }

    fn claimed(deliveries: &Arc<SeenDeliveries<&'static str>>, sender: &str, id: &[u8]) -> Claim<&'static str> {
        match deliveries.claim(sender, id) {
            Delivery::New(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    #[test]
    fn a_delivery_is_dealt_with_once_for_each_sender() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle("done", 4);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(Some("done"))));
        drop(claimed(&deliveries, "b", b"1"));
        drop(claimed(&deliveries, "a", b"2"));
    }

    #[test]
    fn a_delivery_that_was_given_up_is_new_again() {
        let deliveries = deliveries();
        drop(claimed(&deliveries, "a", b"1"));
        claimed(&deliveries, "a", b"1").settle("done", 4);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(Some("done"))));
    }

    #[test]
    fn an_answer_without_room_is_forgotten_and_its_delivery_is_not() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle("long", MAX_REPLY_BYTES + 1);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(None)));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let deliveries = deliveries();
        for number in 0..=MAX_DELIVERIES {
            claimed(&deliveries, "a", &number.to_be_bytes()).settle("done", 0);
        }
        assert!(matches!(deliveries.claim("a", &MAX_DELIVERIES.to_be_bytes()), Delivery::Known(_)));
        drop(claimed(&deliveries, "a", &0_usize.to_be_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repetition_waits_for_the_first_and_no_longer_than_it_may() {
        let deliveries = deliveries();
        let claim = claimed(&deliveries, "a", b"1");
        let joined = || match deliveries.claim("a", b"1") {
            Delivery::Pending(pending) => pending,
            other => panic!("{other:?}"),
        };
        assert_eq!(joined().settled(soon()).await, Err(None));
        claim.answer_meanwhile("wait");
        assert_eq!(joined().settled(soon()).await, Err(Some("wait")));
        let waiting = joined();
        claim.settle("done", 4);
        assert_eq!(waiting.settled(soon()).await, Ok(()));
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(Some("done"))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_first_that_is_given_up_can_claim_it() {
        let deliveries = deliveries();
        let claim = claimed(&deliveries, "a", b"1");
        let Delivery::Pending(waiting) = deliveries.claim("a", b"1") else { panic!("it is pending") };
        drop(claim);
        assert_eq!(waiting.settled(soon()).await, Ok(()));
        drop(claimed(&deliveries, "a", b"1"));
    }
}
