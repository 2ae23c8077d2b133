//! Single flight: concurrent requests for one key share one call.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// A call in flight. Every waiter polls the shared future. So it continues when the request that started it is dropped, and
/// is dropped with the last waiter.
pub(super) type SharedCall<T, E> = Shared<BoxFuture<'static, Result<T, E>>>;

type CallsByKey<K, T, E> = HashMap<K, WeakShared<BoxFuture<'static, Result<T, E>>>>;

/// The calls in flight, by key.
pub(super) struct SingleFlightGroup<K, T, E>
where
    Result<T, E>: Clone,
{
    calls: Mutex<CallsByKey<K, T, E>>,
}

/// The number of entries above which abandoned calls are removed.
const SWEEP_THRESHOLD_ENTRIES: usize = 256;

impl<K, T, E> SingleFlightGroup<K, T, E>
where
    K: Clone + Eq + Hash,
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self { calls: Mutex::default() }
    }

    /// Returns the call for a key, and whether this request started it.
    pub(super) fn join<Fut>(&self, key: &K, start: impl FnOnce() -> Fut) -> (SharedCall<T, E>, bool)
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut calls = self.lock();
        if let Some(call) = calls.get(key).and_then(WeakShared::upgrade) {
            return (call, false);
        }
        let call = start().boxed().shared();
        if calls.len() > SWEEP_THRESHOLD_ENTRIES {
            calls.retain(|_, call| call.upgrade().is_some());
        }
        if let Some(weak) = call.downgrade() {
            calls.insert(key.clone(), weak);
        }
        (call, true)
    }

    /// Removes a finished call. A later request for the key starts another.
    pub(super) fn remove_finished(&self, key: &K, finished: &SharedCall<T, E>) {
        let mut calls = self.lock();
        let is_same = |call: SharedCall<T, E>| call.ptr_eq(finished);
        if calls.get(key).is_some_and(|call| call.upgrade().is_none_or(is_same)) {
            calls.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, CallsByKey<K, T, E>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
