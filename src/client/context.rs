//! The context of one request: its deadline, its identifiers, the calls it has made, and its memory budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Share;
use super::error::ClientError;

/// The time by which a request has to be answered. No wait continues past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `span` from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// The time left, zero after the deadline.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this deadline and one `span` from now.
    #[must_use]
    pub fn within(self, span: Duration) -> Self {
        self.min(Self::after(span))
    }

    /// The deadline as an instant, for timers.
    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}

/// The deadline, identifiers, counters and memory budget of one request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The time by which the request has to be answered.
    pub deadline: Deadline,
    /// The request's id in logs, sent to Microsoft as `client-request-id`.
    pub request_id: Arc<str>,
    /// The caller's W3C trace context, forwarded unchanged.
    pub traceparent: Option<Arc<str>>,
    calls: Arc<AtomicU32>,
    counts_on_local_share: Arc<AtomicBool>,
    share: Arc<Share>,
    /// For calls without which the request is answered too: how many other calls of the request are still to come.
    required_calls: Option<Arc<AtomicUsize>>,
}

impl Context {
    /// A context for a new request, with no calls made and a new memory budget.
    pub fn new(deadline: Deadline, request_id: impl Into<Arc<str>>, traceparent: Option<Arc<str>>) -> Self {
        Self {
            deadline,
            request_id: request_id.into(),
            traceparent,
            calls: Arc::default(),
            counts_on_local_share: Arc::default(),
            share: Arc::new(Share::with_new_budget()),
            required_calls: None,
        }
    }

    /// The context of the same request with an earlier deadline, for a part of the work.
    #[must_use]
    pub(crate) fn within(&self, span: Duration) -> Self {
        Self { deadline: self.deadline.within(span), ..self.clone() }
    }

    /// The context of one item of the request, with its own share of the memory budget.
    #[must_use]
    pub(crate) fn for_item(&self) -> Self {
        Self { share: Arc::new(self.share.for_another_item()), ..self.clone() }
    }

    /// The share of the memory budget that this item holds. Dropping the item's last context releases it.
    pub(super) fn share(&self) -> &Share {
        &self.share
    }

    /// The context of a name lookup within the request, with its own share of the memory budget.
    #[must_use]
    pub(crate) fn for_name_lookup(&self) -> Self {
        Self { share: Arc::new(self.share.for_name_lookup()), ..self.clone() }
    }

    /// The context of calls without which the request is answered too, for at most `span`. They have their own share of the
    /// memory budget. They leave half of the quota to others, and what the calls that are still to come need. They never wait
    /// for the quota, and are not tried again unless a connection broke.
    #[must_use]
    pub(crate) fn for_optional_calls(&self, span: Duration, required_calls: Arc<AtomicUsize>) -> Self {
        Self { required_calls: Some(required_calls), ..self.for_name_lookup().within(span) }
    }

    /// The context of calls that others wait for as well, so that they are required whoever started them.
    pub(crate) fn for_required_calls(&self) -> Self {
        Self { required_calls: None, ..self.clone() }
    }

    /// For optional calls, the number of other calls of the request that are still to come.
    pub(super) fn required_calls(&self) -> Option<usize> {
        self.required_calls.as_ref().map(|calls| calls.load(Ordering::Relaxed))
    }

    /// Counts bytes of values parsed from responses. Fails with `TooLarge` where the item would hold too much.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), ClientError> {
        self.share.hold(bytes)
    }

    /// Marks the item as read, so that the next large item may be read.
    pub(crate) fn end_turn(&self) {
        self.share.end_turn();
    }

    /// The number of calls that this request has made to Microsoft.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a call of this request was limited by the share of this process, not by the quota of all.
    pub(crate) fn counts_on_local_share(&self) -> bool {
        self.counts_on_local_share.load(Ordering::Relaxed)
    }

    pub(super) fn count_on_local_share(&self) {
        self.counts_on_local_share.store(true, Ordering::Relaxed);
    }
}
