//! Device records, and which of several of one name is meant.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::credentials::CallError;
use crate::domain::shared_str::SharedStr;
use crate::domain::subject::{DeviceId, DeviceName, NameMatch};
use crate::domain::timestamp::Timestamp;

/// What matters of a device's record when a name is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRecord {
    pub(crate) id: DeviceId,
    pub(crate) name: SharedStr,
    pub(crate) last_seen: Option<Timestamp>,
    /// It is onboarded, and its sensor reports.
    pub(crate) is_active: bool,
    /// It was merged into another record, or Defender takes it for a duplicate or excludes it.
    pub(crate) is_superseded: bool,
}

/// The records of a name, as far as their list was read.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) records: Vec<DeviceRecord>,
    /// Why the list was not read to its end, if it was not.
    pub(crate) unread: Option<CallError>,
}

/// What lists the records that a name can mean, and no others: `startswith` of a short name alone would list `pc10` for
/// `pc1`.
///
/// Source: <https://learn.microsoft.com/defender-endpoint/api/get-machines>.
pub(super) fn filter(name: &DeviceName) -> String {
    let literal = |text: &str| text.replace('\'', "''");
    let equals = |name: &DeviceName| {
        let all = name.spellings().into_iter();
        all.map(|text| format!("computerDnsName eq '{}'", literal(&text))).collect::<Vec<_>>()
    };
    let mut conditions = equals(name);
    if let Some(label) = name.first_label() {
        conditions.extend(equals(&label));
    } else {
        let starts = name.spellings().into_iter();
        conditions.extend(starts.map(|text| format!("startswith(computerDnsName,'{}.')", literal(&text))));
    }

    conditions.join(" or ")
}

/// The record that a name stands for, and those that it could have stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) id: DeviceId,
    pub(crate) others: Vec<DeviceId>,
    /// By which part of the name.
    pub(crate) by: NameMatch,
}

/// Re-imaged machines leave several records of one name. Not merged and no duplicate comes first, then onboarded and
/// active, then the newest `lastSeen`, then the id. Records that have only the first label of the name are of other
/// devices where one has the whole name.
pub(crate) fn choose(name: &DeviceName, records: Vec<DeviceRecord>) -> Option<Chosen> {
    let matched = |by| move |record: &DeviceRecord| name.matches(&record.name) == Some(by);
    let (whole, others): (Vec<_>, Vec<_>) = records.into_iter().partition(matched(NameMatch::Whole));
    let (mut records, by) = if whole.is_empty() {
        (others.into_iter().filter(matched(NameMatch::FirstLabel)).collect(), NameMatch::FirstLabel)
    } else {
        (whole, NameMatch::Whole)
    };
    records.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.id.as_str().cmp(other.id.as_str())));
    // A record that moved from one page to another while they were read stands on both, and may differ.
    let mut seen = HashSet::new();
    records.retain(|record| seen.insert(record.id.clone()));
    let mut ids = records.into_iter().map(|record| record.id);
    Some(Chosen { id: ids.next()?, others: ids.collect(), by })
}

fn rank(record: &DeviceRecord) -> (bool, bool, Reverse<Option<Timestamp>>) {
    (record.is_superseded, !record.is_active, Reverse(record.last_seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(records: Vec<DeviceRecord>) -> Option<Chosen> {
        super::choose(&DeviceName::parse("desk-042.contoso.com").expect("a name"), records)
    }

    fn record(digit: char, seen: i64, is_active: bool, is_superseded: bool) -> DeviceRecord {
        DeviceRecord {
            id: DeviceId::parse(&digit.to_string().repeat(40)).expect("an id"),
            name: "desk-042.contoso.com".into(),
            last_seen: Some(Timestamp::from_unix_seconds(seen)),
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
    fn a_record_of_the_first_label_is_taken_where_none_has_the_whole_name() {
        let short = DeviceRecord { name: "DESK-042".into(), ..record('1', 900, true, false) };
        let elsewhere = DeviceRecord { name: "desk-042.fabrikam.com".into(), ..record('2', 900, true, false) };
        let chosen = choose(vec![elsewhere.clone(), short.clone()]).expect("the short one");
        assert_eq!((chosen.id.clone(), chosen.others.len(), chosen.by), (short.id.clone(), 0, NameMatch::FirstLabel));
        let whole = record('3', 1, false, true);
        let chosen = choose(vec![elsewhere.clone(), short, whole.clone()]).expect("the whole one");
        assert_eq!((chosen.id, chosen.others.len(), chosen.by), (whole.id, 0, NameMatch::Whole));
        assert_eq!(choose(vec![elsewhere]), None);
    }

    #[test]
    fn a_record_that_is_listed_twice_is_one() {
        let records = vec![record('1', 300, true, false), record('2', 200, true, false), record('1', 100, true, false)];
        let chosen = choose(records).expect("one of them");
        assert!(chosen.id.as_str().starts_with('1'));
        assert_eq!(chosen.others.len(), 1);
    }

    #[test]
    fn no_more_is_listed_than_a_name_can_mean() {
        for (name, right) in [
            ("pc1", "computerDnsName eq 'pc1' or startswith(computerDnsName,'pc1.')"),
            ("pc1.contoso.com", "computerDnsName eq 'pc1.contoso.com' or computerDnsName eq 'pc1'"),
            (
                "Dana's iPad",
                "computerDnsName eq 'Dana''s iPad' or computerDnsName eq 'Dana’s iPad' \
                 or startswith(computerDnsName,'Dana''s iPad.') or startswith(computerDnsName,'Dana’s iPad.')",
            ),
        ] {
            assert_eq!(filter(&DeviceName::parse(name).expect("a name")), right);
        }
    }

    #[test]
    fn no_record_is_no_choice() {
        assert_eq!(choose(Vec::new()), None);
    }
}
