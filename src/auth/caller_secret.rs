//! The caller secret. Each member is parsed by the module that it belongs to. An invalid member disables only the
//! feature it belongs to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::AuthError;
use super::keys::{Keys, KeysError};
use crate::client::Context;
use crate::config::{DestinationAddresses, Settings};
use crate::credentials::{
    Content, Correction, Corrections, Patience, SecretCache, SecretProblem, SecretRules, SecretStore, parsed, trim,
};
use crate::delivery::{DESTINATION_MEMBERS, DestinationError, Destinations};
use crate::integrations::HookSecrets;

/// How long cached keys may be used during an outage of Secrets Manager.
const OUTAGE_LIMIT: Duration = Duration::from_secs(3600);

/// The parsed members of the caller secret.
#[derive(Debug)]
pub(crate) struct CallerSecret {
    /// `api_keys`.
    pub(super) keys: Result<Keys, KeysError>,
    /// The members for integrations.
    pub(crate) hooks: HookSecrets,
    /// Members with unknown names, also those of destinations.
    pub(crate) unknown: Vec<UnknownMember>,
    /// `destinations`.
    destinations: Result<Arc<Destinations>, DestinationError>,
}

impl CallerSecret {
    fn parse(text: &str, allowed: DestinationAddresses, corrections: &mut Corrections) -> Result<Self, SecretProblem> {
        let Content::Document(mut document) = Content::read(text, corrections)? else {
            return Err(SecretProblem::NotAnObject);
        };
        correct(&mut document, corrections);
        let keys = Keys::parse(&document);
        if keys.as_ref().is_ok_and(Keys::has_unpresentable_keys) {
            corrections.add(Correction::NotPresentable("api_keys"));
        }
        let destinations = Destinations::parse(&document, allowed).map(Arc::new);
        let secret = Self {
            keys,
            hooks: HookSecrets::parse(&document),
            unknown: unknown_members(&document, destinations.as_deref().ok()),
            destinations,
        };
        secret.warn();
        Ok(secret)
    }

    /// The destinations, or the error of the member.
    #[cfg(feature = "cli")]
    pub(crate) fn all_destinations(&self) -> Result<&Destinations, &DestinationError> {
        self.destinations.as_deref()
    }

    /// The destinations. There are none if the member is invalid.
    pub(super) fn destinations(&self) -> Arc<Destinations> {
        self.destinations.as_ref().map(Arc::clone).unwrap_or_default()
    }

    fn warn(&self) {
        let wrong = self.keys.as_ref().err().map(ToString::to_string).into_iter();
        let wrong = wrong.chain(self.hooks.errors().map(|error| error.to_string()));
        for error in wrong.chain(self.destinations.as_ref().err().map(ToString::to_string)) {
            tracing::warn!(error, "a member of the caller secret is invalid");
        }
        for member in &self.unknown {
            tracing::warn!(%member, "the caller secret has an unknown member");
        }
        for error in self.destinations.iter().flat_map(|destinations| destinations.problems()) {
            tracing::warn!(%error, "a destination cannot be used");
        }
    }
}

/// Members that are lists of texts.
const LIST_MEMBERS: [&str; 3] = ["slack_signing_secrets", "teams_hmac_secrets", "pagerduty_secrets"];
/// Members that are lists of texts by name.
const NAMED_LIST_MEMBERS: [&str; 3] = ["api_keys", "splunk_tokens", "standard_webhook_secrets"];
const DESTINATIONS_MEMBER: &str = "destinations";

/// A member of the caller secret with an unknown name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownMember {
    /// The name, or `None` if it may be a key in the wrong place.
    name: Option<String>,
    /// The known member with a similar name, if there is one.
    meant: Option<&'static str>,
    /// The destination that it is a member of. `None` is the secret itself.
    destination: Option<String>,
}

/// Finds the unknown members of the secret and of its destinations.
fn unknown_members(document: &Map<String, Value>, destinations: Option<&Destinations>) -> Vec<UnknownMember> {
    let known: Vec<_> = LIST_MEMBERS.into_iter().chain(NAMED_LIST_MEMBERS).chain([DESTINATIONS_MEMBER]).collect();
    let own = document.keys().filter_map(|name| UnknownMember::of(name, &known));
    let entries = document.get(DESTINATIONS_MEMBER).and_then(Value::as_object).into_iter().flatten();
    // A text that may not name a destination may be a key.
    let is_named = |name: &str| destinations.is_some_and(|destinations| destinations.find(name).is_some());
    let inner = entries.filter(|(name, _)| is_named(name)).flat_map(|(destination, members)| {
        let names = members.as_object().into_iter().flat_map(Map::keys);
        let unknown = names.filter_map(|name| UnknownMember::of(name, &DESTINATION_MEMBERS));
        unknown.map(|member| UnknownMember { destination: Some(destination.clone()), ..member })
    });
    own.chain(inner).collect()
}

/// The longest name that is reported. A longer name may be a key.
const MAX_REPORTED_NAME_CHARS: usize = 40;
/// The least similarity (Jaro-Winkler) of two names that count as the same.
const MIN_SIMILARITY: f64 = 0.85;

impl UnknownMember {
    fn of(name: &str, known: &[&'static str]) -> Option<Self> {
        if known.contains(&name) {
            return None;
        }
        let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
        let similarity = |member: &&'static str| (strsim::jaro_winkler(&plain(name), &plain(member)), *member);
        let nearest = known.iter().map(similarity).max_by(|one, other| one.0.total_cmp(&other.0));
        let meant = nearest.filter(|(similarity, _)| *similarity > MIN_SIMILARITY).map(|(_, member)| member);
        // Random keys contain digits.
        let is_word = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '-');
        let is_safe = meant.is_some() || (name.chars().all(is_word) && name.len() <= MAX_REPORTED_NAME_CHARS);
        let name = is_safe.then(|| name.chars().take(MAX_REPORTED_NAME_CHARS).collect());
        Some(Self { name, meant, destination: None })
    }
}

impl fmt::Display for UnknownMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(destination) = &self.destination {
            write!(f, "in destination {destination}, ")?;
        }
        match &self.name {
            Some(name) => write!(f, "the member {} is not known", name.escape_debug())?,
            None => f.write_str("a member is not known, whose name is not shown because it may be a key")?,
        }
        self.meant.map_or(Ok(()), |meant| write!(f, ": did you mean {meant}?"))
    }
}

/// Corrects common mistakes: JSON inside a text, one text instead of a list, and white space around a text.
fn correct(document: &mut Map<String, Value>, corrections: &mut Corrections) {
    for name in LIST_MEMBERS.into_iter().chain(NAMED_LIST_MEMBERS).chain([DESTINATIONS_MEMBER]) {
        let Some(member) = document.get_mut(name) else { continue };
        if let Value::String(text) = member {
            if let Some(inner) = parsed(text, corrections) {
                corrections.add(Correction::EncodedTwice(name));
                *member = inner;
            } else if text.trim().is_empty() {
                *member = Value::Null;
            }
        }
        if LIST_MEMBERS.contains(&name) {
            correct_list(member, name, corrections);
        }
        if NAMED_LIST_MEMBERS.contains(&name) {
            for list in member.as_object_mut().into_iter().flat_map(|lists| lists.values_mut()) {
                correct_list(list, name, corrections);
            }
        }
        correct_texts(member, name, corrections);
    }
}

fn correct_list(list: &mut Value, name: &'static str, corrections: &mut Corrections) {
    let Value::String(text) = list else { return };
    *list = if let Some(inner @ Value::Array(_)) = parsed(text, corrections) {
        corrections.add(Correction::EncodedTwice(name));
        inner
    } else {
        corrections.add(Correction::TextForList(name));
        Value::Array(vec![Value::String(std::mem::take(text))])
    };
}

fn correct_texts(value: &mut Value, name: &'static str, corrections: &mut Corrections) {
    match value {
        Value::String(text) => {
            let rest = trim(text, name, corrections);
            if rest.len() != text.len() {
                *text = rest.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| correct_texts(item, name, corrections)),
        Value::Object(members) => members.values_mut().for_each(|member| correct_texts(member, name, corrections)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The cache of the caller secret, if a caller secret is configured.
#[derive(Debug)]
pub(super) struct CallerSecretCache {
    cache: Option<SecretCache<Arc<CallerSecret>>>,
}

impl CallerSecretCache {
    pub(super) fn new(settings: &Settings, store: SecretStore) -> Self {
        let allowed = settings.destination_addresses;
        let rules = SecretRules { name: "caller secret", ttl: settings.secret_ttl, outage_limit: Some(OUTAGE_LIMIT) };
        let cache = |id| {
            SecretCache::new(store, id, rules, move |text, corrections| {
                CallerSecret::parse(text, allowed, corrections).map(Arc::new)
            })
        };
        Self { cache: settings.caller_secret.clone().map(cache) }
    }

    /// The cached content, or `None` if no secret is configured. A wrong key or signature never causes a read.
    pub(super) async fn content(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        Ok(Some(cache.get(Patience::UntilDeadline, ctx).await?.content.clone()))
    }

    /// Whether the cached content has secrets of chats, or of integrations that can name a destination. Without a
    /// cached content it returns true.
    pub(super) fn may_send_late_answers(&self) -> bool {
        let Some(cache) = &self.cache else { return false };
        cache.known().is_none_or(|secret| {
            let hooks = &secret.content.hooks;
            hooks.include_chats() || (hooks.include_records() && !secret.content.destinations().is_empty())
        })
    }

    /// The mistakes that were corrected in the cached content.
    #[cfg(feature = "cli")]
    pub(super) fn corrections(&self) -> Corrections {
        let known = self.cache.as_ref().and_then(SecretCache::known);
        known.map(|secret| secret.corrections.clone()).unwrap_or_default()
    }

    pub(super) async fn warm(&self, ctx: &Context) {
        // A failure is reported when a request needs the content.
        drop(self.content(ctx).await);
        self.allow_retry();
    }

    /// Lets the next request read the secret immediately after a failed read.
    pub(super) fn allow_retry(&self) {
        if let Some(cache) = &self.cache {
            cache.allow_retry();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Result<CallerSecret, SecretProblem>, String) {
        let mut corrections = Corrections::default();
        let secret = CallerSecret::parse(text, DestinationAddresses::Public, &mut corrections);
        (secret, corrections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    fn parse(document: &Value) -> CallerSecret {
        read(&document.to_string()).0.expect("an object")
    }

    #[test]
    fn a_secret_that_is_not_an_object_is_rejected() {
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
    fn an_unknown_member_is_named_unless_it_may_be_a_key() {
        for (name, expected) in [
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
            assert_eq!(unknown, [expected]);
        }
        let soc = json!({"kind": "slack", "url": "https://hooks.example/x", "formt": "slack", "note": "canary"});
        let secret = parse(&json!({"api_keys": {}, "destinations": {"soc": soc}, "splunk_tokens": null}));
        let unknown: Vec<_> = secret.unknown.iter().map(ToString::to_string).collect();
        let expected = [
            "in destination soc, the member formt is not known: did you mean format?",
            "in destination soc, the member note is not known",
        ];
        assert_eq!(unknown, expected);
    }

    #[test]
    fn an_invalid_member_disables_nothing_else() {
        let secret = parse(&json!({"api_keys": {"jira": ["j"]}, "slack_signing_secrets": 7}));
        assert!(secret.keys.is_ok() && secret.hooks.slack.is_err() && secret.hooks.teams.is_ok());
        let secret = parse(&json!({"api_keys": 7, "slack_signing_secrets": ["s"]}));
        assert!(secret.keys.is_err() && secret.hooks.slack.is_ok());
    }

    #[test]
    fn common_mistakes_are_corrected_and_reported() {
        for (text, corrections) in [
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
            let (secret, reported) = read(&text);
            let keys = secret.expect("an object").keys.expect("keys");
            assert_eq!((keys.owner(b"k").as_deref(), reported.as_str()), (Some("jira"), corrections), "{text}");
        }
        let (secret, reported) = read(
            &json!({"slack_signing_secrets": " canary", "pagerduty_secrets": "[\"p\"]", "splunk_tokens": "",
                    "destinations": "{\"soc\":{\"kind\":\"slack\",\"url\":\" https://hooks.slack.com/services/x\"}}"})
            .to_string(),
        );
        let secret = secret.expect("an object");
        assert!(!reported.contains("canary") && reported.contains("slack_signing_secrets is a text"), "{reported}");
        assert!(
            !secret.hooks.slack.expect("secrets").is_empty() && !secret.hooks.pagerduty.expect("secrets").is_empty()
        );
        assert!(secret.destinations.expect("destinations").find("soc").is_some_and(|soc| soc.is_ok()));
    }
}
