//! Times in OCSF's form, `timestamp_t`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/data_types>.

use std::ops::Range;

use crate::domain::timestamp::Timestamp;

/// The plausible years of alerts, 1990 to 2099, in milliseconds. Windows and .NET write 1601 and 9999 for a missing
/// time.
const PLAUSIBLE: Range<i64> = 631_152_000_000..4_102_444_800_000;

/// The milliseconds since 1970, if the time is plausible.
pub(super) fn milliseconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::unix_milliseconds).filter(|time| PLAUSIBLE.contains(time))
}

/// The first plausible time, or else `fallback`.
pub(super) fn first_of(times: &[Option<Timestamp>], fallback: Timestamp) -> i64 {
    times.iter().find_map(|time| milliseconds(*time)).unwrap_or(fallback.unix_milliseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholder_times_are_omitted() {
        let at = |text| milliseconds(Timestamp::parse(text));
        assert_eq!(at("2026-11-03T08:15:42.0369999Z"), Some(1_793_693_742_036));
        for none in ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"] {
            assert_eq!(at(none), None, "{none}");
        }
        let (never, then) = (Timestamp::parse("1601-01-01T00:00:00Z"), Timestamp::parse("2026-11-03T08:15:42Z"));
        assert_eq!(Some(first_of(&[None, never, then], Timestamp::from_unix_seconds(0))), milliseconds(then));
    }
}
