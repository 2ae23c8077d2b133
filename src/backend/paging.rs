//! Reads lists that come in pages. If a page fails, the pages before it are kept.

use std::time::Duration;

use url::Url;

use crate::client::{Api, Call, ClientError, Context, PagingStop, Reply, next_page};
use crate::credentials::{Authorized, CallError};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::{WarningCode, Warnings};
use crate::lenient_json::body::Page;

/// The time that is reserved for writing the answer if a page does not come.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);
/// If other calls follow, the later pages may take one part in this many of the remaining time.
const PAGES_TIME_DIVISOR: u32 = 3;

/// A list, as far as it was read.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    /// The items of the pages that came.
    pub(crate) items: Vec<T>,
    /// The bodies of these pages.
    pub(crate) bodies: Vec<SharedStr>,
    incomplete: Option<Incomplete>,
}

/// Why a list is incomplete.
#[derive(Debug)]
pub(crate) enum Incomplete {
    /// Its next page was not requested.
    Stopped(PagingStop),
    /// The request for its next page failed.
    Failed(CallError),
}

impl Incomplete {
    /// What it means where the whole list is needed.
    pub(crate) fn into_error(self) -> CallError {
        let malformed = |reason| CallError::Client(ClientError::malformed(reason));
        match self {
            Self::Failed(error) => error,
            Self::Stopped(PagingStop::LimitReached) => CallError::Client(ClientError::TooLarge),
            Self::Stopped(PagingStop::ForeignLink) => malformed("a list that goes on at another address"),
            Self::Stopped(PagingStop::RepeatedLink) => malformed("a list that goes round in a circle"),
        }
    }
}

/// How the pages of a list are requested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging<'r> {
    /// The API whose quota and token are used.
    pub(crate) api: Api,
    /// The permission that the route needs. A 403 error names it.
    pub(crate) permission: &'static str,
    /// The base URL of the API.
    pub(crate) base: &'r Url,
    /// The first segment of its paths.
    pub(crate) root: &'static str,
    /// The `Prefer` header.
    pub(crate) prefer: Option<&'static str>,
    /// Whether other calls follow that depend on the list and need time.
    pub(crate) calls_follow: bool,
}

impl<T> Listing<T> {
    /// Creates a list from the items and bodies of the first page.
    pub(crate) fn of(items: Vec<T>, bodies: Vec<SharedStr>) -> Self {
        Self { items, bodies, incomplete: None }
    }

    /// Returns why the list is incomplete, if it is.
    pub(crate) fn into_incomplete(self) -> Option<Incomplete> {
        self.incomplete
    }

    /// Returns the list, or why it is incomplete if it is empty: an item may be on the pages that were not read.
    pub(crate) fn error_if_empty(self) -> Result<Self, CallError> {
        match self.incomplete {
            Some(incomplete) if self.items.is_empty() => Err(incomplete.into_error()),
            incomplete => Ok(Self { incomplete, ..self }),
        }
    }

    /// Whether no page failed. A page that failed may succeed another time.
    pub(crate) fn is_complete(&self) -> bool {
        !matches!(self.incomplete, Some(Incomplete::Failed(_)))
    }

    /// Adds a warning for the caller if the list is incomplete.
    pub(crate) fn warn_if_incomplete(&self, warnings: &mut Warnings) {
        let count = self.items.len();
        match &self.incomplete {
            None => {}
            Some(Incomplete::Stopped(stop)) => warnings.add(WarningCode::Partial, stop.detail(count)),
            Some(Incomplete::Failed(CallError::Client(ClientError::TooLarge))) => {
                warnings.add(WarningCode::Partial, PagingStop::LimitReached.detail(count));
            }
            Some(Incomplete::Failed(_)) if count == 0 => {
                warnings
                    .add(WarningCode::Partial, "No alert came: Microsoft's list of them failed. Ask again.".to_owned());
            }
            Some(Incomplete::Failed(_)) => {
                let detail =
                    format!("Only the first {count} alerts came: a later page of Microsoft's list failed. Ask again.");
                warnings.add(WarningCode::Partial, detail);
            }
        }
    }
}

impl Authorized {
    /// Reads the pages that follow, starting at the link to the next page. All must be on the API's own origin. The first
    /// page that fails, with any status, ends the list.
    pub(crate) async fn read_on<T>(
        &self,
        listing: &mut Listing<T>,
        mut link: Option<String>,
        paging: Paging<'_>,
        mut read: impl FnMut(&SharedStr) -> Result<Page<T>, ClientError>,
        ctx: &Context,
    ) {
        let Paging { api, permission, base, root, prefer, calls_follow } = paging;
        let remaining = ctx.deadline.remaining();
        let time = if calls_follow { remaining / PAGES_TIME_DIVISOR } else { remaining.saturating_sub(ANSWER_RESERVE) };
        let ctx = &ctx.within(time);
        let mut requested: Vec<Url> = Vec::new();
        while let Some(next) = link {
            let page = next_page(&next, base, root, &listing.bodies);
            let url = match page
                .and_then(|url| if requested.contains(&url) { Err(PagingStop::RepeatedLink) } else { Ok(url) })
            {
                Ok(url) => url,
                Err(stop) => {
                    listing.incomplete = Some(Incomplete::Stopped(stop));
                    return;
                }
            };
            requested.push(url.clone());
            let call = |token| Call { prefer, ..Call::get(api, url.clone(), token) };
            let body = self.send(api, permission, ctx, call, Reply::into_body).await;
            let page = body.and_then(|body| {
                let page = read(&body).map_err(CallError::Client)?;
                ctx.hold(page.made).map_err(CallError::Client)?;
                Ok((page, body))
            });
            match page {
                Ok((page, body)) => {
                    link = page.append_to(&mut listing.items);
                    listing.bodies.push(body);
                }
                Err(error) => {
                    listing.incomplete = Some(Incomplete::Failed(error_of_later_page(error)));
                    return;
                }
            }
        }
    }
}

/// Converts the error of a later page. On a first page these statuses are about the subject or the API. On a later page
/// they mean that the link of the list is wrong.
fn error_of_later_page(error: CallError) -> CallError {
    match error {
        CallError::Client(ClientError::NotFound | ClientError::Rejected { status: 400 | 403 | 404 | 410 }) => {
            CallError::Client(ClientError::malformed("a list that goes on where nothing is"))
        }
        error => error,
    }
}
