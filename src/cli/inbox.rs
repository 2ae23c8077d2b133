//! The destination of the demonstration: a stand-in for a chat's incoming webhook. It prints the headline of what it
//! gets, and keeps all of it to be looked at.

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

/// What the destination is called.
pub(super) const NAME: &str = "demo";
/// So many messages are kept.
const MAX_MESSAGES: usize = 20;

/// A stand-in that takes messages as Slack does.
#[derive(Debug)]
pub(super) struct Inbox {
    address: SocketAddr,
    kept: Arc<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    messages: Mutex<VecDeque<Value>>,
    is_announced: AtomicBool,
}

impl Inbox {
    /// Starts it on a free port of 127.0.0.1, as a task of the current runtime.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let kept = Arc::<Kept>::default();
        let router = Router::new().route("/", get(list)).route("/chat", post(take)).with_state(kept.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, kept })
    }

    /// From now on it prints a line for each message.
    pub(super) fn announce(&self) {
        self.kept.is_announced.store(true, Ordering::Relaxed);
    }

    /// Where what it keeps can be looked at.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Its entry in the caller secret.
    pub(super) fn destination(&self) -> Value {
        json!({"kind": "slack", "url": format!("http://{}/chat", self.address)})
    }
}

async fn take(State(kept): State<Arc<Kept>>, body: Bytes) -> (StatusCode, &'static str) {
    let Ok(message) = serde_json::from_slice::<Value>(&body) else { return (StatusCode::BAD_REQUEST, "no_json") };
    if kept.is_announced.load(Ordering::Relaxed) {
        let text = message.get("text").and_then(Value::as_str).unwrap_or("a message without a text");
        let headline: String =
            text.lines().next().unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
        // Nobody has to read along.
        drop(print(&format!("destination {NAME}: {headline}")));
    }
    let mut messages = kept.messages.lock().unwrap_or_else(PoisonError::into_inner);
    if messages.len() == MAX_MESSAGES {
        messages.pop_front();
    }
    messages.push_back(message);
    (StatusCode::OK, "ok")
}

async fn list(State(kept): State<Arc<Kept>>) -> ([(HeaderName, &'static str); 1], String) {
    let messages = kept.messages.lock().unwrap_or_else(PoisonError::into_inner);
    let body = json!({"received": messages.iter().collect::<Vec<_>>()});
    ([(header::CONTENT_TYPE, "application/json")], format!("{body:#}\n"))
}
