//! Which fields of a Splunk result name a subject: those of the Common Information Model, or `SPLUNK_FIELDS`.
//!
//! Source: <https://docs.splunk.com/Documentation/CIM/latest/User/Overview>.

use crate::domain::subject::Kind;
use crate::domain::subject::field_names::{self, FieldMeaning};

/// Field names of Splunk, in addition to those that every caller may use.
const SPLUNK_FIELDS: [(FieldMeaning, &[&str]); 3] = [
    (FieldMeaning::Host, &["dest_host", "dvc_host", "dest_nt_host", "dvc_nt_host", "src_host", "src_nt_host"]),
    (FieldMeaning::Kind(Kind::User), &["dest_user", "account_upn"]),
    (FieldMeaning::Kind(Kind::File), &["process_hash", "parent_process_hash", "hashes"]),
];
/// Splunk sets `host` on every event. Often it names the forwarder, or the search head that wrote a notable event;
/// `orig_host` then names the machine.
const FALLBACK_FIELDS: [&str; 2] = ["orig_host", "host"];

/// The order in which fields are read.
const ORDER: [Option<Kind>; 8] = [
    Some(Kind::Alert),
    Some(Kind::Incident),
    Some(Kind::Machine),
    Some(Kind::User),
    Some(Kind::File),
    Some(Kind::Ip),
    Some(Kind::Domain),
    None,
];

const MAX_FIELDS: usize = 64;
const MAX_NAME_CHARS: usize = 128;

/// The fields that name subjects, in the order in which they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplunkFields {
    primary: Vec<(FieldMeaning, String)>,
    fallback: Vec<(FieldMeaning, String)>,
}

/// Why a text is not a valid mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplunkFieldsError {
    /// A part is not of the form `kind=field,field`.
    #[error("{0:?} is not of the form kind=field,field")]
    NoAssignment(String),
    /// The word before the equals sign is not a kind.
    #[error("{0:?} is none of alert, machine, user, file, incident, ip, domain, url, value")]
    UnknownKind(String),
    /// A kind occurs twice.
    #[error("{} is there more than once", .0.field())]
    Duplicate(FieldMeaning),
    /// A kind has no fields, or a field name is invalid.
    #[error("{} has a field without a name, or one with more than 128 characters", .0.field())]
    InvalidField(FieldMeaning),
    /// There are too many fields.
    #[error("there are more than 64 fields")]
    TooMany,
    /// The mapping is empty.
    #[error("it names no field")]
    Empty,
}

impl Default for SplunkFields {
    fn default() -> Self {
        let more = SPLUNK_FIELDS.iter().flat_map(|(named, names)| names.iter().map(|name| (*named, *name)));
        let all: Vec<_> = field_names::all().chain(more).collect();
        let of_kind = |kind: Option<Kind>| all.iter().filter(move |(named, _)| named.kind() == kind);
        let in_order = ORDER.into_iter().flat_map(of_kind);
        let primary = in_order.filter(|(_, name)| !FALLBACK_FIELDS.contains(name));
        Self {
            primary: primary.map(|(named, name)| (*named, (*name).to_owned())).collect(),
            fallback: FALLBACK_FIELDS.iter().map(|name| (FieldMeaning::Host, (*name).to_owned())).collect(),
        }
    }
}

impl SplunkFields {
    /// Parses a mapping such as `machine=dest,host;user=src_user;file=file_hash`, which replaces the default fields.
    pub fn parse(text: &str) -> Result<Self, SplunkFieldsError> {
        let mut primary: Vec<(FieldMeaning, String)> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (word, names) = part.split_once('=').ok_or_else(|| SplunkFieldsError::NoAssignment(excerpt(part)))?;
            let word = word.trim();
            let subject = kind_of(word).ok_or_else(|| SplunkFieldsError::UnknownKind(excerpt(word)))?;
            if primary.iter().any(|(known, _)| *known == subject) {
                return Err(SplunkFieldsError::Duplicate(subject));
            }
            for name in names.split(',').map(|name| name.trim().to_owned()) {
                if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
                    return Err(SplunkFieldsError::InvalidField(subject));
                }
                primary.push((subject, name));
            }
        }
        match primary.len() {
            0 => Err(SplunkFieldsError::Empty),
            1..=MAX_FIELDS => Ok(Self { primary, fallback: Vec::new() }),
            _ => Err(SplunkFieldsError::TooMany),
        }
    }

    /// Fields that are all read.
    pub(crate) fn primary(&self) -> &[(FieldMeaning, String)] {
        &self.primary
    }

    /// Fields that are read one after the other until one names a machine.
    pub(crate) fn fallback(&self) -> &[(FieldMeaning, String)] {
        &self.fallback
    }
}

/// Returns what a kind's word in a mapping means. SIEMs also put addresses into a machine's field.
fn kind_of(word: &str) -> Option<FieldMeaning> {
    match field_names::look_up(word)? {
        FieldMeaning::Kind(Kind::Machine) => Some(FieldMeaning::Host),
        named => Some(named),
    }
}

/// Returns the beginning of a text, for an error.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_keeps_its_order() {
        let fields =
            SplunkFields::parse(" user = src_user ; Machine=Dest, evidence{}.deviceDnsName ;").expect("fields");
        let names: Vec<_> = fields.primary().iter().map(|(named, name)| (named.field(), name.as_str())).collect();
        assert_eq!(names, [("user", "src_user"), ("machine", "Dest"), ("machine", "evidence{}.deviceDnsName")]);
        assert!(fields.fallback().is_empty());
    }

    #[test]
    fn every_default_field_is_listed_once() {
        let fields = SplunkFields::default();
        let names: Vec<_> = fields.primary().iter().chain(fields.fallback()).map(|(_, name)| name.as_str()).collect();
        for (_, word) in field_names::all() {
            assert_eq!(names.iter().filter(|name| **name == word).count(), 1, "{word}");
        }
    }

    #[test]
    fn invalid_mapping_is_reported_with_its_error() {
        let many: Vec<_> = (0..65).map(|at| format!("field_{at}")).collect();
        for (text, fault) in [
            ("", SplunkFieldsError::Empty),
            (" ; ", SplunkFieldsError::Empty),
            ("dest", SplunkFieldsError::NoAssignment("dest".to_owned())),
            ("machine=dest;device", SplunkFieldsError::NoAssignment("device".to_owned())),
            ("colour=dest", SplunkFieldsError::UnknownKind("colour".to_owned())),
            ("machine=dest;device=host", SplunkFieldsError::Duplicate(FieldMeaning::Host)),
            ("machine=", SplunkFieldsError::InvalidField(FieldMeaning::Host)),
            ("user=a,,b", SplunkFieldsError::InvalidField(FieldMeaning::Kind(Kind::User))),
            (&format!("file={}", "x".repeat(129)), SplunkFieldsError::InvalidField(FieldMeaning::Kind(Kind::File))),
            (&format!("user={}", many.join(",")), SplunkFieldsError::TooMany),
        ] {
            assert_eq!(SplunkFields::parse(text), Err(fault), "{text}");
        }
        assert_eq!(
            SplunkFields::parse("colour=dest").expect_err("no kind").to_string(),
            "\"colour\" is none of alert, machine, user, file, incident, ip, domain, url, value"
        );
    }
}
