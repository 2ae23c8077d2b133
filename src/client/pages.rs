//! Reading a list on: how far, and never away from the API's own origin.

use crate::domain::shared_str::SharedStr;
use url::Url;

use super::address::is_within;

/// How many bodies of one answer are read.
const MAX_PAGES: usize = 20;
/// At how many bytes of one answer reading ends.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// Why a list is not read on, although Microsoft named a next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PagingStop {
    /// Enough was read.
    Enough,
    /// The next page is not on the API's own origin, or not below the root of its paths.
    Elsewhere,
    /// The next page was asked for already.
    Again,
}

impl PagingStop {
    /// What the caller is told, `shown` alerts having come.
    pub(crate) fn detail(self, shown: usize) -> String {
        match self {
            Self::Enough => format!("Only the first {shown} alerts were read: Microsoft has more."),
            Self::Again => "Microsoft's list goes round in a circle; what came is shown.".to_owned(),
            Self::Elsewhere => {
                "Microsoft's next page is at another address, which is not asked; what came is shown.".to_owned()
            }
        }
    }
}

/// The next page, where it may be asked for after the bodies that were read.
pub(crate) fn next_page(link: &str, base: &Url, root: &str, read: &[SharedStr]) -> Result<Url, PagingStop> {
    let next = Url::parse(link).ok().filter(|next| is_within(next, base, root)).ok_or(PagingStop::Elsewhere)?;
    let bytes: usize = read.iter().map(|body| body.len()).sum();
    if read.len() < MAX_PAGES && bytes < MAX_BYTES { Ok(next) } else { Err(PagingStop::Enough) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_on_ends() {
        let base = Url::parse("https://defender.example").expect("a URL");
        let on = |link: &str, read: &[SharedStr]| next_page(link, &base, "api", read).map(String::from);
        let link = "https://defender.example/api/alerts?$skip=1";
        let page = SharedStr::of_static("{}");
        assert_eq!(on(link, &vec![page.clone(); MAX_PAGES - 1]).as_deref(), Ok(link));
        assert_eq!(on(link, &vec![page.clone(); MAX_PAGES]), Err(PagingStop::Enough));
        assert_eq!(on(link, &[SharedStr::from(" ".repeat(MAX_BYTES))]), Err(PagingStop::Enough));
        assert_eq!(on("https://evil.example/api/alerts", std::slice::from_ref(&page)), Err(PagingStop::Elsewhere));
        assert_eq!(on("not a link", &[page]), Err(PagingStop::Elsewhere));
    }
}
