//! The Defender secret, and what is to be done about a secret that gives nothing.

use super::context;
use super::report::Report;
use crate::api::told_in_full;
use crate::cli::Stage;
use crate::credentials::{CallError, Corrections, CredentialError, StoreError};

/// Whether the Defender secret holds a credential.
pub(super) async fn check(stage: &Stage, report: &mut Report) -> bool {
    let part = "Defender secret";
    match stage.service.tokens.secret(&context()).await {
        Ok(secret) => {
            let form = secret.content.form();
            report.good(part, &format!("{}: {form}", stage.settings.defender_secret.as_str()));
            understood(part, &secret.corrections, report);
            true
        }
        Err(CredentialError::Store(error)) => {
            report.wrong(part, &format!("secret_unavailable: {}", unreadable(error, "DEFENDER_SECRET_ID")));
            false
        }
        Err(error) => {
            report.wrong(part, &told_in_full(CallError::from(error).into()));
            false
        }
    }
}

/// What had to be understood in a secret: it works, and should be corrected.
pub(super) fn understood(part: &str, corrections: &Corrections, report: &mut Report) {
    for correction in corrections.iter() {
        report.warning(part, &correction.to_string());
    }
}

/// Why a secret cannot be read with the credentials of this shell, and what to do.
pub(super) fn unreadable(error: StoreError, setting: &str) -> String {
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
