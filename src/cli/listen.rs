//! Parses and resolves the address that `serve` listens on.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use tokio::net::lookup_host;

/// A host and a port, as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenAddress {
    host: String,
    port: u16,
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str = "it has to be HOST:PORT, such as 127.0.0.1:9000 or localhost:9000";
        let (host, port) = text.rsplit_once(':').ok_or(PROBLEM)?;
        let port = port.parse().map_err(|_| PROBLEM)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<IpAddr>().map_err(|_| PROBLEM)?.to_string(),
            None if host.is_empty() || host.contains([':', '/', ' ']) => return Err(PROBLEM),
            None => host.to_owned(),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl ListenAddress {
    /// Resolves the host. IPv4 addresses come first, since people usually type those into a client.
    pub(super) async fn resolved(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses: Vec<_> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }
}

/// Explains why listening failed, and what to do.
pub(super) fn explanation(cause: &io::Error) -> String {
    match cause.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there. End it, or take a free port with --listen 127.0.0.1:0".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "this needs more rights. Take a port from 1024 on, such as --listen 127.0.0.1:9000".to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address. Try --listen 127.0.0.1:9000, or 0.0.0.0:9000 for all of its addresses"
                .to_owned()
        }
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_and_addresses_are_accepted() {
        for (text, displayed) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("localhost:0", "localhost:0"),
            ("[::1]:9000", "[::1]:9000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            let address: ListenAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), displayed);
            assert!(!address.resolved().await.expect(text).is_empty());
        }
        let local = "localhost:9000".parse::<ListenAddress>().expect("a name").resolved().await.expect("addresses");
        assert_eq!(local.first(), Some(&SocketAddr::from(([127, 0, 0, 1], 9000))));
    }

    #[test]
    fn invalid_address_is_reported_with_an_example() {
        for text in [
            "9000",
            ":9000",
            "localhost",
            "localhost:",
            "localhost:x",
            "localhost:65536",
            "::1:9000",
            "http://x:1",
            "[x]:1",
        ] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert!(error.contains("127.0.0.1:9000"), "{text}: {error}");
        }
    }
}
