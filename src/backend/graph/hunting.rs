//! Builds the advanced hunting queries: for the alerts of a device, an account, a file, an address or a domain, and for what
//! Defender says of a device or a file itself.
//!
//! Advanced hunting takes no parameters, so the text of the query must contain what a caller sends. It contains it only
//! as a string literal, and only [`literal`] builds one.
//!
//! Sources: <https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table>,
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/string>.

use url::Url;

use super::{GraphContextQuery, GraphQuery};
use crate::domain::alert::Alert;
use crate::domain::evidence::Detail;
use crate::domain::subject::{DeviceName, FileHash};

/// The most alerts in one list.
pub(crate) const MAX_ALERTS: usize = 200;
/// How many days advanced hunting covers.
pub(super) const WINDOW_DAYS: u32 = 30;
/// The same as an ISO 8601 duration.
pub(super) const TIMESPAN: &str = "P30D";
/// The longest text in a literal. Every checked name is shorter.
const MAX_LITERAL_CHARS: usize = 600;

/// Returns the text of a query; `None` if no literal can hold the name, or if the subject is not hunted.
///
/// It returns the newest row of each alert, newest alert first. It asks for one alert more than the list may have, which
/// shows whether there are more.
pub(super) fn text(query: &GraphQuery) -> Option<String> {
    let condition = condition(query)?;
    Some(format!(
        "AlertEvidence\n| where Timestamp > ago({WINDOW_DAYS}d)\n| where {condition}\n\
         | summarize arg_max(Timestamp, *) by AlertId\n| top {} by Timestamp desc\n| project-away AdditionalFields",
        MAX_ALERTS + 1
    ))
}

/// The most devices of one name that a context is chosen from.
const MAX_DEVICES: usize = 10;

/// Returns the text of a query about a subject itself; `None` if no literal can hold the name.
///
/// The newest row of a device can lack what older ones tell, and then its `OSPlatform` is empty.
pub(super) fn context(query: &GraphContextQuery) -> Option<String> {
    let (column, hash) = match query {
        GraphContextQuery::Device(id) => {
            return Some(devices(&condition(&GraphQuery::Machine(id.clone()))?));
        }
        GraphContextQuery::DeviceNamed(name) => {
            return Some(devices(&condition(&GraphQuery::MachineName(name.clone()))?));
        }
        GraphContextQuery::File(FileHash::Sha1(sha1)) => ("SHA1", sha1.as_str()),
        GraphContextQuery::File(FileHash::Sha256(sha256)) => ("SHA256", sha256.as_str()),
    };
    Some(format!("print {column} = {}\n| invoke FileProfile(\"{column}\", 1)", literal(hash)?))
}

/// Returns the query for the newest row of each device.
fn devices(condition: &str) -> String {
    format!(
        "DeviceInfo\n| where Timestamp > ago({WINDOW_DAYS}d)\n| where {condition}\n| where isnotempty(OSPlatform)\n\
         | summarize arg_max(Timestamp, *) by DeviceId\n| top {MAX_DEVICES} by Timestamp desc"
    )
}

/// Returns the condition of the query. Only rows of type `Machine` have a device; `User` and `Mailbox` rows have accounts;
/// `File` and `Process` rows have hashes.
fn condition(query: &GraphQuery) -> Option<String> {
    let equals = |column: &'static str, text: &str| Some(format!("{column} =~ {}", literal(text)?));
    match query {
        GraphQuery::Alert(_) | GraphQuery::Incident(_) => None,
        GraphQuery::Machine(id) => equals("DeviceId", id.as_str()),
        GraphQuery::MachineName(name) => {
            let mut conditions = name_conditions(name)?;
            match name.first_label() {
                Some(label) => conditions.extend(name_conditions(&label)?),
                None => {
                    for spelling in name.spellings() {
                        conditions.push(format!("DeviceName startswith {}", literal(&format!("{spelling}."))?));
                    }
                }
            }
            any_of(&conditions)
        }
        GraphQuery::FullMachineName(name) => any_of(&name_conditions(name)?),
        GraphQuery::User(account) => match account.domain() {
            // Evidence may name the same account with less: only the account name of a UPN, or no domain.
            Some(_) if account.is_principal_name() => Some(format!(
                "({} or (isempty(AccountUpn) and {}))",
                equals("AccountUpn", &account.as_given())?,
                equals("AccountName", account.name())?
            )),
            Some(domain) => {
                let name = equals("AccountName", account.name())?;
                Some(format!("{name} and {}", any_of(&domain_conditions(domain)?)?))
            }
            None if account.is_sid() => equals("AccountSid", account.name()),
            None if account.is_object_id() => equals("AccountObjectId", account.name()),
            None => equals("AccountName", account.name()),
        },
        GraphQuery::File(FileHash::Sha1(sha1)) => equals("SHA1", sha1.as_str()),
        GraphQuery::File(FileHash::Sha256(sha256)) => equals("SHA256", sha256.as_str()),
        GraphQuery::Ip(address) => {
            let address = literal(&address.to_string())?;
            Some(format!("(RemoteIP == {address} or LocalIP == {address})"))
        }
        GraphQuery::Domain(name) => Some(format!("RemoteUrl has {}", literal(name.as_str())?)),
    }
}

/// Returns the conditions for a device name, with either apostrophe.
fn name_conditions(name: &DeviceName) -> Option<Vec<String>> {
    name.spellings().iter().map(|spelling| Some(format!("DeviceName =~ {}", literal(spelling)?))).collect()
}

/// Returns the conditions for an account's domain: the name that was sent, its NetBIOS or DNS counterpart, or no domain.
fn domain_conditions(domain: &str) -> Option<Vec<String>> {
    let other = match domain.split_once('.') {
        Some((label, _)) => format!("AccountDomain =~ {}", literal(label)?),
        None => format!("AccountDomain startswith {}", literal(&format!("{domain}."))?),
    };
    Some(vec![format!("AccountDomain =~ {}", literal(domain)?), other, "isempty(AccountDomain)".to_owned()])
}

/// Joins conditions with `or`.
fn any_of(conditions: &[String]) -> Option<String> {
    match conditions {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("({})", several.join(" or "))),
    }
}

impl GraphQuery {
    /// Whether an alert is about the subject of this query. The query alone does not ensure that for a domain: `has` finds its name
    /// anywhere in a URL. `row_url`: the URL in the alert's row.
    pub(super) fn matches(&self, row_url: Option<&str>, alert: &Alert) -> bool {
        let Self::Domain(name) = self else { return true };
        let urls = alert.evidence.iter().filter_map(|item| match &item.detail {
            Detail::Url(address) => address.url.as_deref(),
            _ => None,
        });
        urls.chain(row_url).any(|url| is_at_or_below(url, name.as_str()))
    }
}

/// Whether the host of a URL is the domain or a subdomain.
fn is_at_or_below(address: &str, domain: &str) -> bool {
    host_of(address).is_some_and(|host| {
        let below = host.strip_suffix(domain);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    })
}

/// Returns the host of a URL in evidence: with or without a scheme, and after the `uri=` of some rows.
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

/// Returns a Kusto string literal with this text; `None` if the text has a character that is not permitted.
///
/// The literal has double quotes; a backslash and a double quote are escaped. It is never a verbatim string, which has
/// other rules.
fn literal(text: &str) -> Option<String> {
    if text.chars().count() > MAX_LITERAL_CHARS || text.chars().any(is_line_break_or_control) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '\\' | '"') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    Some(out)
}

fn is_line_break_or_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::evidence::{Address, Evidence};
    use crate::domain::subject::{Kind, Question};

    fn query(kind: Kind, text: &str) -> Option<GraphQuery> {
        Some(GraphQuery::of(&Question::parse(kind, text).ok()?.subject))
    }

    /// Splits a query as Kusto does: the text outside of literals, and the texts in the literals.
    fn split_literals(query: &str) -> (String, Vec<String>) {
        let (mut outside, mut literals) = (String::new(), Vec::new());
        let mut characters = query.chars();
        while let Some(character) = characters.next() {
            assert!(!matches!(character, '\'' | '`' | '@' | ';'), "{character} outside of a literal: {query}");
            outside.push(character);
            if character != '"' {
                continue;
            }
            let mut contained = String::new();
            loop {
                match characters.next().unwrap_or_else(|| panic!("an unterminated literal: {query}")) {
                    '"' => break,
                    '\\' => contained.push(characters.next().expect("an escaped character")),
                    character => {
                        assert!(!matches!(character, '\r' | '\n'), "a line break in a literal: {query}");
                        contained.push(character);
                    }
                }
            }
            outside.push('"');
            literals.push(contained);
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
            assert_eq!(query(kind, text).and_then(|query| condition(&query)), Some(right), "{text}");
        }
    }

    #[test]
    fn each_context_has_its_query() {
        let (sha1, sha256) = ("01".repeat(20), "01".repeat(32));
        let devices = |condition: &str| {
            format!(
                "DeviceInfo\n| where Timestamp > ago(30d)\n| where {condition}\n| where isnotempty(OSPlatform)\n\
                 | summarize arg_max(Timestamp, *) by DeviceId\n| top 10 by Timestamp desc"
            )
        };
        for (kind, text, right) in [
            (Kind::Machine, sha1.as_str(), Some(devices(&format!("DeviceId =~ \"{sha1}\"")))),
            (Kind::Machine, "a.b", Some(devices("(DeviceName =~ \"a.b\" or DeviceName =~ \"a\")"))),
            (Kind::File, &sha1, Some(format!("print SHA1 = \"{sha1}\"\n| invoke FileProfile(\"SHA1\", 1)"))),
            (Kind::File, &sha256, Some(format!("print SHA256 = \"{sha256}\"\n| invoke FileProfile(\"SHA256\", 1)"))),
            (Kind::Domain, "a.example", None),
            (Kind::User, "dana", None),
        ] {
            let query = query(kind, text).expect("a query");
            assert_eq!(GraphContextQuery::of(&query).and_then(|query| context(&query)), right, "{text}");
        }
    }

    #[test]
    fn a_url_matches_its_domain_and_parent_domains() {
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
    fn an_alert_matches_a_domain_by_its_row_or_its_evidence() {
        let Some(domain) = query(Kind::Domain, "evil.example") else { panic!("a domain") };
        let url = |url: &'static str| Alert {
            evidence: vec![Evidence { detail: Detail::Url(Address { url: Some(url.into()) }), ..Evidence::default() }],
            ..Alert::default()
        };
        assert!(domain.matches(Some("https://evil.example/"), &Alert::default()));
        assert!(domain.matches(Some("https://other.example/?evil.example"), &url("https://a.evil.example/")));
        assert!(!domain.matches(Some("https://other.example/?evil.example"), &url("https://notevil.example/")));
        assert!(!domain.matches(None, &Alert::default()));
    }

    #[test]
    fn a_literal_rejects_line_breaks_control_characters_and_long_text() {
        for text in ["a\nb", "a\rb", "\u{0}", "a\u{85}b", "\u{2028}", "\u{2029}", "\u{7f}", &"x".repeat(601)] {
            assert_eq!(literal(text), None, "{text:?}");
        }
    }

    /// Subjects of every structure that a query has. A name with apostrophes is compared in two spellings, or in three if it
    /// mixes them; of a full name, so is the first label.
    const TYPICAL: [(Kind, &str); 18] = [
        (Kind::Machine, "0123456789abcdef0123456789abcdef01234567"),
        (Kind::Machine, "a"),
        (Kind::Machine, "a.b"),
        (Kind::Machine, "'a"),
        (Kind::Machine, "'a.b"),
        (Kind::Machine, "'a’"),
        (Kind::Machine, "'a’.b"),
        (Kind::Machine, "'a.b’"),
        (Kind::Machine, "a.'b"),
        (Kind::Machine, "a.'b’"),
        (Kind::User, "a"),
        (Kind::User, "a\\b"),
        (Kind::User, "a@b"),
        (Kind::User, "a.b\\c"),
        (Kind::User, "S-1-5"),
        (Kind::User, "c995191e-ab0d-41ff-95fd-921e07823508"),
        (Kind::File, "0123456789abcdef0123456789abcdef01234567"),
        (Kind::File, "abababababababababababababababababababababababababababababababab"),
    ];

    /// A text without what makes no difference in a name: case, kinds of apostrophe, the number of blanks.
    fn comparable(text: &str) -> String {
        let same = text.to_lowercase().replace(['’', 'ʼ', '‘', '´', '`'], "'");
        same.chars().filter(|character| !character.is_whitespace()).collect()
    }

    /// The texts of the queries for the alerts and for the context of a subject.
    fn texts(query: &GraphQuery) -> [Option<String>; 2] {
        [super::text(query), GraphContextQuery::of(query).and_then(|query| context(&query))]
    }

    /// Whether the queries about a text have the structure of typical ones, and their literals hold nothing but the text.
    fn is_structure_kept(kind: Kind, text: &str) -> bool {
        let Some(asked) = query(kind, text) else { return true };
        let typical: Vec<_> = TYPICAL
            .into_iter()
            .filter(|(typical, _)| *typical == kind)
            .filter_map(|(_, typical)| query(kind, typical))
            .map(|query| texts(&query).map(|text| text.map(|text| split_literals(&text).0)))
            .collect();
        let whole = comparable(text);
        texts(&asked).into_iter().enumerate().all(|(at, text)| {
            let Some((outside, literals)) = text.map(|text| split_literals(&text)) else { return kind == Kind::User };
            let is_typical = typical.iter().any(|typical| typical[at].as_ref() == Some(&outside));
            // The name of the column that `FileProfile` reads is a literal too.
            let mut own = literals.iter().filter(|part| !matches!(part.as_str(), "SHA1" | "SHA256"));
            is_typical && own.all(|part| whole.contains(&comparable(part.trim_end_matches('.'))))
        })
    }

    #[test]
    fn apostrophes_and_blanks_never_change_the_structure_of_the_query() {
        for text in ["'a", "’a", "'a'.b", "Dana's iPad", "Dana’s 'iPad'", "’a.b'", "a  b", " a'  b’ c ", "a`b.c", "'"]
        {
            assert!(is_structure_kept(Kind::Machine, text), "{text}");
        }
        assert!(query(Kind::Machine, "’a.b'").is_some() && query(Kind::Machine, "a  b").is_some());
    }

    proptest! {
        #[test]
        fn a_literal_contains_exactly_its_text(text in "(?s).{0,64}|[\\\\\"'@;|/*`\\r\\n]{0,16}") {
            if let Some(built) = literal(&text) {
                prop_assert_eq!(split_literals(&built), ("\"\"".to_owned(), vec![text]));
            }
        }

        #[test]
        fn caller_input_never_changes_the_structure_of_the_query(
            kind in prop::sample::select(vec![Kind::Machine, Kind::User, Kind::File]),
            text in "(?s).{0,64}|[\\\\\"'@;|/.a b-]{0,24}|[a-z\\\\@]{1,8}\" or 1==1|[0-9a-f]{40}|[0-9a-f]{64}|S-1-[0-9-]{1,9}",
        ) {
            prop_assert!(is_structure_kept(kind, &text));
        }
    }
}
