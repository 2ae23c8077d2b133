//! When a call that failed is made again: one policy for everything that calls out.

use std::time::Duration;

use tokio::time::sleep;

use super::context::Deadline;

/// Attempts of one call in all.
const MAX_ATTEMPTS: u32 = 3;
/// An attempt may stay silent for this share of what is left, so that a dead connection leaves time for another.
const SILENCE_SHARE: f64 = 0.6;
/// No attempt is given up sooner, unless the deadline is.
const MIN_SILENCE: Duration = Duration::from_millis(500);
/// What is left of a deadline after a wait has to be worth a call.
const MIN_TIME: Duration = Duration::from_millis(200);
/// A random pause is up to twice this after the first attempt, and up to four times after the second.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// There is none: it would fail in the same way, or repeat what must not be repeated.
    Never,
    /// One after the first failure of this kind, after a random pause.
    Once,
    /// After a random pause.
    Backoff,
    /// After the wait that was asked for.
    After(Duration),
    /// After a random pause, over a new connection.
    Afresh,
    /// The same, but immediately the first time, as only the connection was bad.
    Reconnect,
}

impl Retry {
    /// After the wait that was asked for, or else after a random pause.
    pub(crate) fn after(wait: Option<Duration>) -> Self {
        wait.map_or(Self::Backoff, Self::After)
    }
}

/// The attempts of one call within its deadline.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    deadline: Deadline,
    made: u32,
    /// One has failed in a way that is tried again only once.
    had_its_second_chance: bool,
    distrust_connections: bool,
}

impl Attempts {
    /// No attempt was made yet.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { deadline, made: 0, had_its_second_chance: false, distrust_connections: false }
    }

    /// A single attempt of one call for several things, of each of which these are the attempts.
    pub(crate) fn one_for_all_of<'a>(parts: impl Iterator<Item = &'a Self>, deadline: Deadline) -> Self {
        let mut one = Self { made: MAX_ATTEMPTS - 1, ..Self::until(deadline) };
        one.distrust_connections = parts.into_iter().any(|part| part.distrust_connections);
        one
    }

    /// Whether a connection that was kept has failed: the next ones have to be new.
    pub(super) fn distrust_connections(&self) -> bool {
        self.distrust_connections
    }

    /// Counts an attempt that begins now.
    pub(crate) fn begin(&mut self) {
        self.made += 1;
    }

    /// How many were made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Whether none is left.
    pub(crate) fn are_spent(&self) -> bool {
        self.made >= MAX_ATTEMPTS
    }

    /// Takes note of how the last attempt failed. The pause before the next; `None`: there is none, also where the pause
    /// would leave no time for it.
    pub(crate) fn pause(&mut self, retry: Retry) -> Option<Duration> {
        let may_be_tried_once = !self.had_its_second_chance;
        self.had_its_second_chance |= retry == Retry::Once;
        self.distrust_connections |= matches!(retry, Retry::Afresh | Retry::Reconnect);
        if self.are_spent() {
            return None;
        }
        let pause = match retry {
            Retry::Never => return None,
            Retry::Once if !may_be_tried_once => return None,
            Retry::Reconnect if self.made <= 1 => Duration::ZERO,
            Retry::Once | Retry::Backoff | Retry::Afresh | Retry::Reconnect => backoff(self.made),
            Retry::After(wait) => wait,
        };
        leaves_time(pause, self.deadline).then_some(pause)
    }

    /// Waits until the next attempt may begin. False: there is none.
    pub(crate) async fn again(&mut self, retry: Retry) -> bool {
        let Some(pause) = self.pause(retry) else { return false };
        sleep(pause).await;
        true
    }
}

/// Whether a wait leaves the time that a call needs at least.
pub(super) fn leaves_time(wait: Duration, deadline: Deadline) -> bool {
    wait + MIN_TIME <= deadline.remaining()
}

/// How long an attempt that can be repeated may stay silent, of the time that is left.
pub(crate) fn longest_silence(remaining: Duration) -> Duration {
    remaining.mul_f64(SILENCE_SHARE).max(MIN_SILENCE)
}

/// Full jitter over an exponential span.
fn backoff(made: u32) -> Duration {
    BACKOFF_BASE.saturating_mul(1 << made.min(4)).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(made: u32) -> Attempts {
        let mut attempts = Attempts::until(Deadline::after(Duration::from_secs(10)));
        (0..made).for_each(|_| attempts.begin());
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_three_attempts() {
        for retry in [Retry::Backoff, Retry::After(Duration::from_secs(1)), Retry::Afresh, Retry::Reconnect] {
            let pauses = [1, 2, 3].map(|made| attempts(made).pause(retry).is_some());
            assert_eq!(pauses, [true, true, false], "{retry:?}");
        }
        assert_eq!(attempts(1).pause(Retry::Never), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_tried_once_more_is_counted_by_its_failures() {
        let outcome = |failures: [Retry; 3]| {
            let mut attempts = attempts(0);
            failures.map(|retry| {
                attempts.begin();
                attempts.pause(retry).is_some()
            })
        };
        assert_eq!(outcome([Retry::Once, Retry::Once, Retry::Never]), [true, false, false]);
        assert_eq!(outcome([Retry::Backoff, Retry::Once, Retry::Once]), [true, true, false], "the second is its first");
        assert_eq!(outcome([Retry::Once, Retry::Backoff, Retry::Once]), [true, true, false]);
        assert!(attempts(2).pause(Retry::Once).is_some() && attempts(3).pause(Retry::Once).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_leaves_no_time_for_a_call_is_not_waited() {
        for longest in [Duration::from_secs(10), Duration::from_millis(9_801)] {
            assert_eq!(attempts(1).pause(Retry::After(longest)), None, "{longest:?}");
            assert!(!attempts(1).again(Retry::After(longest)).await);
        }
        let short = Duration::from_millis(9_800);
        assert_eq!(attempts(1).pause(Retry::After(short)), Some(short));
        let mut at_the_end = Attempts::until(Deadline::after(MIN_TIME / 2));
        at_the_end.begin();
        assert_eq!([Retry::Reconnect, Retry::Backoff].map(|retry| at_the_end.pause(retry)), [None, None]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_failed_one_of_several_is_not_used_again_for_any() {
        let [mut broken, mut silent, mut busy] = [1; 3].map(attempts);
        broken.pause(Retry::Reconnect);
        silent.pause(Retry::Afresh);
        busy.pause(Retry::Backoff);
        for (one, right) in [(broken, true), (silent, true), (busy.clone(), false)] {
            let deadline = one.deadline;
            let parts = [busy.clone(), one];
            let call = Attempts::one_for_all_of(parts.iter(), deadline);
            assert_eq!((call.distrust_connections(), call.are_spent()), (right, false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_random_and_short() {
        for _ in 0..100 {
            assert!(attempts(1).pause(Retry::Backoff) <= Some(Duration::from_millis(200)));
            assert!(attempts(2).pause(Retry::Reconnect) <= Some(Duration::from_millis(400)));
        }
        assert_eq!(attempts(1).pause(Retry::Reconnect), Some(Duration::ZERO));
    }
}
