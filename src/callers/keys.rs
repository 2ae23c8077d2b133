//! The keys of the caller secret: named, several valid at a time, compared in constant time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{Caller, NotAdmitted};
use crate::config::{SecretId, Settings};
use crate::credentials::SecretStore;
use crate::upstream::Context;

/// While keys are known, a look at the secret may take this long.
const LOOK: Duration = Duration::from_secs(1);
/// After a look that failed, the next one comes no sooner: with keys known, and without.
const BETWEEN_FAILED_LOOKS: Duration = Duration::from_secs(30);
const BETWEEN_FAILED_READS: Duration = Duration::from_secs(5);

/// The keys that open the service. With no secret, or no key in it, nothing does.
#[derive(Debug)]
pub(crate) struct KeyRing {
    store: SecretStore,
    secret: Option<SecretId>,
    ttl: Duration,
    /// The lock is the single flight of reading.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<Result<Arc<Keys>, NotAdmitted>>,
    read_again_at: Option<Instant>,
}

/// Digests of keys: comparing them hides the keys' length as well.
struct Keys(Vec<(Arc<str>, Vec<u8>)>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl KeyRing {
    pub(super) fn new(settings: &Settings, store: SecretStore) -> Self {
        Self { store, secret: settings.caller_secret.clone(), ttl: settings.secret_ttl, held: Mutex::default() }
    }

    /// Whose key this is.
    pub(super) async fn owner(&self, key: &[u8], ctx: &Context) -> Result<Caller, NotAdmitted> {
        let Some(secret) = &self.secret else { return Err(NotAdmitted::Unauthorized) };
        let keys = self.keys(secret, ctx).await?;
        keys.owner(key).map(|name| Caller { name }).ok_or(NotAdmitted::Unauthorized)
    }

    #[cfg(feature = "cli")]
    pub(super) async fn names(&self, ctx: &Context) -> Result<Vec<Arc<str>>, NotAdmitted> {
        let Some(secret) = &self.secret else { return Ok(Vec::new()) };
        let keys = self.keys(secret, ctx).await?;
        let mut names: Vec<_> = keys.0.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        Ok(names)
    }

    pub(super) async fn warm(&self, ctx: &Context) {
        if let Some(secret) = &self.secret {
            // A failure is told when a request needs the keys.
            drop(self.keys(secret, ctx).await);
        }
    }

    /// The keys as they were read last: a wrong key never causes a read.
    async fn keys(&self, secret: &SecretId, ctx: &Context) -> Result<Arc<Keys>, NotAdmitted> {
        let held = timeout_at(ctx.deadline.instant(), self.held.lock()).await;
        let mut held = held.map_err(|_| NotAdmitted::KeysUnavailable)?;
        if let Some(known) = &held.keys
            && held.read_again_at.is_some_and(|at| Instant::now() < at)
        {
            return known.clone();
        }
        let known = held.keys.take().and_then(Result::ok);
        let look = if known.is_some() { &ctx.within(LOOK.min(ctx.deadline.remaining() / 3)) } else { ctx };
        let read = match self.store.read(secret, look).await {
            Ok(text) => Keys::parse(&text),
            Err(error) => {
                tracing::warn!(%error, "the caller keys could not be read");
                Err(NotAdmitted::KeysUnavailable)
            }
        };
        // Neither an outage nor a slip of the hand locks out those whose keys are known.
        let (keys, wait) = match (read, known) {
            (Ok(read), _) => (Ok(read), self.ttl),
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "the caller keys that were read before still count");
                (Ok(known), BETWEEN_FAILED_LOOKS.min(self.ttl))
            }
            (Err(error), None) => (Err(error), BETWEEN_FAILED_READS.min(self.ttl)),
        };
        held.read_again_at = Some(Instant::now() + wait);
        held.keys = Some(keys.clone());
        keys
    }
}

impl Keys {
    fn parse(text: &str) -> Result<Arc<Self>, NotAdmitted> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            api_keys: BTreeMap<String, Vec<String>>,
        }
        // serde would read a list as an object, too.
        let object = text.trim_start().starts_with('{').then_some(text).ok_or(NotAdmitted::KeysMisconfigured)?;
        let document: Document = serde_json::from_str(object).map_err(|_| NotAdmitted::KeysMisconfigured)?;
        let mut keys = Vec::new();
        for (name, own) in document.api_keys {
            let name: Arc<str> = name.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>().into();
            let own = own.iter().filter(|key| !key.is_empty());
            keys.extend(own.map(|key| (name.clone(), sha256(key.as_bytes()))));
        }
        Ok(Arc::new(Self(keys)))
    }

    /// Compares with every key, whichever fits.
    fn owner(&self, key: &[u8]) -> Option<Arc<str>> {
        let presented = sha256(key);
        let mut owner = None;
        for (name, known) in &self.0 {
            if bool::from(known.as_slice().ct_eq(presented.as_slice())) {
                owner = Some(name);
            }
        }
        owner.cloned()
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_and_several() {
        let keys = Keys::parse(r#"{"api_keys":{"splunk":["now","before"],"jira":["j"]}}"#).expect("keys");
        for (key, owner) in [("now", "splunk"), ("before", "splunk"), ("j", "jira")] {
            assert_eq!(keys.owner(key.as_bytes()).as_deref(), Some(owner));
        }
        for wrong in ["", "no", "nowx", "NOW", "splunk"] {
            assert_eq!(keys.owner(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("before"));
    }

    #[test]
    fn nothing_opens_an_empty_ring() {
        for text in ["{}", r#"{"api_keys":{}}"#, r#"{"api_keys":{"splunk":[]}}"#, r#"{"api_keys":{"splunk":[""]}}"#] {
            assert_eq!(Keys::parse(text).expect("keys").owner(b""), None, "{text}");
        }
        for text in ["", "key", "[]", r#"{"api_keys":["key"]}"#] {
            assert_eq!(Keys::parse(text).err(), Some(NotAdmitted::KeysMisconfigured), "{text}");
        }
    }
}
