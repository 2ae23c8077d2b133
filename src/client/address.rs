//! URLs of an API: builds them from path segments, and checks whether a link belongs to the API.

use url::Url;

use super::error::ClientError;

/// Builds a URL below a base. Each part of `path` becomes one percent-encoded segment.
pub(crate) fn address(base: &Url, path: &[&str]) -> Result<Url, ClientError> {
    let mut url = base.clone();
    let Ok(mut segments) = url.path_segments_mut() else {
        return Err(ClientError::malformed("the API's address takes no path"));
    };
    segments.pop_if_empty().extend(path);
    drop(segments);
    Ok(url)
}

/// Whether a link has the origin of the API and a path below `root`, the first segment of the API's paths.
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
    fn an_id_is_encoded_as_one_segment() {
        let base = Url::parse("https://defender.example").expect("a URL");
        let url = address(&base, &["api", "users", "a b/../c?d#e%2f", "alerts"]).expect("an address");
        assert_eq!(url.as_str(), "https://defender.example/api/users/a%20b%2F..%2Fc%3Fd%23e%252f/alerts");
    }

    #[test]
    fn only_links_to_the_api_itself_are_within_it() {
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
