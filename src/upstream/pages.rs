//! Reading a list on: how far, and never away from the API's own origin.

use crate::domain::text::Text;
use url::Url;

use super::address::is_within;

/// How many bodies of one answer are read.
const MOST_PAGES: usize = 20;
/// At how many bytes of one answer reading ends.
pub(crate) const MOST_BYTES: usize = 32 << 20;

/// Why a list is not read on, although Microsoft named a next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Enough was read.
    Enough,
    /// The next page is not on the API's own origin, or not below the root of its paths.
    Elsewhere,
    /// The next page was asked for already.
    Again,
}

impl Stop {
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
pub(crate) fn next_page(link: &str, base: &Url, root: &str, read: &[Text]) -> Result<Url, Stop> {
    let next = Url::parse(link).ok().filter(|next| is_within(next, base, root)).ok_or(Stop::Elsewhere)?;
    let bytes: usize = read.iter().map(|body| body.len()).sum();
    if read.len() < MOST_PAGES && bytes < MOST_BYTES { Ok(next) } else { Err(Stop::Enough) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_on_ends() {
        let base = Url::parse("https://defender.example").expect("a URL");
        let on = |link: &str, read: &[Text]| next_page(link, &base, "api", read).map(String::from);
        let link = "https://defender.example/api/alerts?$skip=1";
        let page = Text::of_static("{}");
        assert_eq!(on(link, &vec![page.clone(); MOST_PAGES - 1]).as_deref(), Ok(link));
        assert_eq!(on(link, &vec![page.clone(); MOST_PAGES]), Err(Stop::Enough));
        assert_eq!(on(link, &[Text::from(" ".repeat(MOST_BYTES))]), Err(Stop::Enough));
        assert_eq!(on("https://evil.example/api/alerts", std::slice::from_ref(&page)), Err(Stop::Elsewhere));
        assert_eq!(on("not a link", &[page]), Err(Stop::Elsewhere));
    }
}
