//! Failures as sentences for a person at a shell. Those of the API advise the operator of a deployed function.

use crate::api::one_line_message;
use crate::credentials::{RefusalReason, StoreError};
use crate::lookup::EnrichError;

/// Why a federated credential cannot be tried with the AWS credentials of a shell.
pub(super) const NOT_FROM_HERE: &str = "not from here: Entra trusts the function's role, not the AWS credentials of this shell. \
                                        Ask the deployed function: check --url URL --key KEY";

/// The text for a failed lookup.
pub(super) fn error_message(error: EnrichError) -> String {
    match error {
        EnrichError::SecretUnavailable { error } => {
            let advice = secret_read_error(error, "DEFENDER_SECRET_ID");
            format!("secret_unavailable: the Defender secret cannot be read: {advice}")
        }
        EnrichError::FederationFailed { .. } => format!("misconfigured: {NOT_FROM_HERE}"),
        EnrichError::CredentialRefused { refusal } if refusal.reason == RefusalReason::NoFederation => {
            format!("upstream_auth: {NOT_FROM_HERE}")
        }
        error => one_line_message(error),
    }
}

/// Explains why a secret cannot be read with the credentials of this shell, and what to do.
pub(super) fn secret_read_error(error: StoreError, setting: &str) -> String {
    let remedy = match error {
        StoreError::NotFound => {
            return format!("there is no such secret in this account and region: check {setting} and AWS_REGION");
        }
        StoreError::Denied => {
            "the AWS credentials of this shell may not read it: allow them secretsmanager:GetSecretValue on it, in IAM and in \
             the policy of the secret"
        }
        StoreError::KeyDenied => {
            "the AWS credentials of this shell may not use the KMS key that encrypts it: allow them kms:Decrypt on that key, in \
             IAM and in the policy of the key"
        }
        StoreError::MarkedForDeletion => "it is marked for deletion: restore it (aws secretsmanager restore-secret)",
        StoreError::NotDecrypted => {
            "its KMS key does not decrypt it: enable that key, or store the secret with another"
        }
        StoreError::NoText => "it is stored as SecretBinary: store it as text (--secret-string)",
        StoreError::CredentialsRefused => {
            "AWS does not accept the AWS credentials of this shell: they have expired, or belong to no account. Run aws sso \
             login, or aws configure"
        }
        StoreError::NoCredentials => {
            "there are no AWS credentials in this shell: set AWS_PROFILE, or run aws configure"
        }
        StoreError::Unavailable | StoreError::TimedOut => {
            "AWS does not answer: is there a way from here to Secrets Manager in this AWS_REGION (subnet, NAT, firewall, DNS)?"
        }
    };
    remedy.to_owned()
}
