//! Moments as OCSF counts them: `timestamp_t`.
//!
//! Source: <https://schema.ocsf.io/1.8.0/data_types>.

use std::ops::Range;

use crate::domain::timestamp::Timestamp;

/// The years in which there are alerts, in milliseconds: from 1990 to 2099. A time outside is how Windows and .NET write
/// that there is none, in 1601 and 9999.
const PLAUSIBLE: Range<i64> = 631_152_000_000..4_102_444_800_000;

/// A moment as OCSF counts: milliseconds since 1970.
pub(super) fn milliseconds(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::unix_milliseconds).filter(|time| PLAUSIBLE.contains(time))
}

/// The first of several moments; `last`, where there is none.
pub(super) fn first_of(moments: &[Option<Timestamp>], last: Timestamp) -> i64 {
    moments.iter().find_map(|moment| milliseconds(*moment)).unwrap_or(last.unix_milliseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_means_none_is_none() {
        let at = |text| milliseconds(Timestamp::parse(text));
        assert_eq!(at("2026-11-03T08:15:42.0369999Z"), Some(1_793_693_742_036));
        for none in ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"] {
            assert_eq!(at(none), None, "{none}");
        }
        let (never, then) = (Timestamp::parse("1601-01-01T00:00:00Z"), Timestamp::parse("2026-11-03T08:15:42Z"));
        assert_eq!(Some(first_of(&[None, never, then], Timestamp::from_unix_seconds(0))), milliseconds(then));
    }
}
