//! Microsoft's quota, kept on our side before a call is spent.
//!
//! Defender allows 100 calls a minute and 1500 an hour, 50 a minute for incidents, to everything that shares the app
//! registration; a refused call still counts. Whether its windows slide is not documented, so ours do: in *any* 60
//! seconds no more than the limit is spent.
//!
//! Microsoft Graph allows 150 calls a minute for alerts, where every item of a batch counts, and 45 for hunting.
//! Each of these is divided by the number of processes that share them. What the operator has set replaces them all,
//! undivided.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/get-alerts>, section Limitations, and its siblings;
//! <https://learn.microsoft.com/graph/throttling-limits>, <https://learn.microsoft.com/defender-xdr/advanced-hunting-limits>.

use std::collections::VecDeque;
use std::iter;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::context::Context;
use super::error::ClientError;
use super::retry::leaves_time;
use crate::config::QuotaLimits;

/// The API that a call goes to: each can close its door by a 429 of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Whether this is one of the two that Graph replaces.
    pub(crate) fn is_older(self) -> bool {
        match self {
            Self::Endpoint | Self::Xdr => true,
            Self::Graph | Self::Hunting => false,
        }
    }
}

/// Our clock starts when a call leaves, Microsoft's when it arrives.
const MARGIN: Duration = Duration::from_secs(1);

/// The calls that this process may still make.
#[derive(Debug)]
pub(crate) struct Quota {
    minute: SlidingWindow,
    hour: SlidingWindow,
    incidents: SlidingWindow,
    graph: SlidingWindow,
    hunting: SlidingWindow,
    graph_hour: Option<SlidingWindow>,
    endpoint_door: RateGate,
    xdr_door: RateGate,
    graph_door: RateGate,
    hunting_door: RateGate,
}

/// Defender's calls a minute and an hour.
const DEFENDER: (u32, u32) = (100, 1500);
/// Defender's calls a minute for incidents.
const INCIDENTS: u32 = 50;
/// Graph's calls a minute for alerts and incidents.
const GRAPH: u32 = 150;
/// Graph's calls a minute for advanced hunting.
const HUNTING: u32 = 45;
/// Completing one list may spend one in so many of a minute's calls, and one at least, so that others are served as well.
const MINUTE_BY_LISTS: u32 = 3;

/// A limit as it is set, or this process's share of what is documented; one call is always allowed.
fn limit(set: Option<u32>, documented: u32, share: NonZeroU32) -> u32 {
    set.unwrap_or((documented / share).max(1))
}

/// Alerts of Graph's that may be got to complete one list.
pub(crate) fn completions_of_a_list(limits: QuotaLimits) -> usize {
    let completions = limit(limits.per_minute, GRAPH, limits.share) / MINUTE_BY_LISTS;
    usize::try_from(completions.max(1)).unwrap_or(usize::MAX)
}

impl Quota {
    /// The calls that these limits allow.
    pub(crate) fn new(limits: QuotaLimits) -> Self {
        let minute = Duration::from_secs(60) + MARGIN;
        let hour = Duration::from_secs(3600) + MARGIN;
        let per_minute = |documented| SlidingWindow::new(limit(limits.per_minute, documented, limits.share), minute);
        Self {
            minute: per_minute(DEFENDER.0),
            hour: SlidingWindow::new(limit(limits.per_hour, DEFENDER.1, limits.share), hour),
            incidents: per_minute(INCIDENTS),
            graph: per_minute(GRAPH),
            hunting: per_minute(HUNTING),
            graph_hour: limits.per_hour.map(|per_hour| SlidingWindow::new(per_hour, hour)),
            endpoint_door: RateGate::default(),
            xdr_door: RateGate::default(),
            graph_door: RateGate::default(),
            hunting_door: RateGate::default(),
        }
    }

    /// Takes what a call costs out of the quota: at once, or after a wait that the deadline allows. A caller who cannot
    /// be served in time is refused at once, with the wait that would do.
    pub(super) async fn take(&self, api: Api, cost: u32, ctx: &Context) -> Result<(), ClientError> {
        loop {
            let Err(wait) = self.try_take(api, cost) else { return Ok(()) };
            if !leaves_time(wait, ctx.deadline) {
                return Err(ClientError::Throttled { retry_after: Some(wait) });
            }
            sleep(wait).await;
        }
    }

    /// Takes what a call costs out of every window, or out of none.
    fn try_take(&self, api: Api, cost: u32) -> Result<(), Duration> {
        self.door(api).check()?;
        // Always in this order, so that nobody waits for one who waits for him.
        let windows = match api {
            Api::Endpoint => [Some(&self.minute), Some(&self.hour), None],
            Api::Xdr => [Some(&self.incidents), Some(&self.minute), Some(&self.hour)],
            Api::Graph => [Some(&self.graph), self.graph_hour.as_ref(), None],
            Api::Hunting => [Some(&self.hunting), self.graph_hour.as_ref(), None],
        };
        let mut open: Vec<_> = windows.into_iter().flatten().map(SlidingWindow::open).collect();
        let now = Instant::now();
        if let Some(wait) = open.iter_mut().find_map(|window| window.wait(cost, now)) {
            return Err(wait);
        }
        for window in &mut open {
            window.take(cost, now);
        }
        Ok(())
    }

    /// A 429: nobody calls this API until then.
    pub(super) fn close(&self, api: Api, wait: Duration) {
        self.door(api).close_for(wait);
    }

    fn door(&self, api: Api) -> &RateGate {
        match api {
            Api::Endpoint => &self.endpoint_door,
            Api::Xdr => &self.xdr_door,
            Api::Graph => &self.graph_door,
            Api::Hunting => &self.hunting_door,
        }
    }
}

/// Shut until a moment.
#[derive(Debug, Default)]
struct RateGate {
    shut_until: Mutex<Option<Instant>>,
}

impl RateGate {
    fn check(&self) -> Result<(), Duration> {
        let until = *self.shut_until.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    fn close_for(&self, wait: Duration) {
        let mut until = self.shut_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(Instant::now() + wait));
    }
}

/// At most `limit` calls in any `period`: when those of the last one were made.
#[derive(Debug)]
struct SlidingWindow {
    limit: usize,
    period: Duration,
    calls: Mutex<VecDeque<Instant>>,
}

impl SlidingWindow {
    fn new(limit: u32, period: Duration) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX).max(1), period, calls: Mutex::default() }
    }

    fn open(&self) -> OpenWindow<'_> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        OpenWindow { limit: self.limit, period: self.period, calls }
    }
}

/// A window that nobody else takes from meanwhile.
struct OpenWindow<'w> {
    limit: usize,
    period: Duration,
    calls: MutexGuard<'w, VecDeque<Instant>>,
}

impl OpenWindow<'_> {
    /// How long it takes until there is room for so many; `None`: there is. More than the limit is all of it.
    fn wait(&mut self, cost: u32, now: Instant) -> Option<Duration> {
        while self.calls.front().is_some_and(|call| *call + self.period <= now) {
            self.calls.pop_front();
        }
        let too_many = (self.calls.len() + self.places(cost)).checked_sub(self.limit)?;
        let last_in_the_way = self.calls.get(too_many.checked_sub(1)?)?;
        Some(*last_in_the_way + self.period - now)
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

    async fn taken(quota: &Quota, api: Api, tries: u32) -> usize {
        let mut taken = 0;
        for _ in 0..tries {
            taken += usize::from(quota.take(api, 1, &context(Duration::from_secs(1))).await.is_ok());
        }
        taken
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
    async fn a_refused_caller_who_waits_as_told_is_served() {
        let quota = quota(100, 1500);
        assert_eq!(taken(&quota, Api::Endpoint, 200).await, 100);
        let refused = quota.take(Api::Endpoint, 1, &context(Duration::from_secs(10))).await;
        let Err(ClientError::Throttled { retry_after: Some(wait) }) = refused else { panic!("{refused:?}") };
        assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(61), "{wait:?}");
        tokio::time::advance(wait).await;
        assert_eq!(taken(&quota, Api::Endpoint, 100).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hour_holds_as_well() {
        let quota = quota(100, 150);
        assert_eq!(taken(&quota, Api::Endpoint, 120).await, 100);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(taken(&quota, Api::Endpoint, 120).await, 50);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(taken(&quota, Api::Endpoint, 10).await, 0);
        tokio::time::advance(Duration::from_secs(3500)).await;
        assert_eq!(taken(&quota, Api::Endpoint, 120).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn incidents_get_half_and_leave_the_rest_to_others() {
        let quota = Quota::new(shared_by(1));
        assert_eq!(taken(&quota, Api::Xdr, 80).await, 50);
        assert_eq!(taken(&quota, Api::Endpoint, 80).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited() {
        let quota = quota(1, 100);
        assert_eq!(taken(&quota, Api::Endpoint, 1).await, 1);
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
        assert_eq!(taken(&quota, Api::Graph, 20).await, 10, "what was refused has cost nothing");
        assert_eq!(taken(&quota, Api::Hunting, 60).await, 45);
        assert_eq!(taken(&quota, Api::Endpoint, 1).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_hour_refuses_costs_nothing_of_the_minute_and_closes_nothing() {
        let quota = quota(150, 30);
        let now = context(Duration::from_secs(1));
        assert!(quota.take(Api::Graph, 20, &now).await.is_ok());
        for _ in 0..20 {
            let refused = quota.take(Api::Graph, 20, &now).await;
            let Err(ClientError::Throttled { retry_after: Some(wait) }) = refused else { panic!("{refused:?}") };
            assert!(wait > Duration::from_secs(3500), "{wait:?}");
        }
        assert_eq!(taken(&quota, Api::Graph, 20).await, 10, "whoever costs less still fits");
        tokio::time::advance(Duration::from_secs(3601)).await;
        assert!(quota.take(Api::Graph, 30, &now).await.is_ok());
        assert_eq!(quota.graph.open().calls.len(), 30, "what the hour has refused is nowhere");
    }

    #[tokio::test(start_paused = true)]
    async fn incidents_that_the_minute_refuses_cost_none_of_their_own() {
        let quota = Quota::new(shared_by(1));
        assert_eq!(taken(&quota, Api::Endpoint, 100).await, 100);
        assert_eq!(taken(&quota, Api::Xdr, 60).await, 0);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(taken(&quota, Api::Endpoint, 50).await, 50);
        assert_eq!(taken(&quota, Api::Xdr, 60).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_every_limit_is_rounded_down_to_one_at_least() {
        for (share, right) in [(4, [25, 12, 37, 11]), (7, [14, 7, 21, 6]), (1000, [1; 4])] {
            let of = async |api| taken(&Quota::new(shared_by(share)), api, 60).await;
            let taken = [of(Api::Endpoint).await, of(Api::Xdr).await, of(Api::Graph).await, of(Api::Hunting).await];
            assert_eq!(taken, right, "{share}");
        }
        let quota = Quota::new(shared_by(40));
        let mut within_an_hour = 0;
        for _ in 0..30 {
            within_an_hour += taken(&quota, Api::Endpoint, 3).await;
            tokio::time::advance(Duration::from_secs(61)).await;
        }
        assert_eq!(within_an_hour, 37);
    }

    #[test]
    fn a_third_of_the_minute_completes_a_list_and_one_alert_at_least() {
        assert_eq!([1, 3, 50, 51, 75, 150].map(|share| completions_of_a_list(shared_by(share))), [50, 16, 1, 1, 1, 1]);
        let agreed = QuotaLimits { per_minute: Some(90), ..shared_by(3) };
        assert_eq!(completions_of_a_list(agreed), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_operator_sets_replaces_every_limit_and_is_not_divided() {
        let set = QuotaLimits { per_minute: Some(80), per_hour: Some(1500), ..shared_by(4) };
        for api in [Api::Endpoint, Api::Xdr, Api::Graph, Api::Hunting] {
            assert_eq!(taken(&Quota::new(set), api, 100).await, 80, "{api:?}");
        }
        let quota = quota(200, 210);
        assert_eq!(taken(&quota, Api::Hunting, 250).await, 200);
        assert_eq!(taken(&quota, Api::Graph, 250).await, 10, "the hour is for both");
        let tight = self::quota(3, 1000);
        assert!(
            tight.take(Api::Graph, 20, &context(Duration::ZERO)).await.is_ok(),
            "more than there are is all of them"
        );
        assert_eq!(taken(&tight, Api::Graph, 5).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_door_is_closed_for_everybody() {
        let quota = quota(100, 1500);
        quota.close(Api::Endpoint, Duration::from_secs(30));
        assert_eq!(taken(&quota, Api::Endpoint, 3).await, 0);
        assert_eq!(taken(&quota, Api::Xdr, 1).await, 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(taken(&quota, Api::Endpoint, 1).await, 1);
    }
}
