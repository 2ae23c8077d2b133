//! The closed vocabularies of the answer, and the conversion of Defender's words to them.

use std::borrow::Cow;
use std::collections::HashSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::shared_str::SharedStr;

/// An enumeration whose values the answer writes as words.
pub trait ClosedVocabulary: Copy + Eq + 'static {
    /// Every word, in the order in which counts list them.
    const ALL: &'static [Self];
    /// Returns the word in the answer.
    fn as_str(self) -> &'static str;
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $variant),+
        }

        impl ClosedVocabulary for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}

words! {
    /// How bad an alert is.
    #[derive(Default)]
    Severity {
        /// Defender says `UnSpecified`, or nothing.
        #[default]
        Unknown = "unknown",
        /// Information only.
        Informational = "informational",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
        /// A word that this version does not know; a warning carries it.
        Other = "other",
    }
}

impl Severity {
    /// Parses Defender's word; `None` if it is unknown.
    pub fn parse(word: &str) -> Option<Self> {
        known(
            word,
            &[
                ("unspecified", Self::Unknown),
                ("unknown", Self::Unknown),
                ("informational", Self::Informational),
                ("low", Self::Low),
                ("medium", Self::Medium),
                ("high", Self::High),
                ("critical", Self::Critical),
            ],
        )
    }

    /// Returns the rank among severities; `other` is lowest.
    pub fn rank(self) -> u8 {
        match self {
            Self::Other => 0,
            Self::Unknown => 1,
            Self::Informational => 2,
            Self::Low => 3,
            Self::Medium => 4,
            Self::High => 5,
            Self::Critical => 6,
        }
    }

    /// Returns the number of this severity in OCSF.
    pub fn id(self) -> SeverityId {
        SeverityId(self)
    }
}

/// A severity as OCSF numbers it: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 99 other.
///
/// Source: <https://schema.ocsf.io/1.8.0/objects/finding_info>, attribute `severity_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

impl JsonSchema for SeverityId {
    fn schema_name() -> Cow<'static, str> {
        "SeverityId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let numbers: Vec<_> = Severity::ALL.iter().map(|severity| severity.id().number()).collect();
        json_schema!({
            "type": "integer",
            "enum": numbers,
            "description": "A severity as OCSF numbers it: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 99 other."
        })
    }
}

impl Serialize for SeverityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

words! {
    /// Where the work on an alert stands.
    #[derive(Default)]
    AlertStatus {
        /// Nobody has taken it.
        New = "new",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// Done.
        Resolved = "resolved",
        /// Defender says `Unknown`, or nothing.
        #[default]
        Unknown = "unknown",
        /// A word that this version does not know; a warning carries it.
        Other = "other",
    }
}

impl AlertStatus {
    /// Parses Defender's word; `None` if it is unknown. Only alerts nested in incidents have `Active`.
    pub fn parse(word: &str) -> Option<Self> {
        known(
            word,
            &[
                ("new", Self::New),
                ("inprogress", Self::InProgress),
                ("active", Self::InProgress),
                ("resolved", Self::Resolved),
                ("unknown", Self::Unknown),
            ],
        )
    }

    /// Whether the alert still needs work: it is not resolved.
    pub fn is_open(self) -> bool {
        self != Self::Resolved
    }
}

words! {
    /// Where the work on an incident stands.
    #[derive(Default)]
    IncidentStatus {
        /// Open.
        Active = "active",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// Done.
        Resolved = "resolved",
        /// Merged into another incident.
        Redirected = "redirected",
        /// Defender says nothing.
        #[default]
        Unknown = "unknown",
        /// A word that this version does not know; a warning carries it.
        Other = "other",
    }
}

impl IncidentStatus {
    /// Parses Defender's word; `None` if it is unknown.
    pub fn parse(word: &str) -> Option<Self> {
        known(
            word,
            &[
                ("active", Self::Active),
                ("inprogress", Self::InProgress),
                ("awaitingaction", Self::InProgress),
                ("resolved", Self::Resolved),
                ("redirected", Self::Redirected),
                ("unknown", Self::Unknown),
            ],
        )
    }
}

words! {
    /// Where the work on a list of alerts stands.
    ListStatus {
        /// At least one alert is not resolved.
        Open = "open",
        /// All are resolved.
        Resolved = "resolved",
        /// There is no alert.
        None = "none",
    }
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

words! {
    /// What the analysts decided about one alert.
    #[derive(Default)]
    AlertVerdict {
        /// It was an attack.
        TruePositive = "true_positive",
        /// It was a mistake of the detection.
        FalsePositive = "false_positive",
        /// It happened, and was meant to.
        Benign = "benign",
        /// It was a security test.
        Test = "test",
        /// Nobody has decided.
        #[default]
        Undetermined = "undetermined",
        /// A classification that this version does not know; a warning carries it.
        Other = "other",
    }
}

impl AlertVerdict {
    /// Returns the verdict for a classification and its determination; `None` if the classification is unknown.
    pub fn parse(classification: Option<&str>, determination: Option<&str>) -> Option<Self> {
        let Some(classification) = classification else { return Some(Self::Undetermined) };
        let verdict = known(
            classification,
            &[
                ("truepositive", Self::TruePositive),
                ("falsepositive", Self::FalsePositive),
                ("informationalexpectedactivity", Self::Benign),
                ("benignpositive", Self::Benign),
                ("unknown", Self::Undetermined),
            ],
        )?;
        let tested = determination.is_some_and(|word| same_letters(word, "securitytesting"));
        Some(if verdict == Self::Benign && tested { Self::Test } else { verdict })
    }
}

words! {
    /// What the analysts decided about all the alerts together.
    Verdict {
        /// At least one was an attack.
        TruePositive = "true_positive",
        /// All were mistakes of the detection.
        FalsePositive = "false_positive",
        /// All were meant to happen.
        Benign = "benign",
        /// All were security tests.
        Test = "test",
        /// At least one is undecided, and none was an attack.
        Undetermined = "undetermined",
        /// All are decided, differently, and none was an attack.
        Mixed = "mixed",
        /// There is no alert.
        None = "none",
        /// All have classifications that this version does not know.
        Other = "other",
    }
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

/// Returns the entry whose key has the same letters as Defender's word. Case, spaces and punctuation do not count.
fn known<W: Copy>(word: &str, table: &[(&str, W)]) -> Option<W> {
    table.iter().find(|(letters, _)| same_letters(word, letters)).map(|(_, known)| *known)
}

/// Whether two words have the same letters and digits. Case, spaces and punctuation do not count.
pub(super) fn same_letters(one: &str, other: &str) -> bool {
    fn letters(word: &str) -> impl Iterator<Item = u8> {
        word.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

/// Words that mean that there is no determination. `NotAvailable` is the default in incidents of the older API.
const NO_DETERMINATION: [&str; 3] = ["NotAvailable", "NotSet", "Unknown"];

/// Whether a determination has a meaning.
pub fn is_determination(word: &str) -> bool {
    !NO_DETERMINATION.iter().any(|none| same_letters(word, none))
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
    fn other_has_the_lowest_rank() {
        let highest = |words: &[Severity]| words.iter().copied().max_by_key(|word| word.rank());
        assert_eq!(highest(&[Severity::Other, Severity::Unknown]), Some(Severity::Unknown));
        assert_eq!(highest(&[Severity::Other]), Some(Severity::Other));
    }

    #[test]
    fn words_become_snake_case() {
        for (word, right) in [
            ("MailMessage", "mail_message"),
            ("Ip", "ip"),
            ("CloudApplication", "cloud_application"),
            ("noThreatsFound", "no_threats_found"),
            ("None", "none"),
            ("Detected", "detected"),
            ("Partially Investigated", "partially_investigated"),
        ] {
            assert_eq!(snake_case(word), right);
        }
    }
}
