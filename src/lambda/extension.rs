//! This process as an internal extension of its own Lambda environment: the one that asks for the next event only when
//! no work is left.
//!
//! Lambda freezes an environment when the runtime has asked for the next invocation and every extension for the next
//! event. Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient};
use serde::Deserialize;
use tokio::time::timeout;

use crate::background::BackgroundTasks;
use crate::domain::timestamp::Timestamp;

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
/// Lambda answers within milliseconds; a stand-in that does not know the question may not answer at all.
const REGISTRATION: Duration = Duration::from_secs(1);
/// Before the function's timeout, which counts until the last extension has asked for the next event, and ends the
/// environment.
const MARGIN: Duration = Duration::from_millis(100);

/// Why the Extensions API is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// It cannot be reached, or broke off.
    #[error("the Extensions API cannot be reached: {0}")]
    Unreachable(#[source] BoxError),
    /// It has not answered in time.
    #[error("the Extensions API does not answer")]
    Silent,
    /// It says no, or is not there.
    #[error("the Extensions API answers {0}")]
    Refused(StatusCode),
    /// It says what nobody understands.
    #[error("the Extensions API gives no {0}")]
    Malformed(&'static str),
}

/// A registered extension.
#[derive(Debug)]
pub struct Extension {
    client: PooledClient,
    identifier: HeaderValue,
    tasks: BackgroundTasks,
}

/// An invocation, as extensions hear of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    request_id: String,
    /// Milliseconds since 1970.
    deadline_ms: u64,
}

impl Invocation {
    fn left(&self) -> Duration {
        let end = Timestamp::from(UNIX_EPOCH + Duration::from_millis(self.deadline_ms));
        Timestamp::now().age_at(end).saturating_sub(MARGIN)
    }
}

impl Extension {
    /// Arranges with Lambda that work may outlive an answer, if anybody wants that. Elsewhere there is nothing to do.
    ///
    /// To be called while Lambda initialises: once it has been asked for an invocation, it takes no extension. What is
    /// returned has to be [run](Self::run). Where Lambda refuses, as a local stand-in for it may, the log says so, and
    /// nothing outlives an answer.
    pub async fn arrange(tasks: &BackgroundTasks, wanted: bool) -> Option<Self> {
        let api = tasks.extensions_api().filter(|_| wanted)?;
        let extension = Self::register(api.clone(), tasks.clone())
            .await
            .inspect_err(|error| tracing::warn!(%error, "no work can outlive an answer: Lambda takes no extension"))
            .ok()?;
        tasks.outlive_answers();
        Some(extension)
    }

    async fn register(api: Uri, tasks: BackgroundTasks) -> Result<Self, ExtensionError> {
        let client = PooledClient::builder().with_endpoint(api).build();
        let mut request = Request::new(Body::from(r#"{"events":["INVOKE"]}"#));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/2020-01-01/extension/register");
        request.headers_mut().insert(NAME, HeaderValue::from_static(env!("CARGO_PKG_NAME")));
        let heard = timeout(REGISTRATION, hear(&client, request)).await.map_err(|_| ExtensionError::Silent)??;
        let identifier = heard.headers().get(IDENTIFIER).cloned().ok_or(ExtensionError::Malformed("identifier"))?;
        Ok(Self { client, identifier, tasks })
    }

    /// The work that Lambda is made to wait for.
    pub(crate) fn background_tasks(&self) -> &BackgroundTasks {
        &self.tasks
    }

    /// Hears of one invocation after the other, and asks for the next when it is over.
    ///
    /// Ends only when Lambda cannot be reached or understood. Then the process has to end as well, as it does when the
    /// runtime's own next fails: without this loop every invocation would last until the function's timeout.
    pub async fn run(self) -> Result<Infallible, ExtensionError> {
        loop {
            let invocation = self.next().await?;
            if timeout(invocation.left(), self.tasks.over(&invocation.request_id)).await.is_err() {
                tracing::warn!(request_id = invocation.request_id, "work outlives its invocation: Lambda freezes it");
            }
        }
    }

    /// Waits for the next event, however long that takes; meanwhile the process may be frozen.
    async fn next(&self) -> Result<Invocation, ExtensionError> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static("/2020-01-01/extension/event/next");
        request.headers_mut().insert(IDENTIFIER, self.identifier.clone());
        let heard = hear(&self.client, request).await?;
        serde_json::from_slice(heard.body()).map_err(|_| ExtensionError::Malformed("invocation"))
    }
}

/// What the API says to a request, if that is a yes.
async fn hear(client: &PooledClient, request: Request<Body>) -> Result<Response<Bytes>, ExtensionError> {
    let response = client.call(request).await.map_err(ExtensionError::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(ExtensionError::Refused(response.status()));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| ExtensionError::Unreachable(error.into()))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_registered_unless_somebody_wants_it() {
        let tasks = BackgroundTasks::new(Some(Uri::from_static("127.0.0.1:9")));
        assert!(Extension::arrange(&tasks, false).await.is_none());
        assert!(!tasks.can_outlive_an_answer());
    }
}
