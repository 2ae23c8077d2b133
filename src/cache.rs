//! A cache of answers in this process. Concurrent requests for one key share one call. An answer is cached for a while. If
//! no new answer is available, a stale one is returned. Errors are never cached.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::Deadline;
use crate::clock::Clock;
use crate::config::CacheTimes;
use crate::domain::enrichment::CacheState;
use crate::domain::timestamp::Timestamp;
use crate::single_flight::SingleFlight;

/// The weight of an entry without its content. It also limits the number of entries, to 256 per mebibyte.
const ENTRY_OVERHEAD_BYTES: usize = 4 << 10;

/// The longest time that a negative answer is cached.
const MAX_NEGATIVE_LIFETIME: Duration = Duration::from_secs(15);

/// A value that can be cached.
pub(crate) trait Cacheable: Clone + Send + Sync + 'static {
    /// Its approximate size in bytes.
    fn weight(&self) -> usize;

    /// Whether nothing was found. Such an answer expires sooner.
    fn is_negative(&self) -> bool;

    /// Whether it may be returned during an outage, when it is no longer fresh. A value that the answer does not mark as stale
    /// must not say that something does not exist.
    fn may_be_stale(&self) -> bool {
        true
    }

    /// Whether it may be returned to another request.
    fn is_cacheable(&self) -> bool {
        true
    }
}

/// An error, by what it means for the cache.
pub(crate) trait Outcome: Clone + Send + Sync + 'static {
    /// Whether no answer is available for now. Then a stale answer is better than none.
    fn is_outage(&self) -> bool;

    /// Whether the deadline passed.
    fn is_timeout(&self) -> bool;

    /// Creates the error of a request whose deadline passed.
    fn timed_out() -> Self;
}

/// A value, with its age and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Cached<V> {
    pub(crate) value: V,
    pub(crate) fetched_at: Timestamp,
    pub(crate) age: Duration,
    pub(crate) state: CacheState,
}

/// A cache for one type of key.
pub(crate) struct AnswerCache<K, V: Cacheable, E: Outcome> {
    /// `None`: caching is switched off.
    store: Option<Arc<LruCache<K, Fetched<V>>>>,
    in_flight: SingleFlight<K, Result<Fetched<V>, E>>,
    times: CacheTimes,
    clock: Clock,
}

#[derive(Clone)]
struct Fetched<V> {
    value: V,
    at: Timestamp,
}

impl<K, V, E> AnswerCache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Cacheable,
    E: Outcome,
{
    /// Creates a cache of this size in bytes.
    pub(crate) fn new(times: CacheTimes, max_bytes: usize, clock: Clock) -> Self {
        let store = (!times.fresh.is_zero()).then(|| Arc::new(LruCache::new(max_bytes, times.fresh.max(times.stale))));
        Self { store, in_flight: SingleFlight::default(), times, clock }
    }

    /// Returns the cached value, or the result of `fetch`, which concurrent requests for the same key share.
    pub(crate) async fn get_or_fetch<F, Fut>(&self, key: K, deadline: Deadline, fetch: F) -> Result<Cached<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let now = self.clock.now();
        let known = self.store.as_ref().and_then(|store| store.get(&key, now));
        if let Some(known) = &known
            && known.at.age_at(now) < self.fresh_for(&known.value)
        {
            return Ok(self.cached(known, CacheState::Hit));
        }
        match self.fetch_once(&key, deadline, fetch).await {
            Ok(fetched) => Ok(self.cached(&fetched, CacheState::Miss)),
            Err(error) => {
                let stale = known.filter(|known| {
                    known.at.age_at(now) < self.times.stale && known.value.may_be_stale() && error.is_outage()
                });
                stale.map(|known| self.cached(&known, CacheState::Stale)).ok_or(error)
            }
        }
    }

    fn cached(&self, fetched: &Fetched<V>, state: CacheState) -> Cached<V> {
        let Fetched { value, at } = fetched;
        Cached { value: value.clone(), fetched_at: *at, age: at.age_at(self.clock.now()), state }
    }

    /// Returns how long a value is fresh. A negative answer expires much sooner, because an alert may appear minutes late.
    fn fresh_for(&self, value: &V) -> Duration {
        if value.is_negative() { MAX_NEGATIVE_LIFETIME.min(self.times.fresh / 4) } else { self.times.fresh }
    }

    /// Fetches, or waits for a call in flight with the same key.
    async fn fetch_once<F, Fut>(&self, key: &K, deadline: Deadline, fetch: F) -> Result<Fetched<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        loop {
            let call = self.in_flight.join_or_start(key.clone(), deadline, || {
                let (value, store, key, clock) = (fetch(), self.store.clone(), key.clone(), self.clock);
                async move {
                    let fetched = Fetched { value: value.await?, at: clock.now() };
                    // The shared future stores the value, because the request that started it may be gone.
                    if let Some(store) = store.filter(|_| fetched.value.is_cacheable()) {
                        let weight = fetched.value.weight() + ENTRY_OVERHEAD_BYTES;
                        store.put(key, fetched.clone(), weight, fetched.at);
                    }
                    Ok(fetched)
                }
            });
            match call.by(deadline).await.unwrap_or_else(|| Err(E::timed_out())) {
                // The request that started the call had less time than this one, so this one calls again.
                Err(error) if call.was_running && error.is_timeout() && !deadline.remaining().is_zero() => {}
                outcome => return outcome,
            }
        }
    }
}

/// A cache that evicts the least recently used entry first, with a limit of weight and of age. Eviction scans all entries,
/// because insertions are rare: each follows a call or a request.
#[derive(Debug)]
pub(crate) struct LruCache<K, V> {
    max_weight: usize,
    lifetime: Duration,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// The number of uses so far. It serves as a clock that never stands still.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    stored_at: Timestamp,
    last_use: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> LruCache<K, V> {
    /// Creates a cache for this weight. Each entry expires after `lifetime`.
    pub(crate) fn new(max_weight: usize, lifetime: Duration) -> Self {
        Self { max_weight, lifetime, entries: Mutex::new(Entries { by_key: HashMap::new(), uses: 0 }) }
    }

    /// Returns the value of this key, if it has not expired.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let Entries { by_key, uses } = &mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = by_key.get_mut(key).filter(|entry| entry.stored_at.age_at(now) < self.lifetime)?;
        *uses += 1;
        entry.last_use = *uses;
        Some(entry.value.clone())
    }

    /// Stores a value, unless it alone exceeds the weight limit. Returns whether the key already had a value.
    pub(crate) fn put(&self, key: K, value: V, weight: usize, now: Timestamp) -> bool {
        let Entries { by_key, uses } = &mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        by_key.retain(|_, entry| entry.stored_at.age_at(now) < self.lifetime);
        let was_present = by_key.remove(&key).is_some();
        if weight > self.max_weight {
            return was_present;
        }
        let all: usize = by_key.values().map(|entry| entry.weight).sum();
        let mut excess = (all + weight).saturating_sub(self.max_weight);
        while excess > 0
            && let Some(oldest) = by_key.iter().min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| key.clone())
        {
            excess = excess.saturating_sub(by_key.remove(&oldest).map_or(0, |entry| entry.weight));
        }
        *uses += 1;
        by_key.insert(key, Entry { value, weight, stored_at: now, last_use: *uses });
        was_present
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::{sleep, timeout, timeout_at};

    use super::*;
    use crate::clock::manual::CLOCK;

    impl Cacheable for u32 {
        fn weight(&self) -> usize {
            4
        }

        fn is_negative(&self) -> bool {
            *self == 0
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Late;

    impl Outcome for Late {
        fn is_outage(&self) -> bool {
            true
        }

        fn is_timeout(&self) -> bool {
            true
        }

        fn timed_out() -> Self {
            Self
        }
    }

    const TIMES: CacheTimes = CacheTimes { fresh: Duration::from_secs(60), stale: Duration::from_secs(900) };
    const MAX_BYTES: usize = 1 << 20;
    const OFF: CacheTimes = CacheTimes { fresh: Duration::ZERO, stale: Duration::ZERO };

    #[tokio::test(start_paused = true)]
    async fn a_call_continues_when_the_request_that_started_it_is_dropped() {
        for (times, costs) in [(OFF, 2), (TIMES, 1)] {
            let cache = AnswerCache::<u8, u32, Late>::new(times, MAX_BYTES, CLOCK);
            let calls = Arc::new(AtomicU32::new(0));
            let fetch = || {
                let calls = calls.clone();
                async move {
                    calls.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_secs(3)).await;
                    Ok(7)
                }
            };
            let deadline = Deadline::after(Duration::from_secs(10));
            let leaver = timeout(Duration::from_secs(1), cache.get_or_fetch(1, deadline, fetch));
            let (dropped, stayed) = tokio::join!(leaver, cache.get_or_fetch(1, deadline, fetch));
            assert!(dropped.is_err());
            assert_eq!(stayed.map(|cached| cached.value), Ok(7));
            assert_eq!(calls.load(Ordering::Relaxed), 1);
            let again = cache.get_or_fetch(1, Deadline::after(Duration::from_secs(10)), fetch).await;
            assert_eq!(again.map(|cached| cached.value), Ok(7));
            assert_eq!(calls.load(Ordering::Relaxed), costs, "the answer of the dropped request is cached");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_with_more_time_calls_again_after_a_shared_timeout() {
        let cache = AnswerCache::<u8, u32, Late>::new(OFF, MAX_BYTES, CLOCK);
        let get = |seconds| {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            cache.get_or_fetch(1, deadline, move || async move {
                timeout_at(deadline.instant(), sleep(Duration::from_secs(3))).await.map_err(|_| Late).map(|()| 7)
            })
        };
        let (hasty, patient) = tokio::join!(get(1), get(9));
        assert_eq!(hasty.map(|cached| cached.value), Err(Late));
        assert_eq!(patient.map(|cached| cached.value), Ok(7));
    }

    #[test]
    fn a_negative_answer_is_fresh_for_fifteen_seconds_at_most() {
        let lifetime = |fresh, value| {
            let times = CacheTimes { fresh: Duration::from_secs(fresh), ..TIMES };
            AnswerCache::<u8, u32, Late>::new(times, MAX_BYTES, CLOCK).fresh_for(&value).as_secs()
        };
        assert_eq!([lifetime(600, 1), lifetime(600, 0), lifetime(40, 0)], [600, 15, 10]);
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn the_least_recently_used_entry_is_evicted_first() {
        let cache = LruCache::new(3, HOUR);
        for key in ["a", "b", "c"] {
            assert!(!cache.put(key, key.len(), 1, at(0)));
        }
        assert_eq!(cache.get(&"a", at(1)), Some(1));
        assert!(!cache.put("d", 1, 1, at(2)));
        let kept: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|key| cache.get(key, at(3)).is_some()).collect();
        assert_eq!(kept, ["a", "c", "d"]);
    }

    #[test]
    fn the_weight_limit_always_holds() {
        let cache = LruCache::new(10, HOUR);
        for key in 0..100 {
            cache.put(key, (), 1 + key % 4, at(0));
            let weights: usize = cache.entries.lock().expect("a lock").by_key.values().map(|entry| entry.weight).sum();
            assert!(weights <= 10);
        }
        assert!(!cache.put(7, (), 11, at(0)));
        assert_eq!(cache.get(&7, at(0)), None);
        assert!(cache.get(&99, at(0)).is_some(), "a value that is too heavy evicts nothing");
        assert!(cache.put(99, (), 10, at(0)), "a new value replaces the old one");
        assert!(cache.get(&99, at(0)).is_some());
    }

    #[test]
    fn entries_expire() {
        let cache = LruCache::new(10, HOUR);
        cache.put("a", 1, 1, at(0));
        assert_eq!(cache.get(&"a", at(3599)), Some(1));
        assert_eq!(cache.get(&"a", at(3600)), None);
        assert!(!cache.put("b", 2, 1, at(3600)));
        assert_eq!(cache.entries.lock().expect("a lock").by_key.len(), 1);
    }
}
