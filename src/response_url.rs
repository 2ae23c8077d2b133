//! Answers that go to Slack after the one to its request: a message to the `response_url` of a slash command.
//!
//! Source: <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::hooks::slack::ResponseUrl;
use crate::upstream::{Deadline, HttpClient};

/// Slack takes five messages for one command, so there is room for these.
const TRIES: u32 = 3;
const EACH: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// Why a message did not reach Slack. The address is a secret: it is in none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDelivered {
    /// Slack does not take it.
    #[error("Slack answered with status {0}")]
    Refused(StatusCode),
    /// No connection: nothing was sent.
    #[error("Slack cannot be reached")]
    Unreachable,
    /// The connection broke: Slack may have it.
    #[error("the connection to Slack broke")]
    Broken,
    /// No answer in time.
    #[error("Slack did not answer in time")]
    TimedOut,
}

impl NotDelivered {
    /// Whether another try may do. What may have arrived is not sent again: Slack cannot tell a repetition.
    fn passes(self) -> bool {
        match self {
            Self::Refused(status) => matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE),
            Self::Unreachable => true,
            Self::Broken | Self::TimedOut => false,
        }
    }
}

/// Posts messages to Slack.
#[derive(Clone, Debug)]
pub(crate) struct SlackMessages {
    http: HttpClient,
    /// Stands for `https://hooks.slack.com` where that is not to be reached.
    stand_in: Option<Url>,
}

impl SlackMessages {
    pub(crate) fn new(http: HttpClient, stand_in: Option<Url>) -> Self {
        Self { http, stand_in }
    }

    /// Posts a message, in at most three tries.
    pub(crate) async fn post(&self, to: &ResponseUrl, message: &[u8], deadline: Deadline) -> Result<(), NotDelivered> {
        let url = to.at(self.stand_in.as_ref());
        let mut tries = 1;
        loop {
            let time = deadline.remaining().min(EACH);
            let outcome = timeout(time, self.try_once(&url, message)).await.unwrap_or(Err(NotDelivered::TimedOut));
            match outcome {
                Err(error) if error.passes() && tries < TRIES && deadline.remaining() > PAUSE => {
                    tries += 1;
                    sleep(PAUSE).await;
                }
                other => return other,
            }
        }
    }

    async fn try_once(&self, url: &Url, message: &[u8]) -> Result<(), NotDelivered> {
        let json = HeaderValue::from_static("application/json");
        let request = self.http.pooled().post(url.clone()).header(header::CONTENT_TYPE, json).body(message.to_vec());
        let sent = request.send().await;
        let status = sent
            .map_err(|error| if error.is_connect() { NotDelivered::Unreachable } else { NotDelivered::Broken })?
            .status();
        if status.is_success() { Ok(()) } else { Err(NotDelivered::Refused(status)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_may_have_is_not_sent_again() {
        for (failure, again) in [
            (NotDelivered::Refused(StatusCode::TOO_MANY_REQUESTS), true),
            (NotDelivered::Refused(StatusCode::SERVICE_UNAVAILABLE), true),
            (NotDelivered::Unreachable, true),
            (NotDelivered::Refused(StatusCode::INTERNAL_SERVER_ERROR), false),
            (NotDelivered::Refused(StatusCode::BAD_GATEWAY), false),
            (NotDelivered::Refused(StatusCode::GATEWAY_TIMEOUT), false),
            (NotDelivered::Refused(StatusCode::NOT_FOUND), false),
            (NotDelivered::Broken, false),
            (NotDelivered::TimedOut, false),
        ] {
            assert_eq!(failure.passes(), again, "{failure}");
        }
    }
}
