//! The caller secret: who may call, which hooks are open, and where answers can be posted.

use serde_json::json;

use super::report::Report;
use super::secrets::{understood, unreadable};
use super::{PART_TIMEOUT, context};
use crate::auth::{AuthError, CallerSecret};
use crate::cli::Stage;
use crate::config::CallerAuth;
use crate::delivery::{Content, Destination, NotFound};
use crate::domain::notified::Outcome;
use crate::formats::Format;

/// How the keys are written, for who has none yet.
const EXAMPLE: &str = "{\"api_keys\":{\"jira\":[\"KEY\"]}}";

/// Looks at the caller secret, and posts to its destinations where that is wanted.
pub(super) async fn check(stage: &Stage, posts: bool, report: &mut Report) {
    let part = "callers";
    let secret = stage.service.callers.secret(&context()).await;
    if let (Err(error), CallerAuth::Iam | CallerAuth::Nobody) = (&secret, stage.settings.caller_auth) {
        report.wrong("caller secret", &unusable(error));
    }
    match stage.settings.caller_auth {
        CallerAuth::Iam => report.good(part, "those whom the front door has identified by IAM"),
        CallerAuth::Nobody => report.good(part, "everybody who can reach the service"),
        CallerAuth::ApiKey => match &secret {
            Ok(secret) => keys(secret.as_deref(), report),
            Err(error) => report.wrong(part, &unusable(error)),
        },
    }
    understood("caller secret", &stage.service.callers.corrections(), report);
    let Ok(Some(secret)) = secret else { return };
    for member in &secret.unknown {
        report.warning("caller secret", &member.to_string());
    }
    hooks(&secret, report);
    destinations(stage, &secret, posts, report).await;
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
        Err(error) => report.wrong(part, &unusable(&error)),
    }
    if !secret.weak_holders().is_empty() {
        report.warning(part, &guessed("key", &secret.weak_holders().join(", ")));
    }
}

fn guessed(what: &str, holders: &str) -> String {
    format!("a {what} of {holders} can be guessed: make one with openssl rand -hex 32")
}

/// Why the caller secret is of no use, and what to do.
fn unusable(error: &AuthError) -> String {
    match error {
        AuthError::SecretUnavailable(error) => unreadable(*error, "CALLER_SECRET_ID"),
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
        report.warning("  Splunk", &guessed("token", &weak));
    }
}

async fn destinations(stage: &Stage, secret: &CallerSecret, posts: bool, report: &mut Report) {
    let destinations = match secret.all_destinations() {
        Ok(destinations) => destinations,
        Err(error) => return report.wrong("destinations", &error.to_string()),
    };
    if posts && destinations.is_empty() {
        report.skipped("destinations", "there are none in the caller secret");
    }
    for (name, destination) in destinations.iter() {
        let part = format!("destination {name}");
        match destination {
            Ok(destination) => {
                if reachable(stage, &part, destination, report).await {
                    if posts {
                        post(stage, destination, report).await;
                    } else {
                        report.skipped("  test message", "not posted: add --post-test");
                    }
                }
            }
            Err(error) => report.wrong(&part, &error.to_string()),
        }
    }
    if let Some(error) = destinations.misnamed() {
        report.wrong("destinations", &error.to_string());
    }
}

async fn reachable(stage: &Stage, part: &str, destination: &Destination, report: &mut Report) -> bool {
    let found = stage.service.notifier.finds(destination, &context()).await;
    match found {
        Ok(()) => {
            report.good(part, &format!("{}, in format {}", destination.kind(), destination.format().as_str()));
            return true;
        }
        Err(error @ NotFound::NoAddress) => {
            report.wrong(part, &format!("{error}: correct it, or is there a way from here to DNS?"));
        }
        Err(error @ NotFound::NotAllowed) => {
            report.wrong(part, &format!("{error}, unless ENRICH_ALLOW_PRIVATE_DESTINATIONS is true"));
        }
    }
    false
}

/// Posts a message that says that it is a test.
async fn post(stage: &Stage, destination: &Destination, report: &mut Report) {
    let content = Content::Body(test_message(destination.format()));
    let notified = stage.service.notifier.post(destination, content, &context()).await;
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

fn test_message(format: Format) -> Vec<u8> {
    let text = "A test message of defender-enrich: answers with this destination arrive here.";
    let message = match format {
        Format::Slack => json!({"text": text}),
        Format::Teams => json!({"type": "message", "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{"type": "TextBlock", "text": text, "wrap": true}],
            },
        }]}),
        Format::Ecs => json!([{"message": text}]),
        Format::Json | Format::Ocsf | Format::OcsfNdjson => json!({"message": text}),
        Format::Markdown | Format::Text => return text.as_bytes().to_vec(),
    };
    message.to_string().into_bytes()
}
