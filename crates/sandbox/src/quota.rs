//! The quota of the Defender APIs: so many calls in any minute, and so many in any hour.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The calls that count in each window.
pub(crate) struct Quota {
    minute: Window,
    hour: Window,
    /// The number of calls that were refused.
    pub(crate) refused: u64,
}

struct Window {
    length: Duration,
    limit: usize,
    calls: VecDeque<Instant>,
}

impl Quota {
    pub(crate) const fn new(per_minute: u32, per_hour: u32) -> Self {
        Self { minute: Window::new(MINUTE, per_minute), hour: Window::new(HOUR, per_hour), refused: 0 }
    }

    /// Changes the limits. Earlier calls still count.
    pub(crate) const fn limit(&mut self, per_minute: u32, per_hour: u32) {
        self.minute.limit = per_minute as usize;
        self.hour.limit = per_hour as usize;
    }

    /// Counts a call, or returns how long to wait. A refused call does not count.
    pub(crate) fn spend(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = self.minute.wait(now).max(self.hour.wait(now));
        if !wait.is_zero() {
            self.refused += 1;
            return Err(wait);
        }
        self.minute.calls.push_back(now);
        self.hour.calls.push_back(now);
        Ok(())
    }
}

impl Window {
    const fn new(length: Duration, limit: u32) -> Self {
        Self { length, limit: limit as usize, calls: VecDeque::new() }
    }

    /// How long until there is room for one more.
    fn wait(&mut self, now: Instant) -> Duration {
        while self.calls.front().is_some_and(|at| now.duration_since(*at) >= self.length) {
            self.calls.pop_front();
        }
        let Some(excess) = self.calls.len().checked_sub(self.limit) else { return Duration::ZERO };
        self.calls.get(excess).map_or(self.length, |at| (*at + self.length).duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_slide_and_a_smaller_limit_counts_earlier_calls() {
        let start = Instant::now();
        let mut quota = Quota::new(2, 3);
        let spend = |quota: &mut Quota, second| {
            let wait = quota.spend(start + Duration::from_secs(second));
            wait.map_or_else(|wait| wait.as_secs(), |()| 0)
        };
        let waits = [(0, 0), (20, 0), (30, 30), (60, 0), (61, 3539), (3000, 600), (3600, 0)];
        for (second, wait) in waits {
            assert_eq!(spend(&mut quota, second), wait, "after {second} s");
        }
        quota.limit(0, 100);
        assert_eq!(spend(&mut quota, 3600), 60);
        quota.limit(1, 100);
        assert_eq!(spend(&mut quota, 3610), 50);
        assert_eq!(quota.refused, 5);
    }
}
