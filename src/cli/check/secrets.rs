//! Checks both secrets: the Defender credential, and the callers, senders and destinations of the caller secret.

use super::report::Report;
use super::{PART_TIMEOUT, context};
use crate::auth::{AuthError, CallerSecret, standard_webhooks};
use crate::cli::Session;
use crate::cli::advice::{error_message, secret_read_error};
use crate::config::CallerAuth;
use crate::credentials::{CallError, Corrections, CredentialError};
use crate::delivery::{Content, Destination, HostError};
use crate::domain::notified::Outcome;
use crate::integrations;

const TEST_MESSAGE: &str = "A test message of defender-enrich: answers with this destination arrive here.";
/// An example of the secret.
const EXAMPLE: &str = "{\"api_keys\":{\"jira\":[\"KEY\"]}}";

/// Checks whether the Defender secret contains a credential.
pub(super) async fn check_defender_secret(session: &Session, report: &mut Report) -> bool {
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
fn report_corrections(part: &str, corrections: &Corrections, report: &mut Report) {
    for correction in corrections.iter() {
        report.warning(part, &correction.to_string());
    }
}

/// Checks the caller secret, and posts test messages to its destinations if `post_test` is set.
pub(super) async fn check_callers(session: &Session, post_test: bool, report: &mut Report) {
    let part = "callers";
    let secret = session.service.callers.secret(&context()).await;
    if let (Err(error), CallerAuth::Iam | CallerAuth::Nobody) = (&secret, session.settings.caller_auth) {
        report.wrong("caller secret", &secret_error_message(error));
    }
    match session.settings.caller_auth {
        CallerAuth::Iam => report.good(part, "those whom AWS has identified by IAM"),
        CallerAuth::Nobody => report.good(part, "everybody who can reach the service"),
        CallerAuth::ApiKey => match &secret {
            Ok(secret) => check_keys(secret.as_deref(), report),
            Err(error) => report.wrong(part, &secret_error_message(error)),
        },
    }
    report_corrections("caller secret", &session.service.callers.corrections(), report);
    let Ok(Some(secret)) = secret else { return };
    for member in &secret.unknown {
        report.warning("caller secret", &member.to_string());
    }
    check_senders(&secret, report);
    check_destinations(session, &secret, post_test, report).await;
}

fn check_keys(secret: Option<&CallerSecret>, report: &mut Report) {
    let part = "callers";
    let Some(secret) = secret else {
        let detail = format!("CALLER_SECRET_ID is not set, so every call is 401: name a secret such as {EXAMPLE}");
        return report.wrong(part, &detail);
    };
    let (keys, errors) = match secret.api_keys() {
        Ok(keys) => keys,
        Err(error) => return report.wrong(part, &secret_error_message(&error)),
    };
    if keys.is_empty() {
        let detail = format!("no keys in the caller secret, so every call is 401: add some, such as {EXAMPLE}");
        report.wrong(part, &detail);
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
fn secret_error_message(error: &AuthError) -> String {
    match error {
        AuthError::SecretUnavailable(error) => secret_read_error(*error, "CALLER_SECRET_ID"),
        AuthError::SecretMisconfigured(problem) => {
            format!("the caller secret cannot be used: {problem}. Store it like this: {EXAMPLE}")
        }
        AuthError::KeysMisconfigured(error) => format!("{error}, like this: {EXAMPLE}"),
        AuthError::SenderMisconfigured(error) => error.to_string(),
        AuthError::Unauthorized | AuthError::Unsigned | AuthError::SignatureError(_) => error.to_string(),
    }
}

fn check_senders(secret: &CallerSecret, report: &mut Report) {
    let integrations = integrations::ALL.iter().map(|integration| (integration.name, &integration.secrets));
    for (sender, secrets) in integrations.chain([("Standard Webhooks", &standard_webhooks::SECRETS)]) {
        let part = format!("  {sender}");
        match secrets.read(secret) {
            Ok(secrets) if secrets.is_empty() => report.skipped(&part, "no secrets: closed"),
            Ok(secrets) => report.good(&part, &format!("with secrets: {}", secrets.holders().join(", "))),
            Err(error) => report.wrong(&part, &format!("{error}: closed")),
        }
        let weak = secrets.weak_holders(secret).join(", ");
        if !weak.is_empty() {
            let detail = if sender == "Splunk" {
                format!("a token of {weak} can be guessed: make one with openssl rand -hex 32")
            } else {
                format!("a secret of {weak} can be guessed: store the one that {sender} shows, not one of your own")
            };
            report.warning(&part, &detail);
        }
    }
}

async fn check_destinations(session: &Session, secret: &CallerSecret, post_test: bool, report: &mut Report) {
    let destinations = match session.service.notifier.destinations(secret) {
        Ok(destinations) => destinations,
        Err(error) => return report.wrong("destinations", &error.to_string()),
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
                if check_host(session, &part, destination, report).await {
                    if post_test {
                        post_test_message(session, destination, report).await;
                    } else {
                        report.skipped("  test message", "not posted: add --post-test");
                    }
                }
            }
            Err(error) => report.wrong(&part, &error.to_string()),
        }
    }
    if let Some(error) = destinations.name_error() {
        report.wrong("destinations", &error.to_string());
    }
}

async fn check_host(session: &Session, part: &str, destination: &Destination, report: &mut Report) -> bool {
    match session.service.notifier.check_host(destination, &context()).await {
        Ok(()) => {
            report.good(part, &format!("{}, in format {}", destination.kind(), destination.format().as_str()));
            return true;
        }
        Err(error @ HostError::NoAddress) => {
            report.wrong(part, &format!("{error}: correct it, or is there a way from here to DNS?"));
        }
        Err(error @ HostError::AddressNotAllowed) => {
            report.wrong(part, &format!("{error}, unless ENRICH_ALLOW_PRIVATE_DESTINATIONS is true"));
        }
    }
    false
}

/// Posts a test message.
async fn post_test_message(session: &Session, destination: &Destination, report: &mut Report) {
    let content = Content::Body(destination.format().notice(TEST_MESSAGE));
    let notified = session.service.notifier.post(destination, content, &context()).await;
    let status = notified.status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
    let part = "  test message";
    match notified.outcome {
        Outcome::Delivered => report.good(part, &format!("taken{status}")),
        Outcome::Refused => {
            report.wrong(part, &format!("refused{status}: check url and token, and whether it still exists there"));
        }
        Outcome::Failed if notified.status.is_some() => {
            let detail = format!("it has a fault of its own{status}: see its log or status page, and run check again");
            report.wrong(part, &detail);
        }
        Outcome::Failed => {
            let detail = "no connection: check host and port of url, and whether there is a way from here to them (subnet, NAT, \
                          firewall)";
            report.wrong(part, detail);
        }
        Outcome::TimedOut => {
            let detail = format!(
                "no answer in {} seconds: check host and port of url, and whether a firewall drops the connection",
                PART_TIMEOUT.as_secs()
            );
            report.wrong(part, &detail);
        }
        Outcome::Misconfigured => report.wrong(part, "its host has only addresses that a destination may not have"),
        Outcome::NothingToSend | Outcome::Pending => report.skipped(part, "nothing was sent"),
    }
}
