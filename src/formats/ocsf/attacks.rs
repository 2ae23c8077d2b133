//! MITRE ATT&CK: the object `attack`, from techniques and the category that is a tactic.
//!
//! Source: <https://schema.ocsf.io/1.8.0/objects/attack>.

use std::collections::HashSet;

use serde::Serialize;

use crate::domain::alert::Alert;
use crate::domain::shared_str::SharedStr;
use crate::domain::tactic;
use crate::formats::filled::filled;

/// A tactic, a technique, or both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Attack<'a> {
    pub(super) tactic: Option<Tactic>,
    pub(super) technique: Option<Technique<'a>>,
    pub(super) sub_technique: Option<Technique<'a>>,
}

/// A tactic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Tactic {
    pub(super) uid: &'static str,
    pub(super) name: &'static str,
}

/// A technique or sub-technique.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Technique<'a> {
    pub(super) uid: &'a str,
}

/// The attacks of an alert. Its categories are the tactics of the alert, not of each technique, so the two are combined
/// only if there is one of each.
pub(super) fn of(alert: &Alert) -> Vec<Attack<'_>> {
    named(alert.named_categories(), &alert.techniques)
}

fn named<'a>(categories: impl Iterator<Item = &'a str>, techniques: &'a [SharedStr]) -> Vec<Attack<'a>> {
    let tactics = categories.filter_map(tactic::Tactic::of_category);
    let tactics = tactics.map(|tactic| Tactic { uid: tactic.id, name: tactic.name });
    let mut tactics =
        distinct(tactics.map(|tactic| Attack { tactic: Some(tactic), technique: None, sub_technique: None }));
    let techniques = techniques.iter().filter_map(|id| filled(Some(id)));
    let mut attacks = distinct(techniques.map(technique));
    if let ([tactic], [only]) = (&*tactics, &mut *attacks) {
        only.tactic = tactic.tactic;
        return attacks;
    }
    tactics.append(&mut attacks);
    tactics
}

/// Removes duplicates.
pub(super) fn distinct<'a>(attacks: impl Iterator<Item = Attack<'a>>) -> Vec<Attack<'a>> {
    let mut seen = HashSet::new();
    attacks.filter(|attack| seen.insert(*attack)).collect()
}

/// `T1059.001` is the sub-technique 001 of the technique `T1059`.
fn technique(id: &str) -> Attack<'_> {
    let (uid, sub_technique) = match id.split_once('.') {
        Some((whole, part)) if !whole.is_empty() && !part.is_empty() => (whole, Some(Technique { uid: id })),
        _ => (id, None),
    };
    Attack { tactic: None, technique: Some(Technique { uid }), sub_technique }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sparse;

    fn attacks(category: &str, techniques: &[&str]) -> serde_json::Value {
        let techniques: Vec<_> = techniques.iter().map(|id| SharedStr::from(*id)).collect();
        sparse::to_value(&named(category.split(' '), &techniques))
    }

    #[test]
    fn tactic_is_combined_only_with_a_single_technique() {
        let tactic = serde_json::json!({"uid": "TA0002", "name": "Execution"});
        assert_eq!(
            attacks("Execution", &["T1059.001"]),
            serde_json::json!([{"tactic": tactic, "technique": {"uid": "T1059"}, "sub_technique": {"uid": "T1059.001"}}])
        );
        assert_eq!(
            attacks("Execution", &["T1059", "", "T1027", "T1059"]),
            serde_json::json!([{"tactic": tactic}, {"technique": {"uid": "T1059"}}, {"technique": {"uid": "T1027"}}])
        );
        assert_eq!(attacks("Execution", &[]), serde_json::json!([{"tactic": tactic}]));
        let impact = serde_json::json!({"uid": "TA0040", "name": "Impact"});
        assert_eq!(
            attacks("Execution Impact", &["T1059"]),
            serde_json::json!([{"tactic": tactic}, {"tactic": impact}, {"technique": {"uid": "T1059"}}])
        );
        assert_eq!(attacks("Malware", &["T1."]), serde_json::json!([{"technique": {"uid": "T1."}}]));
        assert_eq!(attacks("Malware", &[]), serde_json::json!([]));
    }
}
