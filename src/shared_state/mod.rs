//! What the processes of a deployment share through a table in `DynamoDB`: the calls that each API still allows, and
//! which deliveries were answered. Nothing else is there: no answer, no token, no name.

mod deliveries;
mod quota;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ring::digest::{SHA256, digest};

pub(crate) use deliveries::SharedDeliveries;
use quota::TableQuota;
pub(crate) use table::Table;

use crate::client::SharedQuota;
use crate::clock::Clock;
use crate::config::Settings;
use crate::credentials::TokenCache;

/// Both parts of the shared state.
pub(crate) struct SharedState {
    pub(crate) quota: Arc<dyn SharedQuota>,
    pub(crate) deliveries: SharedDeliveries,
}

impl SharedState {
    /// Uses a table. It makes no call yet.
    pub(crate) fn new(settings: &Settings, table: Arc<Table>, tokens: TokenCache, clock: Clock) -> Self {
        Self {
            quota: Arc::new(TableQuota::new(table.clone(), tokens, settings.call_limits(), clock)),
            deliveries: SharedDeliveries::new(table, settings.caller_secret.as_ref(), clock),
        }
    }
}

/// The key of an item: what it is for, and a digest of what it is about, which must not be readable.
fn item_key(purpose: &str, about: &[&[u8]]) -> String {
    let digest = digest(&SHA256, &about.join(&0));
    format!("{purpose}#{}", hex::encode(digest))
}
