//! Times in UTC: read from the formats that Microsoft writes, and written as RFC 3339.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// A time in UTC, truncated to milliseconds and written as RFC 3339: `2026-11-03T08:15:42.036Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(
    with = "String",
    description = "RFC 3339 in UTC, with milliseconds.",
    extend("format" = "date-time", "pattern" = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
)]
pub struct Timestamp {
    unix_ms: i64,
}

impl Timestamp {
    /// Returns the current time of the wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Creates a time from seconds since 1970, as JWTs and Secrets Manager have.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self { unix_ms: seconds.saturating_mul(1000) }
    }

    /// Returns the seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }

    /// Returns the milliseconds since 1970.
    pub fn unix_milliseconds(self) -> i64 {
        self.unix_ms
    }

    /// Parses ISO 8601 with 0 to 9 fraction digits. Microsoft writes 100 ns ticks without trailing zeros.
    ///
    /// A time without a zone is UTC. `None`: the text is not a time, or it is .NET's default value in the year 1.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("0001-01-01T") {
            return None;
        }
        let has_zone = |clock: &str| clock.bytes().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
        let zoned = match text.get(10..) {
            Some(clock) if !has_zone(clock) => Cow::Owned(format!("{text}Z")),
            _ => Cow::Borrowed(text),
        };
        // RFC 3339 has only years of four digits.
        let parsed: jiff::Timestamp =
            zoned.parse().ok().filter(|_| zoned.starts_with(|first: char| first.is_ascii_digit()))?;
        let unix_ms = parsed.as_second() * 1000 + i64::from(parsed.subsec_nanosecond().div_euclid(1_000_000));
        Some(Self { unix_ms })
    }

    /// Returns how long before `now` this time was; zero for the future.
    pub fn age_at(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(now.unix_ms - self.unix_ms).unwrap_or(0))
    }

    /// Returns this time plus `span`.
    #[must_use]
    pub fn later(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { unix_ms: self.unix_ms.saturating_add(span) }
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { unix_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{at:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_truncated_to_milliseconds_and_other_texts_rejected() {
        for (text, written) in [
            ("2021-01-26T20:31:33Z", Some("2021-01-26T20:31:33.000Z")),
            ("2021-01-26T20:33:59.2Z", Some("2021-01-26T20:33:59.200Z")),
            ("2021-01-26T20:33:57.7229999Z", Some("2021-01-26T20:33:57.722Z")),
            ("2026-03-01T12:00:00", Some("2026-03-01T12:00:00.000Z")),
            ("2026-03-01T12:00:00.5+02:00", Some("2026-03-01T10:00:00.500Z")),
            ("", None),
            ("yesterday", None),
            ("0001-01-01T00:00:00Z", None),
            ("2026-02-30T00:00:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00,5.Z", None),
            ("2026-01-01T00:00:00.1234567890Z", None),
            ("2026-01-01T00:00:0éZ", None),
            ("-000001-01-01T00:00:00Z", None),
        ] {
            assert_eq!(Timestamp::parse(text).map(|at| at.to_string()).as_deref(), written, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_time_is_read_back_unchanged(ms in -62_135_510_400_000_i64..253_402_300_799_999) {
            let time = Timestamp { unix_ms: ms };
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }
}
