//! The hooks' members of the caller secret: read from its JSON, kept as keys and digests, never shown.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Digest, SHA256, digest};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::signature::{NotProven, SigningKeys};
use super::standard_webhooks;

/// Secrets of one holder: two are valid while one replaces the other, and there may be several workspaces.
const MOST_OF_ONE: usize = 8;
/// Secrets of one hook: a request is compared with each.
const MOST_IN_ALL: usize = 64;

/// The secrets of all hooks. A hook without any is closed.
#[derive(Clone, Debug, Default)]
pub struct HookSecrets {
    /// `slack_signing_secrets`: a list of texts.
    pub slack: SigningKeys,
    /// `teams_hmac_secrets`: a list of base64.
    pub teams: SigningKeys,
    /// `splunk_tokens`: a list of texts, or lists by the holders' names.
    pub splunk: Tokens,
    /// `pagerduty_secrets`: a list of texts.
    pub pagerduty: SigningKeys,
    /// `standard_webhook_secrets`: a list of `whsec_…`, or lists by the holders' names.
    pub standard_webhooks: SigningKeys,
}

/// A member of the caller secret that makes no sense: which, and what it should be; never what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} of the caller secret {problem}")]
pub struct SecretsError {
    member: &'static str,
    problem: &'static str,
}

/// Whether a member may name the holders of its secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holders {
    /// The hook's own name stands for them.
    Unnamed,
    /// They may have names, as in `api_keys`.
    Named,
}

impl HookSecrets {
    /// Reads the members that hooks have; absent and null ones are none.
    pub fn parse(document: &Map<String, Value>) -> Result<Self, SecretsError> {
        let base64 = |secret: &str| STANDARD.decode(secret).ok().filter(|key| !key.is_empty());
        let teams = secrets(document, "teams_hmac_secrets", "teams", Holders::Unnamed)?;
        let standard = secrets(document, "standard_webhook_secrets", "standard_webhooks", Holders::Named)?;
        Ok(Self {
            slack: SigningKeys::new(secrets(document, "slack_signing_secrets", "slack", Holders::Unnamed)?),
            teams: SigningKeys::new(
                decoded(teams, base64).ok_or(SecretsError {
                    member: "teams_hmac_secrets",
                    problem: "holds a secret that is not base64",
                })?,
            ),
            splunk: Tokens::new(secrets(document, "splunk_tokens", "splunk", Holders::Named)?),
            pagerduty: SigningKeys::new(secrets(document, "pagerduty_secrets", "pagerduty", Holders::Unnamed)?),
            standard_webhooks: SigningKeys::new(decoded(standard, standard_webhooks::secret_bytes).ok_or(
                SecretsError {
                    member: "standard_webhook_secrets",
                    problem: "holds a secret that is not whsec_ and base64 of 24 to 64 bytes",
                },
            )?),
        })
    }
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
    holders: Holders,
) -> Result<Vec<(Arc<str>, &'a str)>, SecretsError> {
    let wrong = |problem| SecretsError { member, problem };
    let shape = wrong(match holders {
        Holders::Unnamed => "has to be a list of strings",
        Holders::Named => "has to be a list of strings, or an object of such lists by name",
    });
    let lists = match document.get(member) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => vec![(hook, list)],
        Some(Value::Object(lists)) if holders == Holders::Named => {
            let list = |(name, list): (&'a String, &'a Value)| list.as_array().map(|list| (name.as_str(), list));
            lists.iter().map(list).collect::<Option<_>>().ok_or(shape)?
        }
        Some(_) => return Err(shape),
    };
    let mut secrets = Vec::new();
    for (name, list) in lists {
        let name: Arc<str> = name.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>().into();
        let texts: Vec<&str> = list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(shape)?;
        if texts.len() > MOST_OF_ONE {
            return Err(wrong("has more than 8 secrets in one list"));
        }
        secrets.extend(texts.into_iter().filter(|text| !text.is_empty()).map(|text| (name.clone(), text)));
    }
    if secrets.len() > MOST_IN_ALL {
        return Err(wrong("has more than 64 secrets"));
    }
    Ok(secrets)
}

/// Tokens that are shown as they are, by their holders' names. Kept as digests: comparing them hides their length too.
#[derive(Clone, Default)]
pub struct Tokens(Vec<(Arc<str>, Digest)>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Tokens {
    fn new(tokens: Vec<(Arc<str>, &str)>) -> Self {
        Self(tokens.into_iter().map(|(name, token)| (name, digest(&SHA256, token.as_bytes()))).collect())
    }

    /// Whose token this is. Compares with every one, whichever fits.
    pub(super) fn owner(&self, token: &[u8]) -> Result<Arc<str>, NotProven> {
        if self.0.is_empty() {
            return Err(NotProven::NotConfigured);
        }
        let presented = digest(&SHA256, token);
        let mut owner = None;
        for (name, known) in &self.0 {
            if bool::from(known.as_ref().ct_eq(presented.as_ref())) {
                owner = Some(name);
            }
        }
        owner.cloned().ok_or(NotProven::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(document: &Value) -> Result<HookSecrets, SecretsError> {
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
        let secrets = secrets.expect("secrets");
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("canary") && !shown.contains("C2FV"), "{shown}");
        assert_eq!(format!("{:?}", secrets.slack), r#"["slack", "slack"]"#);
        assert_eq!(format!("{:?}", secrets.teams), r#"["teams"]"#);
        assert_eq!(format!("{:?}", secrets.splunk), r#"["es", "itsi"]"#);
        assert_eq!(format!("{:?}", secrets.standard_webhooks), r#"["tines"]"#);
        assert_eq!(secrets.splunk.owner(b"canary-2").as_deref(), Ok("itsi"));
        for wrong in ["", "canary-", "canary-22", "CANARY"] {
            assert_eq!(secrets.splunk.owner(wrong.as_bytes()), Err(NotProven::Wrong), "{wrong}");
        }
    }

    #[test]
    fn without_secrets_every_hook_is_closed() {
        let secrets = parse(&json!({"splunk_tokens": [""]})).expect("secrets");
        assert_eq!(secrets.splunk.owner(b""), Err(NotProven::NotConfigured));
        assert_eq!(secrets.slack.signer(&[b""], &[]), Err(NotProven::NotConfigured));
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
            let error = parse(&json!({ member: value })).expect_err(member);
            let told = format!("{error} {error:?}");
            assert!(told.contains(member) && !told.contains("canary") && !told.contains("name-"), "{told}");
        }
    }
}
