//! Processes each delivery once. A repeated delivery gets the reply to the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::lru::LruCache;
use crate::client::Deadline;
use crate::domain::timestamp::Timestamp;

/// How many deliveries are kept. More arrive in no retry period, and they need little memory.
const MAX_DELIVERIES: usize = 4096;
/// How long a delivery is kept. `PagerDuty` retries for two days, but a Lambda environment lives only for hours.
const DELIVERY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The size of all kept replies: two of the largest that an entry point permits.
const MAX_REPLY_BYTES: usize = 10 << 20;
/// The size of a reply without its body.
const REPLY_OVERHEAD_BYTES: usize = 512;

/// A digest, so that a long id needs no more memory.
type Key = [u8; 32];

/// The deliveries that were received, and the replies to them.
#[derive(Debug)]
pub(crate) struct SeenDeliveries<R> {
    /// Processed deliveries.
    known: LruCache<Key, ()>,
    /// The replies to processed deliveries; large ones are evicted earlier.
    replies: LruCache<Key, R>,
    /// Deliveries that are being processed, each with an interim reply.
    pending: Mutex<HashMap<Key, watch::Sender<Option<R>>>>,
}

/// The state of a delivery.
#[derive(Debug)]
pub(crate) enum Delivery<R> {
    /// It is new. The holder of the claim processes it.
    New(Claim<R>),
    /// Another request processes it.
    Pending(Pending<R>),
    /// It was processed. `None`: the reply was evicted.
    Known(Option<R>),
}

/// The right to process a delivery. If it is dropped, the delivery counts as new when it comes again.
#[derive(Debug)]
pub(crate) struct Claim<R> {
    deliveries: Arc<SeenDeliveries<R>>,
    key: Key,
}

/// A delivery that another request processes.
#[derive(Debug)]
pub(crate) struct Pending<R>(watch::Receiver<Option<R>>);

impl<R: Clone> SeenDeliveries<R> {
    pub(crate) fn new() -> Self {
        Self {
            known: LruCache::new(MAX_DELIVERIES, DELIVERY_LIFETIME),
            replies: LruCache::new(MAX_REPLY_BYTES, DELIVERY_LIFETIME),
            pending: Mutex::default(),
        }
    }

    /// Returns the state of this sender's delivery. A new delivery is claimed.
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
    /// Sets the interim reply to repetitions until the delivery is processed.
    pub(crate) fn answer_meanwhile(&self, reply: R)
    where
        R: Clone,
    {
        if let Some(pending) = self.deliveries.pending().get(&self.key) {
            pending.send_replace(Some(reply));
        }
    }

    /// Marks the delivery as processed. Repetitions get this reply, whose body has this size.
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
    /// Waits until the delivery is processed or its claim is dropped. Then it can be claimed again. If the deadline passes
    /// first, returns the interim reply.
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
    fn a_delivery_is_processed_once_for_each_sender() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle("done", 4);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(Some("done"))));
        drop(claimed(&deliveries, "b", b"1"));
        drop(claimed(&deliveries, "a", b"2"));
    }

    #[test]
    fn a_delivery_whose_claim_is_dropped_is_new_again() {
        let deliveries = deliveries();
        drop(claimed(&deliveries, "a", b"1"));
        claimed(&deliveries, "a", b"1").settle("done", 4);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(Some("done"))));
    }

    #[test]
    fn a_reply_that_is_too_large_is_dropped_but_its_delivery_is_kept() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle("long", MAX_REPLY_BYTES + 1);
        assert!(matches!(deliveries.claim("a", b"1"), Delivery::Known(None)));
    }

    #[test]
    fn the_oldest_delivery_is_evicted_first() {
        let deliveries = deliveries();
        for number in 0..=MAX_DELIVERIES {
            claimed(&deliveries, "a", &number.to_be_bytes()).settle("done", 0);
        }
        assert!(matches!(deliveries.claim("a", &MAX_DELIVERIES.to_be_bytes()), Delivery::Known(_)));
        drop(claimed(&deliveries, "a", &0_usize.to_be_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repetition_waits_for_the_first_until_its_deadline() {
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
    async fn a_waiting_repetition_can_claim_after_a_dropped_claim() {
        let deliveries = deliveries();
        let claim = claimed(&deliveries, "a", b"1");
        let Delivery::Pending(waiting) = deliveries.claim("a", b"1") else { panic!("it is pending") };
        drop(claim);
        assert_eq!(waiting.settled(soon()).await, Ok(()));
        drop(claimed(&deliveries, "a", b"1"));
    }
}
