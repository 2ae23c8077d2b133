//! URLs of an API: built from path segments, or taken from the next link of a list.

use url::Url;

use super::error::ClientError;
use crate::domain::shared_str::SharedStr;

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
fn is_within(link: &Url, base: &Url, root: &str) -> bool {
    link.origin() == base.origin()
        && link.username().is_empty()
        && link.password().is_none()
        && link.path().starts_with(&format!("{}/{root}/", base.path().trim_end_matches('/')))
}

/// Pages that are read for one answer.
const MAX_PAGES: usize = 20;
/// Bytes after which no further page of an answer is read.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// Why paging stops although Microsoft named a next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PagingStop {
    /// The limit of pages, bytes or alerts is reached.
    LimitReached,
    /// The next link has another origin than the API, or is not below the root of its paths.
    ForeignLink,
    /// The next page was requested before.
    RepeatedLink,
}

impl PagingStop {
    /// The text of the warning for the caller. `alerts` is the number of alerts that were read.
    pub(crate) fn detail(self, alerts: usize) -> String {
        match self {
            Self::LimitReached => format!("Only the first {alerts} alerts were read: Microsoft has more."),
            Self::RepeatedLink => "Microsoft's list goes round in a circle; what came is shown.".to_owned(),
            Self::ForeignLink => {
                "Microsoft's next page is at another address, which is not asked; what came is shown.".to_owned()
            }
        }
    }
}

/// The URL of the next page, if it may be requested after the pages that were `read`.
pub(crate) fn next_page(link: &str, base: &Url, root: &str, read: &[SharedStr]) -> Result<Url, PagingStop> {
    let next = Url::parse(link).ok().filter(|next| is_within(next, base, root)).ok_or(PagingStop::ForeignLink)?;
    let bytes: usize = read.iter().map(|body| body.len()).sum();
    if read.len() < MAX_PAGES && bytes < MAX_BYTES { Ok(next) } else { Err(PagingStop::LimitReached) }
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

    #[test]
    fn paging_stops_at_its_limits_and_at_foreign_links() {
        let base = Url::parse("https://defender.example").expect("a URL");
        let next = |link: &str, read: &[SharedStr]| next_page(link, &base, "api", read).map(String::from);
        let link = "https://defender.example/api/alerts?$skip=1";
        let page = SharedStr::of_static("{}");
        assert_eq!(next(link, &vec![page.clone(); MAX_PAGES - 1]).as_deref(), Ok(link));
        assert_eq!(next(link, &vec![page.clone(); MAX_PAGES]), Err(PagingStop::LimitReached));
        assert_eq!(next(link, &[SharedStr::from(" ".repeat(MAX_BYTES))]), Err(PagingStop::LimitReached));
        assert_eq!(next("https://evil.example/api/alerts", std::slice::from_ref(&page)), Err(PagingStop::ForeignLink));
        assert_eq!(next("not a link", &[page]), Err(PagingStop::ForeignLink));
    }
}
