//! Checks the caller secret: who may call, which hooks are enabled, and where answers can be posted.

use super::report::Report;
use super::secrets::{report_corrections, secret_read_error};
use super::{PART_TIMEOUT, context};
use crate::auth::{AuthError, CallerSecret};
use crate::cli::Session;
use crate::config::CallerAuth;
use crate::delivery::{Content, Destination, HostError};
use crate::domain::notified::Outcome;

const TEST_MESSAGE: &str = "A test message of defender-enrich: answers with this destination arrive here.";
/// An example of the secret.
const EXAMPLE: &str = "{\"api_keys\":{\"jira\":[\"KEY\"]}}";

/// Checks the caller secret, and posts test messages to its destinations if `post_test` is set.
pub(super) async fn check(session: &Session, post_test: bool, report: &mut Report) {
    let part = "callers";
    let secret = session.service.callers.secret(&context()).await;
    if let (Err(error), CallerAuth::Iam | CallerAuth::Nobody) = (&secret, session.settings.caller_auth) {
        report.wrong("caller secret", &secret_error_message(error));
    }
    match session.settings.caller_auth {
        CallerAuth::Iam => report.good(part, "those whom the front door has identified by IAM"),
        CallerAuth::Nobody => report.good(part, "everybody who can reach the service"),
        CallerAuth::ApiKey => match &secret {
            Ok(secret) => keys(secret.as_deref(), report),
            Err(error) => report.wrong(part, &secret_error_message(error)),
        },
    }
    report_corrections("caller secret", &session.service.callers.corrections(), report);
    let Ok(Some(secret)) = secret else { return };
    for member in &secret.unknown {
        report.warning("caller secret", &member.to_string());
    }
    hooks(&secret, report);
    destinations(session, &secret, post_test, report).await;
}

fn keys(secret: Option<&CallerSecret>, report: &mut Report) {
    let part = "callers";
    let Some(secret) = secret else {
        let detail = format!("CALLER_SECRET_ID is not set, so every call is 401: name a secret such as {EXAMPLE}");
        return report.wrong(part, &detail);
    };
    match secret.names() {
        Ok(names) if names.is_empty() => {
            let detail = format!("no keys in the caller secret, so every call is 401: add some, such as {EXAMPLE}");
            report.wrong(part, &detail);
        }
        Ok(names) => report.good(part, &format!("with keys: {}", names.join(", "))),
        Err(error) => report.wrong(part, &secret_error_message(&error)),
    }
    if !secret.weak_holders().is_empty() {
        report.warning(part, &weak_secret_message("key", &secret.weak_holders().join(", ")));
    }
}

fn weak_secret_message(what: &str, holders: &str) -> String {
    format!("a {what} of {holders} can be guessed: make one with openssl rand -hex 32")
}

/// Explains why the caller secret cannot be used, and what to do.
fn secret_error_message(error: &AuthError) -> String {
    match error {
        AuthError::SecretUnavailable(error) => secret_read_error(*error, "CALLER_SECRET_ID"),
        AuthError::SecretMisconfigured(problem) => {
            format!("the caller secret cannot be used: {problem}. Store it like this: {EXAMPLE}")
        }
        AuthError::KeysMisconfigured(error) => format!("{error}, like this: {EXAMPLE}"),
        AuthError::HookMisconfigured(error) => error.to_string(),
        AuthError::Unauthorized | AuthError::Unsigned | AuthError::SignatureError(_) => error.to_string(),
    }
}

fn hooks(secret: &CallerSecret, report: &mut Report) {
    for (sender, holders) in secret.hooks.holders() {
        let part = format!("  {sender}");
        match holders {
            Ok(holders) if holders.is_empty() => report.skipped(&part, "no secrets: closed"),
            Ok(holders) => report.good(&part, &format!("with secrets: {}", holders.join(", "))),
            Err(error) => report.wrong(&part, &format!("{error}: closed")),
        }
    }
    let weak = secret.hooks.splunk.as_ref().map(|tokens| tokens.weak_holders().join(", ")).unwrap_or_default();
    if !weak.is_empty() {
        report.warning("  Splunk", &weak_secret_message("token", &weak));
    }
}

async fn destinations(session: &Session, secret: &CallerSecret, post_test: bool, report: &mut Report) {
    let destinations = match secret.all_destinations() {
        Ok(destinations) => destinations,
        Err(error) => return report.wrong("destinations", &error.to_string()),
    };
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
    let found = session.service.notifier.check_host(destination, &context()).await;
    match found {
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
        Outcome::Failed => report.wrong(part, &format!("it cannot be reached, or cannot take it{status}")),
        Outcome::TimedOut => report.wrong(part, &format!("no answer in {} seconds", PART_TIMEOUT.as_secs())),
        Outcome::Misconfigured => report.wrong(part, "its host has only addresses that a destination may not have"),
        Outcome::NothingToSend | Outcome::Pending => report.skipped(part, "nothing was sent"),
    }
}
