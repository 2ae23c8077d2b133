//! From a secret in AWS Secrets Manager to a bearer token for each of Microsoft's APIs.

mod assertion;
mod authorized;
pub mod aws;
mod credential;
mod entra;
mod error;
mod pages;
mod store;
mod token;
mod tokens;

pub(crate) use authorized::{Authorized, CallError};
pub(crate) use error::{CredentialError, Refusal};
pub(crate) use pages::{Listing, Paging, Unread};
pub use store::SecretStore;
pub(crate) use store::StoreError;
pub(crate) use token::carries;
pub(crate) use tokens::Tokens;
