//! The caller secret: its members as JSON, which the modules that own them parse. An invalid member disables only the
//! feature that it belongs to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::AuthError;
use super::keys::{self, Keys};
use super::secrets::MemberError;
use super::standard_webhooks;
use crate::client::Context;
use crate::config::Settings;
use crate::credentials::{
    Content, Correction, Corrections, Patience, SecretCache, SecretProblem, SecretRules, SecretStore, parsed, trim,
};

/// How long cached keys may be used during an outage of Secrets Manager.
const OUTAGE_LIMIT: Duration = Duration::from_secs(3600);

/// A member of the caller secret, described by the module that parses it.
pub(crate) struct Member {
    /// The member's name.
    pub(crate) name: &'static str,
    /// The form of the value.
    pub(crate) form: MemberForm,
    /// Parses the value, and returns what is wrong with it, for the log.
    pub(crate) errors: Errors,
}

/// Parses a member, and returns what is wrong with it.
type Errors = Box<dyn Fn(&CallerSecret) -> Vec<String> + Send + Sync>;

/// The form of a member, as far as common mistakes in it can be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberForm {
    /// A list of texts.
    List,
    /// A list of texts, or such lists by name.
    NamedLists,
    /// An object of the member's own form.
    Object,
}

/// The content of the caller secret.
pub(crate) struct CallerSecret {
    /// `api_keys`.
    pub(super) keys: Result<Keys, MemberError>,
    /// Members with unknown names.
    pub(crate) unknown: Vec<UnknownMember>,
    document: Map<String, Value>,
}

impl fmt::Debug for CallerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerSecret").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl CallerSecret {
    fn parse(text: &str, members: &[Member], corrections: &mut Corrections) -> Result<Self, SecretProblem> {
        let Content::Document(mut document) = Content::read(text, corrections)? else {
            return Err(SecretProblem::NotAnObject);
        };
        correct(&mut document, members, corrections);
        let secret = Self::new(document, members);
        if secret.keys.as_ref().is_ok_and(Keys::has_unpresentable_keys) {
            corrections.add(Correction::NotPresentable(keys::MEMBER));
        }
        for error in members.iter().flat_map(|member| (member.errors)(&secret)) {
            tracing::warn!(error, "a member of the caller secret is invalid");
        }
        for member in &secret.unknown {
            tracing::warn!(%member, "the caller secret has an unknown member");
        }
        Ok(secret)
    }

    fn new(document: Map<String, Value>, members: &[Member]) -> Self {
        let known: Vec<_> = members.iter().map(|member| member.name).collect();
        let unknown = UnknownMember::among(&document, &known);
        let keys = Keys::parse(document.get(keys::MEMBER).filter(|member| !member.is_null()));
        Self { keys, unknown, document }
    }

    /// The value of a member. Null counts as absent.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.document.get(name).filter(|member| !member.is_null())
    }

    /// A caller secret for tests.
    #[cfg(test)]
    pub(crate) fn of(document: &Value) -> Self {
        Self::new(document.as_object().cloned().unwrap_or_default(), &[])
    }
}

/// The description of the member `api_keys`.
fn api_keys() -> Member {
    let errors = |secret: &CallerSecret| match &secret.keys {
        Ok(keys) => keys.errors.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    Member { name: keys::MEMBER, form: MemberForm::NamedLists, errors: Box::new(errors) }
}

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

/// The longest name that is reported. A longer name may be a key.
const MAX_REPORTED_NAME_CHARS: usize = 40;
/// The least similarity (Jaro-Winkler) of two names that count as the same.
const MIN_SIMILARITY: f64 = 0.85;

impl UnknownMember {
    /// Finds the unknown names among those of an object's members.
    pub(crate) fn among(object: &Map<String, Value>, known: &[&'static str]) -> Vec<Self> {
        object.keys().filter_map(|name| Self::of(name, known)).collect()
    }

    /// The same member, of a destination.
    pub(crate) fn in_destination(self, destination: &str) -> Self {
        Self { destination: Some(destination.to_owned()), ..self }
    }

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
fn correct(document: &mut Map<String, Value>, members: &[Member], corrections: &mut Corrections) {
    for &Member { name, form, .. } in members {
        let Some(member) = document.get_mut(name) else { continue };
        if let Value::String(text) = member {
            if let Some(inner) = parsed(text, corrections) {
                corrections.add(Correction::EncodedTwice(name));
                *member = inner;
            } else if text.trim().is_empty() {
                *member = Value::Null;
            }
        }
        match form {
            MemberForm::List => correct_list(member, name, corrections),
            MemberForm::NamedLists => {
                for list in member.as_object_mut().into_iter().flat_map(|lists| lists.values_mut()) {
                    correct_list(list, name, corrections);
                }
            }
            MemberForm::Object => {}
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
    /// `members` are those that other modules parse.
    pub(super) fn new(settings: &Settings, store: SecretStore, members: Vec<Member>) -> Self {
        let rules = SecretRules { name: "caller secret", ttl: settings.secret_ttl, outage_limit: Some(OUTAGE_LIMIT) };
        let members: Vec<_> = [api_keys(), standard_webhooks::SECRETS.describe()].into_iter().chain(members).collect();
        let cache = |id| {
            SecretCache::new(store, id, rules, move |text, corrections| {
                CallerSecret::parse(text, &members, corrections).map(Arc::new)
            })
        };
        Self { cache: settings.caller_secret.clone().map(cache) }
    }

    /// The cached content, or `None` if no secret is configured. A wrong key or signature never causes a read.
    pub(super) async fn content(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, AuthError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        Ok(Some(cache.get(Patience::UntilDeadline, ctx).await?.content.clone()))
    }

    /// Whether the cached content fulfils a condition. Without a cached content it may do so.
    pub(super) fn may_fulfil(&self, condition: impl FnOnce(&CallerSecret) -> bool) -> bool {
        let Some(cache) = &self.cache else { return false };
        cache.known().is_none_or(|secret| condition(&secret.content))
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
        let member = |name, form| Member { name, form, errors: Box::new(|_| Vec::new()) };
        let members = [
            api_keys(),
            member("slack_signing_secrets", MemberForm::List),
            member("pagerduty_secrets", MemberForm::List),
            member("splunk_tokens", MemberForm::NamedLists),
            member("destinations", MemberForm::Object),
        ];
        let secret = CallerSecret::parse(text, &members, &mut corrections);
        (secret, corrections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
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
                Some("the member slack_signing_secret is not known: did you mean slack_signing_secrets?"),
            ),
            ("apiKeys", Some("the member apiKeys is not known: did you mean api_keys?")),
            ("colour", Some("the member colour is not known")),
            (
                "3f9c1de07b5a4482c6d1e90fa7b82354",
                Some("a member is not known, whose name is not shown because it may be a key"),
            ),
            ("destinations", None),
        ] {
            let secret =
                read(&json!({"api_keys": {"jira": ["j"]}, name: ["canary"]}).to_string()).0.expect("an object");
            let unknown: Vec<_> = secret.unknown.iter().map(ToString::to_string).collect();
            assert_eq!(unknown, Vec::from_iter(expected));
        }
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
            assert_eq!((keys.secrets.owner(b"k").as_deref(), reported.as_str()), (Ok("jira"), corrections), "{text}");
        }
        let (secret, reported) = read(
            &json!({"slack_signing_secrets": " canary", "pagerduty_secrets": "[\"p\"]", "splunk_tokens": "",
                    "destinations": "{\"soc\":{\"kind\":\"slack\",\"url\":\" https://hooks.slack.com/services/x\"}}"})
            .to_string(),
        );
        let secret = secret.expect("an object");
        assert!(!reported.contains("canary") && reported.contains("slack_signing_secrets is a text"), "{reported}");
        assert!(!format!("{secret:?}").contains("canary"));
        assert_eq!(secret.member("slack_signing_secrets"), Some(&json!(["canary"])));
        assert_eq!(secret.member("pagerduty_secrets"), Some(&json!(["p"])));
        assert_eq!(secret.member("splunk_tokens"), None);
        let soc = json!({"soc": {"kind": "slack", "url": "https://hooks.slack.com/services/x"}});
        assert_eq!(secret.member("destinations"), Some(&soc));
    }
}
