//! The subjects that a caller can ask about: one type for each form, each with one fallible constructor.
//!
//! A value of these types is safe as a path segment. No other text from a caller reaches a URL.

mod account;
mod device;
pub mod field_names;
mod hash;
mod network;
pub mod spelling;

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::portal::{self, NoLink, looks_like_link};
use super::resolution::{Step, StepName};
pub use account::Account;
pub use device::{DeviceId, DeviceName, NameMatch};
use field_names::FieldMeaning;
pub use hash::{FileHash, Sha1, Sha256};
use network::UrlHost;
pub use network::{DomainName, IpAddress};
use spelling::{contains_identifier, is_no_value, normalized};

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

    /// Returns the name of the kind in requests and answers.
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

    /// Returns the request field for a subject of this kind.
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

/// Why a text is not a subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The text has no form that is accepted here.
    #[error("{0}")]
    Invalid(String),
    /// It is a hash of a type that Defender's file lookup does not take.
    #[error("{0}")]
    UnsupportedHash(String),
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
    /// Parses an id of the accepted form.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns an id in a form that can be compared. Microsoft ignores the case of hexadecimal digits in ids such as
/// `da637472900382838869_1364969609`, `ca<GUID>` and `ad<hex>`. Any other id is returned unchanged.
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

/// An incident's number: positive, and at most the largest signed 64-bit integer, which is Microsoft's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(u64);

impl IncidentId {
    /// Parses 1 to 19 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return None;
        }
        text.parse().ok().and_then(Self::new)
    }

    /// Parses a number.
    pub fn new(number: u64) -> Option<Self> {
        (number >= 1 && i64::try_from(number).is_ok()).then_some(Self(number))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A device, by the id or name that the caller sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// By its id.
    Id(DeviceId),
    /// By a name, to be resolved.
    Name(DeviceName),
}

/// The subject of a question.
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
    /// Returns its kind.
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

    /// Returns the id or name that is sent to Defender, before any name is resolved.
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

/// A subject, the text that the caller sent, and the conversions between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The subject; for a `value`, the first one that its form permits.
    pub subject: Subject,
    /// The other subjects that the form of a `value` permits. They are tried in this order until something is found.
    pub further: Vec<Subject>,
    /// What the caller sent.
    pub input: String,
    /// The conversions from the input to the subject.
    pub steps: Vec<Step>,
}

impl Question {
    /// Parses the value of a field in the table of field names.
    pub fn from_field(meaning: FieldMeaning, input: &str) -> Result<Self, SubjectError> {
        match meaning {
            FieldMeaning::Kind(kind) => Self::parse(kind, input),
            FieldMeaning::Host => Self::parse(if is_address(input) { Kind::Ip } else { Kind::Machine }, input),
            FieldMeaning::Url => Self::parse_url(input),
            FieldMeaning::Value => Self::detect(input),
        }
    }

    /// Parses a text as this kind of subject: an id in any accepted form, or a portal link.
    pub fn parse(kind: Kind, input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        if !looks_like_link(&text) {
            return Self::from_parts(kind, input, &text, Vec::new());
        }
        match portal::parse_link(&text) {
            Ok(link) if link.meaning.kind() == Some(kind) => Self::from_link(input, &link),
            Ok(link) => Err(page_of_another_kind(&link)),
            Err(NoLink::NoSubject) => Err(page_without_subject()),
            // A caller may send a URL as the domain.
            Err(NoLink::Elsewhere) if kind == Kind::Domain => match Self::from_url(input, &text, Vec::new())? {
                question if question.subject.kind() == kind => Ok(question),
                _ => Err(SubjectError::invalid("The host of this URL is an address: send it as url or as ip.")),
            },
            Err(NoLink::Elsewhere) => Err(not_a_portal_link(kind)),
        }
    }

    /// Parses a URL; its host is the subject.
    fn parse_url(input: &str) -> Result<Self, SubjectError> {
        let text = normalized_value(input)?;
        match portal::parse_link(&text) {
            Ok(link) if matches!(link.meaning.kind(), Some(Kind::Domain | Kind::Ip)) => Self::from_link(input, &link),
            Ok(link) => Err(page_of_another_kind(&link)),
            Err(NoLink::NoSubject) => Err(page_without_subject()),
            Err(NoLink::Elsewhere) => Self::from_url(input, &text, Vec::new()),
        }
    }

    /// Creates the question about the subject of a portal page.
    pub(super) fn from_link(input: &str, link: &portal::Link) -> Result<Self, SubjectError> {
        let steps = vec![Step::new(StepName::PortalLink, input, link.id.as_str())];
        match link.meaning.kind() {
            Some(kind) if link.meaning != FieldMeaning::Url => Self::from_parts(kind, input, &link.id, steps),
            _ => Self::from_url(input, &link.id, steps),
        }
    }

    /// Creates the question about the host of a URL.
    pub(super) fn from_url(input: &str, text: &str, mut steps: Vec<Step>) -> Result<Self, SubjectError> {
        let subject = match UrlHost::parse(text) {
            Some(UrlHost::Ip(address)) => Subject::Ip(address),
            Some(UrlHost::Domain(name)) => Subject::Domain(name),
            None => {
                return Err(SubjectError::invalid("A url leads to a DNS name or an address: https://evil.example/x."));
            }
        };
        steps.push(Step::new(StepName::UrlToDomain, text, subject.id()));
        Ok(Self { subject, further: Vec::new(), input: input.to_owned(), steps })
    }

    fn from_parts(kind: Kind, input: &str, text: &str, steps: Vec<Step>) -> Result<Self, SubjectError> {
        let subject = subject_of(kind, text)?;
        Ok(Self { subject, further: Vec::new(), input: input.to_owned(), steps })
    }
}

/// Parses a normalized text as a subject of this kind.
pub(super) fn subject_of(kind: Kind, text: &str) -> Result<Subject, SubjectError> {
    let one_word = |form: &str| {
        let several = if text.contains(char::is_whitespace) { "These are several words. " } else { "" };
        SubjectError::Invalid(format!("{several}{form}"))
    };
    Ok(match kind {
        Kind::Alert => AlertId::parse(text)
            .map(Subject::Alert)
            .ok_or_else(|| one_word("An alert id is 1 to 128 letters, digits, underscores and hyphens."))?,
        Kind::Machine => Subject::Machine(machine(text)?),
        Kind::User => Subject::User(account(text)?),
        Kind::File => Subject::File(FileHash::parse(without_digest_name(text))?),
        Kind::Incident => IncidentId::parse(text.strip_prefix('#').unwrap_or(text))
            .map(Subject::Incident)
            .ok_or_else(|| one_word("An incident id is a positive whole number."))?,
        Kind::Ip => IpAddress::parse(text)
            .map(Subject::Ip)
            .ok_or_else(|| one_word("An ip is one address of version 4 or 6, such as 192.0.2.7 or 2001:db8::7."))?,
        Kind::Domain => match DomainName::parse(text) {
            Some(name) => Subject::Domain(name),
            None if is_address(text) => return Err(SubjectError::invalid("This is an address: send it as ip.")),
            None => return Err(one_word("A domain is a DNS name such as evil.example.")),
        },
    })
}

fn machine(text: &str) -> Result<Machine, SubjectError> {
    if let Some(id) = DeviceId::parse(text) {
        return Ok(Machine::Id(id));
    }
    if is_address(text) || IpAddress::looks_like(text) {
        let detail = "An IP address is no machine: send it as ip, or the device's name or id as machine.";
        return Err(SubjectError::invalid(detail));
    }
    reject_several_words(text)?;
    DeviceName::parse(text).map(Machine::Name).ok_or_else(|| {
        SubjectError::invalid("A machine is a device id (40 hexadecimal digits) or a DNS or NetBIOS name.")
    })
}

fn account(text: &str) -> Result<Account, SubjectError> {
    reject_several_words(text)?;
    Account::parse(text).ok_or_else(|| {
        SubjectError::invalid(
            "A user is an account name, DOMAIN\\name or name@domain. It holds no control characters, none of / \\ % ? ; \
             and # only in the #EXT# of a guest.",
        )
    })
}

/// Rejects a text of several words that contains an id, a hash, an address or a link: it is not a name.
pub(super) fn reject_several_words(text: &str) -> Result<(), SubjectError> {
    if contains_identifier(text, super::value::is_alert_id_of_a_known_family) {
        return Err(SubjectError::invalid("These are several words: send the one that names the subject."));
    }
    Ok(())
}

/// Returns only the digits of `sha1:…` or `SHA256=…`.
fn without_digest_name(text: &str) -> &str {
    match text.split_once([':', '=']) {
        Some((name, digits)) if field_names::look_up(name) == Some(FieldMeaning::Kind(Kind::File)) => {
            digits.trim_start()
        }
        _ => text,
    }
}

/// Returns the normalized text; rejects a placeholder.
pub(super) fn normalized_value(input: &str) -> Result<std::borrow::Cow<'_, str>, SubjectError> {
    let text = normalized(input);
    if is_no_value(input) || is_no_value(&text) {
        let detail = "This is no value: it is a placeholder that was not filled, or stands for nothing.";
        return Err(SubjectError::invalid(detail));
    }
    Ok(text)
}

fn is_address(text: &str) -> bool {
    IpAddress::parse(&normalized(text)).is_some()
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert | Kind::Incident | Kind::Ip => "an",
        Kind::Machine | Kind::User | Kind::File | Kind::Domain => "a",
    }
}

fn not_a_portal_link(kind: Kind) -> SubjectError {
    SubjectError::Invalid(format!(
        "This is no link to {} {} in the Microsoft Defender portal (https://security.microsoft.com/…).",
        article(kind),
        kind.as_str()
    ))
}

fn page_of_another_kind(link: &portal::Link) -> SubjectError {
    let (kind, field) = (link.meaning.kind().map_or("subject", Kind::as_str), link.meaning.field());
    SubjectError::Invalid(format!("This links to the page of another kind ({kind}): send it as {field} or as value."))
}

pub(super) fn page_without_subject() -> SubjectError {
    SubjectError::Invalid(format!("This page of the Microsoft Defender portal names no subject. {}", portal::PAGES))
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
    fn what_mail_programs_put_around_an_address_is_no_part_of_it() {
        for text in
            ["mailto:dana@contoso.com", "<dana@contoso.com>", "<mailto:dana@contoso.com>", "SMTP:dana@contoso.com"]
        {
            let question = Question::parse(Kind::User, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let Subject::User(account) = question.subject else { panic!("{text}") };
            assert_eq!(account.as_given(), "dana@contoso.com", "{text}");
        }
    }

    #[test]
    fn a_placeholder_with_a_full_stop_is_one() {
        for text in ["None.", "null.", "undefined,", "N/A."] {
            for kind in [Kind::User, Kind::Machine, Kind::Domain] {
                assert!(Question::parse(kind, text).is_err(), "{kind:?} {text}");
            }
            assert!(Question::detect(text).is_err(), "{text}");
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
                    // A guest's mark is percent-encoded.
                    let id = id.to_uppercase().replace("#EXT#", "");
                    prop_assert!(!id.contains(['/', '\\', '?', '#', '%']), "{id:?}");
                    prop_assert!(!id.chars().any(char::is_control));
                }
            }
        }
    }
}
