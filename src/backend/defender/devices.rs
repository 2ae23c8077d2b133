//! Device records, and the choice among several records of one name.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::credentials::CallError;
use crate::domain::context::DeviceContext;
use crate::domain::subject::{DeviceId, DeviceName, NameMatch};
use crate::domain::timestamp::Timestamp;

/// A device record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRecord {
    pub(crate) id: DeviceId,
    pub(crate) context: DeviceContext,
    /// The record was merged into another, or Defender marks it as a duplicate or as excluded.
    pub(crate) is_superseded: bool,
}

/// The records of a name, possibly incomplete.
#[derive(Debug)]
pub(crate) struct DeviceList {
    pub(crate) records: Vec<DeviceRecord>,
    /// Why the list is incomplete, if it is.
    pub(crate) incomplete: Option<CallError>,
}

/// Returns the `$filter` that lists exactly the records that a name can mean. `startswith` needs the dot: without it,
/// `pc1` would also list `pc10`.
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

/// How many records of one name are tried, one after the other, until Defender knows the alerts of one.
pub(crate) const MAX_TRIED_RECORDS: usize = 10;

/// The record that was chosen for a name, and the other candidates in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChosenDevice {
    pub(crate) id: DeviceId,
    pub(crate) others: Vec<DeviceId>,
    /// The records in the same order, as many as may be tried.
    pub(crate) contexts: Vec<DeviceContext>,
    /// The part of the name that matches.
    pub(crate) by: NameMatch,
}

/// Chooses among the records of one name; a machine that was re-imaged leaves several. A record that is not superseded
/// comes first, then an active one, then the newest `lastSeen`, then the lowest id. Records with only the first label of
/// the name are other devices if a record has the whole name.
pub(crate) fn choose(name: &DeviceName, records: Vec<DeviceRecord>) -> Option<ChosenDevice> {
    let matched = |by| {
        move |record: &DeviceRecord| record.context.name.as_deref().and_then(|known| name.matches(known)) == Some(by)
    };
    let (whole, others): (Vec<_>, Vec<_>) = records.into_iter().partition(matched(NameMatch::Whole));
    let (mut records, by) = if whole.is_empty() {
        (others.into_iter().filter(matched(NameMatch::FirstLabel)).collect(), NameMatch::FirstLabel)
    } else {
        (whole, NameMatch::Whole)
    };
    records.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.id.as_str().cmp(other.id.as_str())));
    // A record that moved between pages during reading is on both, and its members may differ.
    let mut seen = HashSet::new();
    records.retain(|record| seen.insert(record.id.clone()));
    let contexts = records.iter().take(MAX_TRIED_RECORDS).map(|record| record.context.clone()).collect();
    let mut ids = records.into_iter().map(|record| record.id);
    Some(ChosenDevice { id: ids.next()?, others: ids.collect(), contexts, by })
}

/// Returns what orders the records. An active device is onboarded, and its sensor reports.
fn rank(record: &DeviceRecord) -> (bool, bool, Reverse<Option<Timestamp>>) {
    let is = |word: Option<&str>, expected: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(expected));
    let context = &record.context;
    let is_active =
        is(context.health_status.as_deref(), "Active") && is(context.onboarding_status.as_deref(), "Onboarded");
    (record.is_superseded, !is_active, Reverse(context.last_seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(records: Vec<DeviceRecord>) -> Option<ChosenDevice> {
        super::choose(&DeviceName::parse("desk-042.contoso.com").expect("a name"), records)
    }

    fn record(digit: char, seen: i64, is_active: bool, is_superseded: bool) -> DeviceRecord {
        let context = DeviceContext {
            name: Some("desk-042.contoso.com".into()),
            last_seen: Some(Timestamp::from_unix_seconds(seen)),
            health_status: Some(if is_active { "Active" } else { "Inactive" }.into()),
            onboarding_status: Some("onboarded".into()),
            ..DeviceContext::default()
        };
        DeviceRecord { id: DeviceId::parse(&digit.to_string().repeat(40)).expect("an id"), context, is_superseded }
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
    fn a_record_of_the_first_label_is_chosen_if_none_has_the_whole_name() {
        let named = |name: &str, mut record: DeviceRecord| {
            record.context.name = Some(name.into());
            record
        };
        let short = named("DESK-042", record('1', 900, true, false));
        let elsewhere = named("desk-042.fabrikam.com", record('2', 900, true, false));
        let chosen = choose(vec![elsewhere.clone(), short.clone()]).expect("the short one");
        assert_eq!((chosen.id.clone(), chosen.others.len(), chosen.by), (short.id.clone(), 0, NameMatch::FirstLabel));
        let whole = record('3', 1, false, true);
        let chosen = choose(vec![elsewhere.clone(), short, whole.clone()]).expect("the whole one");
        assert_eq!((chosen.id, chosen.others.len(), chosen.by), (whole.id, 0, NameMatch::Whole));
        assert_eq!(choose(vec![elsewhere]), None);
        assert_eq!(choose(Vec::new()), None);
    }

    #[test]
    fn a_record_that_is_listed_twice_counts_once() {
        let records = vec![record('1', 300, true, false), record('2', 200, true, false), record('1', 100, true, false)];
        let chosen = choose(records).expect("one of them");
        assert!(chosen.id.as_str().starts_with('1'));
        assert_eq!(chosen.others.len(), 1);
    }

    #[test]
    fn the_filter_lists_only_what_a_name_can_mean() {
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
}
