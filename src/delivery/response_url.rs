//! Posts late answers to Slack: a message to the `response_url` of a slash command.
//!
//! Slack accepts five messages for one command, so a retry is possible. Slack does not deduplicate.
//!
//! Source: <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>.

use http::{HeaderValue, header};
use tokio::time::timeout_at;
use url::Url;

use crate::client::{Attempts, Deadline, HttpClient, PostFailure};
use crate::integrations::slack::ResponseUrl;

/// Posts messages to Slack.
#[derive(Clone, Debug)]
pub(crate) struct SlackMessages {
    http: HttpClient,
    /// A server that replaces `https://hooks.slack.com`, for example in a test.
    stand_in: Option<Url>,
}

impl SlackMessages {
    pub(crate) fn new(http: HttpClient, stand_in: Option<Url>) -> Self {
        Self { http, stand_in }
    }

    /// Posts a message, with retries where they are safe.
    pub(crate) async fn post(&self, to: &ResponseUrl, message: &[u8], deadline: Deadline) -> Result<(), PostFailure> {
        let url = to.at(self.stand_in.as_ref());
        let mut attempts = Attempts::until(deadline);
        loop {
            attempts.begin();
            let outcome = timeout_at(deadline.instant(), self.try_once(&url, message)).await;
            let Err(failure) = outcome.unwrap_or(Err(PostFailure::Silent)) else { return Ok(()) };
            if !attempts.again(failure.retry(false)).await {
                return Err(failure);
            }
        }
    }

    /// Posts over a new connection. A pooled connection may have died while the process was frozen, and a message
    /// that breaks with it is not sent again.
    async fn try_once(&self, url: &Url, message: &[u8]) -> Result<(), PostFailure> {
        let json = HeaderValue::from_static("application/json");
        let request = self.http.fresh().post(url.clone()).header(header::CONTENT_TYPE, json).body(message.to_vec());
        let response = request.send().await.map_err(|error| PostFailure::of_transport(&error))?;
        PostFailure::of_status(response.status(), response.headers()).map_or(Ok(()), Err)
    }
}
