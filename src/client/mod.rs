//! Outbound HTTP: one client, one deadline per request, retries, quota, limits on body sizes, and errors by meaning.
//!
//! This module knows no JSON, no routes and no tokens.

mod budget;
mod context;
mod early;
mod error;
mod http;
mod ledger;
mod post;
mod quota;
mod retry;
mod send;
mod urls;

pub use context::{Context, Deadline};
pub(crate) use error::{ClientError, Reached, error_from_status, retry_after};
pub use http::HttpClient;
pub(crate) use ledger::{CallLimits, Ledger, MINUTE};
pub(crate) use post::PostFailure;
pub(crate) use quota::{Api, Quota, SharedQuota, call_limits, completions_of_a_list};
pub(crate) use retry::{Attempts, Retry, longest_silence};
pub(crate) use send::{ApiClient, Body, Call, Reply};
pub(crate) use urls::{MAX_BYTES, PagingStop, address, next_page};
