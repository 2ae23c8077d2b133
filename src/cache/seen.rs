//! What was delivered before: a bounded memory of this process.

use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::lru::LruCache;
use crate::domain::timestamp::Timestamp;

/// Deliveries that are remembered: more than come in the time in which one is repeated, and little memory.
const MOST: usize = 4096;
/// `PagerDuty` delivers again for two days, but an environment of Lambda hardly lives for hours.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells a delivery that was there before from one that was not.
#[derive(Debug)]
pub(crate) struct SeenMessages {
    /// Digests, so that nobody's ids can be long.
    known: LruCache<Vec<u8>, ()>,
}

impl SeenMessages {
    pub(crate) fn new() -> Self {
        Self { known: LruCache::new(MOST, REMEMBERED) }
    }

    /// Whether a delivery of this hook was there before; from now on it was.
    pub(crate) fn repeats(&self, hook: &str, delivery: &[u8]) -> bool {
        let key = digest(&SHA256, &[hook.as_bytes(), b"\0", delivery].concat());
        self.known.put(key.as_ref().to_vec(), (), 1, Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_known_the_second_time_and_to_its_own_hook() {
        let repetitions = SeenMessages::new();
        assert!(!repetitions.repeats("slack", b"1"));
        assert!(repetitions.repeats("slack", b"1"));
        assert!(!repetitions.repeats("pagerduty", b"1"));
        assert!(!repetitions.repeats("slack", b"2"));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let repetitions = SeenMessages::new();
        for number in 0..3 * MOST {
            assert!(!repetitions.repeats("slack", &number.to_be_bytes()));
        }
        assert!(repetitions.repeats("slack", &(3 * MOST - 1).to_be_bytes()));
        assert!(!repetitions.repeats("slack", &0_u64.to_be_bytes()));
    }
}
