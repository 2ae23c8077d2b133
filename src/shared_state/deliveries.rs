//! The deliveries that any process has answered, so that a repetition costs nothing in another one.

use std::sync::Arc;
use std::time::Duration;

use super::item_key;
use super::table::Table;
use crate::clock::Clock;
use crate::config::SecretId;

/// How long an answered delivery is kept. `PagerDuty` retries for two days.
const DELIVERY_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The answered deliveries of all processes.
#[derive(Clone, Debug)]
pub(crate) struct SharedDeliveries {
    table: Arc<Table>,
    /// The name of the secret that the senders sign with: deployments with other secrets have deliveries of their own.
    caller_secret: Arc<str>,
    clock: Clock,
}

impl SharedDeliveries {
    pub(super) fn new(table: Arc<Table>, caller_secret: Option<&SecretId>, clock: Clock) -> Self {
        Self { table, caller_secret: caller_secret.map_or("", SecretId::as_str).into(), clock }
    }

    /// Whether a process has answered this delivery. If the table does not answer, none has.
    pub(crate) async fn contains(&self, delivery: &[u8]) -> bool {
        let (table, key, now) = (self.table.clone(), self.key(delivery), self.clock.now());
        self.table.attempt(async move { table.contains(&key, now).await }).await.unwrap_or(false)
    }

    /// Records that this process has answered a delivery.
    pub(crate) async fn put(&self, delivery: &[u8]) {
        let (table, key, end) = (self.table.clone(), self.key(delivery), self.clock.now().later(DELIVERY_LIFETIME));
        self.table.attempt(async move { table.put(&key, end).await }).await;
    }

    fn key(&self, delivery: &[u8]) -> String {
        item_key("delivery", &[self.caller_secret.as_bytes(), delivery])
    }
}
