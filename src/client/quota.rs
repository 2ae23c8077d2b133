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
//! If the processes share their quota through a table, no limit is divided, and each API has a ledger of its own there,
//! as Microsoft documents limits for each API. Without an answer of the table, this process keeps to its share.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/api/get-alerts>, section Limitations, and its siblings;
//! <https://learn.microsoft.com/graph/throttling-limits>,
//! <https://learn.microsoft.com/defender-xdr/advanced-hunting-limits>.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::error::ClientError;
use super::ledger::{CallLimits, Ledger, MINUTE};
use super::retry::leaves_time;
use crate::config::QuotaLimits;
use crate::domain::timestamp::Timestamp;

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

/// The limits of one API: those that the operator set, or this process's share of the documented ones. Each is at least
/// one call.
pub(crate) fn call_limits(api: Api, set: QuotaLimits) -> CallLimits {
    let (per_minute, per_hour) = match api {
        Api::Endpoint => (DEFENDER_LIMITS.0, Some(DEFENDER_LIMITS.1)),
        Api::Xdr => (INCIDENTS_PER_MINUTE, Some(DEFENDER_LIMITS.1)),
        Api::Graph => (GRAPH_PER_MINUTE, None),
        Api::Hunting => (HUNTING_PER_MINUTE, None),
    };
    let share = |documented: u32| (documented / set.share).max(1);
    CallLimits {
        per_minute: Some(set.per_minute.unwrap_or(share(per_minute))),
        per_hour: set.per_hour.or(per_hour.map(share)),
        required_calls: None,
    }
}

/// The number of alerts that may be fetched from Graph to complete one list.
pub(crate) fn completions_of_a_list(set: QuotaLimits) -> usize {
    let completions = call_limits(Api::Graph, set).per_minute.map_or(1, |limit| limit / LIST_COMPLETION_DIVISOR);
    usize::try_from(completions.max(1)).unwrap_or(usize::MAX)
}

/// The longest wait for a list's calls: as long as processes wait for each other when they ask at the same moment.
const MAX_SHORT_WAIT: Duration = Duration::from_millis(200);

/// The quota of all processes together, kept outside of this one. No call of its methods waits for long.
pub(crate) trait SharedQuota: fmt::Debug + Send + Sync {
    /// Takes the cost of a call, which is optional if others are required. The error is the time to wait. `None`: the
    /// quota cannot be reached.
    fn take(&self, api: Api, cost: u32, required_calls: Option<u32>) -> BoxFuture<'_, Option<Result<(), Duration>>>;

    /// Blocks all calls to this API for `wait`, after a 429.
    fn close(&self, api: Api, wait: Duration) -> BoxFuture<'_, ()>;
}

/// The calls that this process may still make.
#[derive(Debug)]
pub(crate) struct Quota {
    /// The limits of this process.
    limits: QuotaLimits,
    local: Mutex<LocalQuota>,
    shared: Option<Arc<dyn SharedQuota>>,
}

/// What this process has called itself.
#[derive(Debug)]
struct LocalQuota {
    /// The monotonic clock at the time 0 of the ledgers.
    origin: Instant,
    endpoint: Ledger,
    xdr: Ledger,
    graph: Ledger,
    hunting: Ledger,
    /// The calls to both older APIs. Whether Microsoft counts them together is not documented.
    older: Ledger,
    /// The calls to Graph and to its hunting: an hour that the operator limits is one for both.
    newer: Ledger,
    /// The end of the wait after a 429 to an optional call, which must not delay required calls.
    closed_for_optional: HashMap<Api, Instant>,
}

impl Quota {
    /// A quota of this process alone, with nothing used yet.
    pub(crate) fn new(limits: QuotaLimits) -> Self {
        let [endpoint, xdr, graph, hunting, older, newer] = Default::default();
        let origin = Instant::now();
        let local = Mutex::new(LocalQuota {
            origin,
            endpoint,
            xdr,
            graph,
            hunting,
            older,
            newer,
            closed_for_optional: HashMap::new(),
        });
        Self { limits, local, shared: None }
    }

    /// A quota that all processes share. If it cannot be reached, this process has its share of each limit, also of those
    /// that the operator sets, because they are limits of all together.
    pub(crate) fn shared(shared: Arc<dyn SharedQuota>, limits: QuotaLimits) -> Self {
        let divided = |set: Option<u32>| set.map(|set| (set / limits.share).max(1));
        let (per_minute, per_hour) = (divided(limits.per_minute), divided(limits.per_hour));
        Self { shared: Some(shared), ..Self::new(QuotaLimits { per_minute, per_hour, ..limits }) }
    }

    /// Takes the cost of a call from the quota, immediately or after a wait that the deadline allows. If the wait is
    /// too long, it fails immediately with `Throttled` and the wait. An optional call does not wait.
    pub(super) async fn take(&self, api: Api, cost: u32, ctx: &Context) -> Result<(), ClientError> {
        loop {
            let Err(wait) = self.take_now(api, cost, ctx).await else { return Ok(()) };
            if ctx.required_calls().is_some() || !leaves_time(wait, ctx.deadline) {
                return Err(ClientError::Throttled { retry_after: Some(wait) });
            }
            sleep(wait).await;
        }
    }

    /// Takes the cost of several calls, immediately or after a very short wait. Returns whether they are allowed.
    pub(super) async fn take_soon(&self, api: Api, cost: u32, ctx: &Context) -> bool {
        loop {
            match self.take_now(api, cost, ctx).await {
                Ok(()) => return true,
                Err(wait) if wait <= MAX_SHORT_WAIT && leaves_time(wait, ctx.deadline) => sleep(wait).await,
                Err(_) => return false,
            }
        }
    }

    /// Takes the cost of a call, from the share of this process if the quota of all cannot be reached. The error is the
    /// time to wait. A call without a cost, which was taken before, waits only if the API is closed.
    pub(super) async fn take_now(&self, api: Api, cost: u32, ctx: &Context) -> Result<(), Duration> {
        if let Some(wait) = self.lock().closed(api, ctx.required_calls().is_some()) {
            return Err(wait);
        }
        if cost == 0 {
            return Ok(());
        }
        let required_calls = ctx.required_calls().map(|calls| u32::try_from(calls).unwrap_or(u32::MAX));
        let Some(shared) = &self.shared else { return self.lock().take(api, cost, required_calls, self.limits) };
        if let Some(outcome) = shared.take(api, cost, required_calls).await {
            if outcome.is_ok() {
                self.lock().record(api, cost);
            }
            return outcome;
        }
        ctx.count_on_local_share();
        if call_limits(api, self.limits).clamp(cost) < cost {
            // A batch that was made for the limits of all processes.
            return Err(MINUTE);
        }
        self.lock().take(api, cost, required_calls, self.limits)
    }

    /// Blocks all calls to this API for `wait`, after a 429. After a 429 to an optional call, this process makes no optional
    /// calls.
    pub(super) async fn close(&self, api: Api, wait: Duration, ctx: &Context) {
        if ctx.required_calls().is_some() {
            let until = Instant::now() + wait;
            let mut local = self.lock();
            let closed_until = local.closed_for_optional.entry(api).or_insert(until);
            *closed_until = until.max(*closed_until);
            return;
        }
        self.lock().close(api, wait);
        if let Some(shared) = &self.shared {
            shared.close(api, wait).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, LocalQuota> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalQuota {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(0).later(self.origin.elapsed())
    }

    /// The ledger of the API, and that of the APIs that it shares a limit with.
    fn ledgers(&mut self, api: Api) -> (&mut Ledger, &mut Ledger) {
        match api {
            Api::Endpoint => (&mut self.endpoint, &mut self.older),
            Api::Xdr => (&mut self.xdr, &mut self.older),
            Api::Graph => (&mut self.graph, &mut self.newer),
            Api::Hunting => (&mut self.hunting, &mut self.newer),
        }
    }

    fn close(&mut self, api: Api, wait: Duration) {
        let now = self.now();
        self.ledgers(api).0.close(now, wait);
    }

    /// Returns the rest of the wait that the API asked for, if there is one.
    fn closed(&mut self, api: Api, is_optional: bool) -> Option<Duration> {
        let now = self.now();
        let until = self.closed_for_optional.get(&api).filter(|_| is_optional);
        let optional =
            until.map(|until| until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero());
        self.ledgers(api).0.closed(now).max(optional)
    }

    /// Records a call that the quota of all processes allowed.
    fn record(&mut self, api: Api, cost: u32) {
        let now = self.now();
        let (own, common) = self.ledgers(api);
        own.record(now, cost);
        common.record(now, cost);
    }

    /// Takes the cost of a call from every window of the API, or from none. The error is the time to wait.
    fn take(&mut self, api: Api, cost: u32, required_calls: Option<u32>, set: QuotaLimits) -> Result<(), Duration> {
        let now = self.now();
        let own_limits = CallLimits { per_hour: None, required_calls, ..call_limits(api, set) };
        let common_limits = if api.is_older() {
            CallLimits { required_calls, ..call_limits(Api::Endpoint, set) }
        } else {
            CallLimits { per_minute: None, per_hour: set.per_hour, required_calls }
        };
        let (own, common) = self.ledgers(api);
        if let Some(wait) = own.wait(now, cost, own_limits) {
            return Err(wait);
        }
        common.take(now, cost, common_limits)?;
        own.record(now, own_limits.clamp(cost));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

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
        let (local, limits) = (quota.lock(), CallLimits { per_minute: Some(150), ..CallLimits::default() });
        let waits = [120, 121].map(|calls| local.graph.wait(local.now(), calls, limits).is_some());
        assert_eq!(waits, [false, true], "30 are counted, and no call refused by the hour");
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
        quota.close(Api::Endpoint, Duration::from_secs(30), &context(Duration::from_secs(1))).await;
        assert_eq!(successful(&quota, Api::Endpoint, 3).await, 0);
        assert_eq!(successful(&quota, Api::Xdr, 1).await, 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(successful(&quota, Api::Endpoint, 1).await, 1);
    }

    /// A shared quota that allows everything, until it cannot be reached.
    #[derive(Debug, Default)]
    struct Generous(std::sync::atomic::AtomicBool);

    impl SharedQuota for Generous {
        fn take(&self, _: Api, _: u32, _: Option<u32>) -> BoxFuture<'_, Option<Result<(), Duration>>> {
            let is_gone = self.0.load(std::sync::atomic::Ordering::Relaxed);
            Box::pin(async move { (!is_gone).then_some(Ok(())) })
        }

        fn close(&self, _: Api, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_cut_off_has_its_share_less_what_it_has_called() {
        for (called, left) in [(0, 25), (10, 15), (60, 0)] {
            let all = Arc::new(Generous::default());
            let quota = Quota::shared(all.clone(), shared_by(4));
            let ctx = context(Duration::from_secs(1));
            for _ in 0..called {
                quota.take(Api::Endpoint, 1, &ctx).await.expect("the quota of all");
            }
            assert!(!ctx.counts_on_local_share());
            all.0.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(successful(&quota, Api::Endpoint, 40).await, left);
            assert_eq!(quota.take(Api::Graph, 1, &ctx).await.ok(), Some(()));
            assert!(ctx.counts_on_local_share());
        }
        let batch = async |cost| {
            Quota::shared(Arc::new(Generous(true.into())), shared_by(10))
                .take_now(Api::Graph, cost, &context(Duration::from_secs(1)))
                .await
        };
        assert_eq!([batch(15).await, batch(16).await], [Ok(()), Err(MINUTE)], "a batch counts whole, or is not sent");
        let agreed = QuotaLimits { per_minute: Some(40), per_hour: Some(1500), ..shared_by(4) };
        let quota = Quota::shared(Arc::new(Generous(true.into())), agreed);
        assert_eq!(successful(&quota, Api::Graph, 40).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_taken_before_they_are_made_stop_at_a_429() {
        let (quota, ctx) = (quota(50, 1500), context(Duration::from_secs(1)));
        assert!(
            quota.take_now(Api::Graph, 50, &ctx).await.is_ok() && quota.take_now(Api::Graph, 0, &ctx).await.is_ok()
        );
        quota.close(Api::Graph, Duration::from_secs(30), &context(Duration::from_secs(1))).await;
        assert_eq!(quota.take_now(Api::Graph, 0, &ctx).await, Err(Duration::from_secs(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_this_process_has_closed_is_not_asked_for() {
        let quota = Quota::shared(Arc::new(Generous::default()), shared_by(4));
        quota.close(Api::Graph, Duration::from_secs(30), &context(Duration::from_secs(1))).await;
        assert_eq!([successful(&quota, Api::Graph, 3).await, successful(&quota, Api::Hunting, 3).await], [0, 3]);
    }
}
