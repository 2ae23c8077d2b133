//! The calls to one API in the last minute and the last hour, as pure data: it knows neither clocks nor limits of its
//! own. It limits the calls of this process, and those of all processes that share it through a table.

use std::collections::VecDeque;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::domain::timestamp::Timestamp;

/// Added to each window, because we count a call when it is sent and Microsoft counts it when it arrives.
const CLOCK_MARGIN: Duration = Duration::from_secs(1);
/// How long a call counts against the limit for a minute.
pub(crate) const MINUTE: Duration = Duration::from_secs(60).saturating_add(CLOCK_MARGIN);
/// How long a call counts against the limit for an hour.
pub(crate) const HOUR: Duration = Duration::from_secs(3600).saturating_add(CLOCK_MARGIN);
/// Marks the bytes of a ledger, and changes with their form.
const FORMAT: u64 = 1;
/// The length of the checksum before the bytes.
const CHECKSUM_BYTES: usize = 4;

/// Optional calls leave one part in this many of each limit (a half) to the others.
const OPTIONAL_CALLS_DIVISOR: u32 = 2;

/// The most calls in any 60 seconds and in any 3600 seconds. `None` is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// In any 60 seconds.
    pub(crate) per_minute: Option<u32>,
    /// In any 3600 seconds.
    pub(crate) per_hour: Option<u32>,
    /// For a call without which a request is answered too: how many other calls of the request are still to come. It
    /// leaves room for so many, and for half of each limit.
    pub(crate) required_calls: Option<u32>,
}

impl CallLimits {
    /// A cost above a limit counts as the whole limit.
    pub(super) fn clamp(self, calls: u32) -> u32 {
        let most = [self.per_minute, self.per_hour].into_iter().flatten().min().unwrap_or(u32::MAX);
        calls.clamp(1, most.max(1))
    }

    /// How much of a limit may be used.
    fn usable(self, limit: u32) -> u32 {
        let reserved = self.required_calls.map_or(0, |calls| calls.max(limit.div_ceil(OPTIONAL_CALLS_DIVISOR)));
        limit.saturating_sub(reserved)
    }
}

/// The calls to one API, and the time until which the API has asked for no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    minute: Calls,
    /// Grouped by the minutes of the clock, so that 1500 calls need no more than 62 entries.
    hour: Calls,
    closed_until: Option<Timestamp>,
}

impl Ledger {
    /// Takes calls from both windows, or from none. The error is the time to wait: exact for the minute, and at most a
    /// minute too long for the hour.
    pub(crate) fn take(&mut self, now: Timestamp, calls: u32, limits: CallLimits) -> Result<(), Duration> {
        if let Some(wait) = self.wait(now, calls, limits) {
            return Err(wait);
        }
        self.record(now, limits.clamp(calls));
        Ok(())
    }

    /// Returns the time until these calls are allowed, or `None` if they are allowed now.
    pub(crate) fn wait(&self, now: Timestamp, calls: u32, limits: CallLimits) -> Option<Duration> {
        let calls = limits.clamp(calls);
        let in_a_minute =
            limits.per_minute.and_then(|limit| self.minute.wait(now, MINUTE, calls, limits.usable(limit)));
        let in_an_hour = limits.per_hour.and_then(|limit| self.hour.wait(now, HOUR, calls, limits.usable(limit)));
        [self.closed(now), in_a_minute, in_an_hour].into_iter().flatten().max()
    }

    /// Records calls whether or not a limit allows them.
    pub(crate) fn record(&mut self, now: Timestamp, calls: u32) {
        // A clock that was set back must not disturb the order.
        let now = self.newest().map_or(now, |newest| newest.max(now));
        let minute_of = |time: Timestamp| time.unix_seconds().div_euclid(60);
        self.minute.record(now, MINUTE, calls, |newest| newest == now);
        self.hour.record(now, HOUR, calls, |newest| minute_of(newest) == minute_of(now));
    }

    /// Blocks all calls for `wait`, after a 429.
    pub(crate) fn close(&mut self, now: Timestamp, wait: Duration) {
        self.closed_until = self.closed_until.max(Some(now.later(wait)));
    }

    /// Returns the rest of the wait that the API asked for, if there is one.
    pub(crate) fn closed(&self, now: Timestamp) -> Option<Duration> {
        let until = self.closed_until.filter(|until| *until > now)?;
        Some(now.age_at(until))
    }

    /// Returns the time of the newest call.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.hour.0.back().map(|(time, _)| *time)
    }

    /// Whether it still has what an earlier state of the same ledger counted and still counts.
    pub(crate) fn continues(&self, earlier: &Self) -> bool {
        let Some(newest) = self.newest() else { return earlier.newest().is_none() && earlier.closed_until.is_none() };
        let count_at = |time| self.minute.0.iter().find(|(own, _)| *own == time).map_or(0, |(_, count)| *count);
        let mut counted = earlier.minute.0.iter().filter(|(time, _)| time.later(MINUTE) > newest);
        counted.all(|(time, count)| count_at(*time) >= *count)
            && (self.closed_until >= earlier.closed_until || earlier.closed_until <= Some(newest))
    }

    /// Whether its times can be true at `now`, if clocks differ by no more than this, and no API closes for longer.
    pub(crate) fn is_plausible(&self, now: Timestamp, clock_difference: Duration, longest_wait: Duration) -> bool {
        let latest = now.later(clock_difference);
        self.newest() <= Some(latest) && self.closed_until <= Some(latest.later(longest_wait))
    }

    /// Writes it as bytes: fewer than 1000, the unit that `DynamoDB` charges, if the limits are the documented ones.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (mut bytes, newest) = (Vec::new(), unix_ms(self.newest()));
        for number in [FORMAT, newest, unix_ms(self.closed_until)] {
            write(number, &mut bytes);
        }
        for Calls(calls) in [&self.minute, &self.hour] {
            write(u64::try_from(calls.len()).unwrap_or(u64::MAX), &mut bytes);
            let mut later = newest;
            for (time, count) in calls.iter().rev() {
                let time = unix_ms(Some(*time));
                write(later.saturating_sub(time), &mut bytes);
                write(u64::from(*count), &mut bytes);
                later = time;
            }
        }
        [checksum(&bytes).as_slice(), &bytes].concat()
    }

    /// Reads what [`Self::to_bytes`] wrote. `None`: anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sum, mut bytes) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        if sum != checksum(bytes) || read(&mut bytes)? != FORMAT {
            return None;
        }
        let (newest, closed_until) = (read(&mut bytes)?, read(&mut bytes)?);
        let mut calls = || {
            let (mut calls, mut later) = (VecDeque::new(), newest);
            for _ in 0..read(&mut bytes)? {
                later = later.checked_sub(read(&mut bytes)?)?;
                calls.push_front((timestamp(later), u32::try_from(read(&mut bytes)?).ok()?));
            }
            Some(Calls(calls))
        };
        let (minute, hour) = (calls()?, calls()?);
        let closed_until = (closed_until > 0).then(|| timestamp(closed_until));
        let ledger = Self { minute, hour, closed_until };
        // The newest call is in both windows.
        (bytes.is_empty() && unix_ms(ledger.newest()) == newest).then_some(ledger)
    }
}

/// Times of calls and their numbers, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Calls(VecDeque<(Timestamp, u32)>);

impl Calls {
    /// Returns the time until `calls` more fit into the last `period`, or `None` if they fit now.
    fn wait(&self, now: Timestamp, period: Duration, calls: u32, limit: u32) -> Option<Duration> {
        let counted = self.0.iter().filter(|(time, _)| time.later(period) > now);
        let in_period: u64 = counted.clone().map(|(_, count)| u64::from(*count)).sum();
        let mut too_many = (in_period + u64::from(calls)).checked_sub(u64::from(limit)).filter(|more| *more > 0)?;
        for (time, count) in counted {
            too_many = too_many.saturating_sub(u64::from(*count));
            if too_many == 0 {
                return Some(now.age_at(time.later(period)));
            }
        }
        Some(period)
    }

    /// Adds calls to the newest entry if it `is_same`, else as a new one. Drops the entries before the last `period`.
    fn record(&mut self, now: Timestamp, period: Duration, calls: u32, is_same: impl Fn(Timestamp) -> bool) {
        while self.0.front().is_some_and(|(time, _)| time.later(period) <= now) {
            self.0.pop_front();
        }
        match self.0.back_mut().filter(|(newest, _)| is_same(*newest)) {
            Some((newest, count)) => (*newest, *count) = (now, count.saturating_add(calls)),
            None => self.0.push_back((now, calls)),
        }
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(sum, byte)| *sum = *byte);
    sum
}

fn unix_ms(time: Option<Timestamp>) -> u64 {
    time.and_then(|time| u64::try_from(time.unix_milliseconds()).ok()).unwrap_or(0)
}

fn timestamp(unix_ms: u64) -> Timestamp {
    Timestamp::from_unix_seconds(0).later(Duration::from_millis(unix_ms))
}

/// Writes a number, seven bits a byte, the lowest first (LEB128).
fn write(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7F);
        }
        bytes.push(low | 0x80);
    }
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: CallLimits = CallLimits { per_minute: Some(20), per_hour: Some(100), required_calls: None };
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn at(seconds: u64) -> Timestamp {
        timestamp(1_700_000_000_000).later(Duration::from_secs(seconds))
    }

    /// The same limits, kept as a plain list of the times of all calls.
    struct Log(Vec<Timestamp>);

    impl Log {
        fn within(&self, period: Duration, now: Timestamp) -> usize {
            self.0.iter().filter(|call| call.later(period) > now).count()
        }

        /// The least wait until `calls` more fit, found by looking at the end of each call.
        fn wait(&self, now: Timestamp, calls: u32, period: Duration, limit: u32) -> Duration {
            let ends = self.0.iter().map(|call| call.later(period)).filter(|end| *end > now);
            let fits = |time: &Timestamp| self.within(period, *time) + calls as usize <= limit as usize;
            let first = [now].into_iter().chain(ends).filter(fits).min().expect("the last end fits");
            now.age_at(first)
        }
    }

    /// Pauses in milliseconds, each followed by a request for some calls. Most pauses are short, some are minutes.
    fn requests() -> impl Strategy<Value = Vec<(u64, u32)>> {
        let pause = prop_oneof![8 => 0..3_000_u64, 2 => 0..70_000_u64, 1 => 0..900_000_u64];
        prop::collection::vec((pause, 1..=20_u32), 1..100)
    }

    proptest! {
        #[test]
        fn no_minute_and_no_hour_has_more_calls_than_a_plain_log_allows(requests in requests()) {
            let (mut ledger, mut log, mut now) = (Ledger::default(), Log(Vec::new()), at(0));
            for (pause, calls) in requests {
                now = now.later(Duration::from_millis(pause));
                let in_a_minute = log.wait(now, calls, MINUTE, 20);
                let in_an_hour = log.wait(now, calls, HOUR, 100);
                match ledger.take(now, calls, LIMITS) {
                    Ok(()) => {
                        prop_assert_eq!((in_a_minute, in_an_hour), (Duration::ZERO, Duration::ZERO));
                        log.0.extend((0..calls).map(|_| now));
                    }
                    Err(wait) => {
                        prop_assert!(wait >= in_a_minute.max(in_an_hour), "{:?}", wait);
                        prop_assert!(wait <= in_a_minute.max(in_an_hour + Duration::from_secs(60)), "{:?}", wait);
                        prop_assert!(ledger.wait(now.later(wait), calls, LIMITS).is_none());
                        prop_assert!(ledger.wait(now.later(wait.saturating_sub(MILLISECOND)), calls, LIMITS).is_some());
                    }
                }
                let read = Ledger::from_bytes(&ledger.to_bytes());
                prop_assert_eq!(read.as_ref(), Some(&ledger));
            }
        }

        #[test]
        fn bytes_of_anything_else_are_no_ledger(mut bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 1..200_usize) {
            prop_assert_eq!(Ledger::from_bytes(&bytes), None);
            let mut ledger = Ledger::default();
            for byte in &bytes {
                ledger.record(at(u64::from(*byte)), 1);
            }
            let whole = ledger.to_bytes();
            prop_assert_eq!(Ledger::from_bytes(whole.get(..whole.len().saturating_sub(cut)).unwrap_or_default()), None);
            // Also where the checksum is right.
            bytes.insert(0, 1);
            let _ = Ledger::from_bytes(&[checksum(&bytes).as_slice(), &bytes].concat());
        }
    }

    #[test]
    fn an_hour_of_calls_fits_into_a_unit_of_storage() {
        let (mut ledger, limits) =
            (Ledger::default(), CallLimits { per_minute: Some(100), per_hour: Some(1500), ..LIMITS });
        for second in (0..3_600).step_by(3) {
            ledger.take(at(second), 1, limits).expect("20 a minute");
        }
        for millisecond in 0..80_u32 {
            let now = at(3_539).later(Duration::from_millis(750) * millisecond);
            ledger.take(now, 1, limits).expect("100 in the last minute");
        }
        assert!(ledger.to_bytes().len() < 800, "{}", ledger.to_bytes().len());
    }

    #[test]
    fn calls_that_no_limit_allowed_count_as_well() {
        let mut ledger = Ledger::default();
        ledger.record(at(0), 60);
        assert_eq!(ledger.take(at(1), 1, LIMITS), Err(Duration::from_secs(60)));
        assert_eq!(ledger.take(at(61), 20, LIMITS), Ok(()));
        assert_eq!(ledger.take(at(122), 20, LIMITS), Ok(()));
        assert_eq!(ledger.take(at(183), 1, LIMITS), Err(Duration::from_secs(3_601 - 183)));
    }

    #[test]
    fn an_optional_call_leaves_half_of_each_limit_and_room_for_what_is_required() {
        for (required, allowed) in [(0, 10), (10, 10), (15, 5), (20, 0), (30, 0)] {
            let (mut ledger, limits) = (Ledger::default(), CallLimits { required_calls: Some(required), ..LIMITS });
            let taken = (0..40).filter(|_| ledger.take(at(0), 1, limits).is_ok()).count();
            assert_eq!((taken, ledger.take(at(0), 20 - allowed, LIMITS)), (allowed as usize, Ok(())), "{required}");
        }
    }

    #[test]
    fn a_closed_ledger_gives_nothing_until_the_latest_of_its_ends() {
        let mut ledger = Ledger::default();
        ledger.close(at(0), Duration::from_secs(30));
        ledger.close(at(1), Duration::from_secs(9));
        assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), Some(ledger.clone()));
        assert_eq!(ledger.take(at(2), 1, LIMITS), Err(Duration::from_secs(28)));
        assert_eq!(ledger.take(at(30), 1, LIMITS), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_hides_no_call() {
        let mut ledger = Ledger::default();
        ledger.take(at(500), 20, LIMITS).expect("the first");
        let wait = ledger.take(at(400), 1, LIMITS).expect_err("the minute is full");
        assert_eq!(wait, Duration::from_secs(161));
        ledger.record(at(400), 1);
        assert_eq!(ledger.newest(), Some(at(500)));
        assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), Some(ledger));
    }
}
