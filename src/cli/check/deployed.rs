//! `check --url`: sends requests to a deployed service, as a caller would.

use std::io::BufRead;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use crate::check::Report;
use crate::cli::CommandError;
use crate::client::HttpClient;
use crate::config::extra_ca_file;

/// Allows for a cold start, and for the longest response that API Gateway waits for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The OpenAPI document has about 100 KiB. A larger response is not from this service.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// A key that no caller secret contains.
const WRONG_KEY: &str = "defender-enrich-check-with-a-wrong-key";

/// A response of the service, or of a proxy in front of it.
struct Answer {
    status: StatusCode,
    body: Value,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum RequestError {
    #[error(
        "there is no connection: check the address, and whether there is a way to it from here (DNS, firewall, proxy)"
    )]
    NoConnection,
    #[error("there is no answer in {} seconds", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the connection broke, or the answer is larger than any of this service")]
    Broken,
}

/// A service with its URL.
struct Deployed {
    base: Url,
    client: HttpClient,
    /// A query for an alert that does not exist, and that is in no cache.
    question: String,
}

/// Checks health, version, authentication, and one lookup.
pub(super) async fn check(base: Url, key: Option<String>, report: &mut Report<'_>) -> Result<(), CommandError> {
    let key = match key.as_deref() {
        Some("-") => Some(first_line()?),
        _ => key,
    };
    let question = format!("alert_id=da0_{}&not_found=200", fastrand::u32(..));
    let service = Deployed { base, client: HttpClient::new(extra_ca_file().as_deref())?, question };
    if !service.check_health(report).await {
        report.skipped("version, callers, a lookup", "not tried: the service does not answer");
        return Ok(());
    }
    service.check_version(report).await;
    let is_open = service.check_wrong_key(report).await;
    match key.as_deref().map(HeaderValue::from_str) {
        Some(Ok(key)) => service.check_lookup(Some(key), is_open, report).await,
        Some(Err(_)) => report.wrong("the key", None, "it has characters that no header can carry"),
        None if is_open => service.check_lookup(None, is_open, report).await,
        None => {
            report.unproven("the key", "not tried: give one with --key KEY, or --key - and the key on standard input");
            report.unproven("a lookup", "not tried: there is no key");
        }
    }
    Ok(())
}

fn first_line() -> Result<String, CommandError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(CommandError::Input)?;
    Ok(line.trim().to_owned())
}

impl Deployed {
    async fn get(&self, route: &[&str], query: Option<&str>, key: Option<HeaderValue>) -> Result<Answer, RequestError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(route);
        }
        url.set_query(query);
        let mut request = self.client.pooled().get(url);
        if let Some(mut key) = key {
            key.set_sensitive(true);
            request = request.header("x-api-key", key);
        }
        let exchange = async {
            let mut response = request
                .send()
                .await
                .map_err(|error| if error.is_connect() { RequestError::NoConnection } else { RequestError::Broken })?;
            let (status, mut body) = (response.status(), BytesMut::new());
            while let Some(piece) = response.chunk().await.map_err(|_| RequestError::Broken)? {
                if body.len() + piece.len() > MAX_ANSWER_BYTES {
                    return Err(RequestError::Broken);
                }
                body.extend_from_slice(&piece);
            }
            Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
        };
        timeout(REQUEST_TIMEOUT, exchange).await.map_err(|_| RequestError::TimedOut)?
    }

    async fn check_health(&self, report: &mut Report<'_>) -> bool {
        let part = "healthz";
        match self.get(&["healthz"], None, None).await {
            Ok(answer) if answer.status == StatusCode::OK && answer.text("status") == Some("ok") => {
                report.good(part, "the service answers");
                true
            }
            Ok(answer) => {
                report.wrong(part, None, &answer.foreign_message());
                false
            }
            Err(error) => {
                report.wrong(part, None, &error.to_string());
                false
            }
        }
    }

    async fn check_version(&self, report: &mut Report<'_>) {
        let part = "version";
        let answer = match self.get(&["v1", "openapi.json"], None, None).await {
            Ok(answer) => answer,
            Err(error) => return report.wrong(part, None, &error.to_string()),
        };
        let own = env!("CARGO_PKG_VERSION");
        let version = answer.body.pointer("/info/version").and_then(Value::as_str);
        match version.filter(|_| answer.status == StatusCode::OK) {
            Some(version) if version == own => report.good(part, version),
            Some(version) => report.warning(part, &format!("{version}, while this program is {own}")),
            None => report.wrong(part, None, &answer.foreign_message()),
        }
    }

    /// Checks that a wrong key is rejected. Returns whether the service accepts everybody.
    async fn check_wrong_key(&self, report: &mut Report<'_>) -> bool {
        let part = "a wrong key";
        match self.get(&["v1", "enrich"], Some(&self.question), Some(HeaderValue::from_static(WRONG_KEY))).await {
            Ok(answer) if answer.code() == Some("unauthorized") => report.good(part, "is refused"),
            Ok(answer) if answer.is_lookup() => {
                report.warning(part, "is let in: everybody who reaches this address may ask (ENRICH_AUTH=none)");
                return true;
            }
            Ok(answer) => report.wrong(part, None, &answer.problem_message()),
            Err(error) => report.wrong(part, None, &error.to_string()),
        }
        false
    }

    async fn check_lookup(&self, key: Option<HeaderValue>, lets_everybody_in: bool, report: &mut Report<'_>) {
        let has_key = key.is_some();
        let answer = match self.get(&["v1", "enrich"], Some(&self.question), key).await {
            Ok(answer) => answer,
            Err(error) => return report.wrong("a lookup", None, &error.to_string()),
        };
        match answer.code() {
            Some("unauthorized") => {
                let detail = "is refused: it is not among api_keys of the caller secret, or is newer than SECRET_TTL_S (300 \
                              seconds by default)";
                report.wrong("the key", None, detail);
                return report.skipped("a lookup", "not tried: the key is refused");
            }
            Some(_) | None if !has_key => {}
            Some(_) | None if lets_everybody_in => report.skipped("the key", "not proven: any key is let in"),
            Some(code) if !is_said_after_authentication(code) => {
                report.skipped("the key", "not proven: the service has compared no key");
            }
            None if !answer.is_lookup() => report.skipped("the key", "not proven: this is no answer to a lookup"),
            Some(_) | None => report.good("the key", "is accepted"),
        }
        if answer.is_lookup() {
            let backend = match answer.body.pointer("/source/backend").and_then(Value::as_str) {
                Some("graph") => "Microsoft Graph",
                Some(_) | None => "the older APIs",
            };
            report.good("a lookup", &format!("about an alert: answered, from {backend}"));
        } else {
            report.wrong("a lookup", None, &answer.problem_message());
        }
    }
}

/// Whether a problem of this code can only come once the caller is known: it is about what was asked.
fn is_said_after_authentication(code: &str) -> bool {
    code.starts_with("upstream_") || matches!(code, "not_found" | "throttled")
}

impl Answer {
    fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// The code of a problem.
    fn code(&self) -> Option<&str> {
        self.text("code")
    }

    fn is_lookup(&self) -> bool {
        self.status == StatusCode::OK && self.body.get("found").is_some()
    }

    /// The problem's text, or an explanation of a response that is not from the service.
    fn problem_message(&self) -> String {
        match (self.code(), self.text("detail")) {
            (Some(code), Some(detail)) => {
                let name =
                    self.text("request_id").map(|id| format!(" In the log: request_id {id}")).unwrap_or_default();
                truncated(&format!("{code}: {detail}{name}"))
            }
            _ => self.foreign_message(),
        }
    }

    /// Explains a response that is not from the service.
    fn foreign_message(&self) -> String {
        let meaning = match self.status.as_u16() {
            300..=399 => "a redirect, which is not followed: give the address that it leads to",
            401 | 403 => {
                "refused before the service: AuthMode=iam or a Function URL of type AWS_IAM wants AWS signatures, which check \
                 does not make, or a firewall stands before it"
            }
            404 => "no such path: is a part of the address missing or wrong, such as the stage or the base path?",
            429 => "turned away before the service: it is throttled",
            500..=599 => {
                "the function does not start or has no room: look for \"a setting is wrong\" in its log, and at ReservedConcurrency"
            }
            _ => "something else than defender-enrich answers at this address",
        };
        format!("HTTP {}: {meaning}", self.status.as_u16())
    }
}

/// Truncates a text. No problem of this service is longer than the limit.
fn truncated(text: &str) -> String {
    const MAX_CHARACTERS: usize = 600;
    text.chars().take(MAX_CHARACTERS).collect()
}
