//! Webhook senders with their own body formats: signature verification, and extraction of questions. This module does
//! no I/O and depends only on the domain.
//!
//! Each sender has a file with `verify`, which works on the raw bytes, and `parse`. Nothing is parsed before it is
//! verified.

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

/// An authenticated body that is not of the documented form. The text says what the body should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(&'static str);
