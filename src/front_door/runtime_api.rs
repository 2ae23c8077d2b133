//! Handing replies over to Lambda.
//!
//! The runtime's own way takes a value, and writes the body in it as a string: it looks at every byte of an answer that
//! is written as one already.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request};
use http_body_util::BodyExt;
use lambda_http::Error;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};

/// By it Lambda tells late replies from those it waits for.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");

/// Where replies are handed over.
#[derive(Clone)]
pub(super) struct RuntimeApi {
    client: Arc<PooledClient>,
}

impl RuntimeApi {
    /// That of this environment.
    pub(super) fn of_environment() -> Self {
        Self { client: Arc::new(PooledClient::builder().build()) }
    }

    /// Hands over the reply to an invocation, which `announced` it. An error is the end of this environment: Lambda is
    /// not there.
    pub(super) async fn hand_over(&self, id: &str, announced: &HeaderMap, reply: Vec<u8>) -> Result<(), Error> {
        let reply = Bytes::from(reply);
        let response = match self.client.call(handing_over(id, announced, reply.clone())?).await {
            Ok(response) => response,
            // A connection may have died while the environment was frozen. Lambda takes one reply: a second is refused.
            Err(_) => self.client.call(handing_over(id, announced, reply)?).await?,
        };
        let status = response.status();
        if !status.is_success() {
            // Too large, or too late: the next invocation may go well.
            tracing::error!(request_id = id, status = status.as_u16(), "Lambda does not take the answer");
        }
        // Read to its end, so that the connection can be used again. What it says is known, even if that fails.
        let _ = response.into_body().collect().await;
        Ok(())
    }
}

fn handing_over(id: &str, announced: &HeaderMap, reply: Bytes) -> Result<Request<Body>, Error> {
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    let mut request = build_request().method(Method::POST).uri(path).body(Body::from(reply))?;
    if let Some(name) = announced.get(&INVOCATION_ID) {
        request.headers_mut().insert(INVOCATION_ID, name.clone());
    }
    Ok(request)
}
