//! Checks the Defender secret, and explains why a secret cannot be read.

use super::context;
use super::report::Report;
use crate::api::one_line_message;
use crate::cli::Session;
use crate::credentials::{CallError, Corrections, CredentialError, StoreError};

/// Checks whether the Defender secret contains a credential.
pub(super) async fn check(session: &Session, report: &mut Report) -> bool {
    let part = "Defender secret";
    match session.service.tokens.secret(&context()).await {
        Ok(secret) => {
            let form = secret.content.form();
            report.good(part, &format!("{}: {form}", session.settings.defender_secret.as_str()));
            report_corrections(part, &secret.corrections, report);
            true
        }
        Err(CredentialError::Store(error)) => {
            report.wrong(part, &format!("secret_unavailable: {}", secret_read_error(error, "DEFENDER_SECRET_ID")));
            false
        }
        Err(error) => {
            report.wrong(part, &one_line_message(CallError::from(error).into()));
            false
        }
    }
}

/// Reports corrections that were applied to a secret. It works, but should be fixed.
pub(super) fn report_corrections(part: &str, corrections: &Corrections, report: &mut Report) {
    for correction in corrections.iter() {
        report.warning(part, &correction.to_string());
    }
}

/// Explains why a secret cannot be read with the credentials of this shell, and what to do.
pub(super) fn secret_read_error(error: StoreError, setting: &str) -> String {
    let remedy = match error {
        StoreError::NotFound => {
            return format!("there is no such secret in this account and region: check {setting} and AWS_REGION");
        }
        StoreError::Denied => {
            "the AWS credentials of this shell may not read it: allow secretsmanager:GetSecretValue on it, and kms:Decrypt \
             where it has a key of its own"
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
