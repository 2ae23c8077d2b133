//! What became of an answer at a destination beside the caller.

use schemars::JsonSchema;
use serde::Serialize;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NotifiedOutcome")]
pub enum Outcome {
    /// It has taken it.
    Delivered,
    /// It has answered that it does not take it: trying again would not help.
    Refused,
    /// It could not be reached, or could not take it, however often it was tried.
    Failed,
    /// It did not answer in time; it may have it.
    TimedOut,
    /// The operator has to mend its entry in the caller secret; nothing was sent.
    Misconfigured,
    /// There was nothing to send: the format has an event per alert and there is no alert, or no subject has an answer.
    NothingToSend,
    /// It is yet to be sent: the lookup, or the post itself, goes on after this answer.
    Pending,
}

impl Outcome {
    /// Returns the word in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Misconfigured => "misconfigured",
            Self::NothingToSend => "nothing_to_send",
            Self::Pending => "pending",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_in_json() {
        for outcome in [
            Outcome::Delivered,
            Outcome::Refused,
            Outcome::Failed,
            Outcome::TimedOut,
            Outcome::Misconfigured,
            Outcome::NothingToSend,
            Outcome::Pending,
        ] {
            assert_eq!(serde_json::to_value(outcome).expect("JSON"), outcome.as_str());
        }
    }
}
