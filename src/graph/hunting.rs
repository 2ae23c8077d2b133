//! The query that finds the alerts of a device, an account or a file.
//!
//! Advanced hunting takes no parameters: what a caller sends has to stand in the query's text. It stands there as one
//! string literal and nothing else, which [`literal`] alone builds.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>,
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/string>.

use crate::domain::portal::is_guid;
use crate::domain::subject::{Account, DomainName, FileHash, IpAddress, Machine};

/// What is hunted for.
#[derive(Clone, Debug)]
pub(crate) enum Quarry {
    /// A device, by its id or its name.
    Device(Machine),
    /// An account, by whatever names it.
    User(Account),
    /// A file.
    File(FileHash),
    /// An address, at either end of a connection.
    Ip(IpAddress),
    /// A domain, and what is below it.
    Domain(DomainName),
}

/// Alerts of one list.
pub(super) const MOST_ALERTS: usize = 200;
/// How far back advanced hunting sees.
pub(super) const WINDOW_DAYS: u32 = 30;
/// The same as ISO 8601 writes it.
pub(super) const TIMESPAN: &str = "P30D";
/// No name is longer.
const LONGEST: usize = 600;

/// The query; `None` if the name could not stand in one.
///
/// One row for each alert, the newest that fits, newest first; one more than are taken, to know that there are more.
pub(super) fn query(quarry: &Quarry) -> Option<String> {
    let condition = condition(quarry)?;
    Some(format!(
        "AlertEvidence\n| where Timestamp > ago({WINDOW_DAYS}d)\n| where {condition}\n\
         | summarize arg_max(Timestamp, *) by AlertId\n| top {} by Timestamp desc\n| project-away AdditionalFields",
        MOST_ALERTS + 1
    ))
}

/// Devices stand in rows of type `Machine` only, accounts in `User` and `Mailbox`, hashes in `File` and `Process`.
fn condition(quarry: &Quarry) -> Option<String> {
    let equals = |column: &'static str, text: &str| Some(format!("{column} =~ {}", literal(text)?));
    match quarry {
        Quarry::Device(Machine::Id(id)) => equals("DeviceId", id.as_str()),
        Quarry::Device(Machine::Name(name)) if name.is_short() => {
            let start = literal(&format!("{}.", name.as_str()))?;
            Some(format!("({} or DeviceName startswith {start})", equals("DeviceName", name.as_str())?))
        }
        Quarry::Device(Machine::Name(name)) => equals("DeviceName", name.as_str()),
        Quarry::User(account) => match account.domain() {
            Some(_) if account.is_principal_name() => equals("AccountUpn", &account.as_given()),
            Some(domain) => {
                Some(format!("{} and {}", equals("AccountName", account.name())?, equals("AccountDomain", domain)?))
            }
            None if is_sid(account.name()) => equals("AccountSid", account.name()),
            None if is_guid(account.name()) => equals("AccountObjectId", account.name()),
            None => equals("AccountName", account.name()),
        },
        Quarry::File(FileHash::Sha1(sha1)) => equals("SHA1", sha1.as_str()),
        Quarry::File(FileHash::Sha256(sha256)) => equals("SHA256", sha256.as_str()),
        Quarry::Ip(address) => {
            let address = literal(&address.to_string())?;
            Some(format!("(RemoteIP == {address} or LocalIP == {address})"))
        }
        Quarry::Domain(name) => Some(format!("RemoteUrl has {}", literal(name.as_str())?)),
    }
}

/// A Kusto string literal that holds this text; `None` if a character of it has no place in one.
///
/// In double quotes; a backslash and a double quote are escaped; never a verbatim string, whose rules are others.
fn literal(text: &str) -> Option<String> {
    if text.chars().count() > LONGEST || text.chars().any(breaks_lines_or_is_unseen) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        if matches!(letter, '\\' | '"') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    Some(out)
}

fn breaks_lines_or_is_unseen(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// A Windows security identifier: `S-1-5-21-…`.
fn is_sid(text: &str) -> bool {
    let Some(rest) = text.get(..4).filter(|start| start.eq_ignore_ascii_case("S-1-")).and(text.get(4..)) else {
        return false;
    };
    !rest.is_empty() && rest.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::subject::{Kind, Question, Subject};

    fn quarry(kind: Kind, text: &str) -> Option<Quarry> {
        match Question::parse(kind, text).ok()?.subject {
            Subject::Machine(machine) => Some(Quarry::Device(machine)),
            Subject::User(account) => Some(Quarry::User(account)),
            Subject::File(hash) => Some(Quarry::File(hash)),
            Subject::Ip(address) => Some(Quarry::Ip(address)),
            Subject::Domain(name) => Some(Quarry::Domain(name)),
            Subject::Alert(_) | Subject::Incident(_) => None,
        }
    }

    /// A query as Kusto reads it: what stands outside of literals, and what the literals hold.
    fn apart(query: &str) -> (String, Vec<String>) {
        let (mut outside, mut literals) = (String::new(), Vec::new());
        let mut letters = query.chars();
        while let Some(letter) = letters.next() {
            assert!(!matches!(letter, '\'' | '`' | '@' | ';'), "{letter} outside of a literal: {query}");
            outside.push(letter);
            if letter != '"' {
                continue;
            }
            let mut held = String::new();
            loop {
                match letters.next().unwrap_or_else(|| panic!("a literal without an end: {query}")) {
                    '"' => break,
                    '\\' => held.push(letters.next().expect("an escaped letter")),
                    letter => {
                        assert!(!matches!(letter, '\r' | '\n'), "a line ends within a literal: {query}");
                        held.push(letter);
                    }
                }
            }
            outside.push('"');
            literals.push(held);
        }
        assert!(!outside.contains("//"), "a comment: {query}");
        (outside, literals)
    }

    #[test]
    fn each_name_is_compared_with_its_column() {
        let sha1 = "0123456789abcdef0123456789abcdef01234567";
        for (kind, text, right) in [
            (Kind::Machine, sha1, format!("DeviceId =~ \"{sha1}\"")),
            (Kind::Machine, "desk-042.contoso.com", "DeviceName =~ \"desk-042.contoso.com\"".to_owned()),
            (
                Kind::Machine,
                "desk-042",
                "(DeviceName =~ \"desk-042\" or DeviceName startswith \"desk-042.\")".to_owned(),
            ),
            (Kind::User, "dana", "AccountName =~ \"dana\"".to_owned()),
            (Kind::User, "CONTOSO\\dana", "AccountName =~ \"dana\" and AccountDomain =~ \"CONTOSO\"".to_owned()),
            (Kind::User, "dana@contoso.com", "AccountUpn =~ \"dana@contoso.com\"".to_owned()),
            (Kind::User, "S-1-5-21-1-2-3-1001", "AccountSid =~ \"S-1-5-21-1-2-3-1001\"".to_owned()),
            (Kind::User, "S-1-5-21-x", "AccountName =~ \"S-1-5-21-x\"".to_owned()),
            (
                Kind::User,
                "c995191e-ab0d-41ff-95fd-921e07823508",
                "AccountObjectId =~ \"c995191e-ab0d-41ff-95fd-921e07823508\"".to_owned(),
            ),
            (Kind::User, "d\" or 1==1", "AccountName =~ \"d\\\" or 1==1\"".to_owned()),
            (Kind::File, sha1, format!("SHA1 =~ \"{sha1}\"")),
            (Kind::File, &sha1.repeat(2)[..64], format!("SHA256 =~ \"{}\"", &sha1.repeat(2)[..64])),
        ] {
            assert_eq!(quarry(kind, text).and_then(|quarry| condition(&quarry)), Some(right), "{text}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_literal_is_refused() {
        for text in ["a\nb", "a\rb", "\u{0}", "a\u{85}b", "\u{2028}", "\u{2029}", "\u{7f}", &"x".repeat(601)] {
            assert_eq!(literal(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_holds_its_text(text in "(?s).{0,64}|[\\\\\"'@;|/*`\\r\\n]{0,16}") {
            if let Some(built) = literal(&text) {
                prop_assert_eq!(apart(&built), ("\"\"".to_owned(), vec![text]));
            }
        }

        #[test]
        fn nothing_that_is_sent_changes_the_query(
            kind in prop::sample::select(vec![Kind::Machine, Kind::User, Kind::File]),
            text in "(?s).{0,64}|[\\\\\"'@;|/.a b-]{0,24}|[a-z\\\\@]{1,8}\" or 1==1|[0-9a-f]{40}|[0-9a-f]{64}|S-1-[0-9-]{1,9}",
        ) {
            if let Some(quarry) = quarry(kind, &text) {
                let asked = query(&quarry).expect("every subject can stand in a query");
                let (outside, literals) = apart(&asked);
                let usual = [
                    (Kind::Machine, "0123456789abcdef0123456789abcdef01234567"), (Kind::Machine, "a.b"), (Kind::Machine, "a"),
                    (Kind::User, "a"), (Kind::User, "a\\b"), (Kind::User, "a@b"), (Kind::User, "S-1-5"),
                    (Kind::User, "c995191e-ab0d-41ff-95fd-921e07823508"),
                    (Kind::File, "0123456789abcdef0123456789abcdef01234567"), (Kind::File, &"ab".repeat(32)),
                ];
                let known = usual.iter().any(|(usual_kind, usual)| {
                    let usual = super::tests::quarry(*usual_kind, usual).and_then(|usual| query(&usual));
                    *usual_kind == kind && usual.is_some_and(|usual| apart(&usual).0 == outside)
                });
                prop_assert!(known, "{asked}");
                let held = |part: &String| text.to_lowercase().contains(part.trim_end_matches('.').to_lowercase().as_str());
                prop_assert!(literals.iter().all(held), "{literals:?}");
            }
        }
    }
}
