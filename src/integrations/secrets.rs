//! The integrations' members of the caller secret: parsed from JSON, kept as keys and digests, never displayed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Digest, SHA256, digest};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::signature::{SignatureError, SigningKeys};
use super::standard_webhooks;

/// The maximum number of secrets of one holder. Two are valid during a rotation, and there may be several workspaces.
const MAX_SECRETS_PER_HOLDER: usize = 8;
/// The maximum number of secrets of one hook. A request is compared with each of them.
const MAX_SECRETS_PER_HOOK: usize = 64;

/// The secrets of all hooks. An invalid entry disables only its own hook. A hook without secrets is disabled.
#[derive(Clone, Debug)]
pub struct HookSecrets {
    /// `slack_signing_secrets`: a list of texts.
    pub slack: Result<SigningKeys, SecretsError>,
    /// `teams_hmac_secrets`: a list of base64.
    pub teams: Result<SigningKeys, SecretsError>,
    /// `splunk_tokens`: a list of texts, or lists by the holders' names.
    pub splunk: Result<Tokens, SecretsError>,
    /// `pagerduty_secrets`: a list of texts.
    pub pagerduty: Result<SigningKeys, SecretsError>,
    /// `standard_webhook_secrets`: a list of `whsec_…`, or lists by the holders' names.
    pub standard_webhooks: Result<SigningKeys, SecretsError>,
    /// The senders of secrets that can be guessed, and the holders of those secrets.
    weak: Vec<(&'static str, Arc<str>)>,
}

/// An invalid member of the caller secret: its name, and what it should be, but never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} of the caller secret {problem}")]
pub struct SecretsError {
    member: &'static str,
    problem: &'static str,
}

/// The names of the holders of a hook's secrets, without duplicates.
pub type Holders = Result<Vec<Arc<str>>, SecretsError>;

/// Whether a member may name the holders of its secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The secrets have no names: the hook's name stands for all holders.
    Unnamed,
    /// The secrets may have names, as in `api_keys`.
    Named,
}

impl HookSecrets {
    /// Parses the members of all hooks. Absent and null members hold no secrets.
    pub fn parse(document: &Map<String, Value>) -> Self {
        let mut weak = Vec::new();
        let base64 = |secret: &str| STANDARD.decode(secret).ok().filter(|key| !key.is_empty());
        let mut read = |sender, member, hook, form| {
            let secrets = secrets(document, member, hook, form)?;
            weak.extend(secrets.iter().filter(|(_, text)| is_weak(text)).map(|(holder, _)| (sender, holder.clone())));
            Ok(secrets)
        };
        let teams = read(TEAMS, "teams_hmac_secrets", "teams", Form::Unnamed).and_then(|secrets| {
            let problem = "holds a secret that is not base64";
            decoded(secrets, base64).ok_or(SecretsError { member: "teams_hmac_secrets", problem })
        });
        let webhooks = read(STANDARD_WEBHOOKS, "standard_webhook_secrets", "standard_webhooks", Form::Named);
        let standard_webhooks = webhooks.and_then(|secrets| {
            let problem = "holds a secret that is not whsec_ and base64 of 24 to 64 bytes";
            let error = SecretsError { member: "standard_webhook_secrets", problem };
            decoded(secrets, standard_webhooks::secret_bytes).ok_or(error)
        });
        Self {
            slack: read(SLACK, "slack_signing_secrets", "slack", Form::Unnamed).map(SigningKeys::new),
            teams: teams.map(SigningKeys::new),
            splunk: read(SPLUNK, "splunk_tokens", "splunk", Form::Named).map(Tokens::new),
            pagerduty: read(PAGERDUTY, "pagerduty_secrets", "pagerduty", Form::Unnamed).map(SigningKeys::new),
            standard_webhooks: standard_webhooks.map(SigningKeys::new),
            weak,
        }
    }

    /// The holders of secrets, by the sender's name.
    pub fn holders(&self) -> [(&'static str, Holders); 5] {
        let holders = |keys: &Result<SigningKeys, _>| keys.as_ref().map(SigningKeys::holders).map_err(|error| *error);
        let tokens = self.splunk.as_ref().map(Tokens::holders).map_err(|error| *error);
        [
            (SLACK, holders(&self.slack)),
            (TEAMS, holders(&self.teams)),
            (SPLUNK, tokens),
            (PAGERDUTY, holders(&self.pagerduty)),
            (STANDARD_WEBHOOKS, holders(&self.standard_webhooks)),
        ]
    }

    /// The holders of this sender's secrets that can be guessed, without duplicates.
    pub fn weak_holders(&self, sender: &str) -> Vec<&str> {
        let weak = self.weak.iter().filter(|(known, _)| *known == sender);
        let mut holders: Vec<_> = weak.map(|(_, holder)| &**holder).collect();
        holders.dedup();
        holders
    }

    /// The errors of invalid members.
    pub fn errors(&self) -> impl Iterator<Item = SecretsError> {
        self.holders().into_iter().filter_map(|(_, holders)| holders.err())
    }

    /// Whether Slack or Teams has secrets, valid or not.
    pub fn include_chats(&self) -> bool {
        [&self.slack, &self.teams].into_iter().any(|keys| keys.as_ref().map_or(true, |keys| !keys.is_empty()))
    }

    /// Whether Splunk or `PagerDuty` has secrets, valid or not.
    pub fn include_records(&self) -> bool {
        self.splunk.as_ref().map_or(true, |tokens| !tokens.is_empty())
            || self.pagerduty.as_ref().map_or(true, |keys| !keys.is_empty())
    }
}

const SLACK: &str = "Slack";
const TEAMS: &str = "Teams";
const SPLUNK: &str = "Splunk";
const PAGERDUTY: &str = "PagerDuty";
const STANDARD_WEBHOOKS: &str = "Standard Webhooks";

/// Shorter keys can be guessed: 16 random bytes have 22 characters as base64, and 32 as hexadecimal digits.
const MIN_KEY_CHARACTERS: usize = 20;
/// A text with fewer distinct characters is not random.
const MIN_DISTINCT_CHARACTERS: usize = 8;

/// Whether a key or secret can be guessed.
pub fn is_weak(key: &str) -> bool {
    let distinct: BTreeSet<char> = key.chars().collect();
    key.chars().count() < MIN_KEY_CHARACTERS || distinct.len() < MIN_DISTINCT_CHARACTERS
}

/// Decodes secrets from their written form.
fn decoded(
    secrets: Vec<(Arc<str>, &str)>,
    decode: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<Vec<(Arc<str>, Vec<u8>)>> {
    secrets.into_iter().map(|(name, secret)| Some((name, decode(secret)?))).collect()
}

/// Reads the secrets of a member with their holders' names. Empty secrets are ignored.
fn secrets<'a>(
    document: &'a Map<String, Value>,
    member: &'static str,
    hook: &str,
    form: Form,
) -> Result<Vec<(Arc<str>, &'a str)>, SecretsError> {
    let error = |problem| SecretsError { member, problem };
    let form_error = error(match form {
        Form::Unnamed => "has to be a list of strings",
        Form::Named => "has to be a list of strings, or an object of such lists by name",
    });
    let lists = match document.get(member) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => vec![(hook, list)],
        Some(Value::Object(lists)) if form == Form::Named => {
            let list = |(name, list): (&'a String, &'a Value)| list.as_array().map(|list| (name.as_str(), list));
            lists.iter().map(list).collect::<Option<_>>().ok_or(form_error)?
        }
        Some(_) => return Err(form_error),
    };
    let mut secrets = Vec::new();
    for (name, list) in lists {
        let name: Arc<str> =
            name.chars().filter(|character| !character.is_control()).take(64).collect::<String>().into();
        let texts: Vec<&str> = list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(form_error)?;
        if texts.len() > MAX_SECRETS_PER_HOLDER {
            return Err(error("has more than 8 secrets in one list"));
        }
        secrets.extend(texts.into_iter().filter(|text| !text.is_empty()).map(|text| (name.clone(), text)));
    }
    if secrets.len() > MAX_SECRETS_PER_HOOK {
        return Err(error("has more than 64 secrets"));
    }
    Ok(secrets)
}

/// Tokens that are sent as they are, by holder. They are stored as digests, so that a comparison does not reveal
/// their length.
#[derive(Clone, Default)]
pub struct Tokens {
    digests: Vec<(Arc<str>, Digest)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.digests.iter().map(|(name, _)| name)).finish()
    }
}

impl Tokens {
    fn new(tokens: Vec<(Arc<str>, &str)>) -> Self {
        let digests = tokens.into_iter().map(|(name, token)| (name, digest(&SHA256, token.as_bytes())));
        Self { digests: digests.collect() }
    }

    /// Whether there are no tokens.
    fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The holders' names, without duplicates.
    fn holders(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.digests.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// Returns the holder of a token. It compares with every token, so that the time does not depend on the match.
    pub(super) fn owner(&self, token: &[u8]) -> Result<Arc<str>, SignatureError> {
        if self.digests.is_empty() {
            return Err(SignatureError::NotConfigured);
        }
        let presented = digest(&SHA256, token);
        let mut owner = None;
        for (name, known) in &self.digests {
            if bool::from(known.as_ref().ct_eq(presented.as_ref())) {
                owner = Some(name);
            }
        }
        owner.cloned().ok_or(SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(document: &Value) -> HookSecrets {
        HookSecrets::parse(document.as_object().expect("an object"))
    }

    #[test]
    fn lists_use_the_name_of_the_hook_and_named_lists_their_own() {
        let whsec = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let secrets = parse(&json!({
            "api_keys": {"jira": ["canary"]},
            "slack_signing_secrets": ["canary", "canary"],
            "teams_hmac_secrets": ["Y2FuYXJ5"],
            "splunk_tokens": {"es": ["canary", ""], "itsi": ["canary-2"]},
            "pagerduty_secrets": null,
            "standard_webhook_secrets": {"tines": [whsec]},
        }));
        let debug_text = format!("{secrets:?}");
        assert!(!debug_text.contains("canary") && !debug_text.contains("C2FV"), "{debug_text}");
        assert_eq!(format!("{:?}", secrets.slack.unwrap()), r#"["slack", "slack"]"#);
        assert_eq!(format!("{:?}", secrets.teams.unwrap()), r#"["teams"]"#);
        assert_eq!(format!("{:?}", secrets.splunk.as_ref().unwrap()), r#"["es", "itsi"]"#);
        assert_eq!(format!("{:?}", secrets.standard_webhooks.unwrap()), r#"["tines"]"#);
        assert_eq!(secrets.splunk.as_ref().unwrap().owner(b"canary-2").as_deref(), Ok("itsi"));
        for wrong in ["", "canary-", "canary-22", "CANARY"] {
            assert_eq!(secrets.splunk.as_ref().unwrap().owner(wrong.as_bytes()), Err(SignatureError::Wrong), "{wrong}");
        }
    }

    #[test]
    fn hooks_without_secrets_are_disabled() {
        let secrets = parse(&json!({"splunk_tokens": [""]}));
        assert_eq!(secrets.splunk.as_ref().unwrap().owner(b""), Err(SignatureError::NotConfigured));
        assert_eq!(secrets.slack.unwrap().signer(&[b""], &[]), Err(SignatureError::NotConfigured));
    }

    #[test]
    fn invalid_member_is_named_and_its_value_not_echoed() {
        let many: Vec<_> = (0..9).map(|at| format!("canary-{at}")).collect();
        let names: Map<_, _> = (0..9).map(|at| (format!("name-{at}"), json!(many[..8]))).collect();
        for (member, value) in [
            ("slack_signing_secrets", json!("canary")),
            ("slack_signing_secrets", json!({"name": ["canary"]})),
            ("slack_signing_secrets", json!(["canary", 7])),
            ("slack_signing_secrets", json!(many)),
            ("teams_hmac_secrets", json!(["canary!"])),
            ("splunk_tokens", json!({"name": "canary"})),
            ("splunk_tokens", json!({"name": [["canary"]]})),
            ("splunk_tokens", json!(names)),
            ("pagerduty_secrets", json!(7)),
            ("standard_webhook_secrets", json!(["canary"])),
            ("standard_webhook_secrets", json!({"name": ["whsec_Y2FuYXJ5"]})),
        ] {
            let secrets = parse(&json!({ member: value }));
            let errors: Vec<_> = secrets.errors().collect();
            assert_eq!(errors.len(), 1, "the others are good: {errors:?}");
            let text = format!("{} {secrets:?}", errors[0]);
            assert!(text.contains(member) && !text.contains("canary") && !text.contains("name-"), "{text}");
        }
    }
}
