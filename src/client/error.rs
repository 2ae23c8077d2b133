//! The errors of a call to Microsoft, by meaning.

use std::time::Duration;

use super::retry::Retry;

/// How far a call got before it failed as unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The call was not sent, or it was rejected: no work has begun.
    NotProcessed,
    /// A gateway accepted it but got no valid answer: the service behind it may be working on the call.
    Gateway,
    /// The connection broke: the next attempt uses a new one immediately. The service may be working on the call.
    BrokenConnection,
}

/// The failure of a call to Microsoft. Each variant says whether the call is retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// 429, or our own quota: retried only if the wait fits into the deadline.
    #[error("throttled")]
    Throttled {
        /// The time to wait before the next attempt, if it is known.
        retry_after: Option<Duration>,
    },
    /// 502, 503, 504, or a connection that was refused, reset or closed early: retried.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// The time to wait before the next attempt, if it is known.
        retry_after: Option<Duration>,
        /// What happened, in our words.
        reason: &'static str,
        /// How far the call got.
        reached: Reached,
    },
    /// The host name has no address: retried, because a resolver can be wrong for a moment.
    #[error("the host has no address")]
    NoAddress,
    /// 500: retried once.
    #[error("internal server error")]
    ServerError,
    /// No answer in time: retried while time is left.
    #[error("no answer in time")]
    TimedOut,
    /// 401: not retried here. The owner of the credential renews it.
    #[error("the token was refused")]
    Unauthorized,
    /// 403 with the API's own error envelope: never retried.
    #[error("the token lacks a permission")]
    Forbidden,
    /// 404 with the API's own error envelope: the entity does not exist.
    #[error("not found")]
    NotFound,
    /// Any other status: never retried.
    #[error("refused with status {status}")]
    Rejected {
        /// The status.
        status: u16,
    },
    /// 400 from advanced hunting because it does not find a table: the tenant or the app may not see the table. Never
    /// retried.
    #[error("a table that cannot be seen")]
    TableNotVisible,
    /// The body does not have the documented form: never retried.
    #[error("malformed answer: {reason}")]
    Malformed {
        /// What is wrong with it, in our words.
        reason: &'static str,
    },
    /// The body exceeds a size limit: never retried.
    #[error("the answer is too large")]
    TooLarge,
}

impl ClientError {
    /// `Unavailable` without a wait, for a call that was not sent.
    pub(crate) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::NotProcessed }
    }

    /// `Unavailable` for a connection that broke after the call was sent.
    pub(super) fn broken_connection(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::BrokenConnection }
    }

    /// A body that does not have the documented form.
    pub(crate) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason }
    }

    /// The wait before the next attempt, if the error carries one.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::NoAddress
            | Self::ServerError
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

    /// The same error with another wait, for a caller who receives a cached error later.
    pub(crate) fn after(self, wait: Duration) -> Self {
        match self {
            Self::Throttled { .. } => Self::Throttled { retry_after: Some(wait) },
            Self::Unavailable { reason, reached, .. } => Self::Unavailable { retry_after: Some(wait), reason, reached },
            error @ (Self::NoAddress
            | Self::ServerError
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

    /// Whether and how the call may be retried.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { reached: Reached::BrokenConnection, .. } => Retry::Reconnect,
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => Retry::after(*retry_after),
            Self::NoAddress => Retry::Backoff,
            Self::TimedOut => Retry::NewConnection,
            Self::ServerError => Retry::Once,
            Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected { .. }
            | Self::TableNotVisible
            | Self::Malformed { .. }
            | Self::TooLarge => Retry::Never,
        }
    }
}
