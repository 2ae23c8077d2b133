//! How a call to Microsoft can fail, by meaning.

use std::time::Duration;

/// A call that brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// 429, or our own quota: not tried again unless the wait fits into the deadline.
    #[error("throttled")]
    Throttled {
        /// When to come again, where that was told.
        retry_after: Option<Duration>,
    },
    /// 502, 503, 504, refused, reset, closed early: tried again.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// When to come again, where that was told.
        retry_after: Option<Duration>,
        /// What happened, in our words.
        reason: &'static str,
        /// The connection broke: the next try takes a new one, at once.
        connection_died: bool,
    },
    /// 500: tried once more.
    #[error("internal server error")]
    ServerError,
    /// No answer in time: tried again while there is time.
    #[error("no answer in time")]
    TimedOut,
    /// 401: the credential is renewed by whoever holds it; here it is not tried again.
    #[error("the token was refused")]
    Unauthorized,
    /// 403: never tried again.
    #[error("the token lacks a permission")]
    Forbidden,
    /// 404 in the API's own envelope: the entity is not known.
    #[error("not found")]
    NotFound,
    /// Any other status: never tried again.
    #[error("refused with status {status}")]
    Rejected {
        /// The status.
        status: u16,
    },
    /// 400 by advanced hunting, which does not find a table: the tenant or the app may not see it. Never tried again.
    #[error("a table that cannot be seen")]
    TableNotVisible,
    /// The body is not what is documented: never tried again.
    #[error("malformed answer: {reason}")]
    Malformed {
        /// What is wrong with it, in our words.
        reason: &'static str,
    },
    /// More than is read: never tried again.
    #[error("the answer is too large")]
    TooLarge,
}

impl UpstreamError {
    pub(super) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, connection_died: false }
    }

    pub(super) fn connection_died(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, connection_died: true }
    }

    /// A body that is not what is documented.
    pub(crate) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason }
    }

    /// The wait that was asked for.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::ServerError
            | Self::TimedOut
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge => None,
        }
    }

    /// The same error for somebody who comes later, with what is left of the wait.
    pub(crate) fn after(self, wait: Duration) -> Self {
        match self {
            Self::Throttled { .. } => Self::Throttled { retry_after: Some(wait) },
            Self::Unavailable { reason, connection_died, .. } => {
                Self::Unavailable { retry_after: Some(wait), reason, connection_died }
            }
            error @ (Self::ServerError
            | Self::TimedOut
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge) => error,
        }
    }

    /// How long to wait before the try after this one, the `tries`-th; `None`: there is none.
    pub(super) fn pause_after(&self, tries: u32) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, connection_died: false, .. } => {
                Some(retry_after.unwrap_or_else(|| backoff(tries)))
            }
            Self::Unavailable { connection_died: true, .. } if tries == 1 => Some(Duration::ZERO),
            Self::Unavailable { .. } | Self::TimedOut => Some(backoff(tries)),
            Self::ServerError if tries == 1 => Some(backoff(tries)),
            Self::ServerError
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge => None,
        }
    }
}

/// Full jitter over an exponential span: up to 200 ms after the first try, up to 400 ms after the second.
pub(crate) fn backoff(tries: u32) -> Duration {
    const BASE: Duration = Duration::from_millis(100);
    let most = BASE.saturating_mul(1 << tries.min(4));
    most.mul_f64(fastrand::f64())
}
