//! How an address or a domain is named.

use std::net::{IpAddr, SocketAddr};

use url::Host;

/// A network address, of version 4 or 6.
///
/// It is written in the canonical form of RFC 5952.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpAddress(IpAddr);

impl IpAddress {
    /// Takes an address in any textual form; a zone id, a port and brackets are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
        let inner = || text.strip_prefix('[')?.strip_suffix(']');
        let bare = inner().unwrap_or(text);
        let without_zone = bare.split_once('%').map_or(bare, |(address, _)| address);
        without_zone.parse().ok().or_else(with_port).map(Self)
    }
}

impl std::fmt::Display for IpAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A DNS name of at least two labels, in lower case; international names in punycode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Takes a DNS name; one trailing dot is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let Ok(Host::Domain(name)) = Host::parse(text) else { return None };
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let fits = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
        fits.then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_any_form_is_canonical() {
        for (text, canonical) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:8443", "192.0.2.7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            let address = IpAddress::parse(text).map(|address| address.to_string());
            assert_eq!(address.as_deref(), Some(canonical), "{text}");
        }
        for text in ["", "192.0.2", "256.0.2.7", "desk-042", "1", "0x7f.1", "192.0.2.7/24"] {
            assert_eq!(IpAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_domain_is_a_dns_name() {
        for (text, canonical) in [
            ("Evil.Example", "evil.example"),
            ("evil.example.", "evil.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("_dmarc.contoso.com", "_dmarc.contoso.com"),
        ] {
            let name = DomainName::parse(text);
            assert_eq!(name.as_ref().map(DomainName::as_str), Some(canonical), "{text}");
        }
        for text in ["", ".", "evil", "evil..example", "192.0.2.7", "a b.example", "evil.example/x", "x'.example"] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
    }
}
