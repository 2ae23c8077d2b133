//! The field names for a subject: one table for JSON fields, query strings, chat commands, the command line and the scans
//! of records in other formats.

use super::Kind;

/// What a field name means for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldMeaning {
    /// The value is of this kind.
    Kind(Kind),
    /// The value is an address if it has that form, else a machine: SIEMs use the same field for both.
    Host,
    /// The value is a URL; its host is the subject.
    Url,
    /// The value can be any kind; its form decides.
    Value,
}

impl FieldMeaning {
    /// Returns the kind, if the name alone decides it.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Kind(kind) => Some(kind),
            Self::Host => Some(Kind::Machine),
            Self::Url => Some(Kind::Domain),
            Self::Value => None,
        }
    }

    /// Returns the request field with the same meaning.
    pub fn field(self) -> &'static str {
        let meaning = if self == Self::Host { Self::Kind(Kind::Machine) } else { self };
        all().find(|(known, _)| *known == meaning).map_or("value", |(_, name)| name)
    }
}

/// The table of field names. The first name in a row is the request field of the contract.
const TABLE: [(FieldMeaning, &[&str]); 9] = [
    (FieldMeaning::Kind(Kind::Alert), &["alert_id", "alert"]),
    (
        FieldMeaning::Kind(Kind::Machine),
        &[
            "machine",
            "device",
            "hostname",
            "computer",
            "server",
            "pc",
            "endpoint",
            "workstation",
            "machine_id",
            "device_id",
            "machine_name",
            "device_name",
            "computer_name",
            "computer_dns_name",
        ],
    ),
    (FieldMeaning::Host, &["host", "dest", "dvc"]),
    (
        FieldMeaning::Kind(Kind::User),
        &["user", "username", "account", "upn", "email", "mail", "account_name", "user_principal_name", "src_user"],
    ),
    (FieldMeaning::Kind(Kind::File), &["file_hash", "file", "hash", "sha1", "sha256", "md5"]),
    (FieldMeaning::Kind(Kind::Incident), &["incident_id", "incident", "case"]),
    (FieldMeaning::Kind(Kind::Ip), &["ip", "ip_address", "address", "src_ip", "dest_ip"]),
    (FieldMeaning::Kind(Kind::Domain), &["domain"]),
    (FieldMeaning::Url, &["url"]),
];

/// The names for a value of any kind. They are separate, so that names for one kind are listed first.
const ANY_KIND_NAMES: &[&str] = &["value", "any", "indicator", "entity", "fqdn", "src", "query"];

/// The names of the first version. If a request has one of these, its other fields are not the subject.
const FIRST_VERSION_NAMES: [&str; 6] = ["alert_id", "machine", "user", "file_hash", "incident_id", "value"];

/// The longest name in any spelling.
const MAX_NAME_BYTES: usize = 40;

/// Returns all field names with their meaning.
pub fn all() -> impl Iterator<Item = (FieldMeaning, &'static str)> {
    let rows = TABLE.iter().map(|(meaning, words)| (*meaning, *words)).chain([(FieldMeaning::Value, ANY_KIND_NAMES)]);
    rows.flat_map(|(meaning, words)| words.iter().map(move |word| (meaning, *word)))
}

/// Returns the meaning of a field name; `None` if it is not in the table.
pub fn look_up(word: &str) -> Option<FieldMeaning> {
    all().find(|(_, known)| is_same(known, word)).map(|(meaning, _)| meaning)
}

/// Whether this is a field name of the first version.
pub fn is_of_first_version(word: &str) -> bool {
    FIRST_VERSION_NAMES.iter().any(|known| is_same(known, word))
}

/// Whether two names are the same. Case, `_` and `-` do not count: `fileHash` is `file_hash`.
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() <= MAX_NAME_BYTES && other.len() <= MAX_NAME_BYTES && significant_chars(one).eq(significant_chars(other))
}

/// Returns a name in the form that all its spellings share.
pub fn in_one_spelling(name: &str) -> String {
    significant_chars(name).flat_map(char::to_lowercase).collect()
}

fn significant_chars(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase())
}

/// Returns the name in the table or in `others` that is most similar to a mistyped one.
pub fn nearest(word: &str, others: &[&'static str]) -> Option<&'static str> {
    if word.len() > MAX_NAME_BYTES {
        return None;
    }
    let written: String = significant_chars(word).collect();
    let max_distance = match written.chars().count() {
        0..=2 => return None,
        3..=7 => 1,
        _ => 2,
    };
    let known = all().map(|(_, known)| known).chain(others.iter().copied());
    let candidates = known.filter_map(|known| {
        let distance = strsim::osa_distance(&written, &significant_chars(known).collect::<String>());
        (distance <= max_distance).then_some((distance, known))
    });
    candidates.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_field_name_is_known() {
        for (word, meaning) in [
            ("computerDnsName", FieldMeaning::Kind(Kind::Machine)),
            ("HOST", FieldMeaning::Host),
            ("user-name", FieldMeaning::Kind(Kind::User)),
            ("SHA-256", FieldMeaning::Kind(Kind::File)),
            ("incidentid", FieldMeaning::Kind(Kind::Incident)),
            ("FQDN", FieldMeaning::Value),
        ] {
            assert_eq!(look_up(word), Some(meaning), "{word}");
        }
        for word in ["", "_", "colour", "machine ", "ｍachine", &"machine".repeat(20)] {
            assert_eq!(look_up(word), None, "{word}");
        }
    }

    #[test]
    fn no_field_name_has_two_meanings() {
        for (_, word) in all() {
            assert_eq!(all().filter(|(_, other)| is_same(word, other)).count(), 1, "{word}");
        }
        for kind in Kind::ALL {
            assert_eq!(look_up(kind.as_str()), Some(FieldMeaning::Kind(kind)));
            assert_eq!(look_up(kind.field()), Some(FieldMeaning::Kind(kind)));
        }
    }

    #[test]
    fn a_typing_error_leads_to_the_intended_name() {
        for (word, intended) in [
            ("machien", Some("machine")),
            ("usrname", Some("username")),
            ("file_hsh", Some("file_hash")),
            ("lmit", Some("limit")),
            ("usr", Some("user")),
            ("colour", None),
            ("xc", None),
            ("tenant", None),
        ] {
            assert_eq!(nearest(word, &["limit"]), intended, "{word}");
        }
    }
}
