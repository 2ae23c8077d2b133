//! Destinations of an answer beside its caller: which there are, where they may be, and how an answer gets there. What is
//! posted is rendered elsewhere; who may name a destination is not decided here.

mod address;
mod destination;
mod names;
mod post;
mod response_url;
mod splunk_hec;

pub(crate) use destination::{BatchForm, Destination, DestinationError, Destinations};
#[cfg(feature = "cli")]
pub(crate) use post::NotFound;
pub(crate) use post::{Content, Notifier};
pub(crate) use response_url::SlackMessages;
