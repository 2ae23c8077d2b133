//! Network addresses, domains, the host of a URL, and the public list of top-level domains.

use std::net::{IpAddr, SocketAddrV4};

use url::{Host, Url};

use super::Subject;

/// A network address, of version 4 or 6.
///
/// It is written in the canonical form of RFC 5952.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpAddress(IpAddr);

impl IpAddress {
    /// Parses an address in any textual form. A zone id, a port and brackets are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(inside) = text.strip_prefix('[') else {
            // Only an IPv4 address can have a port without brackets.
            let with_port = || text.parse::<SocketAddrV4>().map(|address| IpAddr::V4(*address.ip())).ok();
            return parse_bare(text).or_else(with_port).map(Self::canonical);
        };
        let (address, port) = inside.split_once(']')?;
        let is_port = |port: &str| port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
        (port.is_empty() || is_port(port)).then(|| parse_bare(address))?.map(Self::canonical)
    }

    /// Converts an IPv4-mapped IPv6 address (`::ffff:192.0.2.7`) to IPv4, the form in which Defender knows it.
    fn canonical(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// Whether a text has only digits and dots: it is an address, possibly mistyped, and not a name.
    pub(in crate::domain) fn looks_like(text: &str) -> bool {
        text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    }
}

/// Parses an address without port and brackets. An IPv6 address may have a zone.
fn parse_bare(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((_, "")) => None,
        Some((address, _)) => address.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
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
    /// Parses a DNS name; one trailing dot is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        // The parser would decode percent-encoding, which a name does not have.
        if text.contains('%') {
            return None;
        }
        let Ok(Host::Domain(name)) = Host::parse(text) else { return None };
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let fits = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
        fits.then_some(Self(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the host of a URL, without its port, user, path and query. The scheme may be missing (`evil.example/x`).
pub(super) fn host_of_url(text: &str) -> Option<Subject> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    let Some((_, authority)) = text.split_once("://") else {
        return host_without_scheme(text);
    };
    // The parser would accept a host after any number of slashes.
    if authority.starts_with(['/', '\\']) {
        return None;
    }
    match Url::parse(text).ok()?.host()? {
        Host::Ipv4(address) => Some(Subject::Ip(IpAddress(address.into()))),
        Host::Ipv6(address) => Some(Subject::Ip(IpAddress(address.into()))),
        Host::Domain(name) => {
            IpAddress::parse(name).map(Subject::Ip).or_else(|| DomainName::parse(name).map(Subject::Domain))
        }
    }
}

fn host_without_scheme(text: &str) -> Option<Subject> {
    if let Some(address) = IpAddress::parse(text) {
        return Some(Subject::Ip(address));
    }
    // `mailto:dana@contoso.com` is not a URL of contoso.com.
    let url = Url::parse(&format!("http://{text}")).ok().filter(|_| !text.contains(['@', '\\']))?;
    match url.host()? {
        Host::Domain(name) => DomainName::parse(name).map(Subject::Domain).filter(|_| !text.starts_with('/')),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Whether a dotted name ends in a top-level domain of IANA's list, in any case. One trailing dot is permitted.
///
/// `invoice.xll` and `desk-042.corp.local` do not. Some top-level domains are also file extensions: `setup.zip`, `run.sh`.
pub fn ends_in_public_tld(name: &str) -> bool {
    let Some((before, last)) = name.strip_suffix('.').unwrap_or(name).rsplit_once('.') else { return false };
    // The list has international names in punycode, which the parser of hosts makes.
    let is_public = |last: &str| matches!(Host::parse(last), Ok(Host::Domain(label)) if tld::exist(&label));
    !before.is_empty() && if last.is_ascii() { tld::exist(&last.to_ascii_lowercase()) } else { is_public(last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_becomes_canonical() {
        for (text, canonical) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:8443", "192.0.2.7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25en1]:22", "fe80::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[192.0.2.7]", "192.0.2.7"),
        ] {
            let address = IpAddress::parse(text).map(|address| address.to_string());
            assert_eq!(address.as_deref(), Some(canonical), "{text}");
        }
        for text in [
            "",
            "192.0.2",
            "0x7f.1",
            "192.0.2.7/24",
            "[::1",
            "::1]",
            "%eth0",
            "fe80::1%",
            "192.0.2.7%eth0",
            "[::1]:x",
            "[::1]x",
            "2001:db8::7:65536",
        ] {
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
        for text in [
            "",
            ".",
            "evil",
            "evil..example",
            "192.0.2.7",
            "a b.example",
            "evil.example/x",
            "x'.example",
            "%65vil.example",
            "*.example",
            "evil.example..",
            "x|take.example",
        ] {
            assert_eq!(DomainName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_host_of_a_url_is_found() {
        for (text, host) in [
            ("HTTPS://EVIL.Example:8443/a/b?c=d#e", "evil.example"),
            ("http://name:word@evil.example/", "evil.example"),
            ("ftp://evil.example./x", "evil.example"),
            ("ldap://evil.example:1389/a", "evil.example"),
            ("https://bücher.example/?q=1", "xn--bcher-kva.example"),
            ("evil.example:8443/x", "evil.example"),
            ("https://[2001:DB8::7]:8443/x", "2001:db8::7"),
            ("https://other.example.com@192.0.2.7/", "192.0.2.7"),
            ("tcp://192.0.2.7:4444", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(host_of_url(text).map(|subject| subject.id()).as_deref(), Some(host), "{text}");
        }
        for text in [
            "",
            "not a url",
            "javascript:alert(1)",
            "https://",
            "http:///x",
            "http:////evil.example",
            "data:text/html,x",
            "mailto:a@b.example",
            "https://exa mple/",
            "file:///etc/passwd",
            "http://desk-042/",
            "//evil.example/x",
            "192.0.2.7/24",
        ] {
            assert_eq!(host_of_url(text), None, "{text}");
        }
    }

    #[test]
    fn host_names_end_in_a_public_tld_and_file_names_do_not() {
        for name in ["EVIL.Com", "evil.com.", "lure.wingtiptoys.co.uk", "setup.zip", "bücher.рф", "x.xn--p1ai", "..com"]
        {
            assert!(ends_in_public_tld(name), "{name}");
        }
        for name in [
            "",
            ".",
            "com",
            ".com",
            "com.",
            "evil.com..",
            "desk-042.corp.local",
            "evil.example",
            "a.exe",
            "Trojan:Win32/AgentTesla.AMBB!MTB",
            "192.0.2.7",
            "desk-042",
            "a.c m",
            "a.%63om",
        ] {
            assert!(!ends_in_public_tld(name), "{name}");
        }
    }
}
