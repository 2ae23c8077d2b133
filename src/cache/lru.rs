//! A least recently used (LRU) cache with a limit of weight and of age.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::timestamp::Timestamp;

/// A cache that evicts the least recently used entry first. Eviction scans all entries, because insertions are rare: each
/// follows a call or a request.
#[derive(Debug)]
pub(crate) struct LruCache<K, V> {
    max_weight: usize,
    lifetime: Duration,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// The number of uses so far. It serves as a clock that never stands still.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    stored_at: Timestamp,
    last_use: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> LruCache<K, V> {
    /// Creates a cache for this weight. Each entry expires after `lifetime`.
    pub(crate) fn new(max_weight: usize, lifetime: Duration) -> Self {
        Self { max_weight, lifetime, entries: Mutex::new(Entries { by_key: HashMap::new(), uses: 0 }) }
    }

    /// Returns the value of this key, if it has not expired.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let uses = entries.uses;
        let entry = entries.by_key.get_mut(key).filter(|entry| entry.stored_at.age_at(now) < self.lifetime)?;
        entry.last_use = uses;
        Some(entry.value.clone())
    }

    /// Stores a value, unless it alone exceeds the weight limit. Returns whether the key already had a value.
    pub(crate) fn put(&self, key: K, value: V, weight: usize, now: Timestamp) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.retain(|_, entry| entry.stored_at.age_at(now) < self.lifetime);
        let was_present = entries.by_key.remove(&key).is_some();
        if weight > self.max_weight {
            return was_present;
        }
        let mut excess = (entries.weight() + weight).saturating_sub(self.max_weight);
        while excess > 0
            && let Some(key) = entries.least_recently_used_key()
        {
            excess = excess.saturating_sub(entries.by_key.remove(&key).map_or(0, |entry| entry.weight));
        }
        entries.uses += 1;
        let last_use = entries.uses;
        entries.by_key.insert(key, Entry { value, weight, stored_at: now, last_use });
        was_present
    }
}

impl<K: Clone, V> Entries<K, V> {
    fn weight(&self) -> usize {
        self.by_key.values().map(|entry| entry.weight).sum()
    }

    /// Returns the least recently used key.
    fn least_recently_used_key(&self) -> Option<K> {
        self.by_key.iter().min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn the_least_recently_used_entry_is_evicted_first() {
        let cache = LruCache::new(3, HOUR);
        for key in ["a", "b", "c"] {
            assert!(!cache.put(key, key.len(), 1, at(0)));
        }
        assert_eq!(cache.get(&"a", at(1)), Some(1));
        assert!(!cache.put("d", 1, 1, at(2)));
        let kept: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|key| cache.get(key, at(3)).is_some()).collect();
        assert_eq!(kept, ["a", "c", "d"]);
    }

    #[test]
    fn the_weight_limit_always_holds() {
        let cache = LruCache::new(10, HOUR);
        for key in 0..100 {
            cache.put(key, (), 1 + key % 4, at(0));
            assert!(cache.entries.lock().expect("a lock").weight() <= 10);
        }
        assert!(!cache.put(7, (), 11, at(0)));
        assert_eq!(cache.get(&7, at(0)), None);
        assert!(cache.get(&99, at(0)).is_some(), "a value that is too heavy evicts nothing");
    }

    #[test]
    fn a_new_value_replaces_the_old_one() {
        let cache = LruCache::new(10, HOUR);
        cache.put("a", 1, 6, at(0));
        assert!(cache.put("a", 2, 6, at(1)));
        assert_eq!(cache.get(&"a", at(1)), Some(2));
    }

    #[test]
    fn entries_expire() {
        let cache = LruCache::new(10, HOUR);
        cache.put("a", 1, 1, at(0));
        assert_eq!(cache.get(&"a", at(3599)), Some(1));
        assert_eq!(cache.get(&"a", at(3600)), None);
        assert!(!cache.put("b", 2, 1, at(3600)));
        assert_eq!(cache.entries.lock().expect("a lock").by_key.len(), 1);
    }
}
