//! A point in time by both clocks: the wall clock goes on while a process is frozen, and the monotonic one is never set
//! back.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::timestamp::Timestamp;

/// A point in time; it has passed when one of the clocks says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timepoint {
    wall: Timestamp,
    /// `None`: too far away for it.
    monotonic: Option<Instant>,
}

impl Timepoint {
    /// Now.
    pub(super) fn now() -> Self {
        Self::at(Timestamp::now())
    }

    /// Now, which the wall clock calls `now`.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { wall: now, monotonic: Some(Instant::now()) }
    }

    /// Later by `span`.
    #[must_use]
    pub(super) fn later(self, span: Duration) -> Self {
        Self { wall: self.wall.later(span), monotonic: self.monotonic.and_then(|at| at.checked_add(span)) }
    }

    /// Whether it is still to come at `now`.
    pub(super) fn is_ahead_of(self, now: Timestamp) -> bool {
        now < self.wall && self.monotonic.is_none_or(|at| Instant::now() < at)
    }

    /// Whether it has passed.
    pub(super) fn has_passed(self) -> bool {
        !self.is_ahead_of(Timestamp::now())
    }

    /// What the wall clock calls it.
    pub(super) fn wall(self) -> Timestamp {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_that_is_ahead_decides() {
        let now = Timestamp::from_unix_seconds(1_000_000);
        let point = Timepoint::at(now).later(Duration::from_secs(60));
        assert!(point.is_ahead_of(now.later(Duration::from_secs(59))));
        assert!(!point.is_ahead_of(now.later(Duration::from_secs(60))), "frozen: only the wall clock went on");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!point.is_ahead_of(now), "set back: only the other one went on");
        assert!(Timepoint::at(now).later(Duration::from_secs(u64::MAX)).is_ahead_of(now));
    }
}
