//! Moments in UTC, as Microsoft writes them and as the answer shows them.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A moment in UTC, cut to milliseconds; shown as RFC 3339, `2026-11-03T08:15:42.036Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    unix_ms: i64,
}

impl Moment {
    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// A moment from seconds since 1970, as JWTs and Secrets Manager count.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self { unix_ms: seconds.saturating_mul(1000) }
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }

    /// Milliseconds since 1970.
    pub fn unix_milliseconds(self) -> i64 {
        self.unix_ms
    }

    /// Reads ISO 8601 with 0 to 9 fraction digits, as Microsoft writes it (100 ns ticks, trailing zeros cut).
    ///
    /// A time without a zone is UTC. `None`: no time at all, or .NET's "no time" of the year 1.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("0001-01-01T") {
            return None;
        }
        Self::parse_usual(text).or_else(|| {
            let zoned = match text.get(10..) {
                Some(clock) if !clock.contains(['Z', 'z', '+', '-']) => Cow::Owned(format!("{text}Z")),
                _ => Cow::Borrowed(text),
            };
            // Outside of these years there is no RFC 3339.
            let parsed: Timestamp =
                zoned.parse().ok().filter(|_| zoned.starts_with(|first: char| first.is_ascii_digit()))?;
            Some(Self { unix_ms: i64::try_from(parsed.as_nanosecond().div_euclid(1_000_000)).ok()? })
        })
    }

    /// The form that nearly every time has, `2026-11-03T08:15:42.0366667Z`: a list of alerts holds thousands.
    fn parse_usual(text: &str) -> Option<Self> {
        let (date_time, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
        let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] =
            *date_time.as_bytes()
        else {
            return None;
        };
        let two = |tens, ones| i8::try_from(number(&[tens, ones])?).ok();
        let year = i16::try_from(number(&[y0, y1, y2, y3])?).ok()?;
        let second = DateTime::new(year, two(mo0, mo1)?, two(d0, d1)?, two(h0, h1)?, two(mi0, mi1)?, two(s0, s1)?, 0);
        let ms = match fraction.strip_prefix('.').unwrap_or(fraction).as_bytes() {
            [] if fraction.is_empty() => 0,
            [a] => number(&[*a, b'0', b'0'])?,
            [a, b] => number(&[*a, *b, b'0'])?,
            [a, b, c, rest @ ..] if rest.len() <= 6 => number(rest).and(number(&[*a, *b, *c]))?,
            _ => return None,
        };
        let second = Offset::UTC.to_timestamp(second.ok()?).ok()?;
        Some(Self { unix_ms: second.as_millisecond() + i64::from(ms) })
    }

    /// How long ago this was at `now`; zero for the future.
    pub fn age_at(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(now.unix_ms - self.unix_ms).unwrap_or(0))
    }

    /// This moment, later by `span`.
    #[must_use]
    pub fn later(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { unix_ms: self.unix_ms.saturating_add(span) }
    }

    /// As it is shown: digits and what stands between them.
    fn rfc_3339(self) -> [u8; 24] {
        let at = Timestamp::from_millisecond(self.unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let at = Offset::UTC.to_datetime(at);
        let [y0, y1] = two_digits(at.year() / 100);
        let [y2, y3] = two_digits(at.year() % 100);
        let [mo0, mo1] = two_digits(at.month().into());
        let [d0, d1] = two_digits(at.day().into());
        let [h0, h1] = two_digits(at.hour().into());
        let [mi0, mi1] = two_digits(at.minute().into());
        let [s0, s1] = two_digits(at.second().into());
        let [ms0, ms1] = two_digits(at.millisecond() / 10);
        let [ms2, _] = two_digits(at.millisecond() % 10 * 10);
        [
            y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, b'.', ms0, ms1,
            ms2, b'Z',
        ]
    }
}

/// A number below 100 as it is written.
fn two_digits(number: i16) -> [u8; 2] {
    let digit = |number: i16| b'0' + u8::try_from(number % 10).unwrap_or_default();
    [digit(number / 10), digit(number)]
}

/// The number that these digits write; at most nine of them.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| 10 * number + u32::from(digit - b'0')))
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { unix_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.rfc_3339()).unwrap_or_default())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.rfc_3339()).unwrap_or_default())
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            "description": "RFC 3339 in UTC, with milliseconds."
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        Moment::parse(text).map(|at| at.to_string())
    }

    #[test]
    fn any_number_of_fraction_digits_is_read_and_cut() {
        for (text, right) in [
            ("2021-01-26T20:31:33Z", "2021-01-26T20:31:33.000Z"),
            ("2021-01-26T20:33:59.2Z", "2021-01-26T20:33:59.200Z"),
            ("2021-01-26T20:33:58.42Z", "2021-01-26T20:33:58.420Z"),
            ("2021-01-25T07:27:36.052313Z", "2021-01-25T07:27:36.052Z"),
            ("2021-01-26T20:33:57.7229999Z", "2021-01-26T20:33:57.722Z"),
            ("2026-01-01T00:00:00.0000000Z", "2026-01-01T00:00:00.000Z"),
            ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000Z"),
            ("2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:00.500Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(right), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "0001-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00,5.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:0éZ",
            "-000001-01-01T00:00:00Z",
            "5",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_usual_form_is_read_as_any_other(at in -62_135_596_799_i64..253_402_300_799, fraction in "|\\.[0-9]{1,9}") {
            let second = Timestamp::from_second(at).expect("a time").to_string();
            let usual = second.replace('Z', &format!("{fraction}Z"));
            let other = second.replace('Z', &format!("{fraction}+00:00"));
            prop_assert_eq!(Moment::parse_usual(&usual), Moment::parse(&other));
            prop_assert!(Moment::parse_usual(&usual).is_some());
            prop_assert!(Moment::parse_usual(&other).is_none());
        }

        #[test]
        fn what_is_shown_is_read_as_the_same(ms in -62_135_510_400_000_i64..253_402_300_799_999) {
            let moment = Moment { unix_ms: ms };
            prop_assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        }
    }
}
