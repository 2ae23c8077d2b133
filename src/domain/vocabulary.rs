//! The closed vocabularies of the answer, and the conversion of Defender's words to them.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};

use super::shared_str::SharedStr;

/// An enumeration whose values the answer writes as words.
pub trait ClosedVocabulary: Copy + Eq + Into<&'static str> + VariantArray {
    /// Every word, in the order in which counts list them.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// Returns the word in the answer.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

impl<W: Copy + Eq + Into<&'static str> + VariantArray> ClosedVocabulary for W {}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Defender says `UnSpecified`, or nothing.
    #[default]
    Unknown,
    /// Information only.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
    /// A word that this version does not know; a warning carries it.
    Other,
}

impl Severity {
    /// Parses Defender's word; `None` if it is unknown.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match &*letters(word) {
            "unspecified" | "unknown" => Self::Unknown,
            "informational" => Self::Informational,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }

    /// Returns the rank among severities; `other` is lowest.
    pub fn rank(self) -> u8 {
        if self == Self::Other { 0 } else { self.id().number() + 1 }
    }

    /// Returns the number of this severity in OCSF.
    pub fn id(self) -> SeverityId {
        SeverityId(self)
    }
}

/// A severity as OCSF numbers it: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 99 other.
///
/// Source: <https://schema.ocsf.io/1.8.0/objects/finding_info>, attribute `severity_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(
    with = "serde_json::Value",
    description = "A severity as OCSF numbers it: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 99 other.",
    extend("type" = "integer", "enum" = Severity::ALL.iter().map(|word| word.id().number()).collect::<Vec<_>>())
)]
pub struct SeverityId(Severity);

impl SeverityId {
    /// The number.
    pub fn number(self) -> u8 {
        match self.0 {
            Severity::Unknown => 0,
            Severity::Informational => 1,
            Severity::Low => 2,
            Severity::Medium => 3,
            Severity::High => 4,
            Severity::Critical => 5,
            Severity::Other => 99,
        }
    }
}

impl Serialize for SeverityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

/// Where the work on an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has taken it.
    New,
    /// Somebody works on it.
    InProgress,
    /// Done.
    Resolved,
    /// Defender says `Unknown`, or nothing.
    #[default]
    Unknown,
    /// A word that this version does not know; a warning carries it.
    Other,
}

impl AlertStatus {
    /// Parses Defender's word; `None` if it is unknown. Only alerts nested in incidents have `Active`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match &*letters(word) {
            "new" => Self::New,
            "inprogress" | "active" => Self::InProgress,
            "resolved" => Self::Resolved,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// Whether the alert still needs work: it is not resolved.
    pub fn is_open(self) -> bool {
        self != Self::Resolved
    }
}

/// Where the work on an incident stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentStatus {
    /// Open.
    Active,
    /// Somebody works on it.
    InProgress,
    /// Done.
    Resolved,
    /// Merged into another incident.
    Redirected,
    /// Defender says nothing.
    #[default]
    Unknown,
    /// A word that this version does not know; a warning carries it.
    Other,
}

impl IncidentStatus {
    /// Parses Defender's word; `None` if it is unknown.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match &*letters(word) {
            "active" => Self::Active,
            "inprogress" | "awaitingaction" => Self::InProgress,
            "resolved" => Self::Resolved,
            "redirected" => Self::Redirected,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

/// Where the work on a list of alerts stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ListStatus {
    /// At least one alert is not resolved.
    Open,
    /// All are resolved.
    Resolved,
    /// There is no alert.
    None,
}

/// Where the work on a subject stands, in the words of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Status {
    /// Of an alert.
    Alert(AlertStatus),
    /// Of an incident.
    Incident(IncidentStatus),
    /// Of the alerts of a machine, a user or a file.
    List(ListStatus),
}

impl Status {
    /// Returns the word in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert(word) => word.as_str(),
            Self::Incident(word) => word.as_str(),
            Self::List(word) => word.as_str(),
        }
    }
}

/// What the analysts decided about one alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AlertVerdict {
    /// It was an attack.
    TruePositive,
    /// It was a mistake of the detection.
    FalsePositive,
    /// It happened, and was meant to.
    Benign,
    /// It was a security test.
    Test,
    /// Nobody has decided.
    #[default]
    Undetermined,
    /// A classification that this version does not know; a warning carries it.
    Other,
}

impl AlertVerdict {
    /// Returns the verdict for a classification and its determination; `None` if the classification is unknown.
    pub fn parse(classification: Option<&str>, determination: Option<&str>) -> Option<Self> {
        let Some(classification) = classification else { return Some(Self::Undetermined) };
        let verdict = match &*letters(classification) {
            "truepositive" => Self::TruePositive,
            "falsepositive" => Self::FalsePositive,
            "informationalexpectedactivity" | "benignpositive" => Self::Benign,
            "unknown" => Self::Undetermined,
            _ => return None,
        };
        let tested = determination.is_some_and(|word| letters(word) == "securitytesting");
        Some(if verdict == Self::Benign && tested { Self::Test } else { verdict })
    }
}

/// What the analysts decided about all the alerts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// At least one was an attack.
    TruePositive,
    /// All were mistakes of the detection.
    FalsePositive,
    /// All were meant to happen.
    Benign,
    /// All were security tests.
    Test,
    /// At least one is undecided, and none was an attack.
    Undetermined,
    /// All are decided, differently, and none was an attack.
    Mixed,
    /// There is no alert.
    None,
    /// All have classifications that this version does not know.
    Other,
}

impl From<AlertVerdict> for Verdict {
    fn from(one: AlertVerdict) -> Self {
        match one {
            AlertVerdict::TruePositive => Self::TruePositive,
            AlertVerdict::FalsePositive => Self::FalsePositive,
            AlertVerdict::Benign => Self::Benign,
            AlertVerdict::Test => Self::Test,
            AlertVerdict::Undetermined => Self::Undetermined,
            AlertVerdict::Other => Self::Other,
        }
    }
}

/// Defender's own words, if the answer has only `other`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnknownWords {
    /// For the severity.
    pub severity: Option<SharedStr>,
    /// For the status.
    pub status: Option<SharedStr>,
}

/// Returns the letters and digits of a word, in lower case. Words that differ only in case, spaces and punctuation are equal.
pub(super) fn letters(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a determination has a meaning. `NotAvailable` is the default in incidents of the older API.
pub fn is_determination(word: &str) -> bool {
    !matches!(&*letters(word), "notavailable" | "notset" | "unknown")
}

/// Returns the distinct categories in the order of first occurrence.
pub fn categories(words: impl Iterator<Item = SharedStr>) -> Vec<SharedStr> {
    let mut seen = HashSet::new();
    words.filter(|word| !word.is_empty() && seen.insert(word.clone())).collect()
}

/// Converts Defender's `PascalCase` or `camelCase` word to `snake_case`: `MailMessage` → `mail_message`.
pub fn snake_case(word: &str) -> SharedStr {
    let mut out = String::with_capacity(word.len() + 4);
    let mut before = ' ';
    for c in word.chars() {
        if c.is_ascii_alphanumeric() {
            let starts_word = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
            let follows_gap = !before.is_ascii_alphanumeric() && !out.is_empty();
            if starts_word || follows_gap {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enrichment::CacheState;
    use crate::domain::notified::Outcome;
    use crate::domain::subject::Kind;

    #[test]
    fn every_word_is_the_same_in_json() {
        fn assert_same<W: ClosedVocabulary + Serialize>() {
            for word in W::ALL {
                assert_eq!(serde_json::to_value(word).expect("JSON"), word.as_str());
            }
        }
        assert_same::<Severity>();
        assert_same::<AlertStatus>();
        assert_same::<IncidentStatus>();
        assert_same::<ListStatus>();
        assert_same::<AlertVerdict>();
        assert_same::<Verdict>();
        assert_same::<Kind>();
        assert_eq!(Kind::VARIANTS, Kind::ALL);
        assert_same::<CacheState>();
        assert_same::<Outcome>();
    }

    #[test]
    fn all_spellings_of_a_word_are_parsed_alike() {
        assert_eq!(Severity::parse("UnSpecified"), Some(Severity::Unknown));
        assert_eq!(Severity::parse("high"), Some(Severity::High));
        assert_eq!(Severity::parse("Catastrophic"), None);
        assert_eq!(AlertStatus::parse("inProgress"), Some(AlertStatus::InProgress));
        assert_eq!(AlertStatus::parse("Active"), Some(AlertStatus::InProgress));
        assert_eq!(IncidentStatus::parse("awaitingAction"), Some(IncidentStatus::InProgress));
        for spelling in ["InformationalExpectedActivity", "Informational, expected activity", "BenignPositive"] {
            assert_eq!(AlertVerdict::parse(Some(spelling), None), Some(AlertVerdict::Benign), "{spelling}");
            assert_eq!(AlertVerdict::parse(Some(spelling), Some("SecurityTesting")), Some(AlertVerdict::Test));
        }
        assert_eq!(AlertVerdict::parse(None, Some("Malware")), Some(AlertVerdict::Undetermined));
        assert_eq!(AlertVerdict::parse(Some("Contested"), None), None);
    }

    #[test]
    fn an_unknown_severity_is_never_the_highest() {
        assert!(Severity::ALL.iter().all(|word| word.rank() >= Severity::Other.rank()));
        assert!(Severity::Critical.rank() > Severity::High.rank());
    }

    #[test]
    fn words_become_snake_case() {
        for (word, right) in [
            ("MailMessage", "mail_message"),
            ("Ip", "ip"),
            ("noThreatsFound", "no_threats_found"),
            ("Partially Investigated", "partially_investigated"),
        ] {
            assert_eq!(snake_case(word), right);
        }
    }
}
