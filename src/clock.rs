//! The wall clock.

use crate::domain::timestamp::Timestamp;

/// The wall clock. Constructors take it, so that a test can set the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Timestamp);

impl Clock {
    /// The clock of the system.
    pub const SYSTEM: Self = Self(Timestamp::now);

    /// A clock that shows what `read` returns.
    pub const fn new(read: fn() -> Timestamp) -> Self {
        Self(read)
    }

    /// Returns the current time.
    pub fn now(self) -> Timestamp {
        (self.0)()
    }
}

/// A clock for unit tests. Each test runs in a thread of its own, and has its own time.
#[cfg(test)]
pub(crate) mod manual {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{Clock, Timestamp};

    thread_local! {
        static TIME: Cell<Timestamp> = Cell::new(Timestamp::from_unix_seconds(1_000_000));
    }

    /// Stands still unless it is advanced.
    pub(crate) const CLOCK: Clock = Clock(|| TIME.get());

    pub(crate) fn advance(seconds: u64) {
        TIME.set(TIME.get().later(Duration::from_secs(seconds)));
    }
}
