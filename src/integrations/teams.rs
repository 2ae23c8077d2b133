//! Teams: the signature of an outgoing webhook, and the Bot Framework activity that it sends.
//!
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>.

use std::sync::Arc;

use http::HeaderMap;
use serde::Deserialize;

use super::command::Command;
use super::signature::{self, SignatureError, SigningKeys};
use super::{PayloadError, markup};
use crate::domain::timestamp::Timestamp;

/// Verifies that Teams signed this body, by `Authorization: HMAC …`, and that it is recent, by the activity's own
/// `timestamp`: the signature covers no other time.
pub fn verify(
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Arc<str>, SignatureError> {
    let presented = signature::header(headers, "authorization")?.ok_or(SignatureError::NoSignature)?;
    let (scheme, signature) = presented.split_once(' ').ok_or(SignatureError::Malformed)?;
    if !scheme.eq_ignore_ascii_case("hmac") {
        return Err(SignatureError::NoSignature);
    }
    let tags = signature::tags([signature].into_iter(), "", signature::from_base64)?;
    let signer = keys.signer(&[body], &tags)?;
    signature::check_time(timestamp(body).as_deref(), signature::TOLERANCE_S, now)?;
    Ok(signer)
}

/// Reads the `timestamp` of an activity.
fn timestamp(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Timed {
        timestamp: Option<String>,
    }
    serde_json::from_slice::<Timed>(body).ok()?.timestamp
}

/// A message that mentions the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// What the person typed, without mentions and markup.
    pub text: String,
}

impl Activity {
    /// Parses the activity.
    pub fn parse(body: &[u8]) -> Result<Self, PayloadError> {
        #[derive(Deserialize)]
        struct Wire {
            r#type: String,
            text: Option<String>,
        }
        let wire: Option<Wire> = serde_json::from_slice(body).ok();
        let wire = wire.filter(|wire| wire.r#type == "message");
        let wire = wire.ok_or(PayloadError("This is no message of a Teams outgoing webhook."))?;
        Ok(Self { text: markup::from_teams(wire.text.as_deref().unwrap_or_default()) })
    }

    /// Parses the message's text. `mention` is how people mention the webhook.
    pub fn command(&self, mention: &str) -> Command {
        Command::parse(&self.text, mention)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::super::signature::tests::{flipped, flipped_text, headers, keys};
    use super::*;
    use crate::domain::subject::Kind;

    /// The token, in the form of Microsoft's documentation: base64 of 32 bytes.
    const TOKEN: &str = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=";
    const BODY: &[u8] =
        br#"{"type":"message","timestamp":"2026-11-03T08:15:42.0367Z","text":"<at>Defender</at> help"}"#;
    /// Computed with Python's `hmac`, independently of the code under test.
    const SIGNATURE: &str = "7c/l7V/eoWpx4RoiVfEtWiRvc3Oxweab1a+Ba/CbyIc=";

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(time).expect("a time")
    }

    fn proven_at(time: &str, authorization: &str, body: &[u8]) -> Result<(), SignatureError> {
        let token = STANDARD.decode(TOKEN).expect("base64");
        let headers = headers(&[("authorization", authorization)]);
        verify(&keys(&[b"another", &token]), &headers, body, at(time)).map(drop)
    }

    fn proven(authorization: &str, body: &[u8]) -> Result<(), SignatureError> {
        proven_at("2026-11-03T08:16:00Z", authorization, body)
    }

    /// The header that Teams sends with a body.
    fn signed(body: &[u8]) -> String {
        let token = STANDARD.decode(TOKEN).expect("base64");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &token);
        format!("HMAC {}", STANDARD.encode(ring::hmac::sign(&key, body)))
    }

    #[test]
    fn message_is_valid_for_five_minutes_by_its_own_timestamp() {
        let right = format!("HMAC {SIGNATURE}");
        for (time, outcome) in [
            ("2026-11-03T08:10:43Z", Ok(())),
            ("2026-11-03T08:20:42Z", Ok(())),
            ("2026-11-03T08:20:43Z", Err(SignatureError::Stale)),
            ("2026-11-03T08:10:41Z", Err(SignatureError::Stale)),
            ("2027-03-03T08:15:42Z", Err(SignatureError::Stale)),
        ] {
            assert_eq!(proven_at(time, &right, BODY), outcome, "{time}");
        }
        for body in [
            &br#"{"type":"message","text":"help"}"#[..],
            br#"{"type":"message","timestamp":null,"text":"help"}"#,
            br#"{"type":"message","timestamp":"now","text":"help"}"#,
            br#"{"type":"message","timestamp":1762158942,"text":"help"}"#,
            b"no JSON",
        ] {
            assert_eq!(proven(&signed(body), body), Err(SignatureError::Untimed));
        }
    }

    #[test]
    fn only_the_signature_over_the_body_is_accepted() {
        assert_eq!(proven(&format!("HMAC {SIGNATURE}"), BODY), Ok(()));
        for body in flipped(BODY) {
            assert_eq!(proven(&format!("HMAC {SIGNATURE}"), &body), Err(SignatureError::Wrong));
        }
        for signature in flipped_text(SIGNATURE) {
            assert!(proven(&format!("HMAC {signature}"), BODY).is_err(), "{signature}");
        }
    }

    #[test]
    fn other_authorization_schemes_are_rejected() {
        let now = at("2026-11-03T08:16:00Z");
        assert_eq!(verify(&keys(&[b"x"]), &headers(&[]), BODY, now), Err(SignatureError::NoSignature));
        let right = format!("HMAC {SIGNATURE}");
        let twice = headers(&[("authorization", &right), ("authorization", &right)]);
        assert_eq!(verify(&keys(&[b"x"]), &twice, BODY, now), Err(SignatureError::Malformed));
        for (value, refusal) in [
            ("Bearer x", SignatureError::NoSignature),
            ("HMAC", SignatureError::Malformed),
            ("HMAC ", SignatureError::Malformed),
            ("HMAC %%%", SignatureError::Malformed),
            ("HMAC dG9vIHNob3J0", SignatureError::Malformed),
        ] {
            assert_eq!(proven(value, BODY), Err(refusal), "{value}");
        }
    }

    #[test]
    fn channel_message_is_parsed() {
        let body = json!({
            "type": "message",
            "id": "1762158942036",
            "timestamp": "2026-11-03T08:15:42.036Z",
            "localTimestamp": "2026-11-03T09:15:42.036+01:00",
            "serviceUrl": "https://smba.trafficmanager.net/emea/",
            "channelId": "msteams",
            "from": {"id": "29:1invented", "name": "Dana Reyes", "aadObjectId": "0b51e6f2-91d4-4c7e-8c55-3f0a7d2b9c10"},
            "conversation": {
                "isGroup": true, "conversationType": "channel", "tenantId": "7c1d0b6e-2f43-4a58-9d0e-6b1f2a3c4d5e",
                "id": "19:0invented@thread.tacv2;messageid=1762158942036", "name": null
            },
            "recipient": null,
            "textFormat": "plain",
            "attachmentLayout": null,
            "attachments": [{
                "contentType": "text/html",
                "content": "<div><at id=\"0\">Defender</at>&nbsp;machine desk-042.contoso.com</div>"
            }],
            "entities": [{"type": "clientInfo", "locale": "en-GB", "country": "GB", "platform": "Windows"}],
            "text": "<at>Defender</at>&nbsp;machine <a href=\"http://desk-042.contoso.com\">desk-042.contoso.com</a>\n",
            "channelData": {
                "teamsChannelId": "19:0invented@thread.tacv2", "teamsTeamId": "19:0invented@thread.tacv2",
                "channel": {"id": "19:0invented@thread.tacv2"}, "tenant": {"id": "7c1d0b6e-2f43-4a58-9d0e-6b1f2a3c4d5e"}
            },
            "locale": "en-GB"
        });
        let activity = Activity::parse(body.to_string().as_bytes()).expect("an activity");
        let Command::Ask { question, share: false } = activity.command("@Defender") else { panic!("{activity:?}") };
        assert_eq!(
            (question.subject.kind(), question.subject.id()),
            (Kind::Machine, "desk-042.contoso.com".to_owned())
        );
    }

    #[test]
    fn mention_alone_asks_for_help_and_other_bodies_are_rejected() {
        for body in [json!({"type": "message", "text": "<at>Defender</at>\n"}), json!({"type": "message"})] {
            let activity = Activity::parse(body.to_string().as_bytes()).expect("an activity");
            assert_eq!(activity.command("@Defender"), Command::Help);
        }
        for body in ["", "{}", "[]", r#"{"type":"typing"}"#, r#"{"type":"message","text":7}"#, "text=help"] {
            assert!(Activity::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
