//! The subjects that a caller can ask about: one type for each form, each with one fallible constructor.
//!
//! A value of these types is safe as a path segment. No other text from a caller reaches a URL.

mod account;
mod device;
pub mod field_names;
mod hex;
mod network;
mod question;
pub mod spelling;

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use super::value;
pub use account::Account;
pub use device::{DeviceName, NameMatch};
use field_names::FieldMeaning;
pub use hex::{DeviceId, FileHash, Sha1, Sha256};
pub(in crate::domain) use hex::{is_hex, is_number};
pub use network::{DomainName, IpAddress, ends_in_public_tld};
pub use question::Question;
pub(super) use question::portal_link;
use spelling::{contains_identifier, is_no_value, normalized};

/// The kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
        self.into()
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
        FieldMeaning::Kind(self).field()
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
        let number = text.parse().ok().filter(|_| text.len() <= 19 && is_number(text))?;
        Self::new(number)
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

/// Parses a normalized text as a subject of this kind.
pub(super) fn subject_of(kind: Kind, text: &str) -> Result<Subject, SubjectError> {
    let one_word = |form: &str| {
        let several = if text.contains(char::is_whitespace) { "These are several words. " } else { "" };
        SubjectError::Invalid(format!("{several}{form}"))
    };
    match kind {
        Kind::Alert => AlertId::parse(text)
            .map(Subject::Alert)
            .ok_or_else(|| one_word("An alert id is 1 to 128 letters, digits, underscores and hyphens.")),
        Kind::Machine => machine(text).map(Subject::Machine),
        Kind::User => account(text).map(Subject::User),
        Kind::File => FileHash::parse(without_digest_name(text)).map(Subject::File),
        Kind::Incident => IncidentId::parse(text.strip_prefix('#').unwrap_or(text))
            .map(Subject::Incident)
            .ok_or_else(|| one_word("An incident id is a positive whole number.")),
        Kind::Ip => IpAddress::parse(text)
            .map(Subject::Ip)
            .ok_or_else(|| one_word("An ip is one address of version 4 or 6, such as 192.0.2.7 or 2001:db8::7.")),
        Kind::Domain if is_address(text) => Err(SubjectError::invalid("This is an address: send it as ip.")),
        Kind::Domain => DomainName::parse(text)
            .map(Subject::Domain)
            .ok_or_else(|| one_word("A domain is a DNS name such as evil.example.")),
    }
}

fn machine(text: &str) -> Result<Machine, SubjectError> {
    if let Some(id) = DeviceId::parse(text) {
        return Ok(Machine::Id(id));
    }
    if is_address(text) || IpAddress::looks_like(text) {
        let detail = "An IP address is not a machine: send it as ip, or the device's name or id as machine.";
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
            "A user is an account name, DOMAIN\\name or name@domain. It has no control characters, none of / \\ % ? ; \
             and # only in the #EXT# of a guest.",
        )
    })
}

/// Rejects a text of several words that contains an id, a hash, an address or a link: it is not a name.
pub(super) fn reject_several_words(text: &str) -> Result<(), SubjectError> {
    if contains_identifier(text, value::is_alert_id_of_a_known_family) {
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
pub(super) fn normalized_value(input: &str) -> Result<Cow<'_, str>, SubjectError> {
    let text = normalized(input);
    if is_no_value(input) || is_no_value(&text) {
        let detail = "This is not a value: it is a placeholder that was not filled, or a word for no value.";
        return Err(SubjectError::invalid(detail));
    }
    Ok(text)
}

fn is_address(text: &str) -> bool {
    IpAddress::parse(&normalized(text)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_ids_are_comparable_in_any_case() {
        for (id, comparable) in [
            ("DA637472900382838869_1364969609", "da637472900382838869_1364969609"),
            ("caC995191E-AB0D-41FF-95FD-921E07823508", "cac995191e-ab0d-41ff-95fd-921e07823508"),
            ("da1_-7", "da1_-7"),
            ("xyCase-Matters", "xyCase-Matters"),
            ("É1", "É1"),
        ] {
            assert_eq!(comparable_id(id), comparable);
        }
    }

    #[test]
    fn an_alert_id_has_only_letters_digits_underscores_and_hyphens() {
        assert!(AlertId::parse(&"a".repeat(128)).is_some());
        for text in ["", "a'", "a b", "ａ", "a$", "a&b", &"a".repeat(129)] {
            assert_eq!(AlertId::parse(text), None, "{text}");
        }
    }
}
