//! The retry policy of every outbound call.

use std::time::Duration;

use tokio::time::sleep;

use super::context::Deadline;

/// Attempts of one call, including the first.
const MAX_ATTEMPTS: u32 = 3;
/// The share of the remaining time that an attempt may pass without receiving data. It leaves time for another attempt
/// if the connection is dead.
const SILENCE_SHARE: f64 = 0.6;
/// No attempt is given up before this time without data, unless the deadline comes first.
const MIN_SILENCE: Duration = Duration::from_millis(500);
/// The least time that has to remain after a wait for another call to be worthwhile.
const MIN_CALL_TIME: Duration = Duration::from_millis(200);
/// The base of the random pauses: up to twice this after the first attempt, up to four times this after the second.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// Whether and how a failed call is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// No retry: it would fail in the same way, or repeat an action that must not be repeated.
    Never,
    /// Retry after a random pause, but only after the first failure of this kind.
    Once,
    /// Retry after a random pause.
    Backoff,
    /// Retry after the wait that the service requested.
    After(Duration),
    /// Retry after a random pause, over a new connection.
    NewConnection,
    /// Retry over a new connection: immediately the first time, because only the connection failed, then after a random
    /// pause.
    Reconnect,
}

impl Retry {
    /// Retries after the requested wait, or after a random pause if there is none.
    pub(crate) fn after(wait: Option<Duration>) -> Self {
        wait.map_or(Self::Backoff, Self::After)
    }
}

/// The attempts of one call within its deadline.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    deadline: Deadline,
    made: u32,
    /// Whether an attempt has failed with `Retry::Once`.
    has_retried_once: bool,
    distrust_connections: bool,
}

impl Attempts {
    /// The attempts of a call that was not made yet.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { deadline, made: 0, has_retried_once: false, distrust_connections: false }
    }

    /// A single attempt of a combined call. `parts` are the attempts of the calls that it combines.
    pub(crate) fn one_for_all_of<'a>(parts: impl Iterator<Item = &'a Self>, deadline: Deadline) -> Self {
        let mut one = Self { made: MAX_ATTEMPTS - 1, ..Self::until(deadline) };
        one.distrust_connections = parts.into_iter().any(|part| part.distrust_connections);
        one
    }

    /// Whether a pooled connection has failed, so that the next attempts need a new one.
    pub(super) fn distrust_connections(&self) -> bool {
        self.distrust_connections
    }

    /// Counts an attempt that starts now.
    pub(crate) fn begin(&mut self) {
        self.made += 1;
    }

    /// The number of attempts made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Whether no attempt is left.
    pub(crate) fn are_spent(&self) -> bool {
        self.made >= MAX_ATTEMPTS
    }

    /// Records how the last attempt failed, and returns the pause before the next. Returns `None` if there is no next
    /// attempt, or if the pause would leave no time for it.
    pub(crate) fn pause(&mut self, retry: Retry) -> Option<Duration> {
        let may_retry_once = !self.has_retried_once;
        self.has_retried_once |= retry == Retry::Once;
        self.distrust_connections |= matches!(retry, Retry::NewConnection | Retry::Reconnect);
        if self.are_spent() {
            return None;
        }
        let pause = match retry {
            Retry::Never => return None,
            Retry::Once if !may_retry_once => return None,
            Retry::Reconnect if self.made <= 1 => Duration::ZERO,
            Retry::Once | Retry::Backoff | Retry::NewConnection | Retry::Reconnect => backoff(self.made),
            Retry::After(wait) => wait,
        };
        leaves_time(pause, self.deadline).then_some(pause)
    }

    /// Waits until the next attempt may start. Returns false if there is none.
    pub(crate) async fn again(&mut self, retry: Retry) -> bool {
        let Some(pause) = self.pause(retry) else { return false };
        sleep(pause).await;
        true
    }
}

/// Whether enough time for a call remains after a wait.
pub(super) fn leaves_time(wait: Duration, deadline: Deadline) -> bool {
    wait + MIN_CALL_TIME <= deadline.remaining()
}

/// The longest time that a repeatable attempt may wait for data, given the time that remains.
pub(crate) fn longest_silence(remaining: Duration) -> Duration {
    remaining.mul_f64(SILENCE_SHARE).max(MIN_SILENCE)
}

/// A random pause: full jitter over an exponentially growing span.
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
        for retry in [Retry::Backoff, Retry::After(Duration::from_secs(1)), Retry::NewConnection, Retry::Reconnect] {
            let pauses = [1, 2, 3].map(|made| attempts(made).pause(retry).is_some());
            assert_eq!(pauses, [true, true, false], "{retry:?}");
        }
        assert_eq!(attempts(1).pause(Retry::Never), None);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_once_allows_one_failure_of_its_kind() {
        let outcome = |failures: [Retry; 3]| {
            let mut attempts = attempts(0);
            failures.map(|retry| {
                attempts.begin();
                attempts.pause(retry).is_some()
            })
        };
        assert_eq!(outcome([Retry::Once, Retry::Once, Retry::Never]), [true, false, false]);
        assert_eq!(
            outcome([Retry::Backoff, Retry::Once, Retry::Once]),
            [true, true, false],
            "the second attempt is the first failure of this kind"
        );
        assert_eq!(outcome([Retry::Once, Retry::Backoff, Retry::Once]), [true, true, false]);
        assert!(attempts(2).pause(Retry::Once).is_some() && attempts(3).pause(Retry::Once).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_retry_after_a_wait_that_leaves_no_time() {
        for longest in [Duration::from_secs(10), Duration::from_millis(9_801)] {
            assert_eq!(attempts(1).pause(Retry::After(longest)), None, "{longest:?}");
            assert!(!attempts(1).again(Retry::After(longest)).await);
        }
        let short = Duration::from_millis(9_800);
        assert_eq!(attempts(1).pause(Retry::After(short)), Some(short));
        let mut at_the_end = Attempts::until(Deadline::after(MIN_CALL_TIME / 2));
        at_the_end.begin();
        assert_eq!([Retry::Reconnect, Retry::Backoff].map(|retry| at_the_end.pause(retry)), [None, None]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_combined_call_uses_a_new_connection_if_any_part_needs_one() {
        let [mut broken, mut silent, mut busy] = [1; 3].map(attempts);
        broken.pause(Retry::Reconnect);
        silent.pause(Retry::NewConnection);
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
