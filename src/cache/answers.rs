//! A short memory in this process: equal questions in flight at once are one, an answer is remembered for a while, and
//! an old one stands in when there is no new one to be had. Errors are never remembered.

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

/// What one entry costs beside its content. It bounds their number as well: to 256 a mebibyte.
const COST_OF_AN_ENTRY: usize = 4 << 10;

/// That there is nothing is remembered no longer than this.
const NEGATIVE: Duration = Duration::from_secs(15);

/// Something that can be remembered.
pub(crate) trait Cacheable: Clone + Send + Sync + 'static {
    /// Roughly what it occupies, in bytes.
    fn weight(&self) -> usize;

    /// Nothing was found: this is forgotten sooner.
    fn is_negative(&self) -> bool;

    /// It may be shown to the next who asks.
    fn may_be_kept(&self) -> bool {
        true
    }
}

/// How an error bears on what is remembered.
pub(crate) trait Outcome: Clone + Send + Sync + 'static {
    /// There is no answer to be had for now: an old one is better than none.
    fn is_outage(&self) -> bool;

    /// The time was over.
    fn is_timeout(&self) -> bool;

    /// The error of somebody whose time is over.
    fn timed_out() -> Self;
}

/// A value, and how it was come by.
#[derive(Clone, Debug)]
pub(crate) struct Cached<V> {
    pub(crate) value: V,
    pub(crate) fetched_at: Timestamp,
    pub(crate) age: Duration,
    pub(crate) state: CacheState,
}

/// The memory for one sort of question.
pub(crate) struct AnswerCache<K, V: Cacheable, E: Outcome> {
    /// `None`: nothing is remembered.
    kept: Option<Arc<LruCache<K, Entry<V>>>>,
    flights: SingleFlightGroup<K, Entry<V>, E>,
    times: CacheTimes,
    clock: fn() -> Timestamp,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    fetched_at: Timestamp,
    landed_at: Instant,
}

impl<K, V, E> AnswerCache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Cacheable,
    E: Outcome,
{
    /// Remembers so many bytes.
    pub(crate) fn new(times: CacheTimes, most: usize, clock: fn() -> Timestamp) -> Self {
        let kept = (!times.fresh.is_zero()).then(|| Arc::new(LruCache::new(most, times.fresh.max(times.stale))));
        Self { kept, flights: SingleFlightGroup::new(), times, clock }
    }

    /// What is known, or what `fetch` brings: for everybody who asks meanwhile as well.
    pub(crate) async fn get_or_fetch<F, Fut>(&self, key: K, deadline: Deadline, fetch: F) -> Result<Cached<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let now = (self.clock)();
        let known = self.kept.as_ref().and_then(|kept| kept.get(&key, now));
        if let Some(entry) = &known
            && entry.fetched_at.age_at(now) < self.fresh_for(&entry.value)
        {
            return Ok(self.recalled(entry, CacheState::Hit));
        }
        match self.fetch_once(&key, deadline, fetch).await {
            Ok(entry) => Ok(self.recalled(&entry, CacheState::Miss)),
            Err(error) => {
                let stale = known.filter(|entry| entry.fetched_at.age_at(now) < self.times.stale && error.is_outage());
                stale.map(|entry| self.recalled(&entry, CacheState::Stale)).ok_or(error)
            }
        }
    }

    fn recalled(&self, entry: &Entry<V>, state: CacheState) -> Cached<V> {
        let Entry { value, fetched_at, .. } = entry;
        Cached { value: value.clone(), fetched_at: *fetched_at, age: fetched_at.age_at((self.clock)()), state }
    }

    /// Negative answers are fresh for a quarter of the time, and not for long: an alert may be minutes late.
    fn fresh_for(&self, value: &V) -> Duration {
        if value.is_negative() { NEGATIVE.min(self.times.fresh / 4) } else { self.times.fresh }
    }

    /// Fetches, or waits for somebody who is at it.
    async fn fetch_once<F, Fut>(&self, key: &K, deadline: Deadline, fetch: F) -> Result<Entry<V>, E>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let arrived = Instant::now();
        loop {
            let clock = self.clock;
            let (flight, was_first) = self.flights.join(key, || {
                let (fetched, kept, key) = (fetch(), self.kept.clone(), key.clone());
                async move {
                    let entry =
                        fetched.await.map(|value| Entry { value, fetched_at: clock(), landed_at: Instant::now() });
                    // Here, and not by the one who began: that one may have left.
                    if let (Ok(entry), Some(kept)) = (&entry, kept)
                        && entry.value.may_be_kept()
                    {
                        let weight = entry.value.weight() + COST_OF_AN_ENTRY;
                        kept.put(key, entry.clone(), weight, entry.fetched_at);
                    }
                    entry
                }
            });
            let landed = timeout_at(deadline.instant(), flight.clone()).await;
            if landed.is_ok() {
                self.flights.leave(key, &flight);
            }
            match landed {
                Err(_) => return Err(E::timed_out()),
                // Whoever began had less time than we have: now it is our turn.
                Ok(Err(error)) if !was_first && error.is_timeout() && !deadline.remaining().is_zero() => {}
                Ok(Err(error)) => return Err(error),
                // It had landed before we came: that was another's.
                Ok(Ok(entry)) if entry.landed_at < arrived => {}
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
    enum Trouble {
        Down,
        Refused,
        Late,
    }

    impl Outcome for Trouble {
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
    const MOST: usize = 1 << 20;
    const OFF: CacheTimes = CacheTimes { fresh: Duration::ZERO, stale: Duration::ZERO };

    /// Each test has a thread, and a clock, of its own.
    fn clock() -> Timestamp {
        CLOCK.with(|seconds| Timestamp::from_unix_seconds(seconds.load(Ordering::Relaxed)))
    }

    thread_local! {
        static CLOCK: AtomicI64 = const { AtomicI64::new(1_000_000) };
    }

    fn pass(seconds: i64) {
        CLOCK.with(|clock| clock.fetch_add(seconds, Ordering::Relaxed));
    }

    async fn ask(
        memory: &AnswerCache<u8, u32, Trouble>,
        answer: Result<u32, Trouble>,
    ) -> Result<(u32, CacheState), Trouble> {
        let deadline = Deadline::after(Duration::from_secs(10));
        let recalled = memory.get_or_fetch(1, deadline, || async move { answer }).await;
        recalled.map(|recalled| (recalled.value, recalled.state))
    }

    #[tokio::test]
    async fn an_answer_is_remembered_for_a_while() {
        let memory = AnswerCache::new(TIMES, MOST, clock);
        assert_eq!(ask(&memory, Ok(1)).await, Ok((1, CacheState::Miss)));
        assert_eq!(ask(&memory, Ok(2)).await, Ok((1, CacheState::Hit)));
        pass(59);
        assert_eq!(ask(&memory, Ok(2)).await, Ok((1, CacheState::Hit)));
        pass(1);
        assert_eq!(ask(&memory, Ok(2)).await, Ok((2, CacheState::Miss)));
    }

    #[tokio::test]
    async fn nothing_found_is_forgotten_sooner() {
        let memory = AnswerCache::new(TIMES, MOST, clock);
        assert_eq!(ask(&memory, Ok(0)).await, Ok((0, CacheState::Miss)));
        pass(14);
        assert_eq!(ask(&memory, Ok(2)).await, Ok((0, CacheState::Hit)));
        pass(1);
        assert_eq!(ask(&memory, Ok(2)).await, Ok((2, CacheState::Miss)));
    }

    #[tokio::test]
    async fn an_old_answer_stands_in_during_an_outage_only() {
        let memory = AnswerCache::new(TIMES, MOST, clock);
        assert_eq!(ask(&memory, Ok(1)).await, Ok((1, CacheState::Miss)));
        pass(300);
        assert_eq!(ask(&memory, Err(Trouble::Down)).await, Ok((1, CacheState::Stale)));
        assert_eq!(ask(&memory, Err(Trouble::Refused)).await, Err(Trouble::Refused));
        pass(600);
        assert_eq!(ask(&memory, Err(Trouble::Down)).await, Err(Trouble::Down));
    }

    #[tokio::test]
    async fn errors_are_not_remembered() {
        let memory = AnswerCache::new(TIMES, MOST, clock);
        assert_eq!(ask(&memory, Err(Trouble::Refused)).await, Err(Trouble::Refused));
        assert_eq!(ask(&memory, Ok(1)).await, Ok((1, CacheState::Miss)));
    }

    #[tokio::test]
    async fn zero_switches_remembering_off() {
        let memory = AnswerCache::new(OFF, MOST, clock);
        assert_eq!(ask(&memory, Ok(1)).await, Ok((1, CacheState::Miss)));
        assert_eq!(ask(&memory, Ok(2)).await, Ok((2, CacheState::Miss)));
        assert_eq!(ask(&memory, Err(Trouble::Down)).await, Err(Trouble::Down));
    }

    #[tokio::test(start_paused = true)]
    async fn equal_questions_at_once_are_one() {
        let memory = Arc::new(AnswerCache::<u8, u32, Trouble>::new(OFF, MOST, clock));
        let calls = Arc::new(AtomicU32::new(0));
        let fetch = || {
            let calls = calls.clone();
            async move {
                calls.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                Ok(7)
            }
        };
        let one = || memory.get_or_fetch(1, Deadline::after(Duration::from_secs(10)), fetch);
        let answers = join_all((0..500).map(|_| one())).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|recalled| recalled.value == 7)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_does_not_take_the_answer_along() {
        for (times, costs) in [(OFF, 2), (TIMES, 1)] {
            let memory = AnswerCache::<u8, u32, Trouble>::new(times, MOST, clock);
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
            let leaver = tokio::time::timeout(Duration::from_secs(1), memory.get_or_fetch(1, deadline, fetch));
            let (gone, stayed) = tokio::join!(leaver, memory.get_or_fetch(1, deadline, fetch));
            assert!(gone.is_err());
            assert_eq!(stayed.map(|recalled| recalled.value), Ok(7));
            assert_eq!(calls.load(Ordering::Relaxed), 1);
            let again = memory.get_or_fetch(1, Deadline::after(Duration::from_secs(10)), fetch).await;
            assert_eq!(again.map(|recalled| recalled.value), Ok(7));
            assert_eq!(calls.load(Ordering::Relaxed), costs, "what was fetched for who left is remembered");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_more_time_goes_on_after_who_had_less() {
        let memory = AnswerCache::<u8, u32, Trouble>::new(OFF, MOST, clock);
        let ask = |seconds| {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            memory.get_or_fetch(1, deadline, move || async move {
                timeout_at(deadline.instant(), sleep(Duration::from_secs(3)))
                    .await
                    .map_err(|_| Trouble::Late)
                    .map(|()| 7)
            })
        };
        let (hasty, patient) = tokio::join!(ask(1), ask(9));
        assert_eq!(hasty.map(|recalled| recalled.value), Err(Trouble::Late));
        assert_eq!(patient.map(|recalled| recalled.value), Ok(7));
    }
}
