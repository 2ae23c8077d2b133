//! The hooks' members of the caller secret: read from its JSON, kept as keys and digests, never shown.

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

/// Secrets of one holder: two are valid while one replaces the other, and there may be several workspaces.
const MAX_OF_ONE: usize = 8;
/// Secrets of one hook: a request is compared with each.
const MAX_IN_ALL: usize = 64;

/// The secrets of all hooks, each by itself: one that makes no sense closes no other. A hook without any is closed.
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
}

/// A member of the caller secret that makes no sense: which, and what it should be; never what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} of the caller secret {problem}")]
pub struct SecretsError {
    member: &'static str,
    problem: &'static str,
}

/// The names of those who hold a hook's secrets, each once.
pub type Holders = Result<Vec<Arc<str>>, SecretsError>;

/// Whether a member may name the holders of its secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The hook's own name stands for them.
    Unnamed,
    /// They may have names, as in `api_keys`.
    Named,
}

impl HookSecrets {
    /// Reads the members that hooks have; absent and null ones are none.
    pub fn parse(document: &Map<String, Value>) -> Self {
        let base64 = |secret: &str| STANDARD.decode(secret).ok().filter(|key| !key.is_empty());
        let unnamed = |member, hook| secrets(document, member, hook, Form::Unnamed);
        let named = |member, hook| secrets(document, member, hook, Form::Named);
        let teams = unnamed("teams_hmac_secrets", "teams").and_then(|secrets| {
            let problem = "holds a secret that is not base64";
            decoded(secrets, base64).ok_or(SecretsError { member: "teams_hmac_secrets", problem })
        });
        let standard_webhooks = named("standard_webhook_secrets", "standard_webhooks").and_then(|secrets| {
            let problem = "holds a secret that is not whsec_ and base64 of 24 to 64 bytes";
            let error = SecretsError { member: "standard_webhook_secrets", problem };
            decoded(secrets, standard_webhooks::secret_bytes).ok_or(error)
        });
        Self {
            slack: unnamed("slack_signing_secrets", "slack").map(SigningKeys::new),
            teams: teams.map(SigningKeys::new),
            splunk: named("splunk_tokens", "splunk").map(Tokens::new),
            pagerduty: unnamed("pagerduty_secrets", "pagerduty").map(SigningKeys::new),
            standard_webhooks: standard_webhooks.map(SigningKeys::new),
        }
    }

    /// Each hook by the name of its sender, with the holders of its secrets.
    pub fn holders(&self) -> [(&'static str, Holders); 5] {
        let holders = |keys: &Result<SigningKeys, _>| keys.as_ref().map(SigningKeys::holders).map_err(|error| *error);
        let tokens = self.splunk.as_ref().map(Tokens::holders).map_err(|error| *error);
        [
            ("Slack", holders(&self.slack)),
            ("Teams", holders(&self.teams)),
            ("Splunk", tokens),
            ("PagerDuty", holders(&self.pagerduty)),
            ("Standard Webhooks", holders(&self.standard_webhooks)),
        ]
    }

    /// What is wrong with members, one for each.
    pub fn errors(&self) -> impl Iterator<Item = SecretsError> {
        self.holders().into_iter().filter_map(|(_, holders)| holders.err())
    }

    /// Whether Slack or Teams may ask, or would if their secrets made sense.
    pub fn include_chats(&self) -> bool {
        [&self.slack, &self.teams].into_iter().any(|keys| keys.as_ref().map_or(true, |keys| !keys.is_empty()))
    }

    /// Whether Splunk or `PagerDuty` may ask, or would if their secrets made sense.
    pub fn include_records(&self) -> bool {
        self.splunk.as_ref().map_or(true, |tokens| !tokens.is_empty())
            || self.pagerduty.as_ref().map_or(true, |keys| !keys.is_empty())
    }
}

/// A key of fewer characters can be guessed: 16 random bytes have 22 as base64, and 32 as hexadecimal digits.
const MIN_KEY_CHARACTERS: usize = 20;
/// A text with fewer different characters is no random one.
const MIN_DISTINCT_CHARACTERS: usize = 8;

/// Whether a key that the operator makes can be guessed.
pub fn is_weak(key: &str) -> bool {
    let distinct: BTreeSet<char> = key.chars().collect();
    key.chars().count() < MIN_KEY_CHARACTERS || distinct.len() < MIN_DISTINCT_CHARACTERS
}

/// Secrets from their written form.
fn decoded(
    secrets: Vec<(Arc<str>, &str)>,
    decode: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<Vec<(Arc<str>, Vec<u8>)>> {
    secrets.into_iter().map(|(name, secret)| Some((name, decode(secret)?))).collect()
}

/// The secrets of a member, each with its holder's name; empty ones are none.
fn secrets<'a>(
    document: &'a Map<String, Value>,
    member: &'static str,
    hook: &str,
    form: Form,
) -> Result<Vec<(Arc<str>, &'a str)>, SecretsError> {
    let wrong = |problem| SecretsError { member, problem };
    let shape = wrong(match form {
        Form::Unnamed => "has to be a list of strings",
        Form::Named => "has to be a list of strings, or an object of such lists by name",
    });
    let lists = match document.get(member) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => vec![(hook, list)],
        Some(Value::Object(lists)) if form == Form::Named => {
            let list = |(name, list): (&'a String, &'a Value)| list.as_array().map(|list| (name.as_str(), list));
            lists.iter().map(list).collect::<Option<_>>().ok_or(shape)?
        }
        Some(_) => return Err(shape),
    };
    let mut secrets = Vec::new();
    for (name, list) in lists {
        let name: Arc<str> = name.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>().into();
        let texts: Vec<&str> = list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(shape)?;
        if texts.len() > MAX_OF_ONE {
            return Err(wrong("has more than 8 secrets in one list"));
        }
        secrets.extend(texts.into_iter().filter(|text| !text.is_empty()).map(|text| (name.clone(), text)));
    }
    if secrets.len() > MAX_IN_ALL {
        return Err(wrong("has more than 64 secrets"));
    }
    Ok(secrets)
}

/// Tokens that are shown as they are, by their holders' names. Kept as digests: comparing them hides their length too.
#[derive(Clone, Default)]
pub struct Tokens {
    digests: Vec<(Arc<str>, Digest)>,
    /// Who holds a token that can be guessed.
    weak: Vec<Arc<str>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.digests.iter().map(|(name, _)| name)).finish()
    }
}

impl Tokens {
    fn new(tokens: Vec<(Arc<str>, &str)>) -> Self {
        let mut weak: Vec<_> =
            tokens.iter().filter(|(_, token)| is_weak(token)).map(|(name, _)| name.clone()).collect();
        weak.dedup();
        let digests = tokens.into_iter().map(|(name, token)| (name, digest(&SHA256, token.as_bytes())));
        Self { digests: digests.collect(), weak }
    }

    /// The names of those who hold a token that can be guessed.
    pub fn weak_holders(&self) -> &[Arc<str>] {
        &self.weak
    }

    /// Whether no token is there.
    fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The names of the holders, each once.
    fn holders(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.digests.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// Whose token this is. Compares with every one, whichever fits.
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
    fn lists_carry_the_name_of_the_hook_and_named_lists_their_own() {
        let whsec = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let secrets = parse(&json!({
            "api_keys": {"jira": ["canary"]},
            "slack_signing_secrets": ["canary", "canary"],
            "teams_hmac_secrets": ["Y2FuYXJ5"],
            "splunk_tokens": {"es": ["canary", ""], "itsi": ["canary-2"]},
            "pagerduty_secrets": null,
            "standard_webhook_secrets": {"tines": [whsec]},
        }));
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("canary") && !shown.contains("C2FV"), "{shown}");
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
    fn without_secrets_every_hook_is_closed() {
        let secrets = parse(&json!({"splunk_tokens": [""]}));
        assert_eq!(secrets.splunk.as_ref().unwrap().owner(b""), Err(SignatureError::NotConfigured));
        assert_eq!(secrets.slack.unwrap().signer(&[b""], &[]), Err(SignatureError::NotConfigured));
    }

    #[test]
    fn a_wrong_member_is_named_and_not_echoed() {
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
            let told = format!("{} {secrets:?}", errors[0]);
            assert!(told.contains(member) && !told.contains("canary") && !told.contains("name-"), "{told}");
        }
    }
}
