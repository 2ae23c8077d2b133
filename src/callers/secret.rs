//! The caller secret: read in one place, kept, and read again when its time is over. What a member means is told by
//! whoever it belongs to; a member that makes no sense closes nobody else's door.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::NotAdmitted;
use super::keys::{Keys, KeysError};
use crate::config::{DestinationAddresses, SecretId, Settings};
use crate::credentials::SecretStore;
use crate::hooks::HookSecrets;
use crate::notify::{DestinationError, Destinations};
use crate::upstream::Context;

/// While a content is known, a look at the secret may take this long.
const LOOK: Duration = Duration::from_secs(1);
/// After a look that failed, the next one comes no sooner: with a content known, and without.
const BETWEEN_FAILED_LOOKS: Duration = Duration::from_secs(30);
const BETWEEN_FAILED_READS: Duration = Duration::from_secs(5);

/// What the caller secret holds, member by member.
#[derive(Debug)]
pub(crate) struct CallerSecret {
    /// `api_keys`.
    pub(super) keys: Result<Keys, KeysError>,
    /// The members of the hooks.
    pub(crate) hooks: HookSecrets,
    /// `destinations`.
    destinations: Result<Arc<Destinations>, DestinationError>,
}

impl CallerSecret {
    fn parse(text: &str, allowed: DestinationAddresses) -> Result<Self, NotAdmitted> {
        let document: Map<String, Value> = serde_json::from_str(text).map_err(|_| NotAdmitted::SecretMisconfigured)?;
        let destinations = Destinations::parse(&document, allowed).map(Arc::new);
        for error in destinations.iter().flat_map(|destinations| destinations.problems()) {
            tracing::warn!(%error, "a destination cannot be used");
        }
        Ok(Self { keys: Keys::parse(&document), hooks: HookSecrets::parse(&document), destinations })
    }

    /// The destinations; none, if the member makes no sense.
    pub(super) fn destinations(&self) -> Arc<Destinations> {
        self.destinations.as_ref().map(Arc::clone).unwrap_or_default()
    }

    /// This content, and for members that make no sense those of the content before; and whether there were any.
    fn or_members_of(self, known: Option<&Self>) -> (Self, bool) {
        let mut slipped = self.keys.as_ref().err().map(|error| vec![error.to_string()]).unwrap_or_default();
        slipped.extend(self.hooks.errors().map(|error| error.to_string()));
        slipped.extend(self.destinations.as_ref().err().map(ToString::to_string));
        for error in &slipped {
            tracing::warn!(
                error,
                "a member of the caller secret is of no use: what was read of it before still counts"
            );
        }
        let content = match known {
            Some(known) => Self {
                keys: self.keys.or_else(|_| known.keys.clone()),
                hooks: self.hooks.or_members_of(&known.hooks),
                destinations: self.destinations.or_else(|_| known.destinations.clone()),
            },
            None => self,
        };
        (content, !slipped.is_empty())
    }
}

/// Reads and keeps the caller secret. Without one, nothing is in it.
#[derive(Debug)]
pub(super) struct SecretHolder {
    store: SecretStore,
    secret: Option<SecretId>,
    ttl: Duration,
    allowed: DestinationAddresses,
    /// The lock is the single flight of reading.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    content: Option<Result<Arc<CallerSecret>, NotAdmitted>>,
    read_again_at: Option<Instant>,
}

impl SecretHolder {
    pub(super) fn new(settings: &Settings, store: SecretStore) -> Self {
        Self {
            store,
            secret: settings.caller_secret.clone(),
            ttl: settings.secret_ttl,
            allowed: settings.destination_addresses,
            held: Mutex::default(),
        }
    }

    /// The content as it was read last, or nothing where no secret is set. A wrong proof never causes a read.
    pub(super) async fn content(&self, ctx: &Context) -> Result<Option<Arc<CallerSecret>>, NotAdmitted> {
        match &self.secret {
            Some(secret) => self.content_of(secret, ctx).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn warm(&self, ctx: &Context) {
        // A failure is told when a request needs the content.
        drop(self.content(ctx).await);
    }

    async fn content_of(&self, secret: &SecretId, ctx: &Context) -> Result<Arc<CallerSecret>, NotAdmitted> {
        let held = timeout_at(ctx.deadline.instant(), self.held.lock()).await;
        let mut held = held.map_err(|_| NotAdmitted::SecretUnavailable)?;
        if let Some(known) = &held.content
            && held.read_again_at.is_some_and(|at| Instant::now() < at)
        {
            return known.clone();
        }
        let known = held.content.take().and_then(Result::ok);
        let look = if known.is_some() { &ctx.within(LOOK.min(ctx.deadline.remaining() / 3)) } else { ctx };
        let read = match self.store.read(secret, look).await {
            Ok(text) => CallerSecret::parse(&text, self.allowed),
            Err(error) => {
                tracing::warn!(%error, "the caller secret could not be read");
                Err(NotAdmitted::SecretUnavailable)
            }
        };
        let after_a_slip = if known.is_some() { BETWEEN_FAILED_LOOKS } else { BETWEEN_FAILED_READS };
        // Neither an outage nor a slip of the hand locks out those whose keys are known.
        let (content, wait) = match (read, known) {
            (Ok(read), known) => {
                let (content, slipped) = read.or_members_of(known.as_deref());
                (Ok(Arc::new(content)), if slipped { after_a_slip.min(self.ttl) } else { self.ttl })
            }
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "the caller secret that was read before still counts");
                (Ok(known), after_a_slip.min(self.ttl))
            }
            (Err(error), None) => (Err(error), after_a_slip.min(self.ttl)),
        };
        held.read_again_at = Some(Instant::now() + wait);
        held.content = Some(content.clone());
        content
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(document: &Value) -> CallerSecret {
        CallerSecret::parse(&document.to_string(), DestinationAddresses::Public).expect("an object")
    }

    #[test]
    fn what_is_no_object_makes_no_sense() {
        for text in ["", "key", "[]", "null", "{", "7"] {
            let parsed = CallerSecret::parse(text, DestinationAddresses::Public);
            assert_eq!(parsed.err(), Some(NotAdmitted::SecretMisconfigured), "{text}");
        }
    }

    #[test]
    fn a_member_that_makes_no_sense_closes_no_other_door() {
        let (content, slipped) =
            parse(&json!({"api_keys": {"jira": ["j"]}, "slack_signing_secrets": 7})).or_members_of(None);
        assert!(slipped && content.keys.is_ok() && content.hooks.slack.is_err() && content.hooks.teams.is_ok());
        let (content, slipped) = parse(&json!({"api_keys": 7, "slack_signing_secrets": ["s"]})).or_members_of(None);
        assert!(slipped && content.keys.is_err() && content.hooks.slack.is_ok());
    }

    #[test]
    fn a_slip_in_one_member_keeps_what_was_known_of_it_and_of_no_other() {
        let (known, _) =
            parse(&json!({"api_keys": {"jira": ["before"]}, "pagerduty_secrets": ["p"], "destinations": {"soc": {}}}))
                .or_members_of(None);
        let read = parse(&json!({"api_keys": ["slip"], "pagerduty_secrets": [], "destinations": ["slip"]}));
        let (content, slipped) = read.or_members_of(Some(&known));
        assert!(content.destinations().find("soc").is_some());
        assert!(slipped && content.keys.expect("keys").owner(b"before").is_some());
        assert!(content.hooks.pagerduty.expect("secrets").is_empty());
    }
}
