//! Device records, and which of several of one name is meant.

use std::cmp::Reverse;

use crate::domain::subject::DeviceId;
use crate::domain::text::Text;
use crate::domain::time::Moment;

/// What matters of a device's record when a name is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRecord {
    pub(crate) id: DeviceId,
    pub(crate) name: Text,
    pub(crate) last_seen: Option<Moment>,
    /// It is onboarded, and its sensor reports.
    pub(crate) is_active: bool,
    /// It was merged into another record, or Defender takes it for a duplicate or excludes it.
    pub(crate) is_superseded: bool,
}

/// The record that a name stands for, and those that it could have stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) id: DeviceId,
    pub(crate) others: Vec<DeviceId>,
}

/// Re-imaged machines leave several records of one name. Not merged and no duplicate comes first, then onboarded and
/// active, then the newest `lastSeen`, then the id.
pub(crate) fn choose(mut records: Vec<DeviceRecord>) -> Option<Chosen> {
    records.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.id.as_str().cmp(other.id.as_str())));
    records.dedup_by(|one, other| one.id == other.id);
    let mut ids = records.into_iter().map(|record| record.id);
    Some(Chosen { id: ids.next()?, others: ids.collect() })
}

fn rank(record: &DeviceRecord) -> (bool, bool, Reverse<Option<Moment>>) {
    (record.is_superseded, !record.is_active, Reverse(record.last_seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(digit: char, seen: i64, is_active: bool, is_superseded: bool) -> DeviceRecord {
        DeviceRecord {
            id: DeviceId::parse(&digit.to_string().repeat(40)).expect("an id"),
            name: "desk-042.contoso.com".into(),
            last_seen: Some(Moment::from_unix_seconds(seen)),
            is_active,
            is_superseded,
        }
    }

    #[test]
    fn the_active_record_seen_last_is_chosen() {
        let records = vec![
            record('1', 100, true, false),
            record('2', 300, true, false),
            record('3', 400, false, false),
            record('4', 500, true, true),
        ];
        let chosen = choose(records).expect("one of them");
        assert!(chosen.id.as_str().starts_with('2'));
        assert_eq!(chosen.others.len(), 3);
    }

    #[test]
    fn no_record_is_no_choice() {
        assert_eq!(choose(Vec::new()), None);
    }
}
