//! Lists that come in pages: what came before stays, whatever becomes of a page after it.

use std::time::Duration;

use url::Url;

use crate::client::{Api, Call, ClientError, Context, PagingStop, Reply, next_page};
use crate::credentials::{Authorized, CallError};
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::{WarningCode, Warnings};
use crate::lenient_json::body::Page;

/// Time that is left for the answer when a page does not come.
const SPARED: Duration = Duration::from_millis(150);
/// Of the time that is left, one in so many parts is for the later pages, where other calls follow.
const SHARE_OF_PAGES: u32 = 3;

/// A list, as far as it was read.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    /// What is on the pages that came.
    pub(crate) items: Vec<T>,
    /// The pages.
    pub(crate) bodies: Vec<SharedStr>,
    unread: Option<Unread>,
}

/// Why a list was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Its next page is not asked for.
    Stopped(PagingStop),
    /// Its next page did not come.
    Failed(CallError),
}

/// How the pages of a list are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging<'r> {
    /// Out of whose quota, with whose token.
    pub(crate) api: Api,
    /// What the route needs, to be named when it lacks.
    pub(crate) permission: &'static str,
    /// The API's own origin.
    pub(crate) base: &'r Url,
    /// The first segment of its paths.
    pub(crate) root: &'static str,
    /// The `Prefer` header.
    pub(crate) prefer: Option<&'static str>,
    /// Whether other calls need what is read, and time.
    pub(crate) calls_follow: bool,
}

impl<T> Listing<T> {
    /// What is on the pages that came before others are asked for.
    pub(crate) fn of(items: Vec<T>, bodies: Vec<SharedStr>) -> Self {
        Self { items, bodies, unread: None }
    }

    /// Why it was not read to its end, if it was not.
    pub(crate) fn into_unread(self) -> Option<Unread> {
        self.unread
    }

    /// The list; or, where nothing has come, why the page failed that could have brought something.
    pub(crate) fn unless_nothing_came(self) -> Result<Self, CallError> {
        match self.unread {
            Some(Unread::Failed(error)) if self.items.is_empty() => Err(error),
            unread => Ok(Self { unread, ..self }),
        }
    }

    /// Whether another time more could come.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.unread, Some(Unread::Failed(_)))
    }

    /// Tells the caller of the answer that this is not all.
    pub(crate) fn note_unread(&self, notes: &mut Warnings) {
        let shown = self.items.len();
        match &self.unread {
            None => {}
            Some(Unread::Stopped(stop)) => notes.add(WarningCode::Partial, stop.detail(shown)),
            Some(Unread::Failed(CallError::Upstream(ClientError::TooLarge))) => {
                notes.add(WarningCode::Partial, PagingStop::Enough.detail(shown));
            }
            Some(Unread::Failed(_)) if shown == 0 => {
                notes
                    .add(WarningCode::Partial, "No alert came: Microsoft's list of them failed. Ask again.".to_owned());
            }
            Some(Unread::Failed(_)) => {
                let detail =
                    format!("Only the first {shown} alerts came: a later page of Microsoft's list failed. Ask again.");
                notes.add(WarningCode::Partial, detail);
            }
        }
    }
}

impl Authorized {
    /// Reads a list on from the link to its next page, on the API's own origin. A page that fails, whatever its status,
    /// ends it.
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
        let time = if calls_follow { remaining / SHARE_OF_PAGES } else { remaining.saturating_sub(SPARED) };
        let ctx = &ctx.within(time);
        let mut asked: Vec<Url> = Vec::new();
        while let Some(next) = link {
            let page = next_page(&next, base, root, &listing.bodies);
            let url = match page.and_then(|url| if asked.contains(&url) { Err(PagingStop::Again) } else { Ok(url) }) {
                Ok(url) => url,
                Err(stop) => {
                    listing.unread = Some(Unread::Stopped(stop));
                    return;
                }
            };
            asked.push(url.clone());
            let call = |token| Call { prefer, ..Call::get(api, url.clone(), token) };
            let body = self.send(api, permission, ctx, call, Reply::into_body).await;
            let page = body.and_then(|body| {
                let page = read(&body).map_err(CallError::Upstream)?;
                ctx.hold(page.made).map_err(CallError::Upstream)?;
                Ok((page, body))
            });
            match page {
                Ok((page, body)) => {
                    link = page.append_to(&mut listing.items);
                    listing.bodies.push(body);
                }
                Err(error) => {
                    listing.unread = Some(Unread::Failed(of_a_page(error)));
                    return;
                }
            }
        }
    }
}

/// What tells of the subject, or of the API, where a first page is refused, does not where another is: the list that leads
/// there is not as documented.
fn of_a_page(error: CallError) -> CallError {
    match error {
        CallError::Upstream(ClientError::NotFound | ClientError::Rejected { status: 400 | 403 | 404 | 410 }) => {
            CallError::Upstream(ClientError::malformed("a list that goes on where nothing is"))
        }
        error => error,
    }
}
