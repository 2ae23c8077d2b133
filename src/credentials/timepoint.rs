//! Points in time that use two clocks. The wall clock advances while a process is frozen, and the monotonic clock is
//! never set back.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::timestamp::Timestamp;

/// A point in time. It has passed when either clock has passed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timepoint {
    wall: Timestamp,
    /// `None` if the point is too far away for the monotonic clock.
    monotonic: Option<Instant>,
}

impl Timepoint {
    /// The current time.
    pub(super) fn now() -> Self {
        Self::at(Timestamp::now())
    }

    /// The current time, with `now` as the time of the wall clock.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { wall: now, monotonic: Some(Instant::now()) }
    }

    /// The point in time `span` later.
    #[must_use]
    pub(super) fn later(self, span: Duration) -> Self {
        Self { wall: self.wall.later(span), monotonic: self.monotonic.and_then(|at| at.checked_add(span)) }
    }

    /// Whether it is in the future, with `now` as the time of the wall clock.
    pub(super) fn is_ahead_of(self, now: Timestamp) -> bool {
        now < self.wall && self.monotonic.is_none_or(|at| Instant::now() < at)
    }

    /// Whether it has passed.
    pub(super) fn has_passed(self) -> bool {
        !self.is_ahead_of(Timestamp::now())
    }

    /// Its time by the wall clock.
    pub(super) fn wall(self) -> Timestamp {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timepoint_passes_by_the_faster_clock() {
        let now = Timestamp::from_unix_seconds(1_000_000);
        let point = Timepoint::at(now).later(Duration::from_secs(60));
        assert!(point.is_ahead_of(now.later(Duration::from_secs(59))));
        assert!(!point.is_ahead_of(now.later(Duration::from_secs(60))), "frozen: only the wall clock advanced");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!point.is_ahead_of(now), "set back: only the monotonic clock advanced");
        assert!(Timepoint::at(now).later(Duration::from_secs(u64::MAX)).is_ahead_of(now));
    }
}
