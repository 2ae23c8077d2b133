//! Recognizes repeated deliveries. It is bounded, and local to this process.

use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::lru::LruCache;
use crate::domain::timestamp::Timestamp;

/// How many deliveries are kept. More arrive in no retry period, and they need little memory.
const MAX_MESSAGES: usize = 4096;
/// How long a delivery is kept. `PagerDuty` retries for two days, but a Lambda environment lives only for hours.
const MESSAGE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The deliveries that were already received.
#[derive(Debug)]
pub(crate) struct SeenMessages {
    /// Digests, so that a long id needs no more memory.
    known: LruCache<Vec<u8>, ()>,
}

impl SeenMessages {
    pub(crate) fn new() -> Self {
        Self { known: LruCache::new(MAX_MESSAGES, MESSAGE_LIFETIME) }
    }

    /// Records a delivery of this hook. Returns whether it was already received.
    pub(crate) fn repeats(&self, hook: &str, delivery: &[u8]) -> bool {
        let key = digest(&SHA256, &[hook.as_bytes(), b"\0", delivery].concat());
        self.known.put(key.as_ref().to_vec(), (), 1, Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_delivery_is_recognized_for_its_own_hook_only() {
        let seen = SeenMessages::new();
        assert!(!seen.repeats("slack", b"1"));
        assert!(seen.repeats("slack", b"1"));
        assert!(!seen.repeats("pagerduty", b"1"));
        assert!(!seen.repeats("slack", b"2"));
    }

    #[test]
    fn the_oldest_delivery_is_evicted_first() {
        let seen = SeenMessages::new();
        for number in 0..3 * MAX_MESSAGES {
            assert!(!seen.repeats("slack", &number.to_be_bytes()));
        }
        assert!(seen.repeats("slack", &(3 * MAX_MESSAGES - 1).to_be_bytes()));
        assert!(!seen.repeats("slack", &0_u64.to_be_bytes()));
    }
}
