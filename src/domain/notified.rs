//! The result of sending an answer to a destination beside the caller.

use schemars::JsonSchema;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Notified {
    /// The name of the destination, as the request gave it.
    pub destination: String,
    /// Whether it has the answer.
    pub outcome: Outcome,
    /// The HTTP status that it answered with last; null if it did not answer.
    pub status: Option<u16>,
}

/// Whether a destination has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schemars(rename = "NotifiedOutcome")]
pub enum Outcome {
    /// It accepted the answer.
    Delivered,
    /// It rejected the answer: another attempt would not help.
    Refused,
    /// It could not be reached, or could not accept the answer, in every attempt.
    Failed,
    /// It did not reply in time; it may have the answer.
    TimedOut,
    /// Its entry in the caller secret is invalid: the operator has to correct it. Nothing was sent.
    Misconfigured,
    /// There was nothing to send: the format has an event per alert and there is no alert, or no subject has an answer.
    NothingToSend,
    /// It is not sent yet: the lookup, or the request to the destination, goes on after this answer.
    Pending,
}

impl Outcome {
    /// Returns the word in the answer.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
