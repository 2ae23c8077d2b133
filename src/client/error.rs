//! How a call to Microsoft can fail, by meaning.

use std::time::Duration;

use super::retry::Retry;

/// How far a call came that met an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It was not sent, or was turned away: nothing was done about it.
    Nobody,
    /// A gateway has it that got no answer, or another one: what is behind may be at work.
    Gateway,
    /// The connection broke: the next try takes a new one, at once. What was sent may be at work.
    BrokenConnection,
}

/// A call that brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
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
        /// How far the call came.
        reached: Reached,
    },
    /// The host's name has no address: tried again, as a resolver can be wrong for a moment.
    #[error("the host has no address")]
    NoAddress,
    /// 500: tried once more.
    #[error("internal server error")]
    ServerError,
    /// No answer in time: tried again while there is time.
    #[error("no answer in time")]
    TimedOut,
    /// 401: the credential is renewed by whoever holds it; here it is not tried again.
    #[error("the token was refused")]
    Unauthorized,
    /// 403 in the API's own envelope: never tried again.
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

impl ClientError {
    /// An outage that names no end.
    pub(crate) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::Nobody }
    }

    pub(super) fn connection_died(reason: &'static str) -> Self {
        Self::Unavailable { retry_after: None, reason, reached: Reached::BrokenConnection }
    }

    /// A body that is not what is documented.
    pub(crate) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason }
    }

    /// The wait that was asked for.
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

    /// The same error for somebody who comes later, with what is left of the wait.
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

    /// What this failure means for the next attempt.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { reached: Reached::BrokenConnection, .. } => Retry::Reconnect,
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => Retry::after(*retry_after),
            Self::NoAddress => Retry::Backoff,
            Self::TimedOut => Retry::Afresh,
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
