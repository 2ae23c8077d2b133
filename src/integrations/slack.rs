//! Slack: slash commands.
//!
//! Sources: <https://docs.slack.dev/authentication/verifying-requests-from-slack>,
//! <https://docs.slack.dev/interactivity/implementing-slash-commands>.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::command::Command;
use super::{Audience, Chat, ChatRequest, Description, Exchange, Integration, LateAnswers, Message, markup};
use crate::auth::MemberForm;
use crate::auth::secrets::{SecretList, SecretMaker, Secrets};
use crate::auth::signature::{self, SignatureError, SignedRequest};
use crate::delivery::ResponseUrl;
use crate::formats::Format;

/// The header with the signature.
pub(crate) const SIGNATURE_HEADER: &str = "x-slack-signature";

pub(crate) static INTEGRATION: Integration = Integration {
    name: "Slack",
    path: "/v1/hooks/slack",
    description: Description {
        id: "hookSlack",
        texts: [
            "A slash command of Slack",
            "Proven by X-Slack-Signature. What takes longer than 2.5 seconds follows to its response_url.",
        ],
        media_type: "application/x-www-form-urlencoded",
        response: ["A message, whatever happened; empty for ssl_check.", "SlackMessage"],
    },
    // Slack waits 3 seconds.
    reply_timeout: Duration::from_millis(2500),
    secrets: SecretList {
        member: "slack_signing_secrets",
        sender: "slack",
        form: MemberForm::List,
        made_by: SecretMaker::Sender,
        decode: |text| Ok(text.into()),
    },
    verify,
    challenge: &["Signature realm=\"defender-enrich\""],
    requirement: "This address is for Slack: X-Slack-Signature has to be made with one of slack_signing_secrets of the \
                  caller secret, over this body, within the last five minutes.",
    is_probe,
    exchange: Exchange::Chat(Chat {
        parse,
        format: Format::Slack,
        text,
        address: |message, audience| {
            message.insert("response_type".to_owned(), response_type(audience).into());
        },
        replace: |message| {
            message.insert("replace_original".to_owned(), true.into());
        },
        late_answers: LateAnswers::Posted,
    }),
};

/// Verifies `X-Slack-Signature` over the body and `X-Slack-Request-Timestamp`.
fn verify(secrets: &Secrets, request: &SignedRequest<'_>) -> Result<Arc<str>, SignatureError> {
    let SignedRequest { headers, body, received_at, .. } = *request;
    let presented = signature::header(headers, SIGNATURE_HEADER)?.ok_or(SignatureError::NoSignature)?;
    let timestamp = signature::header(headers, "x-slack-request-timestamp")?.ok_or(SignatureError::Malformed)?;
    let tags = signature::tags([presented].into_iter(), "v0=", signature::from_hex)?;
    signature::check_timestamp(timestamp, received_at)?;
    secrets.signer(&[b"v0:", timestamp.as_bytes(), b":", body], &tags)
}

/// Slack sends `ssl_check=1` without a command to check our TLS certificate, possibly without a signature.
fn is_probe(body: &[u8]) -> bool {
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "ssl_check" || name == "command");
    fields.next() == Some(("ssl_check".into(), "1".into())) && fields.next().is_none()
}

/// Reads the form of a slash command.
fn parse(body: &[u8]) -> ChatRequest {
    const NAMES: [&str; 4] = ["command", "text", "response_url", "trigger_id"];
    let mut fields: [Option<String>; 4] = Default::default();
    let mut is_form = true;
    for (name, value) in form_urlencoded::parse(body) {
        if let Some((_, field)) = NAMES.iter().zip(&mut fields).find(|(known, _)| **known == name) {
            is_form &= field.replace(value.into_owned()).is_none();
        }
    }
    let [name, text, response_url, trigger_id] = fields;
    let command = match name.filter(|_| is_form) {
        Some(name) => Command::parse(&markup::from_slack(text.as_deref().unwrap_or_default()), &name, "\n"),
        None => Command::Invalid("This is no form of a Slack slash command.".to_owned()),
    };
    ChatRequest {
        command,
        response_url: response_url.as_deref().and_then(ResponseUrl::parse),
        is_unique: trigger_id.is_some(),
    }
}

fn response_type(audience: Audience) -> &'static str {
    match audience {
        Audience::Person => "ephemeral",
        Audience::Channel => "in_channel",
    }
}

fn text(sentence: &str) -> Message {
    let text = sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Message::from_iter([
        ("response_type".to_owned(), json!(response_type(Audience::Person))),
        ("text".to_owned(), json!(text)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signature::tests::{flipped, flipped_text, headers, request, secrets};

    const SECRET: &[u8] = b"8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const RECEIVED_AT: &str = "2018-07-12T18:36:58Z";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554\
        %2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn verified(list: &[(&'static str, &str)], body: &[u8], received_at: &str) -> Result<(), SignatureError> {
        verify(&secrets(&[b"another", SECRET]), &request(&headers(list), body, received_at)).map(drop)
    }

    fn in_time(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        let list = [("x-slack-signature", signature), ("x-slack-request-timestamp", timestamp)];
        verified(&list, body, RECEIVED_AT)
    }

    /// Source: <https://docs.slack.dev/authentication/verifying-requests-from-slack>, the worked example.
    #[test]
    fn only_the_signature_of_slacks_example_is_accepted() {
        assert_eq!(in_time(TIMESTAMP, SIGNATURE, BODY), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(in_time(TIMESTAMP, SIGNATURE, &body), Err(SignatureError::Wrong));
        }
        for timestamp in flipped_text(TIMESTAMP) {
            assert!(in_time(&timestamp, SIGNATURE, BODY).is_err(), "{timestamp}");
        }
        for signature in flipped_text(SIGNATURE) {
            assert!(in_time(TIMESTAMP, &signature, BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn missing_duplicated_malformed_and_old_headers_are_rejected() {
        let signature = ("x-slack-signature", SIGNATURE);
        let timestamp = ("x-slack-request-timestamp", TIMESTAMP);
        for (list, refusal) in [
            (vec![], SignatureError::NoSignature),
            (vec![timestamp], SignatureError::NoSignature),
            (vec![signature], SignatureError::Malformed),
            (vec![signature, signature, timestamp], SignatureError::Malformed),
            (vec![signature, timestamp, timestamp], SignatureError::Malformed),
            (vec![("x-slack-signature", &SIGNATURE[3..]), timestamp], SignatureError::Malformed),
            (vec![signature, ("x-slack-request-timestamp", "soon")], SignatureError::Malformed),
        ] {
            assert_eq!(verified(&list, BODY, RECEIVED_AT), Err(refusal), "{list:?}");
        }
        let late = verified(&[signature, timestamp], BODY, "2018-07-12T18:41:59Z");
        assert_eq!(late, Err(SignatureError::Stale));
    }

    #[test]
    fn form_of_a_command_is_parsed() {
        let request = parse(BODY);
        assert!(matches!(&request.command, Command::Help(text) if text.contains("`/webhook-collect machine ")));
        assert!(request.is_unique && request.response_url.is_some());
        assert!(!format!("{request:?}").contains("96rG"));
        for body in ["", "payload=%7B%7D", "{}", "text=help", "command=%2Fd&text=a&text=b"] {
            assert!(matches!(parse(body.as_bytes()).command, Command::Invalid(_)), "{body:?}");
        }
        assert!(matches!(parse(b"\xFF\xFE").command, Command::Invalid(_)));
    }

    #[test]
    fn certificate_check_has_no_command() {
        assert!(is_probe(b"ssl_check=1&token=x"));
        for body in ["", "ssl_check=0", "ssl_check=", "ssl_check=1&ssl_check=1", "ssl_check=1&command=%2Fd&text=help"] {
            assert!(!is_probe(body.as_bytes()), "{body:?}");
        }
    }
}
