//! `notify=NAME`: the answer also goes to a destination of the caller secret, and the caller is told what became of it.
//!
//! Only answers are posted, problems never. Whatever a destination does, the caller gets the answer.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::decode::EnrichRequest;
use super::enrich::render_options;
use super::options::Options;
use super::problem::{Code, Problem};
use crate::app::Service;
use crate::delivery::{Content, Destination, Destinations};
use crate::domain::enrichment::Answer;
use crate::domain::notified::{Notified, Outcome};
use crate::formats::{self, OutputOptions};
use crate::lookup::Context;

/// The caller waits for the posts: those of one request have this long, together.
const MAX_TIME: Duration = Duration::from_secs(5);
/// What the posts leave of the deadline, for the answer to be written in: a tenth, but no more than this.
const MAX_LEFT: Duration = Duration::from_millis(250);
/// What is posted at most, in bytes: receivers commonly let 1 MiB through.
pub(super) const MAX_POST_BYTES: usize = 1_000_000;

static X_NOTIFIED: HeaderName = HeaderName::from_static("x-notified");

/// Who is to get an answer beside the caller.
#[derive(Clone, Debug)]
pub(super) enum Addressee {
    /// A destination.
    Good(Arc<Destination>),
    /// The name of one that the operator has to mend.
    Misconfigured(String),
}

impl Addressee {
    /// The destination's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Good(destination) => destination.name(),
            Self::Misconfigured(name) => name,
        }
    }
}

/// The destinations that there are; none are looked for if nobody names one.
pub(super) async fn destinations(
    service: &Service,
    options: impl IntoIterator<Item = &Options>,
    ctx: &Context,
) -> Result<Arc<Destinations>, Problem> {
    if options.into_iter().all(|options| options.notify().is_none()) {
        return Ok(Arc::default());
    }
    Ok(service.callers.destinations(ctx).await?)
}

/// The addressee that options name; a problem if there is none of that name.
pub(super) fn addressee(destinations: &Destinations, options: &Options) -> Result<Option<Addressee>, Problem> {
    let Some(notify) = options.notify() else { return Ok(None) };
    match destinations.find(&notify.name) {
        Some(Ok(destination)) => Ok(Some(Addressee::Good(destination.clone()))),
        Some(Err(_)) => Ok(Some(Addressee::Misconfigured(notify.name.clone()))),
        None => {
            let detail = "notify names no destination of the caller secret.";
            Err(Problem::at(Code::InvalidRequest, &notify.pointer, detail))
        }
    }
}

/// The same request, with the deadline of its posts.
pub(super) fn time_to_post(ctx: &Context) -> Context {
    let remaining = ctx.deadline.remaining();
    ctx.within(MAX_TIME.min(remaining.saturating_sub(MAX_LEFT.min(remaining / 10))))
}

/// Posts an answer, within the deadline of `ctx`, and tells what became of it.
pub(super) async fn tell(
    addressee: Option<&Addressee>,
    service: &Service,
    answer: &Answer,
    asked: &EnrichRequest,
    ctx: &Context,
) -> Option<Notified> {
    match addressee? {
        Addressee::Good(destination) => {
            let shape = OutputOptions { format: destination.format(), ..asked.options.shape() };
            let rendered = formats::render(answer, &render_options(asked, None), shape, MAX_POST_BYTES);
            Some(service.notifier.post(destination, Content::Body(rendered), ctx).await)
        }
        Addressee::Misconfigured(name) => Some(misconfigured(name)),
    }
}

/// What is said of a destination that the operator has to mend.
pub(super) fn misconfigured(name: &str) -> Notified {
    unposted(name, Outcome::Misconfigured)
}

/// What is said of a destination to which nothing was posted.
pub(super) fn unposted(name: &str, outcome: Outcome) -> Notified {
    Notified { destination: name.to_owned(), outcome, status: None }
}

/// `X-Notified: soc=delivered`, for formats that have no place for it.
pub(super) fn tell_in_header(headers: &mut HeaderMap, notified: &Notified) {
    let text = format!("{}={}", notified.destination, notified.outcome.as_str());
    // A destination's name is letters, digits, '-', '_' and '.'.
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(X_NOTIFIED.clone(), value);
    }
}
