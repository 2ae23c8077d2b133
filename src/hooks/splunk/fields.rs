//! Which fields of a Splunk result name a subject: those of the Common Information Model, or `SPLUNK_FIELDS`.
//!
//! Source: <https://docs.splunk.com/Documentation/CIM/latest/User/Overview>.

use crate::domain::subject::Kind;

/// The fields that are asked about when nothing else is said.
const COMMON: [(Kind, &[&str]); 5] = [
    (Kind::Alert, &["alert_id"]),
    (Kind::Incident, &["incident_id"]),
    (
        Kind::Machine,
        &["dest", "dvc", "dest_host", "dvc_host", "dest_nt_host", "dvc_nt_host", "src", "src_host", "src_nt_host"],
    ),
    (Kind::User, &["user", "src_user", "dest_user"]),
    (Kind::File, &["file_hash", "process_hash", "parent_process_hash", "sha1", "sha256"]),
];
/// `host` is set by Splunk on every event: often the forwarder, or the search head that wrote a notable event, whose
/// `orig_host` then is the machine's.
const LAST_RESORT: [&str; 2] = ["orig_host", "host"];

const MOST_FIELDS: usize = 64;
const MOST_NAME_CHARS: usize = 128;

/// The fields that name subjects, in the order in which they are looked at; their names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    asked: Vec<(Kind, String)>,
    last_resort: Vec<(Kind, String)>,
}

/// Why a text is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A part is not `kind=field,field`.
    #[error("{0:?} is not of the form kind=field,field")]
    NoAssignment(String),
    /// A word that is no kind.
    #[error("{0:?} is none of alert, machine, user, file, incident")]
    UnknownKind(String),
    /// A kind that comes twice.
    #[error("{} is there more than once", .0.as_str())]
    Twice(Kind),
    /// A kind without fields, or a name that no field has.
    #[error("{} has a field without a name, or one with more than 128 characters", .0.as_str())]
    WrongField(Kind),
    /// More fields than anybody needs.
    #[error("there are more than 64 fields")]
    TooMany,
    /// No part at all.
    #[error("it names no field")]
    Empty,
}

impl Default for Fields {
    fn default() -> Self {
        let common = COMMON.iter().flat_map(|(kind, names)| names.iter().map(|name| (*kind, (*name).to_owned())));
        let last_resort = LAST_RESORT.iter().map(|name| (Kind::Machine, (*name).to_owned()));
        Self { asked: common.collect(), last_resort: last_resort.collect() }
    }
}

impl Fields {
    /// Reads a mapping such as `machine=dest,host;user=src_user;file=file_hash`. It replaces the known fields.
    pub fn parse(text: &str) -> Result<Self, FieldsError> {
        let mut asked: Vec<(Kind, String)> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (word, names) = part.split_once('=').ok_or_else(|| FieldsError::NoAssignment(shown(part)))?;
            let word = word.trim();
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word));
            let kind = kind.ok_or_else(|| FieldsError::UnknownKind(shown(word)))?;
            if asked.iter().any(|(known, _)| *known == kind) {
                return Err(FieldsError::Twice(kind));
            }
            for name in names.split(',').map(|name| name.trim().to_lowercase()) {
                if !(1..=MOST_NAME_CHARS).contains(&name.chars().count()) {
                    return Err(FieldsError::WrongField(kind));
                }
                asked.push((kind, name));
            }
        }
        match asked.len() {
            0 => Err(FieldsError::Empty),
            1..=MOST_FIELDS => Ok(Self { asked, last_resort: Vec::new() }),
            _ => Err(FieldsError::TooMany),
        }
    }

    pub(super) fn asked(&self) -> &[(Kind, String)] {
        &self.asked
    }

    /// Looked at one after the other, until there is a subject of the kind.
    pub(super) fn last_resort(&self) -> &[(Kind, String)] {
        &self.last_resort
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
        let names: Vec<_> = fields.asked().iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
        assert_eq!(names, [("user", "src_user"), ("machine", "dest"), ("machine", "evidence{}.devicednsname")]);
        assert!(fields.last_resort().is_empty());
    }

    #[test]
    fn what_is_no_mapping_is_told_by_its_fault() {
        let many: Vec<_> = (0..65).map(|at| format!("field_{at}")).collect();
        for (text, fault) in [
            ("", FieldsError::Empty),
            (" ; ", FieldsError::Empty),
            ("dest", FieldsError::NoAssignment("dest".to_owned())),
            ("machine=dest;device", FieldsError::NoAssignment("device".to_owned())),
            ("device=dest", FieldsError::UnknownKind("device".to_owned())),
            ("machine=dest;machine=host", FieldsError::Twice(Kind::Machine)),
            ("machine=", FieldsError::WrongField(Kind::Machine)),
            ("user=a,,b", FieldsError::WrongField(Kind::User)),
            (&format!("file={}", "x".repeat(129)), FieldsError::WrongField(Kind::File)),
            (&format!("user={}", many.join(",")), FieldsError::TooMany),
        ] {
            assert_eq!(Fields::parse(text), Err(fault), "{text}");
        }
        assert_eq!(
            Fields::parse("device=dest").expect_err("no kind").to_string(),
            "\"device\" is none of alert, machine, user, file, incident"
        );
    }
}
