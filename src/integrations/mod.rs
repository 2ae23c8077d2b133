//! Senders with their own body formats. Each has one file, with everything that is particular to it: how a request is
//! verified, read and answered. `api::integrations` runs the exchange. This module does no I/O.

mod command;
mod extracted;
mod markup;
mod pagerduty;
#[cfg(test)]
mod properties;
mod scan;
mod slack;
mod splunk;
mod teams;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::auth::CallerSecret;
use crate::auth::secrets::{SecretList, Secrets};
use crate::auth::signature::{SignatureError, SignedRequest};
use crate::config::SplunkFields;
use crate::delivery::ResponseUrl;
use crate::formats::Format;
pub(crate) use command::Command;
pub(crate) use extracted::{ExtractedSubjects, Unusable};
pub(crate) use slack::{INTEGRATION as SLACK, SIGNATURE_HEADER as SLACK_SIGNATURE_HEADER};

/// All integrations. A new one is its file and its entry here.
pub(crate) static ALL: [&Integration; 4] =
    [&slack::INTEGRATION, &teams::INTEGRATION, &splunk::INTEGRATION, &pagerduty::INTEGRATION];

/// A sender with its own body format.
pub(crate) struct Integration {
    /// The sender's name.
    pub(crate) name: &'static str,
    /// The path of its requests, which are POSTs.
    pub(crate) path: &'static str,
    /// How the API document describes it.
    pub(crate) description: Description,
    /// How long the sender waits for a response, less the time for the network.
    pub(crate) reply_timeout: Duration,
    /// The sender's secrets in the caller secret.
    pub(crate) secrets: SecretList,
    /// Verifies the raw request, and returns the holder of the secret. Nothing is parsed before.
    pub(crate) verify: fn(&Secrets, &SignedRequest<'_>) -> Result<Arc<str>, SignatureError>,
    /// The `WWW-Authenticate` challenge.
    pub(crate) challenge: &'static [&'static str],
    /// What a verified request needs: the text for an operator whose requests are refused.
    pub(crate) requirement: &'static str,
    /// Whether a body only checks that the address answers. Such a request needs no signature, and gets no content.
    pub(crate) is_probe: fn(&[u8]) -> bool,
    /// How requests are read and answered.
    pub(crate) exchange: Exchange,
}

/// An integration in the API document.
#[derive(Clone, Copy)]
pub(crate) struct Description {
    /// The operation id.
    pub(crate) id: &'static str,
    /// The summary, and the description.
    pub(crate) texts: [&'static str; 2],
    /// The media type of the request.
    pub(crate) media_type: &'static str,
    /// What the response is, and the name of its schema.
    pub(crate) response: [&'static str; 2],
}

/// How requests are read and answered.
pub(crate) enum Exchange {
    /// A person asks in a chat, and always gets a message.
    Chat(Chat),
    /// A program sends a record, and gets the answers to its subjects as a batch.
    Records(Records),
}

/// A chat message, as JSON.
pub(crate) type Message = Map<String, Value>;

/// A chat.
pub(crate) struct Chat {
    /// Reads the body.
    pub(crate) parse: fn(&[u8]) -> ChatRequest,
    /// The format of answers.
    pub(crate) format: Format,
    /// Makes a message of a text, for the person alone.
    pub(crate) text: fn(&str) -> Message,
    /// Marks an answer with those who see it.
    pub(crate) address: fn(&mut Message, Audience),
    /// Marks a message as the one that follows [`LOOKING_IT_UP`].
    pub(crate) replace: fn(&mut Message),
    /// What becomes of a lookup that takes longer than the chat waits.
    pub(crate) late_answers: LateAnswers,
}

/// What becomes of a lookup that takes longer than the chat waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LateAnswers {
    /// The answer is posted to the request's `response_url`.
    Posted,
    /// The chat takes no later message, so the answer is cached for the next question.
    Cached,
}

impl LateAnswers {
    /// What a person reads when there is no answer in time. `page` is the portal's page of the subject.
    pub(crate) fn too_slow(self, page: &str) -> String {
        match self {
            Self::Posted => {
                "Microsoft Defender is slow at the moment, and there is no answer yet. Ask again in a moment."
                    .to_owned()
            }
            Self::Cached => {
                format!("Microsoft Defender is slow at the moment. Ask again soon, or look into the portal: {page}")
            }
        }
    }
}

/// What a person reads until a late answer is posted.
pub(crate) const LOOKING_IT_UP: &str = "Looking it up: Microsoft Defender takes a moment. The answer follows here.";

/// Who sees a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Person,
    Channel,
}

/// What a person asks in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChatRequest {
    pub(crate) command: Command,
    /// Where a later answer may be posted. `None` if there is no such address, or an invalid one.
    pub(crate) response_url: Option<ResponseUrl>,
    /// Whether the body is unique to this question, so that an equal one is a repeated delivery.
    pub(crate) is_unique: bool,
}

/// A sender of records.
pub(crate) struct Records {
    /// Reads the body. The headers may identify the delivery.
    pub(crate) parse: fn(&[u8], &HeaderMap, &SplunkFields) -> Result<Record, PayloadError>,
    /// The query parameter that carries the sender's secret, beside options.
    pub(crate) secret_parameter: Option<&'static str>,
    /// Whether deliveries have ids, so that a repeated one gets the first answer.
    pub(crate) has_delivery_ids: bool,
    /// The status of a response with answers.
    pub(crate) status: StatusCode,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) subjects: ExtractedSubjects,
    /// The same in every delivery of the record.
    pub(crate) delivery_id: Option<String>,
}

/// An authenticated body that is not of the documented form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadError {
    /// The member, as a JSON pointer.
    pub(crate) pointer: Option<&'static str>,
    /// What the body should be.
    pub(crate) detail: &'static str,
}

impl PayloadError {
    const fn new(detail: &'static str) -> Self {
        Self { pointer: None, detail }
    }
}

/// Whether an integration with secrets can get answers after its response. Chats can; senders of records only where
/// there are destinations. An invalid member counts as secrets.
pub(crate) fn may_answer_late(secret: &CallerSecret, has_destinations: bool) -> bool {
    let has_secrets = |one: &Integration| one.secrets.read(secret).map_or(true, |secrets| !secrets.is_empty());
    ALL.iter().any(|one| has_secrets(one) && (has_destinations || matches!(one.exchange, Exchange::Chat(_))))
}
