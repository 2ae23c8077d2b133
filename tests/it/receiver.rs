//! A receiver on loopback: it keeps what it gets, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// What is answered to a post.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// A status, a header line or none, a body.
    Status(u16, &'static str, String),
    /// Nothing, for as long as the other end waits.
    Nothing,
    /// The connection is closed in place of an answer.
    Goodbye,
}

impl Say {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, "", "ok".to_owned())
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
    pub(crate) wall: SystemTime,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A receiver that lives as long as its test.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    script: Arc<Mutex<VecDeque<Say>>>,
    connections: Arc<Mutex<usize>>,
    keeps_connections: Arc<AtomicBool>,
}

impl Receiver {
    /// One that answers 200 unless the script says otherwise; the last line of the script is for all that follow.
    pub(crate) async fn start(script: &[Say]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            posts: Arc::default(),
            script: Arc::new(Mutex::new(script.iter().cloned().collect())),
            connections: Arc::default(),
            keeps_connections: Arc::default(),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *own.connections.lock().unwrap() += 1;
                tokio::spawn(own.clone().serve(stream));
            }
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// The only post that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Post {
        let posts = self.posts();
        assert_eq!(posts.len(), 1, "{posts:?}");
        posts.into_iter().next().unwrap()
    }

    /// How often anybody has connected.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// From now on connections stay open after an answer.
    pub(crate) fn keep_connections(&self) {
        self.keeps_connections.store(true, Ordering::Relaxed);
    }

    async fn serve(self, mut stream: TcpStream) {
        self.serve_one(&mut stream).await;
        while self.keeps_connections.load(Ordering::Relaxed) && self.serve_one(&mut stream).await {}
    }

    /// Whether a post came and was dealt with.
    async fn serve_one(&self, stream: &mut TcpStream) -> bool {
        let Some(post) = read(stream).await else { return false };
        self.posts.lock().unwrap().push(post);
        let say = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
        };
        match say.unwrap_or_else(|| Say::status(200)) {
            Say::Status(status, line, body) => {
                let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
                let head = format!("HTTP/1.1 {status} X\r\n{line}content-length: {}\r\n\r\n", body.len());
                drop(stream.write_all(head.as_bytes()).await);
                stream.write_all(body.as_bytes()).await.is_ok()
            }
            Say::Nothing => {
                // Until the other end has had enough.
                drop(stream.read(&mut [0]).await);
                false
            }
            Say::Goodbye => false,
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Post> {
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
    Some(Post { target, headers, body, at: Instant::now(), wall: wall() })
}

#[expect(clippy::disallowed_methods, reason = "a receiver has a clock of its own")]
fn wall() -> SystemTime {
    SystemTime::now()
}
