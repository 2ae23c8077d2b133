//! A client that sends exactly the bytes it is told to, and what it hears.

use std::net::SocketAddr;

use defender_sandbox::DEMO_KEY;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    pub(crate) target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Ask {
    /// A request with the key of the caller `demo`.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let key = ("x-api-key".to_owned(), DEMO_KEY.as_bytes().to_vec());
        Self { method: method.to_owned(), target: target.to_owned(), headers: vec![key], body: Vec::new() }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A JSON body, well formed or not.
    pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let ask = Self { body: body.into(), ..Self::new("POST", target) };
        ask.with("content-type", "application/json")
    }

    /// With a header; one of that name that is there already stays.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With another body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// At another address.
    pub(crate) fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Without any key.
    pub(crate) fn anonymous(self) -> Self {
        self.without("x-api-key")
    }

    pub(crate) async fn send_to(&self, address: SocketAddr) -> Heard {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let length = self.body.len();
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", self.method, self.target)
            .into_bytes();
        bytes.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        // A server may answer before it has read all; what it says then is what counts.
        drop(stream.write_all(&bytes).await);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer to its end");
        Heard::parse(&answer)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of the head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            let name = HeaderName::try_from(name).expect("a header's name");
            (name, HeaderValue::from_str(value.trim()).expect("a header's value"))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.map(header) {
            headers.append(name, value);
        }
        Self { status: status.parse().expect("a status"), headers, body: bytes[end + 4..].to_vec() }
    }

    /// A header's text, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a 200.
    #[track_caller]
    pub(crate) fn answer(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The body of a problem of this status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        problem
    }

    /// When to come again.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> u64 {
        self.header("retry-after").parse().unwrap_or_else(|_| panic!("no Retry-After: {self:?}"))
    }
}

/// An answer without what says when it was fetched.
pub(crate) fn timeless(mut answer: Value) -> Value {
    if let Some(source) = answer.get_mut("source").and_then(Value::as_object_mut) {
        for member in ["retrieved_at", "cache", "age_s"] {
            source.remove(member);
        }
    }
    if let Some(problem) = answer.as_object_mut() {
        problem.remove("request_id");
    }
    for item in answer.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
        for member in ["enrichment", "problem"] {
            if let Some(inner) = item.get_mut(member) {
                *inner = timeless(inner.take());
            }
        }
    }
    answer
}

/// A text for people without what says when it was fetched: `2026-11-21 14:21 UTC · remembered, 0 s old`.
pub(crate) fn timeless_text(text: &str) -> String {
    let mut text = text.to_owned();
    for (mark, end) in [(" UTC · just fetched", ""), (" UTC · remembered, ", " old")] {
        while let Some(at) = text.find(mark) {
            let rest = at + mark.len();
            let length = text[rest..].find(end).expect("an age") + end.len();
            text.replace_range(at - "2026-11-21 14:21".len()..rest + length, "[fetched]");
        }
    }
    text
}

/// The codes of an answer's warnings.
pub(crate) fn warnings(answer: &Value) -> Vec<&str> {
    let warnings = answer["warnings"].as_array().expect("warnings");
    warnings.iter().map(|warning| warning["code"].as_str().expect("a code")).collect()
}

/// The ids of an answer's alerts, in their order.
pub(crate) fn ids(answer: &Value) -> Vec<&str> {
    let alerts = answer["alerts"].as_array().expect("alerts");
    alerts.iter().map(|alert| alert["id"].as_str().expect("an id")).collect()
}

/// The steps of an answer's resolution.
pub(crate) fn steps(answer: &Value) -> Vec<&str> {
    let steps = answer["resolution"].as_array().expect("a resolution");
    steps.iter().map(|step| step["step"].as_str().expect("a step")).collect()
}
