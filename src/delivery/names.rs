//! Resolves a destination's host name to allowed addresses. The connection uses the checked addresses themselves, so
//! DNS rebinding between check and connection has no effect.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::address::is_allowed;
use crate::config::DestinationAddresses;

/// A resolver that returns only addresses that a destination may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllowedAddresses(pub(super) DestinationAddresses);

/// The host name has only forbidden addresses.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name leads only to addresses that a destination may not have")]
pub(super) struct AddressNotAllowed;

impl AddressNotAllowed {
    /// Whether this is the cause of an error.
    pub(super) fn is_behind(error: &(dyn std::error::Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_behind)
    }
}

impl AllowedAddresses {
    /// Resolves a name to its allowed addresses.
    pub(super) async fn find(self, name: &str) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let Self(allowed) = self;
        only_allowed(lookup_host((name, 0)).await?, allowed)
    }
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let names = *self;
        Box::pin(async move { names.find(name.as_str()).await })
    }
}

fn only_allowed(
    resolved: impl Iterator<Item = SocketAddr>,
    allowed: DestinationAddresses,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    let resolved: Vec<_> = resolved.collect();
    if resolved.is_empty() {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    let good: Vec<_> = resolved.into_iter().filter(|address| is_allowed(address.ip(), allowed)).collect();
    if good.is_empty() { Err(AddressNotAllowed.into()) } else { Ok(Box::new(good.into_iter())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Result<Vec<String>, bool> {
        let resolved: Vec<SocketAddr> = list.iter().map(|text| text.parse().expect("an address")).collect();
        let passed = only_allowed(resolved.into_iter(), DestinationAddresses::Public);
        passed
            .map(|passed| passed.map(|address| address.to_string()).collect())
            .map_err(|error| AddressNotAllowed::is_behind(&*error))
    }

    #[test]
    fn only_public_addresses_of_a_name_are_used() {
        assert_eq!(addresses(&["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"]), Ok(vec!["1.1.1.1:0".to_owned()]));
    }

    #[test]
    fn name_without_a_public_address_is_rejected() {
        assert_eq!(addresses(&["169.254.169.254:0", "[fd00:ec2::254]:0"]), Err(true));
        assert_eq!(addresses(&[]), Err(false));
    }

    #[tokio::test]
    async fn real_lookup_applies_the_same_rule() {
        let name = || "localhost".parse().expect("a name");
        let refused = AllowedAddresses(DestinationAddresses::Public).resolve(name()).await.err().expect("refused");
        assert!(AddressNotAllowed::is_behind(&*refused), "{refused}");
        let mut resolved =
            AllowedAddresses(DestinationAddresses::PublicAndPrivate).resolve(name()).await.expect("addresses");
        assert!(resolved.all(|address| address.ip().is_loopback()));
    }
}
