//! Microsoft's quota, enforced on our side before a call is made.
//!
//! Defender allows 100 calls a minute and 1500 an hour, and 50 a minute for incidents. All users of one app
//! registration share this quota, and a refused call still counts. Microsoft does not document whether its windows
//! slide, so ours do: *any* 60 seconds contain no more calls than the limit.
//!
//! Microsoft Graph allows 150 calls a minute for alerts, where every item of a batch counts, and 45 for hunting.
//! Each limit is divided by the number of processes that share it. Limits that the operator sets replace all of these
//! and are not divided.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/get-alerts>, section Limitations, and its siblings;
//! <https://learn.microsoft.com/graph/throttling-limits>,
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-limits>.

use std::collections::{HashMap, VecDeque};
use std::iter;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::context::Context;
use super::error::ClientError;
use super::retry::leaves_time;
use crate::config::QuotaLimits;

/// The API that a call goes to. A 429 from one API blocks only calls to that API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    /// Defender for Endpoint.
    Endpoint,
    /// Defender XDR, which allows half as many calls a minute.
    Xdr,
    /// Alerts and incidents of Microsoft Graph.
    Graph,
    /// Advanced hunting of Microsoft Graph.
    Hunting,
}

impl Api {
    /// Whether this is one of the two APIs that Graph replaces.
    pub(crate) fn is_older(self) -> bool {
        match self {
            Self::Endpoint | Self::Xdr => true,
            Self::Graph | Self::Hunting => false,
        }
    }

    /// Returns the API's name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "Defender for Endpoint",
            Self::Xdr => "Defender XDR",
            Self::Graph | Self::Hunting => "Microsoft Graph",
        }
    }
}

/// Added to each window, because we count a call when it is sent and Microsoft counts it when it arrives.
const CLOCK_MARGIN: Duration = Duration::from_secs(1);

/// The calls that this process may still make.
#[derive(Debug)]
pub(crate) struct Quota(Mutex<State>);

#[derive(Debug)]
struct State {
    minute: SlidingWindow,
    hour: SlidingWindow,
    incidents: SlidingWindow,
    graph: SlidingWindow,
    hunting: SlidingWindow,
    graph_hour: Option<SlidingWindow>,
    /// The end of the wait that an API requested with a 429.
    closed_until: HashMap<Api, Instant>,
    /// The same for optional calls. A 429 to one of them must not delay the others.
    closed_for_optional_until: HashMap<Api, Instant>,
}

/// Defender's limits for calls a minute and calls an hour.
const DEFENDER_LIMITS: (u32, u32) = (100, 1500);
/// Defender's limit for incident calls a minute.
const INCIDENTS_PER_MINUTE: u32 = 50;
/// Graph's limit for alert and incident calls a minute.
const GRAPH_PER_MINUTE: u32 = 150;
/// Graph's limit for advanced hunting calls a minute.
const HUNTING_PER_MINUTE: u32 = 45;
/// Completing one list may use this fraction of the calls of a minute (a third), and at least one call. The rest is
/// left for other requests.
const LIST_COMPLETION_DIVISOR: u32 = 3;
/// Optional calls leave one part in this many of each limit (a half) to the others.
const OPTIONAL_CALLS_DIVISOR: usize = 2;

/// The limit that the operator set, or this process's share of the documented limit. It is at least one call.
fn limit(set: Option<u32>, documented: u32, share: NonZeroU32) -> u32 {
    set.unwrap_or((documented / share).max(1))
}

/// The number of alerts that may be fetched from Graph to complete one list.
pub(crate) fn completions_of_a_list(limits: QuotaLimits) -> usize {
    let completions = limit(limits.per_minute, GRAPH_PER_MINUTE, limits.share) / LIST_COMPLETION_DIVISOR;
    usize::try_from(completions.max(1)).unwrap_or(usize::MAX)
}

impl Quota {
    /// A quota with nothing used yet.
    pub(crate) fn new(limits: QuotaLimits) -> Self {
        let minute = Duration::from_secs(60) + CLOCK_MARGIN;
        let hour = Duration::from_secs(3600) + CLOCK_MARGIN;
        let per_minute = |documented| SlidingWindow::new(limit(limits.per_minute, documented, limits.share), minute);
        Self(Mutex::new(State {
            minute: per_minute(DEFENDER_LIMITS.0),
            hour: SlidingWindow::new(limit(limits.per_hour, DEFENDER_LIMITS.1, limits.share), hour),
            incidents: per_minute(INCIDENTS_PER_MINUTE),
            graph: per_minute(GRAPH_PER_MINUTE),
            hunting: per_minute(HUNTING_PER_MINUTE),
            graph_hour: limits.per_hour.map(|per_hour| SlidingWindow::new(per_hour, hour)),
            closed_until: HashMap::new(),
            closed_for_optional_until: HashMap::new(),
        }))
    }

    /// Takes the cost of a call from the quota, immediately or after a wait that the deadline allows. If the wait is
    /// too long, it fails immediately with `Throttled` and the wait. An optional call does not wait.
    pub(super) async fn take(&self, api: Api, cost: u32, ctx: &Context) -> Result<(), ClientError> {
        loop {
            let Err(wait) = self.try_take(api, cost, ctx.required_calls()) else { return Ok(()) };
            if ctx.required_calls().is_some() || !leaves_time(wait, ctx.deadline) {
                return Err(ClientError::Throttled { retry_after: Some(wait) });
            }
            sleep(wait).await;
        }
    }

    /// Takes the cost of a call from every window of the API, or from none. The error is the time to wait.
    fn try_take(&self, api: Api, cost: u32, required_calls: Option<usize>) -> Result<(), Duration> {
        let (mut state, now) = (self.lock(), Instant::now());
        let State { minute, hour, incidents, graph, hunting, graph_hour, closed_until, closed_for_optional_until } =
            &mut *state;
        let until =
            closed_until.get(&api).max(closed_for_optional_until.get(&api).filter(|_| required_calls.is_some()));
        if let Some(until) = until.filter(|until| **until > now) {
            return Err(*until - now);
        }
        let mut windows: Vec<_> = match api {
            Api::Endpoint => vec![minute, hour],
            Api::Xdr => vec![incidents, minute, hour],
            Api::Graph => iter::once(graph).chain(graph_hour).collect(),
            Api::Hunting => iter::once(hunting).chain(graph_hour).collect(),
        };
        if let Some(wait) = windows.iter_mut().find_map(|window| window.wait(cost, required_calls, now)) {
            return Err(wait);
        }
        for window in windows {
            window.take(cost, now);
        }
        Ok(())
    }

    /// Blocks all calls to this API for `wait`, after a 429. After a 429 to an optional call, blocks only optional calls.
    pub(super) fn close(&self, api: Api, wait: Duration, ctx: &Context) {
        let until = Instant::now() + wait;
        let State { closed_until, closed_for_optional_until, .. } = &mut *self.lock();
        let closed = if ctx.required_calls().is_some() { closed_for_optional_until } else { closed_until };
        let closed_until = closed.entry(api).or_insert(until);
        *closed_until = until.max(*closed_until);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Allows at most `limit` calls in any `period`. `calls` holds the times of the calls in the last period.
#[derive(Debug)]
struct SlidingWindow {
    limit: usize,
    period: Duration,
    calls: VecDeque<Instant>,
}

impl SlidingWindow {
    fn new(limit: u32, period: Duration) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX).max(1), period, calls: VecDeque::new() }
    }

    /// The time until `cost` calls fit into the window, or `None` if they fit now. A cost above the limit counts as the
    /// whole limit. With `required_calls`, the call is optional, and leaves room for so many others and half of the window.
    fn wait(&mut self, cost: u32, required_calls: Option<usize>, now: Instant) -> Option<Duration> {
        while self.calls.front().is_some_and(|call| *call + self.period <= now) {
            self.calls.pop_front();
        }
        let reserved = required_calls.map_or(0, |calls| calls.max(self.limit / OPTIONAL_CALLS_DIVISOR));
        let too_many = (self.calls.len() + self.places(cost)).checked_sub(self.limit.saturating_sub(reserved))?;
        let last_blocking_call = self.calls.get(too_many.checked_sub(1)?)?;
        Some(*last_blocking_call + self.period - now)
    }

    fn take(&mut self, cost: u32, now: Instant) {
        let places = self.places(cost);
        self.calls.extend(iter::repeat_n(now, places));
    }

    fn places(&self, cost: u32) -> usize {
        usize::try_from(cost).unwrap_or(usize::MAX).clamp(1, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Deadline;

    fn quota(per_minute: u32, per_hour: u32) -> Quota {
        Quota::new(QuotaLimits { share: NonZeroU32::MIN, per_minute: Some(per_minute), per_hour: Some(per_hour) })
    }

    fn shared_by(share: u32) -> QuotaLimits {
        QuotaLimits { share: NonZeroU32::new(share).expect("a share"), per_minute: None, per_hour: None }
    }

    fn context(span: Duration) -> Context {
        Context::new(Deadline::after(span), "test", None)
    }

    async fn successful(quota: &Quota, api: Api, tries: u32) -> usize {
        let mut successful = 0;
        for _ in 0..tries {
            successful += usize::from(quota.take(api, 1, &context(Duration::from_secs(1))).await.is_ok());
        }
        successful
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_of_a_minute_holds_more_than_the_limit() {
        let quota = quota(100, 1_000_000);
        let mut calls: Vec<Instant> = Vec::new();
        for step in 0..400_u64 {
            tokio::time::advance(Duration::from_millis(137 * (step % 7))).await;
            if quota.take(Api::Endpoint, 1, &context(Duration::ZERO)).await.is_ok() {
                calls.push(Instant::now());
            }
        }
        for (at, begin) in calls.iter().enumerate() {
            let within = calls.iter().skip(at).filter(|call| **call - *begin < Duration::from_secs(60)).count();
            assert!(within <= 100, "{within} calls in a minute");
        }
        assert!(calls.len() > 200, "{} calls", calls.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_succeeds_after_the_given_wait() {
        let quota = quota(100, 1500);
        assert_eq!(successful(&quota, Api::Endpoint, 200).await, 100);
        let refused = quota.take(Api::Endpoint, 1, &context(Duration::from_secs(10))).await;
        let Err(ClientError::Throttled { retry_after: Some(wait) }) = refused else { panic!("{refused:?}") };
        assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(61), "{wait:?}");
        tokio::time::advance(wait).await;
        assert_eq!(successful(&quota, Api::Endpoint, 100).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hourly_limit_applies_as_well() {
        let quota = quota(100, 150);
        assert_eq!(successful(&quota, Api::Endpoint, 120).await, 100);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 120).await, 50);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 10).await, 0);
        tokio::time::advance(Duration::from_secs(3500)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 120).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn incidents_use_at_most_half_of_the_minute() {
        let quota = Quota::new(shared_by(1));
        assert_eq!(successful(&quota, Api::Xdr, 80).await, 50);
        assert_eq!(successful(&quota, Api::Endpoint, 80).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_where_the_deadline_allows_it() {
        let quota = quota(1, 100);
        assert_eq!(successful(&quota, Api::Endpoint, 1).await, 1);
        tokio::time::advance(Duration::from_secs(58)).await;
        assert!(quota.take(Api::Endpoint, 1, &context(Duration::from_secs(10))).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn every_item_of_a_batch_counts() {
        let quota = Quota::new(shared_by(1));
        let now = context(Duration::from_secs(1));
        for _ in 0..7 {
            assert!(quota.take(Api::Graph, 20, &now).await.is_ok());
        }
        assert!(quota.take(Api::Graph, 20, &now).await.is_err(), "10 are left, and 20 are wanted");
        assert_eq!(successful(&quota, Api::Graph, 20).await, 10, "a refused call costs nothing");
        assert_eq!(successful(&quota, Api::Hunting, 60).await, 45);
        assert_eq!(successful(&quota, Api::Endpoint, 1).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_refused_by_the_hour_takes_nothing_from_the_minute() {
        let quota = quota(150, 30);
        let now = context(Duration::from_secs(1));
        assert!(quota.take(Api::Graph, 20, &now).await.is_ok());
        for _ in 0..20 {
            let refused = quota.take(Api::Graph, 20, &now).await;
            let Err(ClientError::Throttled { retry_after: Some(wait) }) = refused else { panic!("{refused:?}") };
            assert!(wait > Duration::from_secs(3500), "{wait:?}");
        }
        assert_eq!(successful(&quota, Api::Graph, 20).await, 10, "cheaper calls still fit");
        tokio::time::advance(Duration::from_secs(3601)).await;
        assert!(quota.take(Api::Graph, 30, &now).await.is_ok());
        assert_eq!(quota.lock().graph.calls.len(), 30, "calls refused by the hour are not counted");
    }

    #[tokio::test(start_paused = true)]
    async fn incident_calls_refused_by_the_minute_take_nothing_from_the_incident_limit() {
        let quota = Quota::new(shared_by(1));
        assert_eq!(successful(&quota, Api::Endpoint, 100).await, 100);
        assert_eq!(successful(&quota, Api::Xdr, 60).await, 0);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 50).await, 50);
        assert_eq!(successful(&quota, Api::Xdr, 60).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn shares_of_limits_are_rounded_down_but_at_least_one() {
        for (share, right) in [(4, [25, 12, 37, 11]), (7, [14, 7, 21, 6]), (1000, [1; 4])] {
            let of = async |api| successful(&Quota::new(shared_by(share)), api, 60).await;
            let successful =
                [of(Api::Endpoint).await, of(Api::Xdr).await, of(Api::Graph).await, of(Api::Hunting).await];
            assert_eq!(successful, right, "{share}");
        }
        let quota = Quota::new(shared_by(40));
        let mut within_an_hour = 0;
        for _ in 0..30 {
            within_an_hour += successful(&quota, Api::Endpoint, 3).await;
            tokio::time::advance(Duration::from_secs(61)).await;
        }
        assert_eq!(within_an_hour, 37);
    }

    #[test]
    fn completing_a_list_uses_a_third_of_the_minute_and_at_least_one_call() {
        assert_eq!([1, 3, 50, 51, 75, 150].map(|share| completions_of_a_list(shared_by(share))), [50, 16, 1, 1, 1, 1]);
        let agreed = QuotaLimits { per_minute: Some(90), ..shared_by(3) };
        assert_eq!(completions_of_a_list(agreed), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn operator_limits_replace_every_limit_and_are_not_divided() {
        let set = QuotaLimits { per_minute: Some(80), per_hour: Some(1500), ..shared_by(4) };
        for api in [Api::Endpoint, Api::Xdr, Api::Graph, Api::Hunting] {
            assert_eq!(successful(&Quota::new(set), api, 100).await, 80, "{api:?}");
        }
        let quota = quota(200, 210);
        assert_eq!(successful(&quota, Api::Hunting, 250).await, 200);
        assert_eq!(successful(&quota, Api::Graph, 250).await, 10, "both share the hour");
        let tight = self::quota(3, 1000);
        assert!(
            tight.take(Api::Graph, 20, &context(Duration::ZERO)).await.is_ok(),
            "a cost above the limit counts as the whole limit"
        );
        assert_eq!(successful(&tight, Api::Graph, 5).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_blocks_every_call_to_its_api() {
        let quota = quota(100, 1500);
        quota.close(Api::Endpoint, Duration::from_secs(30), &context(Duration::from_secs(1)));
        assert_eq!(successful(&quota, Api::Endpoint, 3).await, 0);
        assert_eq!(successful(&quota, Api::Xdr, 1).await, 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 1).await, 1);
    }
}
