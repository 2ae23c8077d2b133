//! The member `destinations` of the caller secret: named places that answers can be posted to.
//!
//! A webhook's URL is a secret like its token. Neither is ever displayed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::address::is_allowed;
use crate::auth::standard_webhooks::WebhookSecret;
use crate::auth::{CallerSecret, Member, MemberForm, UnknownMember};
use crate::config::DestinationAddresses;
use crate::formats::Format;

/// The member's name.
const MEMBER: &str = "destinations";
/// An operator maintains fewer by hand.
const MAX_DESTINATIONS: usize = 100;
/// A name appears in a header and in the log.
const MAX_NAME_BYTES: usize = 64;
/// The URLs of Power Automate have about 300 characters.
const MAX_URL_BYTES: usize = 2048;
/// Splunk's own tokens have 36 characters.
const MAX_TOKEN_BYTES: usize = 512;

/// All destinations. An invalid entry affects only itself, and is kept as its error.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    by_name: BTreeMap<String, Result<Arc<Destination>, DestinationError>>,
    name_error: Option<DestinationError>,
    /// Unknown members of destinations.
    unknown: Vec<UnknownMember>,
}

/// What is wrong with one destination, or with all: the member and what it should be, but never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{member} of the caller secret {problem}", .name.as_ref().map(|name| format!("in destination {name}, ")).unwrap_or_default())]
pub(crate) struct DestinationError {
    name: Option<String>,
    member: &'static str,
    problem: &'static str,
}

/// A place that answers can be posted to.
pub(crate) struct Destination {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) url: Url,
    pub(super) proof: Proof,
    format: Format,
}

/// The kind of receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An incoming webhook of Slack, or of a chat with the same format.
    Slack,
    /// A Workflows URL of Teams.
    Teams,
    /// Splunk's HTTP Event Collector.
    SplunkHec,
    /// Any HTTP endpoint that accepts a POST.
    Webhook,
}

/// The body that a destination gets for several subjects, always in one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchForm {
    /// One chat message.
    Message,
    /// One JSON document.
    Document,
    /// One event for each subject.
    Events,
}

/// How a post authenticates itself.
pub(super) enum Proof {
    /// By the URL alone, which is secret.
    Address,
    /// By the `Authorization` header, marked as sensitive.
    Header(HeaderValue),
    /// By a Standard Webhooks signature. Its id lets the receiver deduplicate.
    Signature(WebhookSecret),
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Destination {
    /// The name in the caller secret.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of the kind.
    #[cfg(feature = "cli")]
    pub(crate) fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    /// The format of the posted answers.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The body for several subjects.
    pub(crate) fn batch_form(&self) -> BatchForm {
        match self.kind {
            Kind::Slack | Kind::Teams => BatchForm::Message,
            Kind::Webhook => BatchForm::Document,
            Kind::SplunkHec => BatchForm::Events,
        }
    }
}

impl Kind {
    const ALL: [Self; 4] = [Self::Slack, Self::Teams, Self::SplunkHec, Self::Webhook];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::SplunkHec => "splunk_hec",
            Self::Webhook => "webhook",
        }
    }

    fn default_format(self) -> Format {
        match self {
            Self::Slack => Format::Slack,
            Self::Teams => Format::Teams,
            Self::SplunkHec | Self::Webhook => Format::Json,
        }
    }

    fn takes(self, format: Format) -> bool {
        match self {
            Self::Slack | Self::Teams => format == self.default_format(),
            Self::SplunkHec => format.event_type().is_some(),
            Self::Webhook => true,
        }
    }
}

impl Destinations {
    /// The description of the member `destinations`.
    pub(super) fn member(allowed: DestinationAddresses) -> Member {
        let errors = move |secret: &CallerSecret| match Self::parse(secret, allowed) {
            Ok(destinations) => {
                let unknown = destinations.unknown.iter().map(ToString::to_string);
                destinations.errors().map(ToString::to_string).chain(unknown).collect()
            }
            Err(error) => vec![error.to_string()],
        };
        Member { name: MEMBER, form: MemberForm::Object, errors: Box::new(errors) }
    }

    /// Parses the member `destinations`. If it is absent, there are none.
    pub(super) fn parse(secret: &CallerSecret, allowed: DestinationAddresses) -> Result<Self, DestinationError> {
        let error = |problem| DestinationError { name: None, member: MEMBER, problem };
        let members = match secret.member(MEMBER) {
            None => return Ok(Self::default()),
            Some(Value::Object(members)) if members.len() <= MAX_DESTINATIONS => members,
            Some(Value::Object(_)) => return Err(error("has more than 100 members")),
            Some(_) => return Err(error("has to be an object of destinations by name")),
        };
        let (named, name_error): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| is_name(name));
        let name_error = (!name_error.is_empty())
            .then(|| error("has a name that is not 1 to 64 letters, digits, '-', '_' or '.': that one is left out"));
        let destination = |(name, members): (&String, &Value)| {
            let read = Destination::parse(name, members, allowed).map(Arc::new);
            let named = |(member, problem)| DestinationError { name: Some(name.clone()), member, problem };
            (name.clone(), read.map_err(named))
        };
        let unknown = |(name, members): &(&String, &Value)| {
            let unknown = members.as_object().map(|members| UnknownMember::among(members, &DESTINATION_MEMBERS));
            unknown.into_iter().flatten().map(|member| member.in_destination(name)).collect::<Vec<_>>()
        };
        let unknown = named.iter().flat_map(unknown).collect();
        Ok(Self { by_name: named.into_iter().map(destination).collect(), name_error, unknown })
    }

    /// Whether there are no destinations.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Finds a destination by name; `None` if the name is unknown.
    pub(crate) fn find(&self, name: &str) -> Option<Result<&Arc<Destination>, &DestinationError>> {
        self.by_name.get(name).map(Result::as_ref)
    }

    /// All destinations by name, with the errors of invalid ones.
    #[cfg(feature = "cli")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Result<&Arc<Destination>, &DestinationError>)> {
        self.by_name.iter().map(|(name, destination)| (name.as_str(), destination.as_ref()))
    }

    /// The unknown members of destinations.
    #[cfg(feature = "cli")]
    pub(crate) fn unknown(&self) -> &[UnknownMember] {
        &self.unknown
    }

    /// The error about invalid names.
    #[cfg(feature = "cli")]
    pub(crate) fn name_error(&self) -> Option<&DestinationError> {
        self.name_error.as_ref()
    }

    /// The errors of invalid destinations and names.
    fn errors(&self) -> impl Iterator<Item = &DestinationError> {
        self.by_name.values().filter_map(|destination| destination.as_ref().err()).chain(&self.name_error)
    }
}

/// The members of a destination.
const DESTINATION_MEMBERS: [&str; 4] = ["kind", "url", "token", "format"];

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// A member's name, and what the member should be.
type MemberError = (&'static str, &'static str);

impl Destination {
    fn parse(name: &str, members: &Value, allowed: DestinationAddresses) -> Result<Self, MemberError> {
        let members = members.as_object().ok_or(("it", "has to be an object with kind and url"))?;
        let kind = text(members, "kind")?.and_then(|word| Kind::ALL.into_iter().find(|kind| kind.as_str() == word));
        let kind = kind.ok_or(("kind", "has to be one of: slack, teams, splunk_hec, webhook"))?;
        let url = text(members, "url")?.ok_or(("url", "is missing"))?;
        let format = match text(members, "format")? {
            None => kind.default_format(),
            Some(word) => Format::parse(word)
                .filter(|format| kind.takes(*format))
                .ok_or(("format", "has to be one that this kind takes"))?,
        };
        let proof = proof(kind, text(members, "token")?)?;
        Ok(Self { name: name.to_owned(), kind, url: parse_url(url, allowed)?, proof, format })
    }
}

/// Reads a string member. Null and empty strings count as absent.
fn text<'a>(members: &'a Map<String, Value>, member: &'static str) -> Result<Option<&'a str>, MemberError> {
    match members.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err((member, "has to be a string")),
    }
}

fn proof(kind: Kind, token: Option<&str>) -> Result<Proof, MemberError> {
    match (kind, token) {
        (Kind::Slack | Kind::Teams | Kind::Webhook, None) => Ok(Proof::Address),
        (Kind::Slack | Kind::Teams, Some(_)) => Err(("token", "must be absent: this kind has none")),
        (Kind::Webhook, Some(token)) => WebhookSecret::parse(token)
            .map(Proof::Signature)
            .ok_or(("token", "has to be whsec_ and base64 of 24 to 64 bytes")),
        (Kind::SplunkHec, None) => Err(("token", "is missing")),
        (Kind::SplunkHec, Some(token)) => {
            let fits = token.len() <= MAX_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
            let header = fits.then(|| HeaderValue::from_str(&format!("Splunk {token}")).ok()).flatten();
            let mut header = header.ok_or(("token", "has to be the token alone, without Splunk before it"))?;
            header.set_sensitive(true);
            Ok(Proof::Header(header))
        }
    }
}

/// Parses a URL. It must be https, or http on loopback where private addresses are allowed, without user info, and
/// without a forbidden address.
fn parse_url(text: &str, allowed: DestinationAddresses) -> Result<Url, MemberError> {
    let error = |problem| ("url", problem);
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES);
    let url = url.ok_or(error("has to be an https:// address of at most 2048 characters"))?;
    let (is_loopback, address) = match url.host() {
        Some(Host::Domain(name)) => (name == "localhost", None),
        Some(Host::Ipv4(address)) => (address.is_loopback(), Some(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => (address.is_loopback(), Some(IpAddr::V6(address))),
        None => return Err(error("has to be an https:// address")),
    };
    let is_http_allowed = is_loopback && allowed == DestinationAddresses::PublicAndPrivate;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_http_allowed) {
        return Err(error("has to be an https:// address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("must not have a user or a password in it"));
    }
    if address.is_some_and(|address| !is_allowed(address, allowed)) {
        return Err(error("leads to an address that a destination may not have"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn destinations(members: &Value, allowed: DestinationAddresses) -> Result<Destinations, DestinationError> {
        Destinations::parse(&CallerSecret::of(&json!({"destinations": members})), allowed)
    }

    fn one(members: &Value) -> Result<Arc<Destination>, String> {
        let all = destinations(&json!({"soc": members}), DestinationAddresses::Public).expect("destinations");
        all.find("soc").expect("a destination").cloned().map_err(ToString::to_string)
    }

    fn url(url: &str, allowed: DestinationAddresses) -> bool {
        let all = destinations(&json!({"soc": {"kind": "slack", "url": url}}), allowed).expect("destinations");
        all.find("soc").expect("a destination").is_ok()
    }

    #[test]
    fn each_kind_has_a_default_format() {
        for (kind, token, format) in [
            ("slack", None, Format::Slack),
            ("teams", None, Format::Teams),
            ("splunk_hec", Some("11111111-2222-3333-4444-555555555555"), Format::Json),
            ("webhook", Some(TOKEN), Format::Json),
            ("webhook", None, Format::Json),
        ] {
            let members = json!({"kind": kind, "url": "https://hooks.example.com/x?sig=y", "token": token, "note": 1});
            let destination = one(&members).expect(kind);
            assert_eq!((destination.kind.as_str(), destination.format()), (kind, format));
            assert_eq!(destination.url.as_str(), "https://hooks.example.com/x?sig=y");
        }
    }

    #[test]
    fn unsupported_format_is_rejected() {
        for (kind, taken) in [
            ("slack", &["slack"][..]),
            ("teams", &["teams"]),
            ("splunk_hec", &["json", "ocsf", "ocsf_ndjson", "ecs"]),
            ("webhook", &["json", "ocsf", "ocsf_ndjson", "ecs", "slack", "teams", "markdown", "text"]),
        ] {
            for format in Format::ALL {
                let token = (kind == "splunk_hec").then_some("t");
                let members =
                    json!({"kind": kind, "url": "https://example.com", "token": token, "format": format.as_str()});
                assert_eq!(one(&members).is_ok(), taken.contains(&format.as_str()), "{kind} {}", format.as_str());
            }
        }
    }

    #[test]
    fn errors_name_the_member_and_not_its_value() {
        for (members, member) in [
            (json!("CANARY"), "it"),
            (json!({"url": "https://CANARY.example"}), "kind"),
            (json!({"kind": "CANARY", "url": "https://CANARY.example"}), "kind"),
            (json!({"kind": 7, "url": "https://CANARY.example"}), "kind"),
            (json!({"kind": "slack"}), "url"),
            (json!({"kind": "slack", "url": ["https://CANARY.example"]}), "url"),
            (json!({"kind": "slack", "url": "CANARY"}), "url"),
            (json!({"kind": "slack", "url": "https://CANARY.example", "token": "CANARY"}), "token"),
            (json!({"kind": "teams", "url": "https://CANARY.example", "token": "CANARY"}), "token"),
            (json!({"kind": "teams", "url": "https://CANARY.example", "format": "slack"}), "format"),
            (json!({"kind": "webhook", "url": "https://CANARY.example", "format": "CANARY"}), "format"),
            (json!({"kind": "webhook", "url": "https://CANARY.example", "token": "CANARY"}), "token"),
            (json!({"kind": "splunk_hec", "url": "https://CANARY.example"}), "token"),
            (json!({"kind": "splunk_hec", "url": "https://CANARY.example", "token": "Splunk CANARY"}), "token"),
            (json!({"kind": "splunk_hec", "url": "https://CANARY.example", "token": "CANARY\r\nX-A: b"}), "token"),
        ] {
            let message = one(&members).expect_err(member);
            assert!(message.starts_with(&format!("in destination soc, {member} of the caller secret ")), "{message}");
            assert!(!message.contains("CANARY"), "{message}");
        }
    }

    #[test]
    fn invalid_destination_does_not_affect_the_others() {
        let good =
            json!({"kind": "slack", "url": "https://hooks.example.com/CANARY", "formt": "CANARY", "note": "CANARY"});
        let all = json!({"good": good, "bad": {"kind": "fax"}, "https://CANARY.example": good, "": good, "ü": good});
        let all = destinations(&all, DestinationAddresses::Public).expect("destinations");
        assert!(all.find("good").is_some_and(|destination| destination.is_ok()));
        assert!(all.find("bad").is_some_and(|destination| destination.is_err()));
        assert!(all.find("https://CANARY.example").is_none() && all.find("other").is_none());
        let problems: Vec<_> = all.errors().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        let unknown: Vec<_> = all.unknown.iter().map(ToString::to_string).collect();
        let expected = [
            "in destination good, the member formt is not known: did you mean format?",
            "in destination good, the member note is not known",
        ];
        assert_eq!(unknown, expected);
        assert!(!format!("{problems:?}{all:?}").contains("CANARY"));
        assert!(format!("{all:?}").contains("Slack"));
    }

    #[test]
    fn destinations_member_is_an_object_or_absent() {
        assert!(destinations(&Value::Null, DestinationAddresses::Public).is_ok_and(|all| all.find("soc").is_none()));
        let flood: Map<_, _> = (0..101).map(|number| (format!("d{number}"), json!({}))).collect();
        for members in [json!([]), json!("CANARY"), json!(flood)] {
            let message = destinations(&members, DestinationAddresses::Public).expect_err("no object").to_string();
            assert!(
                message.starts_with("destinations of the caller secret has ") && !message.contains("CANARY"),
                "{message}"
            );
        }
    }

    #[test]
    fn forbidden_addresses_are_rejected() {
        for hostile in [
            "http://hooks.example.com/x",
            "ftp://hooks.example.com/x",
            "file:///etc/passwd",
            "data:text/plain,x",
            "//hooks.example.com",
            "https://",
            "https://user@hooks.example.com",
            "https://:password@hooks.example.com",
            "https://hooks.example.com@169.254.169.254/",
            "https://169.254.169.254/latest/meta-data",
            "https://[fd00:ec2::254]/",
            "https://0/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://0xa9fea9fe/",
            "https://2852039166/",
            "https://0251.0376.0251.0376/",
        ] {
            for allowed in [DestinationAddresses::Public, DestinationAddresses::PublicAndPrivate] {
                assert!(!url(hostile, allowed), "{hostile}");
            }
        }
        let long = format!("https://hooks.example.com/{}", "x".repeat(MAX_URL_BYTES));
        assert!(!url(&long, DestinationAddresses::Public));
    }

    #[test]
    fn private_addresses_require_the_setting() {
        for private in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://①②⑦.⓪.⓪.①/",
            "https://10.1.2.3:8088/services/collector/event",
            "https://[fd12::1]/",
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://localhost:9/",
        ] {
            assert!(!url(private, DestinationAddresses::Public), "{private}");
            assert!(url(private, DestinationAddresses::PublicAndPrivate), "{private}");
        }
        for plain in
            ["http://10.1.2.3/", "http://hooks.example.com/", "http://localhost.example.com/", "http://8.8.8.8/"]
        {
            assert!(!url(plain, DestinationAddresses::PublicAndPrivate), "{plain}");
        }
    }
}
