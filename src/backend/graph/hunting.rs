//! The query that finds the alerts of a device, an account or a file.
//!
//! Advanced hunting takes no parameters: what a caller sends has to stand in the query's text. It stands there as one
//! string literal and nothing else, which [`literal`] alone builds.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>,
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/string>.

use url::Url;

use crate::domain::alert::Alert;
use crate::domain::evidence::Detail;
use crate::domain::subject::{Account, DeviceId, DeviceName, DomainName, FileHash, IpAddress};

/// What is hunted for.
#[derive(Clone, Debug)]
pub(crate) enum HuntingTarget {
    /// A device, by its id.
    Device(DeviceId),
    /// Devices of a name; of a full name, those that are called like its first label as well.
    Named(DeviceName),
    /// Devices of the whole of a full name.
    WholeName(DeviceName),
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
pub(crate) const MAX_ALERTS: usize = 200;
/// How far back advanced hunting sees.
pub(super) const WINDOW_DAYS: u32 = 30;
/// The same as ISO 8601 writes it.
pub(super) const TIMESPAN: &str = "P30D";
/// No name is longer.
const LONGEST: usize = 600;

/// The query; `None` if the name could not stand in one.
///
/// One row for each alert, the newest that fits, newest first; one more than are taken, to know that there are more.
pub(super) fn query(target: &HuntingTarget) -> Option<String> {
    let condition = condition(target)?;
    Some(format!(
        "AlertEvidence\n| where Timestamp > ago({WINDOW_DAYS}d)\n| where {condition}\n\
         | summarize arg_max(Timestamp, *) by AlertId\n| top {} by Timestamp desc\n| project-away AdditionalFields",
        MAX_ALERTS + 1
    ))
}

/// Devices stand in rows of type `Machine` only, accounts in `User` and `Mailbox`, hashes in `File` and `Process`.
fn condition(target: &HuntingTarget) -> Option<String> {
    let equals = |column: &'static str, text: &str| Some(format!("{column} =~ {}", literal(text)?));
    match target {
        HuntingTarget::Device(id) => equals("DeviceId", id.as_str()),
        HuntingTarget::Named(name) => {
            let mut conditions = named(name)?;
            match name.first_label() {
                Some(label) => conditions.extend(named(&label)?),
                None => {
                    for spelling in name.spellings() {
                        conditions.push(format!("DeviceName startswith {}", literal(&format!("{spelling}."))?));
                    }
                }
            }
            any(&conditions)
        }
        HuntingTarget::WholeName(name) => any(&named(name)?),
        HuntingTarget::User(account) => match account.domain() {
            // Evidence that names the account otherwise may be of it: of a UPN only the account name, or no domain.
            Some(_) if account.is_principal_name() => Some(format!(
                "({} or (isempty(AccountUpn) and {}))",
                equals("AccountUpn", &account.as_given())?,
                equals("AccountName", account.name())?
            )),
            Some(domain) => {
                let name = equals("AccountName", account.name())?;
                Some(format!("{name} and {}", any(&in_domain(domain)?)?))
            }
            None if account.is_sid() => equals("AccountSid", account.name()),
            None if account.is_object_id() => equals("AccountObjectId", account.name()),
            None => equals("AccountName", account.name()),
        },
        HuntingTarget::File(FileHash::Sha1(sha1)) => equals("SHA1", sha1.as_str()),
        HuntingTarget::File(FileHash::Sha256(sha256)) => equals("SHA256", sha256.as_str()),
        HuntingTarget::Ip(address) => {
            let address = literal(&address.to_string())?;
            Some(format!("(RemoteIP == {address} or LocalIP == {address})"))
        }
        HuntingTarget::Domain(name) => Some(format!("RemoteUrl has {}", literal(name.as_str())?)),
    }
}

/// A device by a name, with either apostrophe.
fn named(name: &DeviceName) -> Option<Vec<String>> {
    name.spellings().iter().map(|spelling| Some(format!("DeviceName =~ {}", literal(spelling)?))).collect()
}

/// A domain by the name that was given, by what the other of NetBIOS and DNS would call it, or not told.
fn in_domain(domain: &str) -> Option<Vec<String>> {
    let other = match domain.split_once('.') {
        Some((label, _)) => format!("AccountDomain =~ {}", literal(label)?),
        None => format!("AccountDomain startswith {}", literal(&format!("{domain}."))?),
    };
    Some(vec![format!("AccountDomain =~ {}", literal(domain)?), other, "isempty(AccountDomain)".to_owned()])
}

/// Conditions of which one has to hold.
fn any(conditions: &[String]) -> Option<String> {
    match conditions {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("({})", several.join(" or "))),
    }
}

impl HuntingTarget {
    /// Whether an alert is of what is hunted for, where the query alone does not tell: `has` finds a domain's name
    /// anywhere in an address. `row`: the address in the alert's row.
    pub(super) fn is_of(&self, row: Option<&str>, alert: &Alert) -> bool {
        match self {
            Self::Device(_) | Self::Named(_) | Self::WholeName(_) | Self::User(_) | Self::File(_) | Self::Ip(_) => true,
            Self::Domain(name) => {
                let urls = alert.evidence.iter().filter_map(|item| match &item.detail {
                    Detail::Url(address) => address.url.as_deref(),
                    _ => None,
                });
                urls.chain(row).any(|url| is_at_or_below(url, name.as_str()))
            }
        }
    }
}

/// Whether the host of an address is a domain or below it.
fn is_at_or_below(address: &str, domain: &str) -> bool {
    host_of(address).is_some_and(|host| {
        let below = host.strip_suffix(domain);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    })
}

/// The host of an address as evidence has it: with or without a scheme, behind the `uri=` of some rows.
fn host_of(address: &str) -> Option<String> {
    let address = address.trim();
    let address = address
        .get(..4)
        .filter(|start| start.eq_ignore_ascii_case("uri="))
        .map_or(address, |_| address.get(4..).unwrap_or_default());
    let has_host = |text: &str| Url::parse(text).ok().filter(Url::has_host);
    let url = has_host(address).or_else(|| has_host(&format!("http://{address}")))?;
    let host = url.host_str()?.to_lowercase();
    Some(host.strip_suffix('.').map(str::to_owned).unwrap_or(host))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::evidence::{Address, Evidence};
    use crate::domain::subject::{Kind, Machine, Question, Subject};

    fn target(kind: Kind, text: &str) -> Option<HuntingTarget> {
        match Question::parse(kind, text).ok()?.subject {
            Subject::Machine(Machine::Id(id)) => Some(HuntingTarget::Device(id)),
            Subject::Machine(Machine::Name(name)) => Some(HuntingTarget::Named(name)),
            Subject::User(account) => Some(HuntingTarget::User(account)),
            Subject::File(hash) => Some(HuntingTarget::File(hash)),
            Subject::Ip(address) => Some(HuntingTarget::Ip(address)),
            Subject::Domain(name) => Some(HuntingTarget::Domain(name)),
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
            (
                Kind::Machine,
                "desk-042.contoso.com",
                "(DeviceName =~ \"desk-042.contoso.com\" or DeviceName =~ \"desk-042\")".to_owned(),
            ),
            (
                Kind::Machine,
                "desk-042",
                "(DeviceName =~ \"desk-042\" or DeviceName startswith \"desk-042.\")".to_owned(),
            ),
            (Kind::User, "dana", "AccountName =~ \"dana\"".to_owned()),
            (
                Kind::Machine,
                "Dana's iPad",
                "(DeviceName =~ \"Dana's iPad\" or DeviceName =~ \"Dana’s iPad\" or DeviceName startswith \"Dana's iPad.\" \
                 or DeviceName startswith \"Dana’s iPad.\")"
                    .to_owned(),
            ),
            (
                Kind::User,
                "CONTOSO\\dana",
                "AccountName =~ \"dana\" and (AccountDomain =~ \"CONTOSO\" or AccountDomain startswith \"CONTOSO.\" \
                 or isempty(AccountDomain))"
                    .to_owned(),
            ),
            (
                Kind::User,
                "contoso.com\\dana",
                "AccountName =~ \"dana\" and (AccountDomain =~ \"contoso.com\" or AccountDomain =~ \"contoso\" \
                 or isempty(AccountDomain))"
                    .to_owned(),
            ),
            (
                Kind::User,
                "dana@contoso.com",
                "(AccountUpn =~ \"dana@contoso.com\" or (isempty(AccountUpn) and AccountName =~ \"dana\"))".to_owned(),
            ),
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
            assert_eq!(target(kind, text).and_then(|target| condition(&target)), Some(right), "{text}");
        }
    }

    #[test]
    fn a_domain_is_at_or_above_the_host_of_an_address() {
        let domain = "shop.evil.example";
        for address in [
            "https://shop.evil.example/pay?x=1",
            "HTTP://A.SHOP.EVIL.EXAMPLE:8080/",
            "https://name:word@shop.evil.example/",
            "shop.evil.example",
            "shop.evil.example.",
            "shop.evil.example:8443/without-a-scheme",
            "uri=https://shop.evil.example/click?to=https://other.example/",
            "tcp://Shop.Evil.Example:443",
        ] {
            assert!(is_at_or_below(address, domain), "{address}");
        }
        for address in [
            "https://notshop.evil.example/",
            "https://evil.example/",
            "https://shop.evil.example.other.example/",
            "https://other.example/?to=shop.evil.example",
            "https://shop.evil.example@other.example/",
            "uri=https://other.example/?redirect=https://shop.evil.example/",
            "",
            "uri=",
        ] {
            assert!(!is_at_or_below(address, domain), "{address}");
        }
        assert!(is_at_or_below("https://bücher.example/", "xn--bcher-kva.example"));
    }

    #[test]
    fn an_alert_is_of_a_domain_by_its_row_or_its_evidence() {
        let Some(domain) = target(Kind::Domain, "evil.example") else { panic!("a domain") };
        let url = |url: &'static str| Alert {
            evidence: vec![Evidence { detail: Detail::Url(Address { url: Some(url.into()) }), ..Evidence::default() }],
            ..Alert::default()
        };
        assert!(domain.is_of(Some("https://evil.example/"), &Alert::default()));
        assert!(domain.is_of(Some("https://other.example/?evil.example"), &url("https://a.evil.example/")));
        assert!(!domain.is_of(Some("https://other.example/?evil.example"), &url("https://notevil.example/")));
        assert!(!domain.is_of(None, &Alert::default()));
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
            if let Some(target) = target(kind, &text) {
                let asked = query(&target).expect("every subject can stand in a query");
                let (outside, literals) = apart(&asked);
                let usual = [
                    (Kind::Machine, "0123456789abcdef0123456789abcdef01234567"), (Kind::Machine, "a.b"), (Kind::Machine, "a"),
                    (Kind::User, "a"), (Kind::User, "a\\b"), (Kind::User, "a@b"), (Kind::User, "a.b\\c"), (Kind::User, "S-1-5"),
                    (Kind::User, "c995191e-ab0d-41ff-95fd-921e07823508"),
                    (Kind::File, "0123456789abcdef0123456789abcdef01234567"), (Kind::File, &"ab".repeat(32)),
                ];
                let known = usual.iter().any(|(usual_kind, usual)| {
                    let usual = super::tests::target(*usual_kind, usual).and_then(|usual| query(&usual));
                    *usual_kind == kind && usual.is_some_and(|usual| apart(&usual).0 == outside)
                });
                prop_assert!(known, "{asked}");
                let held = |part: &String| text.to_lowercase().contains(part.trim_end_matches('.').to_lowercase().as_str());
                prop_assert!(literals.iter().all(held), "{literals:?}");
            }
        }
    }
}
