//! Conversions to the ids that the older APIs take: a device name to a device id, a SHA-256 to a SHA-1.

use std::hash::Hash;
use std::sync::Arc;

use super::scope::{OncePerRequest, RequestScope};
use super::{EnrichError, Enricher};
use crate::backend::defender::devices::{self, ChosenDevice, DeviceList};
use crate::backend::{Backends, ComparedBy};
use crate::cache::{AnswerCache, Cacheable};
use crate::client::Context;
use crate::domain::subject::{DeviceName, Sha1, Sha256};

/// The records of a device name.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedDevice {
    pub(super) chosen: ChosenDevice,
    /// Why the list of records is incomplete, if it is: it may contain other devices of the name.
    pub(super) incomplete: Option<EnrichError>,
}

/// The size of an id or a hash with its allocation, in bytes.
const RESOLUTION_BYTES: usize = 128;

impl Cacheable for Option<ResolvedDevice> {
    fn weight(&self) -> usize {
        RESOLUTION_BYTES * (1 + self.as_ref().map_or(0, |resolved| resolved.chosen.others.len()))
    }

    fn is_negative(&self) -> bool {
        self.is_none()
    }

    fn is_cacheable(&self) -> bool {
        self.as_ref().is_none_or(|resolved| resolved.incomplete.is_none())
    }
}

impl Cacheable for Option<Sha1> {
    fn weight(&self) -> usize {
        RESOLUTION_BYTES
    }

    fn is_negative(&self) -> bool {
        self.is_none()
    }
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
        self.resolve((&self.devices, &scope.shared.devices), key, scope, fetch).await
    }

    /// Resolves a SHA-256 to the SHA-1 of the same file. `None`: Defender does not know it.
    pub(super) async fn sha1_of(&self, sha256: &Sha256, scope: &RequestScope<'_>) -> Result<Option<Sha1>, EnrichError> {
        let fetch = |backends: Arc<Backends>, sha256: Sha256, ctx: Context| async move {
            Ok(backends.defender.sha1_of(&sha256, &ctx).await?)
        };
        self.resolve((&self.hashes, &scope.shared.hashes), sha256.clone(), scope, fetch).await
    }

    /// Resolves a name or a hash, from this request, from the cache or by `fetch`.
    async fn resolve<K, V, F>(
        &self,
        (cache, requested): (&AnswerCache<K, V, EnrichError>, &OncePerRequest<K, V>),
        key: K,
        scope: &RequestScope<'_>,
        fetch: impl Fn(Arc<Backends>, K, Context) -> F,
    ) -> Result<V, EnrichError>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Cacheable,
        F: Future<Output = Result<V, EnrichError>> + Send + 'static,
    {
        let fetch = || {
            let fetch = fetch(self.backends.clone(), key.clone(), scope.ctx.for_name_lookup());
            let permits = scope.shared.name_permits.clone();
            async move {
                let _permit = permits.acquire().await;
                fetch.await
            }
        };
        let cached = cache.get_or_fetch(key.clone(), scope.ctx.deadline, fetch);
        Ok(requested.get_or_init(key.clone(), cached).await?.value)
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
