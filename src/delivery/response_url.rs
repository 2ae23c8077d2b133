//! Late answers to Slack: posts a message to the `response_url` of a slash command.
//!
//! Slack accepts five messages for one command, so a retry is possible. Slack does not deduplicate.
//!
//! Source: <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>.

use std::fmt;

use http::{HeaderValue, header};
use tokio::time::timeout_at;
use url::Url;

use crate::client::{Attempts, Deadline, HttpClient, PostFailure};

/// A URL at `https://hooks.slack.com`. It is a secret: anyone who has it can post.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResponseUrl(Url);

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseUrl(…)")
    }
}

impl ResponseUrl {
    /// Accepts only a URL of Slack.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let slack = url.scheme() == "https"
            && url.host_str() == Some("hooks.slack.com")
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        slack.then_some(Self(url))
    }

    /// Returns the URL, or the same path on the stand-in server for Slack.
    fn at(&self, stand_in: Option<&Url>) -> Url {
        let Some(stand_in) = stand_in else { return self.0.clone() };
        let mut url = stand_in.clone();
        url.set_path(self.0.path());
        url.set_query(self.0.query());
        url
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
