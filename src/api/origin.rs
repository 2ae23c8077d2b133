//! Protects a service without authentication from web pages. A page in a browser on this machine can send requests to
//! it, and with a host name that resolves to this machine (DNS rebinding) it could read the answers.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;
use http::{HeaderMap, Uri, header};

/// The address that a service without authentication listens on. Requests have to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnAddress(pub SocketAddr);

impl OwnAddress {
    /// Whether the Host header names this service, and the page that sends the request, if any, has the same origin.
    ///
    /// The port is not compared: a forwarded port has another number outside.
    pub(super) fn admits(self, uri: &Uri, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let named = uri.authority().cloned().or_else(|| text(header::HOST.as_str())?.parse().ok());
        let Some(host) = named.filter(|host: &Authority| self.is_named(host.host())) else { return false };
        let origin = text(header::ORIGIN.as_str());
        let is_same = origin.is_none_or(|origin| {
            origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str()))
        });
        // A browser sends no Origin with a plain GET. Following a link to the page is harmless.
        let is_cross_site = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
        let is_navigation = text("sec-fetch-mode") == Some("navigate") && matches!(uri.path(), "/" | "/v1/");
        is_same && (!is_cross_site || is_navigation)
    }

    fn is_named(self, host: &str) -> bool {
        if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
            return true;
        }
        let own = self.0.ip();
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        literal.parse().is_ok_and(|named: IpAddr| {
            own.is_unspecified() || named == own || (own.is_loopback() && named.is_loopback())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(listening: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        let own = OwnAddress(listening.parse().expect("an address"));
        own.admits(&uri.parse().expect("a target"), &headers.collect())
    }

    #[test]
    fn foreign_hosts_are_rejected() {
        for host in ["127.0.0.1:9000", "localhost:9000", "LOCALHOST", "localhost.:9000", "[::1]:9000", "127.0.0.1:8080"]
        {
            assert!(admits("127.0.0.1:9000", "/", &[("host", host)]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9000",
            "localhost.evil.example",
            "192.0.2.7:9000",
            "a b",
            "127.0.0.1.evil.example",
        ] {
            assert!(!admits("127.0.0.1:9000", "/", &[("host", host)]), "{host}");
        }
        assert!(!admits("127.0.0.1:9000", "/", &[]));
        assert!(!admits("127.0.0.1:9000", "http://evil.example/", &[("host", "localhost")]));
        assert!(admits("0.0.0.0:9000", "/", &[("host", "192.0.2.7:9000")]));
        assert!(!admits("0.0.0.0:9000", "/", &[("host", "evil.example")]));
        assert!(!admits("192.0.2.7:9000", "/", &[("host", "192.0.2.8")]));
    }

    #[test]
    fn foreign_pages_are_rejected() {
        let with = |uri: &str, name, value, mode| {
            admits("127.0.0.1:9000", uri, &[("host", "localhost:9000"), (name, value), ("sec-fetch-mode", mode)])
        };
        assert!(with("/v1/enrich", "origin", "http://localhost:9000", "cors"));
        for origin in
            ["null", "", "http://evil.example", "https://localhost:9000", "http://localhost:3000", "http://localhost"]
        {
            assert!(!with("/v1/enrich", "origin", origin, "cors"), "{origin}");
        }
        for (site, mode, uri, expected) in [
            ("same-origin", "cors", "/v1/enrich", true),
            ("none", "navigate", "/v1/enrich", true),
            ("cross-site", "no-cors", "/v1/enrich?machine=x", false),
            ("same-site", "no-cors", "/v1/enrich?machine=x", false),
            ("cross-site", "navigate", "/v1/enrich?machine=x&notify=soc", false),
            ("cross-site", "navigate", "/", true),
        ] {
            assert_eq!(with(uri, "sec-fetch-site", site, mode), expected, "{site} {mode} {uri}");
        }
    }
}
