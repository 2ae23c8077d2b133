//! Answers that go to Slack after the one to its request: a message to the `response_url` of a slash command.
//!
//! Source: <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>.

use http::{HeaderValue, StatusCode, header};
use tokio::time::timeout_at;
use url::Url;

use crate::hooks::slack::ResponseUrl;
use crate::upstream::{Attempts, Deadline, HttpClient, Retry};

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
    /// What it means for the next try. Slack takes five messages for one command, so there is room for it; but what may
    /// have arrived is not sent again, as Slack cannot tell a repetition.
    fn retry(self) -> Retry {
        match self {
            Self::Refused(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) | Self::Unreachable => {
                Retry::Backoff
            }
            Self::Refused(_) | Self::Broken | Self::TimedOut => Retry::Never,
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

    /// Posts a message.
    pub(crate) async fn post(&self, to: &ResponseUrl, message: &[u8], deadline: Deadline) -> Result<(), NotDelivered> {
        let url = to.at(self.stand_in.as_ref());
        let mut attempts = Attempts::until(deadline);
        loop {
            attempts.begin();
            let outcome = timeout_at(deadline.instant(), self.try_once(&url, message)).await;
            let Err(error) = outcome.unwrap_or(Err(NotDelivered::TimedOut)) else { return Ok(()) };
            if !attempts.again(error.retry()).await {
                return Err(error);
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
            (NotDelivered::Refused(StatusCode::TOO_MANY_REQUESTS), Retry::Backoff),
            (NotDelivered::Refused(StatusCode::SERVICE_UNAVAILABLE), Retry::Backoff),
            (NotDelivered::Unreachable, Retry::Backoff),
            (NotDelivered::Refused(StatusCode::INTERNAL_SERVER_ERROR), Retry::Never),
            (NotDelivered::Refused(StatusCode::BAD_GATEWAY), Retry::Never),
            (NotDelivered::Refused(StatusCode::GATEWAY_TIMEOUT), Retry::Never),
            (NotDelivered::Refused(StatusCode::NOT_FOUND), Retry::Never),
            (NotDelivered::Broken, Retry::Never),
            (NotDelivered::TimedOut, Retry::Never),
        ] {
            assert_eq!(failure.retry(), again, "{failure}");
        }
    }
}
