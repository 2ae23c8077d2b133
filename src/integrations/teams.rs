//! Teams: outgoing webhooks.
//!
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::command::Command;
use super::{Chat, ChatRequest, Description, Exchange, Integration, LateAnswers, Message, markup};
use crate::auth::MemberForm;
use crate::auth::secrets::{SecretList, SecretMaker, Secrets};
use crate::auth::signature::{self, SignatureError, SignedRequest};
use crate::formats::Format;

pub(super) static INTEGRATION: Integration = Integration {
    name: "Teams",
    path: "/v1/hooks/teams",
    description: Description {
        id: "hookTeams",
        texts: ["A message to an outgoing webhook of Teams", "Proven by Authorization: HMAC."],
        media_type: "application/json",
        response: ["A message, whatever happened.", "TeamsReply"],
    },
    // Teams waits 5 seconds.
    reply_timeout: Duration::from_millis(4500),
    secrets: SecretList {
        member: "teams_hmac_secrets",
        sender: "teams",
        form: MemberForm::List,
        made_by: SecretMaker::Sender,
        decode: |text| {
            let key = STANDARD.decode(text).ok().filter(|key| !key.is_empty());
            key.ok_or("holds a secret that is not base64")
        },
    },
    verify,
    challenge: &["HMAC realm=\"defender-enrich\""],
    requirement: "This address is for an outgoing webhook of Teams: Authorization: HMAC has to be made with one of \
                  teams_hmac_secrets of the caller secret, the security token that Teams shows when the webhook is \
                  created, over an activity whose timestamp is at most five minutes off.",
    is_probe: |_| false,
    exchange: Exchange::Chat(Chat {
        parse,
        format: Format::Teams,
        text: |sentence| {
            Message::from_iter([("type".to_owned(), json!("message")), ("text".to_owned(), json!(sentence))])
        },
        // Everybody in the channel sees a reply.
        address: |_, _| {},
        replace: |_| {},
        late_answers: LateAnswers::Cached,
    }),
};

/// How people mention the webhook. Teams does not send this name, so it is the one that our documentation uses.
const MENTION: &str = "@Defender";

/// The activity of the Bot Framework that Teams sends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Activity {
    r#type: Option<String>,
    timestamp: Option<String>,
    text: Option<String>,
}

/// Verifies `Authorization: HMAC …` over the body, and that the body is recent, by the activity's own `timestamp`: the
/// signature covers no other time.
fn verify(secrets: &Secrets, request: &SignedRequest<'_>) -> Result<Arc<str>, SignatureError> {
    let SignedRequest { headers, body, received_at, .. } = *request;
    let presented = signature::header(headers, "authorization")?.ok_or(SignatureError::NoSignature)?;
    let (scheme, signature) = presented.split_once(' ').ok_or(SignatureError::Malformed)?;
    if !scheme.eq_ignore_ascii_case("hmac") {
        return Err(SignatureError::NoSignature);
    }
    let tags = signature::tags([signature].into_iter(), "", signature::from_base64)?;
    let signer = secrets.signer(&[body], &tags)?;
    let activity: Activity = serde_json::from_slice(body).unwrap_or_default();
    signature::check_body_time(activity.timestamp.as_deref(), signature::TOLERANCE_S, received_at)?;
    Ok(signer)
}

/// Reads the text of a message, without mentions and markup.
fn parse(body: &[u8]) -> ChatRequest {
    let activity: Activity = serde_json::from_slice(body).unwrap_or_default();
    let command = if activity.r#type.as_deref() == Some("message") {
        // Markdown needs an empty line between paragraphs.
        Command::parse(&markup::from_teams(activity.text.as_deref().unwrap_or_default()), MENTION, "\n\n")
    } else {
        Command::Invalid("This is no message of a Teams outgoing webhook.".to_owned())
    };
    ChatRequest { command, response_url: None, is_unique: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signature::tests::{flipped, flipped_text, headers, request, secrets};

    /// The token, in the form of Microsoft's documentation: base64 of 32 bytes.
    const TOKEN: &str = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=";
    const BODY: &[u8] =
        br#"{"type":"message","timestamp":"2026-11-03T08:15:42.0367Z","text":"<at>Defender</at> help"}"#;
    /// Computed with Python's `hmac`, independently of the code under test.
    const SIGNATURE: &str = "HMAC 7c/l7V/eoWpx4RoiVfEtWiRvc3Oxweab1a+Ba/CbyIc=";

    fn verified(authorization: &str, body: &[u8], received_at: &str) -> Result<(), SignatureError> {
        let token = STANDARD.decode(TOKEN).expect("base64");
        let headers = headers(&[("authorization", authorization)]);
        verify(&secrets(&[b"another", &token]), &request(&headers, body, received_at)).map(drop)
    }

    fn in_time(authorization: &str, body: &[u8]) -> Result<(), SignatureError> {
        verified(authorization, body, "2026-11-03T08:16:00Z")
    }

    /// The header that Teams sends with a body.
    fn signed(body: &[u8]) -> String {
        let token = STANDARD.decode(TOKEN).expect("base64");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &token);
        format!("HMAC {}", STANDARD.encode(ring::hmac::sign(&key, body)))
    }

    #[test]
    fn message_is_valid_for_five_minutes_by_its_own_timestamp() {
        for (time, outcome) in [
            ("2026-11-03T08:10:43Z", Ok(())),
            ("2026-11-03T08:20:42Z", Ok(())),
            ("2026-11-03T08:20:43Z", Err(SignatureError::Stale)),
            ("2026-11-03T08:10:41Z", Err(SignatureError::Stale)),
        ] {
            assert_eq!(verified(SIGNATURE, BODY, time), outcome, "{time}");
        }
        for body in [
            r#"{"type":"message","text":"help"}"#,
            r#"{"type":"message","timestamp":null,"text":"help"}"#,
            r#"{"type":"message","timestamp":1762158942,"text":"help"}"#,
            "no JSON",
        ] {
            assert_eq!(in_time(&signed(body.as_bytes()), body.as_bytes()), Err(SignatureError::Untimed), "{body}");
        }
    }

    #[test]
    fn only_the_signature_over_the_body_is_accepted() {
        assert_eq!(in_time(SIGNATURE, BODY), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(in_time(SIGNATURE, &body), Err(SignatureError::Wrong));
        }
        for signature in flipped_text(&SIGNATURE[5..]) {
            assert!(in_time(&format!("HMAC {signature}"), BODY).is_err(), "{signature}");
        }
        for (value, refusal) in [
            ("Bearer x", SignatureError::NoSignature),
            ("HMAC", SignatureError::Malformed),
            ("HMAC %%%", SignatureError::Malformed),
            ("HMAC dG9vIHNob3J0", SignatureError::Malformed),
        ] {
            assert_eq!(in_time(value, BODY), Err(refusal), "{value}");
        }
    }

    #[test]
    fn mention_alone_asks_for_help_and_other_bodies_are_rejected() {
        for body in [r#"{"type":"message","text":"<at>Defender</at>\n"}"#, r#"{"type":"message"}"#] {
            assert!(matches!(parse(body.as_bytes()).command, Command::Help(_)), "{body}");
        }
        for body in ["", "{}", "[]", r#"{"type":"typing"}"#, r#"{"type":"message","text":7}"#, "text=help"] {
            assert!(matches!(parse(body.as_bytes()).command, Command::Invalid(_)), "{body}");
        }
    }
}
