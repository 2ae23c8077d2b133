//! What travels with one request through the house: its deadline, its names, and what it has cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Share;
use super::error::ClientError;

/// The moment by which a request has to be answered. Nobody sleeps past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline so long from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// What is left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of the two: this one, or one so long from now.
    #[must_use]
    pub fn within(self, span: Duration) -> Self {
        self.min(Self::after(span))
    }

    /// The instant, for timers.
    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}

/// One request on its way.
#[derive(Clone, Debug)]
pub struct Context {
    /// By when it has to be answered.
    pub deadline: Deadline,
    /// The request's name in logs, sent on as `client-request-id`.
    pub request_id: Arc<str>,
    /// The caller's W3C trace context, sent on as it came.
    pub traceparent: Option<Arc<str>>,
    calls: Arc<AtomicU32>,
    share: Arc<Share>,
}

impl Context {
    /// The context of one request.
    pub fn new(deadline: Deadline, request_id: impl Into<Arc<str>>, traceparent: Option<Arc<str>>) -> Self {
        Self {
            deadline,
            request_id: request_id.into(),
            traceparent,
            calls: Arc::default(),
            share: Arc::new(Share::of_a_new_budget()),
        }
    }

    /// The same request, with an earlier deadline for a part of it.
    #[must_use]
    pub(crate) fn within(&self, span: Duration) -> Self {
        Self { deadline: self.deadline.within(span), ..self.clone() }
    }

    /// The same request, for one of its items: it has a share of its own of what the request may hold.
    #[must_use]
    pub(crate) fn of_an_item(&self) -> Self {
        Self { share: Arc::new(self.share.of_the_same_budget()), ..self.clone() }
    }

    /// What this item holds of what came back. It is given back with the last context of the item.
    pub(super) fn share(&self) -> &Share {
        &self.share
    }

    /// The same request, for what a name stands for.
    #[must_use]
    pub(crate) fn of_a_name(&self) -> Self {
        Self { share: Arc::new(self.share.of_a_name()), ..self.clone() }
    }

    /// Counts so many bytes that were made of what came back. `TooLarge`: the item would hold too much.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), ClientError> {
        self.share.hold(bytes)
    }

    /// The item is read: others may read what is large.
    pub(crate) fn end_turn(&self) {
        self.share.end_turn();
    }

    /// How many calls this request has made upstream.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}
