//! What a caller may ask about: one type per form, each with one fallible constructor.
//!
//! Whatever is in one of these types is safe as a path segment: nothing else ever reaches a URL.

mod account;
mod device;
mod hash;
mod network;

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::portal::{self, looks_like_link};
use super::resolution::{Step, StepName};
pub use account::Account;
pub use device::{DeviceId, DeviceName};
pub use hash::{FileHash, Sha1, Sha256};
pub use network::{DomainName, IpAddress};

/// The kinds of subject.
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
    /// The alerts of a network address.
    Ip,
    /// The alerts of a domain.
    Domain,
}

impl Kind {
    /// The kinds, in the order of the contract.
    pub const ALL: [Self; 7] =
        [Self::Alert, Self::Machine, Self::User, Self::File, Self::Incident, Self::Ip, Self::Domain];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Machine => "machine",
            Self::User => "user",
            Self::File => "file",
            Self::Incident => "incident",
            Self::Ip => "ip",
            Self::Domain => "domain",
        }
    }

    /// Whether Defender answers with a list of alerts.
    pub fn is_a_list(self) -> bool {
        match self {
            Self::Alert | Self::Incident => false,
            Self::Machine | Self::User | Self::File | Self::Ip | Self::Domain => true,
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
            Self::Ip => "ip",
            Self::Domain => "domain",
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

/// An id in the form in which it equals another: Microsoft does not tell the case of hexadecimal digits apart, in ids
/// such as `da637472900382838869_1364969609`, `ca<GUID>`, `ad<hex>`. Any other id is as it is.
pub fn comparable_id(id: &str) -> Cow<'_, str> {
    let is_hex = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'_' | b'-'));
    let prefix = id.get(..2).filter(|prefix| prefix.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let rest = prefix.and_then(|prefix| id.strip_prefix(prefix)).unwrap_or(id);
    if is_hex(rest) && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(id.to_ascii_lowercase())
    } else {
        Cow::Borrowed(id)
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
    /// An address's alerts.
    Ip(IpAddress),
    /// A domain's alerts.
    Domain(DomainName),
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
            Self::Ip(_) => Kind::Ip,
            Self::Domain(_) => Kind::Domain,
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
            Self::Ip(address) => address.to_string(),
            Self::Domain(name) => name.as_str().to_owned(),
        }
    }
}

/// A subject, the caller's own text for it, and what was converted on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked about; of a `value`, the first that its form allows.
    pub subject: Subject,
    /// What else the form of a `value` allows, in the order in which it is asked while nothing is found.
    pub further: Vec<Subject>,
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
            Kind::Ip => IpAddress::parse(text)
                .map(Subject::Ip)
                .ok_or_else(|| SubjectError::invalid("An ip is an address of version 4 or 6."))?,
            Kind::Domain => DomainName::parse(text)
                .map(Subject::Domain)
                .ok_or_else(|| SubjectError::invalid("A domain is a DNS name such as evil.example."))?,
        };
        Ok(Self { subject, further: Vec::new(), input: input.to_owned(), steps })
    }
}

pub(super) fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert | Kind::Incident | Kind::Ip => "an",
        Kind::Machine | Kind::User | Kind::File | Kind::Domain => "a",
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
    fn hexadecimal_ids_are_comparable_in_any_case() {
        for (id, right) in [
            ("DA637472900382838869_1364969609", "da637472900382838869_1364969609"),
            ("caC995191E-AB0D-41FF-95FD-921E07823508", "cac995191e-ab0d-41ff-95fd-921e07823508"),
            ("AR638180599315648136_73827727", "ar638180599315648136_73827727"),
            ("da1_-7", "da1_-7"),
            ("xyCase-Matters", "xyCase-Matters"),
            ("É1", "É1"),
        ] {
            assert_eq!(comparable_id(id), right);
        }
    }

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
