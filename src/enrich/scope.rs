//! What one request has asked already: within a request, equal questions cost one call, remembered or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::key::Key;
use super::resolve::{Name, Resolution};
use super::{Context, EnrichError};
use crate::cache::Recalled;
use crate::domain::findings::Findings;

/// One request.
pub(super) struct Scope<'r> {
    pub(super) ctx: &'r Context,
    pub(super) findings: Once<Key, Arc<Findings>>,
    pub(super) names: Once<Name, Resolution>,
}

impl<'r> Scope<'r> {
    pub(super) fn new(ctx: &'r Context) -> Self {
        Self { ctx, findings: Once::new(), names: Once::new() }
    }
}

type Outcome<V> = Result<Recalled<V>, EnrichError>;

/// The outcome of each question, from the first time on.
pub(super) struct Once<K, V> {
    outcomes: Mutex<HashMap<K, Arc<OnceCell<Outcome<V>>>>>,
}

impl<K: Eq + Hash, V: Clone> Once<K, V> {
    fn new() -> Self {
        Self { outcomes: Mutex::default() }
    }

    /// The outcome of this question; `ask` is awaited only by the first who wants it.
    pub(super) async fn once(&self, key: K, ask: impl Future<Output = Outcome<V>>) -> Outcome<V> {
        let cell = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_init(|| ask).await.clone()
    }
}
