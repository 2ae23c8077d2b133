//! Lambda's Runtime API, as one environment sees it: hands out an event at a time and takes the answer.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use defender_sandbox::DEMO_KEY;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, mpsc};

/// Of an invocation's time, far more than it takes.
const DEADLINE: &str = "4102444800000";

/// The Runtime API of one environment.
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    lambda: Arc<Lambda>,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<Bytes>,
}

struct Lambda {
    /// Told when the process asks for its first invocation.
    ready: Notify,
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    answers: mpsc::UnboundedSender<Bytes>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let (events, handed_out) = mpsc::unbounded_channel();
        let (taken, answers) = mpsc::unbounded_channel();
        let lambda = Arc::new(Lambda { ready: Notify::new(), events: Mutex::new(handed_out), answers: taken });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .with_state(lambda.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, lambda, events, answers }
    }

    /// Waits until the process asks for its first invocation.
    pub(crate) async fn is_ready(&self) -> Instant {
        self.lambda.ready.notified().await;
        Instant::now()
    }

    /// Hands an event out and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: &str) -> Bytes {
        self.events.send(event.to_owned()).expect("a Runtime API");
        self.answers.recv().await.expect("an answer")
    }
}

async fn next(State(lambda): State<Arc<Lambda>>) -> Response<Body> {
    lambda.ready.notify_one();
    let event = lambda.events.lock().await.recv().await.unwrap_or_default();
    Response::builder()
        .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001")
        .header("lambda-runtime-deadline-ms", DEADLINE)
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:000000000000:function:bench")
        .header("content-type", "application/json")
        .body(Body::from(event))
        .expect("a response")
}

async fn answer(State(lambda): State<Arc<Lambda>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    drop(lambda.answers.send(body));
    StatusCode::ACCEPTED
}

/// A Function URL's event: a POST of the demo's caller.
pub(crate) fn event(body: &Value) -> String {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/v1/enrich", "rawQueryString": "",
        "headers": {"content-type": "application/json", "x-api-key": DEMO_KEY, "host": "bench.example.com"},
        "requestContext": {
            "accountId": "anonymous", "apiId": "bench", "domainName": "bench.example.com", "domainPrefix": "bench",
            "http": {
                "method": "POST", "path": "/v1/enrich", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "bench"
            },
            "requestId": "00000000-0000-4000-8000-000000000002", "routeKey": "$default", "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_255_200_000_u64
        },
        "body": body.to_string(), "isBase64Encoded": false
    })
    .to_string()
}
