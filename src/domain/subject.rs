//! What a caller may ask about: one type per form, each with one fallible constructor.
//!
//! Whatever is in one of these types is safe as a path segment: nothing else ever reaches a URL.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::portal::{self, looks_like_link};
use super::resolution::{Step, StepName};

/// The five kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One alert.
    Alert,
    /// The alerts of a device.
    Machine,
    /// The alerts of an account.
    User,
    /// The alerts of a file.
    File,
    /// One incident with its alerts.
    Incident,
}

impl Kind {
    /// The kinds, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Alert, Self::Machine, Self::User, Self::File, Self::Incident];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Machine => "machine",
            Self::User => "user",
            Self::File => "file",
            Self::Incident => "incident",
        }
    }

    /// The field of a request that names a subject of this kind.
    pub fn field(self) -> &'static str {
        match self {
            Self::Alert => "alert_id",
            Self::Machine => "machine",
            Self::User => "user",
            Self::File => "file_hash",
            Self::Incident => "incident_id",
        }
    }
}

/// Why a text names no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The text has no form that is accepted here.
    #[error("{0}")]
    Invalid(String),
    /// A hash, but of a sort that Defender's file lookup does not take.
    #[error("{0}")]
    UnsupportedHash(String),
    /// The text could be of several kinds.
    #[error("{0}")]
    Ambiguous(String),
}

impl SubjectError {
    fn invalid(detail: &str) -> Self {
        Self::Invalid(detail.to_owned())
    }
}

/// An alert's id: 1 to 128 of `A–Z a–z 0–9 _ -`.
///
/// Several families are in use (`da637472900382838869_1364969609`, `ca<GUID>`, `636688558380765161_2136280442`), and
/// more may come: the form is not narrowed further.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlertId(String);

impl AlertId {
    /// Takes an id of the accepted form.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device's id: 40 hexadecimal digits, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Takes 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device's name: a DNS name, a NetBIOS name, or the free text that phones are given ("Dana's iPad").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// Takes 1 to 255 letters, digits, dots, hyphens, underscores, inner spaces, apostrophes and round brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len())
            && text.chars().all(|letter| is_name_letter(letter) || " .-_'’()".contains(letter))
            && text.trim() == text
            && text.chars().any(is_name_letter)
            && !text.starts_with('.')
            && !text.contains("..");
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names a host without its domain.
    pub fn is_short(&self) -> bool {
        !self.0.contains('.')
    }

    /// Whether a device's `computerDnsName` is this name: all of it, or its first label where this is short.
    pub fn matches(&self, dns_name: &str) -> bool {
        let wanted = self.0.to_lowercase();
        let found = dns_name.to_lowercase();
        found == wanted || (self.is_short() && found.split('.').next() == Some(wanted.as_str()))
    }
}

/// A letter or digit of a script in everyday use: no combining marks, no look-alikes of the compatibility blocks.
fn is_name_letter(letter: char) -> bool {
    letter.is_alphanumeric() && matches!(u32::from(letter), 0..0x2000 | 0x3040..0xA000 | 0xAC00..0xD7B0)
}

/// An account's bare name, as Defender takes it, and the domain in which the caller said it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    name: String,
    domain: Option<String>,
    is_principal_name: bool,
}

impl Account {
    /// Takes `name`, `DOMAIN\name` or `name@domain`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, domain) = match (text.split_once('\\'), text.rsplit_once('@')) {
            (Some((domain, name)), _) | (None, Some((name, domain))) => (name, Some(domain)),
            (None, None) => (text, None),
        };
        let fits = is_account_name(name) && domain.is_none_or(is_account_name);
        let is_principal_name = domain.is_some() && !text.contains('\\');
        fits.then(|| Self { name: name.to_owned(), domain: domain.map(str::to_owned), is_principal_name })
    }

    /// The bare name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the caller gave `name@domain`.
    pub fn is_principal_name(&self) -> bool {
        self.is_principal_name
    }

    /// The name as the caller gave it, with its domain.
    pub fn as_given(&self) -> String {
        match &self.domain {
            Some(domain) if self.is_principal_name => format!("{}@{domain}", self.name),
            Some(domain) => format!("{domain}\\{}", self.name),
            None => self.name.clone(),
        }
    }

    /// From what the caller gave to the bare name, where the two differ.
    pub fn step_to_bare_name(&self) -> Option<Step> {
        let step = if self.is_principal_name { StepName::UpnToAccountName } else { StepName::DomainToAccountName };
        self.domain.as_ref().map(|_| Step::new(step, self.as_given(), self.name()))
    }

    /// The domain that the caller gave: of NetBIOS or of DNS.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

/// 1 to 256 characters, none that could leave a path segment, none that cannot be seen.
fn is_account_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=256).contains(&length)
        && text.trim() == text
        && text != "."
        && text != ".."
        && !text.chars().any(|letter| is_unseen(letter) || "/\\%?#;".contains(letter))
}

/// Control and format characters: line breaks, bidirectional marks, zero widths, surrogate halves' stand-in.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(u32::from(letter),
            0xAD | 0x600..=0x605 | 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF
            | 0xFFF9..=0xFFFD | 0xE0000..=0xE007F)
}

/// The digest of a file's content, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileHash {
    /// 40 hexadecimal digits: what Defender's file lookup takes.
    Sha1(Sha1),
    /// 64 hexadecimal digits: resolved to the SHA-1 first.
    Sha256(Sha256),
}

impl FileHash {
    /// Takes a SHA-1 or a SHA-256.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        if let Some(sha1) = Sha1::parse(text) {
            return Ok(Self::Sha1(sha1));
        }
        if let Some(sha256) = Sha256::parse(text) {
            return Ok(Self::Sha256(sha256));
        }
        if is_hex(text, 32) {
            let detail = "Defender does not look files up by MD5: send the file's SHA-1 or SHA-256.";
            return Err(SubjectError::UnsupportedHash(detail.to_owned()));
        }
        Err(SubjectError::invalid("A file hash is a SHA-1 (40 hexadecimal digits) or a SHA-256 (64)."))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha1(sha1) => sha1.as_str(),
            Self::Sha256(sha256) => sha256.as_str(),
        }
    }
}

/// A SHA-1, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sha1(String);

impl Sha1 {
    /// Takes 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A SHA-256, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sha256(String);

impl Sha256 {
    /// Takes 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 64).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An incident's number: positive, and no greater than Microsoft's 64 signed bits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(u64);

impl IncidentId {
    /// Takes 1 to 19 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return None;
        }
        text.parse().ok().and_then(Self::new)
    }

    /// Takes a number.
    pub fn new(number: u64) -> Option<Self> {
        (number >= 1 && i64::try_from(number).is_ok()).then_some(Self(number))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A device, as the caller holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// By its id.
    Id(DeviceId),
    /// By a name, to be resolved.
    Name(DeviceName),
}

/// Exactly one thing to ask about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One alert.
    Alert(AlertId),
    /// A device's alerts.
    Machine(Machine),
    /// An account's alerts.
    User(Account),
    /// A file's alerts.
    File(FileHash),
    /// One incident.
    Incident(IncidentId),
}

impl Subject {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Alert(_) => Kind::Alert,
            Self::Machine(_) => Kind::Machine,
            Self::User(_) => Kind::User,
            Self::File(_) => Kind::File,
            Self::Incident(_) => Kind::Incident,
        }
    }

    /// The text by which Defender is asked, as far as it is known without asking.
    pub fn id(&self) -> String {
        match self {
            Self::Alert(id) => id.as_str().to_owned(),
            Self::Machine(Machine::Id(id)) => id.as_str().to_owned(),
            Self::Machine(Machine::Name(name)) => name.as_str().to_owned(),
            Self::User(account) => account.name().to_owned(),
            Self::File(hash) => hash.as_str().to_owned(),
            Self::Incident(id) => id.to_string(),
        }
    }
}

/// A subject, the caller's own text for it, and what was converted on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked about.
    pub subject: Subject,
    /// What the caller sent.
    pub input: String,
    /// From the one to the other.
    pub steps: Vec<Step>,
}

impl Question {
    /// Reads a text that the caller says is of this kind: an id in any accepted form, or a portal link to one.
    pub fn parse(kind: Kind, input: &str) -> Result<Self, SubjectError> {
        let (text, steps) = if looks_like_link(input) {
            let link = portal::parse_link(input).ok_or_else(|| not_of_the_portal(kind))?;
            if link.kind != kind {
                return Err(SubjectError::Invalid(format!(
                    "This links to the page of {} {}: send it as {} or as value.",
                    article(link.kind),
                    link.kind.as_str(),
                    link.kind.field()
                )));
            }
            let step = Step::new(StepName::PortalLink, input, link.id.as_str());
            (link.id, vec![step])
        } else {
            (input.to_owned(), Vec::new())
        };
        Self::from_parts(kind, input, &text, steps)
    }

    pub(super) fn from_parts(kind: Kind, input: &str, text: &str, steps: Vec<Step>) -> Result<Self, SubjectError> {
        let subject = match kind {
            Kind::Alert => AlertId::parse(text).map(Subject::Alert).ok_or_else(|| {
                SubjectError::invalid("An alert id is 1 to 128 letters, digits, underscores and hyphens.")
            })?,
            Kind::Machine => match DeviceId::parse(text) {
                Some(id) => Subject::Machine(Machine::Id(id)),
                None => DeviceName::parse(text).map(|name| Subject::Machine(Machine::Name(name))).ok_or_else(|| {
                    SubjectError::invalid("A machine is a device id (40 hexadecimal digits) or a DNS or NetBIOS name.")
                })?,
            },
            Kind::User => {
                let account = Account::parse(text).ok_or_else(|| {
                    SubjectError::invalid(
                        "A user is an account name, DOMAIN\\name or name@domain, without control characters and / \\ % ? # ;",
                    )
                })?;
                Subject::User(account)
            }
            Kind::File => Subject::File(FileHash::parse(text)?),
            Kind::Incident => IncidentId::parse(text)
                .map(Subject::Incident)
                .ok_or_else(|| SubjectError::invalid("An incident id is a positive whole number."))?,
        };
        Ok(Self { subject, input: input.to_owned(), steps })
    }
}

pub(super) fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert | Kind::Incident => "an",
        Kind::Machine | Kind::User | Kind::File => "a",
    }
}

fn not_of_the_portal(kind: Kind) -> SubjectError {
    SubjectError::Invalid(format!(
        "This is no link to {} {} in the Microsoft Defender portal (https://security.microsoft.com/…).",
        article(kind),
        kind.as_str()
    ))
}

pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTILE: &[&str] = &[
        "",
        " ",
        ".",
        "..",
        "../machines",
        "..%2fusers",
        "%2e%2e%2f",
        "..;/",
        "a/b",
        "a\\..\\b",
        "a%00",
        "a\0",
        "a%252fb",
        "x?$filter=1 eq 1",
        "x#y",
        "abc\r\nX-Evil: 1",
        "a\nb",
        "a\tb",
        "a\u{202e}b",
        "//evil.example/x",
        "da1_1/../../machines",
    ];

    #[test]
    fn hostile_texts_name_nothing() {
        for text in HOSTILE {
            for kind in Kind::ALL {
                assert!(Question::parse(kind, text).is_err(), "{kind:?} {text:?}");
            }
        }
        for text in
            ["ａｄｍｉｎ", "e\u{301}", "x' or '1'='1", "a'; drop", "{}", "<script>", "${jndi:x}", "😀", "x&$top=1"]
        {
            assert!(DeviceName::parse(text).is_none(), "{text}");
            assert!(AlertId::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn device_names_of_all_sorts_are_taken() {
        for text in [
            "desk-042",
            "desk-042.contoso.com",
            "DESK_042",
            "Dana's iPad",
            "Dana’s iPad (2)",
            "Øyvinds PC",
            "会議室の端末",
        ] {
            assert!(DeviceName::parse(text).is_some(), "{text}");
        }
        let name = DeviceName::parse("DESK-042").expect("a name");
        assert!(
            name.matches("desk-042.contoso.com") && name.matches("desk-042") && !name.matches("desk-0421.contoso.com")
        );
        let full = DeviceName::parse("desk-042.contoso.com").expect("a name");
        assert!(full.matches("DESK-042.CONTOSO.COM") && !full.matches("desk-042"));
    }

    #[test]
    fn spellings_of_an_account_give_its_name() {
        for (text, name, domain) in [
            ("dana.reyes", "dana.reyes", None),
            ("CONTOSO\\dana.reyes", "dana.reyes", Some("CONTOSO")),
            ("dana.reyes@contoso.com", "dana.reyes", Some("contoso.com")),
            ("NETWORK SERVICE", "NETWORK SERVICE", None),
            ("DESK-042$", "DESK-042$", None),
            ("øyvind", "øyvind", None),
        ] {
            let account = Account::parse(text).expect(text);
            assert_eq!((account.name(), account.domain()), (name, domain), "{text}");
        }
        for text in ["\\name", "CONTOSO\\", "@contoso.com", "dana@", "a\\b\\c", "dana#EXT#@contoso.com"] {
            assert!(Account::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_link_of_another_kind_is_told() {
        let refused =
            Question::parse(Kind::Alert, "https://security.microsoft.com/incidents/77").expect_err("another kind");
        assert!(refused.to_string().contains("incident_id"), "{refused}");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_one_path_segment(text in "\\PC{0,40}|[ -~]{0,40}") {
            for kind in Kind::ALL {
                if let Ok(question) = Question::parse(kind, &text) {
                    let id = question.subject.id();
                    prop_assert!(!id.is_empty() && id != "." && id != "..");
                    prop_assert!(!id.contains(['/', '\\', '?', '#', '%']), "{id:?}");
                    prop_assert!(!id.chars().any(char::is_control));
                }
            }
        }
    }
}
