//! From a secret in AWS Secrets Manager to a bearer token for each of Microsoft's APIs.

mod assertion;
mod authorized;
pub mod aws;
mod credential;
mod entra;
mod error;
mod store;
mod token;
mod tokens;

pub(crate) use authorized::{Authorized, CallError};
pub(crate) use error::{CredentialError, Refusal};
pub use store::SecretStore;
pub(crate) use store::StoreError;
pub(crate) use token::{Token, carries};
pub(crate) use tokens::Tokens;
