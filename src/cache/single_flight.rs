//! Questions that are on their way: whoever asks the same meanwhile waits for the same answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// One question on its way. Whoever waits for it drives it: it goes on when the one who began goes away, and ends when
/// nobody waits any more.
pub(super) type SharedCall<T, E> = Shared<BoxFuture<'static, Result<T, E>>>;

type Known<K, T, E> = HashMap<K, WeakShared<BoxFuture<'static, Result<T, E>>>>;

/// The flights that are under way.
pub(super) struct SingleFlightGroup<K, T, E>
where
    Result<T, E>: Clone,
{
    known: Mutex<Known<K, T, E>>,
}

/// Abandoned flights are swept out when there are more than this.
const MANY: usize = 256;

impl<K, T, E> SingleFlightGroup<K, T, E>
where
    K: Clone + Eq + Hash,
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self { known: Mutex::default() }
    }

    /// The flight for a key, and whether it begins with this call.
    pub(super) fn join<Fut>(&self, key: &K, begin: impl FnOnce() -> Fut) -> (SharedCall<T, E>, bool)
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut known = self.lock();
        if let Some(flight) = known.get(key).and_then(WeakShared::upgrade) {
            return (flight, false);
        }
        let flight = begin().boxed().shared();
        if known.len() > MANY {
            known.retain(|_, flight| flight.upgrade().is_some());
        }
        if let Some(weak) = flight.downgrade() {
            known.insert(key.clone(), weak);
        }
        (flight, true)
    }

    /// A flight has landed: who asks from now on begins another.
    pub(super) fn leave(&self, key: &K, landed: &SharedCall<T, E>) {
        let mut known = self.lock();
        let is_it = |flight: SharedCall<T, E>| flight.ptr_eq(landed);
        if known.get(key).is_some_and(|flight| flight.upgrade().is_none_or(is_it)) {
            known.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known<K, T, E>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
