//! The caller secret: what its members mean is decided by whoever they belong to; a member that makes no sense closes
//! nothing but what belongs to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::AuthError;
use super::keys::{Keys, KeysError};
use crate::client::Context;
use crate::config::{DestinationAddresses, Settings};
use crate::credentials::{
    Content, Mend, Mends, Patience, SecretCache, SecretProblem, SecretRules, SecretStore, parsed, trim,
};
use crate::delivery::{DestinationError, Destinations};
use crate::integrations::HookSecrets;

/// Keys that are known outlive an outage of Secrets Manager for no longer than this.
const OUTAGE_LIMIT: Duration = Duration::from_secs(3600);

/// What the caller secret holds, member by member.
#[derive(Debug)]
pub(crate) struct CallerSecret {
    /// `api_keys`.
    pub(super) keys: Result<Keys, KeysError>,
    /// The members of the hooks.
    pub(crate) hooks: HookSecrets,
    /// Members that mean nothing here.
    pub(crate) unknown: Vec<UnknownMember>,
    /// `destinations`.
    destinations: Result<Arc<Destinations>, DestinationError>,
}

impl CallerSecret {
    fn parse(text: &str, allowed: DestinationAddresses, mends: &mut Mends) -> Result<Self, SecretProblem> {
        let Content::Document(mut document) = Content::read(text, mends)? else {
            return Err(SecretProblem::NotAnObject);
        };
        mend(&mut document, mends);
        let keys = Keys::parse(&document);
        if keys.as_ref().is_ok_and(Keys::some_cannot_be_presented) {
            mends.add(Mend::NotPresentable("api_keys"));
        }
        let secret = Self {
            keys,
            hooks: HookSecrets::parse(&document),
            unknown: document.keys().filter_map(|name| UnknownMember::of(name)).collect(),
            destinations: Destinations::parse(&document, allowed).map(Arc::new),
        };
        secret.warn();
        Ok(secret)
    }

    /// The destinations, or what is wrong with the member.
    #[cfg(feature = "cli")]
    pub(crate) fn all_destinations(&self) -> Result<&Destinations, &DestinationError> {
        self.destinations.as_deref()
    }

    /// The destinations; none, if the member makes no sense.
    pub(super) fn destinations(&self) -> Arc<Destinations> {
        self.destinations.as_ref().map(Arc::clone).unwrap_or_default()
    }

    fn warn(&self) {
        let wrong = self.keys.as_ref().err().map(ToString::to_string).into_iter();
        let wrong = wrong.chain(self.hooks.errors().map(|error| error.to_string()));
        for error in wrong.chain(self.destinations.as_ref().err().map(ToString::to_string)) {
            tracing::warn!(error, "a member of the caller secret is of no use");
        }
        for member in &self.unknown {
            tracing::warn!(%member, "the caller secret has a member that is not known");
        }
        for error in self.destinations.iter().flat_map(|destinations| destinations.problems()) {
            tracing::warn!(%error, "a destination cannot be used");
        }
    }
}

/// Members that are lists of texts.
const LISTS: [&str; 3] = ["slack_signing_secrets", "teams_hmac_secrets", "pagerduty_secrets"];
/// Members that are lists of texts by name.
const NAMED_LISTS: [&str; 3] = ["api_keys", "splunk_tokens", "standard_webhook_secrets"];
const DESTINATIONS: &str = "destinations";

/// A member of the caller secret that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownMember {
    /// Its name, unless that may be a key which stands in the wrong place.
    name: Option<String>,
    /// The member that was probably meant.
    meant: Option<&'static str>,
}

/// A longer name of a member is probably none.
const MAX_SHOWN_NAME: usize = 40;
/// Two names that are more alike than this mean the same.
const MIN_LIKENESS: f64 = 0.85;

impl UnknownMember {
    fn of(name: &str) -> Option<Self> {
        let known = || LISTS.into_iter().chain(NAMED_LISTS).chain([DESTINATIONS]);
        if known().any(|member| member == name) {
            return None;
        }
        let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
        let likeness = |member: &'static str| (strsim::jaro_winkler(&plain(name), &plain(member)), member);
        let nearest = known().map(likeness).max_by(|one, other| one.0.total_cmp(&other.0));
        let meant = nearest.filter(|(likeness, _)| *likeness > MIN_LIKENESS).map(|(_, member)| member);
        // Random keys have digits in them.
        let is_word = |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '-');
        let is_shown = meant.is_some() || (name.chars().all(is_word) && name.len() <= MAX_SHOWN_NAME);
        Some(Self { name: is_shown.then(|| name.chars().take(MAX_SHOWN_NAME).collect()), meant })
    }
}

impl fmt::Display for UnknownMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "the member {} is not known", name.escape_debug())?,
            None => f.write_str("a member is not known, whose name is not shown because it may be a key")?,
        }
        self.meant.map_or(Ok(()), |meant| write!(f, ": did you mean {meant}?"))
    }
}

/// Understands what people write: JSON within a text, one text where there is a list, and white space around a text.
fn mend(document: &mut Map<String, Value>, mends: &mut Mends) {
    for name in LISTS.into_iter().chain(NAMED_LISTS).chain([DESTINATIONS]) {
        let Some(member) = document.get_mut(name) else { continue };
        if let Value::String(text) = member {
            if let Some(inner) = parsed(text, mends) {
                mends.add(Mend::EncodedTwice(name));
                *member = inner;
            } else if text.trim().is_empty() {
                *member = Value::Null;
            }
        }
        if LISTS.contains(&name) {
            mend_list(member, name, mends);
        }
        if NAMED_LISTS.contains(&name) {
            for list in member.as_object_mut().into_iter().flat_map(|lists| lists.values_mut()) {
                mend_list(list, name, mends);
            }
        }
        mend_texts(member, name, mends);
    }
}

fn mend_list(list: &mut Value, name: &'static str, mends: &mut Mends) {
    let Value::String(text) = list else { return };
    *list = if let Some(inner @ Value::Array(_)) = parsed(text, mends) {
        mends.add(Mend::EncodedTwice(name));
        inner
    } else {
        mends.add(Mend::TextForList(name));
        Value::Array(vec![Value::String(std::mem::take(text))])
    };
}

fn mend_texts(value: &mut Value, name: &'static str, mends: &mut Mends) {
    match value {
        Value::String(text) => {
            let rest = trim(text, name, mends);
            if rest.len() != text.len() {
                *text = rest.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mend_texts(item, name, mends)),
        Value::Object(members) => members.values_mut().for_each(|member| mend_texts(member, name, mends)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The caller secret where one is set. Without one, nothing is in it.
#[derive(Debug)]
pub(super) struct SecretHolder {
    cache: Option<SecretCache<Arc<CallerSecret>>>,
}

impl SecretHolder {
    pub(super) fn new(settings: &Settings, store: SecretStore) -> Self {
        let allowed = settings.destination_addresses;
        let rules = SecretRules { name: "caller secret", ttl: settings.secret_ttl, outage_limit: Some(OUTAGE_LIMIT) };
        let cache = |id| {
            SecretCache::new(store, id, rules, move |text, mends| {
                CallerSecret::parse(text, allowed, mends).map(Arc::new)
            })
        };
        Self { cache: settings.caller_secret.clone().map(cache) }
    }

    /// The content as it was read last, or nothing where no secret is set. A wrong proof never causes a read.
    pub(super) async fn content(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        Ok(Some(cache.get(Patience::UntilDeadline, ctx).await?.content.clone()))
    }

    /// Whether the content as it was read last has secrets of chats, or of hooks that can name a destination. While it is
    /// not known, it may have.
    pub(super) fn may_ask_for_later(&self) -> bool {
        let Some(cache) = &self.cache else { return false };
        cache.known().is_none_or(|secret| {
            let hooks = &secret.content.hooks;
            hooks.include_chats() || (hooks.include_records() && !secret.content.destinations().is_empty())
        })
    }

    /// What had to be understood in the content as it was read last.
    #[cfg(feature = "cli")]
    pub(super) fn mends(&self) -> Mends {
        let known = self.cache.as_ref().and_then(SecretCache::known);
        known.map(|secret| secret.mends.clone()).unwrap_or_default()
    }

    pub(super) async fn warm(&self, ctx: &Context) {
        // A failure is told when a request needs the content.
        drop(self.content(ctx).await);
        self.forgive();
    }

    /// Lets the next request read the secret although reading it has failed just now.
    pub(super) fn forgive(&self) {
        if let Some(cache) = &self.cache {
            cache.forgive();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Result<CallerSecret, SecretProblem>, String) {
        let mut mends = Mends::default();
        let secret = CallerSecret::parse(text, DestinationAddresses::Public, &mut mends);
        (secret, mends.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    fn parse(document: &Value) -> CallerSecret {
        read(&document.to_string()).0.expect("an object")
    }

    #[test]
    fn what_is_no_object_is_named_by_its_place() {
        for (text, problem) in [
            ("", "it is empty"),
            ("key", "it has to be a JSON object"),
            ("[]", "it has to be a JSON object"),
            ("{\n\"api_keys\" 7}", "it is not valid JSON: line 2, column 12"),
        ] {
            assert_eq!(read(text).0.expect_err(text).to_string(), problem, "{text}");
        }
    }

    #[test]
    fn a_member_that_is_not_known_is_named_unless_it_may_be_a_key() {
        for (name, told) in [
            (
                "slack_signing_secret",
                "the member slack_signing_secret is not known: did you mean slack_signing_secrets?",
            ),
            ("apiKeys", "the member apiKeys is not known: did you mean api_keys?"),
            ("colour", "the member colour is not known"),
            (
                "3f9c1de07b5a4482c6d1e90fa7b82354",
                "a member is not known, whose name is not shown because it may be a key",
            ),
        ] {
            let secret = parse(&json!({"api_keys": {"jira": ["j"]}, name: ["canary"]}));
            let unknown: Vec<_> = secret.unknown.iter().map(ToString::to_string).collect();
            assert_eq!(unknown, [told]);
        }
        assert_eq!(parse(&json!({"api_keys": {}, "destinations": {}, "splunk_tokens": null})).unknown, []);
    }

    #[test]
    fn a_member_that_makes_no_sense_closes_nothing_else() {
        let secret = parse(&json!({"api_keys": {"jira": ["j"]}, "slack_signing_secrets": 7}));
        assert!(secret.keys.is_ok() && secret.hooks.slack.is_err() && secret.hooks.teams.is_ok());
        let secret = parse(&json!({"api_keys": 7, "slack_signing_secrets": ["s"]}));
        assert!(secret.keys.is_err() && secret.hooks.slack.is_ok());
    }

    #[test]
    fn slips_of_the_hand_are_understood_and_reported() {
        for (text, mends) in [
            (json!({"api_keys": {"jira": ["k"]}}).to_string(), ""),
            (format!("\u{feff}{}", json!({"api_keys": {"jira": ["k"]}})), "it begins with a byte order mark"),
            ("{\"api_keys\":{\"jira\":[\"k\",],},}".to_owned(), "it has a comma before a closing brace or bracket"),
            (json!({"api_keys": {"jira": ["k\n"]}}).to_string(), "api_keys has white space around it"),
            (json!({"api_keys": {"jira": "k"}}).to_string(), "api_keys is a text and should be a list of texts"),
            (
                json!({"api_keys": json!({"jira": ["k"]}).to_string()}).to_string(),
                "api_keys is encoded twice: JSON inside a JSON text",
            ),
            (
                json!({"api_keys": {"jira": "[\"k\"]"}}).to_string(),
                "api_keys is encoded twice: JSON inside a JSON text",
            ),
            (
                json!(json!({"api_keys": {"jira": ["k"]}}).to_string()).to_string(),
                "it is encoded twice: JSON inside a JSON text",
            ),
            (
                json!({"api_keys": {"jira": ["k", "ke\u{e9}"]}}).to_string(),
                "api_keys holds a key with characters that no header can carry: nobody can present it",
            ),
        ] {
            let (secret, told) = read(&text);
            let keys = secret.expect("an object").keys.expect("keys");
            assert_eq!((keys.owner(b"k").as_deref(), told.as_str()), (Some("jira"), mends), "{text}");
        }
        let (secret, told) = read(
            &json!({"slack_signing_secrets": " canary", "pagerduty_secrets": "[\"p\"]", "splunk_tokens": "",
                    "destinations": "{\"soc\":{\"kind\":\"slack\",\"url\":\" https://hooks.slack.com/services/x\"}}"})
            .to_string(),
        );
        let secret = secret.expect("an object");
        assert!(!told.contains("canary") && told.contains("slack_signing_secrets is a text"), "{told}");
        assert!(
            !secret.hooks.slack.expect("secrets").is_empty() && !secret.hooks.pagerduty.expect("secrets").is_empty()
        );
        assert!(secret.destinations.expect("destinations").find("soc").is_some_and(|soc| soc.is_ok()));
    }
}
