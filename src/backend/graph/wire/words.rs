//! Converts Graph's enumeration values to the spelling of the older APIs: `truePositive` → `TruePositive`. Newer names of
//! a determination become the older names.

use crate::domain::shared_str::SharedStr;

/// Newer names and their older names. Source: <https://learn.microsoft.com/graph/api/resources/security-alert>: its table
/// has the older names, its enumeration the newer ones.
const RENAMED: &[(&str, &str)] = &[
    ("compromisedAccount", "CompromisedUser"),
    ("notMalicious", "Clean"),
    ("notEnoughDataToValidate", "InsufficientData"),
    ("confirmedActivity", "ConfirmedUserActivity"),
];

/// Returns a word in the spelling of the older APIs; `unknown` counts as null.
pub(super) fn older_spelling(word: SharedStr) -> Option<SharedStr> {
    if word.eq_ignore_ascii_case("unknown") {
        return None;
    }
    Some(match RENAMED.iter().find(|(newer, _)| newer.eq_ignore_ascii_case(&word)) {
        Some((_, older)) => SharedStr::of_static(older),
        None if word.starts_with(|first: char| first.is_ascii_lowercase()) => pascal_case(&word).into(),
        None => word,
    })
}

/// Returns the word with its first letter in upper case.
pub(super) fn pascal_case(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_names_become_the_older_names() {
        for (theirs, ours) in [
            ("compromisedAccount", Some("CompromisedUser")),
            ("compromisedUser", Some("CompromisedUser")),
            ("NotMalicious", Some("Clean")),
            ("notEnoughDataToValidate", Some("InsufficientData")),
            ("confirmedActivity", Some("ConfirmedUserActivity")),
            ("multiStagedAttack", Some("MultiStagedAttack")),
            ("TruePositive", Some("TruePositive")),
            ("unknown", None),
        ] {
            assert_eq!(older_spelling(theirs.into()).as_deref(), ours, "{theirs}");
        }
    }
}
