//! Slack: the signature of its requests, and the form of a slash command.
//!
//! Sources: <https://docs.slack.dev/authentication/verifying-requests-from-slack>,
//! <https://docs.slack.dev/interactivity/implementing-slash-commands>.

use std::sync::Arc;

use http::HeaderMap;
use url::Url;

use super::command::Command;
use super::signature::{self, SignatureError, SigningKeys};
use super::{PayloadError, markup};
use crate::domain::timestamp::Timestamp;

/// Verifies that Slack signed this body, by `X-Slack-Signature` and `X-Slack-Request-Timestamp`.
pub fn verify(
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Arc<str>, SignatureError> {
    let presented = signature::header(headers, "x-slack-signature")?.ok_or(SignatureError::NoSignature)?;
    let timestamp = signature::header(headers, "x-slack-request-timestamp")?.ok_or(SignatureError::Malformed)?;
    let tags = signature::tags([presented].into_iter(), "v0=", signature::from_hex)?;
    signature::check_fresh(timestamp, now)?;
    keys.signer(&[b"v0:", timestamp.as_bytes(), b":", body], &tags)
}

/// The body of a request to a slash command's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlackForm {
    /// A person's command.
    Command(SlashCommand),
    /// A check of our TLS certificate, which any 200 satisfies.
    CertificateCheck,
}

/// Whether a body is `ssl_check=1` without a command. Slack checks our TLS certificate this way, possibly without a
/// signature, and expects no content.
pub fn is_certificate_check(body: &[u8]) -> bool {
    SlackForm::parse(body) == Ok(SlackForm::CertificateCheck)
}

/// A slash command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlashCommand {
    /// The command's name in this workspace, such as `/defender`.
    pub name: String,
    /// What the person typed after the command, without Slack's markup.
    pub text: String,
    /// Where a later answer may be posted, five times within 30 minutes. `None` if it is not a Slack URL.
    pub response_url: Option<ResponseUrl>,
    /// The id of this invocation, the same in every delivery.
    pub trigger_id: Option<String>,
}

/// A URL at `https://hooks.slack.com`. It is a secret: anyone who has it can post.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(Url);

impl std::fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseUrl(…)")
    }
}

impl SlackForm {
    /// Parses the form.
    pub fn parse(body: &[u8]) -> Result<Self, PayloadError> {
        let no_form = PayloadError("This is no form of a Slack slash command.");
        let mut command = None;
        let mut text = None;
        let mut response_url = None;
        let mut trigger_id = None;
        let mut certificate_check = None;
        for (name, value) in form_urlencoded::parse(body) {
            let member = match &*name {
                "command" => &mut command,
                "text" => &mut text,
                "response_url" => &mut response_url,
                "trigger_id" => &mut trigger_id,
                "ssl_check" => &mut certificate_check,
                _ => continue,
            };
            if member.replace(value.into_owned()).is_some() {
                return Err(no_form);
            }
        }
        match (command, certificate_check.as_deref()) {
            (None, Some("1")) => Ok(Self::CertificateCheck),
            (Some(name), _) => Ok(Self::Command(SlashCommand {
                name,
                text: markup::from_slack(text.as_deref().unwrap_or_default()),
                response_url: response_url.as_deref().and_then(ResponseUrl::parse),
                trigger_id,
            })),
            (None, _) => Err(no_form),
        }
    }
}

impl SlashCommand {
    /// Parses the command's text.
    pub fn command(&self) -> Command {
        Command::parse(&self.text, &self.name)
    }
}

impl ResponseUrl {
    /// Accepts only a URL of Slack.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let slack = url.scheme() == "https"
            && url.host_str() == Some("hooks.slack.com")
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        slack.then_some(Self(url))
    }

    /// Returns the URL, or the same path on the stand-in server for Slack.
    pub fn at(&self, stand_in: Option<&Url>) -> Url {
        let Some(stand_in) = stand_in else { return self.0.clone() };
        let mut url = stand_in.clone();
        url.set_path(self.0.path());
        url.set_query(self.0.query());
        url
    }
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::{flipped, flipped_text, headers, keys};
    use super::*;

    const SECRET: &[u8] = b"8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554\
        %2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn proven(timestamp: &str, signature: &str, body: &[u8], now: i64) -> Result<(), SignatureError> {
        let headers = headers(&[("x-slack-signature", signature), ("x-slack-request-timestamp", timestamp)]);
        let keys = keys(&[b"another", SECRET]);
        verify(&keys, &headers, body, Timestamp::from_unix_seconds(now)).map(drop)
    }

    /// Source: <https://docs.slack.dev/authentication/verifying-requests-from-slack>, the worked example.
    #[test]
    fn only_the_signature_of_slacks_example_is_accepted() {
        let now = 1_531_420_618;
        assert_eq!(proven(TIMESTAMP, SIGNATURE, BODY, now), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(proven(TIMESTAMP, SIGNATURE, &body, now), Err(SignatureError::Wrong));
        }
        for timestamp in flipped_text(TIMESTAMP) {
            assert!(proven(&timestamp, SIGNATURE, BODY, now).is_err(), "{timestamp}");
        }
        for signature in flipped_text(SIGNATURE) {
            assert!(proven(TIMESTAMP, &signature, BODY, now).is_err(), "{signature}");
        }
    }

    #[test]
    fn request_with_an_old_timestamp_is_stale() {
        for (now, outcome) in [
            (1_531_420_318, Ok(())),
            (1_531_420_918, Ok(())),
            (1_531_420_317, Err(SignatureError::Stale)),
            (1_531_420_919, Err(SignatureError::Stale)),
        ] {
            assert_eq!(proven(TIMESTAMP, SIGNATURE, BODY, now), outcome);
        }
    }

    #[test]
    fn missing_duplicated_and_malformed_headers_are_rejected() {
        let signature = ("x-slack-signature", SIGNATURE);
        let timestamp = ("x-slack-request-timestamp", TIMESTAMP);
        let upper = SIGNATURE.to_uppercase();
        for (list, refusal) in [
            (vec![], SignatureError::NoSignature),
            (vec![timestamp], SignatureError::NoSignature),
            (vec![signature], SignatureError::Malformed),
            (vec![signature, signature, timestamp], SignatureError::Malformed),
            (vec![signature, timestamp, timestamp], SignatureError::Malformed),
            (vec![("x-slack-signature", "v0="), timestamp], SignatureError::Malformed),
            (vec![("x-slack-signature", &SIGNATURE[3..]), timestamp], SignatureError::Malformed),
            (vec![("x-slack-signature", &upper), timestamp], SignatureError::Malformed),
            (vec![signature, ("x-slack-request-timestamp", "soon")], SignatureError::Malformed),
        ] {
            let now = Timestamp::from_unix_seconds(1_531_420_618);
            assert_eq!(verify(&keys(&[SECRET]), &headers(&list), BODY, now), Err(refusal), "{list:?}");
        }
    }

    #[test]
    fn form_of_a_command_is_parsed() {
        let form = SlackForm::parse(BODY).expect("a form");
        let SlackForm::Command(command) = form else { panic!("{form:?}") };
        assert_eq!((command.name.as_str(), command.text.as_str()), ("/webhook-collect", ""));
        assert_eq!(command.trigger_id.as_deref(), Some("398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"));
        assert_eq!(command.command(), Command::Help);
        let url = command.response_url.expect("an address");
        assert_eq!(
            url.at(None).as_str(),
            "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN"
        );
        assert!(!format!("{url:?}").contains("96rG"));

        assert_eq!(SlackForm::parse(b"ssl_check=1&token=x"), Ok(SlackForm::CertificateCheck));
        for body in [&b"ssl_check=0&command=%2Fd&text=help"[..], b"ssl_check=1&command=%2Fd&text=help"] {
            let form = SlackForm::parse(body).expect("a form");
            let SlackForm::Command(command) = form else { panic!("{form:?}") };
            assert_eq!(command.text, "help");
            assert!(!is_certificate_check(body));
        }
        for body in [
            &b""[..],
            b"ssl_check=0",
            b"ssl_check=",
            b"ssl_check=1&ssl_check=1",
            b"payload=%7B%7D",
            b"{}",
            b"text=help",
            b"command=%2Fd&text=a&text=b",
            b"\xFF\xFE",
        ] {
            assert!(SlackForm::parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn only_slack_urls_are_accepted_as_response_urls() {
        assert!(ResponseUrl::parse("https://hooks.slack.com/commands/1/2").is_some());
        for text in [
            "http://hooks.slack.com/commands/1/2",
            "https://hooks.slack.com.evil.example/commands/1",
            "https://hooks.slack.com@evil.example/commands/1",
            "https://user@hooks.slack.com/commands/1",
            "https://hooks.slack.com:8443/commands/1",
            "https://evil.example/hooks.slack.com",
            "//hooks.slack.com/commands/1",
            "",
        ] {
            assert!(ResponseUrl::parse(text).is_none(), "{text}");
        }
    }
}
