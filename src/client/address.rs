//! Addresses of an API: built by segments, and recognised as its own.

use url::Url;

use super::error::ClientError;

/// An address below a base, each part one percent-encoded segment.
pub(crate) fn address(base: &Url, path: &[&str]) -> Result<Url, ClientError> {
    let mut url = base.clone();
    let Ok(mut segments) = url.path_segments_mut() else {
        return Err(ClientError::malformed("the API's address takes no path"));
    };
    segments.pop_if_empty().extend(path);
    drop(segments);
    Ok(url)
}

/// Whether a link stays on the API's own origin, and below `root`, the first segment of its paths.
pub(super) fn is_within(link: &Url, base: &Url, root: &str) -> bool {
    link.origin() == base.origin()
        && link.username().is_empty()
        && link.password().is_none()
        && link.path().starts_with(&format!("{}/{root}/", base.path().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        let base = Url::parse("https://defender.example").expect("a URL");
        let url = address(&base, &["api", "users", "a b/../c?d#e%2f", "alerts"]).expect("an address");
        assert_eq!(url.as_str(), "https://defender.example/api/users/a%20b%2F..%2Fc%3Fd%23e%252f/alerts");
    }

    #[test]
    fn only_the_own_origin_is_followed() {
        let base = Url::parse("https://defender.example/proxy").expect("a URL");
        for (link, right) in [
            ("https://defender.example/proxy/api/machines/x/alerts?$skip=20", true),
            ("https://defender.example/other", false),
            ("https://defender.example:8443/proxy/api/x", false),
            ("http://defender.example/proxy/api/x", false),
            ("https://defender.example@evil.example/proxy/api/x", false),
            ("https://user@defender.example/proxy/api/x", false),
        ] {
            assert_eq!(is_within(&Url::parse(link).expect("a URL"), &base, "api"), right, "{link}");
        }
    }
}
