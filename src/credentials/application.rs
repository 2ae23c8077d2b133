//! A name for the application that calls Microsoft, which counts calls for each.

use ring::digest::{SHA256, digest};

/// A digest of a tenant and an application, from which neither can be read. Equal ones share one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ApplicationId([u8; 32]);

impl ApplicationId {
    /// The application of a tenant. Both are compared without regard to case.
    pub(super) fn new(tenant_id: &str, client_id: &str) -> Self {
        let mut id = [0; 32];
        let name = format!("{tenant_id} {client_id}").to_ascii_lowercase();
        id.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
        Self(id)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
