//! Graph's words as Defender spells them elsewhere: `truePositive` → `TruePositive`, and the later names of a
//! determination as the older.

use crate::domain::shared_str::SharedStr;
use crate::domain::vocabulary;
use crate::domain::warning::Warnings;
use crate::lenient_json::members::Members;

/// The later names, and the older. Source: <https://learn.microsoft.com/graph/api/resources/security-alert>, where the
/// table has the older ones and the enumeration the later.
const RENAMED: &[(&str, &str)] = &[
    ("compromisedAccount", "CompromisedUser"),
    ("notMalicious", "Clean"),
    ("notEnoughDataToValidate", "InsufficientData"),
    ("confirmedActivity", "ConfirmedUserActivity"),
];

/// A word of an enumeration in `PascalCase`; `unknown` says as little as null.
pub(super) fn word(members: &mut Members<'_>, name: &'static str, notes: &mut Warnings) -> Option<SharedStr> {
    let word = members.text(&[name], notes).filter(|word| !word.eq_ignore_ascii_case("unknown"))?;
    let older = RENAMED.iter().find(|(later, _)| later.eq_ignore_ascii_case(&word));
    Some(older.map_or_else(|| pascal_case(&word).into(), |(_, older)| SharedStr::of_static(older)))
}

/// The determination; a word such as `notSet` is none.
pub(super) fn determination(members: &mut Members<'_>, notes: &mut Warnings) -> Option<SharedStr> {
    word(members, "determination", notes).filter(|word| vocabulary::is_determination(word))
}

/// The word with a capital at its start.
pub(super) fn pascal_case(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient_json::body::{MembersReader, object};

    #[test]
    fn later_spellings_are_the_older_words() {
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
