//! A cache of answers in this process. Concurrent requests for one key share one call. An answer is cached for a while. If
//! no new answer is available, a stale one is returned. Errors are never cached.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::lru::LruCache;
use super::single_flight::SingleFlightGroup;
use crate::client::Deadline;
use crate::config::CacheTimes;
use crate::domain::enrichment::CacheState;
use crate::domain::timestamp::Timestamp;

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
    store: Option<Arc<LruCache<K, Entry<V>>>>,
    in_flight: SingleFlightGroup<K, Entry<V>, E>,
    times: CacheTimes,
    clock: fn() -> Timestamp,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    fetched_at: Timestamp,
    finished_at: Instant,
}

impl<K, V, E> AnswerCache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Cacheable,
    E: Outcome,
{
    /// Creates a cache of this size in bytes.
    pub(crate) fn new(times: CacheTimes, max_bytes: usize, clock: fn() -> Timestamp) -> Self {
        let store = (!times.fresh.is_zero()).then(|| Arc::new(LruCache::new(max_bytes, times.fresh.max(times.stale))));
        Self { store, in_flight: SingleFlightGroup::new(), times, clock }
    }

    /// Returns the cached value, or the result of `fetch`, which concurrent requests for the same key share.
    pub(crate) async fn get_or_fetch<F, Fut>(&self, key: K, deadline: Deadline, fetch: F) -> Result<Cached<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let now = (self.clock)();
        let known = self.store.as_ref().and_then(|store| store.get(&key, now));
        if let Some(entry) = &known
            && entry.fetched_at.age_at(now) < self.fresh_for(&entry.value)
        {
            return Ok(self.cached(entry, CacheState::Hit));
        }
        match self.fetch_once(&key, deadline, fetch).await {
            Ok(entry) => Ok(self.cached(&entry, CacheState::Miss)),
            Err(error) => {
                let stale = known.filter(|entry| entry.fetched_at.age_at(now) < self.times.stale && error.is_outage());
                stale.map(|entry| self.cached(&entry, CacheState::Stale)).ok_or(error)
            }
        }
    }

    fn cached(&self, entry: &Entry<V>, state: CacheState) -> Cached<V> {
        let Entry { value, fetched_at, .. } = entry;
        Cached { value: value.clone(), fetched_at: *fetched_at, age: fetched_at.age_at((self.clock)()), state }
    }

    /// Returns how long a value is fresh. A negative answer expires much sooner, because an alert may appear minutes late.
    fn fresh_for(&self, value: &V) -> Duration {
        if value.is_negative() { MAX_NEGATIVE_LIFETIME.min(self.times.fresh / 4) } else { self.times.fresh }
    }

    /// Fetches, or waits for a call in flight with the same key.
    async fn fetch_once<F, Fut>(&self, key: &K, deadline: Deadline, fetch: F) -> Result<Entry<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let arrived = Instant::now();
        loop {
            let clock = self.clock;
            let (call, is_starter) = self.in_flight.join(key, || {
                let (fetched, store, key) = (fetch(), self.store.clone(), key.clone());
                async move {
                    let entry =
                        fetched.await.map(|value| Entry { value, fetched_at: clock(), finished_at: Instant::now() });
                    // The shared future stores the value, because the request that started it may be gone.
                    if let (Ok(entry), Some(store)) = (&entry, store)
                        && entry.value.is_cacheable()
                    {
                        let weight = entry.value.weight() + ENTRY_OVERHEAD_BYTES;
                        store.put(key, entry.clone(), weight, entry.fetched_at);
                    }
                    entry
                }
            });
            let outcome = timeout_at(deadline.instant(), call.clone()).await;
            if outcome.is_ok() {
                self.in_flight.remove_finished(key, &call);
            }
            match outcome {
                Err(_) => return Err(E::timed_out()),
                // The request that started the call had less time than this one, so this one calls again.
                Ok(Err(error)) if !is_starter && error.is_timeout() && !deadline.remaining().is_zero() => {}
                Ok(Err(error)) => return Err(error),
                // The call finished before this request arrived, so its answer is too old.
                Ok(Ok(entry)) if entry.finished_at < arrived => {}
                Ok(Ok(entry)) => return Ok(entry),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    impl Cacheable for u32 {
        fn weight(&self) -> usize {
            4
        }

        fn is_negative(&self) -> bool {
            *self == 0
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum TestError {
        Down,
        Refused,
        Late,
    }

    impl Outcome for TestError {
        fn is_outage(&self) -> bool {
            *self != Self::Refused
        }

        fn is_timeout(&self) -> bool {
            *self == Self::Late
        }

        fn timed_out() -> Self {
            Self::Late
        }
    }

    const TIMES: CacheTimes = CacheTimes { fresh: Duration::from_secs(60), stale: Duration::from_secs(900) };
    const MAX_BYTES: usize = 1 << 20;
    const OFF: CacheTimes = CacheTimes { fresh: Duration::ZERO, stale: Duration::ZERO };

    /// The clock of the test. Each test runs in a thread of its own.
    fn clock() -> Timestamp {
        CLOCK.with(|seconds| Timestamp::from_unix_seconds(seconds.load(Ordering::Relaxed)))
    }

    thread_local! {
        static CLOCK: AtomicI64 = const { AtomicI64::new(1_000_000) };
    }

    fn pass(seconds: i64) {
        CLOCK.with(|clock| clock.fetch_add(seconds, Ordering::Relaxed));
    }

    async fn get(
        cache: &AnswerCache<u8, u32, TestError>,
        answer: Result<u32, TestError>,
    ) -> Result<(u32, CacheState), TestError> {
        let deadline = Deadline::after(Duration::from_secs(10));
        let cached = cache.get_or_fetch(1, deadline, || async move { answer }).await;
        cached.map(|cached| (cached.value, cached.state))
    }

    #[tokio::test]
    async fn an_answer_is_cached_until_it_expires() {
        let cache = AnswerCache::new(TIMES, MAX_BYTES, clock);
        assert_eq!(get(&cache, Ok(1)).await, Ok((1, CacheState::Miss)));
        assert_eq!(get(&cache, Ok(2)).await, Ok((1, CacheState::Hit)));
        pass(59);
        assert_eq!(get(&cache, Ok(2)).await, Ok((1, CacheState::Hit)));
        pass(1);
        assert_eq!(get(&cache, Ok(2)).await, Ok((2, CacheState::Miss)));
    }

    #[tokio::test]
    async fn a_negative_answer_expires_sooner() {
        let cache = AnswerCache::new(TIMES, MAX_BYTES, clock);
        assert_eq!(get(&cache, Ok(0)).await, Ok((0, CacheState::Miss)));
        pass(14);
        assert_eq!(get(&cache, Ok(2)).await, Ok((0, CacheState::Hit)));
        pass(1);
        assert_eq!(get(&cache, Ok(2)).await, Ok((2, CacheState::Miss)));
    }

    #[tokio::test]
    async fn a_stale_answer_is_returned_only_during_an_outage() {
        let cache = AnswerCache::new(TIMES, MAX_BYTES, clock);
        assert_eq!(get(&cache, Ok(1)).await, Ok((1, CacheState::Miss)));
        pass(300);
        assert_eq!(get(&cache, Err(TestError::Down)).await, Ok((1, CacheState::Stale)));
        assert_eq!(get(&cache, Err(TestError::Refused)).await, Err(TestError::Refused));
        pass(600);
        assert_eq!(get(&cache, Err(TestError::Down)).await, Err(TestError::Down));
    }

    #[tokio::test]
    async fn errors_are_not_cached() {
        let cache = AnswerCache::new(TIMES, MAX_BYTES, clock);
        assert_eq!(get(&cache, Err(TestError::Refused)).await, Err(TestError::Refused));
        assert_eq!(get(&cache, Ok(1)).await, Ok((1, CacheState::Miss)));
    }

    #[tokio::test]
    async fn a_lifetime_of_zero_switches_the_cache_off() {
        let cache = AnswerCache::new(OFF, MAX_BYTES, clock);
        assert_eq!(get(&cache, Ok(1)).await, Ok((1, CacheState::Miss)));
        assert_eq!(get(&cache, Ok(2)).await, Ok((2, CacheState::Miss)));
        assert_eq!(get(&cache, Err(TestError::Down)).await, Err(TestError::Down));
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_for_one_key_share_one_call() {
        let cache = Arc::new(AnswerCache::<u8, u32, TestError>::new(OFF, MAX_BYTES, clock));
        let calls = Arc::new(AtomicU32::new(0));
        let fetch = || {
            let calls = calls.clone();
            async move {
                calls.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                Ok(7)
            }
        };
        let one = || cache.get_or_fetch(1, Deadline::after(Duration::from_secs(10)), fetch);
        let answers = join_all((0..500).map(|_| one())).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|cached| cached.value == 7)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_continues_when_the_request_that_started_it_is_dropped() {
        for (times, costs) in [(OFF, 2), (TIMES, 1)] {
            let cache = AnswerCache::<u8, u32, TestError>::new(times, MAX_BYTES, clock);
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
            let leaver = tokio::time::timeout(Duration::from_secs(1), cache.get_or_fetch(1, deadline, fetch));
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
        let cache = AnswerCache::<u8, u32, TestError>::new(OFF, MAX_BYTES, clock);
        let get = |seconds| {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            cache.get_or_fetch(1, deadline, move || async move {
                timeout_at(deadline.instant(), sleep(Duration::from_secs(3)))
                    .await
                    .map_err(|_| TestError::Late)
                    .map(|()| 7)
            })
        };
        let (hasty, patient) = tokio::join!(get(1), get(9));
        assert_eq!(hasty.map(|cached| cached.value), Err(TestError::Late));
        assert_eq!(patient.map(|cached| cached.value), Ok(7));
    }
}
