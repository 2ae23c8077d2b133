//! What all calls to the outside share: one HTTP client, one travelling deadline, retry, quota, a cap on what is read,
//! and errors by their meaning. It knows no route and no token.

mod address;
pub(crate) mod body;
mod budget;
mod client;
mod context;
mod error;
pub(crate) mod json;
mod judge;
pub(crate) mod members;
pub(crate) mod objects;
mod pages;
mod post;
mod quota;
mod retry;
mod send;
pub(crate) mod triage;
pub(crate) mod value;

pub(crate) use address::address;
pub use client::HttpClient;
pub use context::{Context, Deadline};
pub(crate) use error::{Reached, UpstreamError};
pub(crate) use judge::{judge, retry_after};
pub(crate) use pages::{MOST_BYTES, Stop, next_page};
pub(crate) use post::PostFailure;
pub(crate) use quota::{Api, Quota, completions_of_a_list};
pub(crate) use retry::{Attempts, Retry, longest_silence};
pub(crate) use send::{Body, Call, Reply, Upstream};
