//! Connections that are opened before there is a request for them.
//!
//! A cold start waits for Secrets Manager and then for Entra. Meanwhile the connections to Entra and to Microsoft's APIs
//! can be opened: TCP and TLS take two round trips. No request is sent, so nothing counts against Microsoft's quota.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tower::{Layer, Service};
use url::Url;

use crate::domain::timestamp::Timestamp;

/// How long an unused connection is trusted without a doubt. For those that were opened early, the wall clock decides,
/// because Lambda may freeze the process meanwhile.
pub(super) const LIFETIME: Duration = Duration::from_secs(15);

tokio::task_local! {
    /// Set while a connection is opened for later.
    static FOR_LATER: ();
}

/// Opens connections for a client of one host, which shares its layer [`EarlyConnections`]. It has no pool, where it could
/// find another connection and send a request over it.
#[derive(Debug)]
pub(super) struct Opener(pub(super) reqwest::Client);

impl Opener {
    /// Opens a connection for a later request. A failure does not matter: the request opens a connection of its own.
    pub(super) async fn open(&self, url: Url) {
        // The layer ends the request as soon as it has the connection.
        FOR_LATER.scope((), self.0.head(url).send()).await.ok();
    }
}

/// Keeps connections that were opened for later, and passes each to a request. `C` is the client's private type of
/// a connection.
#[derive(Debug)]
pub(super) struct EarlyConnections<C>(Kept<C>);

type Kept<C> = Arc<Mutex<Vec<(C, Timestamp)>>>;

impl<C> Default for EarlyConnections<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C> Clone for EarlyConnections<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, C> Layer<S> for EarlyConnections<C> {
    type Service = Connector<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Connector { inner, kept: self.0.clone() }
    }
}

/// Connects, or takes a connection that is kept.
#[derive(Debug)]
pub(super) struct Connector<S, C> {
    inner: S,
    kept: Kept<C>,
}

impl<S: Clone, C> Clone for Connector<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), kept: self.kept.clone() }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl<S, R, C> Service<R> for Connector<S, C>
where
    S: Service<R, Response = C, Error = BoxError, Future: Send + 'static>,
    C: Send + 'static,
{
    type Response = C;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let kept = self.kept.clone();
        if FOR_LATER.try_with(|()| ()).is_ok() {
            let connecting = self.inner.call(destination);
            return Box::pin(async move {
                let connection = connecting.await?;
                let end = Timestamp::now().later(LIFETIME);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push((connection, end));
                Err("the connection is kept for the next request".into())
            });
        }
        match take(&kept, Timestamp::now()) {
            Some(connection) => Box::pin(async move { Ok(connection) }),
            None => Box::pin(self.inner.call(destination)),
        }
    }
}

/// A connection that is kept and can be trusted. Those that cannot be are closed.
fn take<C>(kept: &Kept<C>, now: Timestamp) -> Option<C> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|(_, end)| now < *end);
    kept.pop().map(|(connection, _)| connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_used_once_and_only_for_some_seconds() {
        let now = Timestamp::now();
        let kept = Kept::default();
        let keep = |name| kept.lock().unwrap_or_else(PoisonError::into_inner).push((name, now.later(LIFETIME)));
        keep("first");
        keep("second");
        let last_moment = now.later(Duration::from_secs(14));
        assert_eq!(
            [take(&kept, now), take(&kept, last_moment), take(&kept, now)],
            [Some("second"), Some("first"), None]
        );
        keep("third");
        keep("fourth");
        assert_eq!([take(&kept, now.later(LIFETIME)), take(&kept, now)], [None, None]);
    }
}
