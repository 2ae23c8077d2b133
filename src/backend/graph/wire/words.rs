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
    let older = RENAMED.iter().find(|(newer, _)| newer.eq_ignore_ascii_case(&word));
    let older = older.map_or_else(|| pascal_case(&word).into(), |(_, older)| SharedStr::of_static(older));
    (older != "Unknown").then_some(older)
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
