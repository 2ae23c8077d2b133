//! Origins of web pages that may call the service from a browser.

use url::Url;

/// The origins of web pages, as browsers send them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Parses a comma-separated list. `None`: an entry is not an origin.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(parse_origin).collect::<Option<_>>().map(Self)
    }

    /// Whether the value of an `Origin` header is one of these.
    pub(crate) fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }
}

/// Parses `https://HOST` with an optional port. The result is what a browser sends for it.
fn parse_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let has_more = !url.username().is_empty()
        || url.password().is_some()
        || url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some();
    (!has_more).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_as_browsers_send_it() {
        let origins = AllowedOrigins::parse(" https://Chat.Contoso.com/, http://localhost:6274 ,https://b.example:443")
            .expect("origins");
        for origin in ["https://chat.contoso.com", "http://localhost:6274", "https://b.example"] {
            assert!(origins.contains(origin), "{origin}");
        }
        for origin in
            ["", "null", "http://chat.contoso.com", "https://chat.contoso.com.evil.example", "http://localhost"]
        {
            assert!(!origins.contains(origin), "{origin}");
        }
        assert!(!AllowedOrigins::default().contains(""));
    }

    #[test]
    fn other_texts_are_not_origins() {
        for text in [
            "*",
            "null",
            "contoso.com",
            "https://contoso.com/x",
            "https://contoso.com?x",
            "https://a@contoso.com",
            "ftp://contoso.com",
        ] {
            assert_eq!(AllowedOrigins::parse(text), None, "{text}");
        }
    }
}
