//! The member `api_keys` of the caller secret. Each caller may have several valid keys, and keys are compared in
//! constant time.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderValue;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

#[cfg(feature = "cli")]
use crate::integrations::is_weak;

/// `api_keys` does not have the documented form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("api_keys of the caller secret has to be an object of lists of strings by name")]
pub(crate) struct KeysError;

/// Digests of the keys. Comparing digests also hides the lengths of the keys.
#[derive(Clone, Default)]
pub(super) struct Keys {
    digests: Vec<(Arc<str>, Vec<u8>)>,
    /// Whether a key has characters that clients cannot send in a header.
    unpresentable: bool,
    /// The names of callers with a key that can be guessed.
    #[cfg(feature = "cli")]
    weak: Vec<Arc<str>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.digests.iter().map(|(name, _)| name)).finish()
    }
}

impl Keys {
    /// Parses the member. Without it, or if it is null, there are no keys.
    pub(super) fn parse(document: &Map<String, Value>) -> Result<Self, KeysError> {
        let Some(member) = document.get("api_keys").filter(|member| !member.is_null()) else {
            return Ok(Self::default());
        };
        // A null is what an empty place in a template leaves: it is no key.
        let named = BTreeMap::<String, Option<Vec<Option<String>>>>::deserialize(member).map_err(|_| KeysError)?;
        let keys = |own: Option<Vec<Option<String>>>| own.into_iter().flatten().flatten().collect();
        let named: BTreeMap<String, Vec<String>> = named.into_iter().map(|(name, own)| (name, keys(own))).collect();
        let unpresentable = named.values().flatten().any(|key| !is_presentable(key));
        #[cfg(feature = "cli")]
        let weak = holders_of_weak_keys(&named);
        let mut digests = Vec::new();
        for (name, own) in named {
            let name = display_name(&name);
            let own = own.iter().filter(|key| !key.is_empty());
            digests.extend(own.map(|key| (name.clone(), sha256(key.as_bytes()))));
        }
        Ok(Self {
            digests,
            unpresentable,
            #[cfg(feature = "cli")]
            weak,
        })
    }

    /// Whether a key has characters that clients cannot send in a header.
    pub(super) fn has_unpresentable_keys(&self) -> bool {
        self.unpresentable
    }

    /// The names of callers with a key that can be guessed.
    #[cfg(feature = "cli")]
    pub(super) fn weak_holders(&self) -> &[Arc<str>] {
        &self.weak
    }

    /// The name of the caller with this key. It always compares with every key, so that the time reveals nothing.
    pub(super) fn owner(&self, key: &[u8]) -> Option<Arc<str>> {
        let presented = sha256(key);
        let mut owner = None;
        for (name, known) in &self.digests {
            if bool::from(known.as_slice().ct_eq(presented.as_slice())) {
                owner = Some(name);
            }
        }
        owner.cloned()
    }

    /// The names of callers with keys.
    #[cfg(feature = "cli")]
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.digests.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }
}

/// A caller's name without control characters, for logs and reports.
fn display_name(name: &str) -> Arc<str> {
    name.chars().filter(|character| !character.is_control()).take(64).collect::<String>().into()
}

#[cfg(feature = "cli")]
fn holders_of_weak_keys(named: &BTreeMap<String, Vec<String>>) -> Vec<Arc<str>> {
    let is_guessed = |keys: &[String]| keys.iter().any(|key| !key.is_empty() && is_weak(key));
    named.iter().filter(|(_, keys)| is_guessed(keys)).map(|(name, _)| display_name(name)).collect()
}

/// Whether clients can send a key. HTTP allows bytes beyond ASCII, but clients encode them in different ways.
fn is_presentable(key: &str) -> bool {
    key.is_ascii() && HeaderValue::from_str(key).is_ok()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(document: &Value) -> Result<Keys, KeysError> {
        Keys::parse(document.as_object().expect("an object"))
    }

    #[test]
    fn a_caller_may_have_several_keys() {
        let keys = parse(&json!({"api_keys": {"splunk": ["now", "before"], "jira": ["j"]}})).expect("keys");
        for (key, owner) in [("now", "splunk"), ("before", "splunk"), ("j", "jira")] {
            assert_eq!(keys.owner(key.as_bytes()).as_deref(), Some(owner));
        }
        for wrong in ["", "no", "nowx", "NOW", "splunk"] {
            assert_eq!(keys.owner(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("before"));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn weak_keys_are_reported_by_the_names_of_their_callers() {
        let member = json!({
            "short": ["x"], "word": ["correct-horse"], "repeated": ["abababababababababababababab"], "old": ["x", ""],
            "hex": ["3f9c1de07b5a4482c6d1e90fa7b82354"], "base64": ["C2FVsBQIhrscChlQIMV+b5sSYspob7oD"], "none": [""],
        });
        let keys = parse(&json!({"api_keys": member})).expect("keys");
        let weak: Vec<_> = keys.weak_holders().iter().map(|name| &**name).collect();
        assert_eq!(weak, ["old", "repeated", "short", "word"]);
    }

    #[test]
    fn without_keys_nobody_is_admitted() {
        for document in [
            json!({}),
            json!({"api_keys": null}),
            json!({"api_keys": {}}),
            json!({"api_keys": {"a": []}}),
            json!({"api_keys": {"a": [""]}}),
            json!({"api_keys": {"a": null, "b": [null]}}),
        ] {
            assert_eq!(parse(&document).expect("keys").owner(b""), None, "{document}");
        }
        for member in [json!(["key"]), json!("key"), json!({"a": "key"}), json!({"a": [7]})] {
            assert_eq!(parse(&json!({"api_keys": member})).err(), Some(KeysError), "{member}");
        }
    }
}
