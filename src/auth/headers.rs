//! API keys in request headers: `X-Api-Key`, a bearer token, or the password of Basic authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// The API key of a request, if there is one. Keys in the query string are not accepted, because URLs end up in logs.
pub(super) fn key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let own = headers.get("x-api-key").map(|value| value.as_bytes().to_vec()).filter(|key| !key.is_empty());
    own.or_else(|| authorization(headers.get(header::AUTHORIZATION)?.to_str().ok()?)).filter(|key| !key.is_empty())
}

fn authorization(value: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        return decoded.get(colon + 1..).map(<[u8]>::to_vec);
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key_of(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        key(&headers).map(|key| String::from_utf8(key).expect("text"))
    }

    #[test]
    fn an_empty_header_does_not_hide_another() {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static(""));
        headers.insert("authorization", HeaderValue::from_static("Bearer k"));
        assert_eq!(key(&headers).as_deref(), Some(&b"k"[..]));
        headers.insert("x-api-key", HeaderValue::from_static("own"));
        assert_eq!(key(&headers).as_deref(), Some(&b"own"[..]));
    }

    #[test]
    fn a_key_is_read_from_each_supported_header() {
        assert_eq!(key_of("x-api-key", "k").as_deref(), Some("k"));
        assert_eq!(key_of("authorization", "Bearer k").as_deref(), Some("k"));
        assert_eq!(key_of("authorization", "bearer  k ").as_deref(), Some("k"));
        let basic = |text: &str| key_of("authorization", &format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("anyone:k:1").as_deref(), Some("k:1"));
        assert_eq!(basic(":k").as_deref(), Some("k"));
        for (name, value) in [
            ("x-api-key", ""),
            ("authorization", "Digest k"),
            ("authorization", "Basic %%%"),
            ("authorization", "Bearer "),
        ] {
            assert_eq!(key_of(name, value), None, "{name}: {value}");
        }
        assert_eq!(basic("no colon"), None);
        assert_eq!(basic("k:"), None);
    }
}
