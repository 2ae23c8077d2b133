//! Paging of lists: how many pages are read, and which next links are followed.

use crate::domain::shared_str::SharedStr;
use url::Url;

use super::address::is_within;

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
