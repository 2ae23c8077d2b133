//! From a destination's name to the addresses that it may have. What passes here is what is connected to: a name that
//! changes its mind between a check and the connection gains nothing.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::address::is_allowed;
use crate::config::DestinationAddresses;

/// Resolves names, and lets through only addresses that a destination may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllowedNames(pub(super) DestinationAddresses);

/// A name that leads only where nothing is posted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name leads only to addresses that a destination may not have")]
pub(super) struct NotAllowed;

impl NotAllowed {
    /// Whether this is what an error stems from.
    pub(super) fn is_behind(error: &(dyn std::error::Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_behind)
    }
}

impl AllowedNames {
    /// The addresses of a name that a destination may have.
    pub(super) async fn find(self, name: &str) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let Self(allowed) = self;
        filtered(lookup_host((name, 0)).await?, allowed)
    }
}

impl Resolve for AllowedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let names = *self;
        Box::pin(async move { names.find(name.as_str()).await })
    }
}

fn filtered(
    found: impl Iterator<Item = SocketAddr>,
    allowed: DestinationAddresses,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    let good: Vec<_> = found.into_iter().filter(|address| is_allowed(address.ip(), allowed)).collect();
    if good.is_empty() { Err(NotAllowed.into()) } else { Ok(Box::new(good.into_iter())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Result<Vec<String>, bool> {
        let found: Vec<SocketAddr> = list.iter().map(|text| text.parse().expect("an address")).collect();
        let passed = filtered(found.into_iter(), DestinationAddresses::Public);
        passed
            .map(|passed| passed.map(|address| address.to_string()).collect())
            .map_err(|error| NotAllowed::is_behind(&*error))
    }

    #[test]
    fn of_several_addresses_only_the_public_ones_are_connected_to() {
        assert_eq!(addresses(&["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"]), Ok(vec!["1.1.1.1:0".to_owned()]));
    }

    #[test]
    fn a_name_without_a_public_address_is_not_connected_to() {
        assert_eq!(addresses(&["169.254.169.254:0", "[fd00:ec2::254]:0"]), Err(true));
        assert_eq!(addresses(&[]), Err(false));
    }

    #[tokio::test]
    async fn a_real_lookup_goes_through_the_same_rule() {
        let name = || "localhost".parse().expect("a name");
        let refused = AllowedNames(DestinationAddresses::Public).resolve(name()).await.err().expect("refused");
        assert!(NotAllowed::is_behind(&*refused), "{refused}");
        let mut found = AllowedNames(DestinationAddresses::PublicAndPrivate).resolve(name()).await.expect("addresses");
        assert!(found.all(|address| address.ip().is_loopback()));
    }
}
