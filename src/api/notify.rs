//! `notify=NAME`: posts the answer to a destination of the caller secret as well, and reports the outcome to the
//! caller.
//!
//! Only answers are posted, never problems. The caller gets the answer whatever the destination does.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::options::Options;
use super::problem::{Code, Problem};
use crate::app::Service;
use crate::delivery::{Destination, Destinations};
use crate::domain::notified::{Notified, Outcome};
use crate::lookup::Context;

/// The caller waits for the posts of its request at most this long.
const MAX_POSTING_TIME: Duration = Duration::from_secs(5);
/// The part of the deadline that is reserved for writing the answer after the posts: a tenth, but at most this.
const MAX_WRITING_TIME: Duration = Duration::from_millis(250);
/// The largest body that is posted: receivers commonly accept 1 MiB.
pub(super) const MAX_POST_BYTES: usize = 1_000_000;

static X_NOTIFIED: HeaderName = HeaderName::from_static("x-notified");

/// A destination that a request names.
#[derive(Clone, Debug)]
pub(super) enum Addressee {
    /// A valid destination.
    Valid(Arc<Destination>),
    /// The name of a destination whose entry is invalid.
    Misconfigured(String),
}

impl Addressee {
    /// The destination's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Valid(destination) => destination.name(),
            Self::Misconfigured(name) => name,
        }
    }
}

/// Loads the destinations, if any of the options names one. There are none if the member is invalid.
pub(super) async fn destinations(
    service: &Service,
    options: impl IntoIterator<Item = &Options>,
    ctx: &Context,
) -> Result<Destinations, Problem> {
    if options.into_iter().all(|options| options.notify().is_none()) {
        return Ok(Destinations::default());
    }
    let secret = service.callers.secret(ctx).await?;
    Ok(secret.and_then(|secret| service.notifier.destinations(&secret).ok()).unwrap_or_default())
}

/// Finds the destination that the options name. An unknown name is a problem.
pub(super) fn addressee(destinations: &Destinations, options: &Options) -> Result<Option<Addressee>, Problem> {
    let Some(notify) = options.notify() else { return Ok(None) };
    match destinations.find(&notify.name) {
        Some(Ok(destination)) => Ok(Some(Addressee::Valid(destination.clone()))),
        Some(Err(_)) => Ok(Some(Addressee::Misconfigured(notify.name.clone()))),
        None => {
            let detail = "notify names no destination of the caller secret.";
            Err(Problem::at(Code::InvalidRequest, &notify.pointer, detail))
        }
    }
}

/// The same request, with the deadline for its posts.
pub(super) fn posting_context(ctx: &Context) -> Context {
    let remaining = ctx.deadline.remaining();
    ctx.within(MAX_POSTING_TIME.min(remaining.saturating_sub(MAX_WRITING_TIME.min(remaining / 10))))
}

/// The outcome for a destination whose entry is invalid.
pub(super) fn misconfigured(name: &str) -> Notified {
    not_posted(name, Outcome::Misconfigured)
}

/// The outcome for a destination to which nothing was posted.
pub(super) fn not_posted(name: &str, outcome: Outcome) -> Notified {
    Notified { destination: name.to_owned(), outcome, status: None }
}

/// Adds `X-Notified: soc=delivered`, since some formats have no member for the outcome.
pub(super) fn insert_header(headers: &mut HeaderMap, notified: &Notified) {
    let text = format!("{}={}", notified.destination, notified.outcome.as_str());
    // This cannot fail: a destination's name consists of letters, digits, '-', '_' and '.'.
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(X_NOTIFIED.clone(), value);
    }
}
