//! The words by which callers name a subject: one table for JSON fields, query strings, chat commands, the command line
//! and the scans of other people's records.

use super::Kind;

/// What a word says about the value that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// It is of this kind.
    Kind(Kind),
    /// It is a machine, or an address where it is written as one: SIEMs put either into the same field.
    Host,
    /// It is a URL, which is asked by its host.
    Url,
    /// It can be anything: its form tells.
    Value,
}

impl Named {
    /// The kind, as far as the word alone tells it.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Kind(kind) => Some(kind),
            Self::Host => Some(Kind::Machine),
            Self::Url => Some(Kind::Domain),
            Self::Value => None,
        }
    }

    /// The field of a request that says the same.
    pub fn field(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.field(),
            Self::Host => Kind::Machine.field(),
            Self::Url => "url",
            Self::Value => "value",
        }
    }
}

/// The table. The names of the first version come first in their row.
const TABLE: [(Named, &[&str]); 9] = [
    (Named::Kind(Kind::Alert), &["alert_id", "alert"]),
    (
        Named::Kind(Kind::Machine),
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
    (Named::Host, &["host", "dest", "dvc"]),
    (
        Named::Kind(Kind::User),
        &["user", "username", "account", "upn", "email", "mail", "account_name", "user_principal_name", "src_user"],
    ),
    (Named::Kind(Kind::File), &["file_hash", "file", "hash", "sha1", "sha256", "md5"]),
    (Named::Kind(Kind::Incident), &["incident_id", "incident", "case"]),
    (Named::Kind(Kind::Ip), &["ip", "ip_address", "address", "src_ip", "dest_ip"]),
    (Named::Kind(Kind::Domain), &["domain"]),
    (Named::Url, &["url"]),
];

/// The words for anything: they stand apart, so that the words for a kind are named first.
const ANYTHING: &[&str] = &["value", "any", "indicator", "entity", "fqdn", "src", "query"];

/// The names of the first version: beside one of these, other words are not the subject.
const FIRST_VERSION: [&str; 6] = ["alert_id", "machine", "user", "file_hash", "incident_id", "value"];

/// No word is longer, however it is written.
const MAX_BYTES: usize = 40;

/// All words with what they say.
pub fn all() -> impl Iterator<Item = (Named, &'static str)> {
    let rows = TABLE.iter().map(|(named, words)| (*named, *words)).chain([(Named::Value, ANYTHING)]);
    rows.flat_map(|(named, words)| words.iter().map(move |word| (named, *word)))
}

/// What a word says; `None` if it is none of the table.
pub fn look_up(word: &str) -> Option<Named> {
    all().find(|(_, known)| is_same(known, word)).map(|(named, _)| named)
}

/// Whether this is a field name of the first version.
pub fn is_of_first_version(word: &str) -> bool {
    FIRST_VERSION.iter().any(|known| is_same(known, word))
}

/// Whether two names are one: case, `_` and `-` do not matter, and so `fileHash` is `file_hash`.
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() <= MAX_BYTES && other.len() <= MAX_BYTES && letters(one).eq(letters(other))
}

/// A name in the one spelling that all spellings of it share.
pub fn in_one_spelling(name: &str) -> String {
    letters(name).flat_map(char::to_lowercase).collect()
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|letter| !matches!(letter, '_' | '-')).map(|letter| letter.to_ascii_lowercase())
}

/// The word, of the table or of `others`, that somebody may have meant who wrote this one.
pub fn nearest(word: &str, others: &[&'static str]) -> Option<&'static str> {
    if word.len() > MAX_BYTES {
        return None;
    }
    let written: String = letters(word).collect();
    let slips_allowed = match written.chars().count() {
        0..=2 => return None,
        3..=7 => 1,
        _ => 2,
    };
    let known = all().map(|(_, known)| known).chain(others.iter().copied());
    let with_slips = known.filter_map(|known| {
        let slips = strsim::osa_distance(&written, &letters(known).collect::<String>());
        (slips <= slips_allowed).then_some((slips, known))
    });
    with_slips.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_however_it_is_spelled() {
        for (word, named) in [
            ("machine", Named::Kind(Kind::Machine)),
            ("computerDnsName", Named::Kind(Kind::Machine)),
            ("MachineId", Named::Kind(Kind::Machine)),
            ("HOST", Named::Host),
            ("userPrincipalName", Named::Kind(Kind::User)),
            ("user-name", Named::Kind(Kind::User)),
            ("SrcUser", Named::Kind(Kind::User)),
            ("FileHash", Named::Kind(Kind::File)),
            ("SHA-256", Named::Kind(Kind::File)),
            ("incidentid", Named::Kind(Kind::Incident)),
            ("case", Named::Kind(Kind::Incident)),
            ("dest-ip", Named::Kind(Kind::Ip)),
            ("url", Named::Url),
            ("FQDN", Named::Value),
        ] {
            assert_eq!(look_up(word), Some(named), "{word}");
        }
        for word in ["", "_", "colour", "machine ", "ｍachine", &"machine".repeat(20)] {
            assert_eq!(look_up(word), None, "{word}");
        }
    }

    #[test]
    fn no_word_says_two_things() {
        let words: Vec<_> = all().collect();
        for (at, (_, word)) in words.iter().enumerate() {
            let others = words.iter().skip(at + 1);
            assert!(others.clone().all(|(_, other)| !is_same(word, other)), "{word}");
        }
        for kind in Kind::ALL {
            assert_eq!(look_up(kind.as_str()), Some(Named::Kind(kind)));
            assert_eq!(look_up(kind.field()), Some(Named::Kind(kind)));
        }
    }

    #[test]
    fn a_slip_leads_to_the_word_that_was_meant() {
        for (word, meant) in [
            ("machien", Some("machine")),
            ("machin", Some("machine")),
            ("usrname", Some("username")),
            ("file_hsh", Some("file_hash")),
            ("alerts", Some("alert")),
            ("incidnet", Some("incident")),
            ("lmit", Some("limit")),
            ("usr", Some("user")),
            ("colour", None),
            ("x", None),
            ("xc", None),
            ("callback", None),
            ("tenant", None),
        ] {
            assert_eq!(nearest(word, &["limit"]), meant, "{word}");
        }
    }
}
