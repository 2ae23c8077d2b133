//! Posts answers to destinations: which destinations exist, which addresses they may have, and how a post is made.
//! Rendering, and the choice of a destination, happen elsewhere.

mod address;
mod destination;
mod names;
mod post;
mod response_url;
mod splunk_hec;

pub(crate) use destination::{BatchForm, Destination, Destinations};
#[cfg(feature = "cli")]
pub(crate) use post::HostError;
pub(crate) use post::{Content, Notifier};
pub(crate) use response_url::{ResponseUrl, SlackMessages};
