//! Values within a bound of weight and of age. Whichever was not asked for longest goes first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::timestamp::Timestamp;

/// To make room, all that is there is looked at: insertions are rare, for each has cost a call or came with one.
#[derive(Debug)]
pub(crate) struct LruCache<K, V> {
    most: usize,
    lifetime: Duration,
    places: Mutex<Places<K, V>>,
}

#[derive(Debug)]
struct Places<K, V> {
    of: HashMap<K, Place<V>>,
    /// How often anything was asked for: a clock that always moves on.
    uses: u64,
}

#[derive(Debug)]
struct Place<V> {
    value: V,
    weight: usize,
    since: Timestamp,
    last_use: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> LruCache<K, V> {
    /// Room for so much weight, of which each is forgotten after `lifetime`.
    pub(crate) fn new(most: usize, lifetime: Duration) -> Self {
        Self { most, lifetime, places: Mutex::new(Places { of: HashMap::new(), uses: 0 }) }
    }

    /// What is there under this key.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.uses += 1;
        let uses = places.uses;
        let place = places.of.get_mut(key).filter(|place| place.since.age_at(now) < self.lifetime)?;
        place.last_use = uses;
        Some(place.value.clone())
    }

    /// Puts a value there, unless it is heavier than all there is room for. Whether one was there before.
    pub(crate) fn put(&self, key: K, value: V, weight: usize, now: Timestamp) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.of.retain(|_, place| place.since.age_at(now) < self.lifetime);
        let was_there = places.of.remove(&key).is_some();
        if weight > self.most {
            return was_there;
        }
        let mut excess = (places.weight() + weight).saturating_sub(self.most);
        while excess > 0
            && let Some(idlest) = places.idlest()
        {
            excess = excess.saturating_sub(places.of.remove(&idlest).map_or(0, |place| place.weight));
        }
        places.uses += 1;
        let last_use = places.uses;
        places.of.insert(key, Place { value, weight, since: now, last_use });
        was_there
    }
}

impl<K: Clone, V> Places<K, V> {
    fn weight(&self) -> usize {
        self.of.values().map(|place| place.weight).sum()
    }

    /// The one that was not asked for longest.
    fn idlest(&self) -> Option<K> {
        self.of.iter().min_by_key(|(_, place)| place.last_use).map(|(key, _)| key.clone())
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
    fn whoever_was_not_asked_for_longest_goes_first() {
        let shelf = LruCache::new(3, HOUR);
        for key in ["a", "b", "c"] {
            assert!(!shelf.put(key, key.len(), 1, at(0)));
        }
        assert_eq!(shelf.get(&"a", at(1)), Some(1));
        assert!(!shelf.put("d", 1, 1, at(2)));
        let there: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|key| shelf.get(key, at(3)).is_some()).collect();
        assert_eq!(there, ["a", "c", "d"]);
    }

    #[test]
    fn the_bound_of_weight_holds_at_once() {
        let shelf = LruCache::new(10, HOUR);
        for key in 0..100 {
            shelf.put(key, (), 1 + key % 4, at(0));
            assert!(shelf.places.lock().expect("a lock").weight() <= 10);
        }
        assert!(!shelf.put(7, (), 11, at(0)));
        assert_eq!(shelf.get(&7, at(0)), None);
        assert!(shelf.get(&99, at(0)).is_some(), "too much for it takes nothing's place");
    }

    #[test]
    fn a_later_value_takes_the_place_of_an_earlier() {
        let shelf = LruCache::new(10, HOUR);
        shelf.put("a", 1, 6, at(0));
        assert!(shelf.put("a", 2, 6, at(1)));
        assert_eq!(shelf.get(&"a", at(1)), Some(2));
    }

    #[test]
    fn what_is_old_is_gone() {
        let shelf = LruCache::new(10, HOUR);
        shelf.put("a", 1, 1, at(0));
        assert_eq!(shelf.get(&"a", at(3599)), Some(1));
        assert_eq!(shelf.get(&"a", at(3600)), None);
        assert!(!shelf.put("b", 2, 1, at(3600)));
        assert_eq!(shelf.places.lock().expect("a lock").of.len(), 1);
    }
}
