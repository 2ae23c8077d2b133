//! Checks the Defender secret, and explains why a secret cannot be read.

use super::context;
use super::report::Report;
use crate::cli::Session;
use crate::cli::advice::{error_message, secret_read_error};
use crate::credentials::{CallError, Corrections, CredentialError};

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
            report.wrong(part, &error_message(CallError::from(error).into()));
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
