//! Checks both secrets: the Defender credential, and the callers, senders and destinations of the caller secret.

use std::time::Duration;

use super::advice::{Viewpoint, error_message, secret_read_error};
use super::{Deployment, PART_TIMEOUT, Report};
use crate::api::Code;
use crate::auth::secrets::SecretMaker;
use crate::auth::{AuthError, CallerSecret, standard_webhooks};
use crate::config::CallerAuth;
use crate::credentials::{CallError, Corrections, CredentialError};
use crate::delivery::{Content, Destination, HostError};
use crate::domain::notified::Outcome;
use crate::domain::timestamp::Timestamp;
use crate::integrations;

const TEST_MESSAGE: &str = "A test message of defender-enrich: answers with this destination arrive here.";
/// An example of the secret.
const EXAMPLE: &str = "{\"api_keys\":{\"jira\":[\"KEY\"]}}";

/// The time before the end of a credential in which `check` warns.
const NOTICE_OF_THE_END: Duration = Duration::from_secs(14 * 86_400);

impl Deployment<'_> {
    /// Checks whether the Defender secret contains a credential.
    pub(super) async fn check_defender_secret(&self, report: &mut Report<'_>) -> bool {
        let part = "Defender secret";
        match self.service.tokens.secret(&self.context()).await {
            Ok(secret) => {
                let form = secret.content.form();
                report.good(part, &format!("{}: {form}", self.settings.defender_secret.as_str()));
                report_corrections(part, &secret.corrections, report);
                if let Some(end) = secret.content.end() {
                    report_end(end, self.service.clock.now(), report);
                }
                true
            }
            Err(CredentialError::Store(error)) => {
                let detail = secret_read_error(error, "DEFENDER_SECRET_ID", self.viewpoint);
                report.wrong(part, Code::SecretUnavailable, &format!("secret_unavailable: {detail}"));
                false
            }
            Err(error) => {
                let (code, detail) = error_message(CallError::from(error).into(), self.viewpoint);
                report.wrong(part, code, &detail);
                false
            }
        }
    }

    /// Checks the caller secret, and posts test messages to its destinations if `post_test` is set.
    pub(super) async fn check_callers(&self, post_test: bool, report: &mut Report<'_>) {
        let part = "callers";
        let secret = self.service.callers.secret(&self.context()).await;
        if let (Err(error), CallerAuth::Iam | CallerAuth::Nobody) = (&secret, self.settings.caller_auth) {
            let (code, detail) = secret_error_message(error, self.viewpoint);
            report.wrong("caller secret", code, &detail);
        }
        match self.settings.caller_auth {
            CallerAuth::Iam => report.good(part, "those whom AWS has identified by IAM"),
            CallerAuth::Nobody => report.good(part, "everybody who can reach the service"),
            CallerAuth::ApiKey => match &secret {
                Ok(secret) => check_keys(secret.as_deref(), self.viewpoint, report),
                Err(error) => {
                    let (code, detail) = secret_error_message(error, self.viewpoint);
                    report.wrong(part, code, &detail);
                }
            },
        }
        report_corrections("caller secret", &self.service.callers.corrections(), report);
        let Ok(Some(secret)) = secret else { return };
        for member in &secret.unknown {
            report.warning("caller secret", &member.to_string());
        }
        check_senders(&secret, report);
        self.check_destinations(&secret, post_test, report).await;
    }

    async fn check_destinations(&self, secret: &CallerSecret, post_test: bool, report: &mut Report<'_>) {
        let destinations = match self.service.notifier.destinations(secret) {
            Ok(destinations) => destinations,
            Err(error) => return report.wrong("destinations", Code::Misconfigured, &error.to_string()),
        };
        for member in destinations.unknown() {
            report.warning("caller secret", &member.to_string());
        }
        if post_test && destinations.is_empty() {
            report.skipped("destinations", "there are none in the caller secret");
        }
        for (name, destination) in destinations.iter() {
            let part = format!("destination {name}");
            match destination {
                Ok(destination) => {
                    if self.check_host(&part, destination, report).await {
                        if post_test {
                            self.post_test_message(destination, report).await;
                        } else {
                            report.skipped("  test message", "not posted: add --post-test");
                        }
                    }
                }
                Err(error) => report.wrong(&part, Code::Misconfigured, &error.to_string()),
            }
        }
        if let Some(error) = destinations.name_error() {
            report.wrong("destinations", Code::Misconfigured, &error.to_string());
        }
    }

    async fn check_host(&self, part: &str, destination: &Destination, report: &mut Report<'_>) -> bool {
        match self.service.notifier.check_host(destination, &self.context()).await {
            Ok(()) => {
                report.good(part, &format!("{}, in format {}", destination.kind(), destination.format().as_str()));
                return true;
            }
            Err(error @ HostError::NoAddress) => {
                report.wrong(
                    part,
                    Code::Misconfigured,
                    &format!("{error}: correct it, or is there a way from here to DNS?"),
                );
            }
            Err(error @ HostError::AddressNotAllowed) => {
                report.wrong(
                    part,
                    Code::Misconfigured,
                    &format!("{error}, unless ENRICH_ALLOW_PRIVATE_DESTINATIONS is true"),
                );
            }
        }
        false
    }

    /// Posts a test message.
    async fn post_test_message(&self, destination: &Destination, report: &mut Report<'_>) {
        let content = Content::Body(destination.format().notice(TEST_MESSAGE));
        let notified = self.service.notifier.post(destination, content, &self.context()).await;
        let status = notified.status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
        let part = "  test message";
        match notified.outcome {
            Outcome::Delivered => report.good(part, &format!("taken{status}")),
            Outcome::Refused => {
                report.wrong(
                    part,
                    Code::Misconfigured,
                    &format!("refused{status}: check url and token, and whether it still exists there"),
                );
            }
            Outcome::Failed if notified.status.is_some() => {
                let detail =
                    format!("it has a fault of its own{status}: see its log or status page, and run check again");
                report.wrong(part, Code::Misconfigured, &detail);
            }
            Outcome::Failed => {
                let detail = "no connection: check host and port of url, and whether there is a way from here to them (subnet, NAT, \
                          firewall)";
                report.wrong(part, Code::Misconfigured, detail);
            }
            Outcome::TimedOut => {
                let detail = format!(
                    "no answer in {} seconds: check host and port of url, and whether a firewall drops the connection",
                    PART_TIMEOUT.as_secs()
                );
                report.wrong(part, Code::Misconfigured, &detail);
            }
            Outcome::Misconfigured => {
                report.wrong(part, Code::Misconfigured, "its host has only addresses that a destination may not have");
            }
            Outcome::NothingToSend | Outcome::Pending => report.skipped(part, "nothing was sent"),
        }
    }
}

/// Reports when the credential ends; a warning if that is soon.
fn report_end(end: Timestamp, now: Timestamp, report: &mut Report<'_>) {
    let part = "end of the credential";
    let left = now.age_at(end);
    let days = left.as_secs() / 86_400;
    if left.is_zero() {
        report.warning(part, &format!("it ended at {end}: make a new one in Entra, and store it"));
    } else if left <= NOTICE_OF_THE_END {
        report.warning(part, &format!("it ends at {end}, in {days} days: make a new one in Entra, and store it"));
    } else {
        report.good(part, &format!("{end}, in {days} days"));
    }
}

/// Reports corrections that were applied to a secret. It works, but should be fixed.
fn report_corrections(part: &str, corrections: &Corrections, report: &mut Report<'_>) {
    for correction in corrections.iter() {
        report.warning(part, &correction.to_string());
    }
}

fn check_keys(secret: Option<&CallerSecret>, viewpoint: Viewpoint, report: &mut Report<'_>) {
    let part = "callers";
    let Some(secret) = secret else {
        let detail = format!("CALLER_SECRET_ID is not set, so every call is 401: name a secret such as {EXAMPLE}");
        return report.wrong(part, Code::Misconfigured, &detail);
    };
    let (keys, errors) = match secret.api_keys() {
        Ok(keys) => keys,
        Err(error) => {
            let (code, detail) = secret_error_message(&error, viewpoint);
            return report.wrong(part, code, &detail);
        }
    };
    if keys.is_empty() {
        let detail = format!("no keys in the caller secret, so every call is 401: add some, such as {EXAMPLE}");
        report.wrong(part, Code::Misconfigured, &detail);
    } else {
        report.good(part, &format!("with keys: {}", keys.holders().join(", ")));
    }
    for error in errors {
        report.warning(part, &error.to_string());
    }
    let weak = keys.weak_holders().join(", ");
    if !weak.is_empty() {
        report.warning(part, &format!("a key of {weak} can be guessed: make one with openssl rand -hex 32"));
    }
}

/// Explains why the caller secret cannot be used, and what to do.
fn secret_error_message(error: &AuthError, viewpoint: Viewpoint) -> (Code, String) {
    let detail = match error {
        AuthError::SecretUnavailable(error) => {
            return (Code::SecretUnavailable, secret_read_error(*error, "CALLER_SECRET_ID", viewpoint));
        }
        AuthError::SecretMisconfigured(problem) => {
            format!("the caller secret cannot be used: {problem}. Store it like this: {EXAMPLE}")
        }
        AuthError::KeysMisconfigured(error) => format!("{error}, like this: {EXAMPLE}"),
        AuthError::SenderMisconfigured(error) => error.to_string(),
        AuthError::Unauthorized | AuthError::Unsigned | AuthError::SignatureError(_) => error.to_string(),
    };
    (Code::Misconfigured, detail)
}

fn check_senders(secret: &CallerSecret, report: &mut Report<'_>) {
    let integrations = integrations::ALL.iter().map(|integration| (integration.name, &integration.secrets));
    for (sender, secrets) in integrations.chain([("Standard Webhooks", &standard_webhooks::SECRETS)]) {
        let part = format!("  {sender}");
        match secrets.read(secret) {
            Ok(secrets) if secrets.is_empty() => report.skipped(&part, "no secrets: closed"),
            Ok(secrets) => report.good(&part, &format!("with secrets: {}", secrets.holders().join(", "))),
            Err(error) => report.wrong(&part, Code::Misconfigured, &format!("{error}: closed")),
        }
        let weak = secrets.weak_holders(secret).join(", ");
        if !weak.is_empty() {
            let remedy = match secrets.made_by {
                SecretMaker::Operator => "make one with openssl rand -hex 32".to_owned(),
                SecretMaker::Sender => format!("store the one that {sender} shows, not one of your own"),
            };
            report.warning(&part, &format!("a secret of {weak} can be guessed: {remedy}"));
        }
    }
}
