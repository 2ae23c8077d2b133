//! Which fields of a Splunk result name a subject: those of the Common Information Model, or `SPLUNK_FIELDS`.
//!
//! Source: <https://docs.splunk.com/Documentation/CIM/latest/User/Overview>.

use crate::domain::subject::Kind;
use crate::domain::subject::field_names::{self, Named};

/// Names of Splunk's own beside the words that every caller may use.
const MORE: [(Named, &[&str]); 3] = [
    (Named::Host, &["dest_host", "dvc_host", "dest_nt_host", "dvc_nt_host", "src_host", "src_nt_host"]),
    (Named::Kind(Kind::User), &["dest_user", "account_upn"]),
    (Named::Kind(Kind::File), &["process_hash", "parent_process_hash", "hashes"]),
];
/// `host` is set by Splunk on every event: often the forwarder, or the search head that wrote a notable event, whose
/// `orig_host` then is the machine's.
const LAST_RESORT: [&str; 2] = ["orig_host", "host"];

/// The order in which the fields are looked at.
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

/// The fields that name subjects, in the order in which they are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    asked: Vec<(Named, String)>,
    last_resort: Vec<(Named, String)>,
}

/// Why a text is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A part is not `kind=field,field`.
    #[error("{0:?} is not of the form kind=field,field")]
    NoAssignment(String),
    /// A word that is no kind.
    #[error("{0:?} is none of alert, machine, user, file, incident, ip, domain, url, value")]
    UnknownKind(String),
    /// A kind that comes twice.
    #[error("{} is there more than once", .0.field())]
    Twice(Named),
    /// A kind without fields, or a name that no field has.
    #[error("{} has a field without a name, or one with more than 128 characters", .0.field())]
    WrongField(Named),
    /// More fields than anybody needs.
    #[error("there are more than 64 fields")]
    TooMany,
    /// No part at all.
    #[error("it names no field")]
    Empty,
}

impl Default for Fields {
    fn default() -> Self {
        let more = MORE.iter().flat_map(|(named, names)| names.iter().map(|name| (*named, *name)));
        let all: Vec<_> = field_names::all().chain(more).collect();
        let of_kind = |kind: Option<Kind>| all.iter().filter(move |(named, _)| named.kind() == kind);
        let in_order = ORDER.into_iter().flat_map(of_kind);
        let asked = in_order.filter(|(_, name)| !LAST_RESORT.contains(name));
        Self {
            asked: asked.map(|(named, name)| (*named, (*name).to_owned())).collect(),
            last_resort: LAST_RESORT.iter().map(|name| (Named::Host, (*name).to_owned())).collect(),
        }
    }
}

impl Fields {
    /// Reads a mapping such as `machine=dest,host;user=src_user;file=file_hash`. It replaces the known fields.
    pub fn parse(text: &str) -> Result<Self, FieldsError> {
        let mut asked: Vec<(Named, String)> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (word, listed) = part.split_once('=').ok_or_else(|| FieldsError::NoAssignment(shown(part)))?;
            let word = word.trim();
            let subject = kind_of(word).ok_or_else(|| FieldsError::UnknownKind(shown(word)))?;
            if asked.iter().any(|(known, _)| *known == subject) {
                return Err(FieldsError::Twice(subject));
            }
            for name in listed.split(',').map(|name| name.trim().to_owned()) {
                if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
                    return Err(FieldsError::WrongField(subject));
                }
                asked.push((subject, name));
            }
        }
        match asked.len() {
            0 => Err(FieldsError::Empty),
            1..=MAX_FIELDS => Ok(Self { asked, last_resort: Vec::new() }),
            _ => Err(FieldsError::TooMany),
        }
    }

    pub(super) fn asked(&self) -> &[(Named, String)] {
        &self.asked
    }

    /// Looked at one after the other, until there is a machine.
    pub(super) fn last_resort(&self) -> &[(Named, String)] {
        &self.last_resort
    }
}

/// What a kind's word in a mapping says. SIEMs put an address into a machine's field.
fn kind_of(word: &str) -> Option<Named> {
    match field_names::look_up(word)? {
        Named::Kind(Kind::Machine) => Some(Named::Host),
        named => Some(named),
    }
}

/// The beginning of a text, for an error.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_read_in_its_order() {
        let fields = Fields::parse(" user = src_user ; Machine=Dest, evidence{}.deviceDnsName ;").expect("fields");
        let names: Vec<_> = fields.asked().iter().map(|(named, name)| (named.field(), name.as_str())).collect();
        assert_eq!(names, [("user", "src_user"), ("machine", "Dest"), ("machine", "evidence{}.deviceDnsName")]);
        assert!(fields.last_resort().is_empty());
    }

    #[test]
    fn every_word_of_the_table_is_looked_at_once() {
        let fields = Fields::default();
        let names: Vec<_> = fields.asked().iter().chain(fields.last_resort()).map(|(_, name)| name.as_str()).collect();
        for (_, word) in field_names::all() {
            assert_eq!(names.iter().filter(|name| **name == word).count(), 1, "{word}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_told_by_its_fault() {
        let many: Vec<_> = (0..65).map(|at| format!("field_{at}")).collect();
        for (text, fault) in [
            ("", FieldsError::Empty),
            (" ; ", FieldsError::Empty),
            ("dest", FieldsError::NoAssignment("dest".to_owned())),
            ("machine=dest;device", FieldsError::NoAssignment("device".to_owned())),
            ("colour=dest", FieldsError::UnknownKind("colour".to_owned())),
            ("machine=dest;device=host", FieldsError::Twice(Named::Host)),
            ("machine=", FieldsError::WrongField(Named::Host)),
            ("user=a,,b", FieldsError::WrongField(Named::Kind(Kind::User))),
            (&format!("file={}", "x".repeat(129)), FieldsError::WrongField(Named::Kind(Kind::File))),
            (&format!("user={}", many.join(",")), FieldsError::TooMany),
        ] {
            assert_eq!(Fields::parse(text), Err(fault), "{text}");
        }
        assert_eq!(
            Fields::parse("colour=dest").expect_err("no kind").to_string(),
            "\"colour\" is none of alert, machine, user, file, incident, ip, domain, url, value"
        );
    }
}
