//! A receiver on loopback, which stands for every destination: it keeps what it gets, and answers by a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What is answered to a post.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, a header line or none, a body.
    Status(u16, &'static str, String),
    /// A 200, as soon as [`Receiver::release`] has been called.
    Held,
    /// Nothing, for as long as the other end waits.
    Silence,
    /// The connection is closed in place of an answer.
    Close,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::body(status, "ok")
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Status(status, "", body.to_owned())
    }
}

/// A post as it came.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A receiver that lives as long as its test.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posts: watch::Sender<Vec<Post>>,
    is_released: watch::Sender<bool>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    connections: Arc<AtomicUsize>,
    keeps_connections: Arc<AtomicBool>,
}

impl Receiver {
    /// Answers 200 unless the script says otherwise; its last reply is for all posts that follow.
    pub(crate) async fn start(script: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            posts: watch::Sender::default(),
            is_released: watch::Sender::default(),
            script: Arc::new(Mutex::new(script.iter().cloned().collect())),
            connections: Arc::default(),
            keeps_connections: Arc::default(),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(own.clone().serve(stream));
            }
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// Waits for so many posts.
    pub(crate) async fn posted(&self, count: usize) -> Vec<Post> {
        self.wait_for(|posts| posts.len() >= count).await
    }

    /// Waits for a post to this target: when it came.
    pub(crate) async fn arrival(&self, target: &str) -> Instant {
        let posts = self.wait_for(|posts| posts.iter().any(|post| post.target == target)).await;
        posts.iter().find(|post| post.target == target).expect("the post").at
    }

    async fn wait_for(&self, holds: impl FnMut(&Vec<Post>) -> bool) -> Vec<Post> {
        let mut posts = self.posts.subscribe();
        // A test that waits for what does not come to pass ends here.
        timeout(Duration::from_secs(120), posts.wait_for(holds)).await.expect("a post").expect("a receiver").clone()
    }

    /// The only post that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Post {
        let posts = self.posts();
        assert_eq!(posts.len(), 1, "{posts:?}");
        posts.into_iter().next().unwrap()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// From now on connections stay open after an answer.
    pub(crate) fn keep_connections(&self) {
        self.keeps_connections.store(true, Ordering::Relaxed);
    }

    /// Answers the posts that are held, and those to come.
    pub(crate) fn release(&self) {
        self.is_released.send_replace(true);
    }

    async fn serve(self, mut stream: TcpStream) {
        while self.serve_one(&mut stream).await && self.keeps_connections.load(Ordering::Relaxed) {}
    }

    /// Whether a post came and was answered.
    async fn serve_one(&self, stream: &mut TcpStream) -> bool {
        let Some(post) = self.read(stream).await else { return false };
        self.posts.send_modify(|posts| posts.push(post));
        let reply = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
        };
        let (status, line, body) = match reply.unwrap_or_else(|| Reply::status(200)) {
            Reply::Status(status, line, body) => (status, line, body),
            Reply::Held => {
                self.is_released.subscribe().wait_for(|is_released| *is_released).await.expect("a receiver");
                (200, "", String::new())
            }
            Reply::Silence => {
                drop(stream.read(&mut [0]).await);
                return false;
            }
            Reply::Close => return false,
        };
        let end = if line.is_empty() { "" } else { "\r\n" };
        let head = format!("HTTP/1.1 {status} X\r\n{line}{end}content-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.is_ok()
    }

    async fn read(&self, stream: &mut TcpStream) -> Option<Post> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.split("\r\n");
        let target = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: HeaderMap = lines
            .filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                Some((name.parse::<http::HeaderName>().ok()?, value.parse::<http::HeaderValue>().ok()?))
            })
            .collect();
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        let mut body = bytes[end + 4..].to_vec();
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Post { target, headers, body, at: Instant::now() })
    }
}
