//! Microsoft's quota, kept on our side before a call is spent.
//!
//! Defender allows 100 calls a minute and 1500 an hour, 50 a minute for incidents, to everything that shares the app
//! registration; a refused call still counts. Whether its windows slide is not documented, so ours do: in *any* 60
//! seconds no more than the limit is spent.
//!
//! Source: <https://learn.microsoft.com/defender-endpoint/api/get-alerts>, section Limitations, and its siblings.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota as Rate, RateLimiter};
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::error::UpstreamError;
use crate::config::QuotaLimits;

/// The API that a call goes to: each can close its door by a 429 of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// Defender for Endpoint.
    Endpoint,
    /// Defender XDR, which allows half as many calls a minute.
    Xdr,
}

/// Our clock starts when a call leaves, Microsoft's when it arrives.
const MARGIN: Duration = Duration::from_secs(1);
/// What is left of a deadline after a wait has to be worth a call.
const LEAST_LEFT: Duration = Duration::from_millis(200);

/// The calls that this process may still make.
#[derive(Debug)]
pub(crate) struct Quota {
    minute: Window,
    hour: Window,
    incidents: Window,
    endpoint_door: Door,
    xdr_door: Door,
}

impl Quota {
    /// A quota of so many calls; incidents get half of the minute's.
    pub(crate) fn new(limits: QuotaLimits) -> Self {
        let minute = Duration::from_secs(60) + MARGIN;
        Self {
            minute: Window::new(limits.per_minute, minute),
            hour: Window::new(limits.per_hour, Duration::from_secs(3600) + MARGIN),
            incidents: Window::new(limits.per_minute.div_ceil(2), minute),
            endpoint_door: Door::default(),
            xdr_door: Door::default(),
        }
    }

    /// Takes one call out of the quota: at once, or after a wait that the deadline allows. A caller who cannot be
    /// served in time is refused at once, with the wait that would do.
    pub(super) async fn take(&self, api: Api, ctx: &Context) -> Result<(), UpstreamError> {
        loop {
            let Err(wait) = self.try_take(api) else { return Ok(()) };
            if wait + LEAST_LEFT > ctx.deadline.remaining() {
                return Err(UpstreamError::Throttled { retry_after: Some(wait) });
            }
            sleep(wait).await;
        }
    }

    fn try_take(&self, api: Api) -> Result<(), Duration> {
        let door = self.door(api);
        door.check()?;
        let windows: &[&Window] = match api {
            Api::Endpoint => &[&self.minute, &self.hour],
            Api::Xdr => &[&self.incidents, &self.minute, &self.hour],
        };
        for window in windows {
            // A window before this one has already given a place: the door stays shut, so that nobody else wastes one.
            window.take().inspect_err(|wait| door.close_for(*wait))?;
        }
        Ok(())
    }

    /// A 429: nobody calls this API until then.
    pub(super) fn close(&self, api: Api, wait: Duration) {
        self.door(api).close_for(wait);
    }

    fn door(&self, api: Api) -> &Door {
        match api {
            Api::Endpoint => &self.endpoint_door,
            Api::Xdr => &self.xdr_door,
        }
    }
}

/// Shut until a moment.
#[derive(Debug, Default)]
struct Door {
    shut_until: Mutex<Option<Instant>>,
}

impl Door {
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

type Slots = RateLimiter<u32, HashMapStateStore<u32>, TokioClock, NoOpMiddleware<Duration>>;

/// At most `limit` calls in any `period`: as many slots, taken in turn, each once a period.
///
/// One rate limiter with a burst of `limit` would let nearly twice as many through in a window that begins just
/// before the burst.
struct Window {
    slots: Slots,
    limit: u32,
    next: Mutex<u32>,
}

/// Slots that are free again are forgotten after so many calls.
const SWEEP: u32 = 1024;

impl Window {
    fn new(limit: u32, period: Duration) -> Self {
        // Only a period of zero is no rate; then every second is as good a bound as any.
        let rate = Rate::with_period(period).unwrap_or(Rate::per_second(NonZeroU32::MIN));
        Self {
            slots: RateLimiter::hashmap_with_clock(rate, TokioClock(Instant::now())),
            limit: limit.max(1),
            next: Mutex::default(),
        }
    }

    fn take(&self) -> Result<(), Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        self.slots.check_key(&next).map_err(|not_yet| not_yet.wait_time_from(self.slots.clock().now()))?;
        *next = (*next + 1) % self.limit;
        if next.is_multiple_of(SWEEP) {
            self.slots.retain_recent();
        }
        Ok(())
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The runtime's clock, so that tests can pause it; counted from the window's making.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        // A start at zero would leave no past for the limiter to count from.
        Duration::from_secs(1).saturating_add(self.0.elapsed())
    }
}

const _: fn() = || {
    fn is_reference<T: Reference>() {}
    is_reference::<Duration>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Deadline;

    fn quota(per_minute: u32, per_hour: u32) -> Quota {
        Quota::new(QuotaLimits { per_minute, per_hour })
    }

    fn context(span: Duration) -> Context {
        Context::new(Deadline::after(span), "test", None)
    }

    async fn taken(quota: &Quota, api: Api, tries: u32) -> usize {
        let mut taken = 0;
        for _ in 0..tries {
            taken += usize::from(quota.take(api, &context(Duration::from_secs(1))).await.is_ok());
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_of_a_minute_holds_more_than_the_limit() {
        let quota = quota(100, 1_000_000);
        let mut calls: Vec<Instant> = Vec::new();
        for step in 0..400_u64 {
            tokio::time::advance(Duration::from_millis(137 * (step % 7))).await;
            if quota.take(Api::Endpoint, &context(Duration::ZERO)).await.is_ok() {
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
        let refused = quota.take(Api::Endpoint, &context(Duration::from_secs(10))).await;
        let Err(UpstreamError::Throttled { retry_after: Some(wait) }) = refused else { panic!("{refused:?}") };
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
        let quota = quota(100, 1500);
        assert_eq!(taken(&quota, Api::Xdr, 80).await, 50);
        assert_eq!(taken(&quota, Api::Endpoint, 80).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited() {
        let quota = quota(1, 100);
        assert_eq!(taken(&quota, Api::Endpoint, 1).await, 1);
        tokio::time::advance(Duration::from_secs(58)).await;
        assert!(quota.take(Api::Endpoint, &context(Duration::from_secs(10))).await.is_ok());
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
