//! The destination of the demo: a stand-in for a chat's incoming webhook. It prints the headline of each message, and
//! keeps the messages for inspection.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::print;

/// The destination's name.
pub(super) const NAME: &str = "demo";
/// The number of messages that are kept.
const MAX_MESSAGES: usize = 20;

/// A server that accepts messages as Slack does.
#[derive(Debug)]
pub(super) struct DemoChat {
    address: SocketAddr,
    state: Arc<ChatState>,
}

#[derive(Debug, Default)]
struct ChatState {
    messages: Mutex<VecDeque<Value>>,
    is_announced: AtomicBool,
}

impl DemoChat {
    /// Starts the server on a free port of 127.0.0.1, as a task of the current runtime.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<ChatState>::default();
        let router = Router::new().route("/", get(list)).route("/chat", post(receive)).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, state })
    }

    /// Enables the printed line for each message.
    pub(super) fn announce(&self) {
        self.state.is_announced.store(true, Ordering::Relaxed);
    }

    /// The URL that lists the messages.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The destination's entry in the caller secret.
    pub(super) fn destination(&self) -> Value {
        json!({"kind": "slack", "url": format!("http://{}/chat", self.address)})
    }
}

async fn receive(State(state): State<Arc<ChatState>>, body: Bytes) -> (StatusCode, &'static str) {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else { return (StatusCode::BAD_REQUEST, "no_json") };
    if state.is_announced.load(Ordering::Relaxed) {
        let text = message.get("text").and_then(Value::as_str).unwrap_or("a message without a text");
        let headline: String =
            text.lines().next().unwrap_or_default().chars().filter(|character| !character.is_control()).collect();
        // Standard output may be closed.
        drop(print(&format!("destination {NAME}: {headline}")));
    }
    let mut messages = state.messages.lock().unwrap_or_else(PoisonError::into_inner);
    if messages.len() == MAX_MESSAGES {
        messages.pop_front();
    }
    messages.push_back(message);
    (StatusCode::OK, "ok")
}

async fn list(State(state): State<Arc<ChatState>>) -> ([(HeaderName, &'static str); 1], String) {
    let messages = state.messages.lock().unwrap_or_else(PoisonError::into_inner);
    let body = json!({"received": messages.iter().collect::<Vec<_>>()});
    ([(header::CONTENT_TYPE, "application/json")], format!("{body:#}\n"))
}
