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
/// A random pause is up to twice this after the first attempt, and up to four times after the second.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// There is none: it would fail in the same way, or repeat what must not be repeated.
    Never,
    /// One, after a random pause.
    Once,
    /// After a random pause.
    Backoff,
    /// After the wait that was asked for.
    After(Duration),
    /// Immediately the first time, as only the connection was bad; then after a random pause.
    Reconnect,
}

impl Retry {
    /// After the wait that was asked for, or else after a random pause.
    pub(crate) fn after(wait: Option<Duration>) -> Self {
        wait.map_or(Self::Backoff, Self::After)
    }
}

/// The attempts of one call within its deadline.
#[derive(Debug)]
pub(crate) struct Attempts {
    deadline: Deadline,
    made: u32,
    distrust_connections: bool,
}

impl Attempts {
    /// No attempt was made yet.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { deadline, made: 0, distrust_connections: false }
    }

    /// A single attempt for each part of something whose attempts these are.
    pub(crate) fn one_for_a_part(&self) -> Self {
        Self { made: MAX_ATTEMPTS - 1, ..*self }
    }

    /// Whether a connection that was kept has failed: the next ones have to be new.
    pub(super) fn distrust_connections(&self) -> bool {
        self.distrust_connections
    }

    pub(super) fn distrust_connections_from_now_on(&mut self) {
        self.distrust_connections = true;
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

    /// The pause before the next attempt; `None`: there is none.
    pub(crate) fn pause(&self, retry: Retry) -> Option<Duration> {
        if self.are_spent() {
            return None;
        }
        let pause = match retry {
            Retry::Never => return None,
            Retry::Once if self.made > 1 => return None,
            Retry::Reconnect if self.made <= 1 => Duration::ZERO,
            Retry::Once | Retry::Backoff | Retry::Reconnect => backoff(self.made),
            Retry::After(wait) => wait,
        };
        (pause < self.deadline.remaining()).then_some(pause)
    }

    /// Waits until the next attempt may begin. False: there is none.
    pub(crate) async fn again(&self, retry: Retry) -> bool {
        let Some(pause) = self.pause(retry) else { return false };
        sleep(pause).await;
        true
    }
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
        for retry in [Retry::Backoff, Retry::After(Duration::from_secs(1)), Retry::Reconnect] {
            let pauses = [1, 2, 3].map(|made| attempts(made).pause(retry).is_some());
            assert_eq!(pauses, [true, true, false], "{retry:?}");
        }
        assert_eq!([1, 2, 3].map(|made| attempts(made).pause(Retry::Once).is_some()), [true, false, false]);
        assert_eq!(attempts(1).pause(Retry::Never), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_past_the_deadline_is_not_waited() {
        let longest = Duration::from_secs(10);
        assert_eq!(attempts(1).pause(Retry::After(longest)), None);
        let short = Duration::from_millis(9_999);
        assert_eq!(attempts(1).pause(Retry::After(short)), Some(short));
        assert!(!attempts(1).again(Retry::After(longest)).await);
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
