//! Recognizes repeated deliveries. Each is processed once, and a repetition gets the reply to the first. It is bounded.
//! The replies are local to this process. Through a table, it may know of deliveries that other processes have answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ring::digest::{SHA256, digest};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::cache::LruCache;
use crate::client::Deadline;
use crate::clock::Clock;
use crate::shared_state::SharedDeliveries;

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

/// A reply that can be sent again.
pub(crate) type Reply = Response<Bytes>;

/// The deliveries that were received, and the replies to them.
#[derive(Debug)]
pub(crate) struct SeenDeliveries {
    /// Processed deliveries.
    known: LruCache<Key, ()>,
    /// The replies to processed deliveries; large ones are evicted earlier.
    replies: LruCache<Key, Reply>,
    /// Deliveries that are being processed, each with an interim reply.
    pending: Mutex<HashMap<Key, watch::Sender<Option<Reply>>>>,
    /// The deliveries that any process has answered.
    shared: Option<SharedDeliveries>,
    clock: Clock,
}

/// The state of a delivery.
#[derive(Debug)]
pub(crate) enum DeliveryState {
    /// It is new. The holder of the claim processes it.
    New(Claim),
    /// Another request processes it.
    Pending(PendingDelivery),
    /// It was processed. `None`: the reply was evicted.
    Known(Option<Reply>),
}

/// The right to process a delivery. If it is dropped, the delivery counts as new when it comes again.
#[derive(Debug)]
pub(crate) struct Claim {
    deliveries: Arc<SeenDeliveries>,
    key: Key,
}

/// A delivery that another request processes.
#[derive(Debug)]
pub(crate) struct PendingDelivery(watch::Receiver<Option<Reply>>);

impl SeenDeliveries {
    pub(crate) fn new(clock: Clock, shared: Option<SharedDeliveries>) -> Self {
        Self {
            known: LruCache::new(MAX_DELIVERIES, DELIVERY_LIFETIME),
            replies: LruCache::new(MAX_REPLY_BYTES, DELIVERY_LIFETIME),
            pending: Mutex::default(),
            shared,
            clock,
        }
    }

    /// Records a delivery that gets a new answer each time it comes. Returns whether it came before.
    pub(crate) fn repeats(&self, sender: &str, id: &[u8]) -> bool {
        self.known.put(key(sender, id), (), 1, self.clock.now())
    }

    /// Returns the state of this sender's delivery. A new delivery is claimed.
    pub(crate) fn claim(self: &Arc<Self>, sender: &str, id: &[u8]) -> DeliveryState {
        let (key, now) = (key(sender, id), self.clock.now());
        let mut pending = self.pending();
        if let Some(first) = pending.get(&key) {
            return DeliveryState::Pending(PendingDelivery(first.subscribe()));
        }
        if self.known.get(&key, now).is_some() {
            return DeliveryState::Known(self.replies.get(&key, now));
        }
        pending.insert(key, watch::Sender::new(None));
        DeliveryState::New(Claim { deliveries: self.clone(), key })
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<Option<Reply>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Whether another process has answered the delivery. From then on, this one knows it too.
    pub(crate) async fn is_answered_elsewhere(&self) -> bool {
        let Some(shared) = &self.deliveries.shared else { return false };
        let is_answered = shared.contains(&self.key).await;
        if is_answered {
            self.deliveries.known.put(self.key, (), 1, self.deliveries.clock.now());
        }
        is_answered
    }

    /// Sets the interim reply to repetitions until the delivery is processed.
    pub(crate) fn answer_meanwhile(&self, reply: Reply) {
        if let Some(pending) = self.deliveries.pending().get(&self.key) {
            pending.send_replace(Some(reply));
        }
    }

    /// Marks the delivery as processed, for other processes as well. Repetitions get this reply.
    pub(crate) async fn settle(self, reply: Reply) {
        let (now, bytes) = (self.deliveries.clock.now(), reply.body().len());
        self.deliveries.replies.put(self.key, reply, bytes + REPLY_OVERHEAD_BYTES, now);
        self.deliveries.known.put(self.key, (), 1, now);
        if let Some(shared) = &self.deliveries.shared {
            shared.put(&self.key).await;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.deliveries.pending().remove(&self.key);
    }
}

impl PendingDelivery {
    /// Waits until the delivery is processed or its claim is dropped. Then it can be claimed again. If the deadline passes
    /// first, returns the interim reply.
    pub(crate) async fn settled(mut self, until: Deadline) -> Result<(), Option<Reply>> {
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
    use crate::clock::manual::{CLOCK, advance};

    fn deliveries() -> Arc<SeenDeliveries> {
        Arc::new(SeenDeliveries::new(CLOCK, None))
    }

    fn claimed(deliveries: &Arc<SeenDeliveries>, sender: &str, id: &[u8]) -> Claim {
        match deliveries.claim(sender, id) {
            DeliveryState::New(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn pending(deliveries: &Arc<SeenDeliveries>) -> PendingDelivery {
        match deliveries.claim("a", b"1") {
            DeliveryState::Pending(pending) => pending,
            other => panic!("{other:?}"),
        }
    }

    fn reply(text: &'static str) -> Reply {
        Response::new(text.into())
    }

    fn is_known_with(deliveries: &Arc<SeenDeliveries>, text: &str) -> bool {
        matches!(deliveries.claim("a", b"1"), DeliveryState::Known(Some(reply)) if *reply.body() == text)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    /// The interim reply of a delivery that is not settled in time.
    async fn interim(pending: PendingDelivery) -> Option<Bytes> {
        pending.settled(soon()).await.expect_err("it is pending").map(Response::into_body)
    }

    #[tokio::test]
    async fn a_delivery_is_processed_once_a_day_for_each_sender() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle(reply("done")).await;
        assert!(is_known_with(&deliveries, "done"));
        drop(claimed(&deliveries, "b", b"1"));
        drop(claimed(&deliveries, "a", b"2"));
        advance(24 * 60 * 60);
        drop(claimed(&deliveries, "a", b"1"));
    }

    #[test]
    fn a_repeated_delivery_without_a_reply_is_recognized_for_its_sender() {
        let deliveries = deliveries();
        assert!(!deliveries.repeats("slack", b"1"));
        assert!(deliveries.repeats("slack", b"1"));
        assert!(!deliveries.repeats("pagerduty", b"1") && !deliveries.repeats("slack", b"2"));
    }

    #[tokio::test]
    async fn a_reply_that_is_too_large_is_dropped_but_its_delivery_is_kept() {
        let deliveries = deliveries();
        claimed(&deliveries, "a", b"1").settle(Response::new(vec![b'x'; MAX_REPLY_BYTES].into())).await;
        assert!(matches!(deliveries.claim("a", b"1"), DeliveryState::Known(None)));
    }

    #[tokio::test]
    async fn the_oldest_delivery_is_evicted_first() {
        let deliveries = deliveries();
        for number in 0..=MAX_DELIVERIES {
            claimed(&deliveries, "a", &number.to_be_bytes()).settle(reply("")).await;
        }
        assert!(matches!(deliveries.claim("a", &MAX_DELIVERIES.to_be_bytes()), DeliveryState::Known(_)));
        drop(claimed(&deliveries, "a", &0_usize.to_be_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repetition_waits_for_the_first_until_its_deadline() {
        let deliveries = deliveries();
        let claim = claimed(&deliveries, "a", b"1");
        assert_eq!(interim(pending(&deliveries)).await, None);
        claim.answer_meanwhile(reply("wait"));
        assert_eq!(interim(pending(&deliveries)).await, Some("wait".into()));
        let waiting = pending(&deliveries);
        claim.settle(reply("done")).await;
        assert!(waiting.settled(soon()).await.is_ok());
        assert!(is_known_with(&deliveries, "done"));
    }
}
