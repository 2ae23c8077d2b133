//! An internal Lambda extension in this process. It requests the next event only when no background work is left, so
//! that Lambda does not freeze the process before.
//!
//! Lambda freezes an environment when the runtime has requested the next invocation and every extension has requested
//! the next event. Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>.

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

const NAME_HEADER: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER_HEADER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
/// Lambda answers within milliseconds. A local emulator without an Extensions API may not answer at all.
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(1);
/// The extension stops waiting this long before the function's timeout. The timeout counts until the last extension has
/// requested the next event, and then Lambda ends the environment.
const TIMEOUT_MARGIN: Duration = Duration::from_millis(100);

/// The failure of a call to the Extensions API.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// It cannot be reached, or the connection broke.
    #[error("the Extensions API cannot be reached: {0}")]
    Unreachable(#[source] BoxError),
    /// It did not answer in time.
    #[error("the Extensions API does not answer")]
    Silent,
    /// It rejected the request, or does not exist.
    #[error("the Extensions API answers {0}")]
    Refused(StatusCode),
    /// It sent an invalid response.
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

/// An invocation event for extensions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    request_id: String,
    /// Milliseconds since 1970.
    deadline_ms: u64,
}

impl Invocation {
    /// The time that the extension may wait for work of this invocation.
    fn time_left(&self) -> Duration {
        let end = Timestamp::from(UNIX_EPOCH + Duration::from_millis(self.deadline_ms));
        Timestamp::now().age_at(end).saturating_sub(TIMEOUT_MARGIN)
    }
}

impl Extension {
    /// Registers the extension if it is `is_needed` and this process runs in Lambda, so that work may outlive an answer.
    ///
    /// It has to be called during initialisation: Lambda accepts no extension after the runtime has requested an
    /// invocation. The caller has to [run](Self::run) the returned extension. If Lambda refuses it, as a local emulator
    /// may, a warning is logged and no work outlives an answer.
    pub async fn arrange(tasks: &BackgroundTasks, is_needed: bool) -> Option<Self> {
        let api = tasks.extensions_api().filter(|_| is_needed)?;
        let extension = Self::register(api.clone(), tasks.clone())
            .await
            .inspect_err(|error| tracing::warn!(%error, "background tasks are disabled: Lambda refused the extension"))
            .ok()?;
        tasks.outlive_answers();
        Some(extension)
    }

    async fn register(api: Uri, tasks: BackgroundTasks) -> Result<Self, ExtensionError> {
        let client = PooledClient::builder().with_endpoint(api).build();
        let mut request = Request::new(Body::from(r#"{"events":["INVOKE"]}"#));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/2020-01-01/extension/register");
        request.headers_mut().insert(NAME_HEADER, HeaderValue::from_static(env!("CARGO_PKG_NAME")));
        let response =
            timeout(REGISTRATION_TIMEOUT, send(&client, request)).await.map_err(|_| ExtensionError::Silent)??;
        let identifier =
            response.headers().get(IDENTIFIER_HEADER).cloned().ok_or(ExtensionError::Malformed("identifier"))?;
        Ok(Self { client, identifier, tasks })
    }

    /// The background work that the extension waits for.
    pub(crate) fn background_tasks(&self) -> &BackgroundTasks {
        &self.tasks
    }

    /// Receives one invocation after the other, and requests the next when all work of the current one is done.
    ///
    /// It returns only if a call to Lambda fails. The process has to end then, as it does when the runtime's own
    /// request fails: without this loop, every invocation would last until the function's timeout.
    pub async fn run(self) -> Result<Infallible, ExtensionError> {
        loop {
            let invocation = self.next().await?;
            if timeout(invocation.time_left(), self.tasks.completed(&invocation.request_id)).await.is_err() {
                tracing::warn!(
                    request_id = invocation.request_id,
                    "background work outlives its invocation: Lambda freezes it"
                );
            }
        }
    }

    /// Waits for the next event without a timeout, because Lambda may freeze the process meanwhile.
    async fn next(&self) -> Result<Invocation, ExtensionError> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static("/2020-01-01/extension/event/next");
        request.headers_mut().insert(IDENTIFIER_HEADER, self.identifier.clone());
        let response = send(&self.client, request).await?;
        serde_json::from_slice(response.body()).map_err(|_| ExtensionError::Malformed("invocation"))
    }
}

/// Sends a request and returns the response if its status is 200.
async fn send(client: &PooledClient, request: Request<Body>) -> Result<Response<Bytes>, ExtensionError> {
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
    async fn no_extension_is_registered_unless_it_is_wanted() {
        let tasks = BackgroundTasks::new(Some(Uri::from_static("127.0.0.1:9")));
        assert!(Extension::arrange(&tasks, false).await.is_none());
        assert!(!tasks.can_outlive_an_answer());
    }
}
