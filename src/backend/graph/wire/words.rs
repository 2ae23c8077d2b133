//! Converts Graph's enumeration values to the spelling of the older APIs: `truePositive` → `TruePositive`. Newer names of
//! a determination become the older names.

use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// Newer names and their older names. Source: <https://learn.microsoft.com/graph/api/resources/security-alert>: its table
/// has the older names, its enumeration the newer ones.
const RENAMED: &[(&str, &str)] = &[
    ("compromisedAccount", "CompromisedUser"),
    ("notMalicious", "Clean"),
    ("notEnoughDataToValidate", "InsufficientData"),
    ("confirmedActivity", "ConfirmedUserActivity"),
];

/// Reads an enumeration value in `PascalCase`; `unknown` counts as null.
pub(super) fn word(members: &mut Members<'_>, name: &'static str, warnings: &mut Warnings) -> Option<SharedStr> {
    let word = members.text(&[name], warnings).filter(|word| !word.eq_ignore_ascii_case("unknown"))?;
    let older = RENAMED.iter().find(|(newer, _)| newer.eq_ignore_ascii_case(&word));
    Some(older.map_or_else(|| pascal_case(&word).into(), |(_, older)| SharedStr::of_static(older)))
}

/// Reads the determination; a value such as `notSet` counts as null.
pub(super) fn determination(members: &mut Members<'_>, warnings: &mut Warnings) -> Option<SharedStr> {
    word(members, "determination", warnings).filter(|word| vocabulary::is_determination(word))
}

/// Returns the word with its first letter in upper case.
pub(super) fn pascal_case(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient_json::body::{MembersReader, object};

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
            ("", None),
        ] {
            let json = format!(r#"{{"determination":{theirs:?}}}"#);
            let json = SharedStr::from(json);
            let mut members = object(&json, &mut MembersReader(|members| members)).expect("an object");
            let word = word(&mut members, "determination", &mut Warnings::default());
            assert_eq!(word.as_deref(), ours, "{theirs}");
        }
    }
}
