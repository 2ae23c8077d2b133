//! The requests that have arrived.

use std::collections::VecDeque;

use http::HeaderMap;

use super::Service;
use super::script::Route;

/// Requests beyond this number push the oldest out, so that a long run does not fill the memory.
const CAPACITY: usize = 10_000;

/// A request that has arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The service that received it.
    pub service: Service,
    /// Its route, if it fits one.
    pub route: Option<Route>,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark; empty if there is none.
    pub query: String,
    /// The headers. `Authorization` is replaced by what it is valid for: the audience of the token, the AWS
    /// service that was signed for, or `unknown`.
    pub headers: HeaderMap,
    /// The id that was asked for, decoded; or the secret's name, or the audience of a token.
    pub key: String,
}

impl Seen {
    /// A header as text; none if it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Records a request.
pub(crate) fn record(requests: &mut VecDeque<Seen>, seen: Seen) {
    if requests.len() == CAPACITY {
        requests.pop_front();
    }
    requests.push_back(seen);
}
