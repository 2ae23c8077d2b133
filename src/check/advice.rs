//! Failures as sentences for an operator, at a shell or in the log of the function.

use crate::api::{Code, one_line_message};
use crate::credentials::{RefusalReason, StoreError};
use crate::lookup::EnrichError;

/// Where the check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewpoint {
    /// At a shell, with AWS credentials that are not the function's.
    Shell,
    /// In the function, with its role.
    Function,
}

impl Viewpoint {
    /// Whose permissions count.
    fn principal(self) -> &'static str {
        match self {
            Self::Shell => "the AWS credentials of this shell",
            Self::Function => "the function's role",
        }
    }
}

/// Why a federated credential cannot be tried with the AWS credentials of a shell.
pub(super) const NOT_FROM_HERE: &str = "not from here: Entra trusts the function's role, not the AWS credentials of this shell. \
                                        Ask the deployed function: check --url URL --key KEY";

/// The code and the text for a failed lookup.
pub(crate) fn error_message(error: EnrichError, viewpoint: Viewpoint) -> (Code, String) {
    let is_at_shell = viewpoint != Viewpoint::Function;
    match error {
        EnrichError::SecretUnavailable { error } => {
            let advice = secret_read_error(error, "DEFENDER_SECRET_ID", viewpoint);
            let message = format!("secret_unavailable: the Defender secret cannot be read: {advice}");
            (Code::SecretUnavailable, message)
        }
        EnrichError::FederationFailed { .. } if is_at_shell => {
            (Code::Misconfigured, format!("misconfigured: {NOT_FROM_HERE}"))
        }
        EnrichError::CredentialRefused { refusal } if is_at_shell && refusal.reason == RefusalReason::NoFederation => {
            (Code::UpstreamAuth, format!("upstream_auth: {NOT_FROM_HERE}"))
        }
        error => one_line_message(error),
    }
}

/// Explains why a secret cannot be read, and what to do.
pub(super) fn secret_read_error(error: StoreError, setting: &str, viewpoint: Viewpoint) -> String {
    let principal = viewpoint.principal();
    let remedy = match error {
        StoreError::NotFound => {
            return format!("there is no such secret in this account and region: check {setting} and AWS_REGION");
        }
        StoreError::Denied => {
            return format!(
                "{principal} may not read it: allow secretsmanager:GetSecretValue on it, in IAM and in the policy of the secret"
            );
        }
        StoreError::KeyDenied => {
            return format!(
                "{principal} may not use the KMS key that encrypts it: allow kms:Decrypt on that key, in IAM and in the policy of \
                 the key"
            );
        }
        StoreError::MarkedForDeletion => "it is marked for deletion: restore it (aws secretsmanager restore-secret)",
        StoreError::NotDecrypted => {
            "its KMS key does not decrypt it: enable that key, or store the secret with another"
        }
        StoreError::NoText => "it is stored as SecretBinary: store it as text (--secret-string)",
        StoreError::CredentialsRefused => {
            return match viewpoint {
                Viewpoint::Shell => format!(
                    "AWS does not accept {principal}: they have expired, or belong to no account. Run aws sso login, or aws configure"
                ),
                Viewpoint::Function => format!("AWS does not accept {principal}: it may have been deleted"),
            };
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
