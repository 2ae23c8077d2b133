//! Conversions to the ids that the older APIs take: a device name to a device id, a SHA-256 to a SHA-1.

use std::hash::Hash;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;

use super::scope::{OncePerRequest, RequestScope};
use super::{EnrichError, Enricher};
use crate::backend::defender::devices::{self, ChosenDevice, DeviceList};
use crate::backend::{Backends, ComparedBy};
use crate::cache::{AnswerCache, Cacheable};
use crate::client::Context;
use crate::domain::context::{FileContext, SubjectContext};
use crate::domain::subject::{DeviceName, Sha1, Sha256};

/// The records of a device name.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedDevice {
    pub(super) chosen: ChosenDevice,
    /// Why the list of records is incomplete, if it is: it may contain other devices of the name.
    pub(super) incomplete: Option<EnrichError>,
}

/// A file that is known by its SHA-256.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedFile {
    pub(super) sha1: Sha1,
    pub(super) context: FileContext,
}

/// The size of an id or a hash with its allocation, in bytes.
const RESOLUTION_BYTES: usize = 128;

impl Cacheable for Option<ResolvedDevice> {
    fn may_be_stale(&self) -> bool {
        self.is_some()
    }

    fn weight(&self) -> usize {
        let Some(ResolvedDevice { chosen, .. }) = self else { return RESOLUTION_BYTES };
        let contexts: usize = chosen.contexts.iter().map(weight_of_copies).sum();
        RESOLUTION_BYTES * (1 + chosen.others.len()) + contexts
    }

    fn is_negative(&self) -> bool {
        self.is_none()
    }

    fn is_cacheable(&self) -> bool {
        self.as_ref().is_none_or(|resolved| resolved.incomplete.is_none())
    }
}

impl Cacheable for Option<ResolvedFile> {
    fn may_be_stale(&self) -> bool {
        self.is_some()
    }

    fn weight(&self) -> usize {
        RESOLUTION_BYTES + self.as_ref().map_or(0, |file| weight_of_copies(&file.context))
    }

    fn is_negative(&self) -> bool {
        self.is_none()
    }
}

impl Cacheable for Option<Arc<SubjectContext>> {
    fn may_be_stale(&self) -> bool {
        self.is_some()
    }

    fn weight(&self) -> usize {
        self.as_ref().map_or(0, |context| weight_of_copies(&**context))
    }

    fn is_negative(&self) -> bool {
        self.is_none()
    }
}

/// Returns the approximate size of a context, whose texts are copies, in bytes.
fn weight_of_copies<C: Serialize>(context: &C) -> usize {
    size_of::<C>() + serde_json::to_vec(context).map_or(0, |json| json.len())
}

/// What to look up: the cache of its answers, those of this request, and the permits to call.
pub(super) struct Lookup<'l, K, V: Cacheable> {
    pub(super) cache: &'l AnswerCache<K, V, EnrichError>,
    pub(super) requested: &'l OncePerRequest<K, V>,
    pub(super) permits: &'l Arc<Semaphore>,
}

impl Enricher {
    /// Resolves a device name to its records. `None`: Defender does not know it.
    pub(super) async fn device_of(
        &self,
        name: &DeviceName,
        scope: &RequestScope<'_>,
    ) -> Result<Option<ResolvedDevice>, EnrichError> {
        let key = ComparedBy::any_case(name.clone(), name.as_str());
        let fetch = |backends: Arc<Backends>, name: ComparedBy<DeviceName>, ctx: Context| async move {
            choose(&name, backends.defender.devices_named(&name, &ctx).await?)
        };
        let permits = &scope.shared.name_permits;
        let lookup = Lookup { cache: &self.devices, requested: &scope.shared.devices, permits };
        lookup.answer(self, key, &scope.ctx.for_name_lookup(), fetch).await
    }

    /// Resolves a SHA-256 to the same file by its SHA-1. `None`: Defender does not know it.
    pub(super) async fn file_of(
        &self,
        sha256: &Sha256,
        scope: &RequestScope<'_>,
    ) -> Result<Option<ResolvedFile>, EnrichError> {
        let fetch = |backends: Arc<Backends>, sha256: Sha256, ctx: Context| async move {
            let file = backends.defender.file_by_sha256(&sha256, &ctx).await?;
            Ok(file.map(|(sha1, context)| ResolvedFile { sha1, context }))
        };
        let permits = &scope.shared.name_permits;
        let lookup = Lookup { cache: &self.hashes, requested: &scope.shared.hashes, permits };
        lookup.answer(self, sha256.clone(), &scope.ctx.for_name_lookup(), fetch).await
    }
}

impl<K, V> Lookup<'_, K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Cacheable,
{
    /// Returns the answer from this request, from the cache or by `fetch`.
    pub(super) async fn answer<F>(
        &self,
        enricher: &Enricher,
        key: K,
        ctx: &Context,
        fetch: impl Fn(Arc<Backends>, K, Context) -> F,
    ) -> Result<V, EnrichError>
    where
        F: Future<Output = Result<V, EnrichError>> + Send + 'static,
    {
        let fetch = || {
            let fetch = fetch(enricher.backends.clone(), key.clone(), ctx.clone());
            let permits = self.permits.clone();
            async move {
                let _permit = permits.acquire().await;
                fetch.await
            }
        };
        let cached = self.cache.get_or_fetch(key.clone(), ctx.deadline, fetch);
        Ok(self.requested.get_or_init(key.clone(), cached).await?.value)
    }
}

/// Chooses among the records of a name. If none matches and the list is incomplete, the name stays unresolved: an error.
fn choose(name: &DeviceName, list: DeviceList) -> Result<Option<ResolvedDevice>, EnrichError> {
    let DeviceList { records, incomplete } = list;
    match (devices::choose(name, records), incomplete.map(EnrichError::from)) {
        (Some(chosen), incomplete) => Ok(Some(ResolvedDevice { chosen, incomplete })),
        (None, None) => Ok(None),
        (None, Some(error)) => Err(error),
    }
}
