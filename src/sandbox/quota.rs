//! The quota of the Defender APIs: so many calls in any minute, and so many in any hour.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Calls that were let through, remembered for as long as they count.
pub(super) struct Quota {
    minute: Window,
    hour: Window,
}

struct Window {
    length: Duration,
    limit: usize,
    calls: VecDeque<Instant>,
}

impl Quota {
    pub(super) const fn new(per_minute: u32, per_hour: u32) -> Self {
        Self { minute: Window::new(MINUTE, per_minute), hour: Window::new(HOUR, per_hour) }
    }

    /// New limits; what was spent stays spent.
    pub(super) const fn limit(&mut self, per_minute: u32, per_hour: u32) {
        self.minute.limit = per_minute as usize;
        self.hour.limit = per_hour as usize;
    }

    /// Lets a call through, or says how long to wait. A call that is refused does not count.
    pub(super) fn spend(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = self.minute.wait(now).max(self.hour.wait(now));
        if !wait.is_zero() {
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

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_minute_slides() {
        let (mut quota, start) = (Quota::new(2, 100), Instant::now());
        assert_eq!(quota.spend(start), Ok(()));
        assert_eq!(quota.spend(at(start, 20)), Ok(()));
        assert_eq!(quota.spend(at(start, 30)), Err(Duration::from_secs(30)));
        assert_eq!(quota.spend(at(start, 60)), Ok(()));
        assert_eq!(quota.spend(at(start, 61)), Err(Duration::from_secs(19)));
    }

    #[test]
    fn the_hour_outlasts_the_minute() {
        let (mut quota, start) = (Quota::new(10, 2), Instant::now());
        assert_eq!(quota.spend(start), Ok(()));
        assert_eq!(quota.spend(start), Ok(()));
        assert_eq!(quota.spend(at(start, 3000)), Err(Duration::from_mins(10)));
        assert_eq!(quota.spend(at(start, 3600)), Ok(()));
    }

    #[test]
    fn a_limit_that_shrinks_counts_what_was_spent() {
        let (mut quota, start) = (Quota::new(10, 100), Instant::now());
        for second in 0..4 {
            assert_eq!(quota.spend(at(start, second)), Ok(()));
        }
        quota.limit(2, 100);
        assert_eq!(quota.spend(at(start, 10)), Err(Duration::from_secs(52)));
        quota.limit(0, 100);
        assert_eq!(quota.spend(at(start, 10)), Err(MINUTE));
    }
}
