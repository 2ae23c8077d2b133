//! Credentials: reads secrets from AWS Secrets Manager, and gets a bearer token for each of Microsoft's APIs.

mod application;
mod assertion;
mod authorized;
pub mod aws;
mod certificate_end;
mod credential;
mod entra;
mod error;
mod secret_cache;
mod secret_text;
mod store;
mod timepoint;
mod token;
mod token_cache;

pub(crate) use application::ApplicationId;
pub(crate) use authorized::{Authorized, CallError};
pub(crate) use error::{CredentialError, Refusal, RefusalReason};
pub(crate) use secret_cache::{Patience, SecretCache, SecretError, SecretRules};
pub(crate) use secret_text::{Content, Correction, Corrections, SecretProblem, parsed, trim};
pub use store::SecretStore;
pub(crate) use store::StoreError;
pub(crate) use token::{Token, carries};
pub(crate) use token_cache::TokenCache;
