//! What callers send who cannot speak our JSON: the proof that it is theirs, and the questions in it. Pure; knows the
//! domain only.
//!
//! Each sender has a file: first `verify` over the raw bytes, then `parse`. Nothing is parsed before it is proven.

pub mod command;
mod found;
mod markup;
pub mod pagerduty;
#[cfg(test)]
mod properties;
mod scan;
mod secrets;
mod signature;
pub mod slack;
pub mod splunk;
pub mod standard_webhooks;
pub mod teams;

pub use found::{ExtractedSubjects, Unusable};
pub use secrets::{Holders, HookSecrets, SecretsError, Tokens, is_weak};
pub use signature::{SignatureError, SigningKeys};

/// A body that is proven to come from the sender, and yet makes no sense; the text says what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(&'static str);
