//! A minimal HTTP client that shows exactly what was sent.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{DEFENDER_AUDIENCE, GRAPH_AUDIENCE, Sandbox, Service, XDR_AUDIENCE};

/// A response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    head: String,
    /// Without the framing.
    pub(super) body: Vec<u8>,
    /// Whether the whole announced body has arrived.
    pub(super) is_whole: bool,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The ids in a list.
    pub(super) fn ids(&self) -> Vec<String> {
        let json = self.json();
        json["value"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The code in the error envelope.
    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends bytes, and reads until the connection is closed.
pub(super) async fn exchange(origin: &str, request: impl Into<Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).await?;
    stream.write_all(&request.into()).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(response)
}

/// Sends one request; headers as lines.
pub(super) async fn ask(
    origin: &str,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<Response> {
    let lines: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let bytes = exchange(origin, request).await?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {bytes:?}"));
    let (head, body) = (String::from_utf8(bytes[..end].to_vec()).unwrap(), &bytes[end + 4..]);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Response { status, head, body: body.to_vec(), is_whole: true };
    if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.is_whole) = unchunked(body);
    } else if let Some(length) = answer.header("content-length") {
        answer.is_whole = length.parse() == Ok(body.len());
    }
    Ok(answer)
}

fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let chunk = &bytes[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if chunk.len() < size + 2 {
            break;
        }
        body.extend(&chunk[..size]);
        bytes = &chunk[size + 2..];
    }
    (body, false)
}

impl Sandbox {
    async fn get(&self, service: Service, audience: &str, target: &str) -> Response {
        let token = format!("Authorization: Bearer {}", self.mint(audience));
        ask(self.origin(service), "GET", target, &[&token], "").await.unwrap()
    }

    /// Asks Defender for Endpoint with a valid token.
    pub(super) async fn mde(&self, target: &str) -> Response {
        self.get(Service::Defender, DEFENDER_AUDIENCE, target).await
    }

    /// Asks Defender XDR with a valid token.
    pub(super) async fn xdr(&self, target: &str) -> Response {
        self.get(Service::Xdr, XDR_AUDIENCE, target).await
    }

    /// Asks Graph with a valid token, and for words that were added later.
    pub(super) async fn graph(&self, method: &str, target: &str, body: &str) -> Response {
        let token = format!("Authorization: Bearer {}", self.mint(GRAPH_AUDIENCE));
        let headers = [token.as_str(), "Content-Type: application/json", "Prefer: include-unknown-enum-members"];
        ask(self.origin(Service::Graph), method, target, &headers, body).await.unwrap()
    }
}
